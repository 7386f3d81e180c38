"""Frames in the compiled engine: admit, release, decide, answer, drop, close, leave.

By convention ``g`` is a stream, ``s`` a slot, ``t`` a task, ``n`` a node, ``r`` a resource and ``v`` a server, each as
an offset into ``m``.
"""

from __future__ import annotations

from eesim.engine import layout as c
from eesim.engine.jit import kernel
from eesim.engine.kernel_servers import has_room, note, note_task, stop, task_work, unblock
from eesim.engine.queues import push, remove
from eesim.plan.plan import (
    FULL_SPEED,
    PURE_DELAY,
    Basis,
    Cancellation,
    Dispatch,
    EventKind,
    IntArray,
    NodeKind,
    Status,
    WhenFull,
)

ADMIT = int(EventKind.ADMIT)
READY = int(EventKind.READY)
START = int(EventKind.START)
CANCEL = int(EventKind.CANCEL)
ANSWER = int(EventKind.ANSWER)
DROP = int(EventKind.DROP)
LEAVE = int(EventKind.LEAVE)
LEVEL = int(EventKind.LEVEL)
REUSE = int(EventKind.REUSE)
FORCE = int(EventKind.FORCE)
BUDGET = int(Basis.BUDGET)
SAME_SCENE = int(Basis.SAME_SCENE)
STALE = int(Basis.STALE)
FIFO = int(Dispatch.FIFO)
CANCEL_NOTHING = int(Cancellation.NONE)
STOP_AT_KERNEL = int(Cancellation.RUNNING_AT_KERNEL)
BLOCKING = int(WhenFull.BLOCK)
DROP_NEWEST = int(WhenFull.DROP_NEWEST)
TRANSFER = int(NodeKind.TRANSFER)
ANSWERED = int(Status.ANSWERED)
GIVEN_UP = int(Status.GIVEN_UP)
LOST = int(Status.LOST)
GIVE_UP = -1
UNDECIDED = -2
ANSWER_AGAIN = -3
"""In place of an exit."""


@kernel
def leave(m: IntArray, s: int) -> None:
    """The frame in slot ``s`` is over."""
    if m[c.LOGGING]:
        note(m, LEAVE, m[s + c.SLOT_FRAME], -1, -1)
    g = m[s + c.SLOT_STREAM]
    m[c.IN_FLIGHT] -= 1
    m[g + c.STREAM_IN_FLIGHT] -= 1
    m[s + c.SLOT_USED] = 0
    m[s + c.SLOT_NEXT_FREE] = m[g + c.STREAM_FREE_SLOT]
    m[g + c.STREAM_FREE_SLOT] = s
    m[g + c.STREAM_N_FREE] += 1


@kernel
def read_level(m: IntArray, s: int) -> int:
    """Move the level of a stream to where the number of its frames in the system says; ``s`` holds who asks."""
    g = m[s + c.SLOT_STREAM]
    present = m[g + c.STREAM_IN_FLIGHT] + m[g + c.STREAM_N_PENDING]
    old = m[g + c.STREAM_LEVEL]
    level = old
    while level < m[g + c.STREAM_LEVELS] and present > m[m[g + c.STREAM_LEVEL_UP] + level]:
        level += 1
    while level > 0 and present <= m[m[g + c.STREAM_LEVEL_DOWN] + level - 1]:
        level -= 1
    m[g + c.STREAM_LEVEL] = level
    if m[c.LOGGING] and level != old:
        note(m, LEVEL, m[s + c.SLOT_FRAME], -1, level)
    return level


@kernel
def cancel(m: IntArray, t: int) -> None:
    """Task ``t``, which has not started, never will."""
    n = m[t + c.TASK_NODE]
    if m[t + c.TASK_STATUS] == c.READY:
        r = m[n + c.NODE_RESOURCE]
        remove(m, m[r + c.RES_HEAP], m[r + c.RES_WAITING], m[t + c.TASK_PLACE])
        m[r + c.RES_WAITING] -= 1
        m[r + c.RES_HELD] -= m[n + c.NODE_BYTES]
        if m[c.LOGGING]:
            note_task(m, CANCEL, t, m[r + c.RES_INDEX])
    m[t + c.TASK_STATUS] = c.CANCELLED
    m[m[t + c.TASK_SLOT] + c.SLOT_GATE_LEFT] -= m[n + c.NODE_GATE]


