/* Transaction blocks: what commits, what rolls back, and what the outcome says. */
#include "support/items.h"

static void saw_ending(lido_status status) {
    saw("%s", lido_status_name(status));
}

static void saw_outcome(const lido_error *outcome) {
    saw("%s, %s: %s", lido_status_name(outcome->status), lido_category_name(outcome->category), outcome->message);
}

/* ---- Ways out of a block ---- */

static void story_of_falling_off_the_end(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        saw("runs, %s so far", lido_status_name(outcome));
        insert(db, 1);
    }
    saw_ending(outcome);
    saw_items(engine);
}

static void story_of_break(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        break;
    }
    saw_ending(outcome);
    saw_items(engine);
}

static int return_from_block(lido_engine *engine, lido_status *outcome) {
    lido_transaction (db, engine, outcome) {
        insert(db, 1);
        return (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer;
    }
    return -1;
}

static void story_of_return(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    saw("returned %d", return_from_block(engine, &outcome));
    saw_ending(outcome);
    saw_items(engine);
}

static void story_of_goto(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        if (!lido_failed(db))
            goto out;
        saw("never seen");
    }
out:
    saw_ending(outcome);
    saw_items(engine);
}

static void story_of_continue(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        if (!lido_failed(db))
            continue;
        saw("never seen");
    }
    saw_ending(outcome);
    saw_items(engine);
}

static void story_of_a_loop_inside(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome)
        for (int id = 1;; id++) {
            if (id == 2)
                continue;
            if (id == 4)
                break; /* leaves the loop alone */
            insert(db, id);
        }
    saw_ending(outcome);
    saw_items(engine);
}

static void story_of_a_failed_statement(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        insert(db, 1);
        insert(db, 2);
        saw("at the end");
    }
    saw_ending(outcome);
    saw_items(engine);
}

static void story_of_block_after_block(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    for (int id = 1; id <= 3; id++)
        lido_transaction (db, engine, &outcome) {
            insert(db, id);
            if (id == 2)
                break; /* this block, not the loop */
        }
    saw_items(engine);
}

static void story_of_two_blocks_at_once(lido_engine *engine) {
    lido_status outer;
    lido_status inner;
    make_items(engine);
    lido_transaction (first, engine, &outer) {
        lido_transaction (second, engine, &inner) {
            insert(second, 1);
        }
        saw_ending(inner);
        insert(first, 2);
        break;
    }
    saw_ending(outer);
    saw_items(engine);
}

/* ---- What the outcome says ---- */

static void story_of_an_outcome_with_an_error(lido_engine *engine) {
    lido_error outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        saw_ending(outcome.status);
        insert(db, 1);
    }
    saw_outcome(&outcome);
    lido_transaction (db, engine, &outcome)
        break;
    saw_outcome(&outcome);
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO items VALUES (?, 'lamp')", 1);
        break;
    }
    saw("%s, %s", lido_status_name(outcome.status), lido_category_name(outcome.category));
    saw("%s, here %d", outcome.statement, strcmp(outcome.file, __FILE__) == 0);
    lido_transaction (db, engine, &outcome)
        lido_fail(db, "the shop is closed");
    saw_outcome(&outcome);
    saw_items(engine);
}

static void story_of_a_database_that_is_not_there(lido_engine *unused) {
    (void)unused;
    lido_error outcome;
    lido_engine *nowhere = lido_engine_open("sqlite:////nowhere/at/all/items.db", NULL, &outcome);
    lido_transaction (db, nowhere, &outcome) {
        insert(db, 1);
        saw("goes on");
    }
    saw("%s, %s", lido_status_name(outcome.status), lido_category_name(outcome.category));
    saw("%s", outcome.doing);
    lido_engine_close(nowhere);
}

/* ---- Ending it by hand ---- */

