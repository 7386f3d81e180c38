"""Which keys are known: 16 bytes of memory for each that was loaded, a set for those that come in."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from eesim.sweeps.keys import KEY_BYTES

Words = npt.NDArray[np.uint64]


class KeyIndex:
    """A set of keys.

    Parameters
    ----------
    loaded
        (n * KEY_BYTES,) keys one after the other.
    """

    def __init__(self, loaded: bytes = b"") -> None:
        words = np.frombuffer(loaded, ">u8").astype(np.uint64).reshape(-1, KEY_BYTES // 8)
        order = np.lexsort((words[:, 1], words[:, 0]))
        self._first: Words = np.ascontiguousarray(words[order, 0])
        self._second: Words = np.ascontiguousarray(words[order, 1])
        self._added: set[bytes] = set()

    def __contains__(self, key: bytes) -> bool:
        if key in self._added:
            return True
        first, second = (np.uint64(int.from_bytes(part)) for part in (key[:8], key[8:]))
        at = int(np.searchsorted(self._first, first))
        while at < len(self._first) and self._first[at] == first:
            if self._second[at] == second:
                return True
            at += 1
        return False

    def __len__(self) -> int:
        return len(self._first) + len(self._added)

    def add(self, keys: Iterable[bytes]) -> None:
        """Add keys that are not in it."""
        self._added.update(keys)
