"""Servers and resources in the compiled engine: start, stop, block, dispatch, retime; and the log.

By convention ``s`` is a slot, ``t`` a task, ``n`` a node, ``r`` a resource and ``v`` a server, each as an offset into
``m``.
"""

from __future__ import annotations

from eesim.engine import layout as c
from eesim.engine.jit import kernel
from eesim.engine.queues import before, remove
from eesim.plan.plan import FULL_SPEED, KEEP_STATE, NEVER, UNBOUNDED, Cancellation, EventKind, IntArray

START = int(EventKind.START)
UNBLOCK = int(EventKind.UNBLOCK)
STOP_AT_KERNEL = int(Cancellation.RUNNING_AT_KERNEL)


@kernel
def note(m: IntArray, kind: int, frame: int, node: int, place: int) -> None:
    """Write one row of the event log."""
    row = m[c.LOG] + m[c.N_LOG] * c.LOG_WIDTH
    m[row] = m[c.NOW]
    m[row + 1] = kind
    m[row + 2] = frame
    m[row + 3] = node
    m[row + 4] = place
    m[c.N_LOG] += 1


@kernel
def note_task(m: IntArray, kind: int, t: int, place: int) -> None:
    """Write the log row of something that happens to task ``t``."""
    note(m, kind, m[m[t + c.TASK_SLOT] + c.SLOT_FRAME], m[m[t + c.TASK_NODE] + c.NODE_INDEX], place)


@kernel
def has_room(m: IntArray, r: int, n: int) -> bool:
    """Whether a task of node ``n`` may wait for resource ``r``."""
    capacity = m[r + c.RES_CAPACITY]
    if capacity != UNBOUNDED and m[r + c.RES_WAITING] >= capacity + m[r + c.RES_IDLE]:
        return False
    return m[r + c.RES_MEMORY] == 0 or m[r + c.RES_HELD] + m[n + c.NODE_BYTES] <= m[r + c.RES_MEMORY]


@kernel
def task_noise(m: IntArray, t: int) -> int:
    """Factor on the work of task ``t``, ppm."""
    if m[c.NOISE] == 0:
        return FULL_SPEED
    row = m[m[t + c.TASK_SLOT] + c.SLOT_FRAME] - m[c.NOISE_FIRST]
    return m[m[c.NOISE] + row * m[c.N_NODES] + m[m[t + c.TASK_NODE] + c.NODE_INDEX]]


@kernel
def task_work(m: IntArray, t: int, state: int) -> int:
    """Work of task ``t`` on a resource found in ``state``, ns x ppm."""
    return m[m[m[t + c.TASK_NODE] + c.NODE_WORK] + state] * task_noise(m, t)


@kernel
def stop(m: IntArray, v: int) -> None:
    """Shorten the task that server ``v`` serves, as ``cancellation: running`` says."""
    now = m[c.NOW]
    speed = m[v + c.SERVER_SPEED]
    left = m[v + c.SERVER_REMAINING] - (now - m[v + c.SERVER_SINCE]) * speed
    m[v + c.SERVER_REMAINING] = left
    m[v + c.SERVER_SINCE] = now
    keep = 0
    if m[m[m[m[v + c.SERVER_TASK] + c.TASK_SLOT] + c.SLOT_STREAM] + c.STREAM_CANCELLATION] == STOP_AT_KERNEL:
        work = m[v + c.SERVER_WORK]
        quantum = work // m[m[m[v + c.SERVER_TASK] + c.TASK_NODE] + c.NODE_KERNELS]
        if quantum > 0:
            done_work = work - left
            keep = (done_work + quantum - 1) // quantum * quantum - done_work
    if keep < left:
        m[v + c.SERVER_REMAINING] = keep
        m[v + c.SERVER_STOPPED] = 1
        m[v + c.SERVER_FINISH] = now + (keep + speed - 1) // speed


