/* The event loop of docs/semantics.md, section 4, in plain single-threaded C: the yardstick for the compiled engine.
 *
 * It keeps its state in structs that point at each other, as one writes C, not in the compiled engine's flat memory.
 * It does the same work for every frame: release, dispatch, retiming under contention, exit decision, cancellation,
 * the exact split of the latency, busy and wasted time. What the benchmark does not use is left out, and plans that
 * ask for it are refused (UNSUPPORTED), so that nothing else is ever timed by mistake.
 *
 * Build: cc -O3 -march=native -shared -fPIC -o engine.so engine.c
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { FULL_SPEED = 1000000, KEEP_STATE = -1 };
enum { CANCEL_NOTHING = 0, CANCEL_QUEUED = 1 };
enum { OLDEST_FRAME = 0, FIFO = 1 };
enum { SEGMENT = 0, TRANSFER = 1 };
enum { ANSWERED = 0 };
enum { OK = 0, UNSUPPORTED = 1, NO_MEMORY = 2, STUCK = 3 };
enum { FIRST_FRAMES = 16, MAX_BLOCKS = 3 * 64 }; /* memory doubles each time, with three blocks */

#define UNBOUNDED INT64_MAX
#define NEVER INT64_MAX

/* The arrays of one `Plan`, as they are; the caller fills them in by name, in this order. */
typedef struct Plan {
    int64_t n_nodes, n_exits, n_resources, n_servers, n_states;
    const int64_t *node_kind, *node_resource, *node_rank, *node_missing, *node_exit, *node_need, *node_gate;
    const int64_t *node_state, *node_work_ns, *succ_ptr, *succ, *exit_need;
    const int64_t *server_resource, *resource_group, *resource_bit, *resource_state, *speed_ppm, *stage_capacity;
    int64_t queue_capacity, frames_in_flight, dispatch, cancellation, first_confident;
} Plan;

typedef struct Record {
    int64_t frame, arrival_ns, finish_ns, exit, status, queueing_ns, service_ns, transfer_ns;
    int64_t stream, level; /* one stream without levels: both are 0 */
    int64_t place, basis;  /* no frame is lost, none gets the answer of another */
} Record;

typedef enum Status { WAITING, READY, RUNNING, DONE, CANCELLED } Status;

typedef struct Node {
    int64_t number, kind, rank, missing, exit, need, gate, state;
    struct Resource *resource;
    const int64_t *succ, *succ_end;
    const int64_t *work_ns; /* per state */
    int64_t *busy_ns;       /* per state */
    int64_t wasted_ns;
} Node;

typedef struct Task {
    struct Frame *frame;
    Node *node;
    struct Task *cause;
    Status status;
    int64_t missing, start, end, nominal, found;
    int64_t place; /* in the heap of its resource */
} Task;

typedef struct Frame {
    int64_t number, arrival, draw;
    int64_t next_exit, answered_at;
    int64_t running, left;
    bool answered, closed;
    Task *tasks;
    int64_t *exit_left;
    struct Frame *next_free;
} Frame;

typedef struct Entry {
    int64_t key;
    Task *task;
} Entry;

typedef struct Server {
    struct Resource *resource;
    Task *task; /* NULL: idle */
    int64_t finish, remaining, since, speed;
} Server;

typedef struct Resource {
    int64_t number, bit, state;
    int64_t idle, busy, waiting;
    int64_t nodes; /* so many tasks of one frame can wait here */
    Entry *heap;
    Server *servers;
} Resource;

typedef struct Run {
    const Plan *plan;
    Node *nodes;
    Resource *resources;
    Server *servers;
    Frame *free;
    Frame *gate_frame;
    int64_t gate_left, gate_nodes;
    int64_t now, mask, mask_used;
    int64_t in_flight, n_frames, ready_count;
    int64_t arrived, admitted; /* frames in between wait to be admitted: the queue, as none is ever dropped */
    const int64_t *arrival, *draw;
    Record *next_record;
    bool dirty, retime, no_memory;
    void *blocks[MAX_BLOCKS];
    int64_t n_blocks;
} Run;

/* -- indexed binary heaps ------------------------------------------------------------------------------------ */

static inline void set_entry(Entry *heap, int64_t place, Entry entry)
{
    heap[place] = entry;
    entry.task->place = place;
}

static void heap_rise(Entry *heap, int64_t place, Entry entry)
{
    while (place > 0) {
        int64_t parent = (place - 1) / 2;
        if (heap[parent].key < entry.key)
            break;
        set_entry(heap, place, heap[parent]);
        place = parent;
    }
    set_entry(heap, place, entry);
}

