/* Sessions that only read, in autocommit mode, in tasks of an engine with lanes: they see what others see, share a few
 * connections, and are refused what others are refused. On SQLite the setting means nothing, and nothing changes. */
#include "support/items.h"

#include <stdlib.h>
#include <string.h>

#define READS \
    &(lido_session_options) { \
        .read_only = true, .autocommit = true \
    }

enum { CROWD = 40 };

static lido_engine *lanes_of(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.lanes = 2;
    options.application_name = "lido lanes";
    return scenario_is_postgres() ? scenario_engine(&options) : engine;
}

static void close_lanes(lido_engine *lanes, const lido_engine *engine) {
    if (lanes != engine)
        lido_engine_close(lanes);
}

static void make_three(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "table");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

typedef struct reader {
    lido_engine *engine;
    int64_t id;
    int64_t found;
    const char *sql;
    lido_category category;
} reader;

static void *read_one(void *argument) {
    reader *self = argument;
    lido_session *db = lido_session_open(self->engine, READS);
    for (int i = 0; i < 5; i++)
        self->found += lido_query_value(db, self->sql, self->id).as.integer;
    self->category = lido_error_of(db)->category;
    lido_session_close(db);
    return NULL;
}

/* One after the other, or, in a task, all at once. */
static void run_all(reader *readers, int count) {
    lido_task *tasks[CROWD];
    for (int i = 0; i < count && !scenario_in_task(); i++)
        read_one(&readers[i]);
    for (int i = 0; i < count && scenario_in_task(); i++)
        tasks[i] = lido_spawn(scenario_loop(), read_one, &readers[i]);
    for (int i = 0; i < count && scenario_in_task(); i++)
        lido_task_join(tasks[i], NULL);
}

static void many_read_at_once(lido_engine *engine) {
    reader readers[CROWD];
    int right = 0;
    lido_engine *lanes = lanes_of(engine);
    make_three(engine);
    for (int i = 0; i < CROWD; i++)
        readers[i] = (reader){.engine = lanes, .id = i % 3 + 1, .sql = "SELECT id * 10 FROM items WHERE id = ?"};
    run_all(readers, CROWD);
    for (int i = 0; i < CROWD; i++)
        right += readers[i].category == LIDO_ERROR_NONE && readers[i].found == readers[i].id * 50;
    saw("%d of %d were right", right, CROWD);
    if (scenario_is_postgres() && scenario_in_task()) {
        lido_pool_stats stats;
        lido_engine_stats(lanes, &stats);
        saw("connections: %s", stats.connects <= 2 ? "few" : "many");
    } else {
        saw("connections: few");
    }
    close_lanes(lanes, engine);
}

/* Every other one asks for what is not there. */
static void who_fails_fails_alone(lido_engine *engine) {
    reader readers[CROWD];
    int right = 0;
    int wrong = 0;
    lido_engine *lanes = lanes_of(engine);
    make_three(engine);
    for (int i = 0; i < CROWD; i++)
        readers[i] =
            (reader){.engine = lanes,
                     .id = i % 3 + 1,
                     .sql = i % 2 == 0 ? "SELECT id FROM items WHERE id = ?" : "SELECT id FROM nothing WHERE id = ?"};
    run_all(readers, CROWD);
    for (int i = 0; i < CROWD; i++) {
        right += i % 2 == 0 && readers[i].category == LIDO_ERROR_NONE && readers[i].found == readers[i].id * 5;
        wrong += i % 2 == 1 && readers[i].category == LIDO_ERROR_SYNTAX && readers[i].found == 0;
    }
    saw("%d right, %d wrong", right, wrong);
    close_lanes(lanes, engine);
}

static void a_write_is_refused(lido_engine *engine) {
    lido_engine *lanes = lanes_of(engine);
    make_three(engine);
    lido_session *db = lido_session_open(lanes, READS);
    lido_exec(db, "INSERT INTO items (id, name) VALUES (9, 'sofa')");
    saw_error(db);
    saw("%d items", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
    saw_error(db);
    lido_session_close(db);
    close_lanes(lanes, engine);
}

/* What another has committed is seen by the next statement. */
static void what_is_committed_is_seen(lido_engine *engine) {
    lido_engine *lanes = lanes_of(engine);
    make_three(engine);
    lido_session *db = lido_session_open(lanes, READS);
    for (int i = 0; i < 3; i++) {
        lido_transaction (writer, engine, (lido_status *)NULL)
            lido_exec(writer, "INSERT INTO items (id, name) VALUES (?, 'more')", 100 + i);
        saw("%d", (int)lido_query_value(db, "SELECT count(*) FROM items WHERE name = 'more'").as.integer);
    }
    lido_session_close(db);
    close_lanes(lanes, engine);
}

static void rows_outlive_the_next_statement(lido_engine *engine) {
    lido_engine *lanes = lanes_of(engine);
    make_three(engine);
    lido_session *db = lido_session_open(lanes, READS);
    lido_rows *first = lido_query(db, "SELECT name FROM items ORDER BY id");
    lido_rows *second = lido_query(db, "SELECT name FROM items ORDER BY id DESC");
    while (lido_next(first) && lido_next(second))
        saw("%s, %s", lido_get_text(first, 0), lido_get_text(second, 0));
    lido_session_close(db);
    close_lanes(lanes, engine);
}

/* What stays on a connection is not for a shared one. */
static void settings_stay_with_who_made_them(lido_engine *engine) {
    lido_engine *lanes = lanes_of(engine);
    make_three(engine);
    lido_session *db = lido_session_open(lanes, READS);
    if (scenario_is_postgres() && scenario_in_task()) {
        lido_query_value(db, "SELECT set_config('application_name', 'somebody', false)");
        lido_query_value(db, "SELECT pg_advisory_lock(4711)");
        saw("%s", lido_query_value(db, "SELECT current_setting('application_name')").as.text);
        lido_query_value(db, "SELECT pg_advisory_unlock(4711)");
    } else {
        saw("lido lanes");
    }
    lido_session_close(db);
    close_lanes(lanes, engine);
}

/* The engine may go before the loop, and its lanes with it. */
static void an_engine_goes_before_its_loop(lido_engine *engine) {
    make_three(engine);
    for (int i = 0; i < 3; i++) {
        lido_engine *lanes = lanes_of(engine);
        lido_session *db = lido_session_open(lanes, READS);
        saw("%d", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
        lido_session_close(db);
        close_lanes(lanes, engine);
    }
}

static const scenario scenarios[] = {
    {"many read at once", many_read_at_once, "40 of 40 were right\nconnections: few\n"},
    {"who fails fails alone", who_fails_fails_alone, "20 right, 20 wrong\n"},
    {"a write is refused", a_write_is_refused, "read-only\n3 items\nno error\n"},
    {"what is committed is seen", what_is_committed_is_seen, "1\n2\n3\n"},
    {"rows outlive the next statement", rows_outlive_the_next_statement, "lamp, table\nchair, chair\ntable, lamp\n"},
    {"settings stay with who made them", settings_stay_with_who_made_them, "lido lanes\n"},
    {"an engine goes before its loop", an_engine_goes_before_its_loop, "3\n3\n3\n"},
};

int main(void) {
    return scenarios_run("lanes", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
