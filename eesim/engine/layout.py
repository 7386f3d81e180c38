"""The compiled engine's memory map.

All of a run's state is one flat int64 array, ``m``. An object (node, resource, server, slot, task) is the offset at
which its fields begin, a field is ``m[object + FIELD]``, and a reference is an offset stored in a field; 0 is nobody.
One array keeps the kernels' calls cheap (numba passes each array as seven values and counts its references) and the
machine code small. The arena only ever grows at its end, so offsets stay valid when more frames have to fit.
"""

NOBODY = 0
"""Offset that stands for no object: the run's own fields live there."""

# -- the run: scalars, counts and where the regions begin ------------------------------------------------
NOW = 0
DIRTY = 1
NEXT_FRAME = 2
IN_FLIGHT = 3
"""Frames in flight of all streams."""
N_PENDING = 4
"""Frames of all streams that wait to be admitted."""
MASK = 5
MASK_USED = 6
RETIME = 7
READY_COUNT = 8
N_BLOCKED = 9
LOGGING = 10
N_STREAMS = 11
N_NODES = 12
N_RESOURCES = 13
N_SERVERS = 14
STREAMS = 15
"""Streams lie side by side in the order in which they go, by priority."""
NODES = 16
RESOURCES = 17
SERVERS = 18
SPEEDS = 19
EXIT_NEED = 20
DELAYS = 21
N_DELAYS = 22
RECORDS = 23
N_RECORDS = 24
LOG = 25
N_LOG = 26
NOISE = 27
NOISE_FIRST = 28
"""Number of the frame in the first row of the noise; the region is absent where `NOISE` is 0."""
CONFIDENT = 29
CONFIDENT_FIRST = 30
"""Likewise, of the sets of confident exits at each level."""
CONFIDENT_WIDTH = 31

# -- the rules that all streams share --------------------------------------------------------------------
STAGE_FULL = 32
DISPATCH = 33
SECTIONS = 34
"""Where the free places of the sections are that each node enters and leaves, or `NOBODY`: two fields per node, apart
from the others so that nodes are no larger where the plan has no sections. Then this is 0."""
PLACES = 35
"""Free places of each section, side by side."""
SCENE = 36
SCENE_FIRST = 37
"""Likewise as the noise, of the scenes that frames show."""
EXIT_COST = 38
"""Where the tokens are that declining each exit takes."""

# -- what the totals are read with (see `eesim.engine.kernel_counters`) ------------------------------------
N_STATES = 39
MARKED = 40
"""Marks of the present call of `advance` that have been reached."""
BATCH_WIDTH = 41
"""Numbers of tasks, from 2 on, for which the work of a batch is known."""
RUN_WIDTH = 42

# -- stream: its rules, who waits and who is in flight ---------------------------------------------------
STREAM_INDEX = 0
STREAM_KEY = 1
"""What its priority adds to the keys of its tasks: more than any key without it."""
STREAM_NODES = 2
STREAM_N_NODES = 3
STREAM_FIRST_EXIT = 4
STREAM_END_EXIT = 5
STREAM_EXIT_LEFT = 6
"""Offset inside a slot at which the count of exit 0 would be: the stream's own exits follow one another."""
STREAM_IN_FLIGHT = 7
STREAM_IN_FLIGHT_LIMIT = 8
STREAM_LAST = 9
"""Slot of the frame that was admitted last."""
STREAM_GATE_NODES = 10
STREAM_FREE_SLOT = 11
STREAM_N_FREE = 12
STREAM_PENDING = 13
STREAM_PENDING_SIZE = 14
STREAM_PENDING_HEAD = 15
STREAM_N_PENDING = 16
STREAM_QUEUE_CAPACITY = 17
STREAM_QUEUE_FULL = 18
STREAM_CANCELLATION = 19
STREAM_FIRST_CONFIDENT = 20
STREAM_LEVELS = 21
"""Levels above level 0."""
STREAM_LEVEL = 22
STREAM_LEVEL_UP = 23
STREAM_LEVEL_DOWN = 24
STREAM_LEVEL_AT_EXIT = 25
STREAM_LEVEL_LAST = 26
STREAM_REUSE = 27
"""Frames of a scene that must be answered in a row before others get their answer; 0: none ever do."""
STREAM_REUSE_MOST = 28
STREAM_REUSED = 29
"""Frames in a row that got an answer of another one."""
STREAM_ALIKE = 30
"""Frames in a row that were answered and showed the reference's scene."""
STREAM_KNOWN = 31
"""Number of the reference, the latest frame that was answered by itself, + 1; 0: there is none yet."""
STREAM_KNOWN_SCENE = 32
STREAM_KNOWN_EXIT = 33
STREAM_KNOWN_LEVEL = 34
STREAM_BUCKET = 35
"""Tokens that its bucket holds; 0: it has none."""
STREAM_PER_FRAME = 36
STREAM_PER_NS = 37
STREAM_TOKENS = 38
STREAM_TOKENS_AT = 39
"""Instant at which the tokens were counted."""
STREAM_WIDTH = 40
PRIORITY_SHIFT = 52
"""Keys without priority are below 2^52: so many nodes times frames fit."""

