/* Many rows into tables of every sort: altered meanwhile, filtered by policies, behind views and rules, partitioned,
 * with triggers that talk, skip or fail; and rows too large for any buffer. */
#include "support/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 500 };

static const char *const columns[] = {"id", "amount"};

static lido_value values[2 * MANY];

static void fill(void) {
    for (int i = 0; i < MANY; i++) {
        values[2 * i] = lido_value_int64(i + 1);
        values[2 * i + 1] = lido_value_int64(i % 7);
    }
}

static void run(lido_engine *engine, const char *sql) {
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        lido_script(db, sql);
    if (outcome.status != LIDO_OK)
        lido_error_print(&outcome, stderr);
    assert_int_equal(outcome.status, LIDO_OK);
}

static int64_t ask(lido_engine *engine, const char *sql) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    int64_t answer = lido_query_value(db, sql).as.integer;
    assert_int_equal(lido_session_close(db), LIDO_OK);
    return answer;
}

static int64_t insert(lido_engine *engine, const char *table, size_t rows) {
    fill();
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    int64_t count = lido_insert_rows(db, table, 2, columns, rows, values);
    const lido_error *error = lido_error_of(db);
    if (lido_failed(db))
        saw("%s, row %d%s", lido_category_name(error->category), (int)error->row,
            error->category == LIDO_ERROR_OTHER ? error->message + strlen("row 77") : "");
    lido_session_close(db);
    return count;
}

/* ---- On both ---- */

/* A bigint, a double and a moment are eight bytes each: what was known of the column before would store nonsense. */
static void story_of_a_table_that_is_altered(lido_engine *engine) {
    static const char *const types[] = {"bigint", "double precision", "integer", "numeric(9, 1)", "text", "smallint"};
    lido_session *db = lido_session_open(engine, NULL);
    fill();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char sql[120];
        snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS sums; CREATE TABLE sums (id bigint, amount %s)", types[i]);
        lido_script(db, sql); /* in the same transaction, and in a transaction of its own */
        lido_insert_rows(db, "sums", 2, columns, MANY, values);
        lido_commit(db);
        lido_insert_rows(db, "sums", 2, columns, MANY, values);
        saw("%d",
            (int)lido_query_value(db, "SELECT CAST(sum(CAST(amount AS integer)) AS integer) FROM sums").as.integer);
    }
    saw("close: %s", lido_status_name(lido_session_close(db)));
}

static void story_of_a_view(lido_engine *engine) {
    run(engine, "CREATE TABLE sums (id bigint, amount bigint CHECK (amount < 6)); CREATE VIEW all_sums AS SELECT * FROM"
                " sums");
    if (!scenario_is_postgres())
        run(engine, "CREATE TRIGGER into_sums INSTEAD OF INSERT ON all_sums BEGIN INSERT INTO sums VALUES (new.id,"
                    " new.amount); END");
    saw("%d", (int)insert(engine, "all_sums", 5));
    saw("%d", (int)insert(engine, "all_sums", MANY));
    run(engine, "DELETE FROM sums");
    fill();
    for (int i = 0; i < MANY; i++)
        values[2 * i + 1] = lido_value_int64(1);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("%d", (int)lido_insert_rows(db, "all_sums", 2, columns, MANY, values));
    lido_session_close(db);
    saw("%d", (int)ask(engine, "SELECT count(*) FROM sums"));
}

static void story_of_a_temporary_table(lido_engine *engine) {
    fill();
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "CREATE TEMPORARY TABLE passing (id integer, amount integer)");
        lido_insert_rows(db, "passing", 2, columns, MANY, values);
        saw("%d", (int)lido_query_value(db, "SELECT count(*) FROM passing").as.integer);
        lido_exec(db, "DROP TABLE passing");
    }
    saw("transaction: %s", lido_status_name(outcome));
}

/* ---- Rows of any size ---- */

enum { LARGE = 3 * 1024 * 1024 + 7 };

static const char letters[] = "abc\t\\\n\rdef";

static char *make_large_text(void) {
    char *text = malloc(LARGE + 1);
    assert_non_null(text);
    for (size_t i = 0; i < LARGE; i++)
        text[i] = letters[i % (sizeof letters - 1)];
    text[LARGE] = '\0';
    return text;
}

