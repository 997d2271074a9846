/* Tables made of models and dropped again, on either database. */
#include "support/models.h"

DEFINE_SHOP_MODELS;

/* ---- Making ---- */

static void story_of_a_shop(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    saw("made: %d", lido_create_all(db, SHOP));
    lido_exec(db, "INSERT INTO owners (name) VALUES ('ada')");
    lido_exec(db, "INSERT INTO items (id, name, owner_id, version) VALUES (?, 'lamp', 1, 1)", lido_uuid_new());
    lido_exec(db, "INSERT INTO tags (item_id, word) SELECT id, 'bright' FROM items");
    lido_exec(db, "INSERT INTO nodes VALUES ('/', NULL, NULL), ('/a', '/', 'first')");
    lido_rows *rows = lido_query(db, "SELECT price, state, created_at, weight FROM items JOIN tags ON item_id = id");
    double price;
    const char *state;
    lido_time created_at;
    int weight;
    while (lido_next(rows) && lido_scan(rows, &price, &state, &created_at, &weight))
        saw("%g %s %d %d", price, state, created_at.microseconds > INT64_C(1700000000000000), weight);
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
}

static void story_of_making_again(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE owners (id integer PRIMARY KEY, name text UNIQUE)");
    lido_exec(db, "INSERT INTO owners VALUES (7, 'ada')");
    saw("made: %d", lido_create_all(db, LIDO_MODEL_LIST(&Owner_model)));
    saw("and again: %d", lido_create_all(db, LIDO_MODEL_LIST(&Owner_model)));
    saw("%s", lido_query_value(db, "SELECT name FROM owners WHERE id = 7").as.text);
    saw_status("commit", lido_commit(db));
    saw("nothing: %d", lido_create_all(db, 0, NULL));
    lido_session_close(db);
}

static void story_of_a_session_that_commits_each_statement(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    saw("made: %d", lido_create_all(db, SHOP));
    saw("made again: %d", lido_create_all(db, SHOP));
    saw_differences(db, SHOP);
    saw("dropped: %d", lido_drop_all(db, SHOP));
    saw("dropped again: %d", lido_drop_all(db, SHOP));
    saw("missing: %zu", lido_check_schema(db, SHOP)->count);
    lido_session_close(db);
}

/* ---- What constraints are called ---- */

static void insert_wrongly(lido_session *db, const char *sql) {
    lido_error error;
    lido_savepoint_outcome (db, &error) {
        lido_execv(db, sql, 0, NULL);
    }
    saw("%s %s", lido_category_name(error.category), error.constraint);
}

#define ITEM "INSERT INTO items (id, name, owner_id, version, "

static void story_of_names(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_create_all(db, SHOP);
    lido_exec(db, "INSERT INTO owners (id, name) VALUES (1, 'ada')");
    lido_exec(db, ITEM "\"Code\") VALUES (?, 'lamp', 1, 1, 'L')", (lido_uuid){{1}});
    lido_exec(db, "INSERT INTO tags VALUES (?, 'a', 1)", (lido_uuid){{1}});
    insert_wrongly(db, "INSERT INTO owners (id, name) VALUES (1, 'bob')");
    insert_wrongly(db, "INSERT INTO owners (id, name) VALUES (2, 'ada')");
    insert_wrongly(db, "INSERT INTO tags SELECT * FROM tags");
    insert_wrongly(db, "INSERT INTO items (id, name, owner_id, version) SELECT id, 'chair', 1, 1 FROM items");
    insert_wrongly(db, ITEM "price) VALUES ('00000000-0000-0000-0000-000000000002', 'lamp', 1, 1, 1)");
    insert_wrongly(db, ITEM "\"Code\") VALUES ('00000000-0000-0000-0000-000000000002', 'chair', 1, 1, 'L')");
    insert_wrongly(db, ITEM "\"Code\") VALUES ('00000000-0000-0000-0000-000000000002', 'chair', 1, 1, 'l')");
    insert_wrongly(db, ITEM "price) VALUES ('00000000-0000-0000-0000-000000000002', 'chair', 1, 1, -1)");
    insert_wrongly(db, ITEM "state) VALUES ('00000000-0000-0000-0000-000000000002', 'chair', 1, 1, 'old')");
    insert_wrongly(db, ITEM "state) VALUES ('00000000-0000-0000-0000-000000000002', 'new', 1, 1, 'new')");
    insert_wrongly(db, ITEM "state) VALUES ('00000000-0000-0000-0000-000000000003', 'a', 1, 1, 'it''s'),"
                            " ('00000000-0000-0000-0000-000000000004', 'b', 1, 1, 'back\\slash')");
    lido_session_close(db);
}

