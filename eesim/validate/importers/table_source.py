"""One foreign table on its way into ours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eesim.validate.importers.names import GRAPHS, RK3399PRO, clock_mhz
from eesim.validate.importers.protocol import Options, Row
from eesim.validate.importers.records import BadRecord, Record
from eesim.validate.importers.tally import Tally

FEW = 5
"""A network that is not known, with fewer rows than this in a table, is taken for a damaged name."""


@dataclass(frozen=True)
class Source:
    """A table's rows, and what is known of it."""

    path: Path
    campaign: str
    options: Options
    records: Sequence[Record]
    _counts: dict[str, Counter[str]] = field(default_factory=dict, repr=False)

    def counts(self, column: str) -> Counter[str]:
        """Return how often each text stands in a column."""
        if column not in self._counts:
            self._counts[column] = Counter(record.text(column) for record in self.records)
        return self._counts[column]

    def convert(self, tally: Tally, make: Callable[[Record], Row]) -> list[tuple[Record, Row]]:
        """Return what each row becomes; rows that cannot be used are counted, verbatim repeats as well."""
        done = []
        seen: set[tuple[str, ...]] = set()
        for record in self.records:
            cells = tuple(record.cells.values())
            if cells in seen:
                self.skip(tally, "a verbatim repeat", record)
                continue
            seen.add(cells)
            try:
                done.append((record, make(record)))
            except BadRecord as bad:
                self.skip(tally, bad.reason, record, bad.detail)
        return done

    def skip(self, tally: Tally, reason: str, record: Record, detail: str = "") -> None:
        """Count a row that is left out."""
        tally.skip(f"row left out: {reason}", self.path, record.line, detail or ",".join(record.cells.values()))

    def check_graph(self, column: str, record: Record) -> None:
        """Refuse a network's name that is neither known nor frequent.

        Raises
        ------
        BadRecord
            If it is not in this table often enough to be one of its own.
        """
        name = record.text(column)
        if name.lower() not in GRAPHS and self.counts(column)[name] < FEW:
            raise BadRecord("a network that is not known", name)


def clock(pe: str, index: int) -> int | None:
    """Return the clock of an index on the RK3399Pro.

    Raises
    ------
    BadRecord
        If the PE has no such index.
    """
    try:
        return clock_mhz(RK3399PRO, pe, index)
    except ValueError as error:
        raise BadRecord("a frequency index that the board does not have", str(error)) from None


def without_contradictions(
    source: Source, tally: Tally, made: list[tuple[Record, Row]], columns: Sequence[str]
) -> list[tuple[Record, Row]]:
    """Leave out all rows that say different things about the same quantity: which of them is right is not known."""
    by_key: dict[tuple[Hashable, ...], list[tuple[Record, Row]]] = defaultdict(list)
    for item in made:
        by_key[tuple(item[1].get(column) for column in columns)].append(item)
    kept = []
    for items in by_key.values():
        if len(items) == 1:
            kept += items
            continue
        for record, _ in items:
            source.skip(tally, "rows contradict each other", record)
    return sorted(kept, key=lambda item: item[0].line)


def without_strays(
    source: Source, tally: Tally, made: list[tuple[Record, Row]], column: str
) -> list[tuple[Record, Row]]:
    """Leave out rows of a layer that a network's other rows do not know: the number is damaged.

    A layer of which there is a single row is a stray if the network's layers have three rows or more in the middle.
    """
    counts = Counter((row["graph"], row[column]) for _, row in made)
    of_graph: dict[Hashable, list[int]] = defaultdict(list)
    for (graph, _), number in counts.items():
        of_graph[graph].append(number)
    usual = {graph: sorted(numbers)[len(numbers) // 2] for graph, numbers in of_graph.items()}
    kept = []
    for record, row in made:
        if counts[row["graph"], row[column]] == 1 and usual[row["graph"]] >= 3:
            source.skip(tally, "a layer that no other row knows", record)
        else:
            kept.append((record, row))
    return kept
