/* model-load: 100 000 rows of four columns into structs.
 *
 * lido: lido_find in a session of its own, so that each row becomes one of the session's objects, with a copy of what
 * it was. No object is looked for by its key, so that the map by key is never made. Raw: one prepared statement with
 * binary results, or sqlite3_step, read into an array of the same structs, the texts copied one behind the other. Both
 * sum up what they read, and free it. */
#include <stdlib.h>
#include <string.h>

#include "measures.h"
#include "postgres_fixture.h"
#include "sqlite_fixture.h"
#include "things.h"

#define THINGS_SQL "SELECT id, name, price, made_at FROM lido_bench_things"
#define PIECES_SQL "SELECT id, name, price, stock FROM lido_bench_pieces"

typedef struct job {
    lido_engine *engine;
    PGconn *raw;
    sqlite3 *raw_file;
    sqlite3_stmt *statement;
    bench_folder folder;
} job;

/* Names, times, stocks: what would show if a row were read wrongly. */
static bool is_right(double sum, int64_t letters, int64_t whole) {
    return sum == (double)BENCH_THINGS * (BENCH_THINGS + 1) / 2 && letters == INT64_C(6) * BENCH_THINGS &&
           whole == (int64_t)BENCH_THINGS * (BENCH_THINGS + 1) / 2;
}

/* ---- lido ---- */

static bool find_things(lido_session *db) {
    size_t count;
    double sum = 0;
    int64_t letters = 0;
    int64_t whole = 0;
    Thing **things = lido_find(db, Thing, &count, "");
    for (size_t i = 0; i < count; i++) {
        sum += things[i]->price;
        letters += (things[i]->name[0] == 't') * 6;
        whole += things[i]->made_at.microseconds;
    }
    return count == BENCH_THINGS && is_right(sum, letters, whole);
}

static bool find_pieces(lido_session *db) {
    size_t count;
    double sum = 0;
    int64_t letters = 0;
    int64_t whole = 0;
    Piece **pieces = lido_find(db, Piece, &count, "");
    for (size_t i = 0; i < count; i++) {
        sum += pieces[i]->price;
        letters += (pieces[i]->name[0] == 't') * 6;
        whole += pieces[i]->stock;
    }
    return count == BENCH_THINGS && is_right(sum, letters, whole);
}

static bool lido_loads(job *my, size_t operations, bool (*find)(lido_session *db), bench_context *context) {
    bool good = true;
    for (size_t i = 0; good && i < operations; i++) {
        lido_session *db = lido_session_open(my->engine, NULL);
        good = find(db) || (lido_failed(db) ? bench_fail_lido(context, lido_error_of(db))
                                            : bench_fail(context, "the objects are not those that were stored"));
        lido_session_close(db);
    }
    return good;
}

static bool lido_loads_things(void *opened, size_t operations, bench_context *context) {
    return lido_loads(opened, operations, find_things, context);
}

static bool lido_loads_pieces(void *opened, size_t operations, bench_context *context) {
    return lido_loads(opened, operations, find_pieces, context);
}

/* ---- libpq ---- */

static uint64_t read_64(const char *bytes) {
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return bench_postgres_swap(number);
}

static bool read_things(const PGresult *result, Thing *things, bench_texts *texts) {
    int count = PQntuples(result);
    for (int i = 0; i < count; i++) {
        Thing *thing = &things[i];
        memcpy(thing->id.bytes, PQgetvalue(result, i, 0), sizeof thing->id.bytes);
        thing->name = bench_texts_copy(texts, PQgetvalue(result, i, 1), (size_t)PQgetlength(result, i, 1));
        uint64_t bits = read_64(PQgetvalue(result, i, 2));
        memcpy(&thing->price, &bits, sizeof bits);
        thing->made_at.microseconds = (int64_t)read_64(PQgetvalue(result, i, 3)) + BENCH_POSTGRES_EPOCH_US;
        if (thing->name == NULL)
            return false;
    }
    return true;
}

static bool sum_things(const Thing *things, size_t count) {
    double sum = 0;
    int64_t letters = 0;
    int64_t whole = 0;
    for (size_t i = 0; i < count; i++) {
        sum += things[i].price;
        letters += (things[i].name[0] == 't') * 6;
        whole += things[i].made_at.microseconds;
    }
    return is_right(sum, letters, whole);
}

static bool load_things(job *my, bench_context *context) {
    PGresult *result = PQexecPrepared(my->raw, "load_things", 0, NULL, NULL, NULL, 1);
    size_t count = (size_t)PQntuples(result);
    Thing *things = malloc((count + 1) * sizeof *things);
    bench_texts texts = {.data = malloc(count * 16 + 1), .capacity = count * 16 + 1};
    bool good = things != NULL && texts.data != NULL && count == BENCH_THINGS && read_things(result, things, &texts);
    PQclear(result);
    good = good && sum_things(things, count);
    free(things);
    free(texts.data);
    return good || bench_fail(context, "loading with libpq: %s", PQerrorMessage(my->raw));
}

