/* A program's state as JSON. Durations are given by their buckets, so that who reads twice can tell what happened in
 * between. */
#include "process/state.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include <jansson.h>

#include <lido/version.h>

#include "base/clock.h"

/* Where memory runs out, the parts made of it are NULL, and so is what they were to be part of: who reads would take
 * what is missing for 0. */

static json_t *with_member(json_t *object, const char *name, json_t *value) {
    if (json_object_set_new(object, name, value) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *with_entry(json_t *array, json_t *value) {
    if (json_array_append_new(array, value) == 0)
        return array;
    json_decref(array);
    return NULL;
}

typedef struct named_index {
    const char *name;
    unsigned index;
} named_index;

static const named_index counts[] = {{"reads", LIDO__COUNT_READS},     {"writes", LIDO__COUNT_WRITES},
                                     {"others", LIDO__COUNT_OTHERS},   {"failed", LIDO__COUNT_FAILED},
                                     {"at_once", LIDO__COUNT_AT_ONCE}, {"committed", LIDO__COUNT_COMMITTED},
                                     {"unknown", LIDO__COUNT_UNKNOWN}, {"rolled_back", LIDO__COUNT_ROLLED_BACK}};

static const named_index events[] = {{"retried", LIDO__COUNT_RETRIED},
                                     {"timeouts", LIDO__COUNT_TIMEOUTS},
                                     {"failed_connects", LIDO__COUNT_FAILED_CONNECTS},
                                     {"recycled", LIDO__COUNT_RECYCLED},
                                     {"invalidated", LIDO__COUNT_INVALIDATED},
                                     {"lane_statements", LIDO__COUNT_LANE_STATEMENTS},
                                     {"lane_batches", LIDO__COUNT_LANE_BATCHES},
                                     {"lane_reruns", LIDO__COUNT_LANE_RERUNS}};

static const named_index durations[] = {
    {"read", LIDO__DURATION_READ},     {"write", LIDO__DURATION_WRITE}, {"other", LIDO__DURATION_OTHER},
    {"commit", LIDO__DURATION_COMMIT}, {"wait", LIDO__DURATION_WAIT},   {"turn", LIDO__DURATION_TURN},
    {"busy", LIDO__DURATION_BUSY},     {"use", LIDO__DURATION_USE},     {"connect", LIDO__DURATION_CONNECT}};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- A pool ---- */

static json_t *counts_json(const lido__metrics_reading *read) {
    json_t *object = json_object();
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        object = with_member(object, counts[i].name, json_integer((json_int_t)read->counts[counts[i].index]));
    for (size_t i = 0; i < COUNT_OF(events); i++)
        object = with_member(object, events[i].name, json_integer((json_int_t)read->events[events[i].index]));
    return object;
}

/* [[more than so many ns, and up to so many, how often], …]; what is longer than all bounds has -1. */
static json_t *buckets_json(const lido__durations *read) {
    json_t *array = json_array();
    for (size_t i = 0; i < LIDO__HISTOGRAM_BUCKETS; i++) {
        uint64_t bound = lido__histogram_bound(i);
        if (read->buckets[i] > 0)
            array = with_entry(array,
                               json_pack("[I, I, I]", i > 0 ? (json_int_t)lido__histogram_bound(i - 1) : 0,
                                         bound != UINT64_MAX ? (json_int_t)bound : -1, (json_int_t)read->buckets[i]));
    }
    return array;
}

static json_t *durations_json(const lido__metrics_reading *read) {
    json_t *object = json_object();
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        const lido__durations *of = &read->durations[durations[i].index];
        object = with_member(object, durations[i].name,
                             json_pack("{s:I, s:I, s:o}", "sum_ns", (json_int_t)of->sum_ns, "longest_ns",
                                       (json_int_t)of->longest_ns, "buckets", buckets_json(of)));
    }
    return object;
}

/* Texts of programs may be cut, or in any encoding. */
static json_t *text_json(const char *text) {
    json_t *string = json_string(text);
    if (string != NULL)
        return string;
    lido__buffer plain = LIDO__BUFFER_INIT;
    for (; *text != '\0'; text++)
        lido__buffer_char(&plain, (unsigned char)*text < 0x80 ? *text : '?');
    string = plain.out_of_memory ? NULL : json_string(plain.data != NULL ? plain.data : "");
    lido__buffer_done(&plain);
    return string;
}

static json_t *holders_json(const lido__holders *holders) {
    json_t *array = json_array();
    for (size_t i = 0; i < holders->count; i++) {
        const lido__holder_entry *holder = &holders->of[i];
        array = with_entry(array, json_pack("{s:o, s:I, s:I, s:o}", "file", text_json(holder->file), "line",
                                            (json_int_t)holder->line, "age_ms", (json_int_t)(holder->held_us / 1000),
                                            "statement", text_json(holder->statement)));
    }
    return array;
}

static json_t *pool_json(const lido__metrics_source *source) {
    const lido__metrics_reading *read = &source->reading;
    return json_pack("{s:o, s:o, s:s, s:i, s:i, s:o, s:i, s:i, s:i, s:b, s:o, s:o, s:o}", "name",
                     text_json(source->pool), "worker",
                     source->worker != LIDO__NO_WORKER ? json_integer(source->worker) : json_null(), "system",
                     source->type == LIDO__SQLITE ? "sqlite" : "postgresql", "size", source->size, "min_size",
                     source->least, "max", source->most >= 0 ? json_integer(source->most) : json_null(), "idle",
                     read->gauges[LIDO__GAUGE_IDLE], "used", read->gauges[LIDO__GAUGE_USED], "waiting",
                     read->gauges[LIDO__GAUGE_WAITING], "down", read->gauges[LIDO__GAUGE_DOWN] > 0, "counts",
                     counts_json(read), "durations", durations_json(read), "holders", holders_json(&read->holders));
}

/* ---- Statements ---- */

static json_t *statement_json(const char *pool, const lido_statement_stats *statement) {
    return json_pack("{s:o, s:s, s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "pool", text_json(pool), "kind",
                     lido_statement_kind_name(statement->kind), "fingerprint",
                     json_sprintf("%016" PRIx64, statement->fingerprint), "count", (json_int_t)statement->count,
                     "failed", (json_int_t)statement->failed, "total_us", statement->total_us, "p50_us",
                     statement->took.p50_us, "p90_us", statement->took.p90_us, "p99_us", statement->took.p99_us,
                     "longest_us", statement->took.longest_us, "text", text_json(statement->text));
}

static json_t *statements_json(const lido__collection *collection) {
    json_t *array = json_array();
    for (size_t i = 0; i < collection->statement_count; i++) {
        const lido__collected_statements *from = &collection->statements[i];
        for (size_t j = 0; j < from->count; j++)
            array = with_entry(array, statement_json(from->pool, &from->of[j]));
    }
    return array;
}

/* ---- The whole ---- */

static json_t *workers_json(const lido__state *state) {
    json_t *array = json_array();
    for (size_t i = 0; i < state->worker_count; i++) {
        const lido__worker_state *worker = &state->workers[i];
        array = with_entry(array,
                           json_pack("{s:i, s:i, s:s, s:I, s:i, s:i}", "number", worker->number, "process",
                                     (int)worker->process, "state", worker->state, "age_ms", (json_int_t)worker->age_ms,
                                     "restarts", worker->restarts, "deaths", worker->deaths));
    }
    return array;
}

static json_t *pools_json(const lido__collection *collection) {
    json_t *array = json_array();
    for (size_t i = 0; i < collection->count; i++)
        array = with_entry(array, pool_json(&collection->sources[i]));
    return array;
}

static int append(const char *text, size_t size, void *user) {
    lido__buffer_append(user, text, size);
    return 0;
}

bool lido__state_write(const lido__state *state, lido__buffer *out) {
    int64_t now = lido__clock_now_us();
    json_t *object = json_pack("{s:i, s:s, s:o, s:i, s:I, s:o, s:o, s:o}", "lido_state", LIDO__STATE_VERSION, "version",
                               lido_version(), "program", text_json(program_invocation_short_name), "process",
                               (int)getpid(), "now_us", (json_int_t)now, "workers", workers_json(state), "pools",
                               pools_json(state->collection), "statements", statements_json(state->collection));
    if (object == NULL)
        return false;
    int dumped = json_dump_callback(object, append, out, JSON_COMPACT);
    lido__buffer_char(out, '\n');
    json_decref(object);
    return dumped == 0 && !out->out_of_memory;
}
