"""What ships about EE-ResNet18 against the tables that it was taken from."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from eesim.workload.exits import ExitCounts
from tests.scenarios import COUNTS, MS, camera

SEGMENTS = {
    "block1": "b1",
    "exit1": "e1",
    "block2": "b2",
    "exit2": "e2",
    "block3": "b3",
    "exit3": "e3",
    "block4_final_exit": "b4",
    "block4": "b4",
}
"""Names of the segments in the tables, and in the shipped network."""


def table(name: str) -> pd.DataFrame:
    shared = Path(os.environ.get("EESIM_SHARED", Path(__file__).parents[3] / "shared"))
    path = shared / name
    if not path.exists():
        pytest.skip(f"there is no {path} (set EESIM_SHARED)")
    return pd.read_csv(path)


def test_the_profile_is_the_published_table() -> None:
    scenario = camera()
    published = {
        (SEGMENTS[row.block], row.pe): round(row.time_ms * MS)
        for row in table("measurements/ee_resnet18_blocks.csv").itertuples()
    }
    shipped = {(segment, pe): time for segment, row in scenario.profile.times.items() for pe, time in row.items()}
    assert shipped == published


def test_the_exit_counts_are_the_published_ones() -> None:
    published = table("measurements/ee_resnet18_exits.csv").sort_values("exit")["n_samples_exited"]
    exits = camera().spec.stream.exits
    assert isinstance(exits, ExitCounts)
    assert exits.counts == COUNTS == tuple(published)


def test_kernels_and_bytes_are_counted_from_the_layers() -> None:
    layers = table("models/ee_models_layers.csv").query("model == 'ResNet18_EE'")
    segments = {segment.name: segment for segment in camera().network.segments}
    for name, rows in layers.groupby(layers["segment"].map(SEGMENTS)):
        segment = segments.pop(str(name))
        assert segment.kernels == len(rows)
        # The output of an exit's last task, which only looks at the softmax, has no bytes of its own.
        assert segment.output == rows.loc[rows["out_bytes"] > 0, "out_bytes"].iloc[-1]
    assert not segments