@kernel
def unblock(m: IntArray, v: int) -> None:
    """Server ``v`` no longer holds its finished task."""
    if m[c.LOGGING]:
        note_task(m, UNBLOCK, m[v + c.SERVER_TASK], m[v + c.SERVER_INDEX])
    r = m[v + c.SERVER_RESOURCE]
    m[r + c.RES_BLOCKED_NS] += m[c.NOW] - m[v + c.SERVER_SINCE]
    m[r + c.RES_IDLE] += 1
    m[v + c.SERVER_TASK] = c.NOBODY
    m[v + c.SERVER_BLOCKED] = 0
    m[c.N_BLOCKED] -= 1


@kernel
def start(m: IntArray, r: int) -> None:
    """Start the first waiting task of resource ``r`` on its lowest idle server."""
    v = m[r + c.RES_SERVER]
    while m[v + c.SERVER_TASK] != c.NOBODY:
        v += c.SERVER_WIDTH
    t = m[m[r + c.RES_HEAP]]
    work = task_work(m, t, m[r + c.RES_STATE])
    begin(m, r, v, t, work)
    occupy(m, r, v, t, work)


@kernel
def begin(m: IntArray, r: int, v: int, t: int, work: int) -> None:
    """Task ``t`` waits no more for resource ``r``: it starts on server ``v``."""
    remove(m, m[r + c.RES_HEAP], m[r + c.RES_WAITING], m[t + c.TASK_PLACE])
    m[r + c.RES_WAITING] -= 1
    m[t + c.TASK_STATUS] = c.RUNNING
    m[t + c.TASK_START] = m[c.NOW]
    m[t + c.TASK_NOMINAL] = (work + FULL_SPEED - 1) // FULL_SPEED
    m[t + c.TASK_FOUND] = m[r + c.RES_STATE]
    m[m[t + c.TASK_SLOT] + c.SLOT_RUNNING] += 1
    if m[c.LOGGING]:
        note_task(m, START, t, m[v + c.SERVER_INDEX])


@kernel
def occupy(m: IntArray, r: int, v: int, t: int, work: int) -> None:
    """Server ``v`` of resource ``r`` takes up ``work``, that of task ``t`` or of the batch that begins with it."""
    next_state = m[m[t + c.TASK_NODE] + c.NODE_STATE]
    if next_state != KEEP_STATE:
        m[r + c.RES_STATE] = next_state
    m[v + c.SERVER_TASK] = t
    m[v + c.SERVER_WORK] = work
    m[v + c.SERVER_REMAINING] = work
    m[v + c.SERVER_SINCE] = m[c.NOW]
    m[v + c.SERVER_SPEED] = 0
    m[v + c.SERVER_STOPPED] = 0
    m[r + c.RES_IDLE] -= 1
    if m[r + c.RES_BUSY] == 0:
        m[c.MASK] += m[r + c.RES_BIT]
    m[r + c.RES_BUSY] += 1
    m[c.RETIME] = 1


@kernel
def gather(m: IntArray, r: int, members: int) -> int:
    """List, from ``members`` on, the first task that waits for ``r`` and those to be served with it; how many.

    They are in the order of their keys; the heap is not.
    """
    heap = m[r + c.RES_HEAP]
    n = m[m[heap] + c.TASK_NODE]
    most = m[n + c.NODE_BATCH]
    m[members] = m[heap]
    count = 1
    for i in range(1, m[r + c.RES_WAITING] if most > 1 else 1):
        t = m[heap + i]
        if m[t + c.TASK_NODE] != n or (count == most and before(m, m[members + most - 1], t)):
            continue
        at = count if count < most else most - 1
        count = at + 1
        # Ends at the first one at the latest.
        while before(m, t, m[members + at - 1]):
            m[members + at] = m[members + at - 1]
            at -= 1
        m[members + at] = t
    return count


@kernel
def start_batch(m: IntArray, r: int) -> bool:
    """Start the first task that waits for resource ``r``, with others of its node; or wait for more, and say False."""
    v = m[r + c.RES_SERVER]
    members = m[v + c.SERVER_MEMBERS]
    count = gather(m, r, members)
    first = m[members]
    n = m[first + c.TASK_NODE]
    until = m[first + c.TASK_START] + m[r + c.RES_WAIT]
    if count < m[n + c.NODE_BATCH] and m[c.NOW] < until:
        m[v + c.SERVER_FINISH] = until
        return False
    work = m[m[n + c.NODE_WORK] + m[r + c.RES_STATE]]
    if count > 1:
        work = m[m[n + c.NODE_BATCH_WORK] + m[r + c.RES_STATE] * m[c.BATCH_WIDTH] + count - 2]
    noise = 0
    for i in range(count):
        noise = max(noise, task_noise(m, m[members + i]))
    for i in range(count):
        begin(m, r, v, m[members + i], work * noise)
    occupy(m, r, v, first, work * noise)
    m[v + c.SERVER_BATCH] = count
    if m[n + c.NODE_BATCH] > 1:
        m[r + c.RES_STARTS] += 1
        m[r + c.RES_STARTED] += count
    return True


