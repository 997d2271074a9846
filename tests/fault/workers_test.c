/* Workers on a hostile day: killed, hung, worn, without a parent; and replaced while they are asked. */
#include "requests.h"

/* ---- Killed ---- */

static void killed_workers_are_replaced(const char *url) {
    service of = {.workers = {.count = 2, .crashes_most = 100}};
    int acknowledged = 0;
    begin(&of, url);
    for (int round = 0; round < 10; round++) {
        request_surely(&of, 'i');
        acknowledged++;
        assert_true(request(&of, 'x') <= 0); /* nobody answers */
        int left_open = request_surely(&of, 'l');
        kill(left_open, SIGKILL);
        expect_gone(left_open);
    }
    request_surely(&of, 'i');
    acknowledged++;
    assert_int_equal(rows(), acknowledged);
    stop_service(&of);
    end();
}

static void test_killed_on_sqlite(void **state) {
    (void)state;
    killed_workers_are_replaced(sqlite_url());
}

static void test_killed_on_postgres(void **state) {
    (void)state;
    killed_workers_are_replaced(postgres_url());
}

static void test_parent_killed(void **state) {
    (void)state;
    service of = {.workers = {.count = 2}};
    int workers[20];
    begin(&of, sqlite_url());
    for (int i = 0; i < 20; i++)
        workers[i] = request_surely(&of, 'i');
    kill(of.parent, SIGKILL);
    assert_int_equal(wait_for_service(&of), -1);
    for (int i = 0; i < 20; i++)
        expect_gone(workers[i]);
    end();
}

static void its_worker_goes_when_its_parent_is_killed(service *of) {
    begin(of, sqlite_url());
    int process = request_surely(of, 'p');
    kill(of->parent, SIGKILL);
    assert_int_equal(wait_for_service(of), -1);
    expect_gone(process);
    end();
}

/* The kernel forgets whose death is to be told where a process becomes another user. */
static void test_parent_killed_of_workers_that_became_others(void **state) {
    (void)state;
    enum { NOBODY = 65534 };
    service of = {.workers = {.count = 1}, .becomes = NOBODY};
    if (geteuid() != 0)
        skip();
    its_worker_goes_when_its_parent_is_killed(&of);
}

/* It would keep the port. */
static void test_hangs_in_close_without_a_parent(void **state) {
    (void)state;
    service of = {.workers = {.count = 1, .stop_timeout_ms = 300}, .hangs_in_close = true};
    its_worker_goes_when_its_parent_is_killed(&of);
}

static void test_one_stops_all(void **state) {
    (void)state;
    service of = {.workers = {.count = 2}};
    begin(&of, sqlite_url());
    request_surely(&of, 'e');
    assert_int_equal(wait_for_service(&of), ENDED_WELL);
    end();
}

/* ---- Replaced ---- */

static void a_rolling_restart_drops_no_request(const char *url, bool reuse_port) {
    enum { RESTARTS = 3 };
    service of = {.workers = {.count = 2, .reuse_port = reuse_port}};
    crowd among;
    begin(&of, url);
    int before = request_surely(&of, 'p');
    start_crowd(&among, &of, ask_again_and_again);
    for (int i = 0; i < RESTARTS; i++) {
        pause_ms(300);
        kill(of.parent, SIGHUP);
    }
    expect_gone(before);
    pause_ms(500);
    end_crowd(&among);
    assert_int_equal(atomic_load(&among.unanswered) + atomic_load(&among.refused), 0);
    assert_int_equal(rows(), atomic_load(&among.answered));
    stop_service(&of);
    end();
}

static void test_restart_on_sqlite(void **state) {
    (void)state;
    a_rolling_restart_drops_no_request(sqlite_url(), false);
}

static void test_restart_on_postgres(void **state) {
    (void)state;
    a_rolling_restart_drops_no_request(postgres_url(), false);
}

static void test_restart_with_ports_of_their_own(void **state) {
    (void)state;
    a_rolling_restart_drops_no_request(sqlite_url(), true);
}

static void test_worn(void **state) {
    (void)state;
    service of = {.workers = {.count = 1, .max_requests = 5}};
    int seen = 0;
    int last = 0;
    begin(&of, sqlite_url());
    for (int i = 0; i < 60; i++) {
        int process = request_surely(&of, 'i');
        seen += process != last;
        last = process;
        pause_ms(5);
    }
    assert_in_range(seen, 3, 60);
    assert_int_equal(rows(), 60);
    stop_service(&of);
    end();
}

