"""The same loop in C, which the benchmark stands the engines beside, still says what they say."""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler on PATH")
def test_the_loop_in_c_gives_the_records_of_the_engines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    sizes = ("--frames", "20000", "--reference-frames", "300", "--rounds", "1", "--json")
    monkeypatch.setattr(sys, "argv", ["engines.py", *sizes])
    with pytest.raises(SystemExit):
        runpy.run_path(str(FOLDER / "engines.py"), run_name="__main__")
    # Before anything is timed, records and counters are compared; what differs ends the benchmark without an answer.
    assert '"C"' in capsys.readouterr().out
