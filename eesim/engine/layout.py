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
GATE_LEFT = 4
GATE_SLOT = 5
MASK = 6
MASK_USED = 7
RETIME = 8
READY_COUNT = 9
FREE_SLOT = 10
N_BLOCKED = 11
LOGGING = 12
N_NODES = 13
N_EXITS = 14
N_RESOURCES = 15
N_SERVERS = 16
NODES = 17
RESOURCES = 18
SERVERS = 19
SPEEDS = 20
EXIT_NEED = 21
EXIT_LEFT = 22
"""Offset of the exits' counts inside a slot."""
PENDING = 23
PENDING_SIZE = 24
PENDING_HEAD = 25
N_PENDING = 26
DELAYS = 27
N_DELAYS = 28
RECORDS = 29
N_RECORDS = 30
LOG = 31
N_LOG = 32
NOISE = 33
NOISE_FIRST = 34
"""Number of the frame in the first row of the noise; the region is absent where `NOISE` is 0."""
N_FREE = 35
N_STATES = 36
MARKED = 37
"""Marks of the present feed that have been reached."""

# -- the plan's rules ------------------------------------------------------------------------------------
STAGE_FULL = 40
QUEUE_CAPACITY = 41
QUEUE_FULL = 42
IN_FLIGHT_LIMIT = 43
DISPATCH = 44
CANCELLATION = 45
FIRST_CONFIDENT = 46
GATE_NODES = 47
RUN_WIDTH = 48

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
NODE_WIDTH = 15

# -- resource --------------------------------------------------------------------------------------------
RES_INDEX = 0
RES_GROUP = 1
RES_BIT = 2
RES_CAPACITY = 3
RES_SERVER = 4
RES_HEAP = 5
RES_WAITING = 6
RES_IDLE = 7
RES_BUSY = 8
RES_STATE = 9
RES_BLOCKED_NS = 10
RES_WIDTH = 11

# -- server ----------------------------------------------------------------------------------------------
SERVER_INDEX = 0
SERVER_RESOURCE = 1
SERVER_TASK = 2
SERVER_FINISH = 3
SERVER_REMAINING = 4
SERVER_SINCE = 5
SERVER_SPEED = 6
SERVER_WORK = 7
SERVER_STOPPED = 8
SERVER_BLOCKED = 9
SERVER_WIDTH = 10

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
SLOT_WIDTH = 11

# -- task --------------------------------------------------------------------------------------------------
TASK_SLOT = 0
TASK_NODE = 1
TASK_STATUS = 2
TASK_MISSING = 3
TASK_CAUSE = 4
TASK_START = 5
TASK_END = 6
TASK_NOMINAL = 7
TASK_FOUND = 8
TASK_KEY = 9
TASK_PLACE = 10
TASK_WIDTH = 11

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
RECORD_WIDTH = 8
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
