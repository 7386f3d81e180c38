"""Sweeps: many points of a design, each simulated once, kept in a store, on any number of workers.

The function is `eesim.sweep` (`eesim.sweeps.sweep.sweep`).
"""
