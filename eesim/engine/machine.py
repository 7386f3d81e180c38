"""The machine that the reference engine runs tasks on.

It starts, times, stops and blocks; what is released, when and why, the engine decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from eesim.engine import invariants
from eesim.engine.frames import Frame, Node, Task
from eesim.engine.ledger import Ledger
from eesim.engine.servers import Mode, Resource, Section, Server, read_resources, read_sections
from eesim.engine.timeline import Timeline
from eesim.plan.plan import KEEP_STATE, PURE_DELAY, Cancellation, EventKind, Plan


class Machine:
    """The resources of a plan at work.

    Parameters
    ----------
    plan
        Its resources, sections, speeds and cancellation rules are used.
    timeline, ledger
        Where finishes are scheduled and events are logged.
    on_end
        Called at the end of tasks that were served together (most often one) with them, FINISH or ABORT, and the
        server, idle by then.
    on_wait_end
        Called when a resource has waited long enough for a larger batch.
    """

    def __init__(
        self,
        plan: Plan,
        timeline: Timeline,
        ledger: Ledger,
        on_end: Callable[[list[Task], EventKind, Server], None],
        on_wait_end: Callable[[], None],
    ) -> None:
        self.resources = read_resources(plan)
        self.servers = tuple(server for resource in self.resources for server in resource.servers)
        self.sections = read_sections(plan)
        self._speed_ppm: list[list[int]] = plan.speed_ppm.tolist()
        self._cancellation = [Cancellation(rule) for rule in plan.cancellation.tolist()]
        self._timeline = timeline
        self._note = ledger.note
        self._ledger = ledger
        self._on_end = on_end
        self._on_wait_end = on_wait_end

    def has_room(self, node: Node) -> bool:
        """Whether one more task of ``node`` may wait; a pure delay never has to."""
        return node.resource == PURE_DELAY or self.resources[node.resource].has_room(node)

    def blocked(self) -> Iterator[Server]:
        """Go over the servers that are blocked, in order."""
        return (server for server in self.servers if server.mode is Mode.BLOCKED)

    def serving(self) -> Iterator[Server]:
        """Go over the servers that serve, in order."""
        return (server for server in self.servers if server.mode is Mode.SERVING)

    def is_held(self, resource: Resource) -> bool:
        """Whether the task that is served next, if any, waits for a place in a section, and all others behind it."""
        if not resource.waiting:
            return False
        section = resource.first().node.enter
        return section >= 0 and not self.sections[section].has_place()

    def held(self) -> Iterator[tuple[Resource, Section]]:
        """Go over the resources that could serve if a section had a place for their first task, and that section."""
        return (
            (resource, self.sections[resource.first().node.enter])
            for resource in self.resources
            if resource.is_ready() and self.is_held(resource)
        )

    def give_back(self, task: Task) -> None:
        """Take back the place that the frame of ``task``, which is done, held in a section that it leaves."""
        if task.node.leave >= 0:
            section = self.sections[task.node.leave]
            invariants.check_give_back(section, task.frame)
            section.inside.remove(task.frame)

    def dispatch(self) -> bool:
        """Start waiting tasks on idle servers; whether there was one."""
        changed = False
        for resource in self.resources:
            self._forget_wait(resource)
            while resource.waiting and not self._must_yield(resource) and not self.is_held(resource):
                server = resource.idle_server()
                if server is None or self._gathers(resource, server):
                    break
                self._start(resource, server)
                changed = True
        return changed

    def retime(self) -> None:
        """Give every serving server the speed that the set of busy resources allows it."""
        mask = sum(resource.bit for resource in self.resources if resource.is_serving())
        for server in self.serving():
            speed = self._speed_ppm[mask][server.resource]
            if server.speed != speed:
                server.work_until(self._timeline.now)
                server.speed = speed
                self._schedule_finish(server)

    def block(self, server: Server, task: Task) -> None:
        """Block ``server``: a successor of ``task``, which it has just done, finds no room."""
        server.mode = Mode.BLOCKED
        server.task = task
        server.blocked_since = self._timeline.now
        self._note(EventKind.BLOCK, task.frame, task.node.number, server.number)

    def unblock(self, server: Server) -> None:
        """Make a blocked server idle."""
        task = server.current
        self._ledger.blocked_ns[server.resource] += self._timeline.now - server.blocked_since
        self._note(EventKind.UNBLOCK, task.frame, task.node.number, server.number)
        server.rest()

    def let_go(self, frame: Frame) -> None:
        """Unblock the servers that ``frame`` blocks and, if the rules say so, stop those that serve it."""
        rule = self._cancellation[frame.stream]
        for server in self.servers:
            if server.task is None or server.task.frame is not frame:
                continue
            if server.mode is Mode.BLOCKED:
                self.unblock(server)
            elif rule in (Cancellation.RUNNING_AT_KERNEL, Cancellation.RUNNING_AT_ONCE):
                # A frame is closed only once, so nothing here is already stopping.
                at_kernel = rule is Cancellation.RUNNING_AT_KERNEL
                if server.stop(self._timeline.now, at_kernel=at_kernel):
                    self._schedule_finish(server)

    def _must_yield(self, resource: Resource) -> bool:
        """Whether another member of its exclusive group is active or comes first, even if a section holds that up."""
        return resource.group >= 0 and any(
            other.is_serving() or (other.is_ready() and other.lowest_key() < resource.lowest_key())
            for other in self.resources
            if other is not resource and other.group == resource.group
        )

    def _gathers(self, resource: Resource, server: Server) -> bool:
        """Whether the idle ``server`` waits for a larger batch; then the end of that wait is scheduled."""
        end = resource.gathers_until()
        if self._timeline.now >= end:
            return False
        server.finish = self._timeline.finish(end, server.number, partial(self._end_wait, server))
        return True

    def _forget_wait(self, resource: Resource) -> None:
        """Take back the end of a wait: what it was for may have gone, or begin now."""
        for server in resource.servers:
            if server.mode is Mode.IDLE and server.finish is not None:
                server.finish.void()
                server.finish = None

    def _end_wait(self, server: Server) -> None:
        """Let what waits at an idle ``server`` start when the instant is settled."""
        server.finish = None
        self._on_wait_end()

    def _start(self, resource: Resource, server: Server) -> None:
        """Start the task with the lowest key and its batch; the retiming that follows sets their speed and finish."""
        now = self._timeline.now
        invariants.check_start(server, now)
        batch = resource.first_batch()
        node = batch[0].node
        noise = max(task.noise for task in batch)
        for task in batch:
            resource.remove(task)
            task.begin(now, resource.state, len(batch), noise)
            self._note(EventKind.START, task.frame, node.number, server.number)
        if node.enter >= 0:
            section = self.sections[node.enter]
            section.inside.append(batch[0].frame)
            invariants.check_inside(section)
        if node.state != KEEP_STATE:
            resource.state = node.state
        server.start(batch, now)
        invariants.check_batch(server)
        if node.batch > 1:
            self._ledger.batches[resource.number] += 1
            self._ledger.batched[resource.number] += len(batch)

    def _schedule_finish(self, server: Server) -> None:
        """Schedule the finish on ``server`` anew."""
        if server.finish is not None:
            server.finish.void()
        server.finish = self._timeline.finish(server.due(), server.number, partial(self._finish, server))

    def _finish(self, server: Server) -> None:
        """Free ``server`` because its task finishes or stops."""
        now = self._timeline.now
        task, batch = server.current, server.batch
        kind = EventKind.ABORT if server.stopped_short else EventKind.FINISH
        server.work_until(now)
        server.busy_ns += now - task.start_ns
        server.last_end = now
        invariants.check_service(server, task, now)
        server.rest()
        self._on_end(batch, kind, server)
