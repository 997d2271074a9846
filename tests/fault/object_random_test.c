/* Random sequences of what can be done with a session's objects, beside a plain table in memory that says what must
 * come of it: which rows there are for the session, and which for others. */
#include "databases.h"

#include <stdbool.h>
#include <string.h>

#include "support/chance.h"

enum { KEYS = 12, SAVEPOINTS_MOST = 3, SEQUENCES = 60, STEPS = 120, TEXT_MOST = 8 };

typedef struct Thing {
    int id;
    const char *name;
    int64_t amount;
    const int64_t *extra;
    int version;
} Thing;

LIDO_MODEL(Thing, "things", LIDO_KEY(Thing, id), LIDO_FIELD(Thing, name), LIDO_FIELD(Thing, amount),
           LIDO_FIELD(Thing, extra), LIDO_ROW_VERSION(Thing, version));

static const char table[] =
    "DROP TABLE IF EXISTS things; CREATE TABLE things (id integer PRIMARY KEY, name text NOT NULL, amount bigint NOT "
    "NULL, extra bigint, version integer NOT NULL)";

/* A row as it must be. */
typedef struct expected {
    bool exists;
    char name[TEXT_MOST];
    int64_t amount;
    bool has_extra;
    int64_t extra;
} expected;

/* All rows, for somebody. */
typedef struct world {
    expected rows[KEYS];
} world;

typedef struct playing {
    uint64_t chance;
    lido_engine *engine;
    lido_session *db;
    world committed;
    world now; /* the session's, with what is not flushed */
    world at[SAVEPOINTS_MOST + 1];
    int savepoints;
} playing;

/* ---- Changing both ---- */

static void make_name(playing *on, char name[TEXT_MOST]) {
    size_t size = draw_below(&on->chance, TEXT_MOST);
    for (size_t i = 0; i < size; i++)
        name[i] = (char)('a' + draw_below(&on->chance, 26));
    name[size] = '\0';
}

static void add(playing *on, int id, expected *row) {
    *row = (expected){.exists = true, .amount = draw_below(&on->chance, 5)};
    make_name(on, row->name);
    assert_non_null(lido_add(on->db, Thing, &(Thing){.id = id, .name = row->name, .amount = row->amount}));
}

static void change(playing *on, Thing *thing, expected *row) {
    switch (draw_below(&on->chance, 4)) {
    case 0:
        make_name(on, row->name);
        thing->name = lido_keep_text(on->db, row->name);
        break;
    case 1:
        thing->amount = row->amount = draw_below(&on->chance, 5);
        break;
    case 2:
        row->has_extra = true;
        row->extra = draw_below(&on->chance, 5);
        thing->extra = lido_keep(on->db, row->extra);
        break;
    default:
        row->has_extra = false;
        thing->extra = NULL;
    }
}

static void touch(playing *on) {
    int id = (int)draw_below(&on->chance, KEYS);
    expected *row = &on->now.rows[id];
    Thing *thing = lido_fetch(on->db, Thing, id);
    expect_no_error(on->db);
    assert_int_equal(thing != NULL, row->exists);
    if (thing == NULL) {
        lido_flush(on->db); /* what was removed before has left its key */
        add(on, id, row);
    } else if (draw_below(&on->chance, 4) == 0) {
        assert_true(lido_remove(on->db, Thing, thing));
        row->exists = false;
    } else {
        change(on, thing, row);
    }
}

/* ---- Looking ---- */

static void check_row(int id, const Thing *found, const expected *row) {
    if (found->id != id || strcmp(found->name, row->name) != 0 || found->amount != row->amount ||
        (found->extra != NULL) != row->has_extra || (row->has_extra && *found->extra != row->extra))
        fail_msg("row %d is %s %lld and should be %s %lld", id, found->name, (long long)found->amount, row->name,
                 (long long)row->amount);
}

