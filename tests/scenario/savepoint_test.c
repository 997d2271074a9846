/* Savepoints: what fails inside undoes the inside alone. As blocks, by hand, and nested; with statements sent, see
 * send_test.c. */
#include "support/items.h"

/* ---- Blocks ---- */

static void story_of_an_error_inside(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        lido_savepoint (db) {
            insert(db, 2);
            insert(db, 1);
            insert(db, 3);
            saw("inside failed %d", lido_failed(db));
        }
        saw("after failed %d", lido_failed(db));
        insert(db, 4);
    }
    saw_status("transaction", outcome);
    saw_items(engine);
}

static void story_of_an_error_outside(lido_engine *engine) {
    lido_status outcome;
    lido_status inner;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        insert(db, 1);
        lido_savepoint_outcome (db, &inner) {
            saw("runs");
            insert(db, 2);
        }
        saw_status("savepoint", inner);
        lido_savepoint_outcome (db, &inner)
            break;
        saw_status("savepoint", inner);
        saw("still failed %d", lido_failed(db));
        insert(db, 3);
    }
    saw_status("transaction", outcome);
    saw_items(engine);
}

static void story_of_nested_savepoints(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        lido_savepoint (db) {
            insert(db, 2);
            lido_savepoint (db) {
                insert(db, 3);
                lido_savepoint (db) {
                    insert(db, 4);
                    insert(db, 4);
                }
                insert(db, 5);
                insert(db, 5);
            }
            insert(db, 6);
        }
        lido_savepoint (db)
            insert(db, 7);
    }
    saw_status("transaction", outcome);
    saw_items(engine);
}

static void story_of_what_became_of_a_savepoint(lido_engine *engine) {
    lido_status outcome;
    lido_status status;
    lido_error error;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        lido_savepoint_outcome (db, &status) {
            saw_status("so far", status);
            insert(db, 1);
        }
        saw_status("kept", status);
        lido_savepoint_outcome (db, &error)
            insert(db, 1);
        saw_status(lido_category_name(error.category), error.status);
        lido_savepoint_outcome (db, &error)
            insert(db, 2);
        saw_status(lido_category_name(error.category), error.status);
        lido_savepoint_outcome (db, &error)
            lido_fail(db, "no more lamps");
        saw_status(error.message, error.status);
        lido_savepoint_outcome (db, &error) {
            insert(db, 3);
            break;
        }
        saw_status(error.message, error.status);
        saw("failed %d", lido_failed(db));
    }
    saw_status("transaction", outcome);
    saw_items(engine);
}

static void break_out(lido_engine *engine, lido_status *outcome) {
    lido_transaction (db, engine, outcome) {
        insert(db, 1);
        lido_savepoint (db) {
            insert(db, 2);
            break; /* the savepoint alone */
        }
        saw_items_in(db, "after break");
        lido_savepoint (db) {
            insert(db, 3);
            continue;
        }
        saw_items_in(db, "after continue");
        lido_savepoint (db) {
            insert(db, 4);
            goto after;
        }
    after:
        saw_items_in(db, "after goto");
        lido_savepoint (db)
            lido_savepoint (db) {
                insert(db, 5);
                return; /* out of all of them */
            }
    }
}

static void story_of_leaving_a_savepoint(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    break_out(engine, &outcome);
    saw_status("transaction", outcome);
    saw_items(engine);
}

static void story_of_a_savepoint_in_a_loop(lido_engine *engine) {
    static const int ids[] = {1, 2, 1, 3, 2, 4};
    lido_status outcome;
    int failed = 0;
    make_items(engine);
    lido_transaction (db, engine, &outcome)
        for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
            lido_status kept;
            lido_savepoint_outcome (db, &kept)
                insert(db, ids[i]);
            failed += kept != LIDO_OK;
        }
    saw("failed %d", failed);
    saw_status("transaction", outcome);
    saw_items(engine);
}

static void story_of_a_savepoint_without_a_transaction(lido_engine *engine) {
    lido_error error;
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_savepoint_outcome (db, &error)
        saw("never seen");
    saw_status(lido_category_name(error.category), error.status);
    lido_session_close(db);
}

