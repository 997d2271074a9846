/* The databases that the fault tests break: a SQLite file in a folder that is removed afterwards, SQLite in memory, and
 * the server that LIDO_TEST_POSTGRES_URL names. */
#ifndef TESTS_FAULT_DATABASES_H
#define TESTS_FAULT_DATABASES_H

#include <ftw.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka needs those before it */
#include <setjmp.h>

#include <lido.h>
#include <cmocka.h>

#define POSTGRES_TEST_SKIPPED "no PostgreSQL: run it under tests/support/with-postgres\n"

/* The server's URL; skips the test if there is none. */
static inline const char *postgres_url(void) {
    const char *url = getenv("LIDO_TEST_POSTGRES_URL");
    if (url == NULL) {
        print_message(POSTGRES_TEST_SKIPPED);
        skip();
    }
    return url;
}

static inline lido_engine *open_surely(const char *url, const lido_options *options) {
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(url, options, &error);
    if (engine == NULL) {
        lido_error_print(&error, stderr);
        fail_msg("the engine did not open");
    }
    return engine;
}

/* A session whose every statement is a transaction of its own. */
static inline lido_session *open_autocommit(lido_engine *engine) {
    return lido_session_open(engine, &(lido_session_options){.autocommit = true});
}

static inline void expect_no_error(const lido_session *session) {
    if (lido_failed(session)) {
        lido_error_print(lido_error_of(session), stderr);
        fail_msg("the session failed");
    }
}

static inline void expect_error(const lido_session *session, lido_category category) {
    const lido_error *error = lido_error_of(session);
    if (error->category != category) {
        lido_error_print(error, stderr);
        fail_msg("the error is %s and should be %s", lido_category_name(error->category), lido_category_name(category));
    }
}

/* Runs statements that must succeed, in a transaction of their own. */
static inline void run_surely(lido_engine *engine, const char *script) {
    lido_session *session = lido_session_open(engine, NULL);
    lido_script(session, script);
    expect_no_error(session);
    assert_int_equal(lido_commit(session), LIDO_OK);
    lido_session_close(session);
}

/* An integer that a query on a session of its own finds. */
static inline int64_t ask_surely(lido_engine *engine, const char *query) {
    lido_session *session = open_autocommit(engine);
    lido_value value = lido_query_value(session, query);
    expect_no_error(session);
    assert_int_equal(value.kind, LIDO_KIND_INT64);
    lido_session_close(session);
    return value.as.integer;
}

/* ---- A folder ---- */

enum { PATH_MOST = 128, URL_MOST = 192 };

static char folder[PATH_MOST];

/* As a cmocka setup. Anybody may enter and write, for tests that give up root's rights. */
static inline int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/lido-fault-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The URL of a SQLite file in the folder; good until the next call. */
static inline const char *file_url(const char *name) {
    static char url[URL_MOST];
    snprintf(url, sizeof url, "sqlite:///%s/%s", folder, name);
    return url;
}

#endif
