"""Logs as ARM-CO-UP would write them, made from numbers of our own; and the power logs that belong to them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

SLEEP_MS = 8.4


def six(value: float) -> str:
    """A number as a C++ stream prints it by default."""
    return f"{value:.6g}"


@dataclass
class Log:
    """What a log is about; everything is overridable."""

    order: str = "BBGGLN"
    settings: Sequence[str] = ("0-0-[0,0]-[0,0]-0-0", "7-3-[4,7]-[1,2]-5-4")
    mode: str = "layers"
    frames: int = 4
    gpu_host: str = "B"
    npu_host: str = "B"
    big: int = 2
    little: int = 4
    network: str = "Tiny"
    governors: bool = True
    noise: bool = True
    tasks_per_layer: int = 3
    seed: int = 1
    old: bool = False
    """Old graph lines: no send, ``Proc``."""
    unclosed: bool = False
    """The last super-layer has no ``Layer Number`` line (VGG16)."""
    lines: list[str] = field(default_factory=list)

    @property
    def subgraphs(self) -> list[tuple[str, int, int]]:
        found, begin = [], 0
        for pe, row in groupby(self.order):
            size = len(list(row))
            found.append((pe, begin, begin + size - 1))
            begin += size
        return found


def write_log(log: Log) -> str:
    """Return the text of a log."""
    rng = random.Random(log.seed)
    out: list[str] = []
    header = _header(log)
    out += header + [f"Adding Graph{i} " + _added(log, i) for i in range(len(log.subgraphs))]
    out += ["pandoon", "Pandoon opened at 3", *header]
    out += _build(log)
    for ordinal, setting in enumerate(log.settings):
        out += ["Please Enter the desired Frequency setttings: ", f"{ordinal} Running Graph with {setting} LW DVFS"]
        out += _governors(log, setting) + _frames(log, ordinal) + _report(log, rng)
    out += ["Please Enter the desired Frequency setttings: ", "", "Test passed", ""]
    log.lines = out
    return "\n".join(out)


def _header(log: Log) -> list[str]:
    return [
        "Threads : 2",
        "Small Cores Threads : 4",
        "Target : Neon",
        f"Data path : /data/assets//{log.network.lower()}/",
        f"Order is : {log.order}",
        "freqs of layers : ",
        f"power_profile_mode : {log.mode}",
        f"GPU host is: {log.gpu_host}",
        f"NPU host is: {log.npu_host}",
        f"Number of totla cores is : {log.big + log.little}",
        f"Number of little cores is : {log.little}",
        f"Number of big cores is : {log.big}",
        f"Run network for {log.frames} times.",
        "",
    ]


def _added(log: Log, i: int) -> str:
    pe, first, last = log.subgraphs[i]
    host = pe if pe in "BL" else {"G": log.gpu_host, "N": log.npu_host}[pe]
    target = {"B": 1, "L": 1, "G": 2, "N": 4}[pe]
    return f"target {target} PE: {pe} Host PE: {host} num threads: 2 Layers: {first}-{last}"


def n_tasks(log: Log, i: int) -> int:
    pe, first, last = log.subgraphs[i]
    return 1 if pe == "N" else (last - first + 1) * log.tasks_per_layer


def _build(log: Log) -> list[str]:
    out, count = [], len(log.subgraphs)
    for i in range(count - 1):
        out.append(
            f"Input node for the layer {log.subgraphs[i + 1][1]} is in graph: {i} Adding Transmitter to that graph"
        )
        out.append(f"Adding Sender_conv{log.subgraphs[i][2]}/Relu to graph {i} with target 1")
        out.append(f"Adding Receiver_conv{log.subgraphs[i][2]}/Relu to graph {i + 1} with target 1")
    for i in range(count):
        sizes = f"receiver size: {int(i > 0)} tasks size: {n_tasks(log, i)} senders size: {int(i < count - 1)}"
        out.append(f"Graph {i} input size: {int(i == 0)} {sizes} output size: {int(i == count - 1)}")
    return [*out, "setup finished", ""]


def clocks_of(log: Log, setting: str) -> list[tuple[int, int, int]]:
    """L, B, G of each layer, as the governors print them."""
    found = []
    tokens = setting.replace("[", "").replace("]", "").replace(",", ":").split("-")
    for token, pe in zip(tokens, log.order, strict=True):
        of = {"L": 0, "B": 0, "G": 0}
        if pe == "G":
            own, host = map(int, token.split(":"))
            of["G"], of[log.gpu_host] = own, host
        else:
            of[log.npu_host if pe == "N" else pe] = int(token)
        found.append((of["L"], of["B"], of["G"]))
    return found


def _governors(log: Log, setting: str) -> list[str]:
    if not log.governors:
        return []
    return [
        f"governor {i} task:conv{i}/Relu freqs:{','.join(map(str, triple))}"
        for i, triple in enumerate(clocks_of(log, setting))
    ]


def _frames(log: Log, ordinal: int) -> list[str]:
    out = [f"set_GPIOs with mode: {log.mode}", "start running graphs"]
    per_run = log.frames + 3
    for frame in range(ordinal * per_run, (ordinal + 1) * per_run if log.noise else ordinal * per_run):
        out += [
            f"Photo_index:{frame % 4}\tFrame Index:{frame}",
            "Reading image: /data/assets//kart.ppm",
            "*************",
        ]
        out += ["---------- Top 5 predictions ----------", "0.7311 - [id = 573], n03444034 go-kart", "************"]
    return out


def _report(log: Log, rng: random.Random) -> list[str]:
    out: list[str] = []
    processes = []
    for i, (pe, first, last) in enumerate(log.subgraphs):
        lines, process = _subgraph(log, rng, i, pe, first, last)
        out += lines
        processes.append(process)
    overlap = 0.01 if len(processes) > 1 else 0.0
    latency = sum(processes) * (1 - overlap) + 0.02
    return [*out, "", "", f"AVG Latency: {six(latency)}", "", "Profiling these DVFS settings finised"]


def _subgraph(log: Log, rng: random.Random, i: int, pe: str, first: int, last: int) -> tuple[list[str], float]:
    out: list[str] = []
    spans = [(first, last)] if pe == "N" else [(layer, layer) for layer in range(first, last + 1)]
    total, task = 0.0, 0
    for k, (begin, end) in enumerate(spans):
        name = f"NPU_{log.network}_{begin}_{end}" if pe == "N" else f"conv{begin}"
        times = [rng.uniform(0.05, 25) for _ in range(1 if pe == "N" else log.tasks_per_layer)]
        for j, time in enumerate(times):
            ending = "" if pe == "N" else ("", "/BatchNorm", "/Relu")[j % 3]
            shapes = "number of inputs: 3 \t input shape: 3x32x32 \t output shape: 64x32x32"
            out.append(f"{task}\tLayer Name: {name}{ending} \t Layer time: {time:.4f} \t {shapes}")
            task += 1
        if not (log.unclosed and end == len(log.order) - 1):
            out += [f"Layer Number: {k} \t time: {sum(times):.4f}", "----------------------------"]
        total += sum(times)
    sleep = SLEEP_MS * len(spans) if log.mode == "layers" else 0.0
    parts = [
        rng.uniform(5, 60) if i == 0 else 0.0101499,
        total + sleep + 0.3,
        rng.uniform(0.1, 4),
        rng.uniform(0.002, 1),
    ]
    if log.old:
        del parts[2]
    named = zip(("Input", "Task", "Out") if log.old else ("Input", "Task", "send", "Out"), map(six, parts), strict=True)
    told = "   ".join(f"{name}: {value}" for name, value in named)
    process = sum(parts)
    out += ["", f" Sum of Layers time: {total:.4f}", "", ""]
    out += [f"Graph{i}   {told}   {'Proc' if log.old else 'Process'}: {six(process)}", ""]
    if pe == "N":
        load, run, fill = total * 0.3, total * 0.4, total * 0.28
        times_ = f"AVG_input_time:{six(load)}\tAVG_run_time:{six(run)}\tAVG_prof_run_time:{six(run * 0.5)}"
        out.append(f"NPU NPU_{log.network}_{first}_{last}\t{times_}\tAVG_output_time:{six(fill)}")
    return [*out, "", "********", ""], process


def power_log(log: Log, runs: Sequence[Sequence[float]], *, seed: int = 2, old: bool = False) -> str:
    """Return the power log of runs whose layers take these times: 1 while a gap, 0 while a layer."""
    rng = random.Random(seed)
    now, out = 1000.0, ["0,900,2500.00", "0,902,2510.00"] if not old else ["0,12.00,200.00,2400"]

    def hold(level: int, duration: float, power: float) -> None:
        nonlocal now
        end = now + duration
        while now < end:
            mw = round(power + rng.uniform(-200, 200), -1)
            out.append(f"{level},12.00,{mw / 12:.2f},{mw:.0f}" if old else f"{level},{round(now)},{mw:.2f}")
            now += rng.choice((1, 2))

    for layers in runs:
        for frame in range(log.frames + 3):
            for k, time in enumerate(layers):
                hold(1, 30.0 if k == 0 else 8.4 if frame >= 0 else 0, 3000 + 100 * k)
                hold(0, max(time, 2.5), 4000 + 100 * k)
        hold(1, 12, 3000)
        hold(0, 60, 2500)
    return "\n".join(out) + "\n"
