/* What the tests of lanes ask for: statements of all sorts, and what each gives alone. */
#ifndef TESTS_FAULT_LANE_LINES_H
#define TESTS_FAULT_LANE_LINES_H

#include "databases.h"

#include "sql/sql.h"
#include "support/describe.h"
#include "support/proxy.h"

enum { VARIANTS = 6, DIGEST_MOST = 600 };

/* What a statement is given: its variant's number, and nothing else. */
typedef struct line {
    const char *sql;
    bool takes_number;
    bool slow;
} line;

static const line lines[] = {
    {"SELECT id, name, price, made, data FROM lane_items WHERE id = ?", true, false},
    {"SELECT id, name, price, made, data FROM lane_items WHERE id % 7 = ? ORDER BY id", true, false},
    {"SELECT NULL::text, ?::bigint, NULL::bytea, NULL::timestamptz", true, false},
    {"SELECT i, repeat('x', 100) FROM generate_series(1, ?::integer * 400) AS i", true, false},
    {"SELECT 10 / (?::integer - 3)", true, false},
    {"SELECT 1 +", false, false},
    {"SELECT * FROM lane_items_that_are_not WHERE id = ?", true, false},
    {"SELECT ('number ' || ?::text)::integer", true, false},
    {"SELECT id FROM lane_items WHERE id < 0 AND id = ?", true, false},
    {"SELECT lane_write(?)", true, false},
    {"SELECT nextval('lane_numbers')", false, false},
    {"INSERT INTO lane_items (id, name) VALUES (-1, 'never')", false, false},
    {"SELECT lane_fails_late(?)", true, false},
    {"SELECT count(*) FROM generate_series(1, 1500000 + ?::integer)", true, true},
    {"SHOW datestyle", false, false},
};

enum { LINES = sizeof lines / sizeof lines[0] };

static char expected[LINES][VARIANTS][DIGEST_MOST];

/* ---- One statement, and what it gave ---- */

static inline void digest_error(const lido_session *db, char *digest) {
    const lido_error *error = lido_error_of(db);
    snprintf(digest, DIGEST_MOST, "%s %s: %.300s", lido_category_name(error->category), error->sqlstate,
             error->message);
}

static inline void digest_rows(lido_rows *rows, char *digest) {
    uint64_t mixed = 0;
    int64_t count = 0;
    char text[DESCRIBED_MOST];
    for (; lido_next(rows); count++) {
        for (size_t i = 0; i < lido_column_count(rows); i++) {
            size_t size;
            describe(lido_get(rows, i), text);
            mixed = mixed * 31 + lido__sql_hash(text, &size);
        }
    }
    snprintf(digest, DIGEST_MOST, "%lld rows: %llx", (long long)count, (unsigned long long)mixed);
}

static inline void ask(lido_session *db, size_t which, int64_t variant, char *digest) {
    const line *asked = &lines[which];
    lido_rows *rows = asked->takes_number ? lido_query(db, asked->sql, variant) : lido_query(db, asked->sql);
    if (lido_failed(db))
        digest_error(db, digest);
    else
        digest_rows(rows, digest);
    lido_rows_close(rows);
}

static const lido_session_options reads = {.read_only = true, .autocommit = true};

/* Each alone, in this thread, on a connection of its own. */
static inline void learn_what_is_right(lido_engine *plain) {
    lido_session *db = lido_session_open(plain, &reads);
    for (size_t which = 0; which < LINES; which++)
        for (int64_t variant = 0; variant < VARIANTS; variant++)
            ask(db, which, variant, expected[which][variant]);
    lido_session_close(db);
    assert_non_null(strstr(expected[9][0], "read-only"));
    assert_non_null(strstr(expected[11][0], "read-only"));
}

/* ---- Their tables, and an engine ---- */

static lido_engine *witness;

static inline int make_items(void **state) {
    (void)state;
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL)
        return 0;
    witness = open_surely(postgres_url(), NULL);
    run_surely(witness, "DROP TABLE IF EXISTS lane_items");
    run_surely(witness, "DROP SEQUENCE IF EXISTS lane_numbers");
    run_surely(witness, "CREATE TABLE lane_items (id bigint PRIMARY KEY, name text, price double precision, "
                        "made timestamptz DEFAULT '2024-05-06 07:08:09+00', data bytea)");
    run_surely(witness, "INSERT INTO lane_items SELECT i, 'item ' || i, i / 4.0, '2024-01-01'::timestamptz + i * "
                        "interval '1 hour', decode(repeat('ab', i), 'hex') FROM generate_series(0, 200) AS i");
    run_surely(witness, "CREATE SEQUENCE lane_numbers");
    run_surely(witness, "CREATE OR REPLACE FUNCTION lane_write(bigint) RETURNS bigint LANGUAGE sql VOLATILE AS "
                        "'INSERT INTO lane_items (id) VALUES ($1 + 1000) RETURNING id'");
    run_surely(witness,
               "CREATE OR REPLACE FUNCTION lane_fails_late(bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE "
               "AS 'BEGIN PERFORM count(*) FROM generate_series(1, 20000); RAISE EXCEPTION ''no %'', $1; END'");
    learn_what_is_right(witness);
    return 0;
}

static inline int drop_items(void **state) {
    (void)state;
    if (witness == NULL)
        return 0;
    run_surely(witness, "DROP FUNCTION lane_write(bigint)");
    run_surely(witness, "DROP FUNCTION lane_fails_late(bigint)");
    run_surely(witness, "DROP TABLE lane_items");
    run_surely(witness, "DROP SEQUENCE lane_numbers");
    lido_engine_close(witness);
    witness = NULL;
    return 0;
}

/* They keep fewer statements prepared than there are. */
static inline lido_engine *open_lanes(const proxy *between) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.lanes = 2;
    options.statement_cache = LINES / 2;
    options.application_name = "lanes";
    options.host = between != NULL ? "127.0.0.1" : NULL;
    options.port = between != NULL ? proxy_port(between) : NULL;
    options.sslmode = between != NULL ? "disable" : NULL;
    return open_surely(postgres_url(), &options);
}

#endif