static void heap_push(Resource *resource, int64_t key, Task *task)
{
    heap_rise(resource->heap, resource->waiting++, (Entry){key, task});
}

static void heap_remove(Resource *resource, int64_t place)
{
    Entry *heap = resource->heap;
    int64_t last = --resource->waiting;
    if (place == last)
        return;
    Entry entry = heap[last];
    if (place > 0 && entry.key < heap[(place - 1) / 2].key) {
        heap_rise(heap, place, entry);
        return;
    }
    for (int64_t child; (child = 2 * place + 1) < last; place = child) {
        if (child + 1 < last && heap[child + 1].key < heap[child].key)
            child++;
        if (entry.key < heap[child].key)
            break;
        set_entry(heap, place, heap[child]);
    }
    set_entry(heap, place, entry);
}

/* -- memory of frames in flight: grows when more are in flight than ever before --------------------------------- */

static void *add_block(Run *run, int64_t count, size_t size)
{
    return run->blocks[run->n_blocks++] = calloc(count, size);
}

static bool add_frames(Run *run, int64_t count)
{
    const Plan *plan = run->plan;
    Frame *frames = add_block(run, count, sizeof *frames);
    Task *tasks = add_block(run, count * plan->n_nodes, sizeof *tasks);
    int64_t *exit_left = add_block(run, count * plan->n_exits, sizeof *exit_left);
    if (!frames || !tasks || !exit_left)
        return false;
    for (int64_t i = count - 1; i >= 0; i--) {
        Frame *frame = &frames[i];
        frame->tasks = &tasks[i * plan->n_nodes];
        frame->exit_left = &exit_left[i * plan->n_exits];
        for (int64_t n = 0; n < plan->n_nodes; n++) {
            frame->tasks[n].frame = frame;
            frame->tasks[n].node = &run->nodes[n];
        }
        frame->next_free = run->free;
        run->free = frame;
    }
    run->n_frames += count;
    for (int64_t r = 0; r < plan->n_resources; r++) {
        Resource *resource = &run->resources[r];
        Entry *heap = realloc(resource->heap, (run->n_frames * resource->nodes + 1) * sizeof *heap);
        if (!heap)
            return false;
        resource->heap = heap;
    }
    return true;
}

/* -- frames come and go ---------------------------------------------------------------------------------------- */

static void release(Run *run, Task *task)
{
    Node *node = task->node;
    int64_t key = run->plan->dispatch == FIFO ? run->ready_count++
                                              : task->frame->number * run->plan->n_nodes + node->rank;
    task->status = READY;
    heap_push(node->resource, key, task);
}

static bool can_admit(const Run *run)
{
    return run->in_flight < run->plan->frames_in_flight && run->gate_left == 0;
}

static void admit(Run *run)
{
    const Plan *plan = run->plan;
    if (!run->free && !add_frames(run, run->n_frames)) {
        run->no_memory = true;
        return;
    }
    Frame *frame = run->free;
    run->free = frame->next_free;
    frame->number = run->admitted++;
    frame->arrival = run->arrival[frame->number];
    frame->draw = run->draw[frame->number];
    frame->next_exit = 0;
    frame->running = 0;
    frame->left = plan->n_nodes;
    frame->answered = frame->closed = false;
    for (int64_t e = 0; e < plan->n_exits; e++)
        frame->exit_left[e] = plan->exit_need[e];
    for (int64_t n = 0; n < plan->n_nodes; n++) {
        frame->tasks[n].status = WAITING;
        frame->tasks[n].missing = run->nodes[n].missing;
    }
    frame->tasks[0].cause = NULL;
    run->in_flight++;
    run->gate_frame = frame;
    run->gate_left = run->gate_nodes;
    release(run, &frame->tasks[0]);
}

static void admit_pending(Run *run)
{
    while (run->admitted < run->arrived && can_admit(run) && !run->no_memory)
        admit(run);
}

static void leave(Run *run, Frame *frame)
{
    run->in_flight--;
    frame->next_free = run->free;
    run->free = frame;
}

static void count_for_gate(Run *run, const Task *task)
{
    if (run->gate_frame == task->frame)
        run->gate_left -= task->node->gate;
}

static void close_frame(Run *run, Frame *frame)
{
    for (Task *task = frame->tasks, *end = task + run->plan->n_nodes; task < end; task++) {
        if (task->status > READY)
            continue;
        if (task->status == READY)
            heap_remove(task->node->resource, task->place);
        task->status = CANCELLED;
        count_for_gate(run, task);
    }
    frame->closed = true;
}