/* In the database, as a session sees it. */
static void check_rows(lido_session *db, const world *right) {
    int left = 0;
    for (int id = 0; id < KEYS; id++)
        left += right->rows[id].exists;
    lido_rows *rows = lido_query(db, "SELECT * FROM things");
    Thing found;
    memset(&found, 0, sizeof found);
    while (lido_next(rows) && lido_load(rows, Thing, &found)) {
        assert_in_range(found.id, 0, KEYS - 1);
        assert_true(right->rows[found.id].exists);
        check_row(found.id, &found, &right->rows[found.id]);
        left--;
    }
    expect_no_error(db);
    assert_int_equal(left, 0);
    lido_rows_close(rows);
}

static void check_objects(playing *on) {
    for (int id = 0; id < KEYS; id++) {
        const Thing *thing = lido_fetch(on->db, Thing, id);
        assert_int_equal(thing != NULL, on->now.rows[id].exists);
        if (thing != NULL)
            check_row(id, thing, &on->now.rows[id]);
    }
    assert_true(lido_flush(on->db));
    check_rows(on->db, &on->now);
}

static void check_others(playing *on) {
    lido_session *db = open_autocommit(on->engine);
    check_rows(db, &on->committed);
    lido_session_close(db);
}

/* ---- Ending ---- */

static void commit(playing *on) {
    lido_status outcome = lido_commit(on->db);
    if (outcome != LIDO_OK)
        lido_error_print(lido_error_of(on->db), stderr);
    assert_int_equal(outcome, LIDO_OK);
    on->committed = on->now;
    on->savepoints = 0;
    check_others(on);
}

static void roll_back(playing *on) {
    lido_rollback(on->db);
    on->now = on->committed;
    on->savepoints = 0;
    check_others(on);
}

static void begin_savepoint(playing *on) {
    if (on->savepoints == SAVEPOINTS_MOST)
        return;
    on->at[++on->savepoints] = on->now;
    assert_int_equal(lido_savepoint_begin(on->db), on->savepoints);
}

static void end_savepoint(playing *on) {
    if (on->savepoints == 0)
        return;
    int which = 1 + (int)draw_below(&on->chance, (unsigned)on->savepoints);
    switch (draw_below(&on->chance, 3)) {
    case 0:
        assert_int_equal(lido_savepoint_release(on->db, which, NULL), LIDO_OK);
        break;
    case 1:
        lido_fail(on->db, "chance would have it");
        if (which < on->savepoints) { /* it failed in the innermost one, which is in the others, too */
            lido_savepoint_rollback(on->db, which);
            on->now = on->at[which];
            break;
        }
        assert_int_equal(lido_savepoint_release(on->db, which, NULL), LIDO_ROLLED_BACK);
        on->now = on->at[which];
        break;
    default:
        lido_savepoint_rollback(on->db, which);
        on->now = on->at[which];
    }
    on->savepoints = which - 1;
}

static void step(playing *on) {
    switch (draw_below(&on->chance, 16)) {
    case 0:
        commit(on);
        return;
    case 1:
        roll_back(on);
        return;
    case 2:
        assert_true(lido_flush(on->db));
        return;
    case 3:
        check_objects(on);
        return;
    case 4:
        begin_savepoint(on);
        return;
    case 5:
        end_savepoint(on);
        return;
    case 6:
        assert_true(lido_forget(on->db));
        return;
    case 7:
        assert_int_equal(lido_find(on->db, Thing, NULL, "WHERE id < 0")[0] == NULL, 1);
        lido_find(on->db, Thing, NULL, "");
        return;
    default:
        touch(on);
    }
}

static void play(const char *url) {
    uint64_t seed = seed_of_test();
    playing on = {.engine = open_surely(url, NULL)};
    run_surely(on.engine, table);
    for (uint64_t sequence = 0; sequence < SEQUENCES; sequence++) {
        on.chance = chance_of(seed, sequence);
        on.db = lido_session_open(
            on.engine, &(lido_session_options){.autoflush = sequence % 2 == 1, .expire_on_commit = sequence % 3 == 1});
        for (int i = 0; i < STEPS; i++)
            step(&on);
        roll_back(&on);
        lido_session_close(on.db);
    }
    lido_engine_close(on.engine);
}

static void on_sqlite_in_memory(void **state) {
    (void)state;
    play("sqlite://");
}

static void on_postgresql(void **state) {
    (void)state;
    play(postgres_url());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_sqlite_in_memory), cmocka_unit_test(on_postgresql)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
