/* model-insert: 100 000 objects into an emptied table, in one transaction.
 *
 * lido: `uuid`, `identity`, `sqlite`: lido_add for each and a commit, in a session of its own; `many-…`:
 * lido_insert_many. Afterwards each object has its key. Raw: binary COPY, written straight from the structs into chunks
 * of 64 KiB, the uuids' random bytes drawn at once, and the keys that the server gives never learnt; on SQLite one
 * statement, bound, stepped and reset. Emptying the table is on both sides alike. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "measures.h"
#include "postgres_fixture.h"
#include "sqlite_fixture.h"
#include "things.h"

#define TABLES "lido_bench_things, lido_bench_pieces"

enum { CHUNK = 65536, ROW_MOST = 128 };

typedef struct job {
    lido_engine *engine;
    PGconn *raw;
    sqlite3 *raw_file;
    sqlite3_stmt *statement;
    bench_folder folder;
    Thing things[BENCH_THINGS];
    Piece pieces[BENCH_THINGS];
    char chunk[CHUNK];
} job;

static Thing thing_of(size_t i) {
    return (Thing){.name = bench_thing_name(i), .price = (double)i / 7, .made_at = {(int64_t)i * 1000003}};
}

static Piece piece_of(size_t i) {
    return (Piece){.name = bench_thing_name(i), .price = (double)i / 7, .stock = (int64_t)i};
}

/* ---- lido ---- */

static bool add_things(job *my, lido_session *db) {
    (void)my;
    Thing *last = NULL;
    lido_send(db, "TRUNCATE lido_bench_things");
    for (size_t i = 0; i < BENCH_THINGS; i++) {
        Thing thing = thing_of(i);
        last = lido_add(db, Thing, &thing);
    }
    return lido_commit(db) == LIDO_OK && last->id.bytes[6] != 0;
}

static bool add_pieces(lido_session *db) {
    Piece *last = NULL;
    for (size_t i = 0; i < BENCH_THINGS; i++) {
        Piece piece = piece_of(i);
        last = lido_add(db, Piece, &piece);
    }
    return lido_commit(db) == LIDO_OK && last->id > 0;
}

static bool truncate_and_add_pieces(job *my, lido_session *db) {
    (void)my;
    lido_send(db, "TRUNCATE lido_bench_pieces");
    return add_pieces(db);
}

static bool delete_and_add_pieces(job *my, lido_session *db) {
    (void)my;
    lido_exec(db, "DELETE FROM lido_bench_pieces");
    return add_pieces(db);
}

static bool insert_many_things(job *my, lido_session *db) {
    for (size_t i = 0; i < BENCH_THINGS; i++)
        my->things[i] = thing_of(i);
    lido_send(db, "TRUNCATE lido_bench_things");
    return lido_insert_many(db, Thing, my->things, BENCH_THINGS) == BENCH_THINGS && lido_commit(db) == LIDO_OK;
}

static bool insert_many_pieces(job *my, lido_session *db) {
    for (size_t i = 0; i < BENCH_THINGS; i++)
        my->pieces[i] = piece_of(i);
    lido_send(db, "TRUNCATE lido_bench_pieces");
    return lido_insert_many(db, Piece, my->pieces, BENCH_THINGS) == BENCH_THINGS && lido_commit(db) == LIDO_OK &&
           my->pieces[BENCH_THINGS - 1].id > 0;
}

static bool lido_saves(job *my, size_t operations, bool (*save)(job *my, lido_session *db), bench_context *context) {
    bool good = true;
    for (size_t i = 0; good && i < operations; i++) {
        lido_session *db = lido_session_open(my->engine, NULL);
        good = save(my, db) || bench_fail_lido(context, lido_error_of(db));
        lido_session_close(db);
    }
    return good;
}

#define LIDO_SIDE(name, save) \
    static bool name(void *opened, size_t operations, bench_context *context) { \
        return lido_saves(opened, operations, save, context); \
    }

LIDO_SIDE(lido_adds_things, add_things)
LIDO_SIDE(lido_adds_pieces, truncate_and_add_pieces)
LIDO_SIDE(lido_adds_pieces_to_sqlite, delete_and_add_pieces)
LIDO_SIDE(lido_inserts_things, insert_many_things)
LIDO_SIDE(lido_inserts_pieces, insert_many_pieces)

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

