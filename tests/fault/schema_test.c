/* Workers that start at once: each makes all tables, and checks them, and finds them whole. */
#include "child.h"

#include <string.h>

enum { WORKERS = 6, ROUNDS = 4 };

typedef struct Owner {
    int64_t id;
    const char *name;
    const lido_uuid *favourite_id;
} Owner;

typedef struct Item {
    lido_uuid id;
    const char *name;
    int64_t owner_id;
} Item;

LIDO_MODEL_DECLARE(Item);
LIDO_MODEL(Owner, "worker_owners", LIDO_KEY(Owner, id), LIDO_FIELD(Owner, name, .unique = true),
           LIDO_REF(Owner, favourite_id, Item));
LIDO_MODEL(Item, "worker_items", LIDO_KEY(Item, id), LIDO_FIELD(Item, name, .index = true),
           LIDO_REF(Item, owner_id, Owner, .on_delete = LIDO_CASCADE));

#define ALL LIDO_MODEL_LIST(&Item_model, &Owner_model)

static bool makes_all(const char *url, lido_isolation isolation, bool autocommit) {
    lido_engine *engine = lido_engine_open(url, NULL, NULL);
    lido_session *db =
        lido_session_open(engine, &(lido_session_options){.isolation = isolation, .autocommit = autocommit});
    bool made = lido_create_all(db, ALL) && lido_commit(db) == LIDO_OK;
    const lido_differences *found = lido_check_schema(db, ALL);
    if (!made || found == NULL)
        lido_error_print(lido_error_of(db), stderr);
    bool whole = found != NULL && found->count == 0;
    lido_session_close(db);
    lido_engine_close(engine);
    return made && whole;
}

static void work(const char *url, int number, int start) {
    char word;
    lido_isolation isolation = number % 3 == 0 ? LIDO_SERIALISABLE : LIDO_ISOLATION_DEFAULT;
    CHILD_EXPECT(read(start, &word, 1) == 0); /* until the parent closes its end */
    CHILD_EXPECT(makes_all(url, isolation, number % 2 == 0));
    _exit(0);
}

static void start_workers(const char *url) {
    pid_t children[WORKERS];
    int start[2];
    assert_int_equal(pipe(start), 0);
    for (int i = 0; i < WORKERS; i++) {
        children[i] = fork_surely();
        if (children[i] == 0) {
            close(start[1]);
            work(url, i, start[0]);
        }
    }
    close(start[0]);
    close(start[1]);
    for (int i = 0; i < WORKERS; i++)
        expect_good_end(children[i]);
}

static void workers_that_start_at_once_make_one_schema(const char *url) {
    for (int i = 0; i < ROUNDS; i++) {
        start_workers(url);
        lido_engine *engine = open_surely(url, NULL);
        lido_session *db = open_autocommit(engine);
        assert_true(lido_drop_all(db, ALL));
        lido_session_close(db);
        lido_engine_close(engine);
    }
}

static void on_a_file(void **state) {
    (void)state;
    workers_that_start_at_once_make_one_schema(file_url("workers.db"));
}

static void on_postgres(void **state) {
    (void)state;
    workers_that_start_at_once_make_one_schema(postgres_url());
}

/* One is killed while it has the tables made and not committed; the others go on. */
static void a_worker_that_dies_leaves_nothing(const char *url) {
    int ready[2];
    char word;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork_surely();
    if (child == 0) {
        lido_engine *engine = lido_engine_open(url, NULL, NULL);
        lido_session *db = lido_session_open(engine, NULL);
        CHILD_EXPECT(lido_create_all(db, ALL));
        CHILD_EXPECT(write(ready[1], "r", 1) == 1);
        pause();
    }
    assert_int_equal(read(ready[0], &word, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    lido_engine *engine = open_surely(url, NULL);
    lido_session *db = open_autocommit(engine);
    const lido_differences *found = lido_check_schema(db, ALL);
    assert_non_null(found);
    assert_int_equal(found->count, 2);
    assert_true(lido_create_all(db, ALL));
    assert_true(lido_drop_all(db, ALL));
    lido_session_close(db);
    lido_engine_close(engine);
}

static void death_on_a_file(void **state) {
    (void)state;
    a_worker_that_dies_leaves_nothing(file_url("death.db"));
}

static void death_on_postgres(void **state) {
    (void)state;
    a_worker_that_dies_leaves_nothing(postgres_url());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_file),
        cmocka_unit_test(on_postgres),
        cmocka_unit_test(death_on_a_file),
        cmocka_unit_test(death_on_postgres),
    };
    return cmocka_run_group_tests_name("schema", tests, make_folder, remove_folder);
}
