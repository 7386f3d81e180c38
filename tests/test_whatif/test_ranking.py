"""Plausible boards: drawing them, and which candidate is best on how many."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eesim.errors import InputError
from eesim.scenario.library import scenario_folder
from eesim.scenario.load import load
from eesim.units import parse_time_ns
from eesim.whatif.candidates import rank_candidates
from eesim.whatif.plausible import draw, read_plausible, spans_of
from eesim.yamldoc import load_document
from tests.scenarios import FAR_APART, camera

ALONE = {**FAR_APART, "run": {"frames": 100, "warmup": "none", "replications": 2}}
STUDY = scenario_folder() / "studies" / "mappings_on_plausible_boards.yaml"
E1 = ("profile", "times", "e1", "G")
HEAD = "eesim: 1\nplausible:\n"


def write(folder: Path, text: str, name: str = "p.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def drawn(source: str, count: int = 2000) -> list[dict[Any, Any]]:
    scenario = camera(ALONE)
    return list(islice(draw(read_plausible(scenario, source), scenario, np.random.default_rng(1)), count))


# -- draws --------------------------------------------------------------------------------------------------


def test_an_interval_is_drawn_evenly(tmp_path: Path) -> None:
    boards = drawn(write(tmp_path, f"{HEAD}  profile.times.e1.G: {{low: 4 ms, high: 6 ms}}\n"))
    times = np.array([parse_time_ns(board[E1]) for board in boards]) / 1e6
    assert times.min() >= 4
    assert times.max() <= 6
    assert np.quantile(times, [0.25, 0.5, 0.75]) == pytest.approx([4.5, 5, 5.5], abs=0.1)


@pytest.mark.parametrize("spread", ["sd: 0.0529 ms", "sd: 1 %", "value: 5.29 ms, sd: 1 %"])
def test_a_normal_input_has_its_mean_and_deviation(tmp_path: Path, spread: str) -> None:
    boards = drawn(write(tmp_path, f"{HEAD}  profile.times.e1.G: {{{spread}}}\n"))
    times = np.array([parse_time_ns(board[E1]) for board in boards]) / 1e6
    assert times.mean() == pytest.approx(5.29, abs=0.005)
    assert times.std() == pytest.approx(0.0529, rel=0.08)


def test_what_belongs_together_moves_together(tmp_path: Path) -> None:
    text = (
        f"{HEAD}  profile.times.e1.G: {{low: 4 ms, high: 6 ms, together: x}}\n"
        "  profile.times.b1.B: {low: 7 ms, high: 9 ms, together: x}\n"
        "  profile.times.b2.L: {low: 7 ms, high: 9 ms, together: x, opposite: true}\n"
        "  profile.times.b3.L: {low: 7 ms, high: 9 ms}\n"
    )
    boards = drawn(write(tmp_path, text))
    table = np.array([[parse_time_ns(value) for value in board.values()] for board in boards])
    matrix = np.corrcoef(table.T)
    assert matrix[0] == pytest.approx([1, 1, -1, 0], abs=0.06)


def test_values_are_chosen_among(tmp_path: Path) -> None:
    boards = drawn(write(tmp_path, f"{HEAD}  physics.transfers: {{values: [true, false]}}\n"))
    chosen = [board["physics", "transfers"] for board in boards]
    assert set(chosen) == {True, False}
    assert np.mean(chosen) == pytest.approx(0.5, abs=0.05)


def test_rows_of_a_table_are_boards(tmp_path: Path) -> None:
    path = write(tmp_path, "profile.times.e1.G,board.contention.pairs.B.G\n4 ms,1.0\n5 ms,1.5\n", "d.csv")
    assert [list(board.values()) for board in drawn(path)] == [["4 ms", 1.0], ["5 ms", 1.5]]
    spans = {span.name: span for span in spans_of(camera(ALONE), read_plausible(camera(ALONE), path))}
    assert set(spans) == {"profile.times.e1.G", "board.contention.pairs.B.G"}
    low = spans["profile.times.e1.G"].low
    assert low is not None
    assert low.written() == "4 ms"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  a.b: {low: 1}\n", r"p\.yaml:3: .*must have low and high, or sd"),
        ("  a.b: {low: 1, high: 2, sd: 1}\n", "must have low and high, or sd"),
        ("  a.b: {low: 2, high: 1}\n", r"p\.yaml:3: a\.b: .*must be below"),
        ("  a.b: {low: 1 ms, high: 2 us}\n", "same unit"),
        ("  a.b: {value: 1 ms, sd: 2 us}\n", "same unit"),
        ("  a.b: {sd: 1 %}\n", "must be numbers"),
        ("  a.b: {low: 1, high: 2, opposite: true}\n", "opposite to what"),
        ("  a.b: {lo: 1, high: 2}\n", r"unknown key \(did you mean low\?\)"),
    ],
)
def test_what_is_not_plausible_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_plausible(camera(ALONE), write(tmp_path, HEAD + text))


@pytest.mark.parametrize(
    ("text", "message"),
    [("a.b\n", "at least one row"), ("a.b,c\n1\n", "2: has 1 values"), ("a..b\n1\n", "empty path")],
)
def test_tables_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_plausible(camera(ALONE), write(tmp_path, text, "d.csv"))


# -- candidates ---------------------------------------------------------------------------------------------


def test_shares_are_those_of_a_race_that_can_be_computed(tmp_path: Path) -> None:
    """All on B takes 16.24 ms; with e1 on G it is 8.09 + t, t even between 6.15 and 10.15: better for half of them."""
    path = write(tmp_path, f"{HEAD}  profile.times.e1.G: {{low: 6.15 ms, high: 10.15 ms}}\n")
    scenario = camera({**ALONE, "stream.exits": {"kind": "fixed", "exit": 1}})
    found = rank_candidates(scenario, ["BBBBBBB", "BGBBBBB"], path, boards=120, frames=10)
    by_name = {candidate.mapping: candidate for candidate in found.candidates}
    split = by_name["BGBBBBB"]
    gaps = [parse_time_ns(board[E1]) < 8.15e6 for board in found.drawn]
    assert split.wins == sum(gaps)
    assert split.best.ci_low is not None
    assert split.best.ci_high is not None
    assert split.best.ci_low <= 0.5 <= split.best.ci_high
    assert by_name["BBBBBBB"].value == pytest.approx({"mean": 16.24, "min": 16.24, "max": 16.24})
    assert sum(candidate.wins for candidate in found.candidates) == 120
    # At worst the split loses (8.09 + 10.15) / 16.24 - 1.
    assert split.regret_pct["max"] == pytest.approx(100 * (18.24 / 16.24 - 1), rel=0.05)
    (influence,) = found.influences
    assert abs(influence.correlation) == pytest.approx(1)


def test_requirements_are_judged_beside(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEAD}  profile.times.e1.G: {{low: 6.15 ms, high: 10.15 ms}}\n")
    changes = {**ALONE, "stream.exits": {"kind": "fixed", "exit": 1}, "requirements": {"worst_latency": "17 ms"}}
    found = rank_candidates(camera(changes), ["BBBBBBB", "BGBBBBB"], path, boards=40, frames=10)
    by_name = {candidate.mapping: candidate for candidate in found.candidates}
    assert by_name["BBBBBBB"].meets.value == 1
    within = np.mean([parse_time_ns(board[E1]) <= 8.91e6 for board in found.drawn])
    assert by_name["BGBBBBB"].meets.value == pytest.approx(within)


def test_ties_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEAD}  profile.times.b4.L: {{low: 6 ms, high: 10 ms}}\n")
    scenario = camera({**ALONE, "stream.exits": {"kind": "fixed", "exit": 1}})
    found = rank_candidates(scenario, ["BGBBBBB", "BGBBBBL"], path, boards=5, frames=10)
    assert found.ties == 5
    assert found.candidates[0].mapping == "BGBBBBB"
    assert found.candidates[0].wins == 5


def test_draws_that_make_no_board_are_drawn_again(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEAD}  board.pes.G.hosts.B.slows_host.factor: {{value: 1.0, sd: 0.1}}\n")
    found = rank_candidates(camera(ALONE), ["BGLGLGL", "GGGGGGG"], path, boards=20, frames=10)
    assert found.boards == 20
    assert found.rejected > 0


def test_a_board_that_is_never_valid_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEAD}  board.pse.G: {{low: 1, high: 2}}\n")
    with pytest.raises(InputError, match="pse: unknown key"):
        rank_candidates(camera(ALONE), ["BGLGLGL", "GGGGGGG"], path, boards=5, frames=10)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        (["BGLGLGL"], "at least two"),
        (["BGLGLGL", "BGL"], "BGL: has 3 PEs"),
        (["BGLGLGL", "BGLGLGX"], "BGLGLGX"),
        (["BGLGLGL", "BGLGLGL"], "listed twice"),
    ],
)
def test_candidates_must_be_mappings(tmp_path: Path, candidates: list[str], message: str) -> None:
    path = write(tmp_path, f"{HEAD}  profile.times.e1.G: {{sd: 1 %}}\n")
    with pytest.raises(InputError, match=message):
        rank_candidates(camera(ALONE), candidates, path, boards=5, frames=10)


def test_boards_must_be_given() -> None:
    with pytest.raises(InputError, match="plausible"):
        rank_candidates(camera(ALONE), ["BGLGLGL", "GGGGGGG"])


def test_the_shipped_study_runs() -> None:
    found = rank_candidates(load(STUDY, {"run.frames": 200}), boards=3)
    assert {candidate.mapping for candidate in found.candidates} >= {"BGLGLGL", "GGLBLBL", "GGGGGGG"}
    assert found.has_requirements
    assert len(found.plausible.paths) == 1 + 12 + 21
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert sum(candidate["wins"] for candidate in data["candidates"]) == 3
    again = rank_candidates(load(STUDY, {"run.frames": 200}), boards=3)
    assert again.to_dict() == found.to_dict()


def test_the_shipped_ranges_lie_between_the_two_lines_of_the_board_model() -> None:
    """One end of every transfer is the board's own line; the other is the study's of the other campaign."""
    folder = scenario_folder() / "studies"
    terms = load_document(folder / "plausible_ee_resnet18.yaml").data["plausible"]
    other = load_document(folder / "transfers_to_receiver.yaml").data["board"]["transfers"]["routes"]
    board = camera().documents["board"]["transfers"]["routes"]
    for route, line in other.items():
        for key in ("fixed", "per_byte"):
            term = terms[f"board.transfers.routes.{route}.{key}"]
            ours, theirs = (float(one[key].split()[0]) for one in (board[route], line))
            ends = [float(term[end].split()[0]) for end in ("low", "high")]
            assert ends == sorted([ours, theirs]), (route, key)
            # All lie at the board's end together.
            assert term.get("opposite", False) == (ours > theirs), (route, key)
