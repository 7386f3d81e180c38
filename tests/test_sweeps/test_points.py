"""Points that share what they have in common are the points that they would be by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eesim.errors import InputError
from eesim.evaluate import Scratch, measure, run
from eesim.overrides import Override, steps_of
from eesim.plan.lower import Lowered, lower
from eesim.scenario.load import Scenario, apply_changes, load, resolve
from eesim.sweeps.keys import Keys
from eesim.sweeps.points import Base, Changes, Plans, Sections
from eesim.sweeps.study import load_study
from tests.scenarios import CAMERA

SCENARIOS = CAMERA.parent
STUDIES = [path for path in sorted((SCENARIOS / "studies").glob("*.yaml")) if "\ndesign:" in path.read_text()]


def changes_of(point: Any) -> Changes:
    return tuple((setting.path, setting.value) for setting in point)


def fresh(base: Base, changes: Changes) -> Scenario:
    """The scenario of a point by itself: nothing is shared."""
    overrides = [Override(steps_of(path), value) for path, value in changes]
    return resolve(apply_changes(base.document, overrides), base.beside)


def assert_same(shared: Scenario, alone: Scenario) -> None:
    for name in ("board", "network", "profile", "mapping", "policy", "notes", "documents", "files", "names", "number"):
        assert getattr(shared, name) == getattr(alone, name), name
    assert shared.spec == alone.spec
    assert repr(shared.traces) == repr(alone.traces)
    assert Keys().key(shared) == Keys().key(alone)
    assert len(shared.members) == len(alone.members)
    for ours, theirs in zip(shared.members, alone.members, strict=True):
        assert_same(ours, theirs)


def assert_same_plan(ours: Lowered, theirs: Lowered) -> None:
    for name, a, b in zip(ours.plan._fields, ours.plan, theirs.plan, strict=True):
        np.testing.assert_array_equal(a, b, name)
    assert ours.labels == theirs.labels
    np.testing.assert_array_equal(ours.exit_of, theirs.exit_of)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_points_of_the_shipped_studies(path: Path) -> None:
    study = load_study(path)
    sections, plans = Sections(study.base), Plans()
    size = study.design.size
    for point in sorted({*range(0, size, max(size // 12, 1)), size - 1}):
        changes = changes_of(study.design.at(point))
        shared, alone = sections.scenario(changes), fresh(study.base, changes)
        assert_same(shared, alone)
        assert_same_plan(plans.lower(shared), lower(alone))


def two_cameras() -> Base:
    return Base(load(SCENARIOS / "two_cameras.yaml").document, SCENARIOS)


CAMERA_BASE = Base(load(CAMERA).document, CAMERA.parent)
ADAPTIVE = Base(load(SCENARIOS / "adaptive_exits.yaml").document, SCENARIOS)
CONFIDENCES = Base(load(SCENARIOS / "digits_psoc6.yaml").document, SCENARIOS)

RATE, POISSON = "stream.arrivals.rate", {"kind": "poisson", "rate": "20 Hz"}
MIXED: list[Changes] = [
    ((RATE, "10 Hz"),),
    ((RATE, "20 Hz"), ("mapping.segments", "GGGGGGG")),
    ((RATE, "20 Hz"),),
    (("stream.arrivals", POISSON),),
    (("stream.arrivals", POISSON), (RATE, "30 Hz")),
    (("requirements", {}),),
    (("requirements.p99_latency", "1 ms"), ("run.seed", 7)),
    (("physics.contention", False),),
    (("physics.dvfs_delay", False), (RATE, "10 Hz")),
    (("board.pes.G.host", "L"),),
    (("board", "rk3399pro"),),
    (("network", {"extends": "ee_resnet18", "input": "1 kB"}), (RATE, "10 Hz")),
    (("policy", "sequential"),),
    (("policy", "sequential"), ("policy.dispatch", "fifo")),
    (("title", "another"),),
    (("run.frames", 50), ("run.replications", 2)),
    (),
    (("mapping.opp", {"B": "1416 MHz"}), ("stream.exits.accuracy", [0.9, 0.9, 0.9, 0.9])),
    (("stream.noise", {"kind": "lognormal", "cv": 0.1}),),
    ((RATE, "10 Hz"),),
]


@pytest.mark.parametrize("order", [1, -1])
def test_points_that_change_any_section_in_any_order(order: int) -> None:
    sections, plans = Sections(CAMERA_BASE), Plans()
    for changes in MIXED[::order]:
        shared, alone = sections.scenario(changes), fresh(CAMERA_BASE, changes)
        assert_same(shared, alone)
        assert_same_plan(plans.lower(shared), lower(alone))


WRONG: list[Changes] = [
    ((RATE, "10 m"),),
    ((RATE, "10 Hz"), ("mapping.segments", "XGLGLGL")),
    (("stream.exits.counts", [1, 2]),),
    (("stream.arivals.rate", "10 Hz"),),
    (("policy", "coup-switch"), ("policy.speculation", "blocking")),
    (("requirements.accuracy", "99 %"), ("stream.exits", {"kind": "fixed", "exit": 1})),
    (("stream.exits", {"kind": "fixed", "exit": 9}),),
    (("board", "rk3398"),),
]


@pytest.mark.parametrize("changes", WRONG, ids=str)
@pytest.mark.parametrize("comes_first", [True, False])
def test_what_is_wrong_is_said_as_without_sharing(changes: Changes, comes_first: bool) -> None:
    sections = Sections(CAMERA_BASE)
    if not comes_first:
        for good in MIXED[:4]:
            sections.scenario(good)
    with pytest.raises(InputError) as alone:
        fresh(CAMERA_BASE, changes)
    with pytest.raises(InputError) as shared:
        sections.scenario(changes)
    assert shared.value.problems == alone.value.problems
    assert_same(sections.scenario(MIXED[0]), fresh(CAMERA_BASE, MIXED[0]))


def test_several_streams_share_nothing_that_is_not_theirs() -> None:
    base = two_cameras()
    sections, plans = Sections(base), Plans()
    for changes in (
        (("streams.1.mapping.segments", "LLLLLLL"),),
        (("streams.1.priority", 3),),
        (("mapping.opp.L", "1008 MHz"),),
        (),
    ):
        shared, alone = sections.scenario(changes), fresh(base, changes)
        assert_same(shared, alone)
        assert_same_plan(plans.lower(shared), lower(alone))


# -- measuring ----------------------------------------------------------------------------------------------

BURSTS = {
    "kind": "mmpp",
    "states": {"calm": {"rate": "9 Hz", "dwell": "2 s"}, "fast": {"rate": "90 Hz", "dwell": "1 s"}},
}
EASY, HARD = [0.8, 0.1, 0.05, 0.05], [0.1, 0.2, 0.3, 0.4]
REMEMBER: list[dict[str, Any]] = [
    {"kind": "correlated", "counts": [8221, 1015, 476, 288], "correlation_time": "2 s"},
    {
        "kind": "regimes",
        "regimes": {"day": {"shares": EASY, "dwell": "2 s"}, "night": {"shares": HARD, "dwell": "1 s"}},
    },
    {"kind": "schedule", "points": [{"at": "0 s", "shares": EASY}, {"at": "4 s", "shares": HARD}]},
]
LATER = [*MIXED, (("policy.queue", {"capacity": 1, "full": "drop_newest"}), (RATE, "120 Hz"))]
CASES = [
    *((CAMERA_BASE, changes) for changes in LATER),
    *((ADAPTIVE, ((RATE, rate),)) for rate in ("10 Hz", "45 Hz")),
    *((CONFIDENCES, (("mapping.thresholds", level), ("stream.arrivals", POISSON))) for level in (0.5, 0.9)),
    *((two_cameras(), (("streams.1.mapping.segments", order),)) for order in ("LLLLLLL", "GGGGGGG")),
    # Streams that remember, and streams that depend on instants.
    *((CAMERA_BASE, (("stream.exits", exits), (RATE, rate))) for exits in REMEMBER for rate in ("10 Hz", "30 Hz")),
    (CAMERA_BASE, (("stream.arrivals", BURSTS), ("stream.exits", REMEMBER[1]))),
]


def test_measuring_with_memory_that_is_used_again_finds_what_a_run_finds() -> None:
    scratch, sections, plans = Scratch(), {}, Plans()
    for base, changes in [*CASES, *CASES[::-1]]:
        of = sections.setdefault(id(base), (Sections(base), base))[0]
        few = ("run.frames", 400), ("run.replications", 2 if len(changes) == 1 else 1)
        scenario = of.scenario((*(one for one in changes if not one[0].startswith("run.")), *few))
        found, expected = measure(scenario, plans.lower(scenario), scratch), run(scenario)
        # As text: nan is nan.
        assert repr(found.estimates) == repr(expected.estimates), changes
        assert repr(found.replications) == repr(expected.replications)
        assert found.notes == expected.notes
        assert repr(found.verdicts) == repr(expected.verdicts)
        assert repr(found.bounds) == repr(expected.bounds)
