"""Metrics: defined once, used for simulated and measured runs alike."""