typedef struct Long {
    lido_uuid id;
    const char *a;
    const char *b;
} Long;

#define LONG_NAME "a_table_with_a_name_of_sixty_bytes_that_leaves_no_room_at_all"

LIDO_MODEL(Long, LONG_NAME, LIDO_KEY(Long, id), LIDO_FIELD(Long, a, .check = "a <> 'x'"),
           LIDO_FIELD(Long, b, .unique = true), LIDO_UNIQUE("b", "a"), LIDO_INDEX("a", "b"));

static void story_of_long_names(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    saw("made: %d", lido_create_all(db, LIDO_MODEL_LIST(&Long_model)));
    lido_exec(db, "INSERT INTO " LONG_NAME " VALUES (?, 'a', 'b')", (lido_uuid){{1}});
    insert_wrongly(db, "INSERT INTO " LONG_NAME " VALUES ('00000000-0000-0000-0000-000000000001', 'x', 'c')");
    insert_wrongly(db, "INSERT INTO " LONG_NAME " VALUES ('00000000-0000-0000-0000-000000000002', 'c', 'b')");
    saw_differences(db, LIDO_MODEL_LIST(&Long_model));
    lido_session_close(db);
}

/* ---- Circles ---- */

static void story_of_a_circle(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_uuid id = lido_uuid_new();
    lido_create_all(db, LIDO_MODEL_LIST(&Owner_model, &Item_model));
    lido_exec(db, "INSERT INTO owners (id, name) VALUES (1, 'ada')");
    lido_exec(db, "INSERT INTO items (id, name, owner_id, version) VALUES (?, 'lamp', 1, 1)", id);
    lido_exec(db, "UPDATE owners SET favourite_id = ?", id);
    lido_error error;
    lido_savepoint_outcome (db, &error) {
        lido_exec(db, "UPDATE owners SET favourite_id = ?", lido_uuid_new());
    }
    saw("%s", lido_category_name(error.category));
    lido_exec(db, "DELETE FROM items");
    saw("null: %d", lido_query_value(db, "SELECT favourite_id FROM owners").kind == LIDO_KIND_NULL);
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
}

static void story_of_dropping_a_circle_with_its_rows(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_uuid id = lido_uuid_new();
    lido_create_all(db, SHOP);
    lido_exec(db, "INSERT INTO owners (id, name) VALUES (1, 'ada')");
    lido_exec(db, "INSERT INTO items (id, name, owner_id, version) VALUES (?, 'lamp', 1, 1)", id);
    lido_exec(db, "UPDATE owners SET favourite_id = ?", id);
    lido_exec(db, "INSERT INTO tags (item_id, word) VALUES (?, 'bright')", id);
    lido_exec(db, "INSERT INTO nodes VALUES ('/', NULL, NULL), ('/a', '/', NULL)");
    saw_status("made", lido_commit(db));
    saw("dropped: %d", lido_drop_all(db, SHOP));
    saw_status("commit", lido_commit(db));
    saw("missing: %zu", lido_check_schema(db, SHOP)->count);
    lido_session_close(db);
}

