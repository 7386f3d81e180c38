"""Every term of switch mode against numbers worked out by hand on an invented board."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eesim.engine.simulate import EngineName, make_engine
from eesim.metrics.energy import energy_of
from eesim.plan.chain import Chain, Layers, Missing, crossing, leaving
from eesim.plan.chain_plan import switch_plan
from eesim.plan.chain_switch import switch_tasks
from eesim.validate.predict import _draws
from tests.test_validate.synthetic import LAYERS, MS, board, chain

ALL_OFF = ("cold_start", "dvfs_delay", "transfers", "profiling", "npu_fusing")


def terms(own: Chain) -> list[dict[str, float]]:
    """Terms of each task, ms; those of 0 left out."""
    return [
        {name: pytest.approx(t / MS, abs=1e-9) for name, t in task.terms_ns.items() if t} for task in switch_tasks(own)
    ]


def test_one_pe_is_the_table() -> None:
    assert terms(chain("LLL", [800] * 3)) == [{"input": 20}, {"layers": 25}, {"layers": 50}, {"layers": 12.5}]


def test_profiling_is_taken_away_and_never_more_than_there_is() -> None:
    found = terms(chain("BBB", [1000] * 3))
    # 0.2 ms a layer, and 0.1 ms a kernel: 2, 3 and 1 of them.
    assert found[1:] == [
        {"layers": 10, "profiling": -0.4},
        {"layers": 20, "profiling": -0.5},
        {"layers": 5, "profiling": -0.3},
    ]
    huge = replace(LAYERS, kernels=(2, 3, 1000))
    (*_, last) = switch_tasks(chain("BBB", [1000] * 3, layers=huge))
    assert last.time_ns == 0
    assert terms(chain("BBB", [1000] * 3, off=["profiling"]))[1:] == [{"layers": 10}, {"layers": 20}, {"layers": 5}]


def test_cold_start_of_a_subgraph() -> None:
    found = terms(chain("LBB", [800, 1000, 1000], off=["profiling", "transfers", "dvfs_delay"]))
    # L: half of at most 10 ms, and 2 kernels of 0.4 Mcycles at 800 MHz; B: a quarter of at most 20 ms, no kernels.
    assert found[1] == {"layers": 25, "cold_start": 5 + 1}
    assert found[2] == {"layers": 20, "cold_start": 5}
    assert found[3] == {"layers": 5}


def test_cold_start_counts_the_time_at_the_highest_clock() -> None:
    found = terms(chain("LBB", [400, 500, 500], off=["profiling", "transfers", "dvfs_delay"]))
    # Layer b on B: 40 ms at 500 MHz, 20 ms at 1000 MHz: a quarter of 20.
    assert found[2] == {"layers": 40, "cold_start": 5}
    assert found[1] == {"layers": 50, "cold_start": 5 + 2}


def test_transfers_between_pes() -> None:
    found = terms(chain("BGG", [1000, 400, 400], [0, 500, 500], off=["profiling", "cold_start", "dvfs_delay"]))
    # 2 MB leave B at 1 ms/MB, and enter G at 1 Mcycle/MB of a host at 500 MHz.
    assert found[2] == {"layers": 20, "transfers": 2 + 4}
    assert "transfers" not in found[3]
    first = terms(chain("GBB", [400, 1000, 1000], [1000, 0, 0], off=["profiling", "cold_start", "dvfs_delay"]))
    # The image of 1 MB enters G; nobody pays for what leaves G.
    assert first[1] == {"layers": 10, "transfers": 1}
    assert first[2] == {"layers": 20}


def test_reclocking_a_following_layer() -> None:
    quiet = ["profiling", "cold_start", "transfers"]
    found = terms(chain("LLB", [400, 800, 1000], off=quiet))
    # 0.8 Mcycles at 800 MHz; half of the 3 ms window in which the old clock (half as fast) still counts.
    assert found[2] == {"layers": 50, "dvfs_delay": pytest.approx(1 + 0.5 * 3 * (1 - 50 / 100))}
    slower = terms(chain("LLB", [800, 400, 1000], off=quiet))
    assert slower[2] == {"layers": 100, "dvfs_delay": pytest.approx(2 + 0.5 * 3 * (1 - 100 / 50))}
    assert "dvfs_delay" not in terms(chain("LLB", [800, 800, 1000], off=quiet))[2]
    assert "dvfs_delay" not in terms(chain("LLB", [400, 800, 1000], off=[*quiet, "dvfs_delay"]))[2]


def test_a_frame_on_one_pe_pays_no_switching_however_often_it_changes_its_clock() -> None:
    found = terms(chain("LLL", [400, 800, 400]))
    assert [set(task) for task in found[1:]] == [{"layers"}] * 3


def test_input_waits_for_its_clock() -> None:
    quiet = ["profiling", "cold_start", "transfers"]
    # L was left at 400 MHz by the frame before: 40 ms instead of 20, until the clock has come up after 2 ms.
    assert terms(chain("LBB", [800, 1000, 1000], off=quiet))[0] == {"input": 20, "dvfs_delay": 2 * (1 - 20 / 40)}
    # Left at 800 MHz, lowered to 400: half of the 3 ms window still runs at the faster clock.
    down = terms(chain("LLL", [400, 400, 800], off=quiet))[0]
    assert down == {"input": 40, "dvfs_delay": pytest.approx(0.5 * 3 * (1 - 40 / 20))}
    assert terms(chain("LBB", [800, 1000, 1000], off=[*quiet, "dvfs_delay"]))[0] == {"input": 20}


def test_input_of_the_gpu_goes_with_its_host() -> None:
    quiet = ["profiling", "cold_start", "transfers"]
    found = terms(chain("GLL", [400, 800, 800], [1000, 0, 0], off=quiet))[0]
    # B, the host, was left at its lowest clock: 20 ms instead of 10.
    assert found == {"input": 10, "dvfs_delay": 2 * (1 - 10 / 20)}


def test_npu_subgraph() -> None:
    found = terms(chain("LNN", [800, 0, 0], [0, 1000, 1000], off=["dvfs_delay"]))
    # b: 2 MB enter, nothing leaves; of 2.5 MB, 2 cross the border. c: 4 kB leave; of 504 kB, 4 cross.
    border_b, border_c = 2 / 2.5, 4 / 504
    assert found[2] == {
        "layers": 9 * border_b,
        "npu_fusing": 9 * (1 - border_b) * 0.5,
        "transfers": 8 * 2,
        "cold_start": 3,
    }
    assert found[3] == {
        "layers": 3 * border_c,
        "npu_fusing": 3 * (1 - border_c) * 0.5,
        "transfers": (5 + 10) * 0.004,
    }


def test_npu_terms_switched_off() -> None:
    found = terms(chain("LNN", [800, 0, 0], [0, 1000, 1000], off=ALL_OFF))
    assert found == [{"input": 20}, {"layers": 25}, {"layers": 9}, {"layers": 3}]


def test_several_npu_subgraphs_pay_for_their_contexts() -> None:
    four = replace(
        LAYERS,
        names=("a", "b", "c", "d"),
        output_bytes=(2_000_000, 500_000, 4_000, 100),
        producers=((), (0,), (1,), (2,)),
        kernels=(1,) * 4,
    )
    found = terms(chain("NNBN", [0, 0, 1000, 0], [500, 500, 0, 500], off=["transfers", "dvfs_delay"], layers=four))
    # a: 1 MB of 3 crosses the border; the rest counts 0.75 times. 7 Mcycles at 500 MHz beside the call.
    assert found[1] == {"layers": 6 / 3, "npu_fusing": 6 * 2 / 3 * 0.75, "cold_start": 3 + 14}
    assert found[4] == {"layers": 6, "cold_start": 3 + 14}


def test_a_tensor_enters_a_subgraph_once_and_leaves_it_once() -> None:
    layers = Layers(
        names=("a", "b", "c", "d"),
        input_bytes=1,
        output_bytes=(100, 200, 300, 400),
        producers=((), (0,), (1, 0), (2, 0)),
        kernels=(1,) * 4,
        outputs=frozenset({1}),
    )
    stage = [0, 1, 1, 2]
    assert [crossing(layers, stage, i) for i in range(1, 4)] == [{0: 100}, {}, {2: 300, 0: 100}]
    # b is an output of the network although nobody outside reads it; d is the last.
    assert [leaving(layers, stage, i) for i in range(4)] == [100, 200, 300, 400]
    assert leaving(replace(layers, outputs=frozenset()), stage, 1) == 0


def test_energy_by_hand() -> None:
    tasks = switch_tasks(chain("LBB", [800, 1000, 1000], off=["dvfs_delay"]))
    # Input: 4 W, of which the 8 ms gap at 3 W had hidden some: 4 + (4 - 3) * 8 / 20 W over 20 ms.
    assert tasks[0].energy == pytest.approx((4e6 + 1e6 * 8 / 20) * 20 * MS)
    # b: 20 - 0.5 ms at 5 W, what was added at 3 W, and 1 ms that the meter had missed.
    b = tasks[2]
    assert b.energy == pytest.approx(19.5 * MS * 5e6 + 5 * MS * 3e6 + 1 * MS * 2e6)


def test_npu_energy_is_above_idle() -> None:
    tasks = switch_tasks(chain("LNN", [800, 0, 0], [0, 1000, 1000], off=["dvfs_delay"]))
    # The table knows no power: idle power counts, whatever the factor.
    assert tasks[2].energy == pytest.approx(3e6 * sum(tasks[2].terms_ns.values()))


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_engines_add_up_the_tasks(engine: EngineName) -> None:
    own = chain("LBG", [800, 1000, 400], [0, 0, 1000])
    tasks = switch_tasks(own)
    plan = switch_plan(own, tasks)
    run = make_engine(engine, plan)
    run.feed(_draws(plan, 1, 1.0), final=True)
    assert int(run.take_records()[0, 2]) == sum(task.time_ns for task in tasks)
    whole = sum(task.energy for task in tasks) / 1e12
    assert energy_of(plan, run.counters()).total == pytest.approx(whole, rel=1e-6)


def test_what_is_missing_is_said() -> None:
    class Nothing:
        campaign = "lw"

        def layer(self, *_: object) -> None: ...

        def input(self, *_: object) -> None: ...

    own = chain("BBB", [1000] * 3)
    with pytest.raises(Missing, match="no time of the input on B"):
        switch_tasks(replace(own, source=Nothing()))
    bare = board().model_copy(update={"runtimes": board().runtimes.model_copy(update={"switch": None})})
    with pytest.raises(Missing, match="no switch runtime"):
        switch_tasks(replace(own, board=bare))
