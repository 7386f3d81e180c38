"""Board files: what is refused, where and with which suggestion; and the board that ships."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from eesim.errors import InputError, Problem
from eesim.findings import Finding, findings_of
from eesim.hardware.spec import MAX_PES, Board
from eesim.scenario.library import find_board, find_network
from eesim.spec import validate_document
from eesim.wording import DataPath, dotted
from eesim.yamldoc import load_document, parse_document
from tests.scenarios import ORIGIN, board_data, board_of, pe_data

BOARD = """\
eesim: 1
name: toy
sources:
  DT: device tree
base_power: {value: 1 W, origin: {kind: fitted, source: DT}}
pes:
  B:
    kind: cpu
    opps:
      origin: {kind: published, source: DT}
      power_origin: {kind: assumed}
      table:
        - {frequency: 408 MHz, active_power: 10 mW}
        - {frequency: 600 MHz, active_power: 20 mW}
    idle_power: {value: 0 mW, origin: {kind: assumed}}
  G:
    kind: gpu
    host: B
    opps:
      origin: {kind: published, source: DT}
      power_origin: {kind: assumed}
      table:
        - {frequency: 800 MHz, active_power: 10 mW}
    idle_power: {value: 0 mW, origin: {kind: assumed}}
contention:
  pairs: {B: {G: 1.6}}
  origin: {kind: assumed}
transfers:
  charge: sender
  charge_origin: {kind: assumed}
  routes:
    B->G: {fixed: 1 ms, per_byte: 0.35 ms/MB, origin: {kind: fitted, source: DT}}
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        validate_document(Board, parse_document(text, "board.yaml"))
    return [str(problem) for problem in caught.value.problems]


def findings(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Board.model_validate(data)
    return [said(finding) for finding in findings_of(caught.value)]


def said(finding: Finding) -> str:
    return f"{dotted(finding.path)}: {finding.message}" + (f" ({finding.hint}?)" if finding.hint else "")


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


# -- what is refused ----------------------------------------------------------------------------------------


def test_the_toy_board_is_good() -> None:
    board = validate_document(Board, parse_document(BOARD, "board.yaml"))
    assert board.pe_names == ("B", "G")
    assert board.pes["B"].opps.frequencies == (408_000_000, 600_000_000)


def test_values_that_do_not_fit_are_reported_together_with_their_lines() -> None:
    text = BOARD.replace("kind: gpu", "kind: gpx").replace("600 MHz", "600").replace("charge: sender", "charge: sneder")
    text = text.replace("1 W", "1 Wt").replace("pairs: {B: {G: 1.6}}", "pairs: {B: {G: 0.5}}")
    assert problems_of(text) == [
        "board.yaml:5: base_power.value: unknown unit 'Wt': must be W, mW or uW (did you mean 1 W?)",
        "board.yaml:14: pes.B.opps.table.1.frequency: needs a unit: Hz, kHz, MHz or GHz (did you mean 600 MHz?)",
        "board.yaml:17: pes.G.kind: 'gpx' is not one of cpu, gpu, npu, dsp, mcu, accelerator (did you mean gpu?)",
        "board.yaml:26: contention.pairs.B.G: must be at least 1.0",
        "board.yaml:29: transfers.charge: 'sneder' is not one of sender, receiver, link, delay (did you mean sender?)",
    ]


def test_names_that_do_not_exist_are_reported_together_with_suggestions() -> None:
    text = BOARD.replace("{B: {G: 1.6}}", "{b: {g: 1.6}}").replace("host: B", "host: b").replace("B->G:", "B->g:")
    text = text.replace("{kind: fitted, source: DT}}\npes", "{kind: fitted, source: dt}}\npes")
    assert problems_of(text) == [
        "board.yaml:5: base_power.origin.source: 'dt' is not one of the board's sources (did you mean DT?)",
        "board.yaml:18: pes.G.host: there is no PE 'b' on this board (did you mean B?)",
        "board.yaml:26: contention.pairs.b: there is no PE 'b' on this board (did you mean B?)",
        "board.yaml:26: contention.pairs.b.g: there is no PE 'g' on this board (did you mean G?)",
        "board.yaml:32: transfers.routes.B->g: there is no PE 'g' on this board (did you mean G?)",
    ]


def test_wrong_values_and_wrong_names_are_reported_together() -> None:
    text = BOARD.replace("host: B", "host: b").replace("600 MHz", "600")
    assert [problem.partition(" ")[0] for problem in problems_of(text)] == ["board.yaml:14:", "board.yaml:18:"]


def test_an_unknown_key_is_refused_with_a_suggestion() -> None:
    text = BOARD.replace("idle_power: {value: 0 mW, origin: {kind: assumed}}\n  G:", "idle_pwer: {value: 0 mW}\n  G:")
    line = line_of(text, "idle_pwer")
    assert f"board.yaml:{line}: pes.B.idle_pwer: unknown key (did you mean idle_power?)" in problems_of(text)


def test_clocks_must_ascend() -> None:
    text = BOARD.replace("600 MHz", "408 MHz")
    assert problems_of(text) == ["board.yaml:14: pes.B.opps.table.1.frequency: must be above the one before"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"pes": {}}, "pes: must not be empty"),
        (
            {"pes": {f"P{i}": pe_data() for i in range(MAX_PES + 1)}, "transfers": board_data("B")["transfers"]},
            f"pes: must have at most {MAX_PES} items",
        ),
        (
            {"exclusive": [["B", "L"], ["L", "G"]]},
            "exclusive: PE 'L' is in more than one exclusive group",
        ),
        ({"exclusive": [["B", "X"]]}, "exclusive.0.1: there is no PE 'X' on this board"),
        ({"exclusive": [["B"]]}, "exclusive.0: must have at least 2 items"),
        ({"eesim": 2}, "eesim: must be 1, not 2"),
        ({"name": "my board"}, "name: must match the pattern ^[A-Za-z][A-Za-z0-9_]*$"),
    ],
)
def test_boards_that_make_no_sense(changes: dict[str, Any], expected: str) -> None:
    assert findings(board_data() | changes) == [expected]


