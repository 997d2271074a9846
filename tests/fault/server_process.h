/* The PostgreSQL server that tests/support/with-postgres runs, as a process: stopping it, and waiting until it has been
 * started again. */
#ifndef TESTS_FAULT_SERVER_PROCESS_H
#define TESTS_FAULT_SERVER_PROCESS_H

#include "databases.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>

#include "base/clock.h"

enum { DOWN_MOST_MS = 30000 }; /* until a server on a slow machine has recovered */

/* The first line of the file that the server keeps while it runs. 0: there is none. */
static inline int server_process(void) {
    char path[300];
    int process = 0;
    snprintf(path, sizeof path, "%s/postmaster.pid", getenv("LIDO_TEST_POSTGRES_DIRECTORY"));
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &process) != 1)
        process = 0;
    fclose(file);
    return process;
}

/* Skips the test unless there is a server that may be stopped. */
static inline void need_a_server_of_ours(void) {
    postgres_url();
    if (getenv("LIDO_TEST_POSTGRES_DIRECTORY") == NULL) {
        print_message("the server is not ours to stop: run it under tests/support/with-postgres\n");
        skip();
    }
}

/* As after a crash: it tells its clients no more than that. False: it did not run. */
static inline bool stop_at_once(void) {
    int process = server_process();
    return process > 0 && kill(process, SIGQUIT) == 0;
}

/* By an engine that does not know the pauses of the one that is tested. */
static inline void wait_until_it_is_back(void) {
    int64_t deadline = lido__deadline_in_ms(DOWN_MOST_MS);
    poll(NULL, 0, 50); /* or the old one might still be found */
    for (bool back = false; !back; poll(NULL, 0, 20)) {
        lido_engine *probing = open_surely(postgres_url(), NULL);
        lido_session *db = open_autocommit(probing);
        lido_query(db, "SELECT 1");
        back = !lido_failed(db);
        lido_session_close(db);
        lido_engine_close(probing);
        assert_true(lido__clock_now_us() < deadline);
    }
}

#endif