/* Forty rows of one kind are more than one segment of a COPY; a text for a moment makes all of them go as text. */
static void story_of_large_rows(lido_engine *engine) {
    enum { ROWS = 40 };
    static const char *const names[] = {"id", "words", "bytes", "made"};
    char *text = make_large_text();
    static lido_value large[4 * ROWS];
    run(engine, scenario_is_postgres() ? "CREATE TABLE large (id integer, words text, bytes bytea, made timestamptz)"
                                       : "CREATE TABLE large (id integer, words text, bytes blob, made timestamp)");
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < ROWS; i++) {
            large[4 * i] = lido_value_int64(i + 1);
            large[4 * i + 1] = lido_value_text_sized(text, i % 8 == 0 ? LARGE : (size_t)i);
            large[4 * i + 2] = lido_value_bytes(lido_blob(text, i % 8 == 0 ? 65531 * 2 : 0));
            large[4 * i + 3] = turn == 0 ? lido_value_time((lido_time){0}) : lido_value_text("1970-01-01 00:00:00+00");
        }
        lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
        saw("%d", (int)lido_insert_rows(db, "large", 4, names, ROWS, large));
        lido_rows *rows = lido_stream(db, "SELECT id, words, bytes FROM large");
        int right = 0;
        int id;
        const char *words;
        lido_bytes bytes;
        while (lido_next(rows) && lido_scan(rows, &id, &words, &bytes)) {
            size_t size = (id - 1) % 8 == 0 ? LARGE : (size_t)(id - 1);
            right += strlen(words) == size && memcmp(words, text, size) == 0 &&
                     bytes.size == (size == LARGE ? 65531 * 2 : 0) && memcmp(bytes.data, text, bytes.size) == 0;
        }
        lido_rows_close(rows);
        saw("%d are right", right);
        lido_exec(db, "DELETE FROM large");
        lido_session_close(db);
    }
    free(text);
}

static lido_supply give_numbers(void *argument, lido_value *row, const char **why) {
    int64_t *next = argument;
    (void)why;
    if (*next == 2000000)
        return LIDO_ROWS_END;
    row[0] = lido_value_int64((*next)++);
    row[1] = lido_value_int64(*next == 1900001 ? 70000 : 1); /* wrong far behind the first segment */
    return LIDO_ROWS_MORE;
}

static void story_of_two_million(lido_engine *engine) {
    size_t before = scenario_allocated();
    int64_t next = 0;
    run(engine, "CREATE TABLE sums (id bigint, amount integer CHECK (amount < 70000))");
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("%d", (int)lido_insert_from(db, "sums", 2, columns, give_numbers, &next));
    saw("%s, row %d", lido_category_name(lido_error_of(db)->category), (int)lido_error_of(db)->row);
    saw("%d", (int)lido_query_value(db, "SELECT count(*) FROM sums").as.integer);
    bool bounded =
        scenario_allocated() - before < 16 * 1024 * 1024 || strcmp(scenario_database(), "sqlite-memory") == 0;
    saw("in bounded memory: %d", bounded);
    lido_session_close(db);
}

/* ---- On PostgreSQL alone ---- */

static void saw_postgres(const char *line) {
    if (!scenario_is_postgres())
        saw("%s", line);
}

/* Rows that policies filter, that rules send elsewhere, that others inherit: COPY takes none of them, or the wrong
 * way. */
static void story_of_policies_and_rules(lido_engine *engine) {
    saw_postgres("5 500\n5 500\n505 of rules, 505 of policies");
    if (!scenario_is_postgres())
        return;
    run(engine, "CREATE TABLE sums (id bigint, amount bigint); CREATE TABLE ruled (id bigint, amount bigint);"
                "CREATE RULE elsewhere AS ON INSERT TO ruled DO INSTEAD INSERT INTO sums VALUES (new.id, new.amount);"
                "CREATE TABLE guarded (id bigint, amount bigint); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
                "ALTER TABLE guarded FORCE ROW LEVEL SECURITY; CREATE POLICY small ON guarded USING (amount < 7);"
                "CREATE ROLE lido_clerk NOSUPERUSER; GRANT ALL ON guarded, ruled, sums TO lido_clerk");
    saw("%d %d", (int)insert(engine, "ruled", 5), (int)insert(engine, "ruled", MANY));
    fill();
    lido_error outcome;
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "SET LOCAL ROLE lido_clerk");
        int64_t few = lido_insert_rows(db, "guarded", 2, columns, 5, values);
        saw("%d %d", (int)few, (int)lido_insert_rows(db, "guarded", 2, columns, MANY, values));
    }
    assert_int_equal(outcome.status, LIDO_OK);
    saw("%d of rules, %d of policies", (int)ask(engine, "SELECT count(*) FROM sums"),
        (int)ask(engine, "SELECT count(*) FROM guarded"));
    run(engine, "DROP OWNED BY lido_clerk; DROP ROLE lido_clerk");
}