static char *write_text(char *at, const char *text) {
    size_t size = strlen(text);
    at = write_32(at, (uint32_t)size);
    memcpy(at, text, size);
    return at + size;
}

static char *write_real(char *at, double real) {
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return write_64(write_32(at, 8), bits);
}

static char *write_thing(char *at, job *my, size_t i) {
    Thing *thing = &my->things[i];
    lido_uuid id = thing->id;
    *thing = thing_of(i);
    thing->id = id;
    thing->id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    *at++ = 0;
    *at++ = 4;
    at = write_32(at, sizeof thing->id.bytes);
    memcpy(at, thing->id.bytes, sizeof thing->id.bytes);
    at = write_text(at + sizeof thing->id.bytes, thing->name);
    at = write_real(at, thing->price);
    return write_64(write_32(at, 8), (uint64_t)(thing->made_at.microseconds - BENCH_POSTGRES_EPOCH_US));
}

static char *write_piece(char *at, job *my, size_t i) {
    my->pieces[i] = piece_of(i);
    *at++ = 0;
    *at++ = 3;
    at = write_text(at, my->pieces[i].name);
    at = write_real(at, my->pieces[i].price);
    return write_64(write_32(at, 8), (uint64_t)my->pieces[i].stock);
}

static bool put_rows(job *my, char *(*write_row)(char *at, job *my, size_t i)) {
    char *at = my->chunk;
    memcpy(at, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0", 19);
    at += 19;
    for (size_t i = 0; i < BENCH_THINGS; i++) {
        at = write_row(at, my, i);
        if (at - my->chunk < CHUNK - ROW_MOST)
            continue;
        if (PQputCopyData(my->raw, my->chunk, (int)(at - my->chunk)) != 1)
            return false;
        at = my->chunk;
    }
    memcpy(at, "\377\377", 2);
    return PQputCopyData(my->raw, my->chunk, (int)(at - my->chunk) + 2) == 1 && PQputCopyEnd(my->raw, NULL) == 1;
}

static bool copy_rows(job *my, const char *sql, char *(*write_row)(char *at, job *my, size_t i)) {
    PGresult *result = PQexec(my->raw, sql);
    bool good = PQresultStatus(result) == PGRES_COPY_IN && put_rows(my, write_row);
    PQclear(result);
    while ((result = PQgetResult(my->raw)) != NULL) {
        good = good && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    return good;
}

/* In a row, as keys of version 7 are, for the index takes those with less work. */
static void draw_keys(job *my) {
    static unsigned char bytes[BENCH_THINGS * 16];
    for (size_t at = 0; at < sizeof bytes;) {
        ssize_t got = getrandom(bytes + at, sizeof bytes - at, 0);
        at += got > 0 ? (size_t)got : 0;
    }
    uint64_t now = (uint64_t)lido_time_now().microseconds << 12;
    for (uint64_t i = 0; i < BENCH_THINGS; i++) {
        uint64_t first = bench_postgres_swap(now + i);
        memcpy(my->things[i].id.bytes, &first, sizeof first);
        memcpy(my->things[i].id.bytes + sizeof first, bytes + 16 * i, 16 - sizeof first);
    }
}

static bool raw_copies_things(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        draw_keys(my);
        if (!bench_postgres_run(my->raw, "BEGIN; TRUNCATE lido_bench_things", context))
            return false;
        if (!copy_rows(my, "COPY lido_bench_things FROM STDIN (FORMAT binary)", write_thing))
            return bench_fail(context, "COPY with libpq: %s", PQerrorMessage(my->raw));
        if (!bench_postgres_run(my->raw, "COMMIT", context))
            return false;
    }
    return true;
}

static bool raw_copies_pieces(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        if (!bench_postgres_run(my->raw, "BEGIN; TRUNCATE lido_bench_pieces", context))
            return false;
        if (!copy_rows(my, "COPY lido_bench_pieces (name, price, stock) FROM STDIN (FORMAT binary)", write_piece))
            return bench_fail(context, "COPY with libpq: %s", PQerrorMessage(my->raw));
        if (!bench_postgres_run(my->raw, "COMMIT", context))
            return false;
    }
    return true;
}

