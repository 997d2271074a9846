/* bulk: 100 000 rows (bigint, text, double precision, timestamptz) into an emptied table of PostgreSQL, in one
 * transaction.
 *
 * Raw: binary COPY, written straight from the structs into chunks of 64 KiB. Emptying the table is on both sides alike:
 * a twentieth of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measures.h"
#include "postgres_fixture.h"

enum { ROWS = 100000, COLUMNS = 4, CHUNK = 65536, ROW_MOST = 128 };

typedef struct reading {
    int64_t id;
    const char *place;
    double degrees;
    lido_time taken_at;
} reading;

static const char *const columns[COLUMNS] = {"id", "place", "degrees", "taken_at"};

typedef struct job {
    lido_engine *engine;
    lido_session *session;
    PGconn *raw;
    reading readings[ROWS];
    lido_value values[ROWS * COLUMNS]; /* the same */
    char places[ROWS][16];
    char chunk[CHUNK];
} job;

/* ---- lido ---- */

static bool insert_values(job *my) {
    return lido_insert_rows(my->session, "lido_bench_readings", COLUMNS, columns, ROWS, my->values) == ROWS;
}

static bool insert_structs(job *my) {
    static const lido_member members[COLUMNS] = {LIDO_MEMBER(reading, id), LIDO_MEMBER(reading, place),
                                                 LIDO_MEMBER(reading, degrees), LIDO_MEMBER(reading, taken_at)};
    return lido_insert_structs(my->session, "lido_bench_readings", COLUMNS, members, ROWS, my->readings,
                               sizeof my->readings[0]) == ROWS;
}

typedef struct supply {
    const job *of;
    size_t next;
} supply;

static lido_supply give_reading(void *argument, lido_value *row, const char **why) {
    supply *given = argument;
    (void)why;
    if (given->next == ROWS)
        return LIDO_ROWS_END;
    const reading *next = &given->of->readings[given->next++];
    row[0] = lido_value_int64(next->id);
    row[1] = lido_value_text(next->place);
    row[2] = lido_value_double(next->degrees);
    row[3] = lido_value_time(next->taken_at);
    return LIDO_ROWS_MORE;
}

static bool insert_from_source(job *my) {
    supply given = {.of = my};
    return lido_insert_from(my->session, "lido_bench_readings", COLUMNS, columns, give_reading, &given) == ROWS;
}

static bool lido_inserts(job *my, size_t operations, bool (*insert)(job *my), bench_context *context) {
    for (size_t i = 0; i < operations; i++) {
        lido_send(my->session, "TRUNCATE lido_bench_readings");
        if (!insert(my) || lido_commit(my->session) != LIDO_OK)
            return bench_fail_lido(context, lido_error_of(my->session));
    }
    return true;
}

static bool lido_inserts_values(void *opened, size_t operations, bench_context *context) {
    return lido_inserts(opened, operations, insert_values, context);
}

static bool lido_inserts_structs(void *opened, size_t operations, bench_context *context) {
    return lido_inserts(opened, operations, insert_structs, context);
}

static bool lido_inserts_from_source(void *opened, size_t operations, bench_context *context) {
    return lido_inserts(opened, operations, insert_from_source, context);
}

/* ---- libpq ---- */

static char *write_32(char *at, uint32_t number) {
    number = __builtin_bswap32(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static char *write_64(char *at, uint64_t number) {
    number = bench_postgres_swap(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static char *write_reading(char *at, const reading *row) {
    uint64_t bits;
    size_t size = strlen(row->place);
    *at++ = 0;
    *at++ = COLUMNS;
    at = write_64(write_32(at, 8), (uint64_t)row->id);
    at = write_32(at, (uint32_t)size);
    memcpy(at, row->place, size);
    at += size;
    memcpy(&bits, &row->degrees, sizeof bits);
    at = write_64(write_32(at, 8), bits);
    return write_64(write_32(at, 8), (uint64_t)(row->taken_at.microseconds - BENCH_POSTGRES_EPOCH_US));
}

static bool put_readings(job *my) {
    char *at = my->chunk;
    memcpy(at, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0", 19);
    at += 19;
    for (size_t i = 0; i < ROWS; i++) {
        at = write_reading(at, &my->readings[i]);
        if (at - my->chunk < CHUNK - ROW_MOST)
            continue;
        if (PQputCopyData(my->raw, my->chunk, (int)(at - my->chunk)) != 1)
            return false;
        at = my->chunk;
    }
    memcpy(at, "\377\377", 2);
    return PQputCopyData(my->raw, my->chunk, (int)(at - my->chunk) + 2) == 1 && PQputCopyEnd(my->raw, NULL) == 1;
}

static bool copy_readings(job *my) {
    PGresult *result = PQexec(my->raw, "COPY lido_bench_readings (id, place, degrees, taken_at) FROM STDIN (FORMAT "
                                       "binary)");
    bool good = PQresultStatus(result) == PGRES_COPY_IN && put_readings(my);
    PQclear(result);
    while ((result = PQgetResult(my->raw)) != NULL) {
        good = good && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    return good;
}

static bool raw_copies(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        if (!bench_postgres_run(my->raw, "BEGIN; TRUNCATE lido_bench_readings", context))
            return false;
        if (!copy_readings(my))
            return bench_fail(context, "COPY with libpq: %s", PQerrorMessage(my->raw));
        if (!bench_postgres_run(my->raw, "COMMIT", context))
            return false;
    }
    return true;
}

/* ---- Making and ending the job. ---- */

static void make_readings(job *my) {
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(my->places[i], sizeof my->places[i], "place %zu", i % 1000);
        my->readings[i] =
            (reading){(int64_t)i + 1, my->places[i], (double)i / 7, {INT64_C(1700000000000000) + (int64_t)i * 1000003}};
        lido_value *values = &my->values[i * COLUMNS];
        values[0] = lido_value_int64(my->readings[i].id);
        values[1] = lido_value_text(my->readings[i].place);
        values[2] = lido_value_double(my->readings[i].degrees);
        values[3] = lido_value_time(my->readings[i].taken_at);
    }
}

/* Its rows are gone before anybody could want to vacuum them. */
static bool make_table(job *my, bench_context *context) {
    my->raw = bench_postgres_open_tables("lido_bench_readings",
                                         "CREATE TABLE lido_bench_readings (id bigint, place text, degrees double "
                                         "precision, taken_at timestamptz) WITH (autovacuum_enabled = false)",
                                         context);
    return my->raw != NULL;
}

static bool open_lido(job *my, bench_context *context) {
    my->engine = bench_engine_open(context->postgres_url, NULL, context);
    if (my->engine == NULL)
        return false;
    my->session = lido_session_open(my->engine, NULL);
    return true;
}

static void close_job(void *opened) {
    job *my = opened;
    lido_session_close(my->session);
    lido_engine_close(my->engine);
    bench_postgres_close_tables(my->raw, "lido_bench_readings");
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    make_readings(my);
    if (make_table(my, context) && open_lido(my, context))
        return my;
    close_job(my);
    return NULL;
}

#define BULK_MEASURE(case_word, lido_side) \
    { \
        .name = "bulk", .case_name = case_word, .needs_postgres = true, .target = 0.85, .open = open_job, \
        .close = close_job, .lido = lido_side, .raw = raw_copies \
    }

const bench_measure bench_bulk[] = {
    BULK_MEASURE("values", lido_inserts_values),
    BULK_MEASURE("structs", lido_inserts_structs),
    BULK_MEASURE("source", lido_inserts_from_source),
    {.name = NULL},
};
