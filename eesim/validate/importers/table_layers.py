"""``Layers.csv`` and ``Transfers.csv``: times of layers, and of hand-overs between PEs at the lowest clocks."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from eesim.validate.importers.names import RK3399PRO, graph_name
from eesim.validate.importers.protocol import Imported, Row, Value
from eesim.validate.importers.records import BadRecord, Record
from eesim.validate.importers.table_source import Source, clock, without_contradictions, without_strays

METRICS = {
    "in": "input",
    "task": "task",
    "out": "output",
    "NPU_load": "npu_load",
    "NPU_run_get": "npu_run_get",
    "NPU_fill_tensor": "npu_fill_tensor",
}
NO_HOST = -1
KEY = ("graph", "layer", "pe", "metric", "freq_index", "host_freq_index")


def add_layers(source: Source, found: Imported) -> None:
    """Append the rows of a layer table."""
    made = source.convert(found.tally, lambda record: _layer_row(source, record))
    made = without_strays(source, found.tally, made, "layer")
    for record, row in without_contradictions(source, found.tally, made, KEY):
        if row["pe"] == "N" and row["metric"] == "input" and row["layer"] != 0:
            # An image is read before the first layer only; later ones are 0.01 ms of an empty accessor.
            source.skip(found.tally, "input of an NPU layer that is not the first", record)
        else:
            found.add("layer_times", row)


def _layer_row(source: Source, record: Record) -> Row:
    source.check_graph("Graph", record)
    pe, metric = record.text("Component"), METRICS.get(record.text("Metric"))
    if pe not in ("B", "L", "G", "N"):
        raise BadRecord("a PE that the board does not have", pe)
    if metric is None:
        raise BadRecord("a metric that is not known", record.text("Metric"))
    layer = record.whole("Layer")
    if layer < 0:
        raise BadRecord("a layer below 0")
    return {
        "campaign": source.campaign,
        "graph": graph_name(record.text("Graph")),
        "layer": layer,
        "pe": pe,
        "metric": metric,
        **_clocks(pe, record.whole("Freq"), record.whole("Freq_Host")),
        "time_ms": record.measured("Time"),
        "power_mw": None if record.maybe("Power") is None else record.measured("Power"),
        "board": RK3399PRO,
        "source": source.path.name,
    }


def _clocks(pe: str, own: int, host: int) -> dict[str, Value]:
    """Clock columns: B and L have no host; the NPU's index is that of its host, B in these tables."""
    if (pe in "BL") != (host == NO_HOST) or (pe == "N" and own != host):
        raise BadRecord("a host's frequency that does not fit the PE", f"{pe} {own} {host}")
    return {
        "freq_index": None if pe == "N" else own,
        "freq_mhz": None if pe == "N" else clock(pe, own),
        "host_freq_index": None if pe in "BL" else host,
        "host_freq_mhz": None if pe in "BL" else clock("B", host),
    }


def add_transfers(source: Source, found: Imported) -> None:
    """Append the rows of a transfer table: verbatim repeats count once, the median of what is left.

    CO-UP-Profiling numbers by the sender, LW-GA by the receiver. Layer 0 never receives: a table that has it numbers by
    the sender.
    """
    by_sender = any(record.text("Layer") in ("0", "0.0") for record in source.records)
    values: dict[tuple[Value, ...], list[float]] = defaultdict(list)

    def make(record: Record) -> Row:
        source.check_graph("Graph", record)
        src, dst = record.text("Src"), record.text("Dest")
        if not {src, dst} <= set("BLGN") or src == dst or not src or not dst:
            raise BadRecord("PEs between which nothing is sent", f"{src} to {dst}")
        layer = record.whole("Layer") + by_sender
        if layer < 1:
            raise BadRecord("a layer that receives nothing", record.text("Layer"))
        where: dict[str, Value] = {
            "graph": graph_name(record.text("Graph")),
            "recv_layer": layer,
            "src_pe": src,
            "dst_pe": dst,
        }
        return {**where, "time": record.measured("Time")}

    repeats = found.tally.reasons()["row left out: a verbatim repeat"]
    made = without_strays(source, found.tally, source.convert(found.tally, make), "recv_layer")
    for _, row in made:
        values[row["graph"], row["recv_layer"], row["src_pe"], row["dst_pe"]].append(float(row["time"] or 0))
    for (graph, layer, src, dst), times in values.items():
        where: dict[str, Value] = {
            "campaign": source.campaign,
            "graph": graph,
            "recv_layer": layer,
            "src_pe": src,
            "dst_pe": dst,
        }
        time: dict[str, Value] = {"time_ms_at_min_freq": median(times), "distinct_values": len(set(times))}
        found.add("transfer_times", {**where, **time, "board": RK3399PRO, "source": source.path.name})
    several = sum(len(set(times)) > 1 for times in values.values())
    if several:
        found.tally.warn(
            f"{source.path}: {several} hand-overs have several times: the median is kept, see `distinct_values`"
        )
    repeats = found.tally.reasons()["row left out: a verbatim repeat"] - repeats
    if repeats:
        found.tally.warn(f"{source.path}: {repeats:,} verbatim repeats: they are no repeated measurements")
