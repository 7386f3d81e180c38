from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.errors import InputError, Problem
from eesim.overrides import Override, apply_overrides, parse_override, parse_overrides
from eesim.wording import DataPath
from eesim.yamldoc import parse_document

SCENARIO = """\
eesim: 1
board: rk3399pro
policy: cooperative
stream:
  arrivals: {kind: periodic, rate: 30 Hz}
opps:
  - {frequency: 1 GHz}
requirements:
"""


def expand(path: DataPath, value: Any) -> dict[str, Any] | None:
    keys: dict[DataPath, str] = {("board",): "extends", ("policy",): "preset"}
    key = keys.get(path)
    return {key: value} if key else None


def changed(*texts: str) -> Any:
    return apply_overrides(parse_document(SCENARIO, "s.yaml"), parse_overrides(texts), expand).data


def problems(*texts: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        changed(*texts)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("mapping.segments=BGBGLGL", ("mapping", "segments"), "BGBGLGL"),
        ("a=true", ("a",), True),
        ("a=yes", ("a",), "yes"),
        ("a=5", ("a",), 5),
        ("a=-1.5e3", ("a",), -1500.0),
        ("a=40 ms", ("a",), "40 ms"),
        ("a=5 %", ("a",), "5 %"),
        ("a=null", ("a",), None),
        ("a=''", ("a",), ""),
        ("a=[1, 2]", ("a",), [1, 2]),
        ("a={kind: poisson, rate: 3 Hz}", ("a",), {"kind": "poisson", "rate": "3 Hz"}),
        ("opps.0.frequency=1 GHz", ("opps", 0, "frequency"), "1 GHz"),
        (" a . b = x=y ", ("a", "b"), "x=y"),
        ("a=12:30:45", ("a",), "12:30:45"),
    ],
)
def test_parse(text: str, path: DataPath, value: object) -> None:
    assert parse_override(text) == Override(path, value)


def test_bad_overrides_are_reported_together() -> None:
    assert problems("a", "=5", "a..b=1", "a=", "a=  ", "a=# x", "a=b: c", "a=- 1", "a={x: 1, x: 2}", "a=[1") == [
        "--set: a: must be path=value",
        "--set: =5: a step of the path is empty",
        "--set: a..b=1: a step of the path is empty",
        "--set: a: the value is empty (did you mean null?)",
        "--set: a: the value is empty (did you mean null?)",
        "--set: a: the value is empty (did you mean null?)",
        "--set: a: a mapping or a list needs brackets here (did you mean {b: c}?)",
        "--set: a: a mapping or a list needs brackets here (did you mean [1]?)",
        "--set: a.x: duplicate key",
        "--set: a: not valid YAML: expected ',' or ']', but got '<stream end>'"
        " while parsing a flow sequence that begins on line 1",
    ]
    assert problems(".".join("a" * 60) + "=1")[0].endswith("nested deeper than 50 levels")


def test_values_are_replaced_and_added() -> None:
    data = changed(
        "stream.arrivals.rate=60 Hz",
        "stream.exits.kind=counts",
        "opps.0.voltage=1 V",
        "requirements.deadline=4 ms",
    )
    assert data["stream"] == {"arrivals": {"kind": "periodic", "rate": "60 Hz"}, "exits": {"kind": "counts"}}
    assert data["opps"] == [{"frequency": "1 GHz", "voltage": "1 V"}]
    assert data["requirements"] == {"deadline": "4 ms"}
    assert changed("opps=3", "opps=[4]", "opps.0=5")["opps"] == [5]
    assert changed("pairs.1.2=x")["pairs"] == {"1": {"2": "x"}}


def test_scalars_that_are_short_for_mappings_are_written_out() -> None:
    document = apply_overrides(
        parse_document(SCENARIO, "s.yaml"),
        parse_overrides(["board.contention.G=1.6", "policy.queue=3", "policy.preset=coup"]),
        expand,
    )
    assert document.data["board"] == {"extends": "rk3399pro", "contention": {"G": 1.6}}
    assert document.data["policy"] == {"preset": "coup", "queue": 3}
    assert document.where(("board", "extends")) == ("s.yaml", 2)
    assert document.where(("board", "contention", "G")) == ("--set", 0)
    assert document.where(("policy", "preset")) == ("--set", 0)
    assert document.where(("stream",)) == ("s.yaml", 4)


def test_paths_that_lead_nowhere() -> None:
    assert problems("eesim.x=1", "opps.1.frequency=1 Hz", "opps.a=1", "stream.arrivals.rate.x.y=1") == [
        "--set: eesim.x: eesim is 1, which has no parts",
        "--set: opps.1.frequency: 1 is not an index of a list of 1 (0 is the first)",
        "--set: opps.a: a is not an index of a list of 1 (0 is the first)",
        "--set: stream.arrivals.rate.x.y: stream.arrivals.rate is '30 Hz', which has no parts",
    ]


def test_without_expand_no_scalar_is_a_mapping() -> None:
    with pytest.raises(InputError, match="board is 'rk3399pro', which has no parts"):
        apply_overrides(parse_document(SCENARIO, "s.yaml"), [parse_override("board.x=1")])


@settings(deadline=None)
@given(st.text(max_size=30), st.text(alphabet="a0.=[]{}: ,-#'\"", max_size=30))
def test_any_text_is_an_override_or_an_input_error(text: str, like: str) -> None:
    for option in (text, like, f"stream.{like}={text}"):
        found: tuple[Problem, ...] = ()
        try:
            assert isinstance(changed(option), dict)
        except InputError as error:
            found = error.problems
        assert all("\n" not in str(problem) for problem in found)
