"""Mappings: which PE runs which segment, at which operating point, and by which rules."""