/* ---- By hand ---- */

static void story_of_savepoints_by_hand(lido_engine *engine) {
    lido_error error;
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    insert(db, 1);
    int first = lido_savepoint_begin(db);
    insert(db, 2);
    int second = lido_savepoint_begin(db);
    insert(db, 3);
    saw("numbers %d %d", first, second);
    lido_savepoint_rollback(db, second);
    saw_items_in(db, "second undone");
    insert(db, 2);
    saw_status("first", lido_savepoint_release(db, first, &error));
    saw("because: %s", lido_category_name(error.category));
    saw_items_in(db, "first undone");
    saw("number %d", lido_savepoint_begin(db));
    insert(db, 4);
    saw_status("released", lido_savepoint_release(db, 1, &error));
    saw_status("told", error.status);
    saw_status("transaction", lido_commit(db));
    lido_session_close(db);
    saw_items(engine);
}

static void story_of_an_outer_savepoint_that_ends_the_inner(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    int outer = lido_savepoint_begin(db);
    insert(db, 1);
    int inner = lido_savepoint_begin(db);
    insert(db, 2);
    saw_status("outer", lido_savepoint_release(db, outer, NULL));
    saw_status("inner", lido_savepoint_release(db, inner, NULL));
    saw("failed %d", lido_failed(db));
    outer = lido_savepoint_begin(db);
    insert(db, 3);
    inner = lido_savepoint_begin(db);
    insert(db, 3);
    lido_savepoint_rollback(db, outer);
    saw("failed %d", lido_failed(db));
    saw_error(db);
    saw_status("inner", lido_savepoint_release(db, inner, NULL));
    lido_savepoint_rollback(db, inner);
    lido_savepoint_rollback(db, 0);
    lido_savepoint_rollback(db, -1);
    saw_items_in(db, "before commit");
    saw_status("transaction", lido_commit(db));
    lido_session_close(db);
}

static void story_of_a_commit_with_savepoints_open(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_savepoint_begin(db);
    insert(db, 1);
    lido_savepoint_begin(db);
    insert(db, 2);
    saw_status("transaction", lido_commit(db));
    saw("number %d", lido_savepoint_begin(db));
    insert(db, 3);
    lido_rollback(db);
    saw("number %d", lido_savepoint_begin(db));
    lido_session_close(db);
    saw_items(engine);
}

/* A savepoint that was released must not be mistaken for a new one of the same number. */
static void story_of_a_new_savepoint_left_at_once(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        lido_savepoint (db)
            insert(db, 1);
        lido_savepoint (db)
            break;
        lido_savepoint (db) {
            send_insert(db, 2);
            break;
        }
        lido_savepoint (db)
            lido_fail(db, "changed my mind");
        lido_savepoint (db)
            insert(db, 3);
        lido_savepoint (db) {
            lido_savepoint (db)
                insert(db, 4);
            lido_savepoint (db)
                lido_fail(db, "changed my mind again");
        }
        lido_savepoint (db) {
            lido_savepoint (db)
                insert(db, 5);
            break;
        }
        saw("failed %d", lido_failed(db));
    }
    saw_status("transaction", outcome);
    saw_items(engine);
}

/* ---- At the edge ---- */

static void story_of_the_last_key_in_a_savepoint(lido_engine *engine) {
    lido_status outcome;
    lido_status inner;
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "CREATE TABLE plain (name text)");
        lido_savepoint_outcome (db, &inner)
            saw("last key %d", (int)lido_last_key(db)); /* nothing was inserted yet */
        saw_status("savepoint", inner);
        saw("failed %d", lido_failed(db));
    }
    saw_status("transaction", outcome);
}

/* The whole transaction waits for a connection, also what was sent before the savepoint: without one all of it is lost,
 * and what follows must not run as if it had begun. */
/* Who writes on SQLite waits for its turn, and only then for a connection. */
static const char *what_there_is_none_of(lido_category category) {
    bool none = category == (scenario_is_postgres() ? LIDO_ERROR_POOL_EXHAUSTED : LIDO_ERROR_BUSY);
    return none ? "no connection" : lido_category_name(category);
}

