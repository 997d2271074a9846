/* Memory that runs out in a task, at the first allocation, at the second, and so on: the same stories as in a thread,
 * and those of lanes, which are opened and used by it. Not on a SQLite file, where a task's work is done on other
 * threads, whose memory does not run out. */
#include "short_stories.h"

/* ---- Lanes ---- */

static const lido_session_options reads = {.read_only = true, .autocommit = true};

/* Whether what was read is right, if anything was. */
static bool reads_on_a_lane(lido_engine *engine, ending *ended, lido_status *status) {
    lido_session *db = lido_session_open(engine, &reads);
    bool right = true;
    for (int64_t id = 1; id <= 3; id++) {
        lido_rows *rows = lido_query(db, "SELECT name, price FROM lane_rows WHERE id = ? AND name REGEXP '^l'", id);
        const char *name = "";
        double price = 0;
        bool found = lido_next(rows) && lido_scan(rows, &name, &price);
        right = right && (lido_failed(db) || (found && strcmp(name, "lamp") == 0 && price == 12.5));
        lido_rows_close(rows);
        *status = end_of_statement(db, ended);
    }
    lido_session_close(db);
    return right;
}

typedef struct neighbour {
    lido_engine *engine;
    ending ended;
} neighbour;

static void *read_beside(void *argument) {
    neighbour *self = argument;
    self->ended.found_wrong = !reads_on_a_lane(self->engine, &self->ended, &self->ended.inner);
    return NULL;
}

/* Two tasks on them: this one, and one that it spawns, if there is memory for that. */
static void tell_lanes(lido_engine *engine, int64_t run, ending *ended) {
    (void)run;
    neighbour beside = {.engine = engine, .ended = new_ending()};
    lido_task *other = lido_spawn(loop_of_story, read_beside, &beside);
    ended->found_wrong = !reads_on_a_lane(engine, ended, &ended->status);
    if (other != NULL)
        lido_task_join(other, NULL);
    ended->inner = beside.ended.inner;
    ended->found_wrong |= beside.ended.found_wrong;
    if (beside.ended.error.status != LIDO_OK)
        ended->error = beside.ended.error;
}

static bool nothing_stands(const ending *ended, int64_t steps) {
    (void)ended;
    return steps == 0;
}

static const story lanes = {"reads on lanes", tell_lanes, nothing_stands};

/* ---- On each database ---- */

static void tell_in_tasks(const char *url) {
    const story *const stories[] = {&transaction, &statements, &bulk};
    for (int i = 0; i < 6; i++)
        tell_until_nothing_fails((telling){.url = url,
                                           .story = stories[i / 2],
                                           .ever_after = i % 2 != 0,
                                           .in_task = true,
                                           .run = INT64_C(1000000000) + i * 1000000});
}

static void a_task_on_sqlite_in_memory(void **state) {
    (void)state;
    tell_in_tasks(NULL);
}

static void a_task_on_postgresql(void **state) {
    (void)state;
    tell_in_tasks(prepared_server());
}

static void lanes_on_postgresql(void **state) {
    (void)state;
    const char *url = prepared_server();
    lido_engine *engine = open_surely(url, NULL);
    run_surely(engine, "DROP TABLE IF EXISTS lane_rows");
    run_surely(engine, "CREATE TABLE lane_rows (id bigint PRIMARY KEY, name text, price double precision)");
    run_surely(engine, "INSERT INTO lane_rows VALUES (1, 'lamp', 12.5), (2, 'lamp', 12.5), (3, 'lamp', 12.5)");
    for (int i = 0; i < 4; i++)
        tell_until_nothing_fails((telling){.url = url,
                                           .story = &lanes,
                                           .ever_after = i % 2 != 0,
                                           .from_opening = i / 2 != 0,
                                           .in_task = true,
                                           .lanes = 2,
                                           .run = INT64_C(2000000000) + i * 1000000});
    run_surely(engine, "DROP TABLE lane_rows");
    lido_engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_on_sqlite_in_memory),
        cmocka_unit_test(a_task_on_postgresql),
        cmocka_unit_test(lanes_on_postgresql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
