"""The store: what is written is there, once, whatever happens on the way."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eesim.errors import InputError
from eesim.sweeps import store as module
from eesim.sweeps.columns import in_order, metric_names
from eesim.sweeps.keyindex import KeyIndex
from eesim.sweeps.store import Store, locked
from eesim.sweeps.worker import Row, failed
from tests.test_cli.commands import environment
from tests.test_sweeps.studies import stored

NAMES = ("latency_ms.p99", "utilisation.B")


def key(number: int) -> bytes:
    return random.Random(number).randbytes(16)


def row(number: int, names: tuple[str, ...] = NAMES) -> Row:
    estimates = tuple((float(number + i), None if i else 0.5, None if i else 1.5) for i in range(len(names)))
    return Row(key(number), "ok", "", None if number % 3 else True, "", 10, 1, 1, 10, 0, names, estimates)


def filled(folder: Path, parts: int, rows_each: int = 3) -> Store:
    store = Store(folder)
    folder.mkdir(exist_ok=True)
    for part in range(parts):
        store.add([row(part * rows_each + i) for i in range(rows_each)])
    return store


def content(store: Store) -> list[dict[str, Any]]:
    return sorted(map(dict, store.table().to_pylist()), key=lambda found: found["key"])


# -- rows ---------------------------------------------------------------------------------------------------


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    store = filled(tmp_path, 1)
    found = {r["key"]: r for r in content(store)}
    assert found[key(0)]["latency_ms.p99"] == 0.0
    assert (found[key(0)]["latency_ms.p99.ci_low"], found[key(0)]["latency_ms.p99.ci_high"]) == (0.5, 1.5)
    assert found[key(1)]["utilisation.B"] == 2.0
    assert found[key(1)]["utilisation.B.ci_low"] is None
    assert [found[key(i)]["requirements_met"] for i in range(3)] == [True, None, None]


def test_points_with_different_metrics_share_a_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add([row(1), row(2, ("latency_ms.p99", "utilisation.link")), failed(key(3), "Boom:\n it broke")])
    store.add([row(4, ("latency_ms.mean",))])
    found = {r["key"]: r for r in content(store)}
    assert found[key(2)]["utilisation.link"] == 3.0
    assert found[key(2)]["utilisation.B"] is None
    assert found[key(4)]["latency_ms.mean"] == 4.0
    assert (found[key(3)]["status"], found[key(3)]["reason"]) == ("failed", "Boom: it broke")
    assert found[key(3)]["latency_ms.p99"] is None


def test_the_index_knows_what_was_stored_and_nothing_else(tmp_path: Path) -> None:
    store = filled(tmp_path, 5)
    index = store.keys()
    assert len(index) == 15
    assert all(key(i) in index for i in range(15))
    assert not any(key(i) in index for i in range(15, 200))
    # The two halves of a key belong together.
    assert key(0)[:8] + key(1)[8:] not in index
    index.add([key(99)])
    assert key(99) in index
    assert key(1) not in KeyIndex()


def test_a_missing_store_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "nowhere")
    assert (store.parts(), len(store.keys()), store.table().num_rows) == ([], 0, 0)


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    (tmp_path / "part-00000002.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(InputError, match=r"part-00000002.parquet: cannot be read"):
        Store(tmp_path).keys()


def test_columns_have_one_order() -> None:
    names = metric_names(["exit1", "final"], ["B", "G"])
    assert in_order(reversed(names)) == in_order(names)
    assert in_order(names)[0] == "latency_ms.mean"
    assert in_order(["utilisation.G", "latency_ms.p99", "utilisation.B"]) == [
        "latency_ms.p99", "utilisation.B", "utilisation.G",
    ]  # fmt: skip


# -- one writer ---------------------------------------------------------------------------------------------


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    with locked(tmp_path):
        code = (
            "import sys, pathlib; from eesim.sweeps.store import locked\nwith locked(pathlib.Path(sys.argv[1])): pass"
        )
        command = [sys.executable, "-c", code, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
        assert done.returncode == 1
        assert f"is being written by process {os.getpid()} on " in done.stderr
    with locked(tmp_path):
        pass


# -- compaction ---------------------------------------------------------------------------------------------


def test_compaction_keeps_every_row_once(tmp_path: Path) -> None:
    store = filled(tmp_path, 7)
    before = content(store)
    store.compact()
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    assert content(store) == content(Store(tmp_path)) == before
    store.add([row(1000)])
    assert len(content(store)) == len(before) + 1
    assert len(store.parts()) == 2


def test_many_small_parts_become_one_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_SMALL", 5)
    store = Store(tmp_path)
    for number in range(12):
        store.add([row(number)])
        store.compact_small()
        assert len(list(tmp_path.glob("*.parquet"))) <= 5
    assert stored(tmp_path) == sorted(key(i) for i in range(12))


class Killed(BaseException):
    """Stands for SIGKILL: nothing is cleaned up after it."""


def killing(at: int) -> Callable[..., Callable[..., Any]]:
    """Wrap functions that change files so that the ``at``-th call of any of them does not happen, nor any later."""
    calls = [0]

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] >= at:
                raise Killed
            return real(*arguments, **options)

        return call

    return wrap


@pytest.mark.parametrize("at", range(1, 11))
def test_a_compaction_that_is_killed_at_any_step_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    store = filled(tmp_path, 7)
    before = content(store)
    with monkeypatch.context() as patched:
        wrap = killing(at)
        patched.setattr(module, "write_table", wrap(module.write_table))
        patched.setattr(module.os, "replace", wrap(os.replace))
        patched.setattr(Path, "unlink", wrap(Path.unlink))
        try:
            store.compact()
        except Killed:
            assert at <= 9
        else:
            assert at == 10
    assert content(Store(tmp_path)) == before
    again = Store(tmp_path)
    again.tidy()
    again.add([row(1000)])
    again.compact()
    assert len(list(tmp_path.glob("*part-*"))) == 1
    assert [found for found in content(again) if found["key"] != key(1000)] == before
    assert len(content(again)) == len(before) + 1


COMPACT = """
import sys
from pathlib import Path
from eesim.sweeps import store as module
store = module.Store(Path(sys.argv[1]))
print("ready", flush=True)
store.tidy()
module.PART_ROWS = 100
while len(store.parts()) > 1:
    store.compact()
    module.PART_ROWS *= 3
print("over", flush=True)
"""


@pytest.mark.slow
def test_compactions_that_are_killed_at_random(tmp_path: Path) -> None:
    rng = random.Random(1)
    command = [sys.executable, "-c", COMPACT, str(tmp_path)]
    kills = rows = 0
    while kills < 10:
        # There is always something to do: what the last one left, and as much again.
        for _ in range(60):
            Store(tmp_path).add([row(rows + i) for i in range(20)])
            rows += 20
        expected = sorted(key(i) for i in range(rows))
        assert stored(tmp_path) == expected
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.15))
            process.kill()
            kills += "over\n" not in process.stdout.read()
        assert stored(tmp_path) == expected
        assert rows < 50_000, "compactions are over before they can be killed"
    subprocess.run(command, check=True, env=environment(), stdout=subprocess.DEVNULL)
    assert stored(tmp_path) == expected
    assert len(Store(tmp_path).parts()) == 1
