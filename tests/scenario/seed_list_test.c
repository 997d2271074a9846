/* Seeds from lists beside their models, and what a program does before it serves. */
#include "support/scenario.h"

#include <string.h>

#include "support/seed_folder.h"

typedef struct User {
    int64_t id;
    const char *name;
    const char *email;
} User;

typedef struct Item {
    lido_uuid id;
    const char *name;
    double price;
    const double *discount;
    int64_t owner_id;
    User *owner;
    const lido_uuid *part_of_id;
    struct Item *part_of;
    const char *state;
    lido_time created_at;
    int version;
} Item;

LIDO_MODEL(User, "users", LIDO_KEY(User, id), LIDO_FIELD(User, name, .unique = true),
           LIDO_FIELD(User, email, .nullable = true));

LIDO_MODEL(Item, "items", LIDO_KEY(Item, id), LIDO_FIELD(Item, name, .unique = true),
           LIDO_FIELD(Item, price, .check = "price >= 0"), LIDO_FIELD(Item, discount),
           LIDO_REF(Item, owner_id, User, LIDO_OBJECT(Item, owner)),
           LIDO_REF(Item, part_of_id, Item, LIDO_OBJECT(Item, part_of)), LIDO_FIELD(Item, state, .fallback = "'new'"),
           LIDO_FIELD(Item, created_at, .fallback = "CURRENT_TIMESTAMP"), LIDO_ROW_VERSION(Item, version));

LIDO_SEEDS(User, {.name = "ada", .email = "ada@example.org"}, {.name = "bob"}, {.id = 40, .name = "cara"});

LIDO_SEEDS(Item, {.name = "shade", .price = 4, .owner = &(User){.name = "ada"}, .part_of = &(Item){.name = "lamp"}},
           {.name = "lamp", .price = 12.5, .discount = &(const double){0.5}, .owner = &(User){.name = "ada"}},
           {.name = "chair", .owner_id = 40, .state = "old"});

/* The same, a year later. */
static const Item later_rows[] = {
    {.name = "lamp", .price = 13, .owner = &(User){.name = "bob"}},
    {.name = "chair", .owner_id = 40, .state = "worn"},
};
static const lido_seeds later = {&Item_model, 2, later_rows};

static void make_tables(lido_engine *engine) {
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        lido_create_all(db, LIDO_MODEL_LIST(&User_model, &Item_model));
    assert_int_equal(outcome.status, LIDO_OK);
}

static void seed(lido_engine *engine, size_t count, const lido_seeds *const *lists, bool update) {
    lido_error outcome;
    lido_seed_counts counts = {0};
    lido_transaction (db, engine, &outcome)
        lido_seed(db, count, lists, &(lido_seed_options){.update = update, .counts = &counts});
    if (outcome.status != LIDO_OK)
        saw("%s: %s", lido_category_name(outcome.category), outcome.message);
    else
        saw("inserted %d, updated %d, unchanged %d", (int)counts.inserted, (int)counts.updated, (int)counts.unchanged);
}

static void saw_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_query(db, "SELECT i.name, i.price, i.discount, u.name, w.name, i.state, i.version, "
                                     "i.created_at IS NULL FROM items i JOIN users u ON u.id = i.owner_id LEFT JOIN "
                                     "items w ON w.id = i.part_of_id ORDER BY i.name");
    while (lido_next(rows)) {
        const char *whole = lido_get_text(rows, 4);
        saw("%s %g %s of %s in %s, %s, version %d, %s", lido_get_text(rows, 0), lido_get_double(rows, 1),
            lido_is_null(rows, 2) ? "-" : lido_get_text(rows, 2), lido_get_text(rows, 3), whole != NULL ? whole : "-",
            lido_get_text(rows, 5), (int)lido_get_int64(rows, 6), lido_get_bool(rows, 7) ? "undated" : "dated");
    }
    lido_rows_close(rows);
    assert_false(lido_failed(db));
    lido_session_close(db);
}

static void story_of_lists(lido_engine *engine) {
    make_tables(engine);
    seed(engine, LIDO_SEED_LIST(&Item_seeds, &User_seeds), false);
    saw_items(engine);
    seed(engine, LIDO_SEED_LIST(&Item_seeds, &User_seeds), false);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "UPDATE items SET version = 7 WHERE name = 'lamp'");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    seed(engine, LIDO_SEED_LIST(&later), true);
    seed(engine, LIDO_SEED_LIST(&later), true);
    saw_items(engine);
}

static void story_of_wrong_lists(lido_engine *engine) {
    const Item nobody[] = {{.name = "a", .owner = &(User){.name = "ada"}},
                           {.name = "b", .owner = &(User){.name = "dora"}}};
    const Item unnamed[] = {{.name = "a", .owner = &(User){.id = 0}}};
    const Item by_email[] = {{.name = "a", .owner = &(User){.email = "ada@example.org"}}};
    static const Item cheap[] = {{.name = "a", .owner_id = 40}, {.name = "b", .owner_id = 40, .price = -1}};
    static const Item nameless[] = {{.price = 2, .owner_id = 40}};
    const lido_seeds wrong[] = {{&Item_model, 2, nobody}, {&Item_model, 1, unnamed},  {&Item_model, 1, by_email},
                                {&Item_model, 2, cheap},  {&Item_model, 1, nameless}, {&Item_model, 1, NULL}};
    make_tables(engine);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        lido_error outcome;
        lido_transaction (db, engine, &outcome)
            lido_seed(db, LIDO_SEED_LIST(&User_seeds, &wrong[i]), NULL);
        saw("%s: %.*s", lido_category_name(outcome.category), i == 3 ? 26 : 200, outcome.message);
    }
    lido_session *db = lido_session_open(engine, NULL);
    lido_seed(db, 1, NULL, NULL);
    saw("%s", lido_error_of(db)->message);
    lido_rollback(db);
    saw("%d of none", (int)lido_seed(db, 0, NULL, NULL));
    lido_session_close(db);
    saw_items(engine);
}