static void story_of_others_that_refer(lido_engine *engine) {
    make_shop(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO owners (id, name) VALUES (1, 'ada')");
    lido_exec(db, "INSERT INTO items (id, name, owner_id, version) VALUES (?, 'lamp', 1, 1)", lido_uuid_new());
    lido_commit(db);
    saw("dropped: %d", lido_drop_all(db, LIDO_MODEL_LIST(&Owner_model)));
    saw("%s", lido_error_of(db)->message);
    saw_status("commit", lido_commit(db));
    saw_differences(db, SHOP);
    lido_session_close(db);
}

/* ---- All or nothing ---- */

typedef struct Bad {
    lido_uuid id;
    lido_uuid parent;
} Bad;

typedef struct Good {
    lido_uuid id;
} Good;

LIDO_MODEL(Good, "good", LIDO_KEY(Good, id));
LIDO_MODEL(Bad, "bad", LIDO_KEY(Bad, id, .check = "no such sql"), LIDO_REF(Bad, parent, Good));

static void story_of_all_or_nothing(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    saw("made: %d", lido_create_all(db, LIDO_MODEL_LIST(&Bad_model, &Good_model)));
    saw_error(db);
    saw_differences(db, LIDO_MODEL_LIST(&Good_model));
    lido_session_close(db);
    db = lido_session_open(engine, NULL);
    lido_error error;
    lido_savepoint_outcome (db, &error) {
        lido_create_all(db, LIDO_MODEL_LIST(&Good_model));
        lido_create_all(db, LIDO_MODEL_LIST(&Bad_model));
    }
    saw("%s", lido_category_name(error.category));
    saw_differences(db, LIDO_MODEL_LIST(&Good_model));
    lido_rollback(db);
    lido_create_all(db, LIDO_MODEL_LIST(&Good_model));
    lido_rollback(db);
    saw_differences(db, LIDO_MODEL_LIST(&Good_model));
    lido_session_close(db);
}

static void story_of_a_session_that_only_reads(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.read_only = true});
    saw("made: %d", lido_create_all(db, LIDO_MODEL_LIST(&Good_model)));
    saw_error(db);
    lido_session_close(db);
}

/* ---- What is refused ---- */

typedef struct Twin {
    lido_uuid id;
    int number;
} Twin;

typedef struct Clash {
    lido_uuid id;
    int b_number;
} Clash;

LIDO_MODEL(Twin, "a_b", LIDO_KEY(Twin, id), LIDO_FIELD(Twin, number, .index = true));
LIDO_MODEL(Clash, "a", LIDO_KEY(Clash, id), LIDO_FIELD(Clash, b_number, .index = true));

static const lido_part twin_parts[] = {LIDO_KEY(Twin, id)};
static const lido_model other_twin = {"Twin", "A_B", sizeof(Twin), 1, twin_parts};
static const lido_part keyless_parts[] = {LIDO_FIELD(Twin, id)};
static const lido_model keyless = {"Twin", "twins", sizeof(Twin), 1, keyless_parts};

static void story_of_refusals(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    SAW_REFUSAL(db, lido_create_all(db, LIDO_MODEL_LIST(&Twin_model, &Good_model, &Twin_model)));
    SAW_REFUSAL(db, lido_create_all(db, LIDO_MODEL_LIST(&Twin_model, &other_twin)));
    SAW_REFUSAL(db, lido_create_all(db, LIDO_MODEL_LIST(&Twin_model, &Clash_model)));
    SAW_REFUSAL(db, lido_create_all(db, LIDO_MODEL_LIST(&Good_model, &keyless)));
    SAW_REFUSAL(db, lido_create_all(db, LIDO_MODEL_LIST(NULL)));
    SAW_REFUSAL(db, lido_create_all(db, 1, NULL));
    SAW_REFUSAL(db, lido_drop_all(db, LIDO_MODEL_LIST(&keyless)));
    SAW_REFUSAL(db, lido_check_schema(db, LIDO_MODEL_LIST(&keyless)));
    SAW_REFUSAL(db, lido_check_schema(db, 2, NULL));
    lido_fail(db, "over");
    saw("%d %d %d", lido_create_all(db, LIDO_MODEL_LIST(&Good_model)), lido_drop_all(db, LIDO_MODEL_LIST(&Good_model)),
        lido_check_schema(db, LIDO_MODEL_LIST(&Good_model)) == NULL);
    lido_session_close(db);
}

