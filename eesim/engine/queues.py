"""Indexed binary heaps of tasks in the arena: what waits for a resource, and pure delays under way.

Each task knows its place, so cancelling one in the middle costs O(log n) and the number of waiting tasks is exact.
Keys are unique among waiting tasks; delays that end together are ordered by frame and node.
"""

from __future__ import annotations

from eesim.engine import layout as c
from eesim.engine.jit import kernel
from eesim.plan.plan import IntArray


@kernel
def before(m: IntArray, a: int, b: int) -> bool:
    """Whether task ``a`` comes before task ``b``."""
    if m[a + c.TASK_KEY] != m[b + c.TASK_KEY]:
        return m[a + c.TASK_KEY] < m[b + c.TASK_KEY]
    frame_a = m[m[a + c.TASK_SLOT] + c.SLOT_FRAME]
    frame_b = m[m[b + c.TASK_SLOT] + c.SLOT_FRAME]
    return frame_a < frame_b or (frame_a == frame_b and a < b)


@kernel
def _rise(m: IntArray, heap: int, place: int, task: int) -> None:
    """Put ``task`` at ``place`` or above, where its parent comes before it."""
    while place > 0:
        parent = (place - 1) >> 1
        above = m[heap + parent]
        if not before(m, task, above):
            break
        m[heap + place] = above
        m[above + c.TASK_PLACE] = place
        place = parent
    m[heap + place] = task
    m[task + c.TASK_PLACE] = place


@kernel
def push(m: IntArray, heap: int, size: int, task: int) -> None:
    """Add ``task`` to the heap of ``size`` tasks that begins at offset ``heap``."""
    _rise(m, heap, size, task)


@kernel
def remove(m: IntArray, heap: int, size: int, place: int) -> None:
    """Take the task at ``place`` out of a heap of ``size`` tasks."""
    last = size - 1
    if place == last:
        return
    task = m[heap + last]
    if place > 0 and before(m, task, m[heap + ((place - 1) >> 1)]):
        _rise(m, heap, place, task)
        return
    while True:
        child = 2 * place + 1
        if child >= last:
            break
        if child + 1 < last and before(m, m[heap + child + 1], m[heap + child]):
            child += 1
        below = m[heap + child]
        if not before(m, below, task):
            break
        m[heap + place] = below
        m[below + c.TASK_PLACE] = place
        place = child
    m[heap + place] = task
    m[task + c.TASK_PLACE] = place
