from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.document import Document
from eesim.errors import InputError, Problem
from eesim.yamldoc import load_document, parse_document, parse_value

SCENARIO = """\
# a comment
eesim: 1
board: rk3399pro

stream:
  arrivals:
    kind: periodic
    rate: 30 Hz
  exits: {kind: counts, counts: [8222, 1015,
                                 294, 469]}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_document(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def value(text: str) -> object:
    return parse_document(f"x: {text}", "f").data["x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
        ("5", 5), ("-5", -5), ("+5", 5), ("0", 0), ("-0", 0), ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5), ("1e-3", 0.001), ("1.5e3", 1500.0), (".5", 0.5), ("5.", 5.0), ("1E5", 1e5),
        ("-.5", -0.5),
        *((word, word) for word in (
            "no", "No", "yes", "on", "off", "Y", "N", "y", "n", "True", "TRUE", "Null",
            "12:30:45", "2024-01-01", "2024-01-01T10:00:00Z", "1_000", "0x10", "010", "0o17", "00", "00.5",
            "1,000", "inf", "nan", "30 Hz", "=", "1e", ".", "BGBGLGL", "NNNNNNN",
        )),
        ('"5"', "5"), ("'true'", "true"), ("!!str 5", "5"), ("!!int 5", 5), ("!!float 5", 5.0),
        ("[1, a]", [1, "a"]), ("{N: 1, on: 2}", {"N": 1, "on": 2}),
    ],
)  # fmt: skip
def test_scalars(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_letters_and_words_of_yaml_1_1_are_plain_keys() -> None:
    assert parse_document("N: 1\nY: 2\nno: 3\non: 4\nTrue: 5\n", "f").data == {
        "N": 1, "Y": 2, "no": 3, "on": 4, "True": 5,
    }  # fmt: skip


def test_lines_are_those_of_values_and_keys() -> None:
    document = parse_document(SCENARIO, "s.yaml")
    assert document.source == "s.yaml"
    assert document.line(()) == 2
    assert document.line(("board",)) == 3
    assert document.line(("stream",)) == 5
    assert document.line(("stream", "arrivals")) == 6
    assert document.line(("stream", "arrivals", "rate")) == 8
    assert document.line(("stream", "exits", "counts", 0)) == 9
    assert document.line(("stream", "exits", "counts", 2)) == 10
    assert document.where(("stream", "arrivals", "kind")) == ("s.yaml", 7)


def test_a_path_that_does_not_exist_has_the_line_of_its_nearest_ancestor() -> None:
    document = parse_document(SCENARIO, "s.yaml")
    assert document.line(("stream", "arrivals", "jitter")) == 6
    assert document.line(("stream", "exits", "counts", 9, "x")) == 9
    assert document.line(("board", "x", 3)) == 3
    assert document.line(("run",)) == 2
    assert document.origin(("stream", "arrivals", "jitter")).path == ("stream", "arrivals", "jitter")


def test_a_value_on_the_lines_below_its_key_has_the_line_of_the_key() -> None:
    document = parse_document("a:\n\n  - b\n  -\n    c: |\n      text\n", "f")
    assert document.line(("a",)) == 1
    assert document.line(("a", 0)) == 3
    assert document.line(("a", 1, "c")) == 5
    assert document.get(("a", 1, "c")) == "text\n"
    assert document.get(("a", 7), "none") == "none"


def test_all_problems_of_a_file_at_once() -> None:
    text = (
        "a: 1\na: 2\n1: x\nb: {c: .inf, c: 3}\n<<: {d: 1}\ne: !!python/object:os.system x\n"
        "? [f]\n: 1\ng: &g [*g]\nh: 99999999999999999999\ni: 1e999\ntrue: 5\na: 3\nj: !!int x\nk: !foo y\n"
        '"\\ud800": 1\n~: 2\n'
    )
    assert problems(text) == [
        "f.yaml:2: a: duplicate key (the first is on line 1)",
        'f.yaml:3: the key 1 must be text (did you mean "1"?)',
        "f.yaml:4: b.c: .inf is not a finite number",
        "f.yaml:4: b.c: duplicate key (the first is on line 4)",
        "f.yaml:5: merge keys (<<) are not allowed: write the values out",
        "f.yaml:6: e: the tag '!!python/object:os.system' is not known here",
        "f.yaml:7: a key must be text, not a list or a mapping",
        "f.yaml:9: g.0: an alias that contains itself",
        "f.yaml:10: h: a whole number must fit in 64 bits",
        "f.yaml:11: i: 1e999 is not a finite number",
        'f.yaml:12: the key true must be text (did you mean "true"?)',
        "f.yaml:13: a: duplicate key (the first is on line 1)",
        "f.yaml:14: j: 'x' does not fit its tag !!int",
        "f.yaml:15: k: the tag '!foo' is not known here",
        "f.yaml:16: an escape sequence that is no character",
        'f.yaml:17: the key ~ must be text (did you mean "~"?)',
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f.yaml: the file is empty"),
        ("# nothing\n", "f.yaml: the file is empty"),
        ("---\n", "f.yaml: the file is empty"),
        ("\n5\n", "f.yaml:2: must be a mapping ('key: value' lines), not 5"),
        ("- a\n", "f.yaml:1: must be a mapping ('key: value' lines), not a list"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: a second document: a file holds one"),
        ("a:\n\tb: 1", "f.yaml:2: not valid YAML: a tab cannot be used here: indent with spaces"),
        ("a: @x", "f.yaml:1: not valid YAML: a plain value cannot start with @: put it in quotes"),
        (
            "a: 1\n b: 2",
            "f.yaml:2: not valid YAML: a ': ' where none can be: mend the indentation, or quote the value",
        ),
        (
            "a: 1\nb:2\nc: 3\n",
            "f.yaml:2: not valid YAML: a line that is not 'key: value' (a space must follow the colon)",
        ),
        (
            "a: 1\nb: {c: 1\n",
            "f.yaml:3: not valid YAML: expected ',' or '}', but got '<stream end>'"
            " while parsing a flow mapping that begins on line 2",
        ),
        ("a: *b", "f.yaml:1: not valid YAML: found undefined alias 'b'"),
        ("a: 1\nb: \x00", r"f.yaml:2: not valid YAML: the character '\x00' is not allowed"),
        ('a: 1\nb: "\\U99999999"', "f.yaml:2: not valid YAML: an escape sequence that is no character"),
        ("a: " + "[" * 60 + "]" * 60, "f.yaml:1: nested deeper than 50 levels"),
        ("[" * 100_000, "f.yaml:1: nested deeper than 50 levels"),
    ],
)
def test_syntax_and_shape(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_aliases_are_written_out_up_to_a_limit() -> None:
    assert parse_document("a: &x {b: [1]}\nc: *x\n", "f").data == {"a": {"b": [1]}, "c": {"b": [1]}}
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    assert problems(bomb)[0].endswith("more than 100,000 keys and values, with aliases written out")
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 70))
    assert problems(chain)[0].endswith("nested deeper than 50 levels, with aliases written out")


def test_aliases_give_separate_data() -> None:
    data = parse_document("a: &x [1]\nb: *x\n", "f").data
    data["a"].append(2)
    assert data["b"] == [1]


def test_unreadable_files(tmp_path: Path) -> None:
    def load(path: object) -> str:
        with pytest.raises(InputError) as caught:
            load_document(str(path))
        return str(caught.value).replace(str(tmp_path), "")

    (tmp_path / "camera.yaml").write_text("a: 1")
    (tmp_path / "latin1.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    (tmp_path / "utf16.yaml").write_bytes("a: 1".encode("utf-16"))
    (tmp_path / "huge.yaml").write_bytes(b"#" * 10_000_001)
    assert load(tmp_path / "camrea.yaml") == "/camrea.yaml: no such file (did you mean /camera.yaml?)"
    assert load(tmp_path / "x" / "y") == "/x/y: no such file"
    assert load(tmp_path) == ": is a directory, not a file"
    assert load(tmp_path / "latin1.yaml") == "/latin1.yaml:2: not a text file in UTF-8 (byte 0xe9)"
    assert load(tmp_path / "utf16.yaml") == "/utf16.yaml:1: not a text file in UTF-8 (byte 0xff)"
    assert load(tmp_path / "huge.yaml") == "/huge.yaml: larger than 10 MB"
    assert load("a\0b").endswith("cannot be read: embedded null byte")
    assert load("").endswith("no such file")


def test_a_file_with_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: \xc2\xb5\r\n")
    document = load_document(path)
    assert document.data == {"a": 1, "b": "µ"}
    assert document.where(("b",)) == (str(path), 2)


def test_merged_keeps_the_origin_of_every_value() -> None:
    base = parse_document("a: 1\npairs:\n  B: {G: 1.4}\n  L: {G: 1}\nopps: [1, 2]\n", "board.yaml")
    scenario = parse_document("board:\n  extends: x\n  pairs: {B: {G: 1.6, N: 2}}\n  opps: [3]\n", "s.yaml")
    merged = base.merged(scenario.sub(("board",)))
    assert merged.data == {
        "a": 1,
        "pairs": {"B": {"G": 1.6, "N": 2}, "L": {"G": 1}},
        "opps": [3],
        "extends": "x",
    }
    assert merged.where(("a",)) == ("board.yaml", 1)
    assert merged.where(("pairs", "B", "G")) == ("s.yaml", 3)
    assert merged.where(("pairs", "L")) == ("board.yaml", 4)
    assert merged.where(("pairs",)) == ("s.yaml", 3)
    assert merged.where(("missing",)) == ("s.yaml", 1)
    assert merged.source == "s.yaml"
    assert merged.origin(("pairs", "L", "G")).path == ("pairs", "L", "G")
    assert merged.origin(("pairs", "B", "G")).path == ("board", "pairs", "B", "G")
    assert base.data["opps"] == [1, 2]


def test_a_mapping_of_another_kind_replaces() -> None:
    base = parse_document("a: {kind: periodic, rate: 1}\nb: {kind: x, p: 1}", "base")
    overlay = parse_document("a: {kind: trace, path: p}\nb: {q: 2}", "overlay")
    assert base.merged(overlay).data == {
        "a": {"kind": "trace", "path": "p"},
        "b": {"kind": "x", "p": 1, "q": 2},
    }


def test_sub_keeps_positions() -> None:
    part = parse_document(SCENARIO, "s.yaml").sub(("stream", "exits"))
    assert part.data["kind"] == "counts"
    assert part.line(("counts", 3)) == 10
    assert part.origin(("counts", 3)).path == ("stream", "exits", "counts", 3)
    with pytest.raises(KeyError, match="no"):
        part.sub(("no",))


def test_with_value() -> None:
    document = parse_document("a: {b: [1, {c: 2}]}\nn:\n", "f")
    changed = document.with_value(("a", "b", 1, "c"), {"d": [5]}).with_value(("x", "y"), 1, "py", 7)
    changed = changed.with_value(("n", "m"), 2)
    assert changed.data == {"a": {"b": [1, {"c": {"d": [5]}}]}, "x": {"y": 1}, "n": {"m": 2}}
    assert document.data == {"a": {"b": [1, {"c": 2}]}, "n": None}
    assert changed.where(("a", "b", 1, "c", "d", 0)) == ("--set", 0)
    assert changed.where(("a", "b", 1)) == ("f", 1)
    assert changed.where(("x",)) == ("py", 7)
    assert changed.where(("n",)) == ("f", 2)


def test_python_data() -> None:
    document = Document.of({"a": (1, 2.5), "b": Path("x"), "c": {"d": None}, "e": Fraction(1, 2)})
    assert document.data == {"a": [1, 2.5], "b": "x", "c": {"d": None}, "e": 0.5}
    assert document.where(("a", 0)) == ("<python>", 0)
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(InputError) as caught:
        Document.of({1: 2, "a": float("nan"), "b": object(), "c": 2**70, "d": cycle}, "api")
    assert [str(problem)[:60] for problem in caught.value.problems] == [
        "api: the key 1 must be text",
        "api: a: nan is not a finite number",
        "api: b: a value of type object is not plain data",
        "api: c: a whole number must fit in 64 bits",
        "api: d" + ".0" * 27,
    ]


def test_parse_value() -> None:
    assert parse_value("{a: [1, 40 ms]}", "--set", ("x",)) == {"a": [1, "40 ms"]}
    with pytest.raises(InputError) as caught:
        parse_value("{a: 1, a: 2, 3: .nan}", "--set", ("x",))
    assert str(caught.value).splitlines() == [
        "--set: x.a: duplicate key",
        '--set: x: the key 3 must be text (did you mean "3"?)',
        "--set: x.3: .nan is not a finite number",
    ]


YAML_LIKE = st.text(alphabet="ab:-[]{}&*!|>'\"%@#,?<~ \n\t0.1exntrue\\U\x85\ufeff\ud800", max_size=60)


@settings(deadline=None, max_examples=400)
@given(st.one_of(st.text(max_size=60), YAML_LIKE))
def test_any_text_is_a_document_or_an_input_error(text: str) -> None:
    found: tuple[Problem, ...] = ()
    try:
        assert isinstance(parse_document(text, "f").data, dict)
    except InputError as error:
        found = error.problems
    assert all("\n" not in str(problem) for problem in found)
    assert all(0 <= problem.line <= len(text) + 1 for problem in found)


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=60), YAML_LIKE.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_file_is_a_document_or_an_input_error(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "f.yaml")
        path.write_bytes(raw)
        with contextlib.suppress(InputError):
            assert isinstance(load_document(path).data, dict)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, eesim.yamldoc, eesim.units, eesim.spec, eesim.overrides;"
        "sys.exit(', '.join({'numpy', 'numba', 'pandas', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
