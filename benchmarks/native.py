"""The C event loop of `engine.c` as an engine: compiled on the spot, called through ctypes."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from eesim.engine.protocol import Counters
from eesim.plan.plan import RECORD_COLUMNS, Draws, IntArray, Plan

FLAGS = ("-O3", "-shared", "-fPIC")
REFUSALS = {
    1: "it does not simulate such plans in full",
    2: "out of memory",
    3: "frames are left that cannot go on",
}

# The fields of `struct Plan` in engine.c, in its order.
SIZES = ("n_nodes", "n_exits", "n_resources", "n_servers", "n_states")
ARRAYS = (
    "node_kind", "node_resource", "node_rank", "node_missing", "node_exit", "node_need", "node_gate",
    "node_state", "node_work_ns", "succ_ptr", "succ", "exit_need",
    "server_resource", "resource_group", "resource_bit", "resource_state", "speed_ppm", "stage_capacity",
)  # fmt: skip
RULES = ("queue_capacity", "frames_in_flight", "dispatch", "cancellation", "first_confident")


class _Plan(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        *((name, ctypes.c_void_p) for name in ARRAYS),
        *((name, ctypes.c_int64) for name in RULES),
    )


def compile_command() -> list[str] | None:
    """Return how to compile: ``CC`` (or ``cc``), `FLAGS`, ``CFLAGS``; None if there is no compiler."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    if not shutil.which(command[0]):
        return None
    return [*command, *FLAGS, *shlex.split(os.environ.get("CFLAGS", ""))]


def compiler_version(command: list[str]) -> str:
    """Return the first line of what the compiler says about itself."""
    output = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True).stdout
    return output.partition("\n")[0]


def compile_library(command: list[str]) -> ctypes.CDLL:
    """Compile ``engine.c``, which lies beside this file, and load it."""
    source = Path(__file__).with_name("engine.c")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        target = Path(directory) / "engine.so"
        subprocess.run([*command, "-o", str(target), str(source)], check=True)
        library = ctypes.CDLL(str(target))
    library.simulate_stream.restype = ctypes.c_int64
    return library


class NativeEngine:
    """One plan under simulation by the C event loop; it takes its stream in one piece.

    Parameters
    ----------
    library
        `compile_library`'s.
    plan
        What to simulate.
    """

    def __init__(self, library: ctypes.CDLL, plan: Plan) -> None:
        if len(plan.section_places):
            raise NotImplementedError("the C event loop knows no sections")
        self._library = library
        self._arrays = {name: np.ascontiguousarray(getattr(plan, name), np.int64) for name in ARRAYS}
        fields = {name: array.ctypes.data for name, array in self._arrays.items()}
        self._plan = _Plan(**fields, **{name: int(np.asarray(getattr(plan, name)).item()) for name in SIZES + RULES})
        self._counters = Counters(
            now_ns=0,
            busy_ns=np.zeros((plan.n_nodes, plan.n_states), np.int64),
            wasted_ns=np.zeros(plan.n_nodes, np.int64),
            # Nothing is blocked or served in batches in the plans that it accepts.
            blocked_ns=np.zeros(plan.n_resources, np.int64),
            batches=np.zeros(plan.n_resources, np.int64),
            batched=np.zeros(plan.n_resources, np.int64),
        )
        self._records = np.empty((0, len(RECORD_COLUMNS)), np.int64)

    def feed(self, draws: Draws, *, final: bool) -> None:
        """Simulate the whole stream; ``final`` must be true."""
        if not final or len(draws.noise_ppm) or len(draws.confident):
            raise NotImplementedError("the C event loop takes the stream in one piece, without noise and levels")
        arrival, draw = (np.ascontiguousarray(array, np.int64) for array in (draws.arrival_ns, draws.exit))
        self._records = np.empty((len(arrival), len(RECORD_COLUMNS)), np.int64)
        now = ctypes.c_int64()
        counted = self._counters.busy_ns, self._counters.wasted_ns
        outputs = (ctypes.c_void_p(array.ctypes.data) for array in (arrival, draw, self._records, *counted))
        status = self._library.simulate_stream(
            ctypes.byref(self._plan), ctypes.c_int64(len(arrival)), *outputs, ctypes.byref(now)
        )
        if status:
            raise RuntimeError(f"the C event loop gave up: {REFUSALS[status]}")
        self._counters = self._counters._replace(now_ns=now.value)

    def take_records(self) -> IntArray:
        """Hand over the records of all frames, in the order in which they ended, a row each."""
        return self._records

    def counters(self) -> Counters:
        """Return the totals of the run."""
        return self._counters
