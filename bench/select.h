/* What the measures of a select by primary key share: lido's side of them, and how both sides begin and judge. */
#ifndef LIDO_BENCH_SELECT_H
#define LIDO_BENCH_SELECT_H

#include "harness.h"

/* The part of a job that is the same on every database. */
typedef struct bench_selecting {
    lido_engine *engine;
    lido_session *session;
    uint64_t lido_sequence; /* the same ids on both sides */
    uint64_t raw_sequence;
} bench_selecting;

/* On failure what was opened stays, for bench_select_close. */
static inline bool bench_select_open(bench_selecting *self, const char *url, const lido_options *options,
                                     bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    self->lido_sequence = self->raw_sequence = 88172645463325252U;
    self->engine = lido_engine_open(url, options, &error);
    if (self->engine == NULL)
        return bench_fail_lido(context, &error);
    self->session = lido_session_open(self->engine, &(lido_session_options){.autocommit = true});
    return true;
}

static inline void bench_select_close(bench_selecting *self) {
    lido_session_close(self->session);
    lido_engine_close(self->engine);
}

static inline bool bench_item_is_right(int64_t wanted, int64_t id, const char *name, double price) {
    return id == wanted && name[0] == 'i' && price > 0;
}

/* `sql`: a constant, with the id as its parameter. */
static inline bool bench_select_one(lido_session *session, const char *sql, int64_t wanted, bench_context *context) {
    int64_t id = 0;
    const char *name = NULL;
    double price = 0;
    lido_rows *rows = lido_query(session, sql, wanted);
    bool right = lido_next(rows) && lido_scan(rows, &id, &name, &price) && bench_item_is_right(wanted, id, name, price);
    lido_rows_close(rows);
    return right || bench_fail_lido(context, lido_error_of(session));
}

/* The id out of `most`. */
static inline bool bench_select_by_lido(bench_selecting *self, const char *sql, int64_t most, size_t operations,
                                        bench_context *context) {
    for (size_t i = 0; i < operations; i++)
        if (!bench_select_one(self->session, sql, bench_pick(&self->lido_sequence, most), context))
            return false;
    return true;
}

/* The same, with a session of its own for each. */
static inline bool bench_sessions_by_lido(bench_selecting *self, const lido_session_options *options, const char *sql,
                                          int64_t most, size_t operations, bench_context *context) {
    for (size_t i = 0; i < operations; i++) {
        lido_session *session = lido_session_open(self->engine, options);
        bool right = bench_select_one(session, sql, bench_pick(&self->lido_sequence, most), context);
        lido_session_close(session);
        if (!right)
            return false;
    }
    return true;
}

#endif
