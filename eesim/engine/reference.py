"""The reference engine: section 4 of ``docs/semantics.md`` in plain objects, on SimPy's event list.

It is written to be read. The methods follow the page: the main loop, arrival, admission, release, done,
answer, drop, close, settle. The laws that every run must keep are checked as it runs
(`eesim.engine.invariants`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial

from eesim.engine import invariants
from eesim.engine.frames import Frame, Phase, Task, read_frames
from eesim.engine.ledger import Ledger
from eesim.engine.machine import Machine
from eesim.engine.protocol import NO_MARKS, Counters
from eesim.engine.servers import Resource, Server
from eesim.engine.streams import Stream, read_streams
from eesim.engine.timeline import Happening, Timeline
from eesim.errors import SimulationDeadlock
from eesim.plan.check import check_batches, check_sections
from eesim.plan.plan import (
    PURE_DELAY,
    Basis,
    Cancellation,
    Dispatch,
    Draws,
    EventKind,
    IntArray,
    Plan,
    Status,
    WhenFull,
)


class ReferenceEngine:
    """A simulation of one plan, fed with the stream block by block; see `eesim.engine.protocol.Engine`.

    Parameters
    ----------
    plan
        What to simulate.
    log
        Whether to keep the event log.

    Raises
    ------
    ValueError
        If the plan has sections or batches that cannot be kept (see `eesim.plan.check`).
    """

    def __init__(self, plan: Plan, *, log: bool = False) -> None:
        check_sections(plan)
        check_batches(plan)
        self._streams = read_streams(plan)
        # Wherever there is a choice between streams, the first of these goes first.
        self._by_priority = sorted(self._streams, key=lambda stream: stream.priority)
        self._n_nodes = plan.n_nodes
        self._dispatch = Dispatch(plan.dispatch)
        self._stage_full = WhenFull(plan.stage_full)

        self._timeline = Timeline(plan.n_servers, plan.n_nodes)
        nodes = tuple(node for stream in self._streams for node in stream.nodes)
        self._ledger = Ledger(nodes, plan.n_resources, self._timeline, log=log)
        self._machine = Machine(plan, self._timeline, self._ledger, self._end_served, self._after_event)
        self._note = self._ledger.note

        self._drawn = 0
        self._source: deque[Frame] = deque()  # drawn, not arrived
        self._ready_rows = 0
        self._delays: set[Task] = set()  # pure delays under way
        self._arrival: Happening | None = None
        self._settle_is_due = False

    # -- the interface ---------------------------------------------------------------------------------

    def feed(self, draws: Draws, *, final: bool, marks: IntArray = NO_MARKS) -> Sequence[Counters]:
        """Simulate up to the arrival of the last frame in ``draws``, or to the end; see `Engine.feed`."""
        found = []
        begin = 0
        for end in (marks - self._drawn).tolist():
            self._feed(Draws(*(array[begin:end] for array in draws)), final=False)
            found.append(self.counters())
            begin = end
        self._feed(Draws(*(array[begin:] for array in draws)), final=final)
        return found

    def _feed(self, draws: Draws, *, final: bool) -> None:
        frames = read_frames(draws, self._drawn)
        self._drawn += len(frames)
        self._source.extend(frames)
        self._schedule_arrival()
        # What follows the last arrival depends on the next one: not even the settle may come before it.
        while (self._source or final) and self._timeline.step():
            pass
        in_flight = sum(stream.in_flight for stream in self._streams)
        if self._source or (final and (in_flight or any(stream.queue for stream in self._streams))):
            blocked = [
                (server.number, server.current.frame.number, server.current.node.number)
                for server in self._machine.blocked()
            ]
            held = [
                (resource.number, task.frame.number, task.node.number, section.number)
                for resource, section in self._machine.held()
                for task in [resource.first()]
            ]
            raise SimulationDeadlock(in_flight, blocked, held)
        if final:
            invariants.check_all_given_back(self._machine.sections)
            self._ledger.check_end()

    def take_records(self) -> IntArray:
        """Hand over the records since the last call; see `Engine.take_records`."""
        return self._ledger.take_records()

    def take_log(self) -> IntArray:
        """Hand over the event log since the last call; see `Engine.take_log`."""
        return self._ledger.take_log()

    def counters(self) -> Counters:
        """Totals up to now, with the elapsed part of what is under way."""
        serving = (server.current for server in self._machine.serving())
        return self._ledger.counters([*serving, *self._delays], self._machine.blocked())

    # -- the main loop is SimPy's; this is what follows every event ------------------------------------------

    def _after_event(self) -> None:
        """Admit, see to it that the instant will be settled, and let the source look again."""
        self._admit_waiting()
        if not self._settle_is_due:
            self._settle_is_due = True
            self._timeline.settle(self._settle)
        self._schedule_arrival()

    def _schedule_arrival(self) -> None:
        """Schedule the next arrival: when it was drawn, now if it was held back, not while it is held."""
        at = None
        if self._source and self._source_may_go():
            at = max(self._source[0].arrival_ns, self._timeline.now)
        if self._arrival is not None:
            if self._arrival.at == at:
                return
            self._arrival.void()
        self._arrival = None if at is None else self._timeline.arrival(at, self._arrive)

    def _source_may_go(self) -> bool:
        """Whether the source may make the next frame."""
        stream = self._streams[self._source[0].stream]
        return not stream.holds_source or (not stream.queue and self._can_admit(stream))

    # -- arrival and admission ---------------------------------------------------------------------------

    def _arrive(self) -> None:
        """Take in the next frame."""
        self._arrival = None
        frame = self._source.popleft()
        stream = self._streams[frame.stream]
        frame.arrival_ns = self._timeline.now
        self._ledger.arrived()
        self._note(EventKind.ARRIVE, frame, place=frame.stream if len(self._streams) > 1 else -1)
        if not stream.queue and self._can_admit(stream):
            self._admit(frame)
        elif len(stream.queue) < stream.queue_capacity:
            stream.queue.append(frame)
        elif stream.queue_full is WhenFull.DROP_OLDEST and stream.queue:
            self._lose(stream.queue.popleft(), Status.DROPPED)
            stream.queue.append(frame)
        else:
            self._lose(frame, Status.DROPPED)
        self._after_event()

    def _can_admit(self, stream: Stream) -> bool:
        """Whether a frame of ``stream`` may enter now."""
        return (
            stream.in_flight < stream.in_flight_limit
            and stream.gate_is_open
            and (self._stage_full is not WhenFull.BLOCK or self._machine.has_room(stream.nodes[0]))
        )

    def _admit_waiting(self) -> bool:
        """Admit waiting frames while that is possible; whether there was one."""
        admitted = False
        while stream := next((s for s in self._by_priority if s.queue and self._can_admit(s)), None):
            self._admit(stream.queue.popleft())
            admitted = True
        return admitted

    def _admit(self, frame: Frame) -> None:
        """Let ``frame`` enter."""
        stream = self._streams[frame.stream]
        self._note(EventKind.ADMIT, frame)
        stream.in_flight += 1
        stream.last_admitted = frame
        frame.enter(stream.nodes, stream.exits)
        if stream.bucket is not None:
            stream.bucket.fill(self._timeline.now, stream.bucket.per_frame)
        if stream.has_levels:
            frame.last = stream.level_last
        else:
            frame.confident = None
        if stream.has_levels and not stream.level_at_exit:
            self._read_level(frame)
        self._release(frame.tasks[0])

    def _read_level(self, frame: Frame) -> None:
        """Give ``frame`` the level that its stream is at now."""
        stream = self._streams[frame.stream]
        if stream.read_level():
            self._note(EventKind.LEVEL, frame, place=stream.level)
        frame.level = stream.level

    # -- release -----------------------------------------------------------------------------------------

    def _release(self, task: Task) -> None:
        """Let a task that misses nothing wait for its resource, or start if it is a pure delay.

        Where a full resource blocks, it is the caller who looks for room: not every caller can be held back.
        """
        frame, node = task.frame, task.node
        if node.resource == PURE_DELAY:
            self._start_delay(task)
            return
        resource = self._machine.resources[node.resource]
        while self._stage_full is not WhenFull.BLOCK and not resource.has_room(node):
            victim = self._victim(task, resource)
            self._drop(victim, resource)
            if victim is frame:
                return
        self._note(EventKind.READY, frame, node.number, resource.number)
        oldest_first = self._dispatch is Dispatch.OLDEST_FRAME
        number = frame.number * self._n_nodes + node.rank if oldest_first else self._ready_rows
        task.key = (self._streams[frame.stream].priority, number)
        self._ready_rows += 1
        task.ready_ns = self._timeline.now
        task.phase = Phase.WAITING
        resource.add(task)

    def _victim(self, task: Task, resource: Resource) -> Frame:
        """Choose the frame that is dropped because ``task`` finds ``resource`` full."""
        if self._stage_full is WhenFull.DROP_OLDEST and resource.waiting:
            return resource.first().frame
        return task.frame

    def _start_delay(self, task: Task) -> None:
        """Start a task that occupies nothing."""
        task.begin(self._timeline.now, state=0)
        self._note(EventKind.START, task.frame, task.node.number)
        self._delays.add(task)
        end = self._timeline.now + task.full_speed_ns
        self._timeline.delay_end(end, task.frame.number, task.node.number, partial(self._end_delay, task))

    # -- the end of a task -------------------------------------------------------------------------------

    def _end_delay(self, task: Task) -> None:
        """End a pure delay."""
        self._delays.remove(task)
        task.end(self._timeline.now)
        self._done(task, EventKind.FINISH, None)
        self._after_event()

    def _end_served(self, batch: list[Task], kind: EventKind, server: Server) -> None:
        """End tasks that were served together, one after the other; most often it is one."""
        for place, task in enumerate(batch):
            task.end(self._timeline.now, place, len(batch))
            self._done(task, kind, server)
        self._after_event()

    def _done(self, task: Task, kind: EventKind, server: Server | None) -> None:
        """Do what follows from the end of ``task``, which leaves ``server`` idle (None: a pure delay)."""
        frame = task.frame
        self._ledger.served(task)
        self._note(kind, frame, task.node.number, -1 if server is None else server.number)
        self._machine.give_back(task)
        frame.gate_left -= task.node.gate
        if not frame.closed:
            frame.done += 1
            if task.node.exit >= 0:
                self._complete_exit(task)
            elif task.node.detects:
                self._answer_again_if_known(task)
        if not frame.closed:
            self._release_successors(task, server)
        self._leave_if_through(frame)

    def _complete_exit(self, task: Task) -> None:
        """Count ``task`` towards its exit; if that has its output now, see whether the frame answers."""
        frame, exit_ = task.frame, task.node.exit
        stream = self._streams[frame.stream]
        frame.exit_done[exit_] += 1
        if frame.exit_done[exit_] < stream.exit_need[exit_]:
            return
        self._note(EventKind.EXIT, frame, task.node.number, exit_)
        if task.node.detects:
            self._answer_again_if_known(task)
        if frame.answer < 0 and not frame.closed:
            if stream.has_levels and stream.level_at_exit:
                self._read_level(frame)
            can_pay = partial(self._can_pay, stream)
            answer = frame.decide(exit_, stream.exit_need, can_pay, first_confident=stream.first_confident)
            if answer >= 0:
                self._answer(task, answer)
            elif frame.hopeless:
                self._lose(frame, Status.GIVEN_UP)
                self._close(frame)

    def _can_pay(self, stream: Stream, exit_: int) -> bool:
        """Take what it costs to decline an exit out of the stream's bucket, if it has one; False if it cannot."""
        return stream.bucket is None or stream.bucket.can_pay(self._timeline.now, stream.exit_cost[exit_])

    def _answer_again_if_known(self, task: Task) -> None:
        """Let the frame have the answer of its stream's reference if it is taken to show the same."""
        frame = task.frame
        stream = self._streams[frame.stream]
        reference = stream.reference
        if frame.answer >= 0 or reference is None or not stream.takes_for_known(frame):
            return
        stream.reused += 1
        # What was done up to here was needed, as for a frame that answers at the first exit after it.
        frame.answer = task.node.need
        frame.told = reference.answer, reference.level
        frame.basis = Basis.SAME_SCENE if frame.scene == reference.scene else Basis.STALE
        self._note(EventKind.REUSE, frame, task.node.number, reference.number)
        self._note(EventKind.ANSWER, frame, task.node.number, reference.answer)
        self._ledger.answered(frame, task)
        self._close(frame)

    def _answer(self, task: Task, exit_: int) -> None:
        """Let the frame answer from ``exit_`` at the end of ``task``."""
        frame = task.frame
        stream = self._streams[frame.stream]
        invariants.check_answer(frame, exit_, stream.exit_need[exit_])
        frame.answer = exit_
        if frame.basis is Basis.BUDGET:
            self._note(EventKind.FORCE, frame, task.node.number, exit_)
        self._note(EventKind.ANSWER, frame, task.node.number, exit_)
        self._ledger.answered(frame, task)
        stream.learn(frame)
        if stream.cancellation is not Cancellation.NONE:
            self._close(frame)

    def _release_successors(self, task: Task, server: Server | None) -> None:
        """Release what misses nothing any more; a full resource may hold it back and so block ``server``."""
        held_back = False
        for number in task.node.successors:
            successor = task.frame.task(number)
            successor.missing -= 1
            if successor.missing:
                continue
            successor.cause = task
            can_block = self._stage_full is WhenFull.BLOCK and server is not None
            if can_block and not self._machine.has_room(successor.node):
                held_back = True
                continue
            self._release(successor)
            if task.frame.closed:
                return
        if held_back and server is not None:
            self._machine.block(server, task)

    def _leave_if_through(self, frame: Frame) -> None:
        """Let ``frame`` leave if nothing of it is left to run."""
        if frame.left or not frame.is_through():
            return
        invariants.check_leave(frame)
        frame.left = True
        self._streams[frame.stream].in_flight -= 1
        self._note(EventKind.LEAVE, frame)

    # -- drop and close ----------------------------------------------------------------------------------

    def _lose(self, frame: Frame, why: Status, place: int = -1) -> None:
        """Write off a frame that has not answered."""
        invariants.check_drop(frame)
        frame.dropped = True
        frame.status = why
        frame.place = place
        self._note(EventKind.DROP, frame, place=place)
        self._ledger.dropped(frame)

    def _drop(self, frame: Frame, full: Resource) -> None:
        """Drop a frame in flight at a full queue; one that has answered only loses what it has left to do."""
        if frame.answer < 0:
            self._lose(frame, Status.LOST, full.number)
        self._close(frame)
        self._leave_if_through(frame)

    def _close(self, frame: Frame) -> None:
        """Cancel what has not started; free the servers it blocks and stop what runs, as the rules say."""
        frame.closed = True
        for task in frame.tasks:
            if task.phase is Phase.WAITING:
                self._machine.resources[task.node.resource].remove(task)
                self._note(EventKind.CANCEL, frame, task.node.number, task.node.resource)
            elif task.phase is not Phase.PENDING:
                continue
            task.phase = Phase.CANCELLED
            frame.gate_left -= task.node.gate
        self._machine.let_go(frame)

    # -- settle ------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """End the instant: release what was held back, admit, dispatch, and set the speeds."""
        self._settle_is_due = False
        changed = True
        while changed:
            changed = self._stage_full is WhenFull.BLOCK and self._release_held_back()
            changed |= self._admit_waiting()
            changed |= self._machine.dispatch()
        self._machine.retime()
        invariants.check_settled(self._machine.resources, self._machine.sections, self._timeline.now)
        self._schedule_arrival()

    def _release_held_back(self) -> bool:
        """Release what found no room before and does now; whether anything changed."""
        changed = False
        for server in self._machine.blocked():
            task = server.current
            held_back = False
            for number in task.node.successors:
                successor = task.frame.task(number)
                if successor.missing or successor.phase is not Phase.PENDING:
                    continue
                if self._machine.has_room(successor.node):
                    self._release(successor)
                    changed = True
                else:
                    held_back = True
            if not held_back:
                self._machine.unblock(server)
                changed = True
        return changed
