"""The compiled engine's event loop: docs/semantics.md, section 4, rule by rule.

Function names follow the words of that page (admit, release, done, answer, drop, close, settle), and so does the
order of statements, because the order is the meaning. Nothing here allocates, draws random numbers or raises: the
arena ``m`` (see `eesim.engine.layout`) is updated in place. By convention ``g`` is a stream, ``s`` a slot, ``t``
a task, ``n`` a node, ``r`` a resource and ``v`` a server, each as an offset into ``m``.
"""

from __future__ import annotations

from eesim.engine import layout as c
from eesim.engine.jit import kernel, pointer
from eesim.engine.kernel_counters import write_totals
from eesim.engine.kernel_frames import admit, decide, leave, release, write_record
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
def can_admit(m: IntArray, g: int) -> bool:
    """Whether the next frame of stream ``g`` may enter."""
    last = m[g + c.STREAM_LAST]
    if m[g + c.STREAM_IN_FLIGHT] >= m[g + c.STREAM_IN_FLIGHT_LIMIT]:
        return False
    if last != c.NOBODY and m[last + c.SLOT_GATE_LEFT] > 0:
        return False
    root = m[g + c.STREAM_NODES]
    r = m[root + c.NODE_RESOURCE]
    return m[c.STAGE_FULL] != BLOCKING or r == PURE_DELAY or has_room(m, r, root)


@kernel
def pop_pending(m: IntArray, g: int) -> int:
    """Take the first waiting frame of stream ``g`` out of its queue; return its row."""
    row = m[g + c.STREAM_PENDING] + m[g + c.STREAM_PENDING_HEAD] * c.PENDING_WIDTH
    m[g + c.STREAM_PENDING_HEAD] = (m[g + c.STREAM_PENDING_HEAD] + 1) % m[g + c.STREAM_PENDING_SIZE]
    m[g + c.STREAM_N_PENDING] -= 1
    m[c.N_PENDING] -= 1
    return row


@kernel
def admit_pending(m: IntArray) -> bool:
    """Admit waiting frames while possible, streams by priority; whether any was."""
    any_admitted = False
    g = m[c.STREAMS]
    end = g + m[c.N_STREAMS] * c.STREAM_WIDTH
    while g < end:
        if m[g + c.STREAM_N_PENDING] > 0 and can_admit(m, g):
            row = pop_pending(m, g)
            admit(m, g, m[row + c.PENDING_FRAME], m[row + c.PENDING_ARRIVAL], m[row + c.PENDING_DRAW])
            any_admitted = True
            # Its release may have dropped a frame of a stream that goes before it.
            g = m[c.STREAMS]
        else:
            g += c.STREAM_WIDTH
    return any_admitted


@kernel
def drop_waiting(m: IntArray, g: int, frame: int, arrival: int) -> None:
    """Drop a frame that was never admitted."""
    if m[c.LOGGING]:
        note(m, DROP, frame, -1, -1)
    write_record(m, g, frame, arrival, -1, DROPPED, 0)


@kernel
def arrive(m: IntArray, g: int, draw: int) -> None:
    """The next frame arrives; it is of stream ``g``."""
    frame = m[c.NEXT_FRAME]
    m[c.NEXT_FRAME] += 1
    if m[c.LOGGING]:
        note(m, ARRIVE, frame, -1, m[g + c.STREAM_INDEX] if m[c.N_STREAMS] > 1 else -1)
    if m[g + c.STREAM_N_PENDING] == 0 and can_admit(m, g):
        admit(m, g, frame, m[c.NOW], draw)
        return
    if m[g + c.STREAM_N_PENDING] >= m[g + c.STREAM_QUEUE_CAPACITY]:
        if m[g + c.STREAM_QUEUE_FULL] != DROP_OLDEST or m[g + c.STREAM_N_PENDING] == 0:
            drop_waiting(m, g, frame, m[c.NOW])
            return
        row = pop_pending(m, g)
        drop_waiting(m, g, m[row + c.PENDING_FRAME], m[row + c.PENDING_ARRIVAL])
    place = (m[g + c.STREAM_PENDING_HEAD] + m[g + c.STREAM_N_PENDING]) % m[g + c.STREAM_PENDING_SIZE]
    row = m[g + c.STREAM_PENDING] + place * c.PENDING_WIDTH
    m[row + c.PENDING_FRAME] = frame
    m[row + c.PENDING_ARRIVAL] = m[c.NOW]
    m[row + c.PENDING_DRAW] = draw
    m[g + c.STREAM_N_PENDING] += 1
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
        later = m[follower + c.TASK_NODE]
        r = m[later + c.NODE_RESOURCE]
        if m[c.STAGE_FULL] == BLOCKING and v != c.NOBODY and r != PURE_DELAY and not has_room(m, r, later):
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
def give_back(m: IntArray, n: int) -> None:
    """A frame's node ``n`` is done: its place is free in the section that it leaves, if any."""
    section = m[m[c.SECTIONS] + 2 * m[n + c.NODE_INDEX] + 1]
    if section != c.NOBODY:
        m[section] += 1


@kernel
def complete(m: IntArray, t: int, n: int) -> None:
    """Step 2 of done: task ``t`` of node ``n`` leaves a section, counts towards an exit or detects a scene."""
    if m[c.SECTIONS] != c.NOBODY:
        give_back(m, n)
    s = m[t + c.TASK_SLOT]
    e = m[n + c.NODE_EXIT]
    if e >= 0:
        left = s + m[m[s + c.SLOT_STREAM] + c.STREAM_EXIT_LEFT] + e
        m[left] -= 1
        if m[left] > 0:
            return
        if m[c.LOGGING]:
            note_task(m, EXIT, t, e)
    elif not m[n + c.NODE_DETECTS]:
        return
    if not m[s + c.SLOT_ENDED]:
        decide(m, t, e)


