/* What sessions see of each other while they go on: a reader its snapshot, nobody what is not committed; and no reader
 * waits for a writer, nor the other way round. On a SQLite file, in memory and on PostgreSQL alike. */
#include "support/scenario.h"

#include <string.h>

static const lido_session_options steady = {.isolation = LIDO_REPEATABLE_READ};

static void make_items(lido_engine *engine, int count) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY, name text)");
    for (int i = 1; i <= count; i++)
        lido_send(db, "INSERT INTO items VALUES (?, 'a name that takes some room, so that there are many pages')", i);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

static int count_items(lido_session *db) {
    return (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer;
}

static void story_of_what_is_not_committed(lido_engine *engine) {
    make_items(engine, 0);
    lido_session *writer = lido_session_open(engine, NULL);
    lido_session *reader = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(writer, "INSERT INTO items VALUES (1, 'lamp')");
    saw("the writer sees %d, the reader %d", count_items(writer), count_items(reader));
    lido_rollback(writer);
    saw("rolled back: the reader sees %d", count_items(reader));
    lido_exec(writer, "INSERT INTO items VALUES (2, 'chair')");
    lido_savepoint (writer) {
        lido_exec(writer, "INSERT INTO items VALUES (3, 'table')");
        saw("in a savepoint: the reader sees %d", count_items(reader));
    }
    saw("released: the reader sees %d", count_items(reader));
    saw("%s", lido_status_name(lido_commit(writer)));
    saw("committed: the reader sees %d", count_items(reader));
    lido_session_close(reader);
    lido_session_close(writer);
}

static void story_of_old_and_new_readers(lido_engine *engine) {
    enum { READERS = 6 };
    lido_session *readers[READERS];
    make_items(engine, 0);
    lido_session *writer = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    for (int i = 0; i < READERS; i++) {
        readers[i] = lido_session_open(engine, &steady);
        count_items(readers[i]);
        lido_exec(writer, "INSERT INTO items VALUES (?, 'lamp')", i);
    }
    for (int i = 0; i < READERS; i++)
        saw("reader %d sees %d", i, count_items(readers[i]));
    for (int i = 0; i < READERS; i++) {
        lido_commit(readers[i]);
        saw("reader %d sees %d then", i, count_items(readers[i]));
        lido_session_close(readers[i]);
    }
    lido_session_close(writer);
}

/* The rows it has not come to are deleted meanwhile. */
static void story_of_a_stream_that_others_overtake(lido_engine *engine) {
    enum { ITEMS = 3000 };
    int seen = 0;
    make_items(engine, ITEMS);
    lido_session *reader = lido_session_open(engine, &steady);
    lido_session *writer = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_rows *rows = lido_stream(reader, "SELECT id FROM items ORDER BY id");
    while (lido_next(rows))
        if (lido_get_int64(rows, 0) == ++seen && seen % 1000 == 1)
            lido_exec(writer, "DELETE FROM items WHERE id >= ?", ITEMS - seen);
    lido_rows_close(rows);
    saw("the stream gave %d, the writer failed %d", seen, lido_failed(writer));
    saw("the reader sees %d, the writer %d", count_items(reader), count_items(writer));
    lido_session_close(reader);
    lido_session_close(writer);
}

static void story_of_one_who_reads_and_then_writes(lido_engine *engine) {
    lido_error error;
    make_items(engine, 1);
    lido_session *late = lido_session_open(engine, &steady);
    lido_session *early = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    count_items(late);
    lido_exec(early, "UPDATE items SET name = 'lamp'");
    lido_exec(late, "UPDATE items SET name = 'chair'");
    error = *lido_error_of(late);
    saw("%s, retryable %d", lido_category_name(error.category), error.retryable);
    lido_rollback(late);
    lido_exec(late, "UPDATE items SET name = 'table'");
    saw("%s", lido_status_name(lido_commit(late)));
    saw("%s", lido_query_value(early, "SELECT name FROM items").as.text);
    lido_session_close(early);
    lido_session_close(late);
}

int main(void) {
    const scenario scenarios[] = {
        {"what is not committed is not seen", story_of_what_is_not_committed,
         "the writer sees 1, the reader 0\n"
         "rolled back: the reader sees 0\n"
         "in a savepoint: the reader sees 0\n"
         "released: the reader sees 0\n"
         "ok\n"
         "committed: the reader sees 2\n"},
        {"each reader sees what there was when it began", story_of_old_and_new_readers,
         "reader 0 sees 0\n"
         "reader 1 sees 1\n"
         "reader 2 sees 2\n"
         "reader 3 sees 3\n"
         "reader 4 sees 4\n"
         "reader 5 sees 5\n"
         "reader 0 sees 6 then\n"
         "reader 1 sees 6 then\n"
         "reader 2 sees 6 then\n"
         "reader 3 sees 6 then\n"
         "reader 4 sees 6 then\n"
         "reader 5 sees 6 then\n"},
        {"a stream gives all the rows that others delete meanwhile", story_of_a_stream_that_others_overtake,
         "the stream gave 3000, the writer failed 0\n"
         "the reader sees 3000, the writer 998\n"},
        {"who has read and writes too late is told so", story_of_one_who_reads_and_then_writes,
         "serialisation failure, retryable 1\n"
         "ok\n"
         "table\n"},
    };
    return scenarios_run("snapshots", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
