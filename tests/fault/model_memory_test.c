/* Memory that runs out while models are read, their tables made, compared and dropped, and objects found: at the first
 * allocation, at the second, and so on until nothing notices. Nothing crashes; what was refused is told as what it is,
 * and the same engine makes the tables afterwards. */
#include "databases.h"
#include "short_memory.h"

#include <string.h>

#include "model/plan.h"

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
LIDO_MODEL(Owner, "memory_owners", LIDO_KEY(Owner, id), LIDO_FIELD(Owner, name, .unique = true, .fallback = "'x'"),
           LIDO_REF(Owner, favourite_id, Item));
LIDO_MODEL(Item, "memory_items", LIDO_KEY(Item, id), LIDO_FIELD(Item, name, .index = true, .check = "name <> 'y'"),
           LIDO_REF(Item, owner_id, Owner, .on_delete = LIDO_CASCADE), LIDO_UNIQUE("owner_id", "name"));

#define ALL LIDO_MODEL_LIST(&Item_model, &Owner_model)

static void a_plan(void **state) {
    (void)state;
    const lido__plan *plan = NULL;
    long allocation = 1;
    for (; plan == NULL; allocation++) {
        lido_error error = LIDO_ERROR_INIT;
        long before = count_living();
        run_out_at(allocation, allocation % 2 == 1);
        plan = lido__plan_of(&Item_model, &error);
        memory_is_back();
        if (plan == NULL) {
            assert_int_equal(error.category, LIDO_ERROR_OUT_OF_MEMORY);
            assert_int_equal(count_living(), before);
        }
    }
    assert_true(allocation > 5);
    assert_string_equal(plan->column_list,
                        "\"memory_items\".\"id\", \"memory_items\".\"name\", \"memory_items\".\"owner_id\"");
}

/* Where what failed was the library's, the error says so; the databases have words of their own for it. */
static void expect_reason(const lido_session *db, bool done) {
    if (!done) {
        assert_true(lido_failed(db));
        assert_true(has_failed);
    }
}

static void all_at_once(lido_session *db) {
    bool made = lido_create_all(db, ALL);
    const lido_differences *found = made ? lido_check_schema(db, ALL) : NULL;
    bool dropped = found != NULL && lido_drop_all(db, ALL);
    expect_reason(db, dropped);
    if (found != NULL)
        assert_int_equal(found->count, 0);
}

static void works_again(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    assert_true(lido_create_all(db, ALL));
    const lido_differences *found = lido_check_schema(db, ALL);
    assert_non_null(found);
    assert_int_equal(found->count, 0);
    lido_session_close(db); /* which rolls back */
}

static void fails_everywhere(const char *url, long stride) {
    lido_engine *engine = open_surely(url, NULL);
    works_again(engine);
    long allocation = 1;
    for (bool failed = true; failed; allocation += stride) {
        lido_session *db = lido_session_open(engine, NULL);
        run_out_at(allocation, allocation % 2 == 1);
        all_at_once(db);
        failed = memory_is_back();
        lido_session_close(db);
        works_again(engine);
    }
    assert_true(allocation > 50);
    lido_engine_close(engine);
}

static void on_sqlite(void **state) {
    (void)state;
    fails_everywhere("sqlite://", 1);
}

static void on_postgres(void **state) {
    (void)state;
    fails_everywhere(postgres_url(), 7);
}

static void as_text(void **state) {
    (void)state;
    char text[4000];
    size_t size = 0;
    for (long allocation = 1; size == 0; allocation++) {
        lido_error error;
        long before = count_living();
        run_out_at(allocation, allocation % 2 == 1);
        size = lido_schema_ddl("postgresql", ALL, text, sizeof text, &error);
        memory_is_back();
        assert_true(count_living() - before <= 4); /* the plans stay */
        assert_int_equal(error.category, size == 0 ? LIDO_ERROR_OUT_OF_MEMORY : LIDO_ERROR_NONE);
    }
    assert_int_equal(size, strlen(text));
}

/* ---- Objects ---- */

enum { OWNERS = 300 };

static void make_owners(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    assert_true(lido_create_all(db, ALL));
    lido_exec(db, "INSERT INTO memory_owners (id, name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                  "WHERE i < 300) SELECT i, 'n' || i FROM n");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

/* One is found and changed, and all are there once. */
static void goes_on(lido_session *db, const char *name) {
    size_t count;
    Owner *one = lido_first(db, Owner, "WHERE id = ?", 250);
    assert_non_null(one);
    one->name = name;
    assert_true(lido_flush(db));
    Owner **all = lido_find(db, Owner, &count, "ORDER BY id");
    assert_int_equal(count, OWNERS);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(all[i]->id, i + 1);
    assert_ptr_equal(all[249], one);
}

/* Returns whether memory ran out. */
static bool find_without_memory(lido_engine *engine, bool autocommit, long allocation) {
    size_t count;
    char name[32];
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = autocommit});
    int savepoint = 0;
    snprintf(name, sizeof name, "changed %ld", allocation);
    if (!autocommit) {
        lido_exec(db, "SELECT 1");
        savepoint = lido_savepoint_begin(db);
    }
    run_out_at(allocation, allocation % 2 == 1);
    lido_find(db, Owner, &count, "");
    bool failed = memory_is_back();
    assert_true(failed || count == OWNERS);
    if (!autocommit)
        lido_savepoint_rollback(db, savepoint);
    if (!autocommit && lido_failed(db)) /* SQLite gave up the transaction, too */
        lido_rollback(db);
    goes_on(db, name);
    lido_session_close(db);
    return failed;
}

static void objects(void **state) {
    (void)state;
    lido_engine *engine = open_surely("sqlite://", NULL);
    make_owners(engine);
    for (int autocommit = 0; autocommit < 2; autocommit++) {
        long allocation = 1;
        while (find_without_memory(engine, autocommit != 0, allocation))
            allocation++;
        assert_true(allocation > 10);
    }
    lido_engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan),    cmocka_unit_test(as_text),     cmocka_unit_test(objects),
        cmocka_unit_test(on_sqlite), cmocka_unit_test(on_postgres),
    };
    return cmocka_run_group_tests_name("model_memory", tests, NULL, NULL);
}