@kernel
def done(m: IntArray, t: int, v: int, service: int) -> None:
    """Task ``t`` has ended on server ``v`` (nobody: a delay), whose ``service`` was so long for it."""
    s = m[t + c.TASK_SLOT]
    n = m[t + c.TASK_NODE]
    m[t + c.TASK_SERVICE] = service
    m[m[n + c.NODE_BUSY] + m[t + c.TASK_FOUND]] += service
    m[t + c.TASK_END] = m[c.NOW]
    m[s + c.SLOT_RUNNING] -= 1
    if m[s + c.SLOT_ENDED] and m[n + c.NODE_NEED] > m[s + c.SLOT_EXIT]:
        m[n + c.NODE_WASTED] += service
    m[s + c.SLOT_GATE_LEFT] -= m[n + c.NODE_GATE]
    if not m[s + c.SLOT_CLOSED]:
        m[t + c.TASK_STATUS] = c.DONE
        m[s + c.SLOT_LEFT] -= 1
        if m[n + c.NODE_COMPLETES]:
            complete(m, t, n)
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
    done(m, t, c.NOBODY, m[c.NOW] - m[t + c.TASK_START])


@kernel
def finish_server(m: IntArray, v: int) -> None:
    """The task on server ``v`` has ended, with its batch: free the server, then they are done.

    Or the server was idle, and has waited long enough for a larger batch.
    """
    t = m[v + c.SERVER_TASK]
    if t == c.NOBODY:
        m[v + c.SERVER_FINISH] = NEVER
        return
    batch = max(1, m[v + c.SERVER_BATCH])
    service = m[c.NOW] - m[t + c.TASK_START]
    r = m[v + c.SERVER_RESOURCE]
    m[v + c.SERVER_TASK] = c.NOBODY
    m[v + c.SERVER_FINISH] = NEVER
    m[r + c.RES_IDLE] += 1
    m[r + c.RES_BUSY] -= 1
    m[r + c.RES_HELD] -= batch * m[m[t + c.TASK_NODE] + c.NODE_BYTES]
    if m[r + c.RES_BUSY] == 0:
        m[c.MASK] -= m[r + c.RES_BIT]
    share = service
    for i in range(batch):
        if batch > 1:
            t = m[m[v + c.SERVER_MEMBERS] + i]
            # Whole ns, which add up.
            share = service * (i + 1) // batch - service * i // batch
        if m[c.LOGGING]:
            note_task(m, ABORT if m[v + c.SERVER_STOPPED] else FINISH, t, m[v + c.SERVER_INDEX])
        done(m, t, v, share)


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
            later = m[follower + c.TASK_NODE]
            if has_room(m, m[later + c.NODE_RESOURCE], later):
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
def source_held(m: IntArray, g: int) -> bool:
    """Whether the full queue of stream ``g`` keeps the source from making the next frame, which is for it."""
    if m[g + c.STREAM_QUEUE_FULL] != BLOCKING or m[g + c.STREAM_N_PENDING] < m[g + c.STREAM_QUEUE_CAPACITY]:
        return False
    return m[g + c.STREAM_N_PENDING] > 0 or not can_admit(m, g)


@kernel
def cramped(m: IntArray) -> bool:
    """Whether one event could admit more frames of a stream than it has free slots."""
    g = m[c.STREAMS]
    for _ in range(m[c.N_STREAMS]):
        free = m[g + c.STREAM_N_FREE]
        room = m[g + c.STREAM_IN_FLIGHT_LIMIT] - m[g + c.STREAM_IN_FLIGHT]
        if free <= m[g + c.STREAM_N_PENDING] and free < room:
            return True
        g += c.STREAM_WIDTH
    return False


@kernel
def simulate(
    m: IntArray, arrival: IntArray, draw: IntArray, stream: IntArray, first: int, known: int, final: bool
) -> int:
    """Run the main loop for `advance`, which knows frames below ``known``, on pointers in place of arrays."""
    servers = m[c.SERVERS]
    servers_end = servers + m[c.N_SERVERS] * c.SERVER_WIDTH
    several = m[c.N_STREAMS] > 1
    g = m[c.STREAMS]
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
            if several:
                g = stream[frame - first]
            instant = max(arrival[frame - first], m[c.NOW])
            if instant < t and not source_held(m, g):
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
            arrive(m, g, draw[frame - first])
        elif is_delay:
            finish_delay(m)
        else:
            finish_server(m, server)
        if m[c.N_PENDING] > 0:
            admit_pending(m)


@kernel
def advance(
    m: IntArray,
    arrival: IntArray,
    draw: IntArray,
    stream: IntArray,
    first: int,
    final: bool,
    marks: IntArray,
    totals: IntArray,
) -> int:
    """Simulate until the last known frame has arrived or, if ``final``, until nothing is left to do.

    Parameters
    ----------
    m
        The arena; updated in place. Marks that it says were reached are not looked at again.
    arrival, draw
        (F,) instants and exit draws of frames ``first`` to ``first + F - 1``.
    stream
        (F,) stream of each, as an offset into ``m``; not read where there is one.
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
    arena, instants, draws, streams = pointer(m), pointer(arrival), pointer(draw), pointer(stream)
    rows, n_marks, status = pointer(totals.reshape(-1)), marks.shape[0], c.FED
    for i in range(m[c.MARKED], n_marks + 1):
        is_last = i == n_marks
        known = first + arrival.shape[0] if is_last else marks[i]
        status = simulate(arena, instants, draws, streams, first, known, final and is_last)
        if status in (c.CRAMPED, c.STUCK):
            return status
        if not is_last:
            write_totals(arena, rows, i * totals.shape[1])
            m[c.MARKED] = i + 1
    return status
