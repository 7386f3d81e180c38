"""Where the simulator disagrees with GA.py's closed form, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from eesim.errors import InputError
from eesim.explore.disagreement import KINDS, Cause, ExitDisagreement, compare, disagreement
from eesim.explore.ga_py import ga_py_terms
from eesim.explore.ga_py_table import all_orders
from eesim.explore.single_frames import single_frame_scenario
from eesim.mapping.mapping import resolve_mapping
from tests.scenarios import COUNTS, MS

ORDERS = all_orders()


def sums_up(exit_: ExitDisagreement) -> bool:
    explained = sum(cause.simulated_ns - cause.ga_py_ns for cause in exit_.causes)
    return exit_.simulated_ns - exit_.ga_py_ns == explained


def simulated_ms(exits: tuple[ExitDisagreement, ...]) -> list[float]:
    return [exit_.simulated_ns / MS for exit_ in exits]


def test_the_optimum_is_the_same_in_both() -> None:
    found = disagreement("BGLGLGL")
    assert simulated_ms(found.uncontended) == [13.38, 19.34, 25.62, 33.25]
    assert found.contended == found.uncontended
    assert not any(exit_.causes for exit_ in found.uncontended)
    assert found.to_dict()["contended"]["mean"]["difference_ms"] == 0


def test_one_pe_is_counted_twice() -> None:
    found = disagreement("BBBBBBB")
    assert found.contended == found.uncontended
    assert simulated_ms(found.uncontended) == [16.24, 27.61, 40.33, 51.51]
    first, *_, last = found.uncontended
    assert first.causes == (Cause("tie breaker", "", 50_000, 0),)
    assert last.ga_py_ns == 53_210_000
    assert last.causes == (Cause("tie breaker", "", 150_000, 0), Cause("counted twice", "e1", 1_550_000, 0))


def test_a_missing_wait() -> None:
    found = disagreement("BLGBLBG")
    assert simulated_ms(found.uncontended) == [19.72, 20.25, 30.12, 38.40]
    # e1 holds L until 19.72, b3 is ready for it at 15.48; e3 on B runs while b4 is on G.
    wait, whole = Cause("missing wait", "e1", 0, 4_240_000), Cause("contention overcharged", "e3", 1_890_000, 0)
    assert [exit_.causes for exit_ in found.uncontended] == [(), (), (wait, whole), (wait,)]
    assert [exit_.causes for exit_ in found.contended] == [(), (), (wait,), (wait,)]


def test_contention_lasts_as_long_as_the_overlap() -> None:
    found = disagreement("BGBGLGL")
    # e1 keeps G busy for 5.29 ms; in that time b2 on B does 5.29 / 1.6 ms of its work.
    exit2 = found.contended[1]
    assert exit2.causes == (Cause("contention overcharged", "b2", 3_960_000, 5_290_000 - 5_290_000 * 10 // 16),)


def test_an_exit_waits_until_earlier_ones_have_declined() -> None:
    found = disagreement("BLBGLGL").uncontended[1]
    assert found.simulated_ns == disagreement("BLBGLGL").uncontended[0].simulated_ns == 19_720_000
    assert Cause("undecided", "e1", 0, 19_720_000 - 18_730_000) in found.causes


def test_a_slowed_exit_delays_what_waits_for_it() -> None:
    found = disagreement("BBLBGLL").contended
    # When b3 starts on G, 8.15 - 7.21 ms of e1 are left on B; they take 1.6 times as long, and e2 waits for them.
    assert found[0].causes == (
        Cause("tie breaker", "", 50_000, 0),
        Cause("contention missed", "e1", 0, 564_000),
    )
    assert Cause("short wait", "e1", 940_000, 1_504_000) in found[1].causes
    # b3 does not wait for e2, so what e2 waits for e1 does not delay it.
    assert Cause("needless wait", "e1", 940_000, 0) in found[2].causes


def test_what_is_printed() -> None:
    assert disagreement("BLGBLBG").to_text().splitlines() == [
        "BLGBLBG: GA.py and the simulator, one frame at a time, no transfers; ms",
        "",
        "no contention                                     GA.py  simulated  difference",
        "  exit1                                          19.720     19.720        none",
        "  exit2                                          20.250     20.250        none",
        "  exit3                                          27.770     30.120      +2.350",
        "    missing wait e1                               0.000      4.240      +4.240",
        "    contention overcharged e3                     1.890      0.000      -1.890",
        "  final                                          34.160     38.400      +4.240",
        "    missing wait e1                               0.000      4.240      +4.240",
        "  mean                                           20.688     20.956      +0.268",
        "",
        "B takes 1.6 times as long while G is busy         GA.py  simulated  difference",
        "  exit1                                          19.720     19.720        none",
        "  exit2                                          20.250     20.250        none",
        "  exit3                                          27.770     32.010      +4.240",
        "    missing wait e1                               0.000      4.240      +4.240",
        "  final                                          34.160     38.400      +4.240",
        "    missing wait e1                               0.000      4.240      +4.240",
        "  mean                                           20.688     21.011      +0.324",
        "",
        "missing wait: a segment waits for a branch that still holds its PE; GA.py has no rule for it",
        "contention overcharged: GA.py charges 60 % of a whole segment on B, however long G is busy beside it",
    ]


def test_strings_that_ga_py_does_not_know() -> None:
    with pytest.raises(InputError, match="BGLGLGN"):
        disagreement("BGLGLGN")


def test_plain_data() -> None:
    plain = json.loads(json.dumps(disagreement("BBGGLLB").to_dict()))
    assert plain["order"] == "BBGGLLB"
    exit2 = plain["contended"]["exits"][1]
    assert exit2["difference_ms"] == 0.906250
    assert [(cause["kind"], cause["segment"]) for cause in exit2["causes"]] == [
        ("tie breaker", ""),
        ("undecided", "e1"),
    ]


@pytest.mark.parametrize("order", np.random.default_rng(3).choice(ORDERS, 12).tolist())
def test_the_causes_add_up(order: str) -> None:
    found = disagreement(order)
    assert all(sums_up(exit_) for exit_ in (*found.uncontended, *found.contended))
    assert [exit_.ga_py_ns / MS for exit_ in found.uncontended] == [term.total for term in ga_py_terms(order)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contention", "best", "mean", "worst", "feasible"),
    [(False, "BGBGLGL", 15.168241, 32.64, 852), (True, "BGLGLGL", 15.276699, 33.25, 737)],
)
def test_the_simulator_on_every_string(contention: bool, best: str, mean: float, worst: float, feasible: int) -> None:
    base = single_frame_scenario("BGLGLGL", contention=contention)
    simulated = []
    for order in ORDERS:
        mapping = base.spec.mapping.model_copy(update={"segments": order})
        exits = compare(replace(base, mapping=resolve_mapping(mapping, base.board, base.network)))
        assert all(sums_up(exit_) for exit_ in exits), order
        assert {cause.kind for exit_ in exits for cause in exit_.causes} <= set(KINDS)
        simulated.append([exit_.simulated_ns for exit_ in exits])
    latency_ns = np.array(simulated)
    in_time = latency_ns[:, 3] <= 40 * MS
    means = latency_ns @ COUNTS / sum(COUNTS) / MS
    winner = int(np.argmin(np.where(in_time, means, np.inf)))
    assert (ORDERS[winner], latency_ns[winner, 3] / MS) == (best, worst)
    assert means[winner] == pytest.approx(mean, abs=1e-9)
    assert np.count_nonzero(in_time) == feasible