static bool raw_loads_things(void *opened, size_t operations, bench_context *context) {
    for (size_t i = 0; i < operations; i++)
        if (!load_things(opened, context))
            return false;
    return true;
}

/* ---- SQLite ---- */

static size_t read_pieces(sqlite3_stmt *statement, Piece **pieces, bench_texts *texts) {
    size_t count = 0;
    size_t capacity = 0;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        if (count == capacity) {
            capacity = capacity > 0 ? capacity * 2 : 1024;
            Piece *more = realloc(*pieces, capacity * sizeof *more);
            if (more == NULL)
                return 0;
            *pieces = more;
        }
        Piece *piece = &(*pieces)[count++];
        piece->id = sqlite3_column_int64(statement, 0);
        const char *name = (const char *)sqlite3_column_text(statement, 1);
        piece->name = bench_texts_copy(texts, name, (size_t)sqlite3_column_bytes(statement, 1));
        piece->price = sqlite3_column_double(statement, 2);
        piece->stock = sqlite3_column_int64(statement, 3);
        if (piece->name == NULL)
            return 0;
    }
    return count;
}

static bool load_pieces(job *my, bench_context *context) {
    Piece *pieces = NULL;
    bench_texts texts = {.data = malloc(BENCH_THINGS * 16), .capacity = BENCH_THINGS * 16};
    size_t count = texts.data != NULL ? read_pieces(my->statement, &pieces, &texts) : 0;
    double sum = 0;
    int64_t letters = 0;
    int64_t whole = 0;
    sqlite3_reset(my->statement);
    for (size_t i = 0; i < count; i++) {
        sum += pieces[i].price;
        letters += (pieces[i].name[0] == 't') * 6;
        whole += pieces[i].stock;
    }
    free(pieces);
    free(texts.data);
    return is_right(sum, letters, whole) ||
           bench_fail(context, "loading with SQLite: %s", sqlite3_errmsg(my->raw_file));
}

static bool raw_loads_pieces(void *opened, size_t operations, bench_context *context) {
    for (size_t i = 0; i < operations; i++)
        if (!load_pieces(opened, context))
            return false;
    return true;
}

/* ---- Making and ending the job. ---- */

static void close_job(void *opened) {
    job *my = opened;
    lido_engine_close(my->engine);
    bench_postgres_close_tables(my->raw, "lido_bench_things");
    sqlite3_finalize(my->statement);
    sqlite3_close(my->raw_file);
    bench_folder_remove(&my->folder);
    free(my);
}

static bool make_things(job *my, bench_context *context) {
    my->raw = bench_postgres_open_tables("lido_bench_things", BENCH_THINGS_SQL, context);
    my->engine = my->raw != NULL ? bench_engine_open(context->postgres_url, NULL, context) : NULL;
    return my->engine != NULL &&
           bench_postgres_run(my->raw,
                              "INSERT INTO lido_bench_things SELECT gen_random_uuid(), 'thing ' || (n % 1000), n, "
                              "timestamptz 'epoch' + n * interval '1 microsecond' FROM generate_series(1, 100000) AS n",
                              context) &&
           bench_postgres_run(my->raw, "VACUUM ANALYZE lido_bench_things", context) &&
           bench_postgres_prepare(my->raw, "load_things", THINGS_SQL, 0, NULL, context);
}

static bool make_pieces(job *my, bench_context *context) {
    char path[256];
    if (!bench_folder_make(&my->folder, context))
        return false;
    my->engine = bench_sqlite_engine(&my->folder, "pieces.db", path, context);
    if (my->engine == NULL)
        return false;
    lido_session *db = lido_session_open(my->engine, NULL);
    lido_exec(db, BENCH_PIECES_SQLITE_SQL);
    lido_exec(db, "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
                  "INSERT INTO lido_bench_pieces SELECT i, 'thing ' || (i % 1000), i, i FROM n");
    bool made = lido_commit(db) == LIDO_OK || bench_fail_lido(context, lido_error_of(db));
    made = made && bench_sqlite_open(path, &my->raw_file, context) &&
           bench_sqlite_same_pragmas(db, my->raw_file, context) && lido_commit(db) == LIDO_OK &&
           bench_sqlite_prepare(my->raw_file, PIECES_SQL, &my->statement, context);
    lido_session_close(db);
    return made;
}

static void *open_job(bool (*make)(job *my, bench_context *context), bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    if (make(my, context))
        return my;
    close_job(my);
    return NULL;
}

static void *open_postgres(bench_context *context) {
    return open_job(make_things, context);
}

static void *open_sqlite(bench_context *context) {
    return open_job(make_pieces, context);
}

const bench_measure bench_model_load[] = {
    {.name = "model-load",
     .case_name = "postgres",
     .needs_postgres = true,
     .target = 0.85,
     .open = open_postgres,
     .close = close_job,
     .lido = lido_loads_things,
     .raw = raw_loads_things},
    {.name = "model-load",
     .case_name = "sqlite",
     .target = 0.85,
     .open = open_sqlite,
     .close = close_job,
     .lido = lido_loads_pieces,
     .raw = raw_loads_pieces},
    {.name = NULL},
};
