"""An import from end to end: read, judge, write, say what was done."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eesim.errors import InputError, Problem, suggest
from eesim.provenance import package_version
from eesim.validate.importers import FORMATS, importer
from eesim.validate.importers.protocol import Imported, Options, Row
from eesim.validate.importers.tally import Tally
from eesim.validate.importers.write import write_import
from eesim.wording import count, listing


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import found and did.

    Attributes
    ----------
    format, source, output
        What was read, from where, and where to; None if nothing was written.
    found
        Tables, and what became of each line and record.
    provenance
        Versions, options, and SHA-256 of each file that was read.
    written
        Files that were written.
    """

    format: str
    source: Path
    output: Path | None
    found: Imported
    provenance: dict[str, Any]
    written: tuple[Path, ...] = ()

    @property
    def tables(self) -> dict[str, list[Row]]:
        """Rows by table."""
        return self.found.tables

    @property
    def tally(self) -> Tally:
        """Counts of lines and records."""
        return self.found.tally

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data: what ``eesim import --json`` prints and ``import.json`` keeps."""
        return {
            "format": self.format,
            "input": str(self.source),
            "output": None if self.output is None else str(self.output),
            "rows": self.found.rows,
            "tables": {name: len(rows) for name, rows in self.tables.items()},
            "documents": list(self.found.documents),
            **self.tally.to_dict(),
            "provenance": self.provenance,
        }


def run_import(format: str, path: Path, output: Path | None, options: Options, *, append: bool) -> ImportSummary:
    """Do what `import_path` says."""
    if format not in FORMATS:
        message = f"there is no format {format!r} (known: {', '.join(FORMATS)})"
        raise InputError([Problem("<python>", 0, "format", message, suggest(format, FORMATS))])
    module = importer(format)
    _check_options(format, module.OPTIONS, options)
    if output is not None and output.exists() and not output.is_dir():
        raise InputError([Problem(str(output), 0, "", "is not a directory")])
    found = module.read(path, options)
    if not found.rows and not found.documents:
        raise InputError(_nothing(path, found.tally))
    summary = ImportSummary(format, path, output, found, _provenance(found, options))
    if output is None:
        return summary
    written = write_import(output, found, summary.to_dict(), append=append)
    return ImportSummary(format, path, output, found, summary.provenance, tuple(written))


def _check_options(format: str, known: frozenset[str], options: Options) -> None:
    problems = []
    for name in sorted(set(options.given()) - known):
        takers = [f"`{other}`" for other in FORMATS if name in importer(other).OPTIONS]
        option = "--log" if name == "run_log" else "--" + name.replace("_", "-")
        problems.append(Problem(option, 0, "", f"means nothing to {format}: it is for {listing(takers, 'and')}"))
    if problems:
        raise InputError(problems)


def _nothing(path: Path, tally: Tally) -> list[Problem]:
    """Say why there is nothing to write."""
    problems = [Problem(str(path), 0, "", "holds nothing that could be imported")]
    for reason, group in tally.skipped.items():
        first = group.examples[0]
        more = f" ({count(group.count, 'time')})" if group.count > 1 else ""
        detail = f": {first.text}" if first.text else ""
        problems.append(Problem(first.source, first.line, "", f"{reason}{more}{detail}"))
    if tally.unknown_lines:
        kind, unknown = max(tally.unknown.items(), key=lambda item: item[1].count)
        first = unknown.examples[0]
        message = f"{count(tally.unknown_lines, 'line')} not understood, most of them like {kind!r}"
        problems.append(Problem(first.source, first.line, "", message))
    return problems


def _provenance(found: Imported, options: Options) -> dict[str, Any]:
    return {
        "eesim": package_version("eesim"),
        "python": platform.python_version(),
        "options": options.given(),
        "files_sha256": {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in found.files},
    }
