"""The key of right answers: blocks of any size, frames that end in any order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.metrics.correctness import UNKNOWN, AnswerKey
from eesim.plan.plan import RECORD_COLUMNS, Status

FRAME, EXIT, STATUS = (RECORD_COLUMNS.index(name) for name in ("frame", "exit", "status"))
EXIT_NUMBER = (1, 3, 2)


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_each_frame_gets_its_own_mask(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    masks = rng.integers(-1, 8, n)
    records = np.zeros((n, len(RECORD_COLUMNS)), np.int64)
    records[:, FRAME] = rng.permutation(n)
    records[:, EXIT] = rng.integers(0, 3, n)
    records[:, STATUS] = np.where(rng.random(n) < 0.3, int(Status.DROPPED), int(Status.ANSWERED))
    key = AnswerKey(EXIT_NUMBER)
    for begin, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        key.add(masks[begin : begin + size])
    found = np.concatenate([key.check(part) for part in np.array_split(records, 3)])
    for record, right in zip(records, found, strict=True):
        mask = int(masks[record[FRAME]])
        if mask == UNKNOWN:
            assert right == UNKNOWN
        elif record[STATUS] == Status.DROPPED:
            assert right == 0
        else:
            assert right == mask >> (EXIT_NUMBER[record[EXIT]] - 1) & 1
    assert not key._blocks, "blocks whose frames have all ended are forgotten"
    assert not key._begins