static void story_of_a_commit_within(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        saw("within: %s", lido_status_name(lido_commit(db)));
    }
    saw_ending(outcome);
    lido_transaction (db, engine, &outcome) {
        insert(db, 2);
        saw("within: %s", lido_status_name(lido_commit(db)));
        insert(db, 3);
    }
    saw_ending(outcome);
    lido_transaction (db, engine, &outcome) {
        insert(db, 4);
        saw("within: %s", lido_status_name(lido_commit(db)));
        insert(db, 5);
        break;
    }
    saw_ending(outcome);
    lido_transaction (db, engine, &outcome) {
        insert(db, 6);
        lido_commit(db);
        break; /* with nothing left to roll back */
    }
    saw_ending(outcome);
    saw_items(engine);
}

static void story_of_a_commit_within_that_fails(lido_engine *engine) {
    lido_error outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        insert(db, 1);
        saw("within: %s", lido_status_name(lido_commit(db)));
    }
    saw("%s, %s", lido_status_name(outcome.status), lido_category_name(outcome.category));
    saw_items(engine);
}

static void story_of_a_rollback_within(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        insert(db, 1);
        lido_rollback(db);
    }
    saw_ending(outcome);
    lido_transaction (db, engine, &outcome) {
        insert(db, 2);
        insert(db, 2);
        lido_rollback(db);
        insert(db, 3);
    }
    saw_ending(outcome);
    saw_items(engine);
}

static void story_of_at_end(lido_engine *engine) {
    static const lido_at_end ends[] = {LIDO_AT_END_DEFAULT, LIDO_AT_END_COMMIT, LIDO_AT_END_ROLLBACK};
    lido_status outcome;
    make_items(engine);
    for (int i = 0; i < 3; i++) {
        const lido_session_options options = {.at_end = ends[i]};
        lido_transaction_with (db, engine, &options, &outcome)
            insert(db, 10 * i + 1);
        saw("fell off: %s", lido_status_name(outcome));
        lido_transaction_with (db, engine, &options, &outcome) {
            insert(db, 10 * i + 2);
            break;
        }
        saw("left: %s", lido_status_name(outcome));
        lido_transaction_with (db, engine, &options, &outcome) {
            insert(db, 10 * i + 3);
            lido_commit(db);
        }
        saw("by hand: %s", lido_status_name(outcome));
    }
    saw_items(engine);
}

static void story_of_an_autocommit_block(lido_engine *engine) {
    lido_status outcome;
    const lido_session_options options = {.autocommit = true};
    make_items(engine);
    lido_transaction_with (db, engine, &options, &outcome) {
        insert(db, 1);
        insert(db, 1);
        insert(db, 2);
        lido_send(db, "INSERT INTO items VALUES (3, 'sent')");
    }
    saw_ending(outcome);
    saw_items(engine);
}

/* ---- At the edge of the database ---- */

/* The name leads nowhere: whoever asked the database would fail. */
static void story_of_an_empty_transaction(lido_engine *unused) {
    (void)unused;
    lido_status outcome;
    lido_engine *nowhere = lido_engine_open("sqlite:////nowhere/at/all/items.db", NULL, NULL);
    lido_transaction (db, nowhere, &outcome)
        saw("nothing to do");
    saw_ending(outcome);
    lido_transaction (db, nowhere, &outcome)
        lido_savepoint (db)
            saw("nor here");
    saw_ending(outcome);
    lido_session *db = lido_session_open(nowhere, NULL);
    lido_savepoint_begin(db);
    lido_savepoint_begin(db);
    saw_ending(lido_commit(db));
    lido_session_close(db);
    lido_engine_close(nowhere);
}

static void make_deferred(lido_engine *engine) {
    lido_status outcome;
    lido_transaction (db, engine, &outcome)
        lido_script(db, "CREATE TABLE owners (id integer PRIMARY KEY);"
                        "CREATE TABLE items (id integer PRIMARY KEY,"
                        " owner integer REFERENCES owners (id) DEFERRABLE INITIALLY DEFERRED)");
    assert_int_equal(outcome, LIDO_OK);
}

