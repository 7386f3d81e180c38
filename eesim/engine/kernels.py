"""The compiled engine's event loop: docs/semantics.md, section 4, rule by rule.

Function names follow the words of that page (admit, release, done, answer, drop, close, settle), and so does the
order of statements, because the order is the meaning. Nothing here allocates, draws random numbers or raises: the
arena ``m`` (see `eesim.engine.layout`) is updated in place. By convention ``s`` is a slot, ``t`` a task, ``n`` a
node, ``r`` a resource and ``v`` a server, each as an offset into ``m``.
"""

from __future__ import annotations

from eesim.engine import layout as c
from eesim.engine.jit import kernel, pointer
from eesim.engine.queues import before, push, remove
from eesim.plan.plan import (
    FULL_SPEED,
    KEEP_STATE,
    NEVER,
    PURE_DELAY,
    UNBOUNDED,
    Cancellation,
    Dispatch,
    EventKind,
    IntArray,
    NodeKind,
    Status,
    WhenFull,
)

ARRIVE, ADMIT, READY, START, FINISH, ABORT, CANCEL, EXIT, ANSWER, DROP, BLOCK, UNBLOCK, LEAVE = (
    int(kind) for kind in EventKind
)
FIFO = int(Dispatch.FIFO)
CANCEL_NOTHING = int(Cancellation.NONE)
STOP_AT_KERNEL = int(Cancellation.RUNNING_AT_KERNEL)
BLOCKING = int(WhenFull.BLOCK)
DROP_NEWEST = int(WhenFull.DROP_NEWEST)
DROP_OLDEST = int(WhenFull.DROP_OLDEST)
TRANSFER = int(NodeKind.TRANSFER)
ANSWERED = int(Status.ANSWERED)
DROPPED = int(Status.DROPPED)


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
def has_room(m: IntArray, r: int) -> bool:
    """Whether one more task may wait for resource ``r``."""
    capacity = m[r + c.RES_CAPACITY]
    return capacity == UNBOUNDED or m[r + c.RES_WAITING] < capacity + m[r + c.RES_IDLE]


@kernel
def can_admit(m: IntArray) -> bool:
    """Whether the next frame may enter."""
    if m[c.IN_FLIGHT] >= m[c.IN_FLIGHT_LIMIT] or m[c.GATE_LEFT] > 0:
        return False
    r = m[m[c.NODES] + c.NODE_RESOURCE]
    return m[c.STAGE_FULL] != BLOCKING or r == PURE_DELAY or has_room(m, r)


@kernel
def task_work(m: IntArray, t: int, state: int) -> int:
    """Work of task ``t`` on a resource found in ``state``, ns x ppm."""
    n = m[t + c.TASK_NODE]
    work_ns = m[m[n + c.NODE_WORK] + state]
    if m[c.NOISE] == 0:
        return work_ns * FULL_SPEED
    row = m[m[t + c.TASK_SLOT] + c.SLOT_FRAME] - m[c.NOISE_FIRST]
    return work_ns * m[m[c.NOISE] + row * m[c.N_NODES] + m[n + c.NODE_INDEX]]


@kernel
def leave(m: IntArray, s: int) -> None:
    """The frame in slot ``s`` is over."""
    if m[c.LOGGING]:
        note(m, LEAVE, m[s + c.SLOT_FRAME], -1, -1)
    m[c.IN_FLIGHT] -= 1
    m[s + c.SLOT_USED] = 0
    m[s + c.SLOT_NEXT_FREE] = m[c.FREE_SLOT]
    m[c.FREE_SLOT] = s
    m[c.N_FREE] += 1


@kernel
def count_for_gate(m: IntArray, s: int, n: int) -> None:
    """Node ``n`` of the frame in slot ``s`` no longer holds the gate."""
    if m[c.GATE_SLOT] == s:
        m[c.GATE_LEFT] -= m[n + c.NODE_GATE]


