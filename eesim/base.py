"""Types and scales that every room shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

FULL_SPEED = 1_000_000
"""Speed, in parts per million, of a processing element that nothing slows."""
