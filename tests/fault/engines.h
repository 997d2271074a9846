/* The two engines of a test that breaks connections to PostgreSQL: the one that is tested, and the one that does the
 * breaking, or looks at what stands. */
#ifndef TESTS_FAULT_ENGINES_H
#define TESTS_FAULT_ENGINES_H

#include "databases.h"

#include <stdbool.h>

static lido_engine *server; /* straight to it */
static lido_engine *engine; /* the tested one */

/* Runs the script there. False without a server: the test will skip itself. */
static inline bool open_server(const char *script) {
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL)
        return false;
    server = open_surely(postgres_url(), NULL);
    run_surely(server, script);
    return true;
}

/* As a cmocka teardown: closes what is open of the two. */
static inline int close_engines(void **state) {
    (void)state;
    lido_engine_close(engine);
    lido_engine_close(server);
    engine = server = NULL;
    return 0;
}

#endif