@kernel
def stop(m: IntArray, v: int) -> None:
    """Shorten the task that server ``v`` serves, as ``cancellation: running`` says."""
    now = m[c.NOW]
    speed = m[v + c.SERVER_SPEED]
    left = m[v + c.SERVER_REMAINING] - (now - m[v + c.SERVER_SINCE]) * speed
    m[v + c.SERVER_REMAINING] = left
    m[v + c.SERVER_SINCE] = now
    keep = 0
    if m[c.CANCELLATION] == STOP_AT_KERNEL:
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
def cancel(m: IntArray, t: int) -> None:
    """Task ``t``, which has not started, never will."""
    n = m[t + c.TASK_NODE]
    if m[t + c.TASK_STATUS] == c.READY:
        r = m[n + c.NODE_RESOURCE]
        remove(m, m[r + c.RES_HEAP], m[r + c.RES_WAITING], m[t + c.TASK_PLACE])
        m[r + c.RES_WAITING] -= 1
        if m[c.LOGGING]:
            note_task(m, CANCEL, t, m[r + c.RES_INDEX])
    m[t + c.TASK_STATUS] = c.CANCELLED
    count_for_gate(m, m[t + c.TASK_SLOT], n)


@kernel
def close(m: IntArray, s: int) -> None:
    """Cancel what the frame in slot ``s`` has not started."""
    t = s + c.SLOT_WIDTH
    for _ in range(m[c.N_NODES]):
        if m[t + c.TASK_STATUS] <= c.READY:
            cancel(m, t)
        t += c.TASK_WIDTH
    m[s + c.SLOT_CLOSED] = 1
    stopping = m[c.CANCELLATION] >= STOP_AT_KERNEL and m[s + c.SLOT_RUNNING] > 0
    if not stopping and m[c.N_BLOCKED] == 0:
        return
    for i in range(m[c.N_SERVERS]):
        v = m[c.SERVERS] + i * c.SERVER_WIDTH
        t = m[v + c.SERVER_TASK]
        if t == c.NOBODY or m[t + c.TASK_SLOT] != s:
            continue
        if m[v + c.SERVER_BLOCKED]:
            unblock(m, v)
        elif stopping:
            stop(m, v)


@kernel
def write_record(m: IntArray, frame: int, arrival: int, reached: int, status: int) -> int:
    """Begin a frame's record, with no parts of latency; return its row."""
    row = m[c.RECORDS] + m[c.N_RECORDS] * c.RECORD_WIDTH
    m[c.N_RECORDS] += 1
    m[row] = frame
    m[row + 1] = arrival
    m[row + 2] = m[c.NOW]
    m[row + 3] = reached
    m[row + 4] = status
    m[row + 5] = 0
    m[row + 6] = 0
    m[row + 7] = 0
    return row


@kernel
def end_frame(m: IntArray, s: int, reached: int, status: int) -> int:
    """The frame in slot ``s`` has its answer, or none: charge what it wasted; return its record."""
    t = s + c.SLOT_WIDTH
    for _ in range(m[c.N_NODES]):
        n = m[t + c.TASK_NODE]
        if m[t + c.TASK_STATUS] == c.DONE and m[n + c.NODE_NEED] > reached:
            m[n + c.NODE_WASTED] += m[t + c.TASK_END] - m[t + c.TASK_START]
        t += c.TASK_WIDTH
    m[s + c.SLOT_ENDED] = 1
    m[s + c.SLOT_EXIT] = reached
    return write_record(m, m[s + c.SLOT_FRAME], m[s + c.SLOT_ARRIVAL], reached, status)


@kernel
def answer(m: IntArray, t: int, reached: int) -> None:
    """The frame of task ``t`` answers at exit ``reached`` because ``t`` is done."""
    s = m[t + c.TASK_SLOT]
    if m[c.LOGGING]:
        note_task(m, ANSWER, t, reached)
    row = end_frame(m, s, reached, ANSWERED)
    while t != c.NOBODY:
        part = 7 if m[m[t + c.TASK_NODE] + c.NODE_KIND] == TRANSFER else 6
        m[row + part] += m[t + c.TASK_NOMINAL]
        cause = m[t + c.TASK_CAUSE]
        since = m[s + c.SLOT_ARRIVAL] if cause == c.NOBODY else m[cause + c.TASK_END]
        m[row + 5] += m[t + c.TASK_START] - since
        t = cause
    if m[c.CANCELLATION] != CANCEL_NOTHING:
        close(m, s)


