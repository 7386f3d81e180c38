"""``eesim import``: foreign measurements to eesim's own tables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from eesim.cli.common import add_json_option, print_json, say
from eesim.validate.importers import FORMATS
from eesim.validate.importers.names import FOREIGN_BOARDS
from eesim.validate.importers.npu_model import NPU_MODELS
from eesim.wording import count

if TYPE_CHECKING:
    from eesim.validate.importers.summary import ImportSummary
    from eesim.validate.importers.tally import Group


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "formats:\n" + "\n".join(f"  {name:<12} {entry.summary}" for name, entry in FORMATS.items())
    parser.add_argument("format", metavar="FORMAT", choices=tuple(FORMATS), help=", ".join(FORMATS))
    parser.add_argument("path", metavar="PATH", type=Path, help="file, or folder of files")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="folder for what is written")
    parser.add_argument("--append", action="store_true", help="add to the tables in OUT, do not replace them")
    parser.add_argument("--graph", metavar="NAME", help="network that ran, where the files do not say it")
    parser.add_argument("--campaign", metavar="LABEL", help="label of these measurements (campaigns are never mixed)")
    parser.add_argument("--log", metavar="FILE", type=Path, help="coup-power: the run log (else the one beside PATH)")
    parser.add_argument("--npu-model", choices=NPU_MODELS, help="NPU models, where the files do not say it")
    parser.add_argument("--allow-board", choices=FOREIGN_BOARDS, help="let in another board's files, labelled as such")
    parser.add_argument(
        "--times", choices=("gates", "layers"), help="ceed: scaled to the measured gates (default), or not"
    )
    said = "ceed: PE that has the times, or that is SPEED times as fast (default: worker)"
    parser.add_argument("--pe", metavar="NAME[=SPEED]", action="append", default=[], help=said)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from eesim.validate.importers import import_path

    done = import_path(
        arguments.format,
        arguments.path,
        arguments.output,
        append=arguments.append,
        graph=arguments.graph,
        campaign=arguments.campaign,
        npu_model=arguments.npu_model,
        allow_board=arguments.allow_board,
        run_log=arguments.log,
        times=arguments.times,
        pe=arguments.pe,
    )
    if arguments.json:
        print_json(done.to_dict())
    else:
        _print(done)
    for path in done.written:
        say(f"wrote {path}")
    return 0


def _print(done: ImportSummary) -> None:
    """Print what was found, then what was left out and why."""
    tally, unit = done.tally, FORMATS[done.format].unit
    print(f"{done.format}: {count(done.found.rows, 'row')} from {count(len(done.found.files), 'file')}")
    width = max((len(name) for name in done.tables), default=0)
    for name, rows in done.tables.items():
        print(f"  {name:<{width}}  {len(rows):>8,}")
    for name, text in done.found.documents.items():
        print(f"  {name}  {count(len(text.splitlines()), 'line')}")
    counted = f"{tally.lines:,} read, {tally.understood:,} understood, {tally.noise:,} known to say nothing"
    print(f"{unit.capitalize() + 's':<7} {counted}")
    _print_groups("Left out", tally.skipped_records, tally.skipped)
    _print_groups("Not understood", tally.unknown_lines, tally.unknown)
    for warning in tally.warnings:
        print(f"Note    {warning}")


def _print_groups(title: str, total: int, groups: dict[str, Group]) -> None:
    if not total:
        return
    print(f"{title}: {total:,}")
    for what, group in sorted(groups.items(), key=lambda item: (-item[1].count, item[0]))[:10]:
        first = group.examples[0]
        print(f"  {group.count:>8,}  {what}")
        print(f"            first in {first.source}:{first.line}{': ' + first.text if first.text else ''}")
    if len(groups) > 10:
        print(f"            and {len(groups) - 10:,} kinds more (--json lists them)")
