/* Statements that are sent and not waited for: their order, their errors, and what they travel with. */
#include "support/items.h"

/* ---- In a transaction ---- */

static void story_of_order(lido_engine *engine) {
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        lido_send(db, "CREATE TABLE items (id integer PRIMARY KEY, name text)");
        lido_send(db, "INSERT INTO items VALUES (?, ?)", 1, "lamp");
        lido_send(db, "UPDATE items SET name = name || ?", " and chair");
        lido_send(db, "INSERT INTO items VALUES (?, ?)", 2, "table");
        saw("updated %d", (int)lido_exec(db, "UPDATE items SET name = name || '!'"));
        lido_rows *rows = lido_query(db, "SELECT name FROM items ORDER BY id");
        while (lido_next(rows))
            saw("%s", lido_get_text(rows, 0));
    }
    saw_status("transaction", outcome);
}

static void story_of_travelling_with_commit(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    send_insert(db, 1);
    send_insert(db, 2);
    saw_items(engine);
    saw_status("commit", lido_commit(db));
    saw_items(engine);
    send_insert(db, 3);
    lido_rollback(db);
    send_insert(db, 4);
    saw_status("close", lido_session_close(db));
    saw_items(engine);
}

static void story_of_an_error_that_shows_later(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    send_insert(db, 1);
    send_insert(db, 1);
    send_insert(db, 2);
    saw("failed %d", lido_failed(db));
    saw("rows %d", lido_query(db, "SELECT * FROM items") != NULL);
    saw("failed %d", lido_failed(db));
    saw_error(db);
    send_insert(db, 3);
    saw_status("commit", lido_commit(db));
    send_insert(db, 4);
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
    saw_items(engine);
}

static void story_of_a_refusal_that_shows_at_once(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    send_insert(db, 1);
    lido_send(db, "INSERT INTO items VALUES (?, ?)", 2);
    saw("failed %d", lido_failed(db));
    saw_error(db);
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
    saw_items(engine);
}

static void story_of_values_that_were_copied(lido_engine *engine) {
    char name[] = "lamp";
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_send(db, "INSERT INTO items VALUES (?, ?)", 1, name);
    memcpy(name, "xxxx", 4);
    lido_send(db, "INSERT INTO items VALUES (:id, :name)", LIDO_AS("name", name), LIDO_AS("id", 2));
    memcpy(name, "yyyy", 4);
    lido_rows *rows = lido_query(db, "SELECT name FROM items ORDER BY id");
    while (lido_next(rows))
        saw("%s", lido_get_text(rows, 0));
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
}

static void story_of_thousands(lido_engine *engine) {
    enum { MANY = 2500 };
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        for (int id = 1; id <= MANY; id++)
            send_insert(db, id);
        saw("failed %d", lido_failed(db));
        saw("items %d", count_items(db));
        lido_rows *rows = lido_query(db, "SELECT sum(id), min(id), max(id) FROM items");
        assert_true(lido_next(rows));
        saw("%d from %d to %d", (int)lido_get_int64(rows, 0), (int)lido_get_int64(rows, 1),
            (int)lido_get_int64(rows, 2));
    }
    saw_status("transaction", outcome);
}

static void story_of_thousands_with_an_error_among_them(lido_engine *engine) {
    enum { MANY = 2500, WRONG = 700 };
    int shown_at = 0;
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    for (int id = 1; id <= MANY; id++) {
        send_insert(db, id == WRONG ? 1 : id);
        if (shown_at == 0 && lido_failed(db))
            shown_at = id;
    }
    saw("shown between: %d", shown_at >= WRONG && shown_at < MANY);
    saw_status("commit", lido_commit(db));
    saw_error(db);
    saw("items %d", count_items(db));
    lido_commit(db);
    lido_session_close(db);
}

static void story_of_much_at_once(lido_engine *engine) {
    enum { TIMES = 40, SIZE = 100 * 1024 };
    static char large[SIZE + 1];
    lido_status outcome;
    make_items(engine);
    memset(large, 'x', SIZE);
    lido_transaction (db, engine, &outcome) {
        for (int id = 0; id < TIMES; id++)
            lido_send(db, "INSERT INTO items VALUES (?, ?)", id, large);
        saw("%d times %d bytes", count_items(db),
            (int)lido_query_value(db, "SELECT min(length(name)) FROM items").as.integer);
    }
    saw_status("transaction", outcome);
}

static void story_of_a_query_that_was_sent(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        lido_send(db, "INSERT INTO items VALUES (1, 'lamp') RETURNING name");
        lido_send(db, "SELECT * FROM items"); /* its rows are dropped */
        saw("items %d", count_items(db));
    }
    saw_status("transaction", outcome);
}

