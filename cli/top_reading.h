/* What lido top reads of an application: its GET /state, taken apart. */
#ifndef LIDO_CLI_TOP_READING_H
#define LIDO_CLI_TOP_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOP_BUCKETS_MOST = 160 };

/* What a pool counts. */
typedef enum top_count {
    TOP_READS,
    TOP_WRITES,
    TOP_OTHERS,
    TOP_FAILED,
    TOP_COMMITTED,
    TOP_ROLLED_BACK,
    TOP_UNKNOWN,
    TOP_RETRIED,
    TOP_TIMEOUTS,
    TOP_FAILED_CONNECTS,
    TOP_RECYCLED,
    TOP_INVALIDATED,
    TOP_COUNTS
} top_count;

typedef enum top_kind {
    TOP_READ,
    TOP_WRITE,
    TOP_OTHER,
    TOP_COMMIT,
    TOP_WAIT,
    TOP_TURN,
    TOP_BUSY,
    TOP_USE,
    TOP_CONNECT,
    TOP_KINDS
} top_kind;

extern const char *const top_count_names[TOP_COUNTS]; /* as in the state */
extern const char *const top_kind_names[TOP_KINDS];

/* More than over_ns and up to to_ns; -1: no end. */
typedef struct top_bucket {
    int64_t over_ns;
    int64_t to_ns;
    int64_t count;
} top_bucket;

/* In order. */
typedef struct top_durations {
    int64_t sum_ns;
    int64_t longest_ns;
    size_t bucket_count;
    top_bucket buckets[TOP_BUCKETS_MOST];
} top_durations;

typedef struct top_worker {
    int64_t number;
    int64_t process;
    const char *state;
    int64_t age_ms;
    int64_t restarts;
    int64_t deaths;
} top_worker;

typedef struct top_pool {
    const char *name;
    const char *system;
    int64_t worker; /* -1: it is no worker's */
    int64_t size;
    int64_t most; /* -1: no limit */
    int64_t idle;
    int64_t used;
    int64_t waiting;
    bool down;
    int64_t counts[TOP_COUNTS];
} top_pool;

typedef struct top_holder {
    const char *file;
    int64_t line;
    int64_t age_ms;
    const char *statement;
    const top_pool *pool;
} top_holder;

/* Of one database, in all workers. */
typedef struct top_statement {
    const char *pool; /* its name */
    const char *kind;
    const char *fingerprint;
    const char *text;
    int64_t count;
    int64_t failed;
    double total_us;
    double p50_us; /* these since the start */
    double p99_us;
    double longest_us;
} top_statement;

typedef struct top_reading {
    void *json; /* owns all texts */
    const char *program;
    const char *version;
    int64_t process;
    int64_t now_us; /* the application's clock */
    size_t worker_count;
    top_worker *workers;
    size_t pool_count;
    top_pool *pools;
    size_t holder_count; /* the oldest first */
    top_holder *holders;
    size_t statement_count;
    top_statement *statements;
    top_durations durations[TOP_KINDS]; /* of all pools */
} top_reading;

/* Takes apart what an application has answered. NULL, with `why` set (of so many bytes; "": memory ran out): it is no
 * state of lido's, or of one that speaks another language. */
top_reading *top_reading_new(const char *text, size_t size, char *why, size_t why_size);
void top_reading_free(top_reading *reading);

/* ---- Between two readings ---- */

/* Whether `before` is of the same process, and earlier. */
bool top_reading_follows(const top_reading *now, const top_reading *before);
double top_reading_seconds(const top_reading *now, const top_reading *before);
/* The pool of before that this one was; NULL: there was none. */
const top_pool *top_pool_before(const top_reading *before, const top_pool *pool);

/* The statement of before that this one was; NULL: there was none. */
const top_statement *top_statement_before(const top_reading *before, const top_statement *statement);

/* How often; an estimate where only a sample is measured. */
int64_t top_durations_count(const top_durations *of);
/* Takes off what was there before. The longest stays if it came since, as far as the buckets tell. */
void top_durations_take_off(top_durations *now, const top_durations *before);
/* The duration that `share` of them do not exceed; 0 if there are none. */
double top_durations_quantile_ns(const top_durations *of, double share);

#endif
