"""One subgraph's report: its lines in order, its numbers adding up."""

from __future__ import annotations

from eesim.validate.importers.coup_grammar import Line
from eesim.validate.importers.coup_header import Header
from eesim.validate.importers.coup_numbers import NumberError, adds_up, half_unit, time_of
from eesim.validate.importers.coup_runs import Report
from eesim.validate.importers.measured import MeasuredLayer, MeasuredSubgraph, MeasuredTask, NpuTimes

SLEEP_MS = 8.0
"""Sleep after each super-layer in mode ``layers`` (Workload.cpp:65-147): Task exceeds the layers by at least that."""
SLEEP_MOST_MS = 10.0
"""Logs: 8.19 to 8.80 ms."""
NPU_OUTSIDE = (5.0, 0.05)
"""An NPU node may take so many ms, and this share, beyond load, run and copy (logs: 3.72 ms at most)."""


class Refused(Exception):
    """A run cannot be trusted.

    Parameters
    ----------
    reason
        What kind of thing is wrong; counted.
    line
        Where.
    detail
        What exactly.
    """

    def __init__(self, reason: str, line: int, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.line, self.detail = reason, line, detail


def read_report(report: Report, number: int, header: Header, mode: str, *, is_last: bool) -> MeasuredSubgraph:
    """Return what a subgraph reports.

    Raises
    ------
    Refused
        If it is incomplete or contradicts itself or the header.
    """
    pe, first, last = header.ranges[number]
    if report.subgraph is None or len(report.sums) != 1:
        where = (report.layers + report.sums + report.npu)[:1]
        raise Refused("a subgraph's report lacks lines", where[0].number if where else 0, f"subgraph {number}")
    line = report.subgraph
    if int(line.groups[0] or 0) != number:
        raise Refused("reports of subgraphs out of order", line.number, f"Graph{line.groups[0]} instead of {number}")
    try:
        layers = _layers(report, pe, first, last, header.n_tasks.get(number), closes=not is_last or pe == "N")
        found = _subgraph(line, report, number, (pe, first, last), layers)
    except NumberError as error:
        raise Refused("a number that is no time", line.number, str(error)) from None
    _check_sums(found, report, mode)
    if mode == "layers":
        _check_sleeps(found, line)
    return found


def _subgraph(
    line: Line, report: Report, number: int, where: tuple[str, int, int], layers: tuple[MeasuredLayer, ...]
) -> MeasuredSubgraph:
    _, input_, task, send, output, process = line.groups
    pe, first, last = where
    return MeasuredSubgraph(
        number=number,
        pe=pe,
        first=first,
        last=last,
        input_ms=time_of(input_),
        task_ms=time_of(task),
        send_ms=None if send is None else time_of(send),
        output_ms=time_of(output),
        process_ms=time_of(process),
        layers_ms=time_of(report.sums[0].groups[0]),
        layers=layers,
        npu=_npu(report, where, layers),
    )


def _layers(
    report: Report, pe: str, first: int, last: int, n_tasks: int | None, *, closes: bool
) -> tuple[MeasuredLayer, ...]:
    """Cut a report's tasks into super-layers; each must add up to its ``Layer Number`` line."""
    groups: list[tuple[Line | None, list[Line]]] = []
    tasks: list[Line] = []
    for line in report.layers:
        if line.kind == "layer":
            tasks.append(line)
        else:
            groups.append((line, tasks))
            tasks = []
    if tasks:
        if closes:
            raise Refused("a super-layer lacks its last line", tasks[-1].number)
        # VGG16's last end name is no task: its last super-layer has no line of its own.
        groups.append((None, tasks))
    if not groups:
        return ()
    all_tasks = [task for _, found in groups for task in found]
    where = report.layers[0].number
    if [int(task.groups[0] or 0) for task in all_tasks] != list(range(len(all_tasks))):
        raise Refused("tasks are missing, twice or out of order", where)
    if n_tasks is not None and all_tasks and len(all_tasks) != n_tasks:
        raise Refused("not as many tasks as the subgraph has", where, f"{len(all_tasks)} instead of {n_tasks}")
    # The NPU runs a row of layers as one node.
    spans = [(first, last)] if pe == "N" else [(layer, layer) for layer in range(first, last + 1)]
    said = [int(line.groups[0] or 0) for line, _ in groups if line is not None]
    if len(groups) != len(spans) or said != list(range(len(said))):
        raise Refused(
            "super-layers are missing, twice or out of order", where, f"{len(groups)} instead of {len(spans)}"
        )
    return tuple(_layer(line, found, span, bool(all_tasks)) for (line, found), span in zip(groups, spans, strict=True))


def _layer(line: Line | None, tasks: list[Line], span: tuple[int, int], has_tasks: bool) -> MeasuredLayer:
    times = [task.groups[2] for task in tasks]
    if line is not None and has_tasks and not adds_up(times, line.groups[1]):
        raise Refused("a super-layer's tasks do not add up to its time", line.number)
    measured = tuple(
        MeasuredTask(task.groups[1] or "", time_of(task.groups[2]), task.groups[4] or "", task.groups[5] or "")
        for task in tasks
    )
    return MeasuredLayer(*span, sum(map(time_of, times)) if line is None else time_of(line.groups[1]), measured)


def _npu(report: Report, where: tuple[str, int, int], layers: tuple[MeasuredLayer, ...]) -> NpuTimes | None:
    """Return the driver's times of a subgraph on the NPU, which must be there once and fit into its layer."""
    pe, first, last = where
    if pe != "N":
        if report.npu:
            raise Refused("an NPU line for a subgraph that is not on the NPU", report.npu[0].number)
        return None
    if len(report.npu) != 1:
        line = report.subgraph.number if report.subgraph else 0
        raise Refused("not one NPU line for a subgraph on the NPU", line)
    line_ = report.npu[0]
    if (int(line_.groups[1] or -1), int(line_.groups[2] or -1)) != (first, last):
        raise Refused("an NPU line names other layers than its subgraph", line_.number, line_.groups[0] or "")
    names = [task.name for layer in layers for task in layer.tasks]
    if names and names != [line_.groups[0]]:
        raise Refused("an NPU line names another node than its subgraph", line_.number, line_.groups[0] or "")
    times = NpuTimes(*map(time_of, line_.groups[3:]))
    inside = times.load_ms + times.run_get_ms + times.fill_tensor_ms
    slack = sum(map(half_unit, line_.groups[3:]))
    outside, share = NPU_OUTSIDE
    layer_ms = sum(layer.time_ms for layer in layers)
    if layers and not -slack - 1e-4 <= layer_ms - inside <= outside + share * layer_ms + slack:
        raise Refused("an NPU line does not fit its layer's time", line_.number, f"{inside:g} of {layer_ms:g} ms")
    if times.task_ms > times.run_get_ms + slack:
        raise Refused("an NPU line does not fit itself", line_.number, "the run is shorter than its profile")
    return times


def _check_sums(found: MeasuredSubgraph, report: Report, mode: str) -> None:
    """Sum of Layers = super-layers; Process = Input + Task + send + Out; the layers are part of Task."""
    sum_line, line = report.sums[0], report.subgraph
    assert line is not None
    total = sum_line.groups[0]
    supers: list[str | None] = []
    open_tasks: list[str | None] = []
    for part in report.layers:
        if part.kind == "super_layer":
            supers.append(part.groups[1])
            open_tasks = []
        else:
            open_tasks.append(part.groups[2])
    if found.layers and not adds_up(supers + open_tasks, total):
        raise Refused("super-layers do not add up to `Sum of Layers time`", sum_line.number)
    parts = [part for part in line.groups[1:5] if part is not None]
    if not adds_up(list(parts), line.groups[5]):
        raise Refused("Input, Task, send and Out do not add up to Process", line.number)
    if mode != "transfers" and found.layers_ms > found.task_ms + half_unit(total) + half_unit(line.groups[2]):
        raise Refused("the layers take longer than Task", line.number)


def _check_sleeps(found: MeasuredSubgraph, line: Line) -> None:
    """In mode ``layers``, Task is the layers and a sleep after each."""
    if not found.layers:
        raise Refused("no layer times in mode `layers`", line.number)
    sleep = (found.task_ms - found.layers_ms) / len(found.layers)
    slack = half_unit(line.groups[2]) + 1e-3
    if not SLEEP_MS - slack <= sleep <= SLEEP_MOST_MS + slack:
        detail = f"{sleep:g} ms for each sleep of 8 ms"
        raise Refused("Task does not fit the layers and their sleeps", line.number, detail)
