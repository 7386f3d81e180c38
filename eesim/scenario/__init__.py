"""Scenarios: the file that a user writes, resolved into everything that a simulation needs."""
