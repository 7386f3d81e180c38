"""The evaluator: the same numbers whatever is kept, whichever engine, however many threads."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import eesim
from eesim.errors import InputError, SimulationDeadlock
from eesim.metrics.result import Result
from eesim.plan.plan import RECORD_COLUMNS, EventKind
from eesim.scenario.load import Scenario
from tests.scenarios import (
    FAR_APART,
    MS,
    board_data,
    camera,
    everywhere,
    network_data,
    scenario_of,
    scenarios,
)

SMALL = {"run.frames": 700, "run.replications": 3}
BUSY = {
    **SMALL,
    "stream.arrivals": {"kind": "poisson", "rate": "70 Hz"},
    "stream.noise": {"kind": "lognormal", "cv": 0.2},
    "policy.queue": {"capacity": 3, "full": "drop_oldest"},
    "policy.frames_in_flight": 3,
}
WARMUPS = ["auto", "none", 100]


def told(result: Result) -> dict[str, Any]:
    """Everything that a result says about its scenario."""
    data = result.to_dict()
    return {key: value for key, value in data.items() if key != "engine"}


def records(result: Result) -> list[Any]:
    assert result.records is not None
    return [part.tolist() for part in result.records]


# -- what is kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replications", [1, 3])
@pytest.mark.parametrize("warmup", WARMUPS)
def test_keeping_frames_does_not_change_any_number(warmup: Any, replications: int) -> None:
    scenario = camera({**BUSY, "run.warmup": warmup, "run.replications": replications})
    assert told(eesim.run(scenario, keep_frames=True)) == told(eesim.run(scenario, keep_frames=False))


def test_frames_are_kept_unless_there_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = camera(SMALL)
    assert eesim.run(scenario).records is not None
    monkeypatch.setattr("eesim.evaluate.KEEP_FRAMES_UP_TO", 3 * 700 - 1)
    assert eesim.run(scenario).records is None
    assert eesim.run(scenario, replications=2).records is not None


def one_segment(frames: int) -> Scenario:
    stream = {
        "arrivals": {"kind": "poisson", "rate": "500 Hz"},
        "exits": {"kind": "fixed", "exit": 1},
        "noise": {"kind": "exponential"},
    }
    run = {"frames": frames, "replications": 1, "warmup": "auto"}
    network = network_data({"name": "all", "exit": "final"})
    return scenario_of(board_data("B"), network, {"all": {"B": "1 ms"}}, "B", stream=stream, run=run)


def peak_of(scenario: Scenario, *, keep_frames: bool) -> int:
    """Most bytes that Python and numpy held at a time."""
    gc.collect()
    tracemalloc.start()
    eesim.run(scenario, keep_frames=keep_frames)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.slow
def test_memory_does_not_grow_with_the_run_unless_frames_are_kept() -> None:
    eesim.run(one_segment(10))
    few, many = (peak_of(one_segment(frames), keep_frames=False) for frames in (1_500_000, 3_000_000))
    # The records of 3 x 10^6 frames are 288 MB; only the chunks of a run grow with it, to 65,536 frames.
    records = 3_000_000 * len(RECORD_COLUMNS) * 8
    assert many < 0.45 * records
    assert many < 1.4 * few
    assert peak_of(one_segment(3_000_000), keep_frames=True) > records


def test_more_values_than_are_kept_are_said_to_be_inexact(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = one_segment(5000)
    exact = eesim.run(scenario)
    assert not any("quantiles" in note for note in exact.notes)
    # Runs that are longer than the pilot count as they go.
    monkeypatch.setattr("eesim.metrics.observe.PILOT_FRAMES", 1000)
    monkeypatch.setattr("eesim.metrics.tally.Histogram", _small_histogram())
    binned = eesim.run(scenario)
    assert any("quantiles are read from bins" in note for note in binned.notes)
    for name in ("p50", "p90", "p95", "p99"):
        assert binned.value(f"latency_ms.{name}") == pytest.approx(exact.value(f"latency_ms.{name}"), rel=0.0005)
    assert binned.value("latency_ms.mean") == exact.value("latency_ms.mean")
    assert binned.value("latency_ms.max") == exact.value("latency_ms.max")


def _small_histogram() -> Any:
    from eesim.metrics.histogram import Histogram

    return lambda _limit: Histogram(1000)


# -- seeds and replications ---------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_result() -> None:
    a, b = (eesim.run(camera(BUSY)) for _ in range(2))
    assert a.to_dict() == b.to_dict()
    assert records(a) == records(b)


def test_another_seed_gives_another_result() -> None:
    a, b = eesim.run(camera(BUSY)), eesim.run(camera(BUSY), seed=2)
    assert (a.seed, b.seed) == (1, 2)
    assert a.to_dict()["seed"] == a.provenance["seed"] == 1
    assert a.value("latency_ms.mean") != b.value("latency_ms.mean")
    assert records(eesim.run(camera({**BUSY, "run.seed": 2}))) == records(b)


def test_replications_see_different_frames() -> None:
    parts = records(eesim.run(camera(BUSY)))
    assert len({str(part) for part in parts}) == len(parts) == 3


def test_more_replications_begin_with_the_same_ones() -> None:
    few, many = eesim.run(camera(BUSY), replications=2), eesim.run(camera(BUSY), replications=4)
    assert records(many)[:2] == records(few)


def test_two_mappings_see_the_same_frames() -> None:
    a, b = (eesim.run(camera({**SMALL, "mapping.segments": order})).frames() for order in ("BGLGLGL", "GGGGGGG"))
    assert a["arrival_ns"].tolist() == b["arrival_ns"].tolist()
    assert a["exit"].tolist() == b["exit"].tolist()
    assert a["finish_ns"].tolist() != b["finish_ns"].tolist()


def test_every_replication_uses_the_same_rows_of_a_trace(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("arrival_ms\n" + "".join(f"{40 * k + k % 7}\n" for k in range(100)))
    trace = {"stream.arrivals": {"kind": "trace", "path": str(tmp_path / "a.csv")}, "run.frames": 100}
    first, second = records(eesim.run(camera({**BUSY, **trace}), replications=2))
    assert [row[1] for row in first] == [row[1] for row in second]
    # Exits and noise are drawn anew.
    assert [row[2] for row in first] != [row[2] for row in second]


@pytest.mark.parametrize("cores", [1, 2, 16, None])
def test_the_number_of_threads_does_not_matter(cores: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = camera({**BUSY, "run.replications": 5})
    expected = eesim.run(scenario)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    found = eesim.run(scenario)
    assert found.to_dict() == expected.to_dict()
    assert records(found) == records(expected)


def test_threads_are_used_where_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[int] = set()
    barrier = threading.Barrier(2, timeout=20)

    def progress(_: int) -> None:
        if threading.get_ident() not in used:
            used.add(threading.get_ident())
            barrier.wait()

    monkeypatch.setattr("os.cpu_count", lambda: 2)
    eesim.run(camera({**SMALL, "run.replications": 2}), progress=progress)
    assert len(used) == 2
    assert threading.get_ident() not in used


def test_progress_counts_every_frame() -> None:
    for engine in ("compiled", "reference"):
        seen: list[int] = []
        eesim.run(camera({**SMALL, "run.frames": 100}), engine=engine, progress=seen.append)  # type: ignore[arg-type]
        assert sum(seen) == 3 * 100


# -- engines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["cooperative", "sequential", "coup-switch", "coup-pipeline"])
@pytest.mark.parametrize("warmup", ["auto", 33])
def test_both_engines_give_the_same_estimates(policy: str, warmup: Any) -> None:
    overrides = {**BUSY, "policy": policy, "run": {"frames": 150, "replications": 2, "warmup": warmup}}
    scenario = camera(overrides)
    compiled, reference = (eesim.run(scenario, engine=engine, log_frames=20) for engine in ("compiled", "reference"))
    assert compiled.engine == "compiled"
    assert reference.engine == "reference"
    assert told(compiled) == told(reference)
    assert records(compiled) == records(reference)
    assert np.array_equal(compiled.log, reference.log)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(scenarios())
def test_both_engines_give_the_same_estimates_of_anything(scenario: Scenario) -> None:
    compiled, reference = (eesim.run(scenario, engine=engine) for engine in ("compiled", "reference"))
    assert told(compiled) == told(reference)


def test_very_long_services_with_noise_are_the_same_in_both_engines() -> None:
    # 2,000 s x 5 in parts per million are more than 64 bits hold: both engines are right, or the input is refused.
    stream = {
        "arrivals": {"kind": "periodic", "period": "9000 s"},
        "exits": {"kind": "fixed", "exit": 1},
        "noise": {"kind": "exponential"},
    }
    network = network_data({"name": "all", "exit": "final"})
    run = {"frames": 200, "warmup": "none", "replications": 1}
    try:
        scenario = scenario_of(board_data("B"), network, {"all": {"B": "2000 s"}}, "B", stream=stream, run=run)
        compiled, reference = (eesim.run(scenario, engine=engine) for engine in ("compiled", "reference"))
    except InputError:
        return
    assert told(compiled) == told(reference)


def test_an_engine_that_does_not_exist_is_no_engine() -> None:
    with pytest.raises((ValueError, KeyError)):
        eesim.run(camera({**SMALL, "run.frames": 1}), engine="fast")  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_the_first_confident_exit_answers_without_waiting_for_slower_ones(engine: Any, tmp_path: Path) -> None:
    # BLBGLGL: exit 2 is known after b1, b2 on B and e2 on G; exit 1, after b1 and e1 on L, a little later.
    exit1, exit2 = 8.09 + 11.63, 8.09 + 6.60 + 4.04
    assert exit2 < exit1
    rows = ["exit,confident_1,confident_2,confident_3,confident_4", "1,1,1,1,1", "2,0,1,0,1", "1,1,0,0,1"]
    (tmp_path / "e.csv").write_text("\n".join(rows))
    overrides = {
        **FAR_APART,
        "mapping.segments": "BLBGLGL",
        "stream.exits": {"kind": "trace", "path": str(tmp_path / "e.csv")},
        "run.frames": 3,
    }

    def answers(order: str) -> list[tuple[int, float]]:
        frames = eesim.run(camera({**overrides, "policy.exit_order": order}), engine=engine).frames()
        latency = (frames["finish_ns"].astype("int64") - frames["arrival_ns"]) / MS
        return list(zip(frames["exit"].tolist(), latency.tolist(), strict=True))

    assert answers("first_confident") == [(2, exit2), (2, exit2), (1, exit1)]
    # In order, exit 2 counts once exit 1 has declined.
    assert answers("in_order") == [(1, exit1), (2, exit1), (1, exit1)]


# -- the event log ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize("frames", [1, 2, 57, 199, 200])
def test_the_log_of_some_frames_is_the_beginning_of_the_whole_log(engine: Any, frames: int) -> None:
    scenario = camera({**BUSY, "run.frames": 200})
    whole, part = (eesim.run(scenario, engine=engine, log_frames=n).log for n in (200, frames))
    assert whole is not None
    assert part is not None
    assert np.array_equal(part, whole[: len(part)])
    assert (part[:, 1] == EventKind.ARRIVE).sum() == frames
    if frames == 200:
        # To the very end: every frame that was let in has left.
        assert (part[:, 1] == EventKind.LEAVE).sum() == (part[:, 1] == EventKind.ADMIT).sum() > 0


def test_logging_more_frames_than_there_are_is_logging_all() -> None:
    scenario = camera({**BUSY, "run.frames": 50})
    all_of_them, more = (eesim.run(scenario, log_frames=n).log for n in (50, 10**6))
    assert np.array_equal(all_of_them, more)  # type: ignore[arg-type]


def test_a_log_changes_nothing_else() -> None:
    scenario = camera(BUSY)
    assert told(eesim.run(scenario)) == told(eesim.run(scenario, log_frames=30))
    assert eesim.run(scenario).log is None


# -- what the reader should know ----------------------------------------------------------------------------


def test_overload_is_noted_with_its_bottleneck() -> None:
    notes = eesim.run(camera({**SMALL, "stream.arrivals.rate": "200 Hz"})).notes
    (note,) = [note for note in notes if note.startswith("overload")]
    # B has 8.09 ms of work for every frame, and more for the copies that it sends.
    assert "200 frames per second arrive, but B can serve at most" in note
    assert not any(note.startswith("overload") for note in eesim.run(camera(SMALL)).notes)


def test_overload_by_the_gate_is_noted() -> None:
    # No PE is full, but one frame at a time takes 50.39 ms, and one comes every 33 ms.
    gated = {"mapping.segments": "BBGGLLB", "policy": "coup-switch"}
    assert any(note.startswith("overload") for note in eesim.run(camera({**SMALL, **gated})).notes)


@pytest.mark.parametrize(
    "arrivals", [{"kind": "periodic", "rate": "20 Hz", "jitter": "40 ms"}, {"kind": "poisson", "rate": "20 Hz"}]
)
@pytest.mark.parametrize("frames", [2, 20, 60, 1000])
def test_a_light_load_is_never_called_overload(arrivals: dict[str, str], frames: int) -> None:
    # Chance makes any finite stream slower or faster than its rate.
    scenario = camera({"run.frames": frames, "run.replications": 1, "stream.arrivals": arrivals})
    notes = [note for seed in range(10) for note in eesim.run(scenario, seed=seed).notes]
    assert [note for note in notes if note.startswith("overload")] == []


@pytest.mark.parametrize("policy", ["cooperative", "coup-switch"])
def test_a_closed_loop_is_never_overloaded(policy: str) -> None:
    overrides = {**FAR_APART, "run.frames": 200, "policy": policy, "stream.arrivals": {"kind": "closed_loop"}}
    result = eesim.run(camera({**overrides, "mapping.segments": "BBGGLLB"}))
    assert not any("overload" in note for note in result.notes)
    # One frame after the other: latency does not grow, and a frame comes when the one before has left.
    frames = result.frames()
    assert frames["arrival_ns"].is_monotonic_increasing
    latency = frames["finish_ns"].astype("int64") - frames["arrival_ns"]
    assert latency[:100].max() == latency[100:].max()


def test_a_run_that_does_not_settle_is_noted() -> None:
    # A few percent too much: latency grows for ever.
    growing = {"stream.arrivals": {"kind": "periodic", "rate": "130 Hz"}, "stream.exits": {"kind": "fixed", "exit": 1}}
    assert any("no steady state" in note for note in eesim.run(camera({**SMALL, **growing})).notes)


def test_a_constant_run_is_steady() -> None:
    # Only the first frame differs: it finds L at another clock.
    constant = {
        **FAR_APART,
        "mapping.opp": {"b2": "408 MHz", "b3": "408 MHz", "b4": "408 MHz"},
        "stream.exits": {"kind": "fixed", "exit": 4},
        "run": {"frames": 1000, "warmup": "auto", "replications": 1},
    }
    result = eesim.run(camera(constant))
    frames = result.frames()
    latency = frames["finish_ns"].astype("int64") - frames["arrival_ns"]
    assert latency.nunique() == 2
    assert (latency.iloc[1:] == latency.iloc[1]).all()
    assert not any("no steady state" in note for note in result.notes)
    # One batch of five, rounded up to a snapshot (every 1000 / 64 frames).
    assert result.to_dict()["warmup_frames"] <= 15


def test_a_deadlock_is_an_error_that_names_who_holds_what() -> None:
    # B sends to G and G to B, both without places to wait.
    board = board_data("BG", fixed="1 ms")
    network = network_data({"name": "b1"}, {"name": "b2"}, {"name": "b3", "exit": "final"})
    times = everywhere(board, {"b1": 1, "b2": 5, "b3": 5})
    scenario = scenario_of(
        board, network, times, "BGB",
        policy={"stage_queue": {"capacity": 0, "full": "block"}},
        stream={"arrivals": {"kind": "periodic", "period": "1 ms"}, "exits": {"kind": "fixed", "exit": 1}},
    )  # fmt: skip
    messages = []
    for engine in ("compiled", "reference"):
        with pytest.raises(SimulationDeadlock, match="deadlock") as caught:
            eesim.run(scenario, engine=engine)  # type: ignore[arg-type]
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


# -- provenance ---------------------------------------------------------------------------------------------


def test_equal_inputs_have_equal_hashes_and_others_have_others() -> None:
    def digest(overrides: dict[str, Any], **options: Any) -> str:
        found: str = eesim.run(camera({**SMALL, "run.frames": 5, **overrides}), **options).provenance["inputs_sha256"]
        return found

    same = digest({})
    assert digest({}) == digest({}, keep_frames=False) == same
    assert digest({}, engine="reference") == same
    others = [
        digest({}, seed=2),
        digest({}, replications=2),
        digest({"stream.arrivals.rate": "31 Hz"}),
        digest({"board.base_power.value": "1 W"}),
        digest({"network.input": "1 B"}),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_a_change_of_the_board_changes_the_hash_of_the_board_alone() -> None:
    plain = eesim.run(camera({**SMALL, "run.frames": 5})).provenance["parts_sha256"]
    other = eesim.run(camera({**SMALL, "run.frames": 5, "board.base_power.value": "1 W"})).provenance["parts_sha256"]
    assert {key for key in plain if plain[key] != other[key]} == {"board", "scenario"}


def test_traces_are_part_of_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    hashes = []
    for text in ("exit\n1\n2\n", "exit\n2\n1\n", "exit\n1\n2\n"):
        path.write_text(text)
        trace = {"stream.exits": {"kind": "trace", "path": str(path)}, "run.frames": 2}
        hashes.append(eesim.run(camera({**SMALL, **trace})).provenance["inputs_sha256"])
    assert hashes[0] == hashes[2] != hashes[1]