@kernel
def close(m: IntArray, s: int) -> None:
    """Cancel what the frame in slot ``s`` has not started."""
    g = m[s + c.SLOT_STREAM]
    t = s + c.SLOT_WIDTH
    for _ in range(m[g + c.STREAM_N_NODES]):
        if m[t + c.TASK_STATUS] <= c.READY:
            cancel(m, t)
        t += c.TASK_WIDTH
    m[s + c.SLOT_CLOSED] = 1
    stopping = m[g + c.STREAM_CANCELLATION] >= STOP_AT_KERNEL and m[s + c.SLOT_RUNNING] > 0
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
def write_record(m: IntArray, g: int, frame: int, arrival: int, reached: int, status: int, level: int) -> int:
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
    m[row + 8] = m[g + c.STREAM_INDEX]
    m[row + 9] = level
    m[row + 10] = -1
    m[row + 11] = 0
    return row


@kernel
def end_frame(m: IntArray, s: int, reached: int, status: int) -> int:
    """The frame in slot ``s`` has its answer, or none: charge what it wasted; return its record."""
    g = m[s + c.SLOT_STREAM]
    t = s + c.SLOT_WIDTH
    for _ in range(m[g + c.STREAM_N_NODES]):
        n = m[t + c.TASK_NODE]
        if m[t + c.TASK_STATUS] == c.DONE and m[n + c.NODE_NEED] > reached:
            m[n + c.NODE_WASTED] += m[t + c.TASK_SERVICE]
        t += c.TASK_WIDTH
    m[s + c.SLOT_ENDED] = 1
    m[s + c.SLOT_EXIT] = reached
    return write_record(m, g, m[s + c.SLOT_FRAME], m[s + c.SLOT_ARRIVAL], reached, status, m[s + c.SLOT_LEVEL])


@kernel
def scene_of(m: IntArray, s: int) -> int:
    """Scene that the frame in slot ``s`` shows, and what a detector makes of it (`Draws.scene`)."""
    return m[m[c.SCENE] + m[s + c.SLOT_FRAME] - m[c.SCENE_FIRST]]


@kernel
def seems_known(m: IntArray, s: int, g: int) -> bool:
    """Whether the frame in slot ``s`` is taken to show what the reference of its stream ``g`` did."""
    if m[g + c.STREAM_KNOWN] == 0 or m[g + c.STREAM_ALIKE] < m[g + c.STREAM_REUSE]:
        return False
    if m[g + c.STREAM_REUSED] >= m[g + c.STREAM_REUSE_MOST]:
        return False
    scene = scene_of(m, s)
    if scene >> 2 == m[g + c.STREAM_KNOWN_SCENE]:
        return scene & 1 == 0
    return scene & 2 != 0


@kernel
def learn(m: IntArray, s: int, g: int, reached: int) -> None:
    """The frame in slot ``s`` was answered by itself: it is the reference of stream ``g``, if it is the latest one."""
    if m[s + c.SLOT_FRAME] < m[g + c.STREAM_KNOWN]:
        return
    scene = scene_of(m, s) >> 2
    alike = m[g + c.STREAM_KNOWN] > 0 and scene == m[g + c.STREAM_KNOWN_SCENE]
    m[g + c.STREAM_ALIKE] = m[g + c.STREAM_ALIKE] + 1 if alike else 1
    m[g + c.STREAM_KNOWN] = m[s + c.SLOT_FRAME] + 1
    m[g + c.STREAM_KNOWN_SCENE] = scene
    m[g + c.STREAM_KNOWN_EXIT] = reached
    m[g + c.STREAM_KNOWN_LEVEL] = m[s + c.SLOT_LEVEL]
    m[g + c.STREAM_REUSED] = 0


