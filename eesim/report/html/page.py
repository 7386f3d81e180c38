"""From a folder to a page: which kinds of result it holds, their sections, one HTML file."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from eesim.errors import InputError, Problem
from eesim.report.files import replacing
from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind
from eesim.report.html.kinds import KINDS
from eesim.report.html.parts import Section
from eesim.report.html.provenance import COMMAND_FILE, provenance_section

TEMPLATES = "templates"

_NOT_AS_WRITTEN = (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError, OverflowError)
"""What goes wrong where a file is valid, but does not say what eesim writes."""


class Report(NamedTuple):
    """A page that was made."""

    path: Path
    kinds: tuple[str, ...]
    missing: tuple[str, ...]
    """What could not be shown, and why."""


class Page(NamedTuple):
    """A page before it is written."""

    title: str
    kinds: tuple[Kind, ...]
    sections: tuple[Section, ...]
    missing: tuple[str, ...]


def report_html(folder: str | Path, path: str | Path | None = None) -> Report:
    """Write a folder of results as one self-contained HTML page.

    The same folder gives the same bytes. The page needs no network, and can be read without script and on paper.

    Parameters
    ----------
    folder
        What ``eesim run``, ``compare``, ``sensitivity``, ``explore``, ``sweep`` or ``validate`` wrote with ``-o``.
        Parts may be missing: the page then says which.
    path
        File to write; ``report.html`` in the folder by default.

    Returns
    -------
    Report
        ``path``, ``kinds`` of result that the folder holds, and what is ``missing``.

    Raises
    ------
    InputError
        If the folder holds no result, or a file in it is damaged.
    """
    source = Folder(Path(folder))
    page = read(source)
    target = source.path / "report.html" if path is None else Path(path)
    text = render(page)
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Report(target, tuple(kind.name for kind in page.kinds), page.missing)


def read(folder: Folder) -> Page:
    """Return the page of a folder."""
    kinds = [kind for kind in KINDS if kind.claims(folder)]
    if not kinds:
        raise InputError([_no_result(folder)])
    sections, missing = [], []
    for kind in kinds:
        missing += [f"{file}: {what}" for file, what in kind.files.items() if not folder.has(file)]
        for make in kind.sections:
            try:
                section = make(folder)
            except _NOT_AS_WRITTEN as error:
                name = make.__name__.strip("_").replace("_", " ")
                missing.append(
                    f"{name}: the files are not as this version writes them ({type(error).__name__}: {error})"
                )
                continue
            if section is not None:
                sections.append(section)
    if not folder.has(COMMAND_FILE):
        missing.append(f"{COMMAND_FILE}: the command as it was typed")
    sections.append(provenance_section(folder, kinds))
    title = kinds[0].title(folder) or f"{kinds[0].name} in {folder.name}"
    return Page(title, tuple(kinds), tuple(sections), tuple(missing))


def _no_result(folder: Folder) -> Problem:
    expected = ", ".join(f"{kind.name} ({next(iter(kind.files))})" for kind in KINDS)
    below = sorted(path for path in folder.path.iterdir() if path.is_dir())
    inner = next((path for path in below if any(kind.claims(Folder(path)) for kind in KINDS)), None)
    message = f"holds no result; expected is what `eesim COMMAND ... -o DIR` writes: {expected}"
    return Problem(str(folder.path), 0, "", message, str(inner) if inner else "")


def render(page: Page) -> str:
    """Return a page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from eesim.provenance import package_version

    environment = Environment(
        loader=PackageLoader("eesim.report.html", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    beside = resources.files("eesim.report.html").joinpath(TEMPLATES)
    script = beside.joinpath("page.js").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(
        page=page,
        anchors=_anchors(page.sections),
        style=beside.joinpath("style.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        version=package_version("eesim"),
    )


def _anchors(sections: tuple[Section, ...]) -> list[str]:
    """Return an id for each section, none twice."""
    taken: dict[str, int] = {}
    found = []
    for section in sections:
        word = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-") or "section"
        taken[word] = taken.get(word, 0) + 1
        found.append(f"s-{word}" if taken[word] == 1 else f"s-{word}-{taken[word]}")
    return found
