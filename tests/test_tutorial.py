"""The tutorial, typed: every command in order in an empty folder, with the files that the page tells to write."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from eesim.cli.main import main

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
SET_UP = ("make run", ". .venv/bin/activate", "mkdir tutorial", "cd tutorial")
FIGURE = r"\d[\d,]*(?:\.\d+)? (?:ms|mJ|fps|%)"


class Step(NamedTuple):
    """A block of the page, or what stands between two of them (language ``prose``)."""

    language: str
    info: str
    text: str


def steps() -> list[Step]:
    parts = re.split(
        r"^```(\w+) ?([^\n]*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    found = [Step("prose", "", parts[0])]
    for i in range(1, len(parts), 4):
        found += [Step(*parts[i : i + 3]), Step("prose", "", parts[i + 3])]
    return [step for step in found if step.language != "prose" or step.text.strip()]


def words(line: str) -> str:
    return " ".join(line.split())


def typed(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a command line; return its exit status and what a terminal would show."""
    first, *arguments = shlex.split(line)
    assert first == "eesim", line
    capsys.readouterr()
    status = main(arguments)
    seen = capsys.readouterr()
    return status, seen.out + seen.err


def test_the_tutorial_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    shown, commands = "", []
    everything = steps()
    assert tuple(everything[1].text.splitlines()) == SET_UP
    for step, after in zip(everything[2:], [*everything[3:], Step("", "", "")], strict=True):
        if step.language == "yaml":
            name = step.info.removeprefix("file=")
            assert name != step.info
            (tmp_path / name).write_text(step.text, encoding="utf-8")
            shown += step.text
        elif step.language == "sh":
            (line,) = step.text.splitlines()
            commands.append(shlex.split(line)[1])
            status, seen = typed(line, capsys)
            assert after.language == "text", f"{line}: its output is not shown"
            assert status == int((after.info or "status=0").removeprefix("status=")), f"{line}\n{seen}"
            assert_shown(after.text, seen, line)
            shown += line + seen
        elif step.language == "prose":
            missing = [figure for figure in re.findall(FIGURE, step.text) if not stands_in(figure, shown)]
            assert missing == [], f"figures that nothing has printed so far: {missing}"
    assert set(commands) == {"init", "check", "run", "report", "show", "compare", "explore", "sensitivity", "sweep"}
    assert (tmp_path / "trace.json.gz").stat().st_size > 1000
    for folder in ("run", "rates"):
        assert "</html>" in (tmp_path / "results" / folder / "report.html").read_text(encoding="utf-8")


def assert_shown(said: str, seen: str, line: str) -> None:
    """Every line of a shortened output is one of the real output, in its order."""
    real = iter([words(row) for row in seen.splitlines()])
    for row in map(words, said.splitlines()):
        if row and row != "...":
            assert row in real, f"{line}: does not print, here or at all: {row!r}\n{seen}"


ROUNDED = ("5 %", "10 %", "4 ms", "99 %", "95 %")
"""Figures that round what was printed (5 % of the frames are 4.686 %), or are told, not printed."""


def stands_in(figure: str, shown: str) -> bool:
    number, unit = figure.split()
    return figure in ROUNDED or bool(re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d])\s*[^\n]*{unit}", shown))


def test_a_figure_that_was_not_printed_is_found() -> None:
    assert stands_in("36.00 ms", "  p99    36.00 ms  ± 0")
    assert not stands_in("36.01 ms", "  p99    36.00 ms  ± 0")
    assert not stands_in("6.00 ms", "  p99    36.00 ms  ± 0")
    with pytest.raises(AssertionError, match="does not print"):
        assert_shown("b\na\n", "a\nb\n", "eesim run")