/* -- a task is done -------------------------------------------------------------------------------------------- */

static void answer(Run *run, Task *task, int64_t reached)
{
    Frame *frame = task->frame;
    for (Task *other = frame->tasks, *end = other + run->plan->n_nodes; other < end; other++)
        if (other->status == DONE && other->node->need > reached)
            other->node->wasted_ns += other->end - other->start;
    frame->answered = true;
    frame->answered_at = reached;
    int64_t queueing = 0, nominal[] = {0, 0};
    for (; task; task = task->cause) {
        nominal[task->node->kind] += task->nominal;
        queueing += task->start - (task->cause ? task->cause->end : frame->arrival);
    }
    *run->next_record++ = (Record){
        .frame = frame->number, .arrival_ns = frame->arrival, .finish_ns = run->now, .exit = reached,
        .status = ANSWERED, .queueing_ns = queueing, .service_ns = nominal[SEGMENT], .transfer_ns = nominal[TRANSFER],
        .place = -1,
    };
    if (run->plan->cancellation != CANCEL_NOTHING)
        close_frame(run, frame);
}

static void decide(Run *run, Task *task)
{
    Frame *frame = task->frame;
    for (; frame->next_exit < run->plan->n_exits && frame->exit_left[frame->next_exit] == 0; frame->next_exit++) {
        if (frame->next_exit == frame->draw) {
            answer(run, task, frame->draw);
            return;
        }
    }
}

static void release_followers(Run *run, Task *task)
{
    for (const int64_t *succ = task->node->succ; succ < task->node->succ_end; succ++) {
        Task *follower = &task->frame->tasks[*succ];
        if (--follower->missing == 0) {
            follower->cause = task;
            release(run, follower);
        }
    }
}

static void done(Run *run, Task *task)
{
    Frame *frame = task->frame;
    Node *node = task->node;
    int64_t service = run->now - task->start;
    node->busy_ns[task->found] += service;
    task->end = run->now;
    frame->running--;
    if (frame->answered && node->need > frame->answered_at)
        node->wasted_ns += service;
    count_for_gate(run, task);
    if (!frame->closed) {
        task->status = DONE;
        frame->left--;
        if (node->exit >= 0 && --frame->exit_left[node->exit] == 0 && !frame->answered)
            decide(run, task);
    }
    if (!frame->closed) {
        release_followers(run, task);
        if (frame->left == 0)
            leave(run, frame);
    } else if (frame->running == 0) {
        leave(run, frame);
    }
}

static void finish(Run *run, Server *server)
{
    Resource *resource = server->resource;
    Task *task = server->task;
    server->task = NULL;
    server->finish = NEVER;
    resource->idle++;
    if (--resource->busy == 0)
        run->mask -= resource->bit;
    done(run, task);
}

/* -- the end of an instant ------------------------------------------------------------------------------------- */

static void start(Run *run, Resource *resource)
{
    Server *server = resource->servers;
    while (server->task)
        server++;
    Task *task = resource->heap[0].task;
    heap_remove(resource, 0);
    int64_t work = task->node->work_ns[resource->state] * FULL_SPEED;
    task->status = RUNNING;
    task->start = run->now;
    task->nominal = (work + FULL_SPEED - 1) / FULL_SPEED;
    task->found = resource->state;
    task->frame->running++;
    if (task->node->state != KEEP_STATE)
        resource->state = task->node->state;
    server->task = task;
    server->remaining = work;
    server->since = run->now;
    server->speed = 0;
    resource->idle--;
    if (resource->busy++ == 0)
        run->mask += resource->bit;
    run->retime = true;
}

static void retime(Run *run)
{
    const int64_t *speeds = run->plan->speed_ppm + run->mask * run->plan->n_resources;
    for (Server *server = run->servers, *end = server + run->plan->n_servers; server < end; server++) {
        int64_t speed = speeds[server->resource->number];
        if (!server->task || server->speed == speed)
            continue;
        server->remaining -= (run->now - server->since) * server->speed;
        server->since = run->now;
        server->speed = speed;
        server->finish = run->now + (server->remaining + speed - 1) / speed;
    }
    run->mask_used = run->mask;
    run->retime = false;
}

