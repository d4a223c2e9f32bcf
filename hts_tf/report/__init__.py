"""The report on a comparison: `python -m hts_tf.report` makes a page of its CSV files."""
