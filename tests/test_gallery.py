"""The gallery's answers are what its commands print today, and its studies say what the page says they do."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from eesim.cli.main import main
from eesim.scenario.library import scenario_folder

ROOT = Path(__file__).parents[1]
GALLERY = scenario_folder() / "gallery"
CHEAP = ("speculation", "exits")
"""Studies that take a few seconds; the others are slow tests."""


@pytest.fixture(scope="module")
def gallery() -> Any:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import gallery

        yield gallery
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def names() -> list[str]:
    return re.findall(
        r"^<!-- (\w+):begin -->$", (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8"), re.MULTILINE
    )


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in CHEAP else pytest.mark.slow) for n in names()])
def test_an_answer_is_what_the_commands_say(gallery: Any, name: str) -> None:
    study = gallery.studies()[name]
    assert gallery.ANSWERS[name](gallery.outputs(study)) == study.answer, "run `make gallery`, and read what changed"


def test_every_study_has_an_answer_and_its_files(gallery: Any) -> None:
    studies = gallery.studies()
    assert set(studies) == set(gallery.ANSWERS) == set(names())
    assert len(studies) >= 6
    typed = " ".join(line for study in studies.values() for line in study.commands)
    mentioned = {path.relative_to(GALLERY.parent) for path in GALLERY.rglob("*.yaml")}
    assert {path for path in mentioned if f"scenarios/{path}" not in typed} == set()
    for study in studies.values():
        assert study.commands
        assert all(line.startswith("eesim ") for line in study.commands)
        assert "**" in study.answer
        assert "|" in study.answer


def test_pictures_are_there_and_small(gallery: Any) -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    for name in gallery.FIGURES:
        assert f"(images/gallery_{name}.png)" in page
        assert 5_000 < (ROOT / "docs" / "images" / f"gallery_{name}.png").stat().st_size < 150_000


def test_words_that_no_longer_hold_stop_the_answer(gallery: Any) -> None:
    study = gallery.studies()["speculation"]
    (found,) = gallery.outputs(study)
    found["variants"][1]["metrics"]["latency_ms.p99"]["b"]["value"] = 39.0
    with pytest.raises(gallery.boards.must.__globals__["StaleAnswer"], match="waiting loses the limit"):
        gallery.ANSWERS["speculation"]([found])


def test_an_answer_replaces_nothing_else(gallery: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n<!-- y:begin -->\nkept\n<!-- y:end -->\n")
    monkeypatch.setattr(gallery, "PAGE", page)
    gallery.put("x", "new \\1\n")
    assert page.read_text() == (
        "a\n<!-- x:begin -->\nnew \\1\n<!-- x:end -->\nb\n<!-- y:begin -->\nkept\n<!-- y:end -->\n"
    )


@pytest.mark.parametrize(
    ("name", "halved"), [("bandwidth", {"per_byte"}), ("calls", {"fixed"}), ("both", {"fixed", "per_byte"})]
)
def test_faster_memory_is_half_of_the_board_s(name: str, halved: set[str]) -> None:
    def amount(text: str) -> float:
        return float(text.split()[0])

    board = yaml.safe_load((ROOT / "hw_models" / "rk3399pro" / "board.yaml").read_text(encoding="utf-8"))
    changed = yaml.safe_load((GALLERY / "faster_memory" / f"{name}.yaml").read_text(encoding="utf-8"))
    routes = changed["board"]["transfers"]["routes"]
    assert set(routes) == {route for route in board["transfers"]["routes"] if "N" not in route}
    for route, terms in routes.items():
        assert set(terms) == halved | {"origin"}
        for term in halved:
            assert amount(terms[term]) == pytest.approx(amount(board["transfers"]["routes"][route][term]) / 2)
    rest = {key: value for key, value in changed.items() if key not in ("board", "title")}
    as_is = yaml.safe_load((GALLERY / "faster_memory" / "as_is.yaml").read_text(encoding="utf-8"))
    assert rest == {key: value for key, value in as_is.items() if key not in ("board", "title")}


def test_studies_of_the_gallery_can_be_shown_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", "scenario", "gallery/speculation", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mapping"]["order"] == "BGLGLGL"
