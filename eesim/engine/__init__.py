"""Two engines, one arithmetic: a readable reference on SimPy and a compiled one on numba."""
