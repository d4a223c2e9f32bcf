"""What a sweep searches, draws, ends and shows."""
