/* The log of slow statements, which a setting turns on: nothing is changed in the program. */
#include "support/items.h"
#include "support/log_lines.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* How many slow lines have this in them. */
static int logged(const char *part) {
    int count = 0;
    for (const char *line = log_text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        const char *slow = strstr(line, ": slow on connection ");
        const char *found = strstr(line, part);
        count += slow != NULL && slow < end && found != NULL && found < end;
    }
    return count;
}

static lido_engine *open_slow_ms(int slow_ms) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.slow_ms = slow_ms;
    return scenario_engine(&options);
}

static void read_one(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    lido_query_value(db, "SELECT ?", "a secret");
    assert_int_equal(lido_session_close(db), LIDO_OK);
}

static const char endless[] =
    "WITH RECURSIVE n (i) AS (SELECT CAST(? AS integer) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

static void story_of_a_slow_statement(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = open_slow_ms(300);
    log_begins(LIDO_LOG_WARNING);
    read_one(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = 700});
    lido_exec(db, endless, 4711);
    int line = __LINE__ - 1;
    char place[80];
    saw_error(db);
    lido_session_close(db);
    snprintf(place, sizeof place, "slow_log_test.c:%d, 2 sent together: WITH", line); /* with BEGIN */
    saw("%d lines, %d warning, %d at its place, %d values", logged(""), logged("warning: "), logged(place),
        logged("4711"));
    log_ends();
    lido_engine_close(engine);
}

static void story_of_all_statements(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = open_slow_ms(0);
    lido_status outcome;
    log_begins(LIDO_LOG_WARNING);
    make_items(engine);
    lido_transaction (db, engine, &outcome)
        insert(db, 1);
    saw("%d create, %d insert, %d commit", logged("CREATE TABLE"), logged("INSERT INTO items VALUES (?"),
        logged(": COMMIT"));
    log_ends();
    lido_engine_close(engine);
}

/* Which of the settings' places it comes from. */
static void saw_setting(const lido_engine *engine) {
    lido_setting setting;
    for (size_t i = 0; lido_engine_setting(engine, i, &setting); i++)
        if (strcmp(setting.name, "slow_ms") == 0)
            saw("%s from the %s", setting.value, lido_origin_name(setting.origin));
}

static lido_engine *open_url(const char *parameter) {
    char url[500];
    lido_error error;
    const char *base = scenario_url();
    snprintf(url, sizeof url, "%s%s%s", base, strchr(base, '?') != NULL ? "&" : "?", parameter);
    lido_engine *engine = lido_engine_open(url, NULL, &error);
    if (engine == NULL)
        saw("%s", strstr(error.message, "slow_ms is") != NULL ? strstr(error.message, "slow_ms is") : error.message);
    return engine;
}

static void story_of_the_settings_places(lido_engine *engine) {
    saw_setting(engine);
    log_begins(LIDO_LOG_WARNING);
    read_one(engine);
    saw("%d lines", logged(""));
    setenv("DATABASE_SLOW_MS", "0", 1);
    lido_engine *by_environment = scenario_engine(NULL);
    setenv("DATABASE_SLOW_MS", "60000", 1);
    lido_engine *by_url = open_url("slow_ms=0");
    lido_engine *never = open_url("slow_ms=never");
    unsetenv("DATABASE_SLOW_MS");
    assert_true(by_url != NULL && never != NULL);
    saw_setting(by_environment);
    read_one(by_environment);
    saw("%d lines", logged(""));
    saw_setting(by_url);
    read_one(by_url);
    saw("%d lines", logged(""));
    saw_setting(never);
    read_one(never);
    saw("%d lines", logged(""));
    log_ends();
    lido_engine_close(by_environment);
    lido_engine_close(by_url);
    lido_engine_close(never);
    assert_null(open_url("slow_ms=200ms"));
    assert_null(open_url("slow_ms=-2"));
}

