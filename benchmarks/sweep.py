"""What a sweep costs beside the engine: 2,000 points of EE-ResNet18, 100,000 frames each, on two processes.

Times are processor time, of the workers and of the process that sends and stores points, so that they hold on a
machine that has other things to do, too. The *engine* is what simulates drawn frames until their records are written.
Everything else is a point's overhead: reading it, lowering, counting the records, measuring, storing. Starting workers
is not counted. Targets:

* at least 80 % of the time in the engine;
* the overhead of a point at most what the engine takes for 10,000 frames of it (drawing counted apart: it is work per
  frame, shown beside).

Then: the best ten points by p99 from the command line in less than a second, and bytes per row. Exit status 1 if a
target is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from eesim.cli.common import say
from eesim.sweeps.store import Store
from eesim.sweeps.study import Study, load_study
from eesim.sweeps.sweep import Sweep, sweep

SHARE, PAR_FRAMES, ANSWER_S = 0.80, 10_000, 1.0
ORDERS = ["BGLGLGL", "BGBGLGL", "BLBGLGL", "BGLBLGL", "GBLGLBL"]


def study(points: int, frames: int, replications: int) -> Study:
    """Rates from idle to busy x mappings x clocks of the GPU."""
    axes = {"mapping.segments": ORDERS, "mapping.opp.G": ["800 MHz", "600 MHz"]}
    rates = {"low": "5 Hz", "high": "35 Hz", "steps": max(points // 10, 2)}
    return load_study(
        {
            "eesim": 1,
            "scenario": "ee_resnet18_camera",
            "set": {"run.frames": frames // replications, "run.replications": replications},
            "design": {
                "kind": "product",
                "of": [{"kind": "range", "path": "stream.arrivals.rate", **rates}, {"kind": "grid", "axes": axes}],
            },
        }
    )


def costs(found: Sweep, frames: int) -> list[str]:
    """Print what a point cost; return what missed its target."""
    spent, n, coordinator_s = found.spent, found.simulated, found.coordinator_s
    overhead_s = spent.cpu_s - spent.engine_s - spent.drawing_s + coordinator_s
    all_s = spent.cpu_s + coordinator_s
    par_s = spent.engine_s / n * PAR_FRAMES / frames
    print(f"{n:,} points of {frames:,} frames in {found.seconds:.1f} s on {found.workers} workers")
    for name, seconds in (
        ("engine", spent.engine_s),
        ("drawing", spent.drawing_s),
        ("rest of workers", spent.cpu_s - spent.engine_s - spent.drawing_s),
        ("coordinator", coordinator_s),
    ):
        print(f"  {name:16s} {seconds / n * 1e3:8.3f} ms per point  {seconds / all_s:6.1%}")
    print(f"  engine: {frames * n / spent.engine_s / 1e6:.2f} million frames/s")
    missed = []
    share, relative = spent.engine_s / all_s, overhead_s / n / par_s
    for name, value, target, good in (
        ("share of time in the engine", share, SHARE, share >= SHARE),
        (f"overhead of a point, in what {PAR_FRAMES:,} frames cost", relative, 1.0, relative <= 1),
    ):
        print(f"  {'met   ' if good else 'MISSED'}  {name}: {value:.3f} (target {target:g})")
        if not good:
            missed.append(name)
    return missed


def answer(folder: Path) -> list[str]:
    """Time the best ten from the command line."""
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        command = [sys.executable, "-m", "eesim.cli.main", "sweep", str(folder), "--best", "p99", "-n", "10"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begin)
    best = min(seconds)
    print(f"  {'met   ' if best < ANSWER_S else 'MISSED'}  best ten by p99: {best:.2f} s (target {ANSWER_S:g})")
    return [] if best < ANSWER_S else ["best ten"]


def sizes(found: Sweep) -> None:
    """Print bytes per row, before and after compaction."""
    store = Store(found.store)

    def told(when: str) -> None:
        parts = store.parts()
        size = sum(part.path.stat().st_size for part in parts)
        rows = sum(part.rows for part in parts)
        print(f"  store {when}: {len(parts)} parts, {rows:,} rows, {size / rows:,.0f} bytes per row")

    told("as written")
    begin = time.perf_counter()
    store.compact()
    told(f"compacted in {time.perf_counter() - begin:.2f} s")
    table = found.table_path.stat().st_size
    print(f"  table: {table / found.points:,.0f} bytes per point")


def main() -> int:
    """Run the study and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--replications", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scheduler", help="as of `eesim sweep`")
    arguments = parser.parse_args()
    todo = study(arguments.points, arguments.frames, arguments.replications)
    options: dict[str, Any] = {"workers": arguments.workers, "scheduler": arguments.scheduler, "told": say}
    with tempfile.TemporaryDirectory() as folder:
        found = sweep(todo, Path(folder) / "out", **options)
        missed = costs(found, arguments.frames)
        missed += answer(found.folder)
        sizes(found)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
