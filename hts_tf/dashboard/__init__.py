"""A tab of TensorBoard: episodes of runs, played again."""
