"""The only place that knows numba's options, its cache and how to switch it off.

The cache lives in one directory per source text of the engine: numba notices a change in the file of the function
that is called, not in the functions it calls, so a shared directory could serve stale machine code. Two processes
that start at once would otherwise race on numba's index files: the first call of each kernel is made under a file
lock.

Environment
-----------
EESIM_CACHE_DIR
    Where compiled kernels are kept (default: the user's cache directory).
EESIM_NO_JIT
    Set to 1 to run the kernels as plain Python, for debugging.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from filelock import FileLock
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])

DISABLED = os.environ.get("EESIM_NO_JIT", "") not in ("", "0")


def _user_cache() -> Path:
    chosen = os.environ.get("EESIM_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "eesim"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "eesim"


def _source_digest() -> str:
    """Digest of every source file that can end up in machine code, and of the compiler's version."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for source in sorted([*(package / "engine").glob("*.py"), package / "plan" / "plan.py"]):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


CACHE_DIR = _user_cache() / "kernels" / _source_digest()
"""Directory of this version's compiled kernels."""


def kernel(function: Function) -> Function:
    """Compile ``function`` to machine code that holds no lock, raises nothing and is cached on disk."""
    if DISABLED:
        return function
    numba.config.CACHE_DIR = str(CACHE_DIR)  # type: ignore[attr-defined]
    compiled: Any = numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True)(function)
    return cast("Function", compiled)


@intrinsic
def _pointer(_: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return numba.types.CPointer(array.dtype)(array), generate  # type: ignore[no-untyped-call]


def _itself(array: Any) -> Any:
    return array


pointer: Callable[[Any], Any] = _itself if DISABLED else _pointer  # type: ignore[assignment]
"""Where a C-contiguous array begins, for use inside kernels only.

Indexing a pointer is a plain load or store; indexing an array adds a test for negative indices to each
access, and a call passes each array as seven values.
"""


class WarmOnce:
    """Calls a kernel for the first time under a lock that all processes share.

    Parameters
    ----------
    function
        The compiled kernel.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._warm = DISABLED

    def __call__(self, *args: Any) -> Any:
        """Call the kernel; the first call of the process loads or compiles it under the lock."""
        if self._warm:
            return self._function(*args)
        CACHE_DIR.mkdir(parents=True, exist_ok=True)
        with FileLock(CACHE_DIR / ".lock"):
            compiled: Any = self._function
            compiled.compile(tuple(numba.typeof(arg) for arg in args))  # type: ignore[no-untyped-call]
        self._warm = True
        return self._function(*args)
