"""``Evaluations_*.csv``: runs of whole networks, one PE per layer."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise

from eesim.validate.importers.coup_clocks import SettingError, parse_setting
from eesim.validate.importers.names import RK3399PRO, graph_name
from eesim.validate.importers.npu_model import assign
from eesim.validate.importers.protocol import Imported, Row, Value
from eesim.validate.importers.records import BadRecord, Record
from eesim.validate.importers.table_source import Source

SAME = 1e-6
"""What is computed from other cells agrees to the last digits."""

ENERGIES = (
    ("input_e", "input_time", "input_power"),
    ("task_e", "task_time", "task_power"),
    ("output_e", "output_time", "input_power"),
)
"""Energy (mJ) = time (ms) x power (mW) / 1000."""


OTHERS = (
    *("input_power", "task_power", "output_time", "input_e", "task_e", "output_e", "total_e"),
    *("power_efficiency", "pipelinetime", "Power"),
)
"""Columns that such a table may have."""


def add_evaluations(source: Source, found: Imported) -> None:
    """Append the rows of a table of runs that were measured."""
    usual = _usual_lengths(source)
    rows = [dict(row) for _, row in source.convert(found.tally, lambda record: _run_row(source, record, usual))]
    if not assign(rows, source.options.npu_model, source.path.name):
        found.tally.warn(f"{source.path}: which NPU model ran is not known for some runs: use --npu-model")
    for row in rows:
        found.add("switch_runs", row)


def _usual_lengths(source: Source) -> dict[str, int]:
    """Return how many layers most orders of each network have."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for record in source.records:
        counts[record.text("graph")][len(record.text("order"))] += 1
    return {graph: max(lengths, key=lambda length: (lengths[length], length)) for graph, lengths in counts.items()}


def _run_row(source: Source, record: Record, usual: Mapping[str, int]) -> Row:
    source.check_graph("graph", record)
    if not record.text("total_time") and not record.text("task_time"):
        raise BadRecord("a design that was not measured")
    order, host = record.text("order"), record.text("host")
    if not re.fullmatch(r"[BLGN]+", order):
        raise BadRecord("an order with other letters than B, L, G, N", order)
    if len(order) != usual[record.text("graph")]:
        raise BadRecord("an order of another length than the network's other ones", order)
    if not re.fullmatch(r"[BL][BL]", host):
        raise BadRecord("hosts that are no CPU clusters", host)
    _check_sums(record)
    input_ms, task_ms = record.measured("input_time"), record.measured("task_time")
    input_mw, task_mw = record.maybe("input_power"), record.maybe("task_power")
    energy = None if input_mw is None or task_mw is None else (input_ms * input_mw + task_ms * task_mw) / 1000
    switches = sum(a != b for a, b in pairwise(order))
    clocks = _clocks(record.text("freq"), order, host)
    told = f"{source.path.name}|{record.line}|{order}|{clocks}|{record.text('total_time')}"
    return {
        "run_id": f"sw_{hashlib.sha256(told.encode()).hexdigest()[:10]}",
        "campaign": source.campaign,
        "graph": graph_name(record.text("graph")),
        "order": order,
        "freq_indices": clocks,
        "gpu_host": host[0],
        "npu_host": host[1],
        "npu_model": "",
        "n_switches": switches,
        "single_pe": int(not switches),
        "input_time_ms": input_ms,
        "task_time_ms": task_ms,
        "output_time_ms": record.maybe("output_time"),
        "total_time_ms": record.measured("total_time"),
        "input_power_mw": input_mw,
        "task_power_mw": task_mw,
        "energy_mj": energy,
        "source": source.path.name,
        "board": RK3399PRO,
    }


def _clocks(text: str, order: str, host: str) -> str:
    """Return the clocks as our tables write them, from ``((7,), (4, 7), ...)``, ``(('max',),)`` or ``{{max}}``."""
    extreme = re.fullmatch(r"\(\('(min|max)',\),\)|\{*(min|max)\}*", text)
    if extreme:
        setting = extreme[1] or extreme[2]
    elif re.fullmatch(r"\((?:\([0-9]+,(?: [0-9]+)?\)(?:, |,(?=\))|(?=\))))+\)", text):
        items = re.findall(r"\(([0-9]+),(?: ([0-9]+))?\)", text)
        setting = "-".join(f"[{own},{other}]" if other else own for own, other in items)
    else:
        raise BadRecord("clocks that cannot be read", text)
    try:
        return "-".join(map(str, parse_setting(setting, order, host[0], host[1], RK3399PRO)))
    except SettingError as error:
        raise BadRecord("clocks that do not fit the order", str(error)) from None


def _check_sums(record: Record) -> None:
    """Refuse a row whose times, powers and energies do not fit each other; what is empty is not checked."""
    _same(record, "total_time", record.number("input_time") + record.number("task_time"))
    for energy, time, power in ENERGIES:
        _same(record, energy, _product(record, time, power))
    parts = [record.maybe(energy) for energy, _, _ in ENERGIES]
    total = None if None in parts else sum(part for part in parts if part is not None)
    _same(record, "total_e", total)
    _same(record, "power_efficiency", None if not total else 1000 / total)


def _product(record: Record, time: str, power: str) -> float | None:
    ms, mw = record.maybe(time), record.maybe(power)
    return None if ms is None or mw is None else ms * mw / 1000


def _same(record: Record, column: str, expected: float | None) -> None:
    said: Value = record.maybe(column)
    if said is None or expected is None:
        return
    if abs(float(said) - expected) > SAME * max(1.0, abs(expected)):
        raise BadRecord(f"{column} does not fit the cells that it follows from")
