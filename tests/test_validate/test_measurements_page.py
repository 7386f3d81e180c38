"""docs/measurements.md against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eesim.cli.main import build_parser
from eesim.validate.importers import FORMATS, import_path, importer
from eesim.validate.importers.schema import TABLES
from tests.test_docs import ROOT, code, keys_after, rows_after
from tests.test_validate.coup_logs import Log, write_log

PAGE = ROOT / "docs" / "measurements.md"


def test_every_table_is_described() -> None:
    headings = re.findall(r"^### `(\w+)\.csv`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_described_as_in_the_code(name: str) -> None:
    described = [(code(row[0])[0], row[1]) for row in rows_after(PAGE, f"<!-- keys: {name} -->")[1:]]
    assert described == [tuple(column) for column in TABLES[name]]


def test_every_format_is_described(tmp_path: Path) -> None:
    rows = {code(row[0])[0]: row for row in rows_after(PAGE, "## Formats\n")[1:]}
    assert list(rows) == list(FORMATS)
    log = tmp_path / "time_Tiny_X.txt"
    written: set[str] = set()
    for made in (
        Log(order="LB", settings=("0-0",)),
        Log(order="L", settings=("0",)),
        Log(order="L", settings=("0",), mode="whole"),
    ):
        log.write_text(write_log(made), encoding="utf-8")
        written |= set(import_path("coup-log", log).tables)
    assert set(code(rows["coup-log"][2])) == written


def test_every_option_is_described() -> None:
    rows = {code(row[0])[0]: row[1] for row in rows_after(PAGE, "| option | for | what |", inside=True)[1:]}
    parser = build_parser()._subparsers._group_actions[0].choices["import"]  # type: ignore[union-attr, index]
    assert set(rows) == {name for name in parser._option_string_actions if name.startswith("--")} - {
        "--help",
        "--output",
    }
    for option, formats in rows.items():
        name = {"--log": "run_log"}.get(option, option.strip("-").replace("-", "_"))
        takers = [fmt for fmt in FORMATS if name in importer(fmt).OPTIONS]
        assert code(formats) == (takers if 0 < len(takers) < len(FORMATS) else []), option


def test_the_summary_is_described(tmp_path: Path) -> None:
    log = tmp_path / "time_Tiny_L.txt"
    log.write_text("what is this\n" + write_log(Log(order="L", settings=("0", "1"))), encoding="utf-8")
    log.write_text(log.read_text(encoding="utf-8").replace("AVG Latency", "AVG Lutency", 1), encoding="utf-8")
    data = import_path("coup-log", log).to_dict()
    described = [key for row in rows_after(PAGE, "<!-- keys: import -->")[1:] for key in code(row[0])]
    assert described == list(data)
    text = PAGE.read_text(encoding="utf-8")
    inner = (*data["lines"], *data["skipped_records"][0], *data["unknown_lines"][0], *data["provenance"])
    for key in (*inner, *data["unknown_lines"][0]["examples"][0]):
        assert f"`{key}`" in text, key
    assert keys_after("import", PAGE)[0] == "format"