static void story_of_partitions_and_identities(lido_engine *engine) {
    saw_postgres("5 500\n505 in parts\n5 500\n505 with their numbers, the last is 500");
    if (!scenario_is_postgres())
        return;
    run(engine, "CREATE TABLE parted (id bigint, amount bigint) PARTITION BY LIST (amount);"
                "CREATE TABLE part_0 PARTITION OF parted FOR VALUES IN (0, 1, 2);"
                "CREATE TABLE part_1 PARTITION OF parted DEFAULT;"
                "CREATE TABLE numbered (id bigint GENERATED ALWAYS AS IDENTITY, amount bigint)");
    saw("%d %d", (int)insert(engine, "parted", 5), (int)insert(engine, "parted", MANY));
    saw("%d in parts", (int)ask(engine, "SELECT count(*) FROM parted"));
    saw("%d %d", (int)insert(engine, "numbered", 5), (int)insert(engine, "numbered", MANY));
    saw("%d with their numbers, the last is %d", (int)ask(engine, "SELECT count(*) FROM numbered"),
        (int)ask(engine, "SELECT max(id) FROM numbered"));
}

/* A trigger's words fill the connection from the other side; its error is of the row that it is for. */
static void story_of_triggers(lido_engine *engine) {
    saw_postgres("500\n250 stay\nother error, row 77: no sevens here\n0\n500, committed: rolled back");
    if (!scenario_is_postgres())
        return;
    run(engine, "CREATE TABLE sums (id bigint, amount bigint);"
                "CREATE FUNCTION talk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE NOTICE '%', repeat('row ' || new.id, 1000); IF new.id % 2 = 0 THEN RETURN NULL; END IF;"
                " RETURN new; END $$;"
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF new.id = 77 THEN RAISE 'no sevens here'; END IF; RETURN new; END $$;"
                "CREATE TRIGGER talking BEFORE INSERT ON sums FOR EACH ROW EXECUTE FUNCTION talk()");
    saw("%d", (int)insert(engine, "sums", MANY));
    saw("%d stay", (int)ask(engine, "SELECT count(*) FROM sums"));
    run(engine, "DROP TRIGGER talking ON sums; CREATE TRIGGER refusing BEFORE INSERT ON sums FOR EACH ROW EXECUTE"
                " FUNCTION refuse()");
    saw("%d", (int)insert(engine, "sums", MANY));
    run(engine, "DROP TRIGGER refusing ON sums; TRUNCATE sums;"
                "ALTER TABLE sums ADD UNIQUE (amount) DEFERRABLE INITIALLY DEFERRED");
    fill();
    lido_session *db = lido_session_open(engine, NULL);
    int64_t count = lido_insert_rows(db, "sums", 2, columns, MANY, values);
    lido_status status = lido_commit(db);
    assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_UNIQUE);
    assert_int_equal(lido_error_of(db)->row, 0);
    saw("%d, committed: %s", (int)count, lido_status_name(status));
    lido_session_close(db);
}

static void story_of_a_last_key(lido_engine *engine) {
    saw_postgres("7");
    if (!scenario_is_postgres())
        return;
    static const char *const name[] = {"amount"};
    run(engine, "CREATE TABLE sums (id serial, amount bigint)");
    lido_session *db = lido_session_open(engine, NULL);
    fill();
    lido_insert_rows(db, "sums", 1, name, 7, values);
    saw("%d", (int)lido_last_key(db));
    lido_session_close(db);
}

static const scenario scenarios[] = {
    {"a table that is altered between", story_of_a_table_that_is_altered,
     "2988\n2988\n2988\n2988\n2988\n2988\nclose: rolled back\n"},
    {"a view", story_of_a_view, "5\ncheck violation, row 7\n0\n500\n500\n"},
    {"a temporary table", story_of_a_temporary_table, "500\ntransaction: ok\n"},
    {"rows larger than any buffer", story_of_large_rows, "40\n40 are right\n40\n40 are right\n"},
    {"two million rows, of which one is wrong", story_of_two_million,
     "0\ncheck violation, row 1900001\n0\nin bounded memory: 1\n"},
    {"policies and rules", story_of_policies_and_rules, "5 500\n5 500\n505 of rules, 505 of policies\n"},
    {"partitions and identities", story_of_partitions_and_identities,
     "5 500\n505 in parts\n5 500\n505 with their numbers, the last is 500\n"},
    {"triggers", story_of_triggers,
     "500\n250 stay\nother error, row 77: no sevens here\n0\n500, committed: rolled back\n"},
    {"the last key", story_of_a_last_key, "7\n"},
};

int main(void) {
    return scenarios_run("tables that take many rows", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
