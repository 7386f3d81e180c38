"""The compiled engine's event loop: docs/semantics.md, section 4, rule by rule.

Function names follow the words of that page (admit, release, done, answer, drop, close, settle), and so does the
order of statements, because the order is the meaning. Nothing here allocates, draws random numbers or raises: the
arena ``m`` (see `eesim.engine.layout`) is updated in place. By convention ``s`` is a slot, ``t`` a task, ``n`` a
node, ``r`` a resource and ``v`` a server, each as an offset into ``m``.
"""

from __future__ import annotations

from eesim.engine import layout as c
from eesim.engine.jit import kernel, pointer
from eesim.engine.kernel_counters import write_totals
from eesim.engine.kernel_frames import admit, count_for_gate, decide, leave, release, write_record
from eesim.engine.kernel_servers import dispatch, has_room, note, note_task, retime, unblock
from eesim.engine.queues import remove
from eesim.plan.plan import NEVER, PURE_DELAY, EventKind, IntArray, Status, WhenFull

ARRIVE = int(EventKind.ARRIVE)
FINISH = int(EventKind.FINISH)
ABORT = int(EventKind.ABORT)
EXIT = int(EventKind.EXIT)
DROP = int(EventKind.DROP)
BLOCK = int(EventKind.BLOCK)
BLOCKING = int(WhenFull.BLOCK)
DROP_OLDEST = int(WhenFull.DROP_OLDEST)
DROPPED = int(Status.DROPPED)


@kernel
def can_admit(m: IntArray) -> bool:
    """Whether the next frame may enter."""
    if m[c.IN_FLIGHT] >= m[c.IN_FLIGHT_LIMIT] or m[c.GATE_LEFT] > 0:
        return False
    r = m[m[c.NODES] + c.NODE_RESOURCE]
    return m[c.STAGE_FULL] != BLOCKING or r == PURE_DELAY or has_room(m, r)


@kernel
def admit_pending(m: IntArray) -> bool:
    """Admit waiting frames while possible; whether any was."""
    any_admitted = False
    while m[c.N_PENDING] > 0 and can_admit(m):
        row = m[c.PENDING] + m[c.PENDING_HEAD] * c.PENDING_WIDTH
        m[c.PENDING_HEAD] = (m[c.PENDING_HEAD] + 1) % m[c.PENDING_SIZE]
        m[c.N_PENDING] -= 1
        admit(m, m[row + c.PENDING_FRAME], m[row + c.PENDING_ARRIVAL], m[row + c.PENDING_DRAW])
        any_admitted = True
    return any_admitted


@kernel
def drop_waiting(m: IntArray, frame: int, arrival: int) -> None:
    """Drop a frame that was never admitted."""
    if m[c.LOGGING]:
        note(m, DROP, frame, -1, -1)
    write_record(m, frame, arrival, -1, DROPPED)


@kernel
def arrive(m: IntArray, draw: int) -> None:
    """The next frame of the stream arrives."""
    frame = m[c.NEXT_FRAME]
    m[c.NEXT_FRAME] += 1
    if m[c.LOGGING]:
        note(m, ARRIVE, frame, -1, -1)
    if m[c.N_PENDING] == 0 and can_admit(m):
        admit(m, frame, m[c.NOW], draw)
        return
    size = m[c.PENDING_SIZE]
    if m[c.N_PENDING] >= m[c.QUEUE_CAPACITY]:
        if m[c.QUEUE_FULL] != DROP_OLDEST or m[c.N_PENDING] == 0:
            drop_waiting(m, frame, m[c.NOW])
            return
        row = m[c.PENDING] + m[c.PENDING_HEAD] * c.PENDING_WIDTH
        m[c.PENDING_HEAD] = (m[c.PENDING_HEAD] + 1) % size
        m[c.N_PENDING] -= 1
        drop_waiting(m, m[row + c.PENDING_FRAME], m[row + c.PENDING_ARRIVAL])
    row = m[c.PENDING] + (m[c.PENDING_HEAD] + m[c.N_PENDING]) % size * c.PENDING_WIDTH
    m[row + c.PENDING_FRAME] = frame
    m[row + c.PENDING_ARRIVAL] = m[c.NOW]
    m[row + c.PENDING_DRAW] = draw
    m[c.N_PENDING] += 1