/* ---- As text ---- */

LIDO_MODELS(&Bad_model, &Good_model);

static void story_of_the_text(lido_engine *engine) {
    char text[8000];
    char small[10];
    lido_error error;
    const char *backend = scenario_is_postgres() ? "postgresql" : "sqlite";
    lido_session *db = lido_session_open(engine, NULL);
    size_t size = lido_schema_ddl(backend, SHOP, text, sizeof text, NULL);
    assert_int_equal(size, strlen(text));
    saw("runs: %d", lido_script(db, text) > 5);
    saw_differences(db, SHOP);
    assert_int_equal(lido_schema_ddl(backend, SHOP, small, sizeof small, NULL), size);
    saw("%s", small);
    assert_int_equal(lido_schema_ddl(backend, SHOP, NULL, 0, NULL), size);
    saw("%zu", lido_schema_ddl("oracle", SHOP, small, sizeof small, &error));
    saw("%s: %s \"%s\"", error.doing, error.message, small);
    assert_int_equal(lido_schema_ddl(NULL, SHOP, small, sizeof small, NULL), 0);
    assert_int_equal(lido_schema_ddl("sqlite", LIDO_MODEL_LIST(&keyless), small, sizeof small, &error), 0);
    saw("%s", error.message);
    saw("%zu %zu", lido_model_count(lido_models), lido_model_count(NULL));
    lido_session_close(db);
}

static void story_of_text_for_either_database(lido_engine *engine) {
    char text[2000];
    (void)engine;
    lido_schema_ddl("sqlite", LIDO_MODEL_LIST(&Tag_model, &Clash_model), text, sizeof text, NULL);
    saw("%s", text);
    lido_schema_ddl("postgresql", LIDO_MODEL_LIST(&Clash_model), text, sizeof text, NULL);
    saw("%s", text);
}

/* ---- Another schema than the usual one ---- */

typedef struct Far {
    int64_t id;
    const char *word;
    const int64_t *next;
} Far;

LIDO_MODEL(Far, "Shop.\"Far away\"", LIDO_KEY(Far, id), LIDO_FIELD(Far, word, .unique = true, .check = "word <> ''"),
           LIDO_REF(Far, next, Far, .index = true));