static void story_of_a_constraint_checked_at_commit(lido_engine *engine) {
    lido_error outcome;
    make_deferred(engine);
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO items VALUES (1, 7)");
        saw("failed %d", lido_failed(db));
        lido_exec(db, "INSERT INTO owners VALUES (7)");
    }
    saw_ending(outcome.status);
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO items VALUES (2, 8)");
        saw("failed %d", lido_failed(db));
    }
    saw("%s, %s %s", lido_status_name(outcome.status), lido_category_name(outcome.category), outcome.sqlstate);
    saw("%s", outcome.doing);
    saw_items(engine);
}

static void story_of_a_session_after_a_commit_that_failed(lido_engine *engine) {
    make_deferred(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_send(db, "INSERT INTO items VALUES (2, 8)");
    saw_ending(lido_commit(db));
    saw_error(db);
    lido_exec(db, "INSERT INTO items VALUES (3, NULL)");
    saw_ending(lido_commit(db));
    saw_error(db);
    lido_session_close(db);
    saw_items(engine);
}

int main(void) {
    const scenario scenarios[] = {
        {"falling off the end commits", story_of_falling_off_the_end,
         "runs, rolled back so far\n"
         "ok\n"
         "stands: 1\n"},
        {"break rolls back", story_of_break, "rolled back\nstands:\n"},
        {"return rolls back", story_of_return, "returned 1\nrolled back\nstands:\n"},
        {"goto rolls back", story_of_goto, "rolled back\nstands:\n"},
        {"continue is falling off the end", story_of_continue, "ok\nstands: 1\n"},
        {"break and continue in a loop inside", story_of_a_loop_inside, "ok\nstands: 1 3\n"},
        {"a failed statement rolls back", story_of_a_failed_statement, "at the end\nrolled back\nstands:\n"},
        {"block after block in a loop", story_of_block_after_block, "stands: 1 3\n"},
        {"two blocks at once are two transactions", story_of_two_blocks_at_once, "ok\nrolled back\nstands: 1\n"},
        {"an outcome that says why", story_of_an_outcome_with_an_error,
         "rolled back\n"
         "ok, no error: \n"
         "rolled back, no error: the block was left before its end\n"
         "rolled back, unique violation\n"
         "INSERT INTO items VALUES (?, 'lamp'), here 1\n"
         "rolled back, other error: the shop is closed\n"
         "stands: 1\n"},
        {"a database that is not there", story_of_a_database_that_is_not_there,
         "goes on\n"
         "rolled back, storage failure\n"
         "opening the database\n"},
        {"committing within a block", story_of_a_commit_within,
         "within: ok\nok\n"
         "within: ok\nok\n"
         "within: ok\nrolled back\n"
         "ok\n"
         "stands: 1 2 3 4 6\n"},
        {"committing within a block, in vain", story_of_a_commit_within_that_fails,
         "within: rolled back\n"
         "rolled back, unique violation\n"
         "stands:\n"},
        {"rolling back within a block", story_of_a_rollback_within,
         "rolled back\n"
         "ok\n"
         "stands: 3\n"},
        {"at_end decides what falling off does", story_of_at_end,
         "fell off: ok\nleft: rolled back\nby hand: ok\n"
         "fell off: ok\nleft: rolled back\nby hand: ok\n"
         "fell off: rolled back\nleft: rolled back\nby hand: ok\n"
         "stands: 1 3 11 13 23\n"},
        {"a block in autocommit mode", story_of_an_autocommit_block, "ok\nstands: 1 2 3\n"},
        {"an empty transaction never reaches the database", story_of_an_empty_transaction,
         "nothing to do\n"
         "ok\n"
         "nor here\n"
         "ok\n"
         "ok\n"},
        {"a constraint that is checked at commit", story_of_a_constraint_checked_at_commit,
         "failed 0\n"
         "ok\n"
         "failed 0\n"
         "rolled back, foreign key violation 23503\n"
         "committing\n"
         "stands: 1\n"},
        {"a session goes on after a commit that failed", story_of_a_session_after_a_commit_that_failed,
         "rolled back\n"
         "foreign key violation\n"
         "ok\n"
         "no error\n"
         "stands: 3\n"},
    };
    return scenarios_run("transaction", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