@kernel
def release_followers(m: IntArray, t: int, v: int) -> None:
    """Step 4 of done: hand the result of task ``t``, finished on server ``v`` (nobody: a delay), on."""
    s = m[t + c.TASK_SLOT]
    n = m[t + c.TASK_NODE]
    held = False
    for i in range(m[n + c.NODE_FOLLOWERS], m[n + c.NODE_FOLLOWERS_END]):
        follower = s + m[i]
        m[follower + c.TASK_MISSING] -= 1
        if m[follower + c.TASK_MISSING] > 0:
            continue
        m[follower + c.TASK_CAUSE] = t
        r = m[m[follower + c.TASK_NODE] + c.NODE_RESOURCE]
        if m[c.STAGE_FULL] == BLOCKING and v != c.NOBODY and r != PURE_DELAY and not has_room(m, r):
            held = True
            continue
        release(m, follower, r == PURE_DELAY)
        if m[s + c.SLOT_CLOSED]:
            return
    if held:
        m[v + c.SERVER_TASK] = t
        m[v + c.SERVER_BLOCKED] = 1
        m[v + c.SERVER_SINCE] = m[c.NOW]
        m[m[v + c.SERVER_RESOURCE] + c.RES_IDLE] -= 1
        m[c.N_BLOCKED] += 1
        if m[c.LOGGING]:
            note_task(m, BLOCK, t, m[v + c.SERVER_INDEX])


@kernel
def done(m: IntArray, t: int, v: int) -> None:
    """Task ``t`` has ended on server ``v`` (nobody: a delay)."""
    s = m[t + c.TASK_SLOT]
    n = m[t + c.TASK_NODE]
    service = m[c.NOW] - m[t + c.TASK_START]
    m[m[n + c.NODE_BUSY] + m[t + c.TASK_FOUND]] += service
    m[t + c.TASK_END] = m[c.NOW]
    m[s + c.SLOT_RUNNING] -= 1
    if m[s + c.SLOT_ENDED] and m[n + c.NODE_NEED] > m[s + c.SLOT_EXIT]:
        m[n + c.NODE_WASTED] += service
    count_for_gate(m, s, n)
    if not m[s + c.SLOT_CLOSED]:
        m[t + c.TASK_STATUS] = c.DONE
        m[s + c.SLOT_LEFT] -= 1
        e = m[n + c.NODE_EXIT]
        if e >= 0:
            m[s + m[c.EXIT_LEFT] + e] -= 1
            if m[s + m[c.EXIT_LEFT] + e] == 0:
                if m[c.LOGGING]:
                    note_task(m, EXIT, t, e)
                if not m[s + c.SLOT_ENDED]:
                    decide(m, t, e)
        if not m[s + c.SLOT_CLOSED]:
            release_followers(m, t, v)
            # Where a release dropped the frame, `drop` has seen to its leaving.
            if m[s + c.SLOT_LEFT] == 0 and not m[s + c.SLOT_CLOSED]:
                leave(m, s)
            return
    if m[s + c.SLOT_RUNNING] == 0:
        leave(m, s)


@kernel
def finish_delay(m: IntArray) -> None:
    """The pure delay that ends first has ended."""
    t = m[m[c.DELAYS]]
    remove(m, m[c.DELAYS], m[c.N_DELAYS], 0)
    m[c.N_DELAYS] -= 1
    if m[c.LOGGING]:
        note_task(m, FINISH, t, -1)
    done(m, t, c.NOBODY)


@kernel
def finish_server(m: IntArray, v: int) -> None:
    """The task on server ``v`` has ended: free the server, then the task is done."""
    t = m[v + c.SERVER_TASK]
    r = m[v + c.SERVER_RESOURCE]
    m[v + c.SERVER_TASK] = c.NOBODY
    m[v + c.SERVER_FINISH] = NEVER
    m[r + c.RES_IDLE] += 1
    m[r + c.RES_BUSY] -= 1
    if m[r + c.RES_BUSY] == 0:
        m[c.MASK] -= m[r + c.RES_BIT]
    if m[c.LOGGING]:
        note_task(m, ABORT if m[v + c.SERVER_STOPPED] else FINISH, t, m[v + c.SERVER_INDEX])
    done(m, t, v)


@kernel
def retry_blocked(m: IntArray) -> bool:
    """Let blocked servers hand on what now finds room; whether any task was released or server freed."""
    changed = False
    for i in range(m[c.N_SERVERS]):
        v = m[c.SERVERS] + i * c.SERVER_WIDTH
        if not m[v + c.SERVER_BLOCKED]:
            continue
        t = m[v + c.SERVER_TASK]
        n = m[t + c.TASK_NODE]
        held = False
        for j in range(m[n + c.NODE_FOLLOWERS], m[n + c.NODE_FOLLOWERS_END]):
            follower = m[t + c.TASK_SLOT] + m[j]
            if m[follower + c.TASK_MISSING] > 0 or m[follower + c.TASK_STATUS] != c.WAITING:
                continue
            if has_room(m, m[m[follower + c.TASK_NODE] + c.NODE_RESOURCE]):
                release(m, follower, False)
                changed = True
            else:
                held = True
        if not held:
            unblock(m, v)
            changed = True
    return changed


