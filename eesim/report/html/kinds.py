"""All kinds of result folders that a page can be made of: one module each."""

from __future__ import annotations

from eesim.report.html import candidates, compare, explore, run, sensitivity, sweep, thresholds, validate
from eesim.report.html.kind import Kind

KINDS: tuple[Kind, ...] = (
    run.KIND,
    compare.KIND,
    sensitivity.KIND,
    candidates.KIND,
    explore.KIND,
    sweep.KIND,
    thresholds.KIND,
    validate.KIND,
)
"""In the order in which a page shows them, where a folder holds several."""