@kernel
def fill_bucket(m: IntArray, g: int, more: int) -> None:
    """Put the tokens of the time since the last count, and ``more``, into the bucket of stream ``g``."""
    most = m[g + c.STREAM_BUCKET]
    room = most - m[g + c.STREAM_TOKENS]
    per_ns = m[g + c.STREAM_PER_NS]
    elapsed = m[c.NOW] - m[g + c.STREAM_TOKENS_AT]
    # Divided, not multiplied: a long silence brings more than 64 bits hold.
    if more >= room or (per_ns > 0 and elapsed >= (room - more + per_ns - 1) // per_ns):
        m[g + c.STREAM_TOKENS] = most
    else:
        m[g + c.STREAM_TOKENS] += more + elapsed * per_ns
    m[g + c.STREAM_TOKENS_AT] = m[c.NOW]


@kernel
def can_pay(m: IntArray, g: int, e: int) -> bool:
    """Take the tokens for declining exit ``e`` out of the bucket of stream ``g``; False if there are not enough."""
    fill_bucket(m, g, 0)
    cost = m[m[c.EXIT_COST] + e]
    if m[g + c.STREAM_TOKENS] < cost:
        return False
    m[g + c.STREAM_TOKENS] -= cost
    return True


@kernel
def conclude(m: IntArray, t: int, reached: int, forced: bool) -> None:
    """The frame of task ``t`` answers at exit ``reached`` because ``t`` is done, or is given up (`GIVE_UP`).

    Or it gets the answer of the reference of its stream (`ANSWER_AGAIN`): what was done for it so far was needed. It
    may be ``forced`` to answer there.
    """
    s = m[t + c.TASK_SLOT]
    g = m[s + c.SLOT_STREAM]
    last = reached
    told = reached
    if reached == ANSWER_AGAIN:
        last = m[m[t + c.TASK_NODE] + c.NODE_NEED]
        told = m[g + c.STREAM_KNOWN_EXIT]
        if m[c.LOGGING]:
            note_task(m, REUSE, t, m[g + c.STREAM_KNOWN] - 1)
    if reached == GIVE_UP:
        if m[c.LOGGING]:
            note(m, DROP, m[s + c.SLOT_FRAME], -1, -1)
    elif m[c.LOGGING]:
        if forced:
            note_task(m, FORCE, t, told)
        note_task(m, ANSWER, t, told)
    row = end_frame(m, s, last, GIVEN_UP if reached == GIVE_UP else ANSWERED)
    if reached == ANSWER_AGAIN:
        m[row + 3] = told
        m[row + 9] = m[g + c.STREAM_KNOWN_LEVEL]
        m[row + 11] = SAME_SCENE if scene_of(m, s) >> 2 == m[g + c.STREAM_KNOWN_SCENE] else STALE
        m[g + c.STREAM_REUSED] += 1
    elif forced:
        m[row + 11] = BUDGET
    elif reached != GIVE_UP and m[g + c.STREAM_REUSE] > 0:
        learn(m, s, g, reached)
    while t != c.NOBODY and reached != GIVE_UP:
        part = 7 if m[m[t + c.TASK_NODE] + c.NODE_KIND] == TRANSFER else 6
        m[row + part] += m[t + c.TASK_NOMINAL]
        cause = m[t + c.TASK_CAUSE]
        since = m[s + c.SLOT_ARRIVAL] if cause == c.NOBODY else m[cause + c.TASK_END]
        m[row + 5] += m[t + c.TASK_START] - since
        t = cause
    if reached < 0 or m[g + c.STREAM_CANCELLATION] != CANCEL_NOTHING:
        close(m, s)


@kernel
def confident_now(m: IntArray, s: int, g: int) -> int:
    """Set of exits that are confident about the frame in slot ``s`` at its level, read now if it is to be."""
    if m[g + c.STREAM_LEVEL_AT_EXIT]:
        m[s + c.SLOT_LEVEL] = read_level(m, s)
    row = m[s + c.SLOT_FRAME] - m[c.CONFIDENT_FIRST]
    return m[m[c.CONFIDENT] + row * m[c.CONFIDENT_WIDTH] + m[s + c.SLOT_LEVEL]]


@kernel
def decide(m: IntArray, t: int, e: int) -> None:
    """Task ``t`` has completed exit ``e`` (-1: none), or detected a scene: see whether its frame answers."""
    s = m[t + c.TASK_SLOT]
    g = m[s + c.SLOT_STREAM]
    draw = m[s + c.SLOT_DRAW]
    reached = UNDECIDED
    forced = False
    if m[m[t + c.TASK_NODE] + c.NODE_DETECTS] and seems_known(m, s, g):
        reached = ANSWER_AGAIN
    levels = m[g + c.STREAM_LEVELS] > 0 and e >= 0 and reached == UNDECIDED
    if levels:
        draw = confident_now(m, s, g)
    if e < 0 or reached != UNDECIDED:
        pass
    elif m[g + c.STREAM_FIRST_CONFIDENT]:
        if (draw >> (e - m[g + c.STREAM_FIRST_EXIT])) & 1:
            reached = e
    else:
        e = m[s + c.SLOT_NEXT_EXIT]
        left = s + m[g + c.STREAM_EXIT_LEFT]
        while e < m[g + c.STREAM_END_EXIT] and m[left + e] == 0:
            if not levels:
                if e == draw:
                    reached = e
                    break
            elif (draw >> (e - m[g + c.STREAM_FIRST_EXIT])) & 1:
                reached = e
                break
            elif e >= m[m[g + c.STREAM_LEVEL_LAST] + m[s + c.SLOT_LEVEL]]:
                reached = GIVE_UP
                break
            if m[g + c.STREAM_BUCKET] > 0 and not can_pay(m, g, e):
                reached = e
                forced = True
                break
            e += 1
        m[s + c.SLOT_NEXT_EXIT] = e
    # One call for all: every kernel is inlined where it is called.
    if reached != UNDECIDED:
        conclude(m, t, reached, forced)


@kernel
def drop(m: IntArray, s: int, r: int) -> None:
    """The frame in slot ``s`` is lost because resource ``r`` is full."""
    if not m[s + c.SLOT_ENDED]:
        if m[c.LOGGING]:
            note(m, DROP, m[s + c.SLOT_FRAME], -1, m[r + c.RES_INDEX])
        row = end_frame(m, s, -1, LOST)
        m[row + 10] = m[r + c.RES_INDEX]
    close(m, s)
    if m[s + c.SLOT_RUNNING] == 0:
        leave(m, s)


@kernel
def make_room(m: IntArray, s: int, r: int, n: int) -> bool:
    """Apply the dropping rule of a full resource ``r`` until node ``n`` has room; whether its frame survives it."""
    while not has_room(m, r, n):
        victim = s
        if m[c.STAGE_FULL] != DROP_NEWEST and m[r + c.RES_WAITING] > 0:
            victim = m[m[m[r + c.RES_HEAP]] + c.TASK_SLOT]
        drop(m, victim, r)
        if victim == s:
            return False
    return True


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
    if m[c.STAGE_FULL] != BLOCKING and not make_room(m, s, r, n):
        return
    if m[c.DISPATCH] == FIFO:
        key = m[c.READY_COUNT]
        m[c.READY_COUNT] += 1
    else:
        key = m[s + c.SLOT_FRAME] * m[c.N_NODES] + m[n + c.NODE_RANK]
    m[t + c.TASK_KEY] = m[m[s + c.SLOT_STREAM] + c.STREAM_KEY] + key
    m[t + c.TASK_STATUS] = c.READY
    m[t + c.TASK_START] = m[c.NOW]
    push(m, m[r + c.RES_HEAP], m[r + c.RES_WAITING], t)
    m[r + c.RES_WAITING] += 1
    m[r + c.RES_HELD] += m[n + c.NODE_BYTES]
    if m[c.LOGGING]:
        note_task(m, READY, t, m[r + c.RES_INDEX])


@kernel
def admit(m: IntArray, g: int, frame: int, arrival: int, draw: int) -> None:
    """Take a frame of stream ``g`` in: give it a slot and release its first node."""
    s = m[g + c.STREAM_FREE_SLOT]
    m[g + c.STREAM_FREE_SLOT] = m[s + c.SLOT_NEXT_FREE]
    m[g + c.STREAM_N_FREE] -= 1
    m[s + c.SLOT_USED] = 1
    m[s + c.SLOT_FRAME] = frame
    m[s + c.SLOT_ARRIVAL] = arrival
    m[s + c.SLOT_DRAW] = draw
    m[s + c.SLOT_NEXT_EXIT] = m[g + c.STREAM_FIRST_EXIT]
    m[s + c.SLOT_ENDED] = 0
    m[s + c.SLOT_CLOSED] = 0
    m[s + c.SLOT_RUNNING] = 0
    m[s + c.SLOT_LEFT] = m[g + c.STREAM_N_NODES]
    m[s + c.SLOT_GATE_LEFT] = m[g + c.STREAM_GATE_NODES]
    m[s + c.SLOT_LEVEL] = 0
    for e in range(m[g + c.STREAM_FIRST_EXIT], m[g + c.STREAM_END_EXIT]):
        m[s + m[g + c.STREAM_EXIT_LEFT] + e] = m[m[c.EXIT_NEED] + e]
    first = s + c.SLOT_WIDTH
    t = first
    for _ in range(m[g + c.STREAM_N_NODES]):
        m[t + c.TASK_STATUS] = c.WAITING
        m[t + c.TASK_MISSING] = m[m[t + c.TASK_NODE] + c.NODE_MISSING]
        t += c.TASK_WIDTH
    m[first + c.TASK_CAUSE] = c.NOBODY
    m[c.IN_FLIGHT] += 1
    m[g + c.STREAM_IN_FLIGHT] += 1
    m[g + c.STREAM_LAST] = s
    if m[c.LOGGING]:
        note(m, ADMIT, frame, -1, -1)
    if m[g + c.STREAM_BUCKET] > 0:
        fill_bucket(m, g, m[g + c.STREAM_PER_FRAME])
    if m[g + c.STREAM_LEVELS] > 0 and not m[g + c.STREAM_LEVEL_AT_EXIT]:
        m[s + c.SLOT_LEVEL] = read_level(m, s)
    release(m, first, m[m[g + c.STREAM_NODES] + c.NODE_RESOURCE] == PURE_DELAY)