/* What the engine writes to standard error while it runs one statement. */
static void read_standard_error(lido_engine *engine, char *written, size_t size) {
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_non_null(file);
    fflush(stderr);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    read_one(engine);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    written[fread(written, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void story_of_standard_error(lido_engine *quiet) {
    char written[2000];
    lido_time time;
    lido_engine *engine = open_slow_ms(0);
    read_standard_error(engine, written, sizeof written);
    const char *end = strstr(written, " lido: warning: ");
    assert_non_null(end);
    written[end - written] = '\0';
    saw("the time %d", lido_time_parse(written, &time));
    saw("the statement %d, values %d", strstr(end + 1, ": SELECT ?\n") != NULL, strstr(end + 1, "secret") != NULL);
    lido_log_listen(LIDO_LOG_ERROR, keep_line, NULL); /* wants no warnings */
    read_standard_error(engine, written, sizeof written);
    saw("with a callback for errors %d", strstr(written, "SELECT ?") != NULL);
    log_begins(LIDO_LOG_WARNING);
    read_standard_error(engine, written, sizeof written);
    saw("with one for warnings \"%s\"", written);
    log_ends();
    read_standard_error(quiet, written, sizeof written);
    saw("without the setting \"%s\"", written);
    lido_engine_close(engine);
}

static bool count_event(const lido_event *event, void *user) {
    (void)event;
    ++*(int *)user;
    return true;
}

static void story_of_listeners(lido_engine *unused) {
    (void)unused;
    static int told;
    lido_engine *engine = open_slow_ms(0);
    int taken = 0;
    told = 0;
    while (lido_engine_listen(engine, &(lido_listening){.kinds = LIDO_EVENT_SLOW}, count_event, &told) == LIDO_OK)
        taken++;
    log_begins(LIDO_LOG_WARNING);
    read_one(engine);
    saw("%d places, %d told, %d logged", taken, told, logged("SELECT ?"));
    log_ends();
    lido_engine_close(engine);
}

/* ---- Who writes for others ---- */

typedef struct rivals {
    lido_engine *engine;
    atomic_bool holds;
} rivals;

static void *hold_the_turn(void *argument) {
    rivals *my = argument;
    lido_session *db = lido_session_open(my->engine, NULL);
    insert(db, 1);
    atomic_store(&my->holds, true);
    usleep(50 * 1000);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    return NULL;
}

/* On SQLite, whoever has the turn to write runs it for who waits; it is slow all the same. */
static void story_of_errands(lido_engine *unused) {
    (void)unused;
    rivals my = {.engine = open_slow_ms(20)};
    pthread_t thread;
    make_items(my.engine);
    log_begins(LIDO_LOG_WARNING);
    assert_int_equal(pthread_create(&thread, NULL, hold_the_turn, &my), 0);
    while (!atomic_load(&my.holds))
        usleep(100);
    lido_session *db = open_autocommit(my.engine);
    lido_exec(db, NUMBERS(1000000) "INSERT INTO items SELECT 2, max(n) FROM numbers");
    saw("%s", lido_category_name(lido_error_of(db)->category));
    lido_session_close(db);
    pthread_join(thread, NULL);
    bool logged_once = strstr(log_text, "INSERT INTO items SELECT 2") != NULL;
    saw("logged %d", logged_once);
    log_ends();
    lido_metrics now;
    assert_int_equal(lido_stats(my.engine, &now), LIDO_OK);
    assert_true(now.write.longest_us >= 20 * 1000);
    lido_engine_close(my.engine);
}

static const scenario scenarios[] = {
    {"what is slow is logged, and nothing else", story_of_a_slow_statement,
     "timeout\n"
     "1 lines, 1 warning, 1 at its place, 0 values\n"},
    {"with 0 all is logged", story_of_all_statements, "1 create, 1 insert, 1 commit\n"},
    {"option, URL and environment", story_of_the_settings_places,
     "never from the default\n"
     "0 lines\n"
     "0 from the environment\n"
     "1 lines\n"
     "0 from the URL\n"
     "2 lines\n"
     "never from the URL\n"
     "2 lines\n"
     "slow_ms is \"200ms\": allowed is 0 to 86400000, or -1 (never)\n"
     "slow_ms is \"-2\": allowed is 0 to 86400000, or -1 (never)\n"},
    {"without a callback it goes to standard error", story_of_standard_error,
     "the time 1\n"
     "the statement 1, values 0\n"
     "with a callback for errors 1\n"
     "with one for warnings \"\"\n"
     "without the setting \"\"\n"},
    {"it takes no listener's place", story_of_listeners, "16 places, 16 told, 1 logged\n"},
    {"what another thread runs is slow, too", story_of_errands,
     "no error\n"
     "logged 1\n"},
};

int main(void) {
    return scenarios_run("slow log", scenarios, sizeof scenarios / sizeof *scenarios);
}
