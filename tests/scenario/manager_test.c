/* The manager: configured, initialised, used, closed, again and again; what is said to who calls in the wrong order;
 * and scoped sessions, each its thread's or task's own. */
#include "support/scenario.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static lido_manager *configured(void) {
    lido_manager *manager = lido_manager_get();
    lido_error error;
    if (lido_manager_configure_database(manager, "default", scenario_url(), NULL, &error) != LIDO_OK)
        saw("%s", error.message);
    return manager;
}

static lido_manager *initialised(void) {
    lido_manager *manager = configured();
    lido_error error;
    if (lido_manager_init_worker(manager, &(lido_init_options){.verify = true}, &error) != LIDO_OK)
        saw("%s", error.message);
    return manager;
}

static void saw_closing(lido_manager *manager, int64_t deadline_ms) {
    lido_error error;
    if (lido_manager_close_worker(manager, deadline_ms, &error) == LIDO_OK)
        saw("closed");
    else
        saw("%s: %s: %s", error.doing, lido_category_name(error.category), error.message);
}

static void saw_refusal(lido_session *db) {
    lido_exec(db, "SELECT 1");
    const lido_error *error = lido_error_of(db);
    if (lido_failed(db))
        saw("%s; %s", error->message, error->hint);
    else
        saw("let in");
    lido_session_close(db);
}

/* ---- A worker's life ---- */