@kernel
def drop(m: IntArray, s: int) -> None:
    """Give up the frame in slot ``s``."""
    if not m[s + c.SLOT_ENDED]:
        if m[c.LOGGING]:
            note(m, DROP, m[s + c.SLOT_FRAME], -1, -1)
        end_frame(m, s, -1, DROPPED)
    close(m, s)
    if m[s + c.SLOT_RUNNING] == 0:
        leave(m, s)


@kernel
def make_room(m: IntArray, s: int, r: int) -> bool:
    """Apply the dropping rule of a full resource ``r``; whether the frame in slot ``s`` survives it."""
    victim = s
    if m[c.STAGE_FULL] != DROP_NEWEST and m[r + c.RES_WAITING] > 0:
        victim = m[m[m[r + c.RES_HEAP]] + c.TASK_SLOT]
    drop(m, victim)
    return victim != s


@kernel
def release(m: IntArray, t: int, delay_now: bool) -> None:
    """Task ``t`` misses nothing any more: let it wait for its resource, or begin if it is a pure delay."""
    s = m[t + c.TASK_SLOT]
    n = m[t + c.TASK_NODE]
    if delay_now:
        m[t + c.TASK_STATUS] = c.RUNNING
        m[t + c.TASK_START] = m[c.NOW]
        m[t + c.TASK_NOMINAL] = (task_work(m, t, 0) + FULL_SPEED - 1) // FULL_SPEED
        m[t + c.TASK_FOUND] = 0
        m[s + c.SLOT_RUNNING] += 1
        m[t + c.TASK_KEY] = m[c.NOW] + m[t + c.TASK_NOMINAL]
        push(m, m[c.DELAYS], m[c.N_DELAYS], t)
        m[c.N_DELAYS] += 1
        if m[c.LOGGING]:
            note_task(m, START, t, -1)
        return
    r = m[n + c.NODE_RESOURCE]
    if m[c.STAGE_FULL] != BLOCKING and not has_room(m, r) and not make_room(m, s, r):
        return
    if m[c.DISPATCH] == FIFO:
        m[t + c.TASK_KEY] = m[c.READY_COUNT]
        m[c.READY_COUNT] += 1
    else:
        m[t + c.TASK_KEY] = m[s + c.SLOT_FRAME] * m[c.N_NODES] + m[n + c.NODE_RANK]
    m[t + c.TASK_STATUS] = c.READY
    push(m, m[r + c.RES_HEAP], m[r + c.RES_WAITING], t)
    m[r + c.RES_WAITING] += 1
    if m[c.LOGGING]:
        note_task(m, READY, t, m[r + c.RES_INDEX])


