"""Comparisons, sensitivities, plausible boards."""
