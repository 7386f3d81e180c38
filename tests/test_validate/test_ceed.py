"""CEED profiles: what becomes of each key, what the simulator makes of them, what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import eesim
from eesim.errors import InputError
from eesim.scenario.load import Scenario
from eesim.spec import validate_document
from eesim.validate.importers import import_path
from eesim.workload.network import Network
from eesim.yamldoc import parse_document
from tests.test_validate.ceed_profiles import GATES, PARTS, profile, write
from tests.test_validate.mutations import damage
from tests.test_validate.shared import shared

ALONE = {"stream.arrivals": {"kind": "periodic", "rate": "0.01 Hz"}, "run.replications": 1, "run.warmup": "none"}
"""Frames that never meet."""


def imported(tmp_path: Path, data: dict[str, Any], changes: Any = (), **options: Any) -> Scenario:
    """Import a profile into a folder and load the scenario that was written."""
    import_path("ceed", write(tmp_path, data), tmp_path / "out", **options)
    (scenario,) = (tmp_path / "out").glob("*.scenario.yaml")
    return eesim.load(scenario, changes)


def refused(tmp_path: Path, data: dict[str, Any], **options: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        import_path("ceed", write(tmp_path, data), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    return [str(problem) for problem in caught.value.problems]


def gate_time_ms(scenario: Path, gate: int, **changes: Any) -> float:
    """Mean latency of frames that all stop at a gate, no other gate being there."""
    exits = {"mapping.exits": [f"gate_{gate}"], "stream.exits": {"kind": "fixed", "exit": gate + 1}}
    value = eesim.run(eesim.load(scenario, {**ALONE, **exits, **changes})).value("latency_ms.mean")
    assert value is not None
    return value


# -- what comes out -------------------------------------------------------------------------------------------


def test_layers_become_segments_and_gates_branches(tmp_path: Path) -> None:
    network = imported(tmp_path, profile()).network
    assert network.segment_names == (
        *("layer_0_Conv_0", "layer_1_BatchNorm2d_1", "gate_0", "layer_2_Residual_2", "layer_3_Residual_3", "gate_1"),
        *("layer_4_Residual_4", "layer_5_Residual_5", "gate_2"),
    )
    assert network.sources == (-1, 0, 1, 1, 3, 4, 4, 6, 7), "the last gate goes on the backbone"
    assert network.exit_names == ("gate_0", "gate_1", "gate_2")
    assert [s.output for s in network.segments] == [1000, 2000, 40, 3000, 4000, 40, 5000, 6000, 40]
    assert [s.kernels for s in network.segments] == [1, 1, 2, 1, 1, 2, 1, 1, 2]


@pytest.mark.parametrize("slower", [0.8, 1.0, 1.3])
def test_times_up_to_the_gates_are_the_measured_ones(slower: float, tmp_path: Path) -> None:
    data = profile(slower=slower)
    imported(tmp_path, data)
    for gate, layer in GATES.items():
        measured = 1e3 * data[f"execution_time_gate_{gate}_layer_{layer}"]["mean"]
        found = gate_time_ms(tmp_path / "out" / "profile_summary.scenario.yaml", gate, **{"run.frames": 1})
        scenario = tmp_path / "out" / "profile_summary.scenario.yaml"
        still = gate_time_ms(scenario, gate, **{"run.frames": 1, "stream.noise": None})
        assert still == pytest.approx(measured, rel=1e-6)
        assert found != still, "times vary, as the scenario says"


def test_layers_as_timed_if_that_is_wanted(tmp_path: Path) -> None:
    data = profile(slower=1.3)
    imported(tmp_path, data, times="layers")
    scenario = tmp_path / "out" / "profile_summary.scenario.yaml"
    for gate, layer in GATES.items():
        backbone = sum([s["mean"] for s in data["backbone_execution_time"].values()][: layer + 1])
        own = sum(s["mean"] for name, s in data["gate_execution_time"].items() if name.startswith(f"gate_{gate}_"))
        found = gate_time_ms(scenario, gate, **{"run.frames": 1, "stream.noise": None})
        assert found == pytest.approx(1e3 * (backbone + own), rel=1e-6)


def test_the_table_of_gates_says_how_layers_and_runs_differ(tmp_path: Path) -> None:
    rows = import_path("ceed", write(tmp_path, profile(slower=1.25))).tables["gate_times"]
    assert [(row["gate"], row["layer"]) for row in rows] == list(GATES.items())
    for row in rows:
        own = row["gate_ms"]
        assert row["time_ms"] - own == pytest.approx(1.25 * (row["layers_ms"] - own))
        assert row["layers_error_pct"] == pytest.approx(100 * (row["layers_ms"] / row["time_ms"] - 1))
        assert row["scale"] == pytest.approx(1.25)


def test_spreads_are_those_of_the_logarithms_and_stay_where_times_are_scaled(tmp_path: Path) -> None:
    data = profile(slower=1.4)
    first = data["backbone_execution_time"]["layer_0_Conv_0"]
    first["max"], first["std"], first["var"] = 99.0, 3.0, 9.0  # one slow start among many samples
    scenario = imported(tmp_path, data, {"run.frames": 20_000})
    cvs = scenario.spec.stream.noise.cv  # type: ignore[union-attr]
    assert cvs["layer_0_Conv_0"] == pytest.approx(math.sqrt(math.expm1(first["log_std"] ** 2)), rel=1e-3)  # type: ignore[index]
    (block, *_) = scenario.blocks(20_000, seed=1, replication=0)
    logs = np.log(block.noise_ppm / 1e6)  # type: ignore[union-attr]
    names = list(data["backbone_execution_time"])
    for name in names:
        wanted = data["backbone_execution_time"][name]["log_std"]
        found = logs[:, scenario.network.segment_names.index(name)].std()
        assert found == pytest.approx(wanted, rel=0.03), name


def test_a_gate_s_spread_is_that_of_the_sum_of_its_parts(tmp_path: Path) -> None:
    data = profile()
    cvs = imported(tmp_path, data).spec.stream.noise.cv  # type: ignore[union-attr]
    parts = [data["gate_execution_time"][f"gate_1_layer_3_{part}_1"] for part in PARTS]
    variance = sum(part["mean"] ** 2 * math.expm1(part["log_std"] ** 2) for part in parts)
    wanted = math.sqrt(variance) / sum(part["mean"] for part in parts)
    assert cvs["gate_1"] == pytest.approx(wanted, rel=1e-3)  # type: ignore[index]


def test_pes_and_how_fast_they_are(tmp_path: Path) -> None:
    scenario = imported(tmp_path, profile(), pe=["worker", "edge=4", "cloud=0.5"])
    for row in scenario.profile.times.values():
        assert row["edge"] == pytest.approx(row["worker"] / 4, abs=1)
        assert row["cloud"] == pytest.approx(row["worker"] * 2, abs=1)
    assert "assumed, not measured: edge: as measured / 4" in scenario.profile.origin.note
    assert set(scenario.mapping.pes) == {"worker"}


@pytest.mark.parametrize(
    ("pe", "message"),
    [
        (["edge=fast"], "--pe: must be NAME or NAME=SPEED, such as edge=4, not 'edge=fast'"),
        (["edge=0"], "not 'edge=0'"),
        (["4"], "not '4'"),
        (["edge", "edge=2"], "edge appears twice"),
        (["edge=0.000001"], "a segment would take more than 9000 s"),
    ],
)
def test_pes_that_cannot_be(tmp_path: Path, pe: list[str], message: str) -> None:
    assert message in " ".join(refused(tmp_path, profile(), pe=pe))


# -- the description beside it --------------------------------------------------------------------------------


def test_the_description_names_the_network_and_sizes_its_input(tmp_path: Path) -> None:
    about = {"dataset": "cifar 10", "input_size": [3, 32, 32], "early_exits_gates": [1, 3, 5], "colour": "red"}
    write(tmp_path, about, "model_profile.json")
    found = import_path("ceed", write(tmp_path, profile()))
    assert set(found.found.documents) == {"cifar_10.yaml", "cifar_10_profile.yaml", "cifar_10.scenario.yaml"}
    network = validate_document(Network, parse_document(found.found.documents["cifar_10.yaml"], "x"))
    assert network.input == 3 * 32 * 32 * 4
    assert found.tally.unknown["colour"].count == 1
    assert not any("elsewhere" in warning for warning in found.tally.warnings)
    write(tmp_path, about | {"early_exits_gates": [1, 2, 5]}, "model_profile.json")
    assert any("elsewhere" in w for w in import_path("ceed", tmp_path / "profile_summary.json").tally.warnings)


@pytest.mark.parametrize("scale", [1, 100])
def test_accuracies_are_taken_over_as_shares_or_in_per_cent(tmp_path: Path, scale: int) -> None:
    accuracy = {f"gate_{i}": share * scale for i, share in enumerate((0.7, 0.8, 0.9))}
    write(tmp_path, {"accuracy": accuracy}, "model_profile.json")
    scenario = imported(tmp_path, profile())
    assert [float(share) for share in scenario.spec.stream.exits.accuracy or ()] == [0.7, 0.8, 0.9]
    accuracy["gate_1"] = "high"
    write(tmp_path, {"accuracy": accuracy}, "model_profile.json")
    assert imported(tmp_path, profile()).spec.stream.exits.accuracy is None


# -- every key is optional ------------------------------------------------------------------------------------


def only(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in profile().items() if key.startswith(keys)}


WHOLE = 1e3 * profile()["execution_time_gate_2_layer_5"]["mean"]
"""Measured time of the whole network, ms."""


@pytest.mark.parametrize(
    ("keys", "segments", "exits", "mean_ms"),
    [
        (("execution_time",), 6, 3, WHOLE),  # of the whole, and up to each gate: what lies between two is a segment
        (("memory", "layers_output_memory"), 1, 1, 220),
        (("layers_execution_time",), 6, 1, 210),
        (("backbone_execution_time",), 6, 1, 210),
        (("backbone_execution_time", "gate_execution_time"), 9, 3, 216),
        (("backbone_execution_time", "execution_time_gate"), 9, 3, WHOLE),
    ],
)
def test_what_there_is_is_used(
    tmp_path: Path, keys: tuple[str, ...], segments: int, exits: int, mean_ms: float
) -> None:
    data = only(*keys)
    if keys[0] == "memory":
        data["execution_time"] = profile()["execution_time"]
    scenario = imported(tmp_path, data)
    assert (len(scenario.network.segments), len(scenario.network.exit_names)) == (segments, exits)
    last = {"mapping.exits": [scenario.network.exit_names[-1]], "stream.exits": {"kind": "fixed", "exit": exits}}
    alone = {**ALONE, **last, "run.frames": 1, "stream.noise": None}
    found = eesim.load(tmp_path / "out" / "profile_summary.scenario.yaml", alone)
    assert eesim.run(found).value("latency_ms.mean") == pytest.approx(mean_ms, rel=1e-6)


def test_a_statistic_may_be_missing(tmp_path: Path) -> None:
    data = only("backbone_execution_time")
    times = data["backbone_execution_time"]
    times["layer_0_Conv_0"] = {"mean": 0.5}
    times["layer_1_BatchNorm2d_1"] = {"log_mean": math.log(0.2), "log_std": 0.3}
    times["layer_2_Residual_2"] = {"mean": 0.5, "var": 0.01}
    scenario = imported(tmp_path, data)
    cvs = scenario.spec.stream.noise.cv  # type: ignore[union-attr]
    assert "layer_0_Conv_0" not in cvs  # type: ignore[operator]
    row = scenario.profile.times["layer_1_BatchNorm2d_1"]
    assert row["worker"] == pytest.approx(0.2e9 * math.exp(0.045), rel=1e-6)
    assert cvs["layer_2_Residual_2"] == pytest.approx(0.2, rel=1e-3)  # type: ignore[index]


def test_a_gate_before_the_last_layer_leaves_an_exit_at_the_end(tmp_path: Path) -> None:
    data = profile()
    for key in list(data):
        if key.startswith("gate_"):
            data[key] = {name: value for name, value in data[key].items() if not name.startswith("gate_2")}
    del data["execution_time_gate_2_layer_5"]
    network = imported(tmp_path, data).network
    assert network.exit_names == ("gate_0", "gate_1", "final")
    assert network.segments[-1].name == "layer_5_Residual_5"


def test_what_is_not_known_is_counted_with_its_line(tmp_path: Path) -> None:
    data = profile()
    data["gpu"] = {"name": "x", "watts": [1, 2, 3]}
    data["execution_time"]["median"] = 0.1
    data["backbone_output_memory"]["layer_0_Conv_0"] = data["backbone_output_memory"]["layer_2_Residual_2"] = "big"
    del data["layers_output_memory"]["Conv_0"]
    path = write(tmp_path, data)
    found = import_path("ceed", path)
    tally = found.tally
    assert tally.lines == tally.understood + tally.noise + tally.unknown_lines
    assert {kind: group.count for kind, group in tally.unknown.items()} == {"gpu": 4, "execution_time.median": 1}
    line = tally.unknown["gpu"].examples[0].line
    assert '"gpu"' in path.read_text(encoding="utf-8").splitlines()[line - 1]
    assert tally.reasons() == {"a size that is no number of bytes": 2}
    assert "0 bytes are written where the profile has no size: layer_0_Conv_0" in tally.warnings, "layer 2 has one"


# -- what is refused ------------------------------------------------------------------------------------------


def put(data: dict[str, Any], value: Any, *path: str) -> None:
    for step in path[:-1]:
        data = data[step]
    if value is None:
        del data[path[-1]]
    else:
        data[path[-1]] = value


LAYER_2 = ("backbone_execution_time", "layer_2_Residual_2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: put(d, None, *LAYER_2), "backbone_execution_time: layer 2 is missing"),
        (lambda d: put(d, "fast", *LAYER_2, "mean"), "layer_2_Residual_2: mean must be a number, not 'fast'"),
        (lambda d: put(d, -1.0, *LAYER_2, "mean"), "the mean is not between 0 and 9000 s"),
        (lambda d: put(d, 1e9, *LAYER_2, "mean"), "the mean is not between 0 and 9000 s"),
        (lambda d: put(d, 500.0, *LAYER_2, "mean"), "the mean is not between min and max"),
        (lambda d: put(d, 0.5, *LAYER_2, "std"), "var is not the square of std"),
        (lambda d: put(d, -3.0, *LAYER_2, "log_mean"), "log_mean does not belong to the mean"),
        (lambda d: put(d, {}, *LAYER_2), "there is no mean"),
        (lambda d: put(d, d[LAYER_2[0]][LAYER_2[1]], LAYER_2[0], "layer_02_Other_9"), "layer 2 appears twice"),
        (lambda d: put(d, d[LAYER_2[0]][LAYER_2[1]], LAYER_2[0], "pool"), "is no layer: layer_NUMBER_TYPE_NUMBER"),
        (
            lambda d: put(d, d["execution_time"], "gate_execution_time", "gate_3_layer_9_Linear_1"),
            "gate 3 follows layer 9, which the backbone does not have",
        ),
        (
            lambda d: put(d, d["execution_time"], "gate_execution_time", "gate_0_layer_2_Linear_1"),
            "gate 0 follows several layers",
        ),
        (lambda d: [d.pop(k) for k in list(d) if k != "memory"], "has no time that can be used"),
        (
            lambda d: [d.pop(k) for k in list(d) if not k.startswith("gate_")],
            "has times of gates, but none of the backbone in front of them",
        ),
    ],
)
def test_profiles_that_contradict_themselves_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    data = profile()
    change(data)
    assert message in "\n".join(refused(tmp_path, data))


def test_a_gate_that_is_faster_than_its_own_layers_is_not_used(tmp_path: Path) -> None:
    data = profile(slower=1.0)
    data["execution_time_gate_1_layer_3"] = data["execution_time_gate_0_layer_1"]
    found = import_path("ceed", write(tmp_path, data))
    assert any("gate_1" in w and "not used" in w for w in found.tally.warnings)
    assert [row["scale"] is None for row in found.tables["gate_times"]] == [False, True, False]


def test_several_profiles_in_a_folder_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "a", profile())
    write(tmp_path / "b", profile())
    with pytest.raises(InputError, match=r"holds several profiles, name one: a/profile_summary\.json, b/"):
        import_path("ceed", tmp_path)


def test_compact_json_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "profile_summary.json"
    path.write_text(json.dumps(profile(), separators=(",", ":")), encoding="utf-8")
    compact = import_path("ceed", path).found.documents
    assert compact == import_path("ceed", write(tmp_path, profile())).found.documents


def test_another_import_keeps_the_note_of_this_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("one", "two"):
        import_path("ceed", write(tmp_path, profile()), out, graph=name)
    notes = json.loads((out / "import.json").read_text(encoding="utf-8"))["imports"]
    assert [note["documents"][0] for note in notes] == ["one.yaml", "two.yaml"]
    import_path("ceed", write(tmp_path, profile()), out, graph="one")
    notes = json.loads((out / "import.json").read_text(encoding="utf-8"))["imports"]
    assert [note["documents"][0] for note in notes] == ["two.yaml", "one.yaml"]


# -- damage ---------------------------------------------------------------------------------------------------


def test_damaged_files_are_refused_or_give_files_that_run(tmp_path: Path) -> None:
    data = json.dumps(profile(), indent=4).encode()
    path, kept = tmp_path / "profile_summary.json", 0
    for seed in range(150):
        how, bad = damage(seed, data)
        path.write_bytes(bad)
        try:
            found = import_path("ceed", path, tmp_path / "out")
        except InputError:
            continue
        tally = found.tally
        assert tally.lines == tally.understood + tally.noise + tally.unknown_lines, f"seed {seed}, {how}"
        eesim.load(tmp_path / "out" / "profile_summary.scenario.yaml")
        kept += 1
    assert kept > 20, "nearly everything is thrown away"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["mean", "std", "min", "x"]), inner),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        *("execution_time", "memory", "layers_execution_time", "backbone_execution_time", "gate_execution_time"),
        *("backbone_output_memory", "gate_output_memory", "execution_time_gate_0_layer_0", "other"),
        "execution_time_gate_999999_layer_999999",
    ]
)
NAMES = st.sampled_from(["layer_0_A_1", "layer_1_é_1", "layer_1_B", "gate_0_layer_0_L_1", "gate_1_layer_0_L", "", "y"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(data={"layers_execution_time": {"mean": {"mean": 0}}, "execution_time": {}, "memory": {}})
@given(data=st.dictionaries(KEYS, st.dictionaries(NAMES | st.sampled_from(["mean", "std"]), VALUES) | VALUES))
def test_any_json_is_read_or_refused(tmp_path: Path, data: dict[str, Any]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    try:
        found = import_path("ceed", path, tmp_path / "out")
    except InputError:
        return
    assert found.tally.lines == found.tally.understood + found.tally.noise + found.tally.unknown_lines
    eesim.load(tmp_path / "out" / "x.scenario.yaml")


# -- CEED's own example ---------------------------------------------------------------------------------------


def test_the_example_s_gates_are_reproduced_within_1_percent(tmp_path: Path) -> None:
    """Nine cumulative times, simulated with their noise and without; the layers alone do not add up to them."""
    source = shared("ceed/system_profile.json")
    measured = json.loads(source.read_text(encoding="utf-8"))
    found = import_path("ceed", source, tmp_path / "out")
    scenario = tmp_path / "out" / "cifar_10.scenario.yaml"
    rows = found.tables["gate_times"]
    assert len(rows) == 9
    for row in rows:
        gate, wanted = row["gate"], 1e3 * measured[f"execution_time_gate_{row['gate']}_layer_{row['layer']}"]["mean"]
        assert isinstance(gate, int)
        still = gate_time_ms(scenario, gate, **{"run.frames": 1, "stream.noise": None})
        assert still == pytest.approx(wanted, rel=1e-5)
        assert gate_time_ms(scenario, gate, **{"run.frames": 50_000}) == pytest.approx(wanted, rel=0.01)
    errors = [abs(float(row["layers_error_pct"])) for row in rows if row["layers_error_pct"] is not None]
    assert sum(error > 1 for error in errors) == 6, "docs/tiers.md says how many, and by how much"
    assert max(errors) == pytest.approx(21.4, abs=0.05)
    assert found.tally.unknown_lines == found.tally.skipped_records == 0
