"""Answer the questions of docs/gallery.md again: type its commands, and rewrite what the page says about them.

``make gallery`` runs this. Every study of the page is a heading, a block of ``eesim`` commands, and an answer between
two markers with the study's name. The commands are run as they stand, with ``--json``; the answer is made of what they
print (`gallery_parts`) and replaced, the rest of the page is left alone. An answer whose words no longer fit its
numbers stops with an error.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from gallery_parts import boards, streams
from gallery_parts.figures import FIGURES

from eesim.cli.main import main as eesim
from eesim.report.figures import draw
from eesim.report.files import replacing

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gallery.md"
IMAGES = ROOT / "docs" / "images"
RESULTS = "results/"
"""Folder of the page's commands; a temporary one takes its place."""


ANSWERS: dict[str, Callable[[Sequence[Any]], str]] = {
    answer.__name__: answer
    for answer in (
        *(boards.camera_60fps, boards.gpu_host, boards.faster_memory, boards.thermal_cap, boards.npu_share),
        *(streams.exits, streams.second_camera, streams.hard_scenes, streams.speculation),
    )
}
"""By the name of the study, which is that of its markers on the page."""


class Study(NamedTuple):
    """One question of the page."""

    name: str
    commands: tuple[str, ...]
    answer: str
    """What the page says now."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="STUDY", help="studies to answer (all)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if an answer is not current")
    arguments = parser.parse_args()
    known = studies()
    if unknown := set(arguments.names) - set(known):
        parser.error(f"no such study: {', '.join(sorted(unknown))} (known: {', '.join(known)})")
    stale = []
    for name in arguments.names or known:
        begin = time.perf_counter()
        found = outputs(known[name])
        text = ANSWERS[name](found)
        state = "current" if text == known[name].answer else "changed"
        print(f"{name}: {state}, {time.perf_counter() - begin:.0f} s", file=sys.stderr)
        if arguments.check:
            stale += [name] * (state == "changed")
            continue
        put(name, text)
        if name in FIGURES:
            draw(IMAGES, {f"gallery_{name}": lambda n=name, f=found: FIGURES[n](f)}, ("png",))
    return 1 if stale else 0


def studies(page: Path = PAGE) -> dict[str, Study]:
    """Read the studies of the page, in its order."""
    found = {}
    for section in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        for name, answer in re.findall(r"<!-- (\w+):begin -->\n(.*?)<!-- \1:end -->", section, re.DOTALL):
            lines = "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)).splitlines()
            found[name] = Study(name, tuple(lines), answer)
    return found


def outputs(study: Study) -> list[Any]:
    """Run the commands of a study: the object that each prints, or the table of a sweep."""
    with tempfile.TemporaryDirectory() as scratch, working_in(ROOT):
        return [output(line, Path(scratch)) for line in study.commands]


def output(line: str, scratch: Path) -> Any:
    """Run one command line of the page in the project's folder, its results in ``scratch``."""
    first, *words = shlex.split(line)
    if first != "eesim":
        sys.exit(f"{line}: is no command of eesim")
    words = [str(scratch / word.removeprefix(RESULTS)) if word.startswith(RESULTS) else word for word in words]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()) as said:
        status = eesim([*words, "--json"])
    if status not in (0, 1):
        sys.exit(f"{line}: exit status {status}\n{said.getvalue()}")
    found = json.loads(printed.getvalue())
    return pd.read_parquet(found["table"]) if words[0] == "sweep" else found


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder, and come back."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def put(name: str, text: str) -> None:
    """Replace a study's answer."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    old = PAGE.read_text(encoding="utf-8")
    with replacing(PAGE) as part:
        part.write_text(pattern.sub(lambda match: f"{match[1]}{text}{match[2]}", old), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
