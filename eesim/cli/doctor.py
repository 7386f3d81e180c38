"""``eesim doctor``: does this installation work, and do the two engines agree on it?"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from typing import Any

from eesim.cli.common import add_json_option, print_json
from eesim.errors import EesimError

POLICIES = ("cooperative", "sequential", "coup-switch", "coup-pipeline")
RATES = ("30 Hz", "90 Hz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    checks = []
    for name, check in _checks():
        begin = time.perf_counter()
        try:
            good, detail = True, check()
        except (EesimError, AssertionError, OSError) as error:
            good, detail = False, str(error) or type(error).__name__
        checks.append({"check": name, "ok": good, "detail": detail, "seconds": round(time.perf_counter() - begin, 2)})
        if not arguments.json:
            print(f"{'ok  ' if good else 'FAIL'}  {name}: {detail}", flush=True)
    good = all(check["ok"] for check in checks)
    if arguments.json:
        print_json({"ok": good, "checks": checks})
    elif good:
        print("everything works")
    return 0 if good else 1


def _checks() -> Iterator[tuple[str, Callable[[], str]]]:
    yield "versions", _versions
    yield "kernel cache", _cache
    yield "compiled kernels", _compile
    yield "engines agree", _agree
    yield "shipped files", _files


def _versions() -> str:
    from eesim.provenance import PACKAGES, package_version

    packages = ", ".join(f"{name} {package_version(name)}" for name in PACKAGES)
    return f"eesim {package_version('eesim')}, Python {platform.python_version()}, {packages}"


def _cache() -> str:
    from eesim.engine import jit

    if jit.DISABLED:
        return "switched off by EESIM_NO_JIT: kernels run as plain Python"
    jit.CACHE_DIR.mkdir(parents=True, exist_ok=True)
    probe = jit.CACHE_DIR / ".probe"
    probe.write_bytes(b"")
    probe.unlink()
    size = sum(item.stat().st_size for item in jit.CACHE_DIR.rglob("*") if item.is_file())
    return f"{jit.CACHE_DIR} ({size / 1e6:.1f} MB)"


def _scenario(overrides: dict[str, Any]) -> Any:
    from eesim.scenario.library import scenario_folder
    from eesim.scenario.load import load

    return load(scenario_folder() / "ee_resnet18_camera.yaml", overrides)


def _compile() -> str:
    from eesim.evaluate import run

    scenario = _scenario({"run.frames": 10})
    begin = time.perf_counter()
    run(scenario, replications=1)
    return f"ready after {time.perf_counter() - begin:.1f} s"


def _agree() -> str:
    import numpy as np

    from eesim.evaluate import run

    events = 0
    for policy in POLICIES:
        for rate in RATES:
            scenario = _scenario({"run.frames": 200, "policy": policy, "stream.arrivals.rate": rate})
            compiled = run(scenario, replications=2, log_frames=200)
            reference = run(scenario, engine="reference", replications=2, log_frames=200)
            assert compiled.log is not None
            assert reference.log is not None
            if not np.array_equal(compiled.log, reference.log) or compiled.estimates != reference.estimates:
                raise AssertionError(f"the engines disagree on policy {policy} at {rate}")
            events += len(compiled.log)
    return f"{events:,} events of {len(POLICIES) * len(RATES)} runs are the same to the bit"


def _files() -> str:
    from pathlib import Path

    from eesim.cli.check import check_file
    from eesim.scenario.library import known_boards, known_networks, scenario_folder

    scenarios = sorted(scenario_folder().glob("*.yaml"))
    for path in scenarios:
        check_file(str(path), [])
    boards, networks = known_boards(Path()), known_networks(scenario_folder())
    return f"{len(scenarios)} scenarios, boards {', '.join(boards)}, networks {', '.join(networks)}"
