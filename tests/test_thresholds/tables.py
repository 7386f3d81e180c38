"""Tables of confidences for tests."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from eesim.thresholds.cascade import Cascade

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "scenarios" / "digits_psoc6.yaml"
TABLE = ROOT / "scenarios" / "confidences" / "digits_mlp.csv"


correlated = runpy.run_path(str(ROOT / "scenarios" / "studies" / "independence.py"))["shared_difficulty"]
"""The study's tables: exits that share a difficulty."""


@st.composite
def cascades(draw: st.DrawFn, most_early: int = 3) -> Cascade:
    """Small tables with many ties, and costs in any order."""
    n, early = draw(st.integers(1, 12)), draw(st.integers(1, most_early))
    grid = st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0])
    confidence = [[draw(grid) for _ in range(early)] for _ in range(n)]
    correct = [[draw(st.booleans()) for _ in range(early + 1)] for _ in range(n)]
    cost = [draw(st.integers(0, 9)) for _ in range(early + 1)]
    return Cascade(np.array(confidence), np.array(correct, np.bool_), np.array(cost, np.int64))