# -- node: what is fixed about each node of a frame's task graph, and its counters -------------------------
NODE_INDEX = 0
NODE_KIND = 1
NODE_RESOURCE = 2
NODE_RANK = 3
NODE_MISSING = 4
NODE_EXIT = 5
NODE_NEED = 6
NODE_GATE = 7
NODE_STATE = 8
NODE_KERNELS = 9
NODE_FOLLOWERS = 10
NODE_FOLLOWERS_END = 11
NODE_WORK = 12
NODE_BUSY = 13
NODE_WASTED = 14
NODE_COMPLETES = 15
"""Whether it completes an exit, detects a scene or leaves a section: what most nodes need not ask twice."""
NODE_BYTES = 16
NODE_DETECTS = 17
NODE_BATCH = 18
"""Tasks of it that are served together at most."""
NODE_BATCH_WORK = 19
NODE_WIDTH = 20

# -- resource --------------------------------------------------------------------------------------------
RES_INDEX = 0
RES_GROUP = 1
"""Exclusive group, or -1. Resources that serve nodes that enter sections always have one, if need be of their own:
whatever can keep a resource from a task is looked at only where there is a group."""
RES_BIT = 2
RES_CAPACITY = 3
RES_SERVER = 4
RES_HEAP = 5
RES_WAITING = 6
RES_IDLE = 7
RES_BUSY = 8
RES_STATE = 9
RES_BLOCKED_NS = 10
RES_MEMORY = 11
"""Bytes for what the tasks read that wait or are served; 0: no limit."""
RES_HELD = 12
"""Bytes that they read."""
RES_BATCHES = 13
"""Whether it serves tasks of any node together; then it has one server."""
RES_WAIT = 14
RES_STARTS = 15
"""Of such a resource, how many batches have begun, and the tasks in them."""
RES_STARTED = 16
RES_WIDTH = 17

# -- server ----------------------------------------------------------------------------------------------
SERVER_INDEX = 0
SERVER_RESOURCE = 1
SERVER_TASK = 2
SERVER_FINISH = 3
"""Of an idle server, the end of a wait for a larger batch."""
SERVER_REMAINING = 4
SERVER_SINCE = 5
SERVER_SPEED = 6
SERVER_WORK = 7
SERVER_STOPPED = 8
SERVER_BLOCKED = 9
SERVER_BATCH = 10
"""Tasks that are served together, `SERVER_TASK` the first of them; 0 on a server that serves each alone."""
SERVER_MEMBERS = 11
"""Where they stand, in order."""
SERVER_WIDTH = 12

# -- slot: one frame in flight, followed by its tasks and by the count of missing nodes of each exit --------
SLOT_FRAME = 0
SLOT_ARRIVAL = 1
SLOT_DRAW = 2
SLOT_NEXT_EXIT = 3
SLOT_ENDED = 4
SLOT_EXIT = 5
SLOT_CLOSED = 6
SLOT_RUNNING = 7
SLOT_LEFT = 8
SLOT_NEXT_FREE = 9
SLOT_USED = 10
SLOT_STREAM = 11
SLOT_GATE_LEFT = 12
SLOT_LEVEL = 13
SLOT_WIDTH = 14

# -- task --------------------------------------------------------------------------------------------------
TASK_SLOT = 0
TASK_NODE = 1
TASK_STATUS = 2
TASK_MISSING = 3
TASK_CAUSE = 4
TASK_START = 5
"""Before it starts, the instant at which it was ready."""
TASK_END = 6
TASK_NOMINAL = 7
TASK_FOUND = 8
TASK_KEY = 9
TASK_PLACE = 10
TASK_SERVICE = 11
"""Its share of the service, once it has ended."""
TASK_WIDTH = 12

WAITING = 0
READY = 1
RUNNING = 2
DONE = 3
CANCELLED = 4

# -- pending frames (a ring), frame records, log rows --------------------------------------------------------
PENDING_FRAME = 0
PENDING_ARRIVAL = 1
PENDING_DRAW = 2
PENDING_WIDTH = 3
RECORD_WIDTH = 12
LOG_WIDTH = 5

# -- what `advance` returns ----------------------------------------------------------------------------------
FED = 0
"""All known frames have arrived."""
FINISHED = 1
"""Nothing is left to do."""
STUCK = 2
"""Frames are left and nothing can happen."""
CRAMPED = 3
"""The next event could need more slots than are free: grow and call again."""
