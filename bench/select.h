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

/* `sql`: a constant, with the id, out of `most`, as its parameter. */
static inline bool bench_select_by_lido(bench_selecting *self, const char *sql, int64_t most, size_t operations,
                                        bench_context *context) {
    for (size_t i = 0; i < operations; i++) {
        int64_t wanted = bench_pick(&self->lido_sequence, most);
        int64_t id = 0;
        const char *name = NULL;
        double price = 0;
        lido_rows *rows = lido_query(self->session, sql, wanted);
        bool right =
            lido_next(rows) && lido_scan(rows, &id, &name, &price) && bench_item_is_right(wanted, id, name, price);
        lido_rows_close(rows);
        if (!right)
            return bench_fail_lido(context, lido_error_of(self->session));
    }
    return true;
}

#endif