static void test_aged(void **state) {
    (void)state;
    service of = {.workers = {.count = 1, .max_age_ms = 100}};
    begin(&of, sqlite_url());
    int first = request_surely(&of, 'p');
    expect_gone(first);
    assert_true(request_surely(&of, 'p') != first);
    stop_service(&of);
    end();
}

/* ---- That cannot start, or end ---- */

static void test_what_makes_no_sense_is_refused(void **state) {
    (void)state;
    const struct {
        lido_workers workers;
        const char *message;
    } wrong[] = {
        {{.count = 1}, "the workers have no serve function"},
        {{.serve = serve, .count = -1}, "count is -1: 1 to 1024 are allowed, and 0 for one for each processor"},
        {{.serve = serve, .crashes_most = -1}, "crashes_most is -1: 0 to 100000 are allowed"},
        {{.serve = serve, .max_requests = -1}, "max_requests is -1: 0, for the default, and more are allowed"},
        {{.serve = serve, .stop_timeout_ms = INT64_MAX},
         "stop_timeout_ms is 9223372036854775807: milliseconds, a year at most, are allowed"},
        {{.serve = serve, .reuse_port = true}, "reuse_port is set, and there is nothing to listen on"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        lido_error error;
        assert_int_equal(lido_workers_run(NULL, &wrong[i].workers, &error), LIDO_ERROR);
        assert_int_equal(error.category, LIDO_ERROR_MISUSE);
        assert_string_equal(error.message, wrong[i].message);
    }
}

static void test_hangs_in_close(void **state) {
    (void)state;
    service of = {.workers = {.count = 2, .stop_timeout_ms = 300}, .hangs_in_close = true};
    begin(&of, sqlite_url());
    int process = request_surely(&of, 'p');
    stop_service(&of);
    assert_false(is_alive(process));
    end();
}

/* Its successor serves meanwhile. */
static void test_hangs_in_close_when_replaced(void **state) {
    (void)state;
    service of = {.workers = {.count = 1, .stop_timeout_ms = 300}, .hangs_in_close = true};
    begin(&of, sqlite_url());
    int process = request_surely(&of, 'p');
    kill(of.parent, SIGHUP);
    for (int answering = process; answering == process;)
        answering = request_surely(&of, 'i');
    expect_gone(process);
    request_surely(&of, 'i');
    stop_service(&of);
    end();
}

static void test_a_second_signal_kills(void **state) {
    (void)state;
    service of = {.workers = {.count = 2}, .hangs_in_close = true};
    begin(&of, sqlite_url());
    int process = request_surely(&of, 'p');
    kill(of.parent, SIGINT);
    pause_ms(100);
    assert_true(is_alive(process));
    stop_service(&of);
    assert_false(is_alive(process));
    end();
}

static void refuse_starts(service *of) {
    snprintf(of->refuses, sizeof of->refuses, "%s/refuses", folder);
}

static void set_refusing(const service *of, bool on) {
    if (!on) {
        assert_int_equal(unlink(of->refuses), 0);
        return;
    }
    FILE *made = fopen(of->refuses, "w");
    assert_non_null(made);
    fclose(made);
}

static void test_cannot_start(void **state) {
    (void)state;
    service of = {.workers = {.count = 2, .crashes_most = 4, .respawn_pause_ms = 1}};
    refuse_starts(&of);
    set_refusing(&of, true);
    start_service(&of, sqlite_url());
    assert_int_equal(wait_for_service(&of), ENDED_WITH_ERROR);
}

static void test_no_database(void **state) {
    (void)state;
    service of = {.workers = {.count = 1, .crashes_most = 2, .respawn_pause_ms = 1}};
    start_service(&of, "sqlite:////no/such/folder/service.db");
    assert_int_equal(wait_for_service(&of), ENDED_WITH_ERROR);
}

/* The old one goes on, however often that fails, and is replaced as soon as one can start. */
static void test_successor_cannot_start(void **state) {
    (void)state;
    service of = {.workers = {.count = 1, .crashes_most = 2, .respawn_pause_ms = 20}};
    refuse_starts(&of);
    begin(&of, sqlite_url());
    int process = request_surely(&of, 'i');
    set_refusing(&of, true);
    kill(of.parent, SIGHUP);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(request_surely(&of, 'i'), process);
        pause_ms(20);
    }
    set_refusing(&of, false);
    expect_gone(process);
    request_surely(&of, 'i');
    assert_int_equal(rows(), 22);
    stop_service(&of);
    end();
}

