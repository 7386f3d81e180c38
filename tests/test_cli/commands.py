"""The command line as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eesim.cli.main import main
from tests.scenarios import CAMERA

SCRIPT = Path(sys.executable).with_name("eesim")
COMMAND = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "eesim.cli.main"]
FEW = ("--set", "run.frames=300", "--replications", "2")
"""Options that make a run short."""


Capture = pytest.CaptureFixture[str]


class Done(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Stdout, which must be one JSON value without NaN and nothing else."""
        return json.loads(self.out, parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with changes, and with warnings as errors."""
    return {**os.environ, "PYTHONWARNINGS": "error", **changes}


def start(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start ``eesim ARGUMENTS...``."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**(env or {})),
    )


def end(process: subprocess.Popen[str]) -> Done:
    """Wait for a command."""
    out, err = process.communicate(timeout=300)
    return Done(process.returncode, out, err)


def eesim(*arguments: object, env: Mapping[str, str] | None = None) -> Done:
    """Run ``eesim ARGUMENTS...``."""
    return end(start(*arguments, env=env))


def here(capsys: Capture, *arguments: object) -> Done:
    """Run ``eesim ARGUMENTS...`` inside this process: faster."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = int(str(stop.code))
    return Done(status, *capsys.readouterr())


def run_camera(*arguments: object, env: Mapping[str, str] | None = None) -> Done:
    """Run the shipped scenario for a few frames."""
    return eesim("run", CAMERA, *FEW, *arguments, env=env)
