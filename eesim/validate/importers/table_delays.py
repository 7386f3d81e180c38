"""``FreqMeasurements*.csv``: how long a clock change takes; ``Transfer_Freq.csv``: one hand-over against the clocks."""

from __future__ import annotations

import re
from statistics import median

from eesim.validate.importers.protocol import Imported, Row
from eesim.validate.importers.records import BadRecord, Record
from eesim.validate.importers.table_source import Source, clock

PES = {"Little": "L", "Big": "B", "GPU": "G"}
REPEATS = tuple(f"T{i}" for i in range(1, 11))
NS_PER_MS = 1e6
SIX_DIGITS = 1e-5
"""Relative rounding of the file's numbers."""
SAME = 1e-6
"""Ratios are written with all digits."""
BYTES_PER_KERNEL = 27 * 27 * 4
"""The probe's tensor: 27 x 27 floats per kernel."""


def add_dvfs_delays(source: Source, found: Imported) -> None:
    """Append the rows of a table of clock changes, ns in the file."""
    for _, row in source.convert(found.tally, lambda record: _delay_row(source, record)):
        found.add("dvfs_delay", row)


def _delay_row(source: Source, record: Record) -> Row:
    pe = PES.get(record.text("PE"))
    if pe is None:
        raise BadRecord("a PE that the board does not have", record.text("PE"))
    before, after = record.whole("Freq"), record.whole("NextFreq")
    repeats = [record.number(column) for column in REPEATS]
    mean = record.number("AVG")
    # Delays near zero are differences that may fall below it; the file's authors count those as nothing.
    expected = (sum(repeats) / len(repeats), sum(max(value, 0.0) for value in repeats) / len(repeats))
    if not any(abs(mean - value) <= SIX_DIGITS * max(map(abs, repeats)) for value in expected):
        raise BadRecord("the mean is not that of the repeats")
    return {
        "pe": pe,
        "from_mhz": clock(pe, before),
        "to_mhz": clock(pe, after),
        "from_index": before,
        "to_index": after,
        "mean_ms": mean / NS_PER_MS,
        "median_ms": median(repeats) / NS_PER_MS,
        "min_ms": min(repeats) / NS_PER_MS,
        "max_ms": max(repeats) / NS_PER_MS,
        "probe_iterations": record.whole("Num_iterations"),
        "source": source.path.name,
    }


def add_transfer_scaling(source: Source, found: Imported) -> None:
    """Append the rows of a table of one hand-over at several clocks; its ratios must be those of its times."""
    at_lowest = {
        (record.text("kernels"), record.text("order")): record
        for record in reversed(source.records)
        if set(re.findall(r"[0-9]+", record.text("SenderFreq") + record.text("RecFreq"))) == {"0"}
    }

    def make(record: Record) -> Row:
        base = at_lowest.get((record.text("kernels"), record.text("order")))
        if base is None:
            raise BadRecord("no hand-over at the lowest clocks to compare with")
        for value, ratio in (("transfer_time", "time_ratio"), ("transfer_power", "power_ratio")):
            said = record.maybe(ratio)
            if said is not None and abs(record.measured(value) / base.measured(value) - said) > SAME:
                raise BadRecord(f"{ratio} is not that of {value}")
        return _scaling_row(source, record)

    for _, row in source.convert(found.tally, make):
        found.add("transfer_freq_scaling", row)


def _scaling_row(source: Source, record: Record) -> Row:
    order = record.text("order")
    if len(order) != 2 or not set(order) <= set("BLG") or order[0] == order[1]:
        raise BadRecord("PEs between which nothing is sent", order)
    both = f"({record.text('SenderFreq')}, {record.text('RecFreq')})"
    if record.text("freq") not in ("", both):
        raise BadRecord("clocks that contradict each other", record.text("freq"))
    src, src_host = _clock_pair(order[0], record.text("SenderFreq"))
    dst, dst_host = _clock_pair(order[1], record.text("RecFreq"))
    return {
        "src_pe": order[0],
        "dst_pe": order[1],
        "src_freq_mhz": src,
        "src_host_freq_mhz": src_host,
        "dst_freq_mhz": dst,
        "dst_host_freq_mhz": dst_host,
        "tensor_bytes": record.whole("kernels") * BYTES_PER_KERNEL,
        "time_ms": record.measured("transfer_time"),
        "power_mw": record.measured("transfer_power"),
        "time_ratio_to_min": record.measured("time_ratio"),
        "source": source.path.name,
    }


def _clock_pair(pe: str, text: str) -> tuple[int | None, int | None]:
    """Return a PE's clock and, for G, its host's, from ``(i,)`` or ``(g, h)``."""
    match = re.fullmatch(r"\(([0-9]+),(?: ([0-9]+))?\)", text)
    if match is None or (match[2] is not None) != (pe == "G"):
        raise BadRecord("no clock of that PE", f"{pe} {text}")
    return clock(pe, int(match[1])), None if match[2] is None else clock("B", int(match[2]))