static void story_of_a_schema(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    if (scenario_is_postgres())
        lido_exec(db, "CREATE SCHEMA shop");
    else
        lido_exec(db, "ATTACH ':memory:' AS shop");
    saw("made: %d", lido_create_all(db, LIDO_MODEL_LIST(&Far_model)));
    lido_exec(db, "INSERT INTO shop.\"Far away\" (word) VALUES ('lamp')");
    saw_differences(db, LIDO_MODEL_LIST(&Far_model));
    insert_wrongly(db, "INSERT INTO shop.\"Far away\" (word) VALUES ('')");
    saw("again: %d", lido_create_all(db, LIDO_MODEL_LIST(&Far_model)));
    saw("dropped: %d", lido_drop_all(db, LIDO_MODEL_LIST(&Far_model)));
    saw_differences(db, LIDO_MODEL_LIST(&Far_model));
    if (lido_failed(db))
        saw("%s", lido_error_of(db)->message);
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"a shop", story_of_a_shop, "made: 1\n9.5 new 1 -1\ncommit: ok\n"},
        {"making again", story_of_making_again, "made: 1\nand again: 1\nada\ncommit: ok\nnothing: 1\n"},
        {"a session that commits each statement", story_of_a_session_that_commits_each_statement,
         "made: 1\nmade again: 1\nmatches\ndropped: 1\ndropped again: 1\nmissing: 5\n"},
        {"names", story_of_names,
         "unique violation owners_pkey\nunique violation owners_name_key\nunique violation tags_pkey\n"
         "unique violation items_pkey\nunique violation items_owner_id_name_key\nunique violation items_Code_key\n"
         "check violation items_Code_check\ncheck violation items_price_check\ncheck violation items_state_allowed\n"
         "check violation items_state_check\nno error \n"},
        {"long names", story_of_long_names,
         "made: 1\n"
         "check violation a_table_with_a_name_of_sixty_bytes_that_leaves_n_358f1bf1_check\n"
         "unique violation a_table_with_a_name_of_sixty_bytes_that_leaves_no__328f1738_key\n"
         "matches\n"},
        {"a circle", story_of_a_circle, "foreign key violation\nnull: 1\ncommit: ok\n"},
        {"dropping a circle with its rows", story_of_dropping_a_circle_with_its_rows,
         "made: ok\ndropped: 1\ncommit: ok\nmissing: 5\n"},
        {"others that refer", story_of_others_that_refer,
         "dropped: 0\ncannot drop table owners because table items refers to it\ncommit: rolled back\nmatches\n"},
        {"all or nothing", story_of_all_or_nothing,
         "made: 0\nsyntax error or unknown name\ntable good is missing\nsyntax error or unknown name\n"
         "table good is missing\ntable good is missing\n"},
        {"a session that only reads", story_of_a_session_that_only_reads, "made: 0\nread-only\n"},
        {"refusals", story_of_refusals,
         "misuse: model Twin is in the list twice\n"
         "misuse: models Twin and Twin have the same table, \"a_b\"\n"
         "misuse: models Twin and Clash would both have an index called a_b_number_idx: call a column of one "
         "otherwise\n"
         "misuse: model Twin has no key: give it a LIDO_KEY\n"
         "misuse: the model is NULL\n"
         "misuse: the list of models is NULL\n"
         "misuse: model Twin has no key: give it a LIDO_KEY\n"
         "misuse: model Twin has no key: give it a LIDO_KEY\n"
         "misuse: the list of models is NULL\n"
         "0 0 1\n"},
        {"the text", story_of_the_text,
         "runs: 1\n"
         "matches\n"
         "CREATE TA\n"
         "0\n"
         "writing a schema: the backend is oracle: \"sqlite\" and \"postgresql\" are allowed \"\"\n"
         "model Twin has no key: give it a LIDO_KEY\n"
         "2 0\n"},
        {"text for either database", story_of_text_for_either_database,
         "CREATE TABLE \"tags\" (\n"
         "    \"item_id\" uuid NOT NULL,\n"
         "    \"word\" text NOT NULL,\n"
         "    \"weight\" bigint NOT NULL DEFAULT (-1),\n"
         "    CONSTRAINT \"tags_pkey\" PRIMARY KEY (\"item_id\", \"word\"),\n"
         "    CONSTRAINT \"tags_item_id_fkey\" FOREIGN KEY (\"item_id\") REFERENCES \"items\" (\"id\") ON DELETE "
         "CASCADE\n"
         ");\n"
         "\n"
         "CREATE TABLE \"a\" (\n"
         "    \"id\" uuid NOT NULL,\n"
         "    \"b_number\" integer NOT NULL,\n"
         "    CONSTRAINT \"a_pkey\" PRIMARY KEY (\"id\")\n"
         ");\n"
         "\n"
         "CREATE INDEX \"a_b_number_idx\" ON \"a\" (\"b_number\");\n"
         "\n"
         "CREATE TABLE \"a\" (\n"
         "    \"id\" uuid NOT NULL,\n"
         "    \"b_number\" integer NOT NULL,\n"
         "    CONSTRAINT \"a_pkey\" PRIMARY KEY (\"id\")\n"
         ");\n"
         "\n"
         "CREATE INDEX \"a_b_number_idx\" ON \"a\" (\"b_number\");\n"
         "\n"},
        {"a schema", story_of_a_schema,
         "made: 1\n"
         "matches\n"
         "check violation Far away_word_check\n"
         "again: 1\n"
         "dropped: 1\n"
         "table Shop.\"Far away\" is missing\n"},
    };
    return scenarios_run("model_schema", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
