"""From a scenario file to a `Scenario`: what is found, what is changed, and every problem at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import eesim
from eesim.errors import InputError
from eesim.overrides import Override
from eesim.scenario.library import known_networks
from eesim.scenario.load import DEFAULT_FRAMES, changed, load
from tests.scenarios import (
    CAMERA,
    COUNTS,
    MS,
    ORIGIN,
    PAIR,
    board_data,
    camera,
    everywhere,
    network_data,
    pe_data,
    scenario_data,
    write_world,
)

MHZ = 10**6
BOARD = board_data()
TIMES = everywhere(BOARD, {"b1": 1, "e1": 2, "b2": 3})


def problems(source: Any, overrides: Any = (), folder: Path = Path()) -> list[str]:
    with pytest.raises(InputError) as caught:
        eesim.load(source, overrides, folder=folder)
    return [str(problem) for problem in caught.value.problems]


def world(folder: Path, **sections: Any) -> Path:
    return write_world(folder, BOARD, network_data(*PAIR), TIMES, scenario_data("BGL", **sections))


# -- what is loaded -----------------------------------------------------------------------------------------


def test_the_shipped_scenario_is_what_it_says() -> None:
    scenario = camera()
    assert (scenario.board.name, scenario.network.name, scenario.profile.network) == (
        "rk3399pro",
        "ee_resnet18",
        "ee_resnet18",
    )
    assert scenario.mapping.order == "BGLGLGL"
    assert scenario.mapping.pe_opp_hz == {"B": 1800 * MHZ, "L": 1416 * MHZ, "G": 800 * MHZ, "N": 800 * MHZ}
    assert scenario.policy.preset == "cooperative"
    assert scenario.n_frames == 20_000
    assert scenario.spec.stream.exits.counts == COUNTS  # type: ignore[union-attr]


def test_names_beside_the_scenario_come_first(tmp_path: Path) -> None:
    scenario = eesim.load(world(tmp_path))
    assert scenario.files == {
        "scenario": str(tmp_path / "scenario.yaml"),
        "board": str(tmp_path / "board" / "board.yaml"),
        "network": str(tmp_path / "net.yaml"),
        "profile": str(tmp_path / "board" / "profiles" / "net.yaml"),
    }


def test_a_board_is_found_in_the_folder_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world(tmp_path)
    (tmp_path / "board").rename(tmp_path / "elsewhere")
    (tmp_path / "boards").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "boards" / "board")
    assert "there is no board 'board'" in problems(path)[0]
    monkeypatch.setenv("EESIM_HW_MODELS", str(tmp_path / "boards"))
    assert eesim.load(path).board.name == "board"


def test_boards_and_networks_may_be_paths_relative_to_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world(tmp_path, board="board/board.yaml", network="net.yaml")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert eesim.load(path).network.name == "net"


def test_a_dictionary_says_the_same_as_a_file(tmp_path: Path) -> None:
    path = world(tmp_path)
    by_file = eesim.load(path)
    by_data = eesim.load(scenario_data("BGL"), folder=tmp_path)
    assert (by_data.spec, by_data.board, by_data.mapping) == (by_file.spec, by_file.board, by_file.mapping)


def test_a_profile_may_be_named(tmp_path: Path) -> None:
    path = world(tmp_path, profile="slow.yaml")
    profile = json.loads((tmp_path / "board" / "profiles" / "net.yaml").read_text())
    (tmp_path / "slow.yaml").write_text(json.dumps(profile | {"times": everywhere(BOARD, {"b1": 9, "e1": 9, "b2": 9})}))
    scenario = eesim.load(path)
    assert scenario.profile.time_ns(scenario.board, "b1", "B", 1000 * MHZ) == 9 * MS


def test_a_board_can_be_extended() -> None:
    scenario = camera({"board": {"extends": "rk3399pro", "contention": {"pairs": {"B": {"G": 1.6}}}}})
    plain = camera().board
    assert scenario.board.contention.pairs == {"B": {"G": 1.6}}
    assert scenario.board.pes == plain.pes
    assert scenario.board.contention.origin == plain.contention.origin


def test_a_path_leads_through_the_short_form_of_a_board() -> None:
    by_path = camera(["board.pes.G.host=L"])
    assert by_path.board.pes["G"].host == "L"
    assert by_path.board.pes["B"] == camera().board.pes["B"]


def test_a_path_leads_through_the_short_form_of_a_policy() -> None:
    scenario = camera(["policy=coup-switch", "policy.cancellation=running"])
    assert scenario.policy.preset == "coup-switch"
    assert scenario.policy.cancellation == "running"


def test_a_network_can_be_extended() -> None:
    scenario = camera({"network": {"extends": "ee_resnet18", "input": "5 B"}})
    assert scenario.network.input == 5
    assert scenario.network.segments == camera().network.segments


def test_overrides_are_the_same_as_text_and_as_data() -> None:
    text = camera(["stream.arrivals.rate=60 Hz", "run.frames=7", "mapping.opp.B=408 MHz"])
    data = camera({"stream.arrivals.rate": "60 Hz", "run.frames": 7, "mapping.opp.B": "408 MHz"})
    assert text.spec == data.spec
    assert data.n_frames == 7
    assert data.mapping.pe_opp_hz["B"] == 408 * MHZ


def test_an_arrival_model_of_another_kind_replaces_the_old_one() -> None:
    scenario = camera({"stream.arrivals": {"kind": "poisson", "rate": "9 Hz"}})
    assert scenario.spec.stream.arrivals.kind == "poisson"


def test_the_number_of_frames_is_that_of_the_traces_or_a_default(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("arrival_ms\n1\n2\n3\n")
    (tmp_path / "e.csv").write_text("exit\n1\n2\n")
    trace = {"arrivals": {"kind": "trace", "path": "a.csv"}, "exits": {"kind": "trace", "path": "e.csv"}}
    path = world(tmp_path, run={})
    assert eesim.load(path).n_frames == DEFAULT_FRAMES
    assert eesim.load(path, {"stream.arrivals": trace["arrivals"]}).n_frames == 3
    assert eesim.load(path, {"stream": trace}).n_frames == 2
    assert eesim.load(path, {"stream": trace, "run.frames": 1}).n_frames == 1


def test_traces_are_found_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("arrival_ms\n1\n2.5\n")
    stream = {"arrivals": {"kind": "trace", "path": "a.csv"}, "exits": {"kind": "fixed", "exit": 1}}
    scenario = eesim.load(world(tmp_path, stream=stream, run={}))
    assert scenario.traces.arrival_ns.tolist() == [MS, 2_500_000]


# -- what the user should know ------------------------------------------------------------------------------


def test_estimates_and_assumptions_are_noted() -> None:
    assert any("clocks are assumed" in note for note in camera().notes)
    assert not any("estimated" in note for note in camera().notes)
    assert "estimated, not measured at this clock: b1 on B" in camera({"mapping.opp.B": "408 MHz"}).notes


def test_physics_without_effect_is_noted() -> None:
    assert any("physics.cold_start: no effect" in note for note in camera({"physics.cold_start": False}).notes)
    static = camera({"physics.dvfs_delay": False})
    assert any("physics.dvfs_delay has no effect" in note for note in static.notes)
    changing = camera({"physics.dvfs_delay": False, "mapping.opp.b2": "408 MHz"})
    assert not any("physics.dvfs_delay" in note for note in changing.notes)


# -- what is wrong ------------------------------------------------------------------------------------------


def test_everything_wrong_with_a_scenario_is_reported_at_once(tmp_path: Path) -> None:
    text = CAMERA.read_text()
    for good, bad in (
        ("rate: 30 Hz", "rate: 30"),
        ("segments: BGLGLGL", "segments: BGLGLGX"),
        ("B: 1800 MHz", "B: 1750 MHz"),
        ("policy: cooperative", "policy: co-operative"),
        ("kind: counts, counts:", "kind: count, counts:"),
        ("warmup: auto", "warmup: automatic"),
        ("p99_latency", "p98_latency"),
    ):
        assert good in text
        text = text.replace(good, bad)
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    line = {word: n for n, row in enumerate(text.splitlines(), 1) for word in row.split(":")[:1]}
    # The mapping's line is that of its key, the stream's parts have lines of their own.
    found = [text.removeprefix(f"{path}:") for text in problems(path)]
    where = {text.partition(": ")[2].partition(": ")[0]: text for text in found}
    assert set(where) == {
        "mapping.opp.B",
        "mapping.segments",
        "policy",
        "stream.arrivals.rate",
        "stream.exits.kind",
        "run.warmup",
        "requirements.p98_latency",
    }
    assert where["mapping.segments"].startswith(f"{line['mapping']}: ")
    assert where["stream.arrivals.rate"].startswith(f"{line['  arrivals']}: ")
    assert where["requirements.p98_latency"].startswith(f"{line['requirements']}: ")
    hints = {
        path: text.rpartition("(did you mean ")[2].rstrip("?)") for path, text in where.items() if "did you" in text
    }
    assert hints == {
        "mapping.opp.B": "1800 MHz",
        "policy": "cooperative",
        "stream.arrivals.rate": "30 fps",
        "stream.exits.kind": "counts",
        "run.warmup": "auto",
        "requirements.p98_latency": "p99_latency",
    }


def test_unknown_names_get_suggestions() -> None:
    found = problems(CAMERA, {"board": "rk3399", "network": "eeresnet18"})
    networks = ", ".join(known_networks(CAMERA.parent))
    assert found == [
        "--set: board: there is no board 'rk3399' (known: psoc6, rk3399pro, tiers) (did you mean rk3399pro?)",
        f"--set: network: there is no network 'eeresnet18' (known: {networks}) (did you mean ee_resnet18?)",
    ]


def test_a_problem_of_an_extended_board_points_at_the_scenario(tmp_path: Path) -> None:
    text = CAMERA.read_text().replace(
        "board: rk3399pro", "board:\n  extends: rk3399pro\n  contention:\n    pairs: {B: {G: 0.5}}"
    )
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "pairs" in row)
    (found,) = problems(path)
    assert found.startswith(f"{path}:{line}: board.contention.pairs.B.G: must be at least 1")


def test_a_misspelt_option_is_found_at_the_command_line() -> None:
    assert problems(CAMERA, ["stream.arivals.rate=60 Hz"]) == [
        "--set: stream.arivals: unknown key (did you mean arrivals?)"
    ]


@pytest.mark.parametrize(
    ("exits", "expected"),
    [
        ({"kind": "counts", "counts": [1, 2]}, "stream.exits.counts: has 2 entries, but"),
        ({"kind": "shares", "shares": [0.5, 0.5]}, "stream.exits.shares: has 2 entries, but"),
        ({"kind": "fixed", "exit": 5}, "stream.exits.exit: there is no exit 5"),
        ({"kind": "fixed", "exit": 1, "accuracy": [0.9]}, "stream.exits.accuracy: has 1 entry, but"),
    ],
)
def test_exits_must_fit_the_network(exits: dict[str, Any], expected: str) -> None:
    (found,) = problems(CAMERA, {"stream.exits": exits})
    assert expected in found
    assert "4 exits (exit1, exit2, exit3, final)" in found


def test_segments_that_vary_must_exist() -> None:
    found = problems(CAMERA, {"stream.noise": {"kind": "lognormal", "cv": {"b1": 0.2, "bl1": 0.3}}})
    assert found == ["--set: stream.noise.cv.bl1: network ee_resnet18 has no such segment (did you mean b1?)"]
    (found_cv,) = problems(CAMERA, {"stream.noise": {"kind": "lognormal", "cv": {"b1": -0.2}}})
    assert "stream.noise.cv.b1" in found_cv
    changed_one = camera(["stream.noise={kind: lognormal, cv: {b1: 0.2}}", "stream.noise.cv.e1=0.1"])
    assert changed_one.spec.stream.noise.cv == {"b1": 0.2, "e1": 0.1}  # type: ignore[union-attr]


def test_requirements_that_cannot_be_judged_are_refused() -> None:
    assert "needs a deadline" in problems(CAMERA, {"requirements": {"deadline_miss_rate": "5 %"}})[0]
    assert "accuracy is not given" in problems(CAMERA, {"requirements": {"accuracy": "90 %"}})[0]


def test_first_confident_needs_a_trace_that_says_who_is_confident(tmp_path: Path) -> None:
    assert "first_confident needs" in problems(CAMERA, ["policy.exit_order=first_confident"])[0]
    (tmp_path / "e.csv").write_text("exit\n1\n")
    exits = {"kind": "trace", "path": str(tmp_path / "e.csv")}
    found = problems(CAMERA, {"policy.exit_order": "first_confident", "stream.exits": exits, "run.frames": 1})
    assert [text.partition(": ")[2].partition(":")[0] for text in found] == [f"confident_{k}" for k in (1, 2, 3, 4)]


def test_a_trace_shorter_than_the_run_is_refused_with_its_length(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("exit\n" + "1\n" * 5)
    path = world(tmp_path, run={"frames": 6})
    exits = {"kind": "trace", "path": "e.csv"}
    (found,) = problems(path, {"stream.exits": exits})
    assert found.endswith("6 frames are asked for, but the exits trace has 5 rows (did you mean 5?)")
    assert eesim.load(path, {"stream.exits": exits, "run.frames": 5}).n_frames == 5


def test_segments_without_times_and_clocks_without_laws_are_refused(tmp_path: Path) -> None:
    board = board_data({"B": pe_data((500, 1000)), "L": pe_data()})
    times = {"b1": {"B": "1 ms"}, "e1": {"B": "1 ms"}, "b2": {"B": "1 ms", "L": "1 ms"}}
    data = scenario_data("LBB", mapping={"segments": ["L", "B", "B"], "opp": {"b2": "500 MHz"}})
    path = write_world(tmp_path, board, network_data(*PAIR), times, data)
    assert [text.partition(": ")[2] for text in problems(path)] == [
        "mapping.segments.0: segment b1 has no time on L (profiled on B)",
        "mapping.segments.2: B has no frequency law to scale segment b2 to another clock",
    ]


def test_a_tensor_without_a_route_is_refused_unless_transfers_are_off(tmp_path: Path) -> None:
    routes = {"B->G": {"fixed": "1 ms", "per_byte": "0 ns/B", "origin": ORIGIN}}
    board = board_data(transfers={"charge": "sender", "charge_origin": ORIGIN, "routes": routes})
    path = write_world(tmp_path, board, network_data(*PAIR), TIMES, scenario_data("BGL"))
    (found,) = problems(path)
    assert found.endswith("mapping.segments: board board states no transfer B->L")
    assert eesim.load(path, {"physics.transfers": False}).mapping.order == "BGL"


def test_a_board_without_a_profile_of_the_network_is_refused(tmp_path: Path) -> None:
    path = world(tmp_path)
    (tmp_path / "board" / "profiles" / "net.yaml").unlink()
    (found,) = problems(path)
    assert "network: board board has no profile of network net" in found


def test_a_missing_scenario_suggests_its_neighbour(tmp_path: Path) -> None:
    path = world(tmp_path)
    assert problems(tmp_path / "scenaro.yaml") == [f"{tmp_path}/scenaro.yaml: no such file (did you mean {path}?)"]


@pytest.mark.parametrize("section", ["board", "network", "mapping", "stream", "eesim"])
def test_a_missing_section_is_reported(tmp_path: Path, section: str) -> None:
    data = scenario_data("BGL")
    del data[section]
    path = write_world(tmp_path, BOARD, network_data(*PAIR), TIMES, data)
    assert [text.rpartition(": ")[2] for text in problems(path)] == ["missing"]


SECTIONS = (
    "board",
    "network",
    "mapping",
    "policy",
    "physics",
    "stream",
    "stream.arrivals",
    "stream.exits",
    "run",
    "requirements",
)


@pytest.mark.parametrize("value", [[], ["cooperative"], "x", 5, True, None, {}, {"x": []}], ids=str)
def test_sections_of_the_wrong_make_are_problems_and_not_crashes(tmp_path: Path, value: Any) -> None:
    path = world(tmp_path)
    refused = []
    for section in SECTIONS:
        try:
            eesim.load(path, {section: value})
        except InputError:
            refused.append(section)
    # Sections that have defaults may be empty.
    assert set(SECTIONS) - set(refused) <= ({"physics", "run", "requirements", "policy"} if value == {} else set())
    assert {"board", "network", "mapping", "stream"} <= set(refused)


# -- changes of profiles and of items of lists ---------------------------------------------------------------


def test_a_profile_can_be_changed() -> None:
    scenario = camera(["profile.times.b1.B=8.17 ms"])
    assert scenario.profile.times["b1"] == {"B": 8_170_000, "L": 12_030_000, "G": 8_570_000}
    assert scenario.documents["profile"]["times"]["b1"]["B"] == "8.17 ms"


def test_a_named_profile_can_be_changed(tmp_path: Path) -> None:
    path = world(tmp_path, profile={"extends": "slow.yaml", "times": {"b1": {"B": "3 ms"}}})
    profile = json.loads((tmp_path / "board" / "profiles" / "net.yaml").read_text())
    (tmp_path / "slow.yaml").write_text(json.dumps(profile | {"times": everywhere(BOARD, {"b1": 9, "e1": 9, "b2": 9})}))
    scenario = load(path)
    assert scenario.profile.time_ns(scenario.board, "b1", "B", 1000 * MHZ) == 3 * MS
    assert scenario.profile.time_ns(scenario.board, "e1", "B", 1000 * MHZ) == 9 * MS


def test_typos_in_a_changed_profile_are_found() -> None:
    with pytest.raises(InputError, match=r"profile\.tims: unknown key \(did you mean times\?\)"):
        camera(["profile.tims.b1.B=8 ms"])
    with pytest.raises(InputError, match=r"profile\.times\.b1\.B: needs a unit"):
        camera(["profile.times.b1.B=8"])


def test_items_of_the_board_s_lists_can_be_set() -> None:
    scenario = camera(["board.pes.B.opps.table.7.active_power=2 W", "network.segments.0.output=1 kB"])
    table = scenario.board.pes["B"].opps.table
    assert (table[7].active_power, table[7].frequency, len(table)) == (2_000_000, 1_800_000_000, 8)
    assert scenario.network.segments[0].output == 1000


@pytest.mark.parametrize("index", ["8", "-1", "x"])
def test_items_that_are_not_there_cannot_be_set(index: str) -> None:
    with pytest.raises(InputError, match=r"board\.pes\.B\.opps\.table"):
        camera([f"board.pes.B.opps.table.{index}.active_power=2 W"])


def test_changes_are_relative_to_the_scenario_s_folder(tmp_path: Path) -> None:
    scenario = load(world(tmp_path))
    again = changed(scenario, [Override(("run", "frames"), 7)])
    assert (again.n_frames, again.folder) == (7, tmp_path)
