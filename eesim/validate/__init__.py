"""Measurements against the simulator: import of foreign formats, calibration of a board, comparison with measured runs."""