/* ---- SQLite ---- */

static bool raw_inserts_pieces(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        if (!bench_sqlite_run(my->raw_file, "BEGIN IMMEDIATE; DELETE FROM lido_bench_pieces", context))
            return false;
        for (size_t at = 0; at < BENCH_THINGS; at++) {
            Piece *piece = &my->pieces[at];
            *piece = piece_of(at);
            sqlite3_bind_text(my->statement, 1, piece->name, (int)strlen(piece->name), SQLITE_STATIC);
            sqlite3_bind_double(my->statement, 2, piece->price);
            sqlite3_bind_int64(my->statement, 3, piece->stock);
            bool right = sqlite3_step(my->statement) == SQLITE_DONE;
            sqlite3_reset(my->statement);
            if (!right)
                return bench_fail(context, "inserting with SQLite: %s", sqlite3_errmsg(my->raw_file));
            piece->id = sqlite3_last_insert_rowid(my->raw_file);
        }
        if (!bench_sqlite_run(my->raw_file, "COMMIT", context))
            return false;
    }
    return true;
}

/* ---- Making and ending the job. ---- */

static void close_job(void *opened) {
    job *my = opened;
    lido_engine_close(my->engine);
    bench_postgres_close_tables(my->raw, TABLES);
    sqlite3_finalize(my->statement);
    sqlite3_close(my->raw_file);
    bench_folder_remove(&my->folder);
    free(my);
}

static bool make_postgres(job *my, bench_context *context) {
    my->raw = bench_postgres_open_tables(TABLES, BENCH_THINGS_SQL "; " BENCH_PIECES_SQL, context);
    my->engine = my->raw != NULL ? bench_engine_open(context->postgres_url, NULL, context) : NULL;
    return my->engine != NULL;
}

static bool make_sqlite(job *my, bench_context *context) {
    char path[256];
    if (!bench_folder_make(&my->folder, context))
        return false;
    my->engine = bench_sqlite_engine(&my->folder, "lido.db", path, context);
    if (my->engine == NULL)
        return false;
    lido_session *db = lido_session_open(my->engine, NULL);
    lido_exec(db, BENCH_PIECES_SQLITE_SQL);
    bool made = lido_commit(db) == LIDO_OK || bench_fail_lido(context, lido_error_of(db));
    bench_folder_file(&my->folder, "raw.db", path);
    made = made && bench_sqlite_open(path, &my->raw_file, context) &&
           bench_sqlite_run(my->raw_file, BENCH_PIECES_SQLITE_SQL, context) &&
           bench_sqlite_same_pragmas(db, my->raw_file, context) && lido_commit(db) == LIDO_OK &&
           bench_sqlite_prepare(my->raw_file, "INSERT INTO lido_bench_pieces (name, price, stock) VALUES (?, ?, ?)",
                                &my->statement, context);
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
    return open_job(make_postgres, context);
}

static void *open_sqlite(bench_context *context) {
    return open_job(make_sqlite, context);
}

#define ON_POSTGRES(case_word, least, lido_side, raw_side) \
    { \
        .name = "model-insert", .case_name = case_word, .needs_postgres = true, .target = least, \
        .open = open_postgres, .close = close_job, .lido = lido_side, .raw = raw_side \
    }

const bench_measure bench_model_insert[] = {
    ON_POSTGRES("uuid", 0.6, lido_adds_things, raw_copies_things),
    ON_POSTGRES("identity", 0.35, lido_adds_pieces, raw_copies_pieces),
    ON_POSTGRES("many-uuid", 0.8, lido_inserts_things, raw_copies_things),
    ON_POSTGRES("many-identity", 0.5, lido_inserts_pieces, raw_copies_pieces),
    {.name = "model-insert",
     .case_name = "sqlite",
     .target = 0.7,
     .open = open_sqlite,
     .close = close_job,
     .lido = lido_adds_pieces_to_sqlite,
     .raw = raw_inserts_pieces},
    {.name = NULL},
};