static void settle(Run *run)
{
    for (Resource *r = run->resources, *end = r + run->plan->n_resources; r < end; r++)
        while (r->waiting && r->idle)
            start(run, r);
    if (run->retime || run->mask != run->mask_used)
        retime(run);
    run->dirty = false;
}

static int64_t simulate(Run *run, int64_t n_frames)
{
    Server *end = run->servers + run->plan->n_servers;
    for (;;) {
        int64_t t = NEVER;
        Server *first = NULL;
        for (Server *server = run->servers; server < end; server++) {
            if (server->finish < t) {
                t = server->finish;
                first = server;
            }
        }
        bool is_arrival = run->arrived < n_frames && run->arrival[run->arrived] < t;
        if (is_arrival)
            t = run->arrival[run->arrived];
        if (run->dirty && t > run->now) {
            settle(run);
            continue;
        }
        if (t == NEVER)
            return run->in_flight == 0 && run->admitted == n_frames ? OK : STUCK;
        run->now = t;
        run->dirty = true;
        if (is_arrival)
            run->arrived++;
        else
            finish(run, first);
        admit_pending(run);
        if (run->no_memory)
            return NO_MEMORY;
    }
}

/* -- before and after ------------------------------------------------------------------------------------------ */

static bool is_supported(const Plan *plan)
{
    bool ok = plan->queue_capacity == UNBOUNDED && !plan->first_confident;
    ok = ok && (plan->cancellation == CANCEL_NOTHING || plan->cancellation == CANCEL_QUEUED);
    ok = ok && (plan->dispatch == OLDEST_FRAME || plan->dispatch == FIFO);
    for (int64_t r = 0; r < plan->n_resources; r++)
        ok = ok && plan->resource_group[r] < 0 && plan->stage_capacity[r] == UNBOUNDED;
    for (int64_t n = 0; n < plan->n_nodes; n++)
        ok = ok && plan->node_resource[n] >= 0;
    return ok;
}

static void set_up(Run *run, int64_t *busy_ns)
{
    const Plan *plan = run->plan;
    for (int64_t r = 0; r < plan->n_resources; r++)
        run->resources[r] = (Resource){.number = r, .bit = plan->resource_bit[r], .state = plan->resource_state[r]};
    for (int64_t v = plan->n_servers - 1; v >= 0; v--) {
        Resource *resource = &run->resources[plan->server_resource[v]];
        run->servers[v] = (Server){.resource = resource, .finish = NEVER};
        resource->servers = &run->servers[v];
        resource->idle++;
    }
    for (int64_t n = 0; n < plan->n_nodes; n++) {
        Resource *resource = &run->resources[plan->node_resource[n]];
        resource->nodes++;
        run->nodes[n] = (Node){
            .number = n, .kind = plan->node_kind[n], .rank = plan->node_rank[n], .missing = plan->node_missing[n],
            .exit = plan->node_exit[n], .need = plan->node_need[n], .gate = plan->node_gate[n],
            .state = plan->node_state[n], .resource = resource, .succ = plan->succ + plan->succ_ptr[n],
            .succ_end = plan->succ + plan->succ_ptr[n + 1], .work_ns = plan->node_work_ns + n * plan->n_states,
            .busy_ns = busy_ns + n * plan->n_states,
        };
        run->gate_nodes += plan->node_gate[n];
    }
}

/* Simulate all of a stream. `records` holds one row per frame, `busy_ns` (N, V) and `wasted_ns` (N,) begin as zeros.
 * Returns OK, or why there is no result. */
int64_t simulate_stream(const Plan *plan, int64_t n_frames, const int64_t *arrival, const int64_t *draw,
                        Record *records, int64_t *busy_ns, int64_t *wasted_ns, int64_t *now_ns)
{
    if (!is_supported(plan))
        return UNSUPPORTED;
    Node nodes[plan->n_nodes];
    Resource resources[plan->n_resources];
    Server servers[plan->n_servers];
    Run run = {.plan = plan, .nodes = nodes, .resources = resources, .servers = servers,
               .arrival = arrival, .draw = draw, .next_record = records};
    set_up(&run, busy_ns);
    int64_t status = add_frames(&run, FIRST_FRAMES) ? simulate(&run, n_frames) : NO_MEMORY;
    for (int64_t n = 0; n < plan->n_nodes; n++)
        wasted_ns[n] = nodes[n].wasted_ns;
    for (int64_t r = 0; r < plan->n_resources; r++)
        free(resources[r].heap);
    while (run.n_blocks > 0)
        free(run.blocks[--run.n_blocks]);
    *now_ns = run.now;
    return status;
}