/* ---- In savepoints ---- */

static void story_of_sending_inside(lido_engine *engine) {
    lido_status outcome;
    lido_error inner;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        send_insert(db, 1);
        lido_savepoint_outcome (db, &inner) {
            send_insert(db, 2);
            send_insert(db, 1); /* fails, and nobody knows yet */
            saw("inside failed %d", lido_failed(db));
        }
        saw_status(lido_category_name(inner.category), inner.status);
        saw("after failed %d", lido_failed(db));
        send_insert(db, 3);
    }
    saw_status("transaction", outcome);
    saw_items(engine);
}

static void story_of_sending_before(lido_engine *engine) {
    lido_error outcome;
    lido_error inner;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        int line = __LINE__ + 1;
        lido_send(db, "INSERT INTO items VALUES (1, 'again')");
        lido_savepoint_outcome (db, &inner) {
            saw("inside failed %d", lido_failed(db));
            insert(db, 2);
            saw("inside failed %d", lido_failed(db));
        }
        saw_status(lido_category_name(inner.category), inner.status);
        saw("blames what was sent: %d", inner.line == line);
        saw("after failed %d", lido_failed(db));
        insert(db, 3);
    }
    saw_status(lido_category_name(outcome.category), outcome.status);
    saw_items(engine);
}

static void story_of_sending_in_the_middle(lido_engine *engine) {
    lido_status outcome;
    lido_status middle;
    lido_status inner;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        send_insert(db, 1);
        lido_savepoint_outcome (db, &middle) {
            send_insert(db, 2);
            send_insert(db, 2); /* belongs to the middle, */
            lido_savepoint_outcome (db, &inner)
                insert(db, 3); /* and shows in here */
            saw_status("inner", inner);
            saw("middle failed %d", lido_failed(db));
        }
        saw_status("middle", middle);
        saw("outside failed %d", lido_failed(db));
        insert(db, 4);
    }
    saw_status("transaction", outcome);
    saw_items(engine);
}

static void story_of_sending_and_leaving(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        lido_savepoint (db) {
            send_insert(db, 1);
            break;
        }
        send_insert(db, 2);
        lido_savepoint (db) {
            insert(db, 3);
            send_insert(db, 4);
            break;
        }
        lido_savepoint (db) {
            send_insert(db, 5);
            lido_savepoint (db) {
                send_insert(db, 6);
                break;
            }
        }
        saw("inside: %d", count_items(db));
    }
    saw_status("transaction", outcome);
    saw_items(engine);
}

/* ---- In autocommit mode ---- */

static void story_of_sends_that_stand_alone(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    send_insert(db, 1);
    send_insert(db, 1);
    send_insert(db, 2);
    lido_send(db, "INSERT INTO nowhere VALUES (1)");
    send_insert(db, 3);
    saw_items(engine);
    saw_status("commit", lido_commit(db));
    saw("failed %d", lido_failed(db));
    saw_error(db); /* the first of them */
    saw_items(engine);
    send_insert(db, 4);
    saw_status("commit", lido_commit(db));
    saw_error(db);
    send_insert(db, 5);
    saw_status("close", lido_session_close(db));
    saw_items(engine);
}

static void story_of_a_call_behind_a_send(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    send_insert(db, 1);
    saw("inserted %d", (int)lido_exec(db, "INSERT INTO items VALUES (2, 'chair')"));
    send_insert(db, 1);
    lido_exec(db, "INSERT INTO items VALUES (3, 'table')");
    saw_error(db); /* the sent one's */
    saw("inserted %d", (int)lido_exec(db, "INSERT INTO items VALUES (4, 'shelf')"));
    saw_error(db);
    lido_session_close(db);
    saw_items(engine);
}

static void story_of_what_was_sent_before_a_rollback(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    send_insert(db, 1);
    lido_rollback(db);
    send_insert(db, 2);
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
    saw_items(engine);
}

static void story_of_a_refused_send_in_autocommit_mode(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    send_insert(db, 1);
    lido_send(db, "INSERT INTO items VALUES (?, ?)", 2);
    send_insert(db, 3);
    saw_status("commit", lido_commit(db));
    saw_error(db);
    saw_items(engine);
    send_insert(db, 4);
    lido_send(db, "INSERT INTO items VALUES (?, ?)", 5);
    saw_status("commit", lido_commit(db));
    saw_error(db);
    lido_session_close(db);
    saw_items(engine);
}

/* Of so many the first are run before anybody asks. */
static void story_of_thousands_that_stand_alone(lido_engine *engine) {
    enum { MANY = 2500, WRONG = 700 };
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    for (int id = 1; id <= MANY; id++)
        send_insert(db, id == WRONG ? 1 : id);
    saw_status("commit", lido_commit(db));
    saw_error(db);
    saw("items %d", count_items(db));
    saw_error(db);
    lido_session_close(db);
}