/* ---- Again and again ---- */

/* How many pieces of memory this process shares with others. */
static int shared_mappings(void) {
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        char rights[5] = "";
        assert_int_equal(sscanf(line, "%*s %4s", rights), 1);
        count += rights[3] == 's';
    }
    fclose(maps);
    return count;
}

static void serve_once(lido_worker *worker, void *user) {
    (void)user;
    insert_row(false, false);
    while (!lido_worker_stopping(worker)) {
        struct pollfd waiting = {.fd = lido_worker_stop_descriptor(worker), .events = POLLIN};
        poll(&waiting, 1, -1);
    }
}

static void *stop_soon(void *argument) {
    int *rows_wanted = argument;
    while (rows() < *rows_wanted)
        pause_ms(2);
    assert_int_equal(lido_workers_stop(), LIDO_OK);
    return NULL;
}

static void test_forty_rounds(void **state) {
    (void)state;
    enum { ROUNDS = 40 };
    lido_error error;
    int descriptors = 0;
    int mappings = 0;
    const lido_workers workers = {.count = 2, .listen = "127.0.0.1:0", .serve = serve_once};
    witness = open_requests(sqlite_url());
    assert_int_equal(lido_manager_configure_database(lido_manager_get(), NULL, sqlite_url(), NULL, &error), LIDO_OK);
    for (int round = 1; round <= ROUNDS; round++) {
        pthread_t stopper;
        int wanted = 2 * round;
        assert_int_equal(pthread_create(&stopper, NULL, stop_soon, &wanted), 0);
        lido_status status = lido_workers_run(lido_manager_get(), &workers, &error);
        pthread_join(stopper, NULL);
        assert_int_equal(status, LIDO_OK);
        if (round == 1) {
            descriptors = count_descriptors();
            mappings = shared_mappings();
        }
    }
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(shared_mappings(), mappings);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(rows(), 2 * ROUNDS);
    end();
}

/* ---- Configured while they run ---- */

typedef struct configuring {
    lido_status status;
    lido_error error;
} configuring;

static void *configure_and_stop(void *argument) {
    configuring *seen = argument;
    while (rows() < 1)
        pause_ms(2);
    seen->status = lido_manager_configure_database(lido_manager_get(), "reports", "sqlite://", NULL, &seen->error);
    lido_workers_stop();
    return NULL;
}

static void test_configured_while_they_run(void **state) {
    (void)state;
    pthread_t thread;
    configuring seen = {.status = LIDO_OK};
    lido_error error;
    const lido_workers workers = {.count = 1, .serve = serve_once};
    lido_manager *manager = lido_manager_get();
    witness = open_requests(sqlite_url());
    assert_int_equal(lido_manager_configure_database(manager, NULL, sqlite_url(), NULL, &error), LIDO_OK);
    assert_int_equal(pthread_create(&thread, NULL, configure_and_stop, &seen), 0);
    assert_int_equal(lido_workers_run(manager, &workers, &error), LIDO_OK);
    pthread_join(thread, NULL);
    assert_int_equal(seen.status, LIDO_ERROR);
    assert_int_equal(seen.error.category, LIDO_ERROR_MISUSE);
    assert_non_null(strstr(seen.error.hint, "before lido_workers_run"));
    assert_int_equal(lido_manager_configure_database(manager, NULL, sqlite_url(), NULL, &error), LIDO_OK);
    end();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_killed_on_sqlite),
        TEST(test_killed_on_postgres),
        TEST(test_parent_killed),
        TEST(test_parent_killed_of_workers_that_became_others),
        TEST(test_hangs_in_close_without_a_parent),
        TEST(test_one_stops_all),
        TEST(test_restart_on_sqlite),
        TEST(test_restart_on_postgres),
        TEST(test_restart_with_ports_of_their_own),
        TEST(test_worn),
        TEST(test_aged),
        TEST(test_what_makes_no_sense_is_refused),
        TEST(test_hangs_in_close),
        TEST(test_hangs_in_close_when_replaced),
        TEST(test_a_second_signal_kills),
        TEST(test_cannot_start),
        TEST(test_no_database),
        TEST(test_successor_cannot_start),
        TEST(test_forty_rounds),
        TEST(test_configured_while_they_run),
    };
    return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
