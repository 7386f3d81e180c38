"""Streams with memory in whole scenarios: checks, notes, words, both engines, the search, the same bytes everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eesim
from eesim.cli.main import main
from eesim.errors import InputError
from eesim.scenario.stream_checks import memory_frames
from tests.scenarios import CAMERA, COUNTS, MS

CORRELATED = {"kind": "correlated", "counts": list(COUNTS), "autocorrelation": 0.9}
REGIMES = {
    "kind": "regimes",
    "regimes": {
        "day": {"shares": [0.9, 0.06, 0.02, 0.02], "dwell": "2 s"},
        "night": {"shares": [0.5, 0.2, 0.1, 0.2], "dwell": ["1 s", "3 s"]},
    },
}
SCHEDULE = {
    "kind": "schedule",
    "points": [{"at": "0 s", "shares": [1, 0, 0, 0]}, {"at": "5 s", "shares": [0.5, 0.2, 0.1, 0.2]}],
    "period": "10 s",
}
BURSTY = {
    "kind": "mmpp",
    "states": {"calm": {"rate": "20 fps", "dwell": "2 s"}, "burst": {"rate": "90 fps", "dwell": "500 ms"}},
}
ON_OFF = {"kind": "on_off", "rate": "60 fps", "on": "2 s", "off": "1 s"}
RATES = {
    "kind": "schedule",
    "points": [{"at": "0 s", "rate": "10 fps"}, {"at": "5 s", "rate": "70 fps"}],
    "period": "9 s",
}
TWO_CAMERAS = {
    "kind": "superposed",
    "sources": [{"kind": "periodic", "rate": "25 fps"}, {"kind": "periodic", "rate": "15 fps", "phase": "7 ms"}],
}
STREAMS = [(BURSTY, CORRELATED), (ON_OFF, REGIMES), (RATES, SCHEDULE), (TWO_CAMERAS, CORRELATED)]
SHORT = {"run": {"frames": 400, "replications": 2, "seed": 1}, "requirements": {}}


def load(arrivals: Any = None, exits: Any = None, **more: Any) -> Any:
    changes = {"stream.arrivals": arrivals, "stream.exits": exits, **more}
    return eesim.load(CAMERA, {key: value for key, value in changes.items() if value is not None})


def problems(**changes: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(**changes)
    return [str(problem) for problem in caught.value.problems]


# -- engines, replications, search ---------------------------------------------------------------------------


@pytest.mark.parametrize(("arrivals", "exits"), STREAMS, ids=lambda part: part["kind"])
def test_both_engines_say_the_same(arrivals: Any, exits: Any) -> None:
    scenario = load(arrivals, exits, **SHORT)
    compiled = eesim.run(scenario, log_frames=100)
    reference = eesim.run(scenario, engine="reference", log_frames=100)
    assert compiled.log is not None
    assert np.array_equal(compiled.log, reference.log)  # type: ignore[arg-type]
    assert compiled.to_dict() | {"engine": ""} == reference.to_dict() | {"engine": ""}
    assert compiled.frames().equals(reference.frames())
    # Replications differ.
    frames = compiled.frames()
    first, second = (frames[frames["replication"] == r] for r in (0, 1))
    assert first["exit"].tolist() != second["exit"].tolist()


def test_frames_know_their_source() -> None:
    frames = eesim.run(load(TWO_CAMERAS, CORRELATED, **SHORT)).frames()
    for source, rate, phase in ((0, 25, 0), (1, 15, 7 * MS)):
        mine = frames[(frames["source"] == source) & (frames["replication"] == 1)]["arrival_ns"].to_numpy()
        assert mine.tolist() == [k * 10**9 // rate + phase for k in range(len(mine))]
    assert "source" not in eesim.run(load(None, CORRELATED, **SHORT)).frames().columns


def test_shares_are_the_same_whatever_the_correlation() -> None:
    for lag_1 in (0.0, 0.99):
        run = {"frames": 10_000, "replications": 1, "warmup": "none", "seed": 3}
        result = eesim.run(load(None, CORRELATED | {"autocorrelation": lag_1}, run=run))
        shares = [result.value(f"exit_share.{name}") for name in ("exit1", "exit2", "exit3", "final")]
        assert shares == [count / 10_000 for count in COUNTS]


@pytest.mark.parametrize(("arrivals", "exits"), STREAMS, ids=lambda part: part["kind"])
def test_the_search_sees_the_same_frames(arrivals: Any, exits: Any) -> None:
    explore = {"segments": ["B", "L", "G"], "algorithm": "random", "evaluations": 50, "frames": 400}
    scenario = load(arrivals, exits, explore=explore, run={"frames": 400, "warmup": "none", "seed": 1}, requirements={})
    found = eesim.explore(scenario, confirm=False)
    best = found.describe()
    again = load(arrivals, exits, **(SHORT | {"mapping.segments": best["mapping"]}))
    run = {"frames": 400, "replications": 1, "warmup": "none", "seed": 1}
    alone = eesim.run(load(arrivals, exits, run=run, requirements={}, **{"mapping.segments": best["mapping"]}))
    assert again.mapping.order == best["mapping"]
    assert best["mean_latency"] == pytest.approx(alone.value("latency_ms.mean"), rel=1e-9)


def test_where_frames_never_meet_only_shares_matter_to_the_search() -> None:
    explore = {"segments": ["B", "L", "G"], "constraints": {"worst_latency": "40 ms"}}
    slow = {"kind": "periodic", "rate": "2 fps"}
    found = [
        eesim.explore(load(slow, exits, explore=explore, requirements={}), confirm=False).describe()
        for exits in (CORRELATED, {"kind": "counts", "counts": list(COUNTS)})
    ]
    assert found[0] == found[1]


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    code = f"""
import hashlib, eesim
for arrivals, exits in {STREAMS!r}:
    scenario = eesim.load({str(CAMERA)!r}, {{"stream.arrivals": arrivals, "stream.exits": exits}})
    for block in scenario.stream.blocks(3000, seed=5, replication=1):
        print(hashlib.sha256(block.arrival_ns.tobytes() + block.exit.tobytes() + block.source.tobytes()).hexdigest())
