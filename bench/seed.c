/* seed: a CSV file of a million rows (bigint primary key, text, double precision, timestamptz) into an emptied table of
 * PostgreSQL, in one transaction.
 *
 * Raw: what psql's \copy does, by libpq: COPY (FORMAT csv, HEADER), to which the file goes as it is, in chunks of
 * 64 KiB. Emptying the table is on both sides alike. Beside it: how much memory lido took at most, looked at while it
 * went on. */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measures.h"
#include "postgres_fixture.h"
#include "sqlite_fixture.h"

enum { ROWS = 1000000, CHUNK = 65536, MIB = 1024 * 1024 };

typedef struct job {
    lido_engine *engine;
    lido_session *session;
    PGconn *raw;
    bench_folder folder;
    char path[256];
    size_t before; /* bytes that were given out before a load, */
    size_t most;   /* and how many more at most during one */
    char chunk[CHUNK];
} job;

static size_t given_out(void) {
    struct mallinfo2 given = mallinfo2();
    return given.uordblks + given.hblkhd;
}

/* ---- lido ---- */

static void look(void *argument, const lido_seed_progress *progress) {
    job *my = argument;
    size_t now = given_out();
    (void)progress;
    if (now > my->before && now - my->before > my->most)
        my->most = now - my->before;
}

static bool lido_seeds_rows(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    const lido_seed_options options = {.progress = look, .progress_argument = my};
    for (size_t i = 0; i < operations; i++) {
        my->before = given_out();
        lido_send(my->session, "TRUNCATE lido_bench_seeds");
        int64_t rows = lido_seed_files(my->session, my->folder.path, &options);
        if (lido_commit(my->session) != LIDO_OK)
            return bench_fail_lido(context, lido_error_of(my->session));
        if (rows != ROWS)
            return bench_fail(context, "%lld rows were seeded", (long long)rows);
    }
    return true;
}

/* ---- libpq ---- */

static bool put_file(job *my) {
    int file = open(my->path, O_RDONLY | O_CLOEXEC);
    ssize_t size = -1;
    bool good = file >= 0;
    while (good && (size = read(file, my->chunk, CHUNK)) > 0)
        good = PQputCopyData(my->raw, my->chunk, (int)size) == 1;
    if (file >= 0)
        close(file);
    return good && size == 0 && PQputCopyEnd(my->raw, NULL) == 1;
}

static bool copy_file(job *my) {
    PGresult *result = PQexec(my->raw, "COPY lido_bench_seeds FROM STDIN (FORMAT csv, HEADER)");
    bool good = PQresultStatus(result) == PGRES_COPY_IN && put_file(my);
    PQclear(result);
    while ((result = PQgetResult(my->raw)) != NULL) {
        good = good && PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdTuples(result), "1000000") == 0;
        PQclear(result);
    }
    return good;
}

static bool raw_copies(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        if (!bench_postgres_run(my->raw, "BEGIN; TRUNCATE lido_bench_seeds", context))
            return false;
        if (!copy_file(my))
            return bench_fail(context, "COPY with libpq: %s", PQerrorMessage(my->raw));
        if (!bench_postgres_run(my->raw, "COMMIT", context))
            return false;
    }
    return true;
}

static bool tell_memory(void *opened, bench_context *context) {
    const job *my = opened;
    bench_figure_add(context, "MiB", (double)my->most / MIB, BENCH_AT_MOST, 16);
    return true;
}

/* ---- Making and ending the job. ---- */

static bool write_file(const job *my, bench_context *context) {
    FILE *file = fopen(my->path, "w");
    if (file == NULL)
        return bench_fail(context, "the seeds could not be written");
    fputs("id,name,price,made_at\n", file);
    for (int i = 1; i <= ROWS; i++)
        fprintf(file, "%d,name of %d,%.4f,2026-01-%02d 12:00:00+00\n", i, i, i / 7.0, i % 28 + 1);
    return fclose(file) == 0 || bench_fail(context, "the seeds could not be written");
}

static bool make_table(job *my, bench_context *context) {
    my->raw = bench_postgres_open_tables("lido_bench_seeds",
                                         "CREATE TABLE lido_bench_seeds (id bigint PRIMARY KEY, name text NOT NULL, "
                                         "price double precision, made_at timestamptz) WITH (autovacuum_enabled = "
                                         "false)",
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
    bench_postgres_close_tables(my->raw, "lido_bench_seeds");
    bench_folder_remove(&my->folder);
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    bool made = bench_folder_make(&my->folder, context);
    if (made)
        bench_folder_file(&my->folder, "lido_bench_seeds.csv", my->path);
    if (made && write_file(my, context) && make_table(my, context) && open_lido(my, context))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_seed[] = {
    {.name = "seed",
     .case_name = "csv",
     .needs_postgres = true,
     .effort = {.pairs = 7, .slice_ms = 1},
     .target = 0.7,
     .open = open_job,
     .close = close_job,
     .lido = lido_seeds_rows,
     .raw = raw_copies,
     .conclude = tell_memory},
    {.name = NULL},
};