@pytest.mark.parametrize("key", ["B->B", "BG", "B->G->L", "->G"])
def test_a_route_leads_from_one_pe_to_another(key: str) -> None:
    data = board_data()
    data["transfers"]["routes"] = {key: data["transfers"]["routes"]["B->G"]}
    assert f"transfers.routes.{key}" in findings(data)[0]


def test_a_route_may_name_the_clock_of_existing_pes_only() -> None:
    data = board_data()
    slow = data["transfers"]["routes"]["B->G"] | {"clock": {"pe": "g", "offset": 0, "slope": 1}}
    data["transfers"]["routes"] = {"B->G": slow}
    assert findings(data) == ["transfers.routes.B->G.clock.pe: there is no PE 'g' on this board (G?)"]


def test_a_pe_cannot_be_its_own_host() -> None:
    pes = {"B": pe_data(), "G": pe_data(host="G")}
    assert findings(board_data(pes)) == ["pes.G.host: a PE cannot be its own host"]


def test_a_host_must_be_one_whose_effect_is_known() -> None:
    one = {"factor": 1.0}
    effect = {"slows_host": one, "slows_self": one, "host_power": "0 mW/GHz", "origin": ORIGIN}
    pes = {"B": pe_data(), "L": pe_data(), "G": pe_data(host="L", hosts={"B": effect})}
    assert findings(board_data(pes)) == ["pes.G.host: the board does not say what a host on 'L' means"]


def test_a_host_without_effects_has_none() -> None:
    board = board_of({"B": pe_data(), "G": pe_data(host="B")})
    assert board.pes["G"].host_effect is None


# -- the board that ships -----------------------------------------------------------------------------------

ORIGIN_KEYS = ("origin", "power_origin", "charge_origin")
COUNTS_OF_THINGS = ("eesim", "cores", "servers")
"""Numbers of a board file that are no measured or derived quantities."""


def shipped() -> Any:
    here = Problem("test", 0, "", "")
    return load_document(find_board("rk3399pro", Path(), here)).data


def quantities(data: Any, path: DataPath = (), *, under: bool = False) -> Iterator[tuple[DataPath, bool]]:
    """Every number in plain data, and whether a mapping on the way to it says where it comes from."""
    if isinstance(data, dict):
        here = under or any(key in data for key in ORIGIN_KEYS)
        for key, item in data.items():
            if key not in (*ORIGIN_KEYS, "title", "sources", "note"):
                yield from quantities(item, (*path, key), under=here)
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from quantities(item, (*path, index), under=under)
    elif isinstance(data, (int, float)) or re.match(r"[0-9.]+ ", str(data)):
        yield path, under


def origins(data: Any, path: DataPath = ()) -> Iterator[tuple[DataPath, dict[str, str]]]:
    if isinstance(data, dict):
        for key, item in data.items():
            if key in ORIGIN_KEYS:
                yield (*path, key), item
            else:
                yield from origins(item, (*path, key))


def test_every_number_of_the_shipped_board_has_an_origin() -> None:
    found = list(quantities(shipped()))
    without = [dotted(path) for path, known in found if not known and path[-1] not in COUNTS_OF_THINGS]
    assert without == []
    assert len(found) > 100


def test_every_origin_of_the_shipped_board_names_an_existing_source_or_says_that_it_is_assumed() -> None:
    data = shipped()
    listed = list(origins(data))
    assert len(listed) > 30
    for path, origin in listed:
        if origin["kind"] == "assumed":
            assert origin.get("source", "DT") in data["sources"], dotted(path)
            assert origin.get("note"), f"{dotted(path)} is assumed, but does not say why"
        else:
            assert origin.get("source") in data["sources"], dotted(path)
    assert {origin.get("source") for _, origin in listed} - {None} == set(data["sources"])


def test_the_shipped_board_is_good_and_complete() -> None:
    board = Board.model_validate(shipped())
    assert board.pe_names == ("B", "L", "G", "N")
    for source in board.pe_names:
        for target in board.pe_names:
            assert source == target or board.transfers.route(source, target) is not None


@pytest.mark.parametrize("what", ["network", "profile"])
def test_the_shipped_network_and_profile_say_where_they_come_from(what: str) -> None:
    here = Problem("test", 0, "", "")
    network = find_network("ee_resnet18", Path(), here)
    profile = find_board("rk3399pro", Path(), here).parent / "profiles" / "ee_resnet18.yaml"
    data = load_document(network if what == "network" else profile).data
    assert data["origin"]["source"]
    assert all(known or path[-1] == "eesim" for path, known in quantities(data))