static void story_of_no_connection_for_a_savepoint(lido_engine *unused) {
    (void)unused;
    lido_error outcome;
    lido_error inner;
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 20;
    lido_engine *engine = scenario_engine(&options);
    make_items(engine);
    lido_session *holder = lido_session_open(engine, NULL);
    assert_int_equal(lido_exec(holder, "DELETE FROM items"), 0);
    lido_transaction (db, engine, &outcome) {
        send_insert(db, 1);
        lido_savepoint_outcome (db, &inner)
            insert(db, 2);
        saw_status(what_there_is_none_of(inner.category), inner.status);
        lido_rollback(holder);
        insert(db, 3);
    }
    saw_status(what_there_is_none_of(outcome.category), outcome.status);
    lido_session_close(holder);
    saw_items(engine);
    lido_engine_close(engine);
}

int main(void) {
    const scenario scenarios[] = {
        {"an error inside a savepoint is cleared", story_of_an_error_inside,
         "inside failed 1\n"
         "after failed 0\n"
         "transaction: ok\n"
         "stands: 1 4\n"},
        {"an error outside a savepoint is not", story_of_an_error_outside,
         "runs\n"
         "savepoint: rolled back\n"
         "savepoint: rolled back\n"
         "still failed 1\n"
         "transaction: rolled back\n"
         "stands:\n"},
        {"savepoints nest", story_of_nested_savepoints,
         "transaction: ok\n"
         "stands: 1 2 6 7\n"},
        {"what became of a savepoint", story_of_what_became_of_a_savepoint,
         "so far: rolled back\n"
         "kept: ok\n"
         "unique violation: rolled back\n"
         "no error: ok\n"
         "no more lamps: rolled back\n"
         "the block was left before its end: rolled back\n"
         "failed 0\n"
         "transaction: ok\n"
         "stands: 1 2\n"},
        {"leaving a savepoint by break, continue, goto and return", story_of_leaving_a_savepoint,
         "after break: 1\n"
         "after continue: 1 3\n"
         "after goto: 1 3\n"
         "transaction: rolled back\n"
         "stands:\n"},
        {"a savepoint for each turn of a loop", story_of_a_savepoint_in_a_loop,
         "failed 2\n"
         "transaction: ok\n"
         "stands: 1 2 3 4\n"},
        {"no savepoint in autocommit mode", story_of_a_savepoint_without_a_transaction, "misuse: rolled back\n"},
        {"savepoints by hand", story_of_savepoints_by_hand,
         "numbers 1 2\n"
         "second undone: 1 2\n"
         "first: rolled back\n"
         "because: unique violation\n"
         "first undone: 1\n"
         "number 1\n"
         "released: ok\n"
         "told: ok\n"
         "transaction: ok\n"
         "stands: 1 4\n"},
        {"an outer savepoint ends those inside it", story_of_an_outer_savepoint_that_ends_the_inner,
         "outer: ok\n"
         "inner: error\n"
         "failed 0\n"
         "failed 0\n"
         "no error\n"
         "inner: error\n"
         "before commit: 1 2\n"
         "transaction: ok\n"},
        {"savepoints still open end with the transaction", story_of_a_commit_with_savepoints_open,
         "transaction: ok\n"
         "number 1\n"
         "number 1\n"
         "stands: 1 2\n"},
        {"a new savepoint left at once", story_of_a_new_savepoint_left_at_once,
         "failed 0\n"
         "transaction: ok\n"
         "stands: 1 3 4\n"},
        {"no connection for a savepoint", story_of_no_connection_for_a_savepoint,
         "no connection: rolled back\n"
         "no connection: rolled back\n"
         "stands:\n"},
        {"a failed last key is cleared by its savepoint", story_of_the_last_key_in_a_savepoint,
         "last key 0\n"
         "savepoint: rolled back\n"
         "failed 0\n"
         "transaction: ok\n"},
    };
    return scenarios_run("savepoint", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