static void story_of_initialising(lido_engine *engine) {
    seed_folder folder = seed_folder_make();
    lido_error error;
    lido_seed_counts counts = {0};
    const lido_seeds *const lists[] = {&Item_seeds};
    const lido_initialise_options options = {
        .seed_count = 1, .seeds = lists, .directory = folder.path, .seed = {.counts = &counts}};
    seed_file(&folder, "users.csv", "id,name\n1,ada\n40,cara\n");
    saw("%s", lido_status_name(lido_verify(engine, &error)));
    for (int i = 0; i < 2; i++) {
        lido_status status = lido_initialise(engine, LIDO_MODEL_LIST(&Item_model, &User_model), &options, &error);
        saw("%s, inserted %d, unchanged %d", lido_status_name(status), (int)counts.inserted, (int)counts.unchanged);
    }
    saw_items(engine);
    saw("%s", lido_status_name(lido_initialise(engine, 0, NULL, NULL, NULL)));
    seed_folder_remove(&folder);
}

/* Nothing of it stands: not even the tables. */
static void story_of_initialising_in_vain(lido_engine *engine) {
    lido_error error;
    const lido_seeds *const lists[] = {&Item_seeds};
    lido_status status = lido_initialise(engine, LIDO_MODEL_LIST(&Item_model, &User_model),
                                         &(lido_initialise_options){.seed_count = 1, .seeds = lists}, &error);
    saw("%s, %s", lido_status_name(status), lido_category_name(error.category));
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "SELECT count(*) FROM users");
    saw_error(db);
    lido_session_close(db);
    lido_engine *nowhere = lido_engine_open("postgresql://x@127.0.0.1:1/x?connect_timeout=2s", NULL, NULL);
    saw("%s", lido_status_name(lido_verify(nowhere, &error)));
    saw("%s, %s", lido_status_name(lido_initialise(nowhere, 0, NULL, NULL, &error)),
        lido_category_name(error.category));
    lido_engine_close(nowhere);
}

typedef struct Shop {
    int64_t id;
    const char *name;
} Shop;

LIDO_MODEL(Shop, "attached.shops", LIDO_KEY(Shop, id), LIDO_FIELD(Shop, name, .unique = true));
LIDO_SEEDS(Shop, {.name = "corner"});

/* A table of the same name in the main file is not taken for it. */
static void story_of_a_schema(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, scenario_is_postgres() ? "CREATE SCHEMA attached" : "ATTACH ':memory:' AS attached");
    lido_exec(db, "CREATE TABLE shops (id integer PRIMARY KEY, name text UNIQUE)");
    lido_create_all(db, LIDO_MODEL_LIST(&Shop_model));
    lido_seed(db, LIDO_SEED_LIST(&Shop_seeds), NULL);
    assert_string_equal(
        lido_error_of(db)->message,
        scenario_is_postgres() ? "" : "the seeds of Shop: on SQLite seeds go into the main file, not into attached");
    assert_int_equal(lido_count(db, Shop, ""), scenario_is_postgres());
    saw("%d in the other", (int)lido_query_value(db, "SELECT count(*) FROM shops").as.integer);
    assert_int_equal(lido_failed(db), false);
    lido_session_close(db);
}

int main(void) {
    static const scenario scenarios[] = {
        {"lists beside their models", story_of_lists,
         "inserted 6, updated 0, unchanged 0\n"
         "chair 0 - of cara in -, old, version 1, dated\nlamp 12.5 0.5 of ada in -, new, version 1, dated\n"
         "shade 4 - of ada in lamp, new, version 1, dated\ninserted 0, updated 0, unchanged 6\n"
         "inserted 0, updated 2, unchanged 0\ninserted 0, updated 0, unchanged 2\n"
         "chair 0 - of cara in -, worn, version 2, dated\nlamp 13 - of bob in -, new, version 8, dated\n"
         "shade 4 - of ada in lamp, new, version 1, dated\n"},
        {"lists with something wrong in them", story_of_wrong_lists,
         "foreign key violation: the seeds of Item, row 2, column owner_id.name: there is no row of table users with "
         "name = dora\n"
         "type mismatch: the seeds of Item, row 1, column owner_id: the User that it refers to has no member set\n"
         "syntax error or unknown name: the seeds of Item, column owner_id.email: no unique key of table users is "
         "named, so several rows may be meant\n"
         "check violation: the seeds of Item, row 2: \n"
         "type mismatch: the seeds of Item, row 1, column name: NULL in the key by which the row would be recognised\n"
         "misuse: a list of seeds, its model or its rows are NULL\n"
         "the array of seeds is NULL\n0 of none\n"},
        {"initialising", story_of_initialising,
         "ok\nok, inserted 5, unchanged 0\nok, inserted 0, unchanged 5\n"
         "chair 0 - of cara in -, old, version 1, dated\nlamp 12.5 0.5 of ada in -, new, version 1, dated\n"
         "shade 4 - of ada in lamp, new, version 1, dated\nok\n"},
        {"a table in a schema", story_of_a_schema, "0 in the other\n"},
        {"initialising in vain", story_of_initialising_in_vain,
         "rolled back, foreign key violation\nsyntax error or unknown name\nerror\nerror, disconnected\n"},
    };
    return scenarios_run("seed_list", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