static void add_items(lido_manager *manager, int count) {
    lido_session *db = lido_manager_session(manager);
    lido_exec(db, "CREATE TABLE IF NOT EXISTS items (id bigint PRIMARY KEY)");
    for (int i = 0; i < count; i++)
        lido_exec(db, "INSERT INTO items SELECT count(*) FROM items");
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_a_worker(lido_engine *engine) {
    (void)engine;
    lido_error error;
    lido_manager *manager = initialised();
    saw("the same manager: %d", lido_manager_get() == manager);
    add_items(manager, 2);
    lido_transaction (db, lido_manager_engine(manager, NULL, &error), &error)
        lido_exec(db, "INSERT INTO items VALUES (100)");
    saw("%s", lido_status_name(error.status));
    saw_closing(manager, 1000);
    for (int i = 0; i < 3; i++) { /* and so on */
        saw("%s", lido_status_name(lido_manager_init_worker(manager, NULL, NULL)));
        saw("%s", lido_status_name(lido_manager_init_worker(manager, NULL, NULL)));
        add_items(manager, 1);
        saw_closing(manager, 1000);
    }
    saw_closing(manager, 0);
}

static void story_of_two_databases(lido_engine *engine) {
    (void)engine;
    lido_error error;
    lido_manager *manager = configured();
    saw("%s", lido_status_name(lido_manager_configure_database(manager, "reports", "sqlite://", NULL, &error)));
    saw("%s", lido_status_name(lido_manager_init_worker(manager, NULL, &error)));
    lido_session *db = lido_manager_session_with(manager, "reports", &(lido_session_options){.autocommit = true});
    lido_value version = lido_query_value(db, "SELECT 'SQLite ' || (sqlite_version() > '3')");
    saw("%s", version.as.text);
    lido_session_close(db);
    db = lido_manager_session(manager);
    saw("another database: %d",
        lido_manager_engine(manager, "reports", NULL) != lido_manager_engine(manager, "default", NULL));
    saw("%d", (int)lido_query_value(db, "SELECT 41 + 1").as.integer);
    lido_session_close(db);
    saw_refusal(lido_manager_session_with(manager, "archive", NULL));
    saw_refusal(lido_manager_scoped_on(manager, "archive"));
    saw("%d", lido_manager_engine(manager, "archive", &error) == NULL);
    saw("%s: %s", error.doing, error.message);
    saw_closing(manager, 1000);
}

/* ---- In the wrong order ---- */

static void story_of_the_wrong_order(lido_engine *engine) {
    (void)engine;
    lido_error error;
    lido_manager *manager = configured();
    saw("%d", lido_manager_engine(manager, NULL, &error) == NULL);
    lido_manager_init_worker(manager, NULL, NULL);
    saw_refusal(lido_manager_session(manager));
    saw("%s", lido_status_name(lido_manager_configure_database(manager, NULL, scenario_url(), NULL, &error)));
    saw("%s: %s; %s", error.doing, error.message, error.hint);
    saw_closing(manager, 1000);
    saw_refusal(lido_manager_session(manager));
    saw_refusal(lido_manager_scoped(manager));
    saw("%d", lido_manager_engine(manager, NULL, &error) == NULL);
    saw("%s: %s; %s", error.doing, error.message, error.hint);
}

static void story_of_a_bad_name(lido_engine *engine) {
    (void)engine;
    lido_error error;
    char name[LIDO_DATABASE_NAME_MOST + 2];
    lido_manager *manager = configured();
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    saw("%s", lido_status_name(lido_manager_configure_database(manager, "", scenario_url(), NULL, &error)));
    saw("%s", error.message);
    saw("%s", lido_status_name(lido_manager_configure_database(manager, name, scenario_url(), NULL, &error)));
    saw("%s", error.message);
    saw("%s", lido_status_name(lido_manager_configure_database(manager, "\xff", scenario_url(), NULL, &error)));
    saw("%s", error.message);
    saw("%s", lido_status_name(lido_manager_configure_database(manager, "reports", "sqlit://", NULL, &error)));
    saw("%s: %s", error.doing, lido_category_name(error.category));
}

static void story_of_a_database_out_of_reach(lido_engine *engine) {
    (void)engine;
    lido_error error;
    lido_manager *manager = lido_manager_get();
    lido_manager_configure_database(manager, "default", "sqlite:////no/such/folder/items.db", NULL, NULL);
    saw("%s", lido_status_name(lido_manager_init_worker(manager, NULL, NULL)));
    saw_closing(manager, 1000);
    saw("%s", lido_status_name(lido_manager_init_worker(manager, &(lido_init_options){.verify = true}, &error)));
    saw("%s: %s, %s", error.doing, lido_category_name(error.category), error.database);
    saw_refusal(lido_manager_session(manager));
}

/* ---- Closing while sessions are open ---- */

static void story_of_a_session_left_open(lido_engine *engine) {
    (void)engine;
    lido_manager *manager = initialised();
    add_items(manager, 1);
    lido_session *db = lido_manager_session(manager);
    lido_session *idle = lido_manager_session(manager);
    lido_exec(db, "DELETE FROM items");
    saw_closing(manager, 10);
    lido_exec(db, "INSERT INTO items VALUES (7)"); /* its transaction goes on */
    saw("%s", lido_status_name(lido_commit(db)));
    saw_refusal(db);
    saw_refusal(idle);
}

/* ---- Scoped sessions ---- */

static void *use_scoped(void *argument) {
    lido_manager *manager = argument;
    lido_session *db = lido_manager_scoped(manager);
    lido_exec(db, "INSERT INTO items VALUES (1)");
    bool same = lido_manager_scoped(manager) == db;
    return same && !lido_failed(db) ? db : NULL; /* and leaves it open, to be rolled back */
}

static void *in_another_thread(void *(*function)(void *argument), void *argument) {
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, NULL, function, argument) == 0)
        pthread_join(thread, &result);
    return result;
}