static void story_of_a_stream_behind_a_refused_send(lido_engine *engine) {
    lido_pool_stats stats;
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_send(db, "INSERT INTO items VALUES (?, ?)", 1);
    saw("rows %d", lido_stream(db, "SELECT id FROM items") != NULL);
    saw_error(db);
    lido_engine_stats(engine, &stats);
    saw("in use %d", (int)stats.in_use);
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"statements are run in the order they were sent", story_of_order,
         "updated 2\n"
         "lamp and chair!\n"
         "table!\n"
         "transaction: ok\n"},
        {"what was sent travels with commit", story_of_travelling_with_commit,
         "stands:\n"
         "commit: ok\n"
         "stands: 1 2\n"
         "close: rolled back\n"
         "stands: 1 2\n"},
        {"an error shows at the next call that waits", story_of_an_error_that_shows_later,
         "failed 0\n"
         "rows 0\n"
         "failed 1\n"
         "unique violation\n"
         "commit: rolled back\n"
         "commit: ok\n"
         "stands: 4\n"},
        {"a refusal shows at once", story_of_a_refusal_that_shows_at_once,
         "failed 1\n"
         "misuse\n"
         "commit: rolled back\n"
         "stands:\n"},
        {"values are copied", story_of_values_that_were_copied,
         "lamp\n"
         "xxxx\n"
         "commit: ok\n"},
        {"thousands of statements", story_of_thousands,
         "failed 0\n"
         "items 2500\n"
         "3126250 from 1 to 2500\n"
         "transaction: ok\n"},
        {"thousands of statements with an error among them", story_of_thousands_with_an_error_among_them,
         "shown between: 1\n"
         "commit: rolled back\n"
         "unique violation\n"
         "items 0\n"},
        {"megabytes of values", story_of_much_at_once,
         "40 times 102400 bytes\n"
         "transaction: ok\n"},
        {"a query that was sent", story_of_a_query_that_was_sent,
         "items 1\n"
         "transaction: ok\n"},
        {"a statement sent inside a savepoint fails there", story_of_sending_inside,
         "inside failed 0\n"
         "unique violation: rolled back\n"
         "after failed 0\n"
         "transaction: ok\n"
         "stands: 1 3\n"},
        {"a statement sent before a savepoint shows inside and is not cleared", story_of_sending_before,
         "inside failed 0\n"
         "inside failed 1\n"
         "unique violation: rolled back\n"
         "blames what was sent: 1\n"
         "after failed 1\n"
         "unique violation: rolled back\n"
         "stands:\n"},
        {"a statement sent in the middle of nested savepoints", story_of_sending_in_the_middle,
         "inner: rolled back\n"
         "middle failed 1\n"
         "middle: rolled back\n"
         "outside failed 0\n"
         "transaction: ok\n"
         "stands: 1 4\n"},
        {"what was sent in a savepoint goes with it", story_of_sending_and_leaving,
         "inside: 2\n"
         "transaction: ok\n"
         "stands: 2 5\n"},
        {"in autocommit mode each stands alone", story_of_sends_that_stand_alone,
         "stands:\n"
         "commit: error\n"
         "failed 1\n"
         "unique violation\n"
         "stands: 1 2 3\n"
         "commit: ok\n"
         "no error\n"
         "close: ok\n"
         "stands: 1 2 3 4 5\n"},
        {"in autocommit mode a call brings the sent one's error", story_of_a_call_behind_a_send,
         "inserted 1\n"
         "unique violation\n"
         "inserted 1\n"
         "no error\n"
         "stands: 1 2 3 4\n"},
        {"in autocommit mode a rollback forgets what was not sent yet", story_of_what_was_sent_before_a_rollback,
         "commit: ok\n"
         "stands: 2\n"},
        {"in autocommit mode a refused statement touches no other", story_of_a_refused_send_in_autocommit_mode,
         "commit: error\n"
         "misuse\n"
         "stands: 1 3\n"
         "commit: error\n"
         "misuse\n"
         "stands: 1 3 4\n"},
        {"in autocommit mode an error among thousands is told in the end", story_of_thousands_that_stand_alone,
         "commit: error\n"
         "unique violation\n"
         "items 2499\n"
         "no error\n"},
        {"in autocommit mode a stream behind a refused statement leaves nothing in use",
         story_of_a_stream_behind_a_refused_send,
         "rows 0\n"
         "misuse\n"
         "in use 0\n"},
    };
    return scenarios_run("send", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
