/* What the tests of the manager begin with: the process's manager, configured for a database with an empty table. */
#ifndef TESTS_FAULT_MANAGED_H
#define TESTS_FAULT_MANAGED_H

#include "databases.h"

#include <stdbool.h>

static char url[URL_MOST];

static inline lido_manager *begin(bool postgres) {
    lido_error error;
    if (postgres)
        snprintf(url, sizeof url, "%s", postgres_url());
    else
        snprintf(url, sizeof url, "sqlite:///%s/managed.db", folder);
    lido_engine *engine = open_surely(url, NULL);
    run_surely(engine, "DROP TABLE IF EXISTS managed; CREATE TABLE managed (who text)");
    lido_engine_close(engine);
    lido_manager *manager = lido_manager_get();
    assert_int_equal(lido_manager_configure_database(manager, "default", url, NULL, &error), LIDO_OK);
    return manager;
}

static inline void expect_rows(lido_manager *manager, int64_t expected) {
    assert_int_equal(ask_surely(lido_manager_engine(manager, NULL, NULL), "SELECT count(*) FROM managed"), expected);
}

#endif
