/* Scenarios: a story told once, run on every database, in a thread and in a task, each time with the same trace
 * expected.
 *
 * A story gets an engine on a database of its own, empty, does things as a user would, and says with saw() what it
 * saw. What it saw, line by line, must be what the scenario expects, on a SQLite file, on SQLite in memory
 * and on PostgreSQL (where LIDO_TEST_POSTGRES_URL names a server; tests/support/with-postgres starts one). */
#ifndef TESTS_SUPPORT_SCENARIO_H
#define TESTS_SUPPORT_SCENARIO_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <setjmp.h>

#include <lido.h>
#include <cmocka.h>

typedef void scenario_story(lido_engine *engine);

typedef struct scenario {
    const char *title;
    scenario_story *story;
    const char *expected; /* the trace: lines, each ending in a newline */
} scenario;

/* Runs each scenario on each database as a test of its own. Returns what main should. */
int scenarios_run(const char *group, const scenario *scenarios, size_t count);

/* The same for stories that can only be told in a task. */
int task_scenarios_run(const char *group, const scenario *scenarios, size_t count);

/* Adds a line to the trace. From any thread; the order is the story's to keep. */
void saw(const char *format, ...) LIDO_FORMAT(1, 2);

/* The same for a session's error: its category in words, and nothing that differs between databases. */
void saw_error(const lido_session *session);

/* The database that the story runs on, for another engine on it with other options; and "sqlite-file",
 * "sqlite-memory" or "postgres", for the rare line that must differ. */
const char *scenario_url(void);
const char *scenario_database(void);
bool scenario_is_postgres(void);
bool scenario_in_task(void);    /* else in a thread */
lido_loop *scenario_loop(void); /* whose task it is; for spawning others */

/* Opens another engine on the story's database; fails the test if that fails. SQLite in memory gives a new, empty
 * one. */
lido_engine *scenario_engine(const lido_options *options);

/* How many bytes the program has allocated, whichever allocator it runs with. */
size_t scenario_allocated(void);

/* Evaluates an expression in a savepoint of `db` and tells why it made the session fail; the transaction goes on. */
#define SAW_REFUSAL(db, expression) \
    do { \
        lido_error refusal_; \
        lido_savepoint_outcome (db, &refusal_) { \
            (void)(expression); \
        } \
        saw("%s: %s", lido_category_name(refusal_.category), refusal_.message); \
    } while (0)

#endif