"""
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    ]
    assert told[0] == told[1]
    assert len(set(told[0].split())) == len(STREAMS)


# -- what is wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exits", "expected"),
    [
        (CORRELATED | {"counts": [1, 2]}, "stream.exits.counts: has 2 entries, but"),
        (
            {
                "kind": "regimes",
                "regimes": {"a": {"shares": [1], "dwell": 2}, "b": {"shares": [0, 0, 0, 1], "dwell": 2}},
            },
            "stream.exits.regimes.a.shares: has 1 entry, but",
        ),
        (
            {"kind": "schedule", "points": [{"at": "0 s", "shares": [0.5, 0.5]}]},
            "stream.exits.points.0.shares: has 2 entries, but",
        ),
        (CORRELATED | {"accuracy": [1]}, "stream.exits.accuracy: has 1 entry, but"),
    ],
)
def test_exits_must_fit_the_network(exits: dict[str, Any], expected: str) -> None:
    (found,) = problems(exits=exits)
    assert expected in found
    assert "4 exits (exit1, exit2, exit3, final)" in found


@pytest.mark.parametrize(
    ("exits", "expected"),
    [
        (SCHEDULE, "stream.exits.kind: a schedule needs instants of arrival"),
        (REGIMES, "stream.exits.regimes.day.dwell: a time needs instants of arrival"),
        (
            {"kind": "correlated", "counts": list(COUNTS), "correlation_time": "1 s"},
            "stream.exits.correlation_time: needs a rate of arrivals",
        ),
    ],
)
def test_a_closed_loop_knows_no_instants_beforehand(exits: dict[str, Any], expected: str) -> None:
    (found,) = problems(arrivals={"kind": "closed_loop"}, exits=exits, requirements={})
    assert expected in found


def test_a_closed_loop_takes_what_is_counted_in_frames() -> None:
    regimes = {name: regime | {"dwell": 20} for name, regime in REGIMES["regimes"].items()}  # type: ignore[attr-defined]
    for exits in (CORRELATED, REGIMES | {"regimes": regimes}):
        assert eesim.run(load({"kind": "closed_loop"}, exits, **SHORT)).value("latency_ms.mean")


def test_a_correlation_time_needs_a_trace_that_takes_time(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("arrival_ms\n5\n5\n", encoding="utf-8")
    arrivals = {"kind": "trace", "path": str(tmp_path / "a.csv")}
    exits = {"kind": "correlated", "counts": list(COUNTS), "correlation_time": "1 s"}
    (found,) = problems(arrivals=arrivals, exits=exits, **{"run.frames": 2})
    assert "correlation_time: needs a rate of arrivals, but the trace spans no time" in found


def test_typing_errors_are_found_at_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "stream.exits={kind: correlated, counts: [8222, 1015, 294, 469], autocorrelaton: 0.9}"
    assert main(["check", str(CAMERA), "--set", wrong]) == 2
    told = capsys.readouterr()
    text = told.out + told.err
    assert "stream.exits.autocorrelaton: unknown key (did you mean autocorrelation?)" in text
    assert main(["check", str(CAMERA), "--set", "stream.arrivals={kind: mmp, states: {}}"]) == 2
    told = capsys.readouterr()
    assert "(did you mean mmpp?)" in told.out + told.err


# -- what is said --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrivals", "exits", "words"),
    [
        (
            BURSTY,
            CORRELATED,
            ["34 fps on average (Markov-modulated Poisson: calm 20 fps for", "autocorrelation 0.9 from"],
        ),
        (
            ON_OFF,
            REGIMES,
            ["evenly spaced at 60 fps while on", "40 fps on average", "day 50 %, night 50 % of the stream"],
        ),
        (RATES, SCHEDULE, ["follows 2 points every", "40 fps on average", "shares that follow 2 points every"]),
        (TWO_CAMERAS, CORRELATED, ["2 sources in one stream: a frame every 40", "(25 fps) + a frame every"]),
    ],
    ids=lambda part: part["kind"] if isinstance(part, dict) else "",
)
def test_show_says_it_in_words(arrivals: Any, exits: Any, words: list[str]) -> None:
    from eesim.report.words import stream_words

    told = stream_words(load(arrivals, exits))
    for part in words:
        assert part in told


def test_overload_is_seen_by_the_mean_rate() -> None:
    fast = {"kind": "on_off", "rate": "400 fps", "on": "1 s", "off": "1 s", "phases": "fixed"}
    (note,) = (text for text in eesim.run(load(fast, CORRELATED, **SHORT)).notes if "overload" in text)
    assert "200 frames per second arrive" in note


def test_long_correlation_is_noted() -> None:
    short, long = (load(None, CORRELATED | {"autocorrelation": r}).notes for r in (0.9, 0.999))
    (note,) = set(long) - set(short)
    assert "correlated over about 1,999 frames, but every pass of 10,000" in note


def test_one_replication_of_a_stream_with_memory_is_noted() -> None:
    run = {"frames": 3000, "replications": 1, "seed": 1}
    notes = eesim.run(load(None, CORRELATED, run=run)).notes
    assert any("batches of 150 frames" in note and "alike over about 19;" in note for note in notes)
    assert not any("batches" in note for note in eesim.run(load(None, CORRELATED, run=run | {"replications": 2})).notes)
    plain = {"kind": "counts", "counts": list(COUNTS)}
    assert not any("batches" in note for note in eesim.run(load(None, plain, run=run | {"frames": 100})).notes)


def test_memory_is_that_of_the_slowest_part() -> None:
    def memory(arrivals: Any, exits: Any) -> float:
        scenario = load(arrivals, exits)
        return memory_frames(scenario.spec.stream, scenario.traces)

    counts = {"kind": "counts", "counts": list(COUNTS)}
    assert memory(None, counts) == 1
    assert memory(None, CORRELATED) == pytest.approx(19)
    assert memory(None, REGIMES) == pytest.approx(60)
    assert memory(ON_OFF, counts) == pytest.approx(120)
    assert memory(BURSTY, counts) == pytest.approx(68)
    assert memory({"kind": "superposed", "sources": [ON_OFF, {"kind": "periodic", "rate": "10 fps"}]}, counts) == 150