@kernel
def settle(m: IntArray) -> None:
    """End an instant: hand on, admit and start what can, then set the speeds."""
    if m[c.STAGE_FULL] != BLOCKING:
        dispatch(m)
    else:
        changed = True
        while changed:
            changed = m[c.N_BLOCKED] > 0 and retry_blocked(m)
            changed = admit_pending(m) or changed
            changed = dispatch(m) or changed
    if m[c.RETIME] or m[c.MASK] != m[c.MASK_USED]:
        retime(m)
    m[c.DIRTY] = 0


@kernel
def source_held(m: IntArray) -> bool:
    """Whether a full queue keeps the source from making the next frame."""
    if m[c.QUEUE_FULL] != BLOCKING or m[c.N_PENDING] < m[c.QUEUE_CAPACITY]:
        return False
    return m[c.N_PENDING] > 0 or not can_admit(m)


@kernel
def cramped(m: IntArray) -> bool:
    """Whether one event could admit more frames than there are free slots."""
    return m[c.N_FREE] <= m[c.N_PENDING] and m[c.N_FREE] < m[c.IN_FLIGHT_LIMIT] - m[c.IN_FLIGHT]


@kernel
def simulate(m: IntArray, arrival: IntArray, draw: IntArray, first: int, known: int, final: bool) -> int:
    """Run the main loop for `advance`, which knows frames below ``known``, on pointers in place of arrays."""
    servers = m[c.SERVERS]
    servers_end = servers + m[c.N_SERVERS] * c.SERVER_WIDTH
    while True:
        if cramped(m):
            return c.CRAMPED
        t = NEVER
        server = c.NOBODY
        for v in range(servers, servers_end, c.SERVER_WIDTH):
            if m[v + c.SERVER_FINISH] < t:
                t = m[v + c.SERVER_FINISH]
                server = v
        is_delay = m[c.N_DELAYS] > 0 and m[m[m[c.DELAYS]] + c.TASK_KEY] < t
        if is_delay:
            t = m[m[m[c.DELAYS]] + c.TASK_KEY]
        frame = m[c.NEXT_FRAME]
        is_arrival = False
        if frame < known:
            instant = max(arrival[frame - first], m[c.NOW])
            if instant < t and not source_held(m):
                t = instant
                is_arrival = True
        elif not final:
            return c.FED
        if m[c.DIRTY] and t > m[c.NOW]:
            settle(m)
            continue
        if t == NEVER:
            over = frame == known and m[c.IN_FLIGHT] == 0 and m[c.N_PENDING] == 0
            return c.FINISHED if over else c.STUCK
        m[c.NOW] = t
        m[c.DIRTY] = 1
        if is_arrival:
            arrive(m, draw[frame - first])
        elif is_delay:
            finish_delay(m)
        else:
            finish_server(m, server)
        if m[c.N_PENDING] > 0:
            admit_pending(m)


@kernel
def advance(
    m: IntArray, arrival: IntArray, draw: IntArray, first: int, final: bool, marks: IntArray, totals: IntArray
) -> int:
    """Simulate until the last known frame has arrived or, if ``final``, until nothing is left to do.

    Parameters
    ----------
    m
        The arena; updated in place. Marks that it says were reached are not looked at again.
    arrival, draw
        (F,) instants and exit draws of frames ``first`` to ``first + F - 1``.
    first
        Number of the first of these frames.
    final
        No more frames will come.
    marks
        (M,) counts of frames, ascending: the totals are wanted when so many have arrived.
    totals
        (M, W) where to write them (`eesim.engine.kernel_counters`).

    Returns
    -------
    int
        ``FED``, ``FINISHED``, ``STUCK`` or ``CRAMPED``.
    """
    arena, instants, draws, rows = pointer(m), pointer(arrival), pointer(draw), pointer(totals.reshape(-1))
    n_marks, status = marks.shape[0], c.FED
    for i in range(m[c.MARKED], n_marks + 1):
        is_last = i == n_marks
        known = first + arrival.shape[0] if is_last else marks[i]
        status = simulate(arena, instants, draws, first, known, final and is_last)
        if status in (c.CRAMPED, c.STUCK):
            return status
        if not is_last:
            write_totals(arena, rows, i * totals.shape[1])
            m[c.MARKED] = i + 1
    return status
