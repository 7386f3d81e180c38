"""Measurements against the simulator: import of foreign formats, calibration of a board, comparison of runs."""