static void saw_count(lido_session *db) {
    saw("%d items", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
    lido_rollback(db);
}

static void story_of_a_thread_s_own(lido_engine *engine) {
    (void)engine;
    lido_manager *manager = initialised();
    add_items(manager, 0);
    lido_session *db = lido_manager_scoped(manager);
    lido_rollback(db);
    void *other = in_another_thread(use_scoped, manager);
    saw("another session: %d", other != NULL && other != db);
    saw("the same: %d", lido_manager_scoped(manager) == db && lido_manager_scoped_on(manager, "default") == db);
    saw_count(db);
    lido_exec(db, "INSERT INTO items VALUES (1)");
    saw("%s", lido_status_name(lido_commit(db)));
    lido_scoped_remove(manager);
    lido_scoped_remove(manager);
    saw_count(lido_manager_scoped(manager));
    saw_closing(manager, 1000);
    lido_manager_init_worker(manager, NULL, NULL);
    lido_session *next = lido_manager_scoped(manager);
    saw("failed: %d", lido_failed(next));
    lido_query_value(next, "SELECT 1");
    lido_rollback(next);
    lido_scoped_remove(manager);
    saw_closing(manager, 1000);
}

/* Two tasks that meet on one thread. */
static void *use_scoped_twice(void *argument) {
    lido_session *db = use_scoped(argument);
    lido_yield();
    bool kept = db != NULL && lido_manager_scoped(argument) == db;
    lido_rollback(db);
    lido_yield();
    lido_exec(db, "INSERT INTO items VALUES (2)"); /* left open */
    return kept && !lido_failed(db) ? argument : NULL;
}

static void story_of_a_task_s_own(lido_engine *engine) {
    (void)engine;
    lido_manager *manager = initialised();
    lido_task *tasks[2];
    void *results[2];
    add_items(manager, 0);
    for (int i = 0; i < 2; i++)
        tasks[i] = lido_spawn(scenario_loop(), use_scoped_twice, manager);
    for (int i = 0; i < 2; i++)
        lido_task_join(tasks[i], &results[i]);
    saw("each had its own: %d", results[0] == manager && results[1] == manager);
    saw_count(lido_manager_scoped(manager));
    lido_scoped_remove(manager);
    saw_closing(manager, 1000);
}

int main(void) {
    static const scenario scenarios[] = {
        {"a worker is initialised, works and is closed, and again", story_of_a_worker,
         "the same manager: 1\nok\nok\nclosed\n"
         "ok\nok\nok\nclosed\nok\nok\nok\nclosed\nok\nok\nok\nclosed\nclosed\n"},
        {"a manager has several databases, by name", story_of_two_databases,
         "ok\n"
         "ok\n"
         "SQLite 1\n"
         "another database: 1\n"
         "42\n"
         "the manager has no database of this name; call lido_manager_configure_database before "
         "lido_manager_init_worker\n"
         "the manager has no database of this name; call lido_manager_configure_database before "
         "lido_manager_init_worker\n"
         "1\n"
         "asking the manager for an engine: the manager has no database of this name\n"
         "closed\n"},
        {"who calls in the wrong order hears what to call", story_of_the_wrong_order,
         "1\n"
         "let in\n"
         "error\n"
         "configuring the manager: this process is a worker already; call lido_manager_close_worker first, or "
         "configure before lido_manager_init_worker\n"
         "closed\n"
         "the worker was closed; call lido_manager_init_worker again if it is to go on\n"
         "the worker was closed; call lido_manager_init_worker again if it is to go on\n"
         "1\n"
         "asking the manager for an engine: the worker was closed; call lido_manager_init_worker again if it is to go "
         "on\n"},
        {"a name or a URL is wrong", story_of_a_bad_name,
         "error\n"
         "the name of a database has 0 bytes: 1 to 63 are allowed\n"
         "error\n"
         "the name of a database has 64 bytes: 1 to 63 are allowed\n"
         "error\n"
         "the name of a database is not UTF-8\n"
         "error\n"
         "reading the configuration: configuration error\n"},
        {"a database is out of reach", story_of_a_database_out_of_reach,
         "ok\n"
         "closed\n"
         "error\n"
         "opening the database: storage failure, sqlite:////no/such/folder/items.db\n"
         "the worker was closed; call lido_manager_init_worker again if it is to go on\n"},
        {"a session is open when its worker is closed", story_of_a_session_left_open,
         "ok\n"
         "closing a worker: timeout: not all sessions ended within 10 ms: ended late: 0, left to their owners: 1\n"
         "ok\n"
         "the engine is closed; end all transactions before lido_engine_close\n"
         "the engine is closed; end all transactions before lido_engine_close\n"},
        {"a thread has a session of its own", story_of_a_thread_s_own,
         "ok\n"
         "another session: 1\n"
         "the same: 1\n"
         "0 items\n"
         "ok\n"
         "1 items\n"
         "closed\n"
         "failed: 0\n"
         "closed\n"},
    };
    static const scenario tasks[] = {
        {"a task has a session of its own", story_of_a_task_s_own, "ok\neach had its own: 1\n0 items\nclosed\n"},
    };
    int failed = scenarios_run("manager", scenarios, sizeof scenarios / sizeof scenarios[0]);
    return task_scenarios_run("scoped sessions in tasks", tasks, 1) + failed;
}
