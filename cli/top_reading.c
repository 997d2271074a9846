/* Taking an application's state apart. What is missing is 0, or "": an older or newer application may know less. */
#include "top_reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <lido/version.h>

enum { STATE_VERSION = 1 };

const char *const top_count_names[TOP_COUNTS] = {"reads",     "writes",          "others",   "failed",
                                                 "committed", "rolled_back",     "unknown",  "retried",
                                                 "timeouts",  "failed_connects", "recycled", "invalidated"};

const char *const top_kind_names[TOP_KINDS] = {"read", "write", "other", "commit", "wait",
                                               "turn", "busy",  "use",   "connect"};

/* ---- JSON ---- */

static int64_t integer_of(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

static int64_t integer_or(const json_t *object, const char *name, int64_t missing) {
    const json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? json_integer_value(value) : missing;
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* ---- Durations ---- */

static void add_bucket(top_durations *to, const top_bucket *bucket) {
    size_t place = to->bucket_count;
    while (place > 0 && to->buckets[place - 1].over_ns > bucket->over_ns)
        place--;
    if (place > 0 && to->buckets[place - 1].over_ns == bucket->over_ns) {
        to->buckets[place - 1].count += bucket->count;
        return;
    }
    if (to->bucket_count == TOP_BUCKETS_MOST)
        return;
    memmove(&to->buckets[place + 1], &to->buckets[place], (to->bucket_count - place) * sizeof *to->buckets);
    to->buckets[place] = *bucket;
    to->bucket_count++;
}

static void add_durations(top_durations *to, const json_t *from) {
    size_t index;
    const json_t *entry;
    int64_t longest = integer_of(from, "longest_ns");
    to->sum_ns += integer_of(from, "sum_ns");
    to->longest_ns = longest > to->longest_ns ? longest : to->longest_ns;
    json_array_foreach(json_object_get(from, "buckets"), index, entry) {
        const top_bucket bucket = {.over_ns = json_integer_value(json_array_get(entry, 0)),
                                   .to_ns = json_integer_value(json_array_get(entry, 1)),
                                   .count = json_integer_value(json_array_get(entry, 2))};
        if (bucket.count > 0)
            add_bucket(to, &bucket);
    }
}

int64_t top_durations_count(const top_durations *of) {
    int64_t count = 0;
    for (size_t i = 0; i < of->bucket_count; i++)
        count += of->buckets[i].count;
    return count;
}

/* The end of the last bucket that is left, unless that has the longest of all. */
static void shorten_longest(top_durations *of) {
    size_t last = of->bucket_count;
    while (last > 0 && of->buckets[last - 1].count == 0)
        last--;
    of->bucket_count = last;
    if (last == 0)
        of->longest_ns = 0;
    else if (of->buckets[last - 1].to_ns >= 0 && of->buckets[last - 1].to_ns < of->longest_ns)
        of->longest_ns = of->buckets[last - 1].to_ns;
}

void top_durations_take_off(top_durations *now, const top_durations *before) {
    size_t place = 0;
    now->sum_ns = now->sum_ns > before->sum_ns ? now->sum_ns - before->sum_ns : 0;
    for (size_t i = 0; i < before->bucket_count; i++) {
        while (place < now->bucket_count && now->buckets[place].over_ns < before->buckets[i].over_ns)
            place++;
        if (place == now->bucket_count || now->buckets[place].over_ns != before->buckets[i].over_ns)
            continue;
        int64_t left = now->buckets[place].count - before->buckets[i].count;
        now->buckets[place].count = left > 0 ? left : 0;
    }
    shorten_longest(now);
}

/* As if each bucket were evenly filled. */
double top_durations_quantile_ns(const top_durations *of, double share) {
    double wanted = share * (double)top_durations_count(of);
    double below = 0;
    for (size_t i = 0; i < of->bucket_count; i++) {
        const top_bucket *bucket = &of->buckets[i];
        int64_t end = bucket->to_ns < 0 || bucket->to_ns > of->longest_ns ? of->longest_ns : bucket->to_ns;
        if (bucket->count > 0 && below + (double)bucket->count >= wanted)
            return (double)bucket->over_ns + (double)(end - bucket->over_ns) * (wanted - below) / (double)bucket->count;
        below += (double)bucket->count;
    }
    return (double)of->longest_ns;
}

/* ---- The parts ---- */

static void read_worker(top_worker *worker, const json_t *from) {
    *worker = (top_worker){.number = integer_of(from, "number"),
                           .process = integer_of(from, "process"),
                           .state = text_of(from, "state"),
                           .age_ms = integer_of(from, "age_ms"),
                           .restarts = integer_of(from, "restarts"),
                           .deaths = integer_of(from, "deaths")};
}

static void read_pool(top_reading *reading, top_pool *pool, const json_t *from) {
    const json_t *durations = json_object_get(from, "durations");
    const json_t *counts = json_object_get(from, "counts");
    *pool = (top_pool){.name = text_of(from, "name"),
                       .system = text_of(from, "system"),
                       .worker = integer_or(from, "worker", -1),
                       .size = integer_of(from, "size"),
                       .most = integer_or(from, "max", -1),
                       .idle = integer_of(from, "idle"),
                       .used = integer_of(from, "used"),
                       .waiting = integer_of(from, "waiting"),
                       .down = json_is_true(json_object_get(from, "down"))};
    for (int i = 0; i < TOP_COUNTS; i++)
        pool->counts[i] = integer_of(counts, top_count_names[i]);
    for (int i = 0; i < TOP_KINDS; i++)
        add_durations(&reading->durations[i], json_object_get(durations, top_kind_names[i]));
}

static void read_holders(top_reading *reading, const top_pool *pool, const json_t *from) {
    size_t index;
    const json_t *entry;
    json_array_foreach(json_object_get(from, "holders"), index, entry) {
        reading->holders[reading->holder_count++] = (top_holder){.file = text_of(entry, "file"),
                                                                 .line = integer_of(entry, "line"),
                                                                 .age_ms = integer_of(entry, "age_ms"),
                                                                 .statement = text_of(entry, "statement"),
                                                                 .pool = pool};
    }
}

static void read_statement(top_statement *statement, const json_t *from) {
    *statement = (top_statement){.pool = text_of(from, "pool"),
                                 .kind = text_of(from, "kind"),
                                 .fingerprint = text_of(from, "fingerprint"),
                                 .text = text_of(from, "text"),
                                 .count = integer_of(from, "count"),
                                 .failed = integer_of(from, "failed"),
                                 .total_us = json_number_value(json_object_get(from, "total_us")),
                                 .p50_us = json_number_value(json_object_get(from, "p50_us")),
                                 .p99_us = json_number_value(json_object_get(from, "p99_us")),
                                 .longest_us = json_number_value(json_object_get(from, "longest_us"))};
}

static int by_age(const void *left, const void *right) {
    const top_holder *one = left;
    const top_holder *other = right;
    return (one->age_ms < other->age_ms) - (one->age_ms > other->age_ms);
}

static size_t count_holders(const json_t *pools) {
    size_t index;
    const json_t *entry;
    size_t count = 0;
    json_array_foreach(pools, index, entry) {
        count += json_array_size(json_object_get(entry, "holders"));
    }
    return count;
}

/* False: memory ran out. */
static bool read_parts(top_reading *reading, const json_t *state) {
    size_t index;
    const json_t *entry;
    const json_t *workers = json_object_get(state, "workers");
    const json_t *pools = json_object_get(state, "pools");
    const json_t *statements = json_object_get(state, "statements");
    reading->workers = calloc(json_array_size(workers) + 1, sizeof *reading->workers);
    reading->pools = calloc(json_array_size(pools) + 1, sizeof *reading->pools);
    reading->holders = calloc(count_holders(pools) + 1, sizeof *reading->holders);
    reading->statements = calloc(json_array_size(statements) + 1, sizeof *reading->statements);
    if (reading->workers == NULL || reading->pools == NULL || reading->holders == NULL || reading->statements == NULL)
        return false;
    json_array_foreach(workers, index, entry) {
        read_worker(&reading->workers[reading->worker_count++], entry);
    }
    json_array_foreach(pools, index, entry) {
        top_pool *pool = &reading->pools[reading->pool_count++];
        read_pool(reading, pool, entry);
        read_holders(reading, pool, entry);
    }
    json_array_foreach(statements, index, entry) {
        read_statement(&reading->statements[reading->statement_count++], entry);
    }
    qsort(reading->holders, reading->holder_count, sizeof *reading->holders, by_age);
    return true;
}

/* ---- The whole ---- */

static bool is_understood(const json_t *state, char *why, size_t size) {
    const json_t *version = json_object_get(state, "lido_state");
    if (!json_is_integer(version))
        snprintf(why, size, "what answers is not an application of lido");
    else if (json_integer_value(version) != STATE_VERSION)
        snprintf(why, size, "the application has lido %.32s, which tells its state in version %lld; lido %s reads %d",
                 text_of(state, "version"), (long long)json_integer_value(version), lido_version(), STATE_VERSION);
    else
        return true;
    return false;
}

top_reading *top_reading_new(const char *text, size_t size, char *why, size_t why_size) {
    json_t *state = text != NULL ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    top_reading *reading = NULL;
    why[0] = '\0';
    if (is_understood(state, why, why_size))
        reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        json_decref(state);
        return NULL;
    }
    reading->json = state;
    reading->program = text_of(state, "program");
    reading->version = text_of(state, "version");
    reading->process = integer_of(state, "process");
    reading->now_us = integer_of(state, "now_us");
    if (read_parts(reading, state))
        return reading;
    top_reading_free(reading);
    return NULL;
}

void top_reading_free(top_reading *reading) {
    if (reading == NULL)
        return;
    json_decref(reading->json);
    free(reading->workers);
    free(reading->pools);
    free(reading->holders);
    free(reading->statements);
    free(reading);
}

/* ---- Two of them ---- */

bool top_reading_follows(const top_reading *now, const top_reading *before) {
    return before != NULL && now->process == before->process && now->now_us > before->now_us;
}

double top_reading_seconds(const top_reading *now, const top_reading *before) {
    return (double)(now->now_us - before->now_us) / 1e6;
}

const top_pool *top_pool_before(const top_reading *before, const top_pool *pool) {
    for (size_t i = 0; i < before->pool_count; i++)
        if (before->pools[i].worker == pool->worker && strcmp(before->pools[i].name, pool->name) == 0)
            return &before->pools[i];
    return NULL;
}

const top_statement *top_statement_before(const top_reading *before, const top_statement *statement) {
    for (size_t i = 0; i < before->statement_count; i++) {
        const top_statement *other = &before->statements[i];
        if (strcmp(other->fingerprint, statement->fingerprint) == 0 && strcmp(other->kind, statement->kind) == 0 &&
            strcmp(other->pool, statement->pool) == 0)
            return other;
    }
    return NULL;
}
