"""Run logs: what each line becomes, and what makes a run unusable."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from eesim.errors import InputError
from eesim.validate.importers import import_path
from eesim.validate.importers.coup_clocks import SettingError, parse_setting
from eesim.validate.importers.coup_grammar import classify
from eesim.validate.importers.coup_log import read_runs
from eesim.validate.importers.coup_numbers import adds_up, half_unit
from eesim.validate.importers.protocol import Imported
from tests.test_validate.coup_logs import Log, write_log


def put(folder: Path, text: str, name: str = "time_Tiny_X.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, log: Log, change: Callable[[str], str] = lambda text: text, **options: Any) -> Imported:
    return import_path("coup-log", put(folder, change(write_log(log))), **options).found


def rows(found: Imported, table: str, **wanted: Any) -> list[Any]:
    return [row for row in found.tables.get(table, []) if all(row[key] == value for key, value in wanted.items())]


def reasons(found: Imported) -> list[str]:
    return sorted(found.tally.skipped)


# -- what a log becomes --------------------------------------------------------------------------------


def test_every_line_is_known(tmp_path: Path) -> None:
    found = read(tmp_path, Log())
    tally = found.tally
    assert (tally.unknown_lines, tally.skipped_records, tally.warnings) == (0, 0, [])
    assert tally.lines == tally.understood + tally.noise == len(write_log(Log()).split("\n")) - 1


def test_numbers_are_those_of_the_log(tmp_path: Path) -> None:
    log = Log(order="LLL", settings=("0-0-0", "5-5-5"))
    text = write_log(log)
    found = read(tmp_path, log)
    written = [float(time) for time in re.findall(r"Layer Number: \d+ \t time: (\S+)", text)]
    assert [row["time_ms"] for row in rows(found, "layer_times", metric="task")] == written
    assert [row["time_ms"] for row in found.tables["run_layer_times"]] == written
    inputs = [float(time) for time in re.findall(r"Graph0   Input: (\S+)", text)]
    assert [row["time_ms"] for row in rows(found, "layer_times", metric="input", layer=0)] == inputs
    outputs = [float(time) for time in re.findall(r"Out: (\S+)", text)]
    assert [row["time_ms"] for row in rows(found, "layer_times", metric="output", layer=2)] == outputs
    latencies = [float(time) for time in re.findall(r"AVG Latency: (\S+)", text)]
    assert [row["latency_ms"] for row in found.tables["runs"]] == latencies
    tasks = [float(time) for time in re.findall(r"Layer time: (\S+)", text)]
    assert [row["time_ms"] for row in found.tables["kernel_times_cpu"]] == tasks
    assert [row["kernel_seq"] for row in found.tables["kernel_times_cpu"]] == [*range(9), *range(9)]


def test_clocks_hosts_and_board(tmp_path: Path) -> None:
    found = read(tmp_path, Log())
    (first, second) = found.tables["runs"]
    assert (first["setting"], first["freq_indices"]) == ("0-0-[0,0]-[0,0]-0-0", "0-0-0:0-0:0-0-0")
    assert (second["freq_indices"], second["board"]) == ("7-3-4:7-1:2-5-4", "rk3399pro")
    assert (second["frames"], second["threads_big"], second["threads_little"]) == (4, 2, 4)
    (npu,) = rows(found, "layer_times", metric="npu_load", run_id=second["run_id"])
    assert (npu["freq_index"], npu["freq_mhz"], npu["host_freq_index"], npu["host_freq_mhz"]) == (None, None, 4, 1200)
    alone = read(tmp_path, Log(order="GG", settings=("[4,7]-[3,0]",)))
    clocks = [(r["freq_mhz"], r["host_freq_mhz"]) for r in rows(alone, "layer_times", metric="task")]
    assert clocks == [(800, 1800), (600, 408)]
    on_little = read(tmp_path, Log(order="G", settings=("[1,5]",), gpu_host="L"))
    assert rows(on_little, "layer_times", metric="task")[0]["host_freq_mhz"] == 1416


def test_layers_after_a_change_of_pe_are_not_layer_times(tmp_path: Path) -> None:
    found = read(tmp_path, Log())
    assert {row["pe"] for row in found.tables["layer_times"]} == {"N"}
    assert len(found.tables["run_layer_times"]) == 2 * 6


def test_a_row_of_npu_layers_is_no_layer(tmp_path: Path) -> None:
    found = read(tmp_path, Log(order="BNN", settings=("0-0-0",)))
    assert not rows(found, "layer_times", metric="task")
    (fused,) = rows(found, "run_layer_times", pe="N")
    assert (fused["first_layer"], fused["last_layer"]) == (1, 2)
    (subgraph,) = rows(found, "subgraph_times", pe="N")
    assert subgraph["npu_task_ms"] == pytest.approx(subgraph["npu_run_get_ms"] / 2, rel=1e-5)


def test_transfers_are_taken_at_the_lowest_clocks_only(tmp_path: Path) -> None:
    found = read(tmp_path, Log())
    run = found.tables["runs"][0]["run_id"]
    sent = [(r["src_pe"], r["dst_pe"], r["recv_layer"], r["run_id"]) for r in found.tables["transfer_times"]]
    assert sent == [("B", "G", 2, run), ("G", "L", 4, run), ("L", "N", 5, run)]
    send = rows(found, "subgraph_times", run_id=run, subgraph=0)[0]["send_ms"]
    assert found.tables["transfer_times"][0]["time_ms_at_min_freq"] == send


def test_a_sender_with_two_receivers_gives_no_transfer_time(tmp_path: Path) -> None:
    def fork(text: str) -> str:
        text = text.replace(
            "to graph 2 with target 1",
            "to graph 2 with target 1\nAdding Receiver_conv1/Relu to graph 2 with target 1",
            1,
        )
        return text.replace("Graph 2 input size: 0 receiver size: 1", "Graph 2 input size: 0 receiver size: 2")

    found = read(tmp_path, Log(), fork)
    assert [(row["src_pe"], row["dst_pe"]) for row in found.tables["transfer_times"]] == [("G", "L"), ("L", "N")]


def test_a_lost_receiver_line_takes_all_transfer_times(tmp_path: Path) -> None:
    found = read(
        tmp_path, Log(), lambda text: text.replace("Adding Receiver_conv3/Relu to graph 2 with target 1\n", "")
    )
    assert "transfer_times" not in found.tables
    assert any("no transfer times" in warning for warning in found.tally.warnings)


def test_whole_runs_are_switch_runs(tmp_path: Path) -> None:
    found = read(tmp_path, Log(mode="whole", order="BBGL", settings=("7-7-[4,7]-5",)))
    (run,) = found.tables["switch_runs"]
    subgraphs = found.tables["subgraph_times"]
    assert run["total_time_ms"] == pytest.approx(sum(row["process_ms"] for row in subgraphs))
    assert run["input_time_ms"] == subgraphs[0]["input_ms"]
    assert run["task_time_ms"] + run["input_time_ms"] == pytest.approx(run["total_time_ms"])
    assert (run["n_switches"], run["single_pe"], run["npu_model"], run.get("energy_mj")) == (2, 0, "", None)
    assert "switch_runs" not in read(tmp_path, Log()).tables, "8 ms of sleep per layer are in those times"


def test_the_npu_model_is_what_the_user_says(tmp_path: Path) -> None:
    log = Log(mode="whole", order="NN", settings=("7-7",))
    assert read(tmp_path, log).tables["switch_runs"][0]["npu_model"] == ""
    assert read(tmp_path, log, npu_model="quantized").tables["switch_runs"][0]["npu_model"] == "quantized"


def test_transfers_mode_has_no_layer_times(tmp_path: Path) -> None:
    found = read(tmp_path, Log(mode="transfers", order="LB", settings=("0-0",)))
    assert set(found.tables) == {"runs", "subgraph_times", "transfer_times", "kernel_shapes"}


def test_old_graph_lines(tmp_path: Path) -> None:
    found = read(tmp_path, Log(order="BB", settings=("0-0",), old=True))
    (row,) = found.tables["subgraph_times"]
    assert row["send_ms"] is None
    assert row["process_ms"] == pytest.approx(row["input_ms"] + row["task_ms"] + row["output_ms"], rel=1e-5)


def test_a_last_layer_without_its_own_line_is_the_sum_of_its_tasks(tmp_path: Path) -> None:
    found = read(tmp_path, Log(order="LLL", settings=("0-0-0",), unclosed=True))
    tasks = [row["time_ms"] for row in rows(found, "kernel_times_cpu", layer=2)]
    assert len(tasks) == 3
    assert rows(found, "layer_times", metric="task", layer=2)[0]["time_ms"] == pytest.approx(sum(tasks))


def test_an_exit_layer_has_no_output_shape(tmp_path: Path) -> None:
    change = lambda text: text.replace(" \t output shape: 64x32x32", "", 1)  # noqa: E731
    found = read(tmp_path, Log(order="LL", settings=("0-0",)), change)
    assert [row["output_shape"] for row in found.tables["kernel_shapes"]][:2] == ["", "64x32x32"]


def test_numbers_may_be_whole_or_have_exponents(tmp_path: Path) -> None:
    def change(text: str) -> str:
        line = next(line for line in text.split("\n") if line.startswith("Graph0"))
        task = "200"
        new = f"Graph0   Input: 1e1   Task: {task}   send: 1.2e-05   Out: .5   Process: 210.5"
        sum_of = re.search(r"Sum of Layers time: (\S+)", text)
        assert sum_of is not None
        return re.sub(r"AVG Latency: \S+", "AVG Latency: 210.6", text.replace(line, new))

    found = read(tmp_path, Log(order="LL", mode="whole", settings=("0-0",)), change)
    (row,) = found.tables["subgraph_times"]
    assert (row["input_ms"], row["task_ms"], row["send_ms"], row["output_ms"]) == (10.0, 200.0, 1.2e-05, 0.5)


def test_stderr_may_cut_a_line_of_stdout(tmp_path: Path) -> None:
    def change(text: str) -> str:
        lines = text.split("\n")
        i = next(i for i, line in enumerate(lines) if line.startswith("Graph1"))
        j = next(j for j, line in enumerate(lines) if j > i and line.startswith("AVG"))
        lines[i : i + 1] = [lines[i][:20] + lines.pop(j), lines[i][20:]]
        return "\n".join(lines)

    clean, found = read(tmp_path, Log()), read(tmp_path, Log(), change)
    assert found.tally.skipped_records == 0
    assert len(found.tables["runs"]) == 2
    assert [row["send_ms"] for row in found.tables["subgraph_times"]] == [
        row["send_ms"] for row in clean.tables["subgraph_times"]
    ]


def test_an_answer_on_the_prompt_s_line(tmp_path: Path) -> None:
    change = lambda text: text.replace("setttings: \n", "setttings: ")  # noqa: E731
    assert len(read(tmp_path, Log(), change).tables["runs"]) == 2
    other = lambda text: text.replace("setttings: \n", 'settings("end" for finish): ')  # noqa: E731
    assert len(read(tmp_path, Log(), other).tables["runs"]) == 2


def test_noise_does_not_count_as_unknown_but_garbage_does(tmp_path: Path) -> None:
    noise = "---------- Top 5 predictions ----------\nNow it is running early exit layer...\ntotal size is: 12\n"
    found = read(
        tmp_path, Log(), lambda text: noise + "segfault at 12 in foo\nsegfault at 13 in foo\n\x00\xff\n" + text
    )
    assert found.tally.unknown_lines == 3
    assert found.tally.unknown["segfault at # in foo"].count == 2
    first = found.tally.unknown["segfault at # in foo"].examples[0]
    assert (first.line, first.text) == (4, "segfault at 12 in foo")
    assert len(found.tables["runs"]) == 2


# -- frequency settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("7-6-[4,6]-5", "BBGL", "7-6-4:6-5"),
        ("{7-[4,6]-5}", "BBGL", "7-7-4:6-5"),
        ("{{3-6-2}}", "LBGN", "3-6-2:6-6"),
        ("min", "LBGN", "0-0-0:0-0"),
        ("{{max}}", "LBGN", "5-7-4:7-7"),
    ],
)
def test_settings(text: str, order: str, expected: str) -> None:
    assert "-".join(map(str, parse_setting(text, order, "B", "B", "rk3399pro"))) == expected


@pytest.mark.parametrize(
    ("text", "order"),
    [("7-6", "BBB"), ("8", "B"), ("6", "L"), ("[5,0]", "G"), ("[0,8]", "G"), ("4", "G"), ("[1,1]", "B"), ("x", "B")],
)
def test_settings_that_do_not_fit(text: str, order: str) -> None:
    with pytest.raises(SettingError):
        parse_setting(text, order, "B", "B", "rk3399pro")


def test_the_npu_s_host_limits_its_clock() -> None:
    with pytest.raises(SettingError, match="L has no frequency index 7"):
        parse_setting("7", "N", "B", "L", "rk3399pro")


# -- runs that are left out ----------------------------------------------------------------------------

SMALL = Log(order="BL", settings=("0-0", "3-2", "7-5"))
DAMAGE: dict[str, tuple[Callable[[str], str], int, str]] = {
    "no latency": (lambda t: re.sub(r"AVG Latency: .*\n", "", t, count=1), 2, "no AVG Latency"),
    "two latencies": (lambda t: re.sub(r"(AVG Latency: .*\n)", r"\1\1", t, count=1), 2, "more than one AVG Latency"),
    "no end": (lambda t: t.replace("Profiling these DVFS settings finised\n", "", 1), 2, "no end mark"),
    "no graph line": (lambda t: re.sub(r"Graph1   Input.*\n", "", t, count=1), 2, "report lacks lines"),
    "no sum": (lambda t: re.sub(r" Sum of Layers.*\n", "", t, count=1), 2, "lacks lines"),
    "a task lost": (lambda t: re.sub(r"1\tLayer Name.*\n", "", t, count=1), 2, "tasks are missing"),
    "the last task lost": (lambda t: re.sub(r"2\tLayer Name.*\n", "", t, count=1), 2, "not as many tasks"),
    "a super-layer lost": (lambda t: re.sub(r"Layer Number.*\n", "", t, count=1), 2, "lacks its last line"),
    "a task's time": (
        lambda t: re.sub(r"Layer time: \d", "Layer time: 99", t, count=1),
        2,
        "do not add up to its time",
    ),
    "a layer's time": (lambda t: re.sub(r"(Number: 0 \t time: )\d", r"\g<1>99", t, count=1), 2, "do not add up"),
    "a sum": (lambda t: re.sub(r"Sum of Layers time: \d", "Sum of Layers time: 9", t, count=1), 2, "do not add up"),
    "a send": (lambda t: re.sub(r"send: \d", "send: 77", t, count=1), 2, "do not add up to Process"),
    "a nan": (lambda t: re.sub(r"send: \S+", "send: nan", t, count=1), 2, "no time"),
    "a negative": (lambda t: re.sub(r"Layer time: ", "Layer time: -", t, count=1), 2, "no time"),
    "a latency": (lambda t: re.sub(r"AVG Latency: \d", "AVG Latency: 9", t, count=1), 2, "AVG Latency does not fit"),
    "a clock": (lambda t: t.replace("with 3-2", "with 4-2"), 2, "governors print other clocks"),
    "a governor": (lambda t: t.replace("freqs:0,3,0", "freqs:0,4,0"), 2, "governors print other clocks"),
    "clocks out of range": (lambda t: t.replace("with 3-2", "with 9-2"), 2, "does not fit"),
    "a clock too few": (lambda t: t.replace("with 3-2", "with 3"), 2, "does not fit"),
    "another mode": (lambda t: t.replace("set_GPIOs with mode: layers", "set_GPIOs with mode: whole", 1), 2, "mode"),
    "frames lost": (lambda t: re.sub(r"Photo_index.*\n", "", t, count=3), 2, "frames are missing"),
    "a start lost": (lambda t: t.replace("1 Running Graph with 3-2 LW DVFS\n", ""), 1, "two reports"),
    "a start twice": (lambda t: t.replace("1 Run", "1 Running Graph with 3-2 LW DVFS\n1 Run"), 2, "around it"),
    "a report elsewhere": (lambda t: t + t[t.rindex("0\tLayer Name") : t.rindex("Please")], 2, "two reports"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_left_out_and_its_neighbours_stay(name: str, tmp_path: Path) -> None:
    change, left, reason = DAMAGE[name]
    clean = read(tmp_path, SMALL)
    assert write_log(SMALL) != change(write_log(SMALL)), "the damage does nothing"
    found = read(tmp_path, SMALL, change)
    assert len(found.tables["runs"]) == left
    assert any(reason in text for text in found.tally.skipped), reasons(found)
    times = [row["time_ms"] for row in clean.tables["run_layer_times"]]
    assert all(row["time_ms"] in times for row in found.tables["run_layer_times"])


def test_npu_lines_must_fit(tmp_path: Path) -> None:
    log = Log(order="BN", settings=("0-0", "1-1"))
    for old, new in ((r"AVG_input_time:\d", "AVG_input_time:88"), (r"AVG_prof_run_time:\d", "AVG_prof_run_time:99")):
        found = read(tmp_path, log, lambda t, o=old, n=new: re.sub(o, n, t, count=1))
        assert len(found.tables["runs"]) == 1
    lost = read(tmp_path, log, lambda t: re.sub(r"NPU NPU_.*\n", "", t, count=1))
    assert "run left out: not one NPU line for a subgraph on the NPU" in lost.tally.skipped
    other = read(tmp_path, log, lambda t: re.sub(r"NPU NPU_Tiny_1_1", "NPU NPU_Tiny_2_2", t, count=1))
    assert "run left out: an NPU line names other layers than its subgraph" in other.tally.skipped


def test_a_verbatim_repeat_counts_once(tmp_path: Path) -> None:
    log = Log(order="L", settings=("0",))
    found = read(tmp_path, log, lambda text: text + text)
    assert len(found.tables["runs"]) == 1
    assert reasons(found) == ["run left out: a verbatim repeat"]


def test_a_truncated_log_keeps_its_complete_runs(tmp_path: Path) -> None:
    text = write_log(SMALL)
    cut = text.index("2 Running") + 900
    found = read(tmp_path, SMALL, lambda t: t[:cut])
    assert len(found.tables["runs"]) == 2
    assert any("cut off" in warning for warning in found.tally.warnings)


# -- logs that are refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("Order is : BL", "Order is : LB", 1).replace("Adding Graph", "Adding Gruph"), "the order"),
        (lambda t: t.replace("GPU host is: B", "GPU host is: L", 1), "gpu_host"),
        (lambda t: t.replace("power_profile_mode : layers", "power_profile_mode : whole", 1), "mode"),
        (lambda t: re.sub(r"Order is.*\n|Adding Graph.*\n", "", t), "does not say which layers ran on which PE"),
        (lambda _: "Order is : BL\n", "holds nothing that could be imported"),
        (lambda _: "", "holds nothing that could be imported"),
        (lambda t: re.sub(r"AVG Latency.*\n", "", t), "truncated: no AVG Latency"),
    ],
)
def test_a_log_that_contradicts_itself_is_refused(change: Callable[[str], str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path, SMALL, change)


def test_the_order_survives_the_loss_of_one_of_its_places(tmp_path: Path) -> None:
    for change in (
        lambda t: t.replace("Order is : BL", "Order is : LB", 1),
        lambda t: t.replace("Order is : BL", "Order is : B?"),
        lambda t: re.sub(r"Adding Graph.*\n", "", t),
        lambda t: t.replace("Adding Graph1 target", "Adding Graph1 terget"),
    ):
        assert read(tmp_path, SMALL, change).tables["runs"][0]["order"] == "BL"


def test_khadas_is_refused_and_can_be_let_in(tmp_path: Path) -> None:
    log = Log(order="BL", settings=("12-8",), big=4, little=2, governors=False)
    with pytest.raises(InputError, match=r"4 big and 2 little cores \(khadas\).*--allow-board khadas"):
        read(tmp_path, log)
    found = read(tmp_path, log, allow_board="khadas")
    assert {row["board"] for row in found.tables["runs"]} == {"khadas"}
    with pytest.raises(InputError, match="6 big and 2 little"):
        read(tmp_path, Log(order="BL", settings=("0-0",), big=6, little=2), allow_board="khadas")


def test_a_board_that_is_not_said_is_not_guessed(tmp_path: Path) -> None:
    found = read(tmp_path, SMALL, lambda t: re.sub(r"Number of (little|big) cores.*\n", "", t))
    assert {row["board"] for row in found.tables["runs"]} == {""}
    assert {row["freq_mhz"] for row in found.tables["layer_times"]} <= {None} if "layer_times" in found.tables else True
    assert any("which board" in warning for warning in found.tally.warnings)


def test_the_network_is_named_by_file_header_or_user(tmp_path: Path) -> None:
    text = write_log(SMALL)
    named = import_path("coup-log", put(tmp_path, text, "time_MobileV1_BL.txt"))
    assert named.tables["runs"][0]["graph"] == "mobilenet_v1"
    assert import_path("coup-log", put(tmp_path, text, "a.log")).tables["runs"][0]["graph"] == "tiny"
    with pytest.raises(InputError, match="--graph NAME"):
        import_path("coup-log", put(tmp_path, text.replace("Data path", "Data poth"), "b.log"))
    assert import_path("coup-log", tmp_path / "b.log", graph="Alex").tables["runs"][0]["graph"] == "alexnet"


def test_logs_without_governors_say_that_nothing_confirms_the_clocks(tmp_path: Path) -> None:
    found = read(tmp_path, Log(order="L", settings=("0",), governors=False))
    assert any("nothing confirms" in warning for warning in found.tally.warnings)


# -- numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("362.385", 5e-4), ("362.3846", 5e-5), ("0.0821", 5e-5), ("16001.5", 5e-2), ("150", 5e-4), ("1.2e-05", 5e-11)],
)
def test_half_a_unit_of_the_last_place(text: str, expected: float) -> None:
    assert half_unit(text) == pytest.approx(expected)


def test_sums_are_checked_to_their_rounding() -> None:
    assert adds_up(["1.0001", "2.0001"], "3.0003")
    assert not adds_up(["1.0001", "2.0001"], "3.0005")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (
            "0\tLayer Name: a b \t Layer time: 12.8892 \t number of inputs: 3 \t input shape: 3x2 \t output shape: 4",
            "layer",
        ),
        ("Layer Number: 10 \t time: 8.0125", "super_layer"),
        ("Graph0   Input: 0.0385   Task: 16001.5   Out: 0.283792   Proc: 16001.8", "subgraph"),
        ("Graph0   Input: 0.0385   Task: 16001.5   Out: 0.283792", "unknown"),
        ("Layer Number: 10 \t time: 8.0.125", "unknown"),
        ("Profiling these DVFS settings finished", "end"),
        ("0.9 - [id = 3], cat", "noise"),
        ("٣ Running Graph with 0 LW DVFS", "unknown"),
    ],
)
def test_kinds_of_lines(line: str, kind: str) -> None:
    assert classify(line)[0] == kind


def test_intervals_follow_one_another(tmp_path: Path) -> None:
    run = read_runs(put(tmp_path, write_log(Log())))[0]
    bars = list(run.intervals())
    assert [bar.kind for bar in bars] == [
        *("input", "layer", "layer", "send", "layer", "layer", "send", "layer", "send", "layer", "output")
    ]
    assert bars[0].start_ms == 0
    assert all(before.end_ms == after.start_ms for before, after in pairwise(bars))
    assert [bar.pe for bar in bars if bar.kind == "layer"] == list("BBGGLN")
    assert bars[1].end_ms - bars[1].start_ms == pytest.approx(run.layers[0][1].time_ms)