@kernel
def excluded(m: IntArray, r: int, group: int) -> bool:
    """Whether resource ``r`` must leave its exclusive group to another member, even one that a section holds."""
    first = m[m[r + c.RES_HEAP]]
    for i in range(m[c.N_RESOURCES]):
        other = m[c.RESOURCES] + i * c.RES_WIDTH
        if other == r or m[other + c.RES_GROUP] != group:
            continue
        if m[other + c.RES_BUSY] > 0:
            return True
        waits = m[other + c.RES_WAITING] > 0 and m[other + c.RES_IDLE] > 0
        if waits and before(m, m[m[other + c.RES_HEAP]], first):
            return True
    return False


@kernel
def held(m: IntArray, r: int) -> bool:
    """Whether the first task that waits for resource ``r`` finds no place in a section; else it takes the place."""
    section = m[m[c.SECTIONS] + 2 * m[m[m[m[r + c.RES_HEAP]] + c.TASK_NODE] + c.NODE_INDEX]]
    if section == c.NOBODY:
        return False
    if m[section] == 0:
        return True
    m[section] -= 1
    return False


@kernel
def barred(m: IntArray, r: int) -> bool:
    """Whether its group or a section keeps resource ``r`` from its first task; if not, the task must be started now."""
    group = m[r + c.RES_GROUP]
    if group < 0:
        return False
    return excluded(m, r, group) or (m[c.SECTIONS] != c.NOBODY and held(m, r))


@kernel
def dispatch_batch(m: IntArray, r: int) -> bool:
    """Start what can start on the only server of ``r``, if it is idle; whether anything did."""
    if m[r + c.RES_IDLE] == 0:
        return False
    # What it waited for may have gone, or begin now.
    m[m[r + c.RES_SERVER] + c.SERVER_FINISH] = NEVER
    return m[r + c.RES_WAITING] > 0 and start_batch(m, r)


@kernel
def dispatch(m: IntArray) -> bool:
    """Start what can start; whether anything did."""
    any_started = False
    r = m[c.RESOURCES]
    for _ in range(m[c.N_RESOURCES]):
        if m[r + c.RES_BATCHES]:
            any_started = dispatch_batch(m, r) or any_started
        else:
            while m[r + c.RES_WAITING] > 0 and m[r + c.RES_IDLE] > 0 and not barred(m, r):
                start(m, r)
                any_started = True
        r += c.RES_WIDTH
    return any_started


@kernel
def retime(m: IntArray) -> None:
    """Give every serving server the speed that the set of busy resources allows."""
    now = m[c.NOW]
    speeds = m[c.SPEEDS] + m[c.MASK] * m[c.N_RESOURCES]
    for i in range(m[c.N_SERVERS]):
        v = m[c.SERVERS] + i * c.SERVER_WIDTH
        if m[v + c.SERVER_TASK] == c.NOBODY or m[v + c.SERVER_BLOCKED]:
            continue
        speed = m[speeds + m[m[v + c.SERVER_RESOURCE] + c.RES_INDEX]]
        old = m[v + c.SERVER_SPEED]
        if speed == old:
            continue
        left = m[v + c.SERVER_REMAINING] - (now - m[v + c.SERVER_SINCE]) * old
        m[v + c.SERVER_REMAINING] = left
        m[v + c.SERVER_SINCE] = now
        m[v + c.SERVER_SPEED] = speed
        m[v + c.SERVER_FINISH] = now + (left + speed - 1) // speed
    m[c.MASK_USED] = m[c.MASK]
    m[c.RETIME] = 0
