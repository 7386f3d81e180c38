"""Lowering: every number of a plan against a hand computation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eesim
from eesim.engine.compiled import CompiledEngine
from eesim.engine.protocol import Engine
from eesim.engine.reference import ReferenceEngine
from eesim.plan.lower import Lowered, lower
from eesim.plan.plan import FULL_SPEED, KEEP_STATE, PURE_DELAY, UNBOUNDED, Cancellation, Dispatch, NodeKind, WhenFull
from eesim.workload.stream import Frames
from tests.plans import draws, ints
from tests.scenarios import (
    MS,
    ORIGIN,
    PAIR,
    RESNET,
    STREAM,
    board_data,
    camera,
    everywhere,
    network_data,
    pe_data,
    scenario_of,
    write_world,
)

TIMES = {"b1": 4, "e1": 2, "b2": 6}
MW = 1000
"""Microwatts in a milliwatt."""


def lowered(
    board: Mapping[str, Any] | None = None,
    segments: Any = "BGL",
    *,
    of: Any = PAIR,
    times: Mapping[str, Mapping[str, str]] | None = None,
    **sections: Any,
) -> Lowered:
    made = board_data() if board is None else board
    ms = {segment["name"]: TIMES.get(segment["name"], 1) for segment in of}
    return lower(scenario_of(made, network_data(*of), times or everywhere(made, ms), segments, **sections))


def rows(found: Lowered, field: str) -> dict[str, Any]:
    return dict(zip(found.labels.nodes, getattr(found.plan, field).tolist(), strict=True))


def two_clocks(**changes: Any) -> dict[str, Any]:
    """A board whose PEs run at 500 and 1000 MHz; half of every time follows the clock; 1 mW per MHz."""
    half = {"fixed_share": 0.5, "origin": ORIGIN}
    dvfs = {"up": "2 ms", "down": "1 ms", "same_voltage": "0 ms", "origin": ORIGIN}
    return board_data({name: pe_data((500, 1000), frequency_law=half, dvfs=dvfs) for name in "BLG"}, **changes)


# -- segments -----------------------------------------------------------------------------------------------


def test_times_powers_and_places_of_segments() -> None:
    found = lowered(physics={"transfers": False})
    assert rows(found, "node_work_ns") == {"b1": [4 * MS], "e1": [2 * MS], "b2": [6 * MS]}
    assert rows(found, "node_resource") == {"b1": 0, "e1": 2, "b2": 1}
    assert rows(found, "node_power_uw") == {"b1": [1000 * MW], "e1": [1000 * MW], "b2": [1000 * MW]}
    assert rows(found, "node_state") == dict.fromkeys(("b1", "e1", "b2"), KEEP_STATE)
    assert set(rows(found, "node_kind").values()) == {NodeKind.SEGMENT}
    assert found.labels.resources == ("B", "L", "G")
    assert found.labels.exits == ("early", "final")
    assert found.labels.exit_number == (1, 2)


def test_times_at_other_clocks() -> None:
    found = lowered(two_clocks(), mapping={"segments": "BGL", "opp": {"B": "500 MHz"}}, physics={"transfers": False})
    # Half of 4 ms takes twice as long at half the clock: 2 + 2 x 2.
    assert rows(found, "node_work_ns") == {"b1": [6 * MS], "e1": [2 * MS], "b2": [6 * MS]}
    assert rows(found, "node_power_uw")["b1"] == [500 * MW]


def test_work_depends_on_the_state_in_which_the_pe_is_found() -> None:
    mapping = {"segments": "BBB", "opp": {"b2": "500 MHz"}}
    found = lowered(two_clocks(), mapping=mapping)
    # State 0 is the PE's own clock, 1000 MHz; state 1 is b2's, 500 MHz.
    assert found.plan.resource_state.tolist() == [0, 0, 0]
    assert rows(found, "node_state") == {"b1": 0, "e1": 0, "b2": 1}
    assert rows(found, "node_work_ns") == {
        # 4 ms at 1000 MHz; found at 500 MHz (6 ms): 2 ms of it before the change up: 2 + 4 x (1 - 2/6).
        "b1": [4 * MS, 4_666_667],
        # 2 ms; found at 500 MHz (3 ms): 2 + 2 x (1 - 2/3).
        "e1": [2 * MS, 2_666_667],
        # 9 ms at 500 MHz; found at 1000 MHz (6 ms): 1 ms of it before the change down: 1 + 9 x (1 - 1/6).
        "b2": [8_500_000, 9 * MS],
    }
    assert rows(found, "node_power_uw") == {
        # 2 ms at 500 mW, the rest at 1 W.
        "b1": [1000 * MW, round((500 * 2 + 1000 * (4_666_667 - 2 * MS) / MS) / (4_666_667 / MS) * MW)],
        "e1": [1000 * MW, round((500 * 2 + 1000 * 666_667 / MS) / (2_666_667 / MS) * MW)],
        # 1 ms at 1 W, 7.5 ms at 500 mW.
        "b2": [round((1000 + 500 * 7.5) / 8.5 * MW), 500 * MW],
    }


def test_a_pe_may_start_at_a_clock_that_no_segment_asks_for() -> None:
    mapping = {"segments": "BGL", "opp": {"b1": "500 MHz"}}
    found = lowered(two_clocks(), mapping=mapping)
    assert rows(found, "node_state")["b1"] == 1
    # Found at 1000 MHz by the first frame only: 1 ms at the old clock, 1 + 6 x (1 - 1/4); 6 ms afterwards.
    assert rows(found, "node_work_ns")["b1"] == [5_500_000, 6 * MS]
    # PEs with one clock do not care.
    assert rows(found, "node_work_ns")["e1"] == [2 * MS, 2 * MS]
    assert rows(found, "node_state")["e1"] == KEEP_STATE


def test_a_task_that_ends_before_the_clock_changes_runs_at_the_old_one() -> None:
    times = everywhere(two_clocks(), {"b1": 0.5, "e1": 1, "b2": 1})
    found = lowered(two_clocks(), times=times, mapping={"segments": "BBB", "opp": {"b2": "500 MHz"}})
    # 0.5 ms is 0.75 ms at 500 MHz, done before the 2 ms of a change up are over.
    assert rows(found, "node_work_ns")["b1"] == [500_000, 750_000]


def test_changes_of_the_clock_can_be_free() -> None:
    mapping = {"segments": "BBB", "opp": {"b2": "500 MHz"}}
    found = lowered(two_clocks(), mapping=mapping, physics={"dvfs_delay": False})
    assert rows(found, "node_work_ns") == {"b1": [4 * MS] * 2, "e1": [2 * MS] * 2, "b2": [9 * MS] * 2}


def test_kernels_come_from_the_network() -> None:
    of = ({"name": "b1", "kernels": 5}, PAIR[1], PAIR[2])
    assert rows(lowered(of=of), "node_kernels") == {"b1": 5, "b1>G": 1, "b1>L": 1, "e1": 1, "b2": 1}


# -- hosts --------------------------------------------------------------------------------------------------


def hosted(host: str) -> dict[str, Any]:
    effect = {"slows_host": {"factor": 1.25}, "slows_self": {"factor": 1.0}, "origin": ORIGIN}
    hosts = {
        "B": effect | {"host_power": "100 mW/GHz"},
        "L": effect | {"host_power": "60 mW/GHz", "slows_self": {"factor": 1.5}},
    }
    pes = {"B": pe_data((500, 1000)), "L": pe_data(), "G": pe_data(host=host, hosts=hosts)}
    return board_data(pes)


def test_the_host_draws_power_at_its_own_clock() -> None:
    mapping = {"segments": "LGL", "opp": {"B": "500 MHz"}}
    found = lowered(hosted("B"), mapping=mapping, physics={"transfers": False})
    # 100 mW/GHz x 0.5 GHz
    assert rows(found, "node_host_uw") == {"b1": [0], "e1": [50 * MW], "b2": [0]}
    assert found.plan.speed_ppm.tolist() == [[FULL_SPEED] * 3, [800_000, FULL_SPEED, FULL_SPEED]]  # 10^6 / 1.25


def test_a_host_on_another_cluster_costs_something_else() -> None:
    found = lowered(hosted("L"), "BGL", physics={"transfers": False})
    assert rows(found, "node_host_uw")["e1"] == [60 * MW]
    # The GPU itself takes 1.5 times as long.
    assert rows(found, "node_work_ns") == {"b1": [4 * MS], "e1": [3 * MS], "b2": [6 * MS]}
    assert found.plan.speed_ppm.tolist() == [[FULL_SPEED] * 3, [FULL_SPEED, 800_000, FULL_SPEED]]


def test_what_a_host_costs_its_own_pe_is_no_contention() -> None:
    found = lowered(hosted("L"), "BGL", physics={"transfers": False, "contention": False})
    assert rows(found, "node_work_ns")["e1"] == [3 * MS]
    assert found.plan.speed_ppm.tolist() == [[FULL_SPEED] * 3]


def test_moving_the_host_of_the_shipped_board() -> None:
    at_b, at_l = (lower(camera({"board.pes.G.host": host})) for host in "BL")
    # 5.29 ms x 1.087 with the host on LITTLE; 316 mW/GHz x 1.8 GHz and 171 mW/GHz x 1.416 GHz.
    assert (rows(at_b, "node_work_ns")["e1"], rows(at_l, "node_work_ns")["e1"]) == ([5_290_000], [5_750_230])
    assert (rows(at_b, "node_host_uw")["e1"], rows(at_l, "node_host_uw")["e1"]) == ([568_800], [242_136])


# -- transfers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charge", "resource", "power"),
    [
        ("sender", {"b1>G": 0, "b1>L": 0}, 1000 * MW),
        ("receiver", {"b1>G": 2, "b1>L": 1}, 1000 * MW),
        ("link", {"b1>G": 3, "b1>L": 3}, 0),
        ("delay", {"b1>G": PURE_DELAY, "b1>L": PURE_DELAY}, 0),
    ],
)
def test_who_pays_for_a_transfer(charge: str, resource: dict[str, int], power: int) -> None:
    found = lowered(board_data(charge=charge))
    for name, payer in resource.items():
        assert rows(found, "node_resource")[name] == payer
        assert rows(found, "node_power_uw")[name] == [power]
        assert rows(found, "node_work_ns")[name] == [1 * MS]
        assert rows(found, "node_kind")[name] == NodeKind.TRANSFER
    assert found.labels.resources == ("B", "L", "G", *(["link"] if charge == "link" else []))
    assert found.plan.n_servers == found.plan.n_resources


def test_links_have_names_and_never_slow_down() -> None:
    board = board_data(charge="link", contention={"pairs": {"L": {"B": 2.0}}, "origin": ORIGIN})
    board["transfers"]["routes"]["B->G"] = board["transfers"]["routes"]["B->G"] | {"link": "cci"}
    found = lowered(board)
    assert found.labels.resources == ("B", "L", "G", "cci", "link")
    assert found.labels.servers == found.labels.resources
    where = rows(found, "node_resource")
    assert (where["b1>G"], where["b1>L"]) == (3, 4)
    assert found.plan.resource_bit.tolist() == [1, 0, 0, 0, 0]
    assert found.plan.speed_ppm.tolist() == [[FULL_SPEED] * 5, [FULL_SPEED, 500_000, *[FULL_SPEED] * 3]]


def test_transfer_times_follow_bytes_and_the_clock_of_the_named_pe() -> None:
    board = two_clocks()
    slow = {"fixed": "1 ms", "per_byte": "1 us/B", "clock": {"pe": "B", "offset": 0, "slope": 1}, "origin": ORIGIN}
    routes = {f"{a}->{b}": slow for a, b in ("BG", "BL", "GL", "LG", "GB", "LB")}
    board["transfers"]["routes"] = routes
    # (1 ms + 1,000 B x 1 us/B) x max(1, 1 / f): 1 at 1 GHz, 2 at 500 MHz.
    assert rows(lowered(board), "node_work_ns")["b1>L"] == [2 * MS]
    low = lowered(board, mapping={"segments": "BGL", "opp": {"B": "500 MHz"}})
    assert rows(low, "node_work_ns")["b1>L"] == [4 * MS]
    # The clock of the sending segment, where that is B's; of the receiving one, where that is.
    sending = lowered(board, mapping={"segments": "BGL", "opp": {"b1": "500 MHz"}})
    assert rows(sending, "node_work_ns")["b1>L"][0] == 4 * MS
    receiving = lowered(board, mapping={"segments": "GBL", "opp": {"e1": "500 MHz"}})
    assert rows(receiving, "node_work_ns")["b1>B"][0] == 4 * MS
    assert rows(receiving, "node_work_ns")["b1>L"][0] == 2 * MS


def test_a_transfer_leaves_the_clock_as_it_is() -> None:
    found = lowered(two_clocks(), mapping={"segments": "BGL", "opp": {"b1": "500 MHz"}})
    assert rows(found, "node_state")["b1>G"] == KEEP_STATE
    # It is sent at the clock of the segment that made the tensor.
    assert set(rows(found, "node_power_uw")["b1>G"]) == {500 * MW}


def test_a_copy_by_the_gpu_takes_its_host_along() -> None:
    found = lowered(hosted("B"), "GBL")
    assert rows(found, "node_host_uw")["b1>B"] == [100 * MW]


def test_transfers_of_the_shipped_board() -> None:
    work = rows(lower(camera()), "node_work_ns")
    # 0.70 ms + 262,144 B x 0.35 ns/B; the clock law of B at 1.8 GHz is below 1: 0.224 + 0.718 / 1.8.
    assert work["b1>G"] == [791_750]
    # 0.40 ms + 262,144 B x 0.70 ns/B; L at 1.416 GHz: 0.862 + 0.162 / 1.416 < 1.
    assert work["b1>L"] == [583_501]


# -- rules --------------------------------------------------------------------------------------------------


def test_rules_of_the_presets() -> None:
    for preset, cancellation in (("cooperative", Cancellation.QUEUED), ("coup-switch", Cancellation.NONE)):
        plan = lowered(policy=preset).plan
        assert plan.cancellation == cancellation
        assert plan.stage_capacity.tolist() == [UNBOUNDED] * plan.n_resources
        assert (plan.queue_capacity, plan.frames_in_flight) == (UNBOUNDED, UNBOUNDED)
        assert (plan.dispatch, plan.first_confident) == (Dispatch.OLDEST_FRAME, 0)


@pytest.mark.parametrize(
    ("policy", "field", "expected"),
    [
        ({"cancellation": "running"}, "cancellation", Cancellation.RUNNING_AT_KERNEL),
        ({"cancellation": "running", "abort_at": "once"}, "cancellation", Cancellation.RUNNING_AT_ONCE),
        ({"cancellation": "none", "abort_at": "once"}, "cancellation", Cancellation.NONE),
        ({"dispatch": "fifo"}, "dispatch", Dispatch.FIFO),
        ({"frames_in_flight": 3}, "frames_in_flight", 3),
        ({"queue": {"capacity": 0}}, "queue_capacity", 0),
        ({"queue": {"full": "drop_oldest"}}, "queue_full", WhenFull.DROP_OLDEST),
        ({"queue": {"full": "block"}}, "queue_full", WhenFull.BLOCK),
        ({"stage_queue": {"capacity": 2, "full": "drop_newest"}}, "stage_full", WhenFull.DROP_NEWEST),
    ],
)
def test_switches_become_numbers(policy: dict[str, Any], field: str, expected: int) -> None:
    before, after = lowered().plan._asdict(), lowered(policy=policy).plan._asdict()
    assert after[field] == expected
    changed = {key for key in after if not np.array_equal(after[key], before[key])}
    assert changed <= {field, "stage_capacity"}


def test_queues_of_pes_have_limits_of_their_own() -> None:
    queue = {"capacity": 2, "bytes": "5 kB", "pes": {"L": {"capacity": 0}, "G": {"bytes": "unbounded"}}}
    plan = lowered(policy={"stage_queue": queue}).plan
    assert plan.stage_capacity.tolist() == [2, 0, 2]
    assert plan.stage_bytes.tolist() == [5000, 5000, UNBOUNDED]


def test_a_node_reads_the_tensor_of_its_source() -> None:
    network = network_data({"name": "b1", "output": "3 kB"}, *({**segment, "output": "2 kB"} for segment in PAIR[1:]))
    board = board_data()
    found = lower(scenario_of(board, network, everywhere(board, {"b1": 1, "e1": 1, "b2": 1}), "BLB"))
    # The branch and its copy, and the next segment, read what b1 puts out; b1 reads the network's input.
    read = dict(zip(found.labels.nodes, found.plan.node_bytes.tolist(), strict=True))
    assert read == {"b1": 1000, "b1>L": 3000, "e1": 3000, "b2": 3000}


def test_a_stage_queue_bounds_every_resource() -> None:
    found = lowered(board_data(charge="link"), policy={"stage_queue": {"capacity": 2}})
    assert found.plan.stage_capacity.tolist() == [2] * 4


@pytest.mark.parametrize(
    ("policy", "in_flight"),
    [("cooperative", 1), ({"frames_in_flight": 4}, 4), ("coup-switch", UNBOUNDED)],
)
def test_a_closed_loop_is_a_source_that_is_held_back(policy: Any, in_flight: int) -> None:
    plan = lowered(policy=policy, stream=STREAM | {"arrivals": {"kind": "closed_loop"}}).plan
    assert (plan.queue_capacity, plan.queue_full) == (0, WhenFull.BLOCK)
    assert plan.frames_in_flight == in_flight


def test_servers_groups_and_idle_powers() -> None:
    idle = {"value": "7 mW", "origin": ORIGIN}
    pes = {"B": pe_data(servers=2), "L": pe_data(idle_power=idle), "G": pe_data()}
    board = board_data(pes, exclusive=[["L", "G"]], base_power={"value": "3 W", "origin": ORIGIN})
    found = lowered(board)
    assert found.plan.server_resource.tolist() == [0, 0, 1, 2]
    assert found.labels.servers == ("B.0", "B.1", "L", "G")
    assert found.plan.resource_group.tolist() == [-1, 0, 0]
    assert found.plan.resource_idle_uw.tolist() == [0, 7 * MW, 0]
    assert found.plan.base_uw == 3000 * MW


# -- frames -------------------------------------------------------------------------------------------------


def frames(exits: Sequence[int], confident: Sequence[int] = (), noise: Any = None) -> Frames:
    return Frames(
        ints(range(len(exits))), ints(exits), ints(confident), ints(np.empty((0, 7)) if noise is None else noise)
    )


def test_drawn_exits_become_exits_of_the_plan() -> None:
    mapping = {"segments": "BGLGLGL", "exits": ["exit2"]}
    found = lowered(of=RESNET, mapping=mapping)
    assert found.labels.exits == ("exit2", "final")
    assert found.labels.exit_number == (2, 4)
    # Exit 1 is disabled: its frames leave at exit 2; those of exit 3 at the final one.
    assert found.draws(frames([0, 1, 2, 3])).exit.tolist() == [0, 0, 1, 1]


def test_without_decisions_all_frames_leave_at_the_only_exit() -> None:
    found = lowered(of=RESNET, segments="BGLGLGL", policy="coup-switch")
    assert found.draws(frames([0, 1, 2, 3])).exit.tolist() == [0, 0, 0, 0]


def test_confidence_at_a_disabled_exit_counts_at_the_next_enabled_one(tmp_path: Path) -> None:
    columns = ["exit", *(f"confident_{k}" for k in (1, 2, 3, 4))]
    (tmp_path / "e.csv").write_text(f"{','.join(columns)}\n4,0,0,0,1\n")
    found = lower(
        camera(
            {
                "mapping.exits": ["exit2"],
                "policy.exit_order": "first_confident",
                "stream.exits": {"kind": "trace", "path": str(tmp_path / "e.csv")},
                "run.frames": 1,
            }
        )
    )
    assert found.plan.first_confident == 1
    # Bits of exit 1, 2, 3, final become bits of exit 2, final.
    drawn = found.draws(frames([0] * 4, [0b1111, 0b1001, 0b1010, 0b1100]))
    assert drawn.exit.tolist() == [0b11, 0b11, 0b11, 0b10]


def test_noise_belongs_to_segments_and_not_to_transfers() -> None:
    found = lowered()
    noise = [[2 * FULL_SPEED, 3 * FULL_SPEED, 4 * FULL_SPEED]]
    drawn = found.draws(frames([0], noise=noise)).noise_ppm
    assert dict(zip(found.labels.nodes, (drawn[0] / FULL_SPEED).tolist(), strict=True)) == {
        "b1": 2, "e1": 3, "b2": 4, "b1>G": 1, "b1>L": 1,
    }  # fmt: skip


# -- large --------------------------------------------------------------------------------------------------


def test_a_long_chain_with_many_exits_on_sixteen_pes_lowers_and_runs() -> None:
    names = [f"P{i}" for i in range(16)]
    segments: list[dict[str, Any]] = []
    for k in range(250):
        segments.append({"name": f"b{k}"} | ({"exit": "final"} if k == 249 else {}))
        if k % 5 == 2:
            segments.append({"name": f"e{k}", "after": f"b{k}", "exit": f"x{k}"})
    assert len(segments) == 300
    pairs = {a: {b: 1.01 for b in names if a != b} for a in names}
    board = board_data({name: pe_data() for name in names}, contention={"pairs": pairs, "origin": ORIGIN})
    begin = time.perf_counter()
    found = lowered(
        board,
        [names[i % 16] for i in range(300)],
        of=segments,
        stream=STREAM | {"exits": {"kind": "fixed", "exit": 51}},
    )
    assert time.perf_counter() - begin < 5
    plan = found.plan
    assert plan.n_exits == 51
    # Every tensor crosses: 249 backbone segments send one copy, 50 of them two.
    assert plan.n_nodes == 300 + 249 + 50
    engines: list[Engine] = [CompiledEngine(plan), ReferenceEngine(plan)]
    for engine in engines:
        engine.feed(draws(plan, [0, 10 * MS, 20 * MS], [50, 0, 25]), final=True)
    records = [engine.take_records() for engine in engines]
    assert np.array_equal(*records)
    # At least 250 segments of 1 ms and 249 transfers on the way to the last exit.
    latency = {int(row[0]): int(row[2] - row[1]) for row in records[0]}
    assert latency[0] >= (250 + 249) * MS
    assert 0 < latency[1] < latency[2] < latency[0]


def test_a_loaded_scenario_lowers_as_one_made_of_models(tmp_path: Path) -> None:
    board = board_data()
    times = everywhere(board, TIMES)
    path = write_world(tmp_path, board, network_data(*PAIR), times, {
        "eesim": 1, "board": "board", "network": "net", "mapping": {"segments": "BGL"}, "stream": STREAM,
    })  # fmt: skip
    by_file, by_model = lower(eesim.load(path)), lowered()
    assert by_file.labels == by_model.labels
    for a, b in zip(by_file.plan, by_model.plan, strict=True):
        assert np.array_equal(a, b)
