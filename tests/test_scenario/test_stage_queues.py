"""Queues of PEs that are limited apart and in bytes: as a user writes them, and what is said of lost frames."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import eesim
from eesim.errors import InputError
from eesim.report.tables import print_result
from eesim.report.words import policy_words
from tests.scenarios import camera

BUSY = {"stream.arrivals": {"kind": "poisson", "rate": "60 Hz"}, "run.frames": 6000, "run.replications": 3}
FINITE = {"full": "drop_newest", "pes": {"G": {"capacity": 0}, "L": {"bytes": "300 kB"}}}


def result_with(queue: dict[str, Any], **overrides: Any) -> eesim.Result:
    return eesim.run(camera({**BUSY, "policy.stage_queue": queue, **overrides}))


def test_losses_are_told_apart_and_add_up() -> None:
    policy = {"queue": {"capacity": 2}, "frames_in_flight": 6, "stage_queue": FINITE}
    policy["adaptive"] = {"above": [3], "give_up_after": ["exit1"]}
    found = eesim.run(camera({**BUSY, "policy": policy}))
    told = found.to_dict()["drop_rate_by"]
    assert set(told) == {"queue", "given_up", "L", "G"}
    assert all(share > 0 for share in told.values())
    assert sum(told.values()) == pytest.approx(found.value("drop_rate"))
    for name in told:
        estimate = found.estimates[f"drop_rate_by.{name}"]
        assert estimate.ci_low < estimate.value < estimate.ci_high
    frames = found.frames()
    frames = frames[frames["frame"] >= found.replications[0].warmup_frames]
    lost = frames[frames["status"] == "lost"]
    assert set(lost["lost_at"]) == {"L", "G"}
    assert set(frames.loc[frames["status"] != "lost", "lost_at"]) == {""}
    assert set(frames["status"]) == {"answered", "dropped", "given_up", "lost"}
    out = io.StringIO()
    print_result(found, Console(file=out, width=120))
    text = out.getvalue()
    for words in ("waiting to enter", "given up", "queue of L", "queue of G"):
        assert words in text


def test_limits_of_one_pe_do_not_bind_another() -> None:
    found = result_with(FINITE)
    assert set(found.to_dict()["drop_rate_by"]) == {"L", "G"}
    without = result_with({"full": "drop_newest"})
    assert without.to_dict()["drop_rate_by"] == {}
    assert without.value("drop_rate") == 0


def test_more_room_loses_fewer_frames() -> None:
    rates = [result_with({"full": "drop_newest", "capacity": k}).value("drop_rate") for k in (0, 1, 2, 5)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 2 * rates[-1]


def test_streams_say_where_they_lose_frames() -> None:
    one = {"name": "front", "arrivals": {"kind": "poisson", "rate": "40 Hz"}}
    other = {"name": "rear", "mapping": {"segments": "LLLLLLL"}, "arrivals": {"kind": "poisson", "rate": "10 Hz"}}
    found = eesim.run(camera({**BUSY, "requirements": {}, "policy.stage_queue": FINITE, "streams": [one, other]}))
    by = {stream["name"]: stream["drop_rate_by"] for stream in found.to_dict()["streams"]}
    assert set(by["front"]) == {"L", "G"}
    assert set(by["rear"]) == {"L"}
    counts = found.frames().groupby(["stream", "lost_at"], observed=True).size()
    assert ("rear", "G") not in counts.index


@pytest.mark.parametrize(
    ("queue", "path", "words"),
    [
        ({"pes": {"H": {"capacity": 1}}}, "policy.stage_queue.pes.H", "no PE 'H'"),
        ({"bytes": "100 B"}, "policy.stage_queue.bytes", "never fits on"),
        ({"pes": {"G": {"bytes": "100 B"}}}, "policy.stage_queue.pes.G.bytes", "never fits on G"),
        ({"bytes": "0 B"}, "policy.stage_queue.bytes", "1"),
        ({"bytes": 4096}, "policy.stage_queue.bytes", "such as 784 KiB"),
        ({"pes": {"G": {"full": "block"}}}, "policy.stage_queue.pes.G.full", "key"),
    ],
)
def test_limits_that_cannot_be_meant(queue: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        camera({"policy.stage_queue": queue})
    found = [p for p in caught.value.problems if p.path == path]
    assert found
    assert all(words in f"{p.message} {p.hint}" for p in found)


def test_what_a_copy_reads_must_fit_where_it_is_paid_for() -> None:
    """B copies its outputs itself: they must fit there, too, whoever reads them."""
    scenario = camera()
    sizes = [scenario.network.segments[source].output for source in scenario.network.sources if source >= 0]
    with pytest.raises(InputError, match="the output of segment b1"):
        camera({"policy.stage_queue": {"pes": {"B": {"bytes": f"{max(sizes) - 1} B"}}}})


def test_a_queue_in_words() -> None:
    policy = camera({"policy.stage_queue": {"capacity": 4, **FINITE}}).policy
    words = "cooperative, but stage queue: 4, 0 at G, 4 and 300,000 B at L, drop newest when full"
    assert policy_words(policy) == words


def test_the_engines_lose_the_same_frames() -> None:
    scenario = camera({**BUSY, "run.frames": 400, "run.replications": 1, "policy.stage_queue": FINITE})
    reference, compiled = (eesim.run(scenario, engine=engine).records for engine in ("reference", "compiled"))
    assert reference is not None
    assert compiled is not None
    np.testing.assert_array_equal(reference[0], compiled[0])
    assert (compiled[0][:, 4] == 3).any()


def test_the_example_says_what_it_says() -> None:
    path = Path(__file__).parents[2] / "scenarios" / "finite_queues.yaml"
    found = eesim.run(eesim.load(path, {"run.frames": 5000, "run.replications": 4}))
    told = found.to_dict()["drop_rate_by"]
    assert set(told) == {"B", "L", "G"}
    assert found.value("drop_rate") > 0
