"""Mappings as users write them: order strings, lists, tables, operating points, exits."""

from __future__ import annotations

from typing import Any

import pytest

from eesim.findings import SpecError
from eesim.mapping.mapping import Mapping, MappingSpec, resolve_mapping
from eesim.wording import dotted
from tests.scenarios import RESNET, board_of, network_of, pe_data

MHZ = 10**6
PES = {"B": pe_data((408, 1200, 1800)), "L": pe_data((408, 1416)), "G": pe_data((200, 800))}


def resolve(segments: Any, pes: dict[str, Any] | None = None, **written: Any) -> Mapping:
    spec = MappingSpec.model_validate({"segments": segments, **written})
    return resolve_mapping(spec, board_of(pes or PES), network_of(*RESNET))


def findings(segments: Any, **written: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        resolve(segments, **written)
    return [
        f"{dotted(path)}: {message}" + (f" ({hint}?)" if hint else "") for path, message, hint in caught.value.findings
    ]


# -- segments -----------------------------------------------------------------------------------------------


def test_an_order_string_a_list_and_a_table_say_the_same() -> None:
    names = [segment["name"] for segment in RESNET]
    table = dict(zip(names, "BGLGLGL", strict=True))
    backwards = dict(reversed(table.items()))
    found = [resolve(written) for written in ("BGLGLGL", list("BGLGLGL"), table, backwards)]
    assert all(mapping == found[0] for mapping in found)
    assert found[0].pes == tuple("BGLGLGL")
    assert found[0].order == "BGLGLGL"


def test_pes_with_long_names_need_a_list_and_are_listed_with_commas() -> None:
    pes = {"big": pe_data(), "gpu": pe_data()}
    mapping = resolve(["big", "gpu"] * 3 + ["big"], pes)
    assert mapping.order == "big,gpu,big,gpu,big,gpu,big"


@pytest.mark.parametrize("segments", ["BGLGLG", "BGLGLGLB", list("BGLGLG"), ""])
def test_the_wrong_number_of_segments(segments: Any) -> None:
    message = f"has {len(segments)} PEs, but network net has 7 segments (b1 e1 b2 e2 b3 e3 b4)"
    assert findings(segments) == [f"segments: {message}"]


def test_unknown_pes_are_reported_once_each_with_a_suggestion() -> None:
    assert sorted(findings("BgLgLXL")) == [
        "segments: there is no PE 'X' on board board (B L G)",
        "segments: there is no PE 'g' on board board (B L G) (G?)",
    ]


def test_unknown_pes_of_a_list_are_reported_where_they_stand() -> None:
    assert sorted(findings(["B", "g", "L", "G", "b", "G", "L"])) == [
        "segments.1: there is no PE 'g' on board board (B L G) (G?)",
        "segments.4: there is no PE 'b' on board board (B L G) (B?)",
    ]


def test_everything_wrong_with_a_table_is_reported() -> None:
    table = {"b1": "B", "e1": "g", "b2": "L", "e_2": "G", "b3": "L", "e3": "G"}
    assert sorted(findings(table)) == [
        "segments.b4: missing: on which PE?",
        "segments.e1: there is no PE 'g' on board board (B L G) (G?)",
        "segments.e2: missing: on which PE?",
        "segments.e_2: network net has no such segment (e2?)",
    ]


def test_a_wrong_length_and_wrong_letters_are_reported_together() -> None:
    assert [found.partition(" ")[2].partition(" (")[0] for found in findings("BGx")] == [
        "has 3 PEs, but network net has 7 segments",
        "there is no PE 'x' on board board",
    ]


# -- operating points ---------------------------------------------------------------------------------------


def test_clocks_are_the_highest_unless_something_else_is_asked_for() -> None:
    mapping = resolve("BGLGLGL")
    assert mapping.pe_opp_hz == {"B": 1800 * MHZ, "L": 1416 * MHZ, "G": 800 * MHZ}
    assert mapping.segment_opp_hz == tuple(mapping.pe_opp_hz[pe] for pe in "BGLGLGL")


def test_a_pe_or_one_segment_can_have_another_clock() -> None:
    mapping = resolve("BGLGLGL", opp={"L": "408 MHz", "b3": "1416 MHz", "e1": "200 MHz"})
    assert mapping.pe_opp_hz == {"B": 1800 * MHZ, "L": 408 * MHZ, "G": 800 * MHZ}
    #                                         b1    e1   b2   e2    b3   e3   b4
    assert mapping.segment_opp_hz == tuple(f * MHZ for f in (1800, 200, 408, 800, 1416, 800, 408))


def test_clocks_are_the_same_in_any_unit() -> None:
    assert resolve("BGLGLGL", opp={"B": "1.2 GHz"}) == resolve("BGLGLGL", opp={"B": "1200000 kHz"})


def test_a_clock_that_the_pe_does_not_have_suggests_the_nearest() -> None:
    assert findings("BGLGLGL", opp={"B": "1700 MHz", "e1": "300 MHz"}) == [
        "opp.B: 1700 MHz is not an operating point of B (408 MHz, 1200 MHz, 1800 MHz) (1800 MHz?)",
        "opp.e1: 300 MHz is not an operating point of G (200 MHz, 800 MHz) (200 MHz?)",
    ]


def test_a_segment_has_the_clocks_of_the_pe_that_it_is_on() -> None:
    # 1200 MHz is a clock of B, but b2 is on L.
    (found,) = findings("BGLGLGL", opp={"b2": "1200 MHz"})
    assert found.startswith("opp.b2: 1200 MHz is not an operating point of L")


def test_a_clock_of_nothing_is_reported_with_a_suggestion() -> None:
    assert findings("BGLGLGL", opp={"b": "408 MHz", "b22": "408 MHz"}) == [
        "opp.b: is neither a PE nor a segment (B?)",
        "opp.b22: is neither a PE nor a segment (b2?)",
    ]


# -- exits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "enabled"),
    [
        ("all", (True, True, True, True)),
        (["exit2"], (False, True, False, True)),
        (["exit3", "exit1", "final"], (True, False, True, True)),
        (["final"], (False, False, False, True)),
        ([], (False, False, False, True)),
    ],
)
def test_exits_can_be_disabled_but_not_the_final_one(written: Any, enabled: tuple[bool, ...]) -> None:
    assert resolve("BGLGLGL", exits=written).enabled_exits == enabled


def test_unknown_exits_are_reported_with_a_suggestion() -> None:
    assert findings("BGLGLGL", exits=["exit1", "exitt2", "zzz"]) == [
        "exits.1: network net has no exit 'exitt2' (exit2?)",
        "exits.2: network net has no exit 'zzz'",
    ]


def test_problems_of_all_three_parts_are_reported_together() -> None:
    found = findings("BGLGLGx", opp={"B": "1 MHz"}, exits=["exit9"])
    assert [text.partition(":")[0] for text in found] == ["segments", "opp.B", "exits.0"]
