"""What is learnt: one module for each data-generating process. Pure functions: a seed in, tensors out."""
