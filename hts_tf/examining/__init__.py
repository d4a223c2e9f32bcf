"""What the doctor looks at: each file is a kind of check."""
