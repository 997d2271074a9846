/* regexp: one row out of a million is read and searched in, by a query that counts those that match; an operation is
 * a row. Each side has a file of its own, made alike.
 *
 * Raw: PCRE2 with JIT, UTF and UCP, called by pcre2_match, the pattern kept by SQLite with its argument. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measures.h"
#include "sqlite_fixture.h"

enum { ROWS = 1000000 };

#define ROWS_SQL \
    "CREATE TABLE lines (id INTEGER PRIMARY KEY, line TEXT NOT NULL);" \
    "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000)" \
    " INSERT INTO lines SELECT n, 'item ' || n || ' of the store in the lane' FROM numbers"

#define COUNT_SQL "SELECT count(*) FROM lines WHERE id BETWEEN ?1 AND ?2 AND line REGEXP ?3"

typedef struct job {
    const char *pattern;
    lido_engine *engine;
    lido_session *session;
    sqlite3 *raw;
    sqlite3_stmt *statement;
    size_t lido_at; /* the row that comes next */
    size_t raw_at;
    bench_folder folder;
} job;

/* ---- The raw function ---- */

typedef struct raw_pattern {
    pcre2_code *code;
    pcre2_match_data *data;
} raw_pattern;

static void free_raw_pattern(void *kept) {
    raw_pattern *pattern = kept;
    pcre2_match_data_free(pattern->data);
    pcre2_code_free(pattern->code);
    free(pattern);
}

static raw_pattern *make_raw_pattern(sqlite3_value *text) {
    int error;
    PCRE2_SIZE where;
    raw_pattern *pattern = malloc(sizeof *pattern);
    if (pattern == NULL)
        return NULL;
    pattern->code = pcre2_compile(sqlite3_value_text(text), (PCRE2_SIZE)sqlite3_value_bytes(text),
                                  PCRE2_UTF | PCRE2_UCP, &error, &where, NULL);
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    pattern->data = pcre2_match_data_create_from_pattern(pattern->code, NULL);
    return pattern;
}

static void raw_regexp(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    raw_pattern *pattern = sqlite3_get_auxdata(context, 0);
    bool made = pattern == NULL;
    if (made && (pattern = make_raw_pattern(arguments[0])) == NULL)
        return;
    const unsigned char *line = sqlite3_value_text(arguments[1]);
    size_t size = (size_t)sqlite3_value_bytes(arguments[1]);
    sqlite3_result_int(context, pcre2_match(pattern->code, line, size, 0, 0, pattern->data, NULL) >= 0);
    if (made)
        sqlite3_set_auxdata(context, 0, pattern, free_raw_pattern);
}

/* ---- Both sides ---- */

/* How many of the rows come next in one query: to the table's end at most. */
static size_t next_rows(size_t *at, size_t left, int64_t *first, int64_t *last) {
    size_t rows = ROWS - *at < left ? ROWS - *at : left;
    *first = (int64_t)*at + 1;
    *last = (int64_t)(*at + rows);
    *at = (*at + rows) % ROWS;
    return rows;
}

static bool lido_searches(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    int64_t first;
    int64_t last;
    for (size_t left = operations; left > 0;) {
        left -= next_rows(&my->lido_at, left, &first, &last);
        lido_query_value(my->session, COUNT_SQL, first, last, my->pattern);
        if (lido_failed(my->session))
            return bench_fail_lido(context, lido_error_of(my->session));
    }
    return true;
}

static bool raw_searches(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    int64_t first;
    int64_t last;
    for (size_t left = operations; left > 0;) {
        left -= next_rows(&my->raw_at, left, &first, &last);
        sqlite3_bind_int64(my->statement, 1, first);
        sqlite3_bind_int64(my->statement, 2, last);
        sqlite3_bind_text(my->statement, 3, my->pattern, -1, SQLITE_STATIC);
        bool right = sqlite3_step(my->statement) == SQLITE_ROW;
        sqlite3_reset(my->statement);
        if (!right)
            return bench_fail(context, "SQLite could not search: %s", sqlite3_errmsg(my->raw));
    }
    return true;
}

/* ---- Making and ending the job. ---- */

/* The two must find the same, or the figure says nothing. */
static bool compare_counts(job *my, bench_context *context) {
    int64_t count = lido_query_value(my->session, COUNT_SQL, 1, ROWS, my->pattern).as.integer;
    sqlite3_bind_int64(my->statement, 1, 1);
    sqlite3_bind_int64(my->statement, 2, ROWS);
    sqlite3_bind_text(my->statement, 3, my->pattern, -1, SQLITE_STATIC);
    bool same = sqlite3_step(my->statement) == SQLITE_ROW && sqlite3_column_int64(my->statement, 0) == count;
    sqlite3_reset(my->statement);
    return (same && count > 0) || bench_fail(context, "the two do not find the same rows");
}

/* Closing the only connection moves the WAL into the file. */
static bool make_rows(const char *path, bench_context *context) {
    sqlite3 *connection = NULL;
    bool made = bench_sqlite_open(path, &connection, context) &&
                bench_sqlite_run(connection, "PRAGMA journal_mode = wal", context) &&
                bench_sqlite_run(connection, ROWS_SQL, context);
    sqlite3_close(connection);
    return made;
}

static bool open_lido(job *my, const char *path, bench_context *context) {
    char url[300];
    lido_error error = LIDO_ERROR_INIT;
    snprintf(url, sizeof url, "sqlite:///%s", path);
    my->engine = lido_engine_open(url, NULL, &error);
    if (my->engine == NULL)
        return bench_fail_lido(context, &error);
    my->session = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
    return true;
}

static bool open_raw(job *my, const char *path, bench_context *context) {
    return bench_sqlite_open(path, &my->raw, context) && bench_sqlite_same_pragmas(my->session, my->raw, context) &&
           sqlite3_create_function(my->raw, "regexp", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, raw_regexp, NULL,
                                   NULL) == SQLITE_OK &&
           bench_sqlite_prepare(my->raw, COUNT_SQL, &my->statement, context);
}

static bool make(job *my, bench_context *context) {
    char path[256];
    if (!bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "lido.db", path);
    if (!make_rows(path, context) || !open_lido(my, path, context))
        return false;
    bench_folder_file(&my->folder, "raw.db", path);
    return make_rows(path, context) && open_raw(my, path, context) && compare_counts(my, context);
}

static void close_job(void *opened) {
    job *my = opened;
    lido_session_close(my->session);
    lido_engine_close(my->engine);
    sqlite3_finalize(my->statement);
    sqlite3_close(my->raw);
    bench_folder_remove(&my->folder);
    free(my);
}

static void *open_job(const char *pattern, bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    my->pattern = pattern;
    if (make(my, context))
        return my;
    close_job(my);
    return NULL;
}

static void *open_anchored(bench_context *context) {
    return open_job("^item 99", context);
}

static void *open_unanchored(bench_context *context) {
    return open_job("[0-9]77 .*lane$", context);
}

const bench_measure bench_regexp[] = {
    {.name = "regexp",
     .case_name = "anchored",
     .target = 0.95,
     .open = open_anchored,
     .close = close_job,
     .lido = lido_searches,
     .raw = raw_searches},
    {.name = "regexp",
     .case_name = "unanchored",
     .target = 0.95,
     .open = open_unanchored,
     .close = close_job,
     .lido = lido_searches,
     .raw = raw_searches},
    {.name = NULL},
};
