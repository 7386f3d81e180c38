"""Measured runs of boards: import, predict with the simulator, compare, calibrate."""
