"""Running studies: every point once, the same table whoever simulates, failures as rows, changes noticed."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import eesim
from eesim.errors import InputError
from eesim.sweeps import pipeline as pipeline_module
from eesim.sweeps import sweep as module
from eesim.sweeps.executors import Inline, Processes
from eesim.sweeps.keys import Keys
from eesim.sweeps.pipeline import Progress
from eesim.sweeps.sweep import Sweep
from eesim.sweeps.worker import Chunk, Context, Finished, Spent
from tests.scenarios import CAMERA
from tests.test_sweeps.studies import FEW, GRID, ORDERS, rows, stored, study, study_data

RATES = ["30 Hz", "60 Hz"]


def swept(
    folder: Path, design: dict[str, Any] | None = None, *, keys: dict[str, Any] | None = None, **options: Any
) -> Sweep:
    return eesim.sweep(study(design, **(keys or {})), folder, **{"workers": 1, **options})


def table_bytes(folder: Path) -> bytes:
    return (folder / "table.parquet").read_bytes()


# -- the table ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return swept(tmp_path_factory.mktemp("sweep") / "out")


def test_every_point_is_a_row_in_the_order_of_the_design(done: Sweep) -> None:
    found = rows(done.folder)
    assert [(r["stream.arrivals.rate"], r["mapping.segments"]) for r in found] == [
        (a, b) for a in RATES for b in ORDERS
    ]
    assert [r["point"] for r in found] == list(range(6))
    assert {r["status"] for r in found} == {"ok"}
    assert (done.points, done.done, done.failed, done.cached, done.simulated) == (6, 6, 0, 0, 6)


def test_a_row_says_what_a_run_says(done: Sweep) -> None:
    for row in rows(done.folder):
        changes = {name: row[name] for name in ("stream.arrivals.rate", "mapping.segments")}
        result = eesim.run(eesim.load(CAMERA, {**FEW, **changes}))
        for name, estimate in result.estimates.items():
            # Metrics that no point has are no columns.
            told = tuple(row.get(f"{name}{ending}") for ending in ("", ".ci_low", ".ci_high"))
            assert told == tuple(estimate), name
        assert row["notes"] == "; ".join(result.notes)
        assert row["warmup_frames"] == max(r.warmup_frames for r in result.replications)


def test_chosen_metrics_are_the_columns(tmp_path: Path, done: Sweep) -> None:
    found = swept(tmp_path / "out", keys={"metrics": ["utilisation.G", "latency_ms.p99"]}, store=done.store)
    names = found.table().column_names
    assert [name for name in names if name in ("utilisation.G", "latency_ms.p99", "latency_ms.mean")] == [
        "utilisation.G", "latency_ms.p99",
    ]  # fmt: skip
    # The store has all of them: nothing had to be simulated.
    assert (found.simulated, found.cached) == (0, 6)


def test_requirements_are_judged_point_by_point(tmp_path: Path) -> None:
    keys = {"set": {**FEW, "requirements": {"mean_latency": "17 ms"}}}
    found = {r["mapping.segments"]: r["requirements_met"] for r in rows(swept(tmp_path, keys=keys).folder)}
    assert found == {"BGLGLGL": True, "GGGGGGG": False, "BBBBBBB": False}


def test_progress_ends_with_everything(tmp_path: Path) -> None:
    seen: list[Progress] = []
    swept(tmp_path, progress=seen.append)
    assert (seen[-1].points, seen[-1].done, seen[-1].failed) == (6, 6, 0)
    assert seen[-1].seconds_left == 0


# -- never twice --------------------------------------------------------------------------------------------


def test_points_of_another_study_are_taken_from_a_shared_store(tmp_path: Path) -> None:
    store = tmp_path / "shared"
    swept(tmp_path / "a", store=store)
    # The same points, written otherwise: units, lists, presets, defaults.
    other = {
        "kind": "zip",
        "of": [
            {"kind": "list", "path": "mapping.segments", "values": [list(ORDERS[0]), ORDERS[1], ORDERS[2]]},
            {"kind": "list", "path": "stream.arrivals", "values": [
                {"kind": "periodic", "rate": "1800 /min", "jitter": "2000 us"},
                {"kind": "periodic", "period": "16 ms", "jitter": "2 ms"},
                {"kind": "periodic", "rate": "60 fps", "jitter": "2 ms", "phase": "0 s"},
            ]},
        ],
    }  # fmt: skip
    found = swept(tmp_path / "b", other, keys={"set": {**FEW, "policy": {"preset": "cooperative"}}}, store=store)
    assert (found.points, found.cached, found.simulated) == (3, 2, 1)
    assert len(stored(store)) == len(set(stored(store))) == 7


def test_equal_points_of_one_study_are_simulated_once(tmp_path: Path) -> None:
    found = swept(tmp_path, {"kind": "union", "of": [GRID, GRID]})
    assert (found.points, found.simulated, found.cached) == (12, 6, 6)
    listed = rows(tmp_path)
    assert [{**r, "point": 0} for r in listed[:6]] == [{**r, "point": 0} for r in listed[6:]]


@pytest.mark.parametrize(
    "change",
    [
        {"run.seed": 2}, {"run.frames": 301}, {"run.replications": 2}, {"run.warmup": "none"}, {"run.confidence": 0.9},
        {"stream.noise": {"kind": "lognormal", "cv": 0.1}}, {"physics.transfers": False}, {"board.pes.G.host": "L"},
        {"requirements": {"deadline": "40 ms"}}, {"policy.dispatch": "fifo"}, {"mapping.opp.B": "1416 MHz"},
        {"stream.exits.accuracy": [0.9, 0.9, 0.9, 0.9]}, {"network": {"extends": "ee_resnet18", "input": "1 kB"}},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_changes_a_result_changes_the_key(change: dict[str, Any]) -> None:
    keys = Keys()
    base = keys.key(eesim.load(CAMERA, FEW))
    assert keys.key(eesim.load(CAMERA, FEW)) == base
    assert keys.key(eesim.load(CAMERA, {**FEW, **change})) != base


@pytest.mark.parametrize(
    "change",
    [{"title": "another"}, {"mapping.segments": list("BGLGLGL")}, {"policy": "cooperative"}, {"run.seed": 1}],
    ids=str,
)
def test_what_is_only_written_otherwise_has_the_same_key(change: dict[str, Any]) -> None:
    assert Keys().key(eesim.load(CAMERA, {**FEW, **change})) == Keys().key(eesim.load(CAMERA, FEW))


def test_another_engine_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Keys().key(eesim.load(CAMERA, FEW))
    monkeypatch.setattr("eesim.sweeps.keys.engine_version", lambda: "other")
    assert Keys().key(eesim.load(CAMERA, FEW)) != before


# -- failures -----------------------------------------------------------------------------------------------

BLOCKED = {
    "kind": "grid",
    "axes": {
        "policy": ["cooperative", {"preset": "cooperative", "stage_queue": {"capacity": 0, "full": "block"}}],
        "stream.arrivals.rate": ["30 Hz", "90 Hz"],
    },
}


def test_a_failing_point_is_a_row_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    found = swept(tmp_path, BLOCKED)
    listed = rows(tmp_path)
    assert found.failed == 2
    assert [r["status"] for r in listed] == ["ok", "ok", "failed", "failed"]
    assert all("deadlock" in r["reason"] for r in listed[2:])
    assert all(r["latency_ms.p99"] is None for r in listed[2:])
    # It is an answer like any other: it is not simulated again.
    again = swept(tmp_path, BLOCKED, resume=True)
    assert (again.failed, again.simulated) == (2, 0)


def test_a_combination_that_is_no_scenario_is_a_row_too(tmp_path: Path) -> None:
    axes = {"policy": ["cooperative", "coup-switch"], "policy.speculation": ["parallel", "blocking"]}
    swept(tmp_path, {"kind": "grid", "axes": axes})
    listed = rows(tmp_path)
    assert [r["status"] for r in listed] == ["ok", "ok", "ok", "failed"]
    assert "policy.speculation: blocking" in listed[3]["reason"]
    assert listed[3]["key"] is None


class Deadly:
    """An executor whose worker dies of some points, and takes everything under way with it."""

    workers = 2

    def __init__(self, context: Context, poison: set[int]) -> None:
        self._inline = Inline(context)
        self._poison = poison
        self._waiting: list[Chunk] = []
        self.alone: list[int] = []

    def submit(self, chunk: Chunk) -> None:
        self._waiting.append(chunk)

    def finished(self, timeout_s: float) -> list[Finished]:
        chunk = self._waiting.pop(0)
        if self._poison & {task.point for task in chunk.tasks}:
            if len(chunk.tasks) == 1 and not self._waiting:
                self.alone.append(chunk.tasks[0].point)
            lost = [chunk, *self._waiting]
            self._waiting = []
            return [Finished(one, None, Spent(), "worker died") for one in lost]
        self._inline.submit(chunk)
        return self._inline.finished(timeout_s)

    def close(self) -> None:
        pass


def test_a_point_that_kills_its_worker_is_found_and_the_others_survive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Deadly] = []

    def deadly(context: Context, workers: int) -> Deadly:
        made.append(Deadly(context, {1, 4}))
        return made[-1]

    with monkeypatch.context() as patched:
        patched.setattr(module, "local_executor", deadly)
        found = swept(tmp_path)
    assert (found.done, found.failed, found.crashed) == (4, 2, 2)
    assert set(made[0].alone) == {1, 4}
    listed = rows(tmp_path)
    assert [r["point"] for r in listed if r["status"] == "failed"] == [1, 4]
    assert "its worker died" in listed[1]["reason"]
    # That is no property of the points: the next run tries them again.
    again = swept(tmp_path, resume=True)
    assert (again.done, again.failed, again.simulated) == (6, 0, 2)


def test_processes_give_the_same_bytes_even_if_one_is_killed(
    tmp_path: Path, done: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    real = Processes.finished

    def finished(self: Processes, timeout_s: float) -> list[Finished]:
        found = real(self, timeout_s)
        if found and not killed:
            victim = multiprocessing.active_children()[0].pid
            assert victim is not None
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
        return found

    monkeypatch.setattr(Processes, "finished", finished)
    found = swept(tmp_path, workers=2)
    assert killed
    assert (found.done, found.failed) == (6, 0)
    assert table_bytes(tmp_path) == table_bytes(done.folder)
    assert len(stored(found.store)) == len(set(stored(found.store))) == 6


# -- going on -----------------------------------------------------------------------------------------------


def test_a_folder_with_a_sweep_is_not_overwritten(tmp_path: Path) -> None:
    swept(tmp_path)
    before = table_bytes(tmp_path)
    with pytest.raises(InputError, match="holds a sweep already: --resume goes on with it"):
        swept(tmp_path)
    again = swept(tmp_path, resume=True)
    assert (again.cached, again.simulated) == (6, 0)
    assert table_bytes(tmp_path) == before


def test_added_points_are_accepted_and_only_they_are_simulated(tmp_path: Path) -> None:
    swept(tmp_path)
    told: list[str] = []
    more = {"kind": "grid", "axes": {**GRID["axes"], "stream.arrivals.rate": ["30 Hz", "45 Hz", "60 Hz"]}}
    found = swept(tmp_path, more, resume=True, told=told.append)
    assert (found.points, found.cached, found.simulated) == (9, 6, 3)
    assert any("the design has changed since (6 points then, 9 now)" in text for text in told)


def test_changed_inputs_are_refused_and_named(tmp_path: Path) -> None:
    swept(tmp_path)
    before = table_bytes(tmp_path)
    changed = {"set": {**FEW, "run.frames": 301}}
    with pytest.raises(InputError) as caught:
        swept(tmp_path, keys=changed, resume=True)
    assert "--accept-changes" in str(caught.value)
    assert "scenario.run.frames: 300 -> 301" in str(caught.value)
    assert table_bytes(tmp_path) == before
    found = swept(tmp_path, keys=changed, resume=True, accept_changes=True)
    assert (found.cached, found.simulated) == (0, 6)
    assert len(stored(found.store)) == 12


def test_a_changed_board_and_a_changed_engine_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(tmp_path)
    monkeypatch.setattr("eesim.sweeps.identity.engine_version", lambda: "other")
    real = module.identity_of

    def identity(*arguments: Any) -> dict[str, Any]:
        found = real(*arguments)
        board = next(name for name in found["files_sha256"] if name.endswith("board.yaml"))
        return found | {"files_sha256": found["files_sha256"] | {board: "other"}}

    monkeypatch.setattr(module, "identity_of", identity)
    with pytest.raises(InputError, match=r"the engine \(its source\)") as caught:
        swept(tmp_path, resume=True)
    assert "board.yaml" in str(caught.value)


def test_an_interrupted_sweep_keeps_what_it_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "FLUSH_S", 0.0)
    monkeypatch.setattr(pipeline_module, "FLUSH_WORK_S", 0.0)

    def stop(state: Progress) -> None:
        if state.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path / "out", progress=stop)
    assert len(stored(tmp_path / "out" / "store")) == 4
    found = swept(tmp_path / "out", resume=True)
    assert (found.cached, found.simulated) == (4, 2)
    whole = swept(tmp_path / "whole")
    assert table_bytes(found.folder) == table_bytes(whole.folder)


def test_a_sweep_needs_a_folder_not_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(InputError, match="is not a directory"):
        swept(path)


def test_a_study_can_be_a_dictionary_or_a_path(tmp_path: Path) -> None:
    found = eesim.sweep(study_data(), tmp_path, workers=1)
    assert pq.read_table(found.table_path).num_rows == found.table().num_rows == 6
    assert found.to_dict()["points"] == 6


def test_equal_points_share_their_fate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "local_executor", lambda context, workers: Deadly(context, {1}))  # noqa: ARG005
    found = swept(tmp_path, {"kind": "union", "of": [GRID, GRID]})
    assert [r["point"] for r in rows(tmp_path) if r["status"] == "failed"] == [1, 7]
    assert (found.done, found.failed, found.crashed) == (10, 2, 1)


def test_what_workers_get_holds_nothing_that_is_known_by_identity() -> None:
    base = study().base
    keys = Keys()
    expected = keys.key(base.scenario((("mapping.segments", "GGGGGGG"),)))
    sent = pickle.loads(pickle.dumps(base))
    assert sent.shared.documents.keys() == base.shared.documents.keys()
    assert sent.shared._profiles == {}
    assert Keys().key(sent.scenario((("mapping.segments", "GGGGGGG"),))) == expected