@kernel
def admit(m: IntArray, frame: int, arrival: int, draw: int) -> None:
    """Take a frame in: give it a slot and release its first node."""
    s = m[c.FREE_SLOT]
    m[c.FREE_SLOT] = m[s + c.SLOT_NEXT_FREE]
    m[c.N_FREE] -= 1
    m[s + c.SLOT_USED] = 1
    m[s + c.SLOT_FRAME] = frame
    m[s + c.SLOT_ARRIVAL] = arrival
    m[s + c.SLOT_DRAW] = draw
    m[s + c.SLOT_NEXT_EXIT] = 0
    m[s + c.SLOT_ENDED] = 0
    m[s + c.SLOT_CLOSED] = 0
    m[s + c.SLOT_RUNNING] = 0
    m[s + c.SLOT_LEFT] = m[c.N_NODES]
    for e in range(m[c.N_EXITS]):
        m[s + m[c.EXIT_LEFT] + e] = m[m[c.EXIT_NEED] + e]
    first = s + c.SLOT_WIDTH
    t = first
    for _ in range(m[c.N_NODES]):
        m[t + c.TASK_STATUS] = c.WAITING
        m[t + c.TASK_MISSING] = m[m[t + c.TASK_NODE] + c.NODE_MISSING]
        t += c.TASK_WIDTH
    m[first + c.TASK_CAUSE] = c.NOBODY
    m[c.IN_FLIGHT] += 1
    m[c.GATE_SLOT] = s
    m[c.GATE_LEFT] = m[c.GATE_NODES]
    if m[c.LOGGING]:
        note(m, ADMIT, frame, -1, -1)
    release(m, first, m[m[c.NODES] + c.NODE_RESOURCE] == PURE_DELAY)


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
def decide(m: IntArray, t: int, e: int) -> None:
    """Task ``t`` has completed exit ``e``: see whether its frame answers."""
    s = m[t + c.TASK_SLOT]
    draw = m[s + c.SLOT_DRAW]
    if m[c.FIRST_CONFIDENT]:
        if (draw >> e) & 1:
            answer(m, t, e)
        return
    e = m[s + c.SLOT_NEXT_EXIT]
    left = s + m[c.EXIT_LEFT]
    while e < m[c.N_EXITS] and m[left + e] == 0:
        if e == draw:
            answer(m, t, e)
            return
        e += 1
    m[s + c.SLOT_NEXT_EXIT] = e


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
def start(m: IntArray, r: int) -> None:
    """Start the first waiting task of resource ``r`` on its lowest idle server."""
    v = m[r + c.RES_SERVER]
    while m[v + c.SERVER_TASK] != c.NOBODY:
        v += c.SERVER_WIDTH
    t = m[m[r + c.RES_HEAP]]
    remove(m, m[r + c.RES_HEAP], m[r + c.RES_WAITING], 0)
    m[r + c.RES_WAITING] -= 1
    state = m[r + c.RES_STATE]
    work = task_work(m, t, state)
    next_state = m[m[t + c.TASK_NODE] + c.NODE_STATE]
    if next_state != KEEP_STATE:
        m[r + c.RES_STATE] = next_state
    m[t + c.TASK_STATUS] = c.RUNNING
    m[t + c.TASK_START] = m[c.NOW]
    m[t + c.TASK_NOMINAL] = (work + FULL_SPEED - 1) // FULL_SPEED
    m[t + c.TASK_FOUND] = state
    m[m[t + c.TASK_SLOT] + c.SLOT_RUNNING] += 1
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
    if m[c.LOGGING]:
        note_task(m, START, t, m[v + c.SERVER_INDEX])


@kernel
def excluded(m: IntArray, r: int) -> bool:
    """Whether resource ``r`` must leave its exclusive group to another member."""
    group = m[r + c.RES_GROUP]
    if group < 0:
        return False
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
def dispatch(m: IntArray) -> bool:
    """Start what can start; whether anything did."""
    any_started = False
    r = m[c.RESOURCES]
    for _ in range(m[c.N_RESOURCES]):
        while m[r + c.RES_WAITING] > 0 and m[r + c.RES_IDLE] > 0 and not excluded(m, r):
            start(m, r)
            any_started = True
        r += c.RES_WIDTH
    return any_started


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
def advance(m: IntArray, arrival: IntArray, draw: IntArray, first: int, final: bool) -> int:
    """Simulate until the last known frame has arrived or, if ``final``, until nothing is left to do.

    Parameters
    ----------
    m
        The arena; updated in place.
    arrival, draw
        (F,) instants and exit draws of frames ``first`` to ``first + F - 1``.
    first
        Number of the first of these frames.
    final
        No more frames will come.

    Returns
    -------
    int
        ``FED``, ``FINISHED``, ``STUCK`` or ``CRAMPED``.
    """
    return simulate(pointer(m), pointer(arrival), pointer(draw), first, first + arrival.shape[0], final)
