/* Workers under load whose world is killed: they at random moments, their parent, and the database server. What was
 * acknowledged stands, what was not is all or nothing, those who are left go on, and nothing is left behind. */
#include "requests.h"
#include "server_process.h"
#include "support/chance.h"

/* It has served one request. */
static void begin_serving(service *of, const char *url) {
    begin(of, url);
    request_surely(of, 'p');
}

/* A request that was not answered may have been done before its worker died, or not. */
static void expect_rows_of(crowd *among, int64_t found) {
    print_message("           %d answered, %d not, %d refused\n", atomic_load(&among->answered),
                  atomic_load(&among->unanswered), atomic_load(&among->refused));
    assert_in_range(found, atomic_load(&among->answered),
                    atomic_load(&among->answered) + atomic_load(&among->unanswered));
}

static void wait_for_answers(crowd *among, int count) {
    int wanted = atomic_load(&among->answered) + count;
    int64_t deadline = lido__deadline_in_ms(ANSWER_MOST_MS);
    while (atomic_load(&among->answered) < wanted) {
        pause_ms(2);
        assert_true(lido__clock_now_us() < deadline);
    }
}

#define SESSIONS_OF_OTHERS "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"

/* Whatever a dead process had open at the server is rolled back, which takes it a moment. */
static void expect_no_session_left(void) {
    int64_t deadline = lido__deadline_in_ms(ANSWER_MOST_MS);
    while (ask_surely(witness, "SELECT count(*) " SESSIONS_OF_OTHERS) != 0) {
        pause_ms(10);
        assert_true(lido__clock_now_us() < deadline);
    }
}

static void expect_whole(bool postgres) {
    if (postgres)
        expect_no_session_left();
    else
        assert_int_equal(
            ask_surely(witness, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

/* ---- Workers ---- */

static void killed_at_random_moments(bool postgres) {
    enum { KILLS = 12 };
    service of = {.workers = {.count = 2, .crashes_most = 2 * KILLS, .respawn_pause_ms = 1}};
    crowd among;
    uint64_t chance = chance_of(seed_of_test(), 0);
    begin_serving(&of, postgres ? postgres_url() : sqlite_url());
    start_crowd(&among, &of, ask_again_and_again);
    for (int i = 0; i < KILLS; i++) {
        int victim = request_surely(&of, 'p');
        nanosleep(&(struct timespec){.tv_nsec = draw_below(&chance, 30000000)}, NULL);
        kill(victim, SIGKILL);
        wait_for_answers(&among, 5);
    }
    end_crowd(&among);
    assert_int_equal(atomic_load(&among.refused), 0); /* the listening socket is the parent's */
    expect_rows_of(&among, rows());
    stop_service(&of);
    expect_whole(postgres);
    end();
}

static void test_killed_on_sqlite(void **state) {
    (void)state;
    killed_at_random_moments(false);
}

static void test_killed_on_postgres(void **state) {
    (void)state;
    killed_at_random_moments(true);
}

/* ---- Their parent ---- */

/* Each in turn: they end what they are at, and nobody takes connections any more. */
static void their_parent_is_killed(bool postgres) {
    enum { ROUNDS = 3, WORKERS = 2, ASKED = 20 };
    uint64_t chance = chance_of(seed_of_test(), 1);
    for (int round = 0; round < ROUNDS; round++) {
        service of = {.workers = {.count = WORKERS}};
        crowd among;
        int workers[ASKED];
        begin_serving(&of, postgres ? postgres_url() : sqlite_url());
        for (int i = 0; i < ASKED; i++)
            workers[i] = request_surely(&of, 'p');
        start_crowd(&among, &of, ask_again_and_again);
        wait_for_answers(&among, 5);
        nanosleep(&(struct timespec){.tv_nsec = draw_below(&chance, 30000000)}, NULL);
        kill(of.parent, SIGKILL);
        assert_int_equal(wait_for_service(&of), -1);
        for (int i = 0; i < ASKED; i++)
            expect_gone(workers[i]);
        end_crowd(&among);
        expect_rows_of(&among, rows());
        expect_whole(postgres);
        end();
    }
}

static void test_parent_killed_on_sqlite(void **state) {
    (void)state;
    their_parent_is_killed(false);
}

static void test_parent_killed_on_postgres(void **state) {
    (void)state;
    their_parent_is_killed(true);
}

/* ---- The database server ---- */

typedef struct reporting_crowd {
    crowd crowd;
    atomic_int failed;   /* answered with an error */
    atomic_int unknown;  /* of those, who may have committed */
    atomic_bool unclear; /* an error that a killed server does not explain */
} reporting_crowd;

/* No connection, a broken one, a commit in doubt: in words. */
static bool is_clear(const char *answer) {
    bool named = strncmp(answer, "! disconnected: ", 16) == 0 || strncmp(answer, "! unknown outcome: ", 19) == 0;
    return named && strlen(answer) > 40;
}

static void *ask_and_take_errors(void *argument) {
    reporting_crowd *among = argument;
    char text[TEXT_MOST];
    while (!atomic_load(&among->crowd.ends)) {
        bool taken = request_text(among->crowd.of, 'r', text);
        if (text[0] != '!') {
            atomic_fetch_add(!taken           ? &among->crowd.refused
                             : atoi(text) > 0 ? &among->crowd.answered
                                              : &among->crowd.unanswered,
                             1);
            continue;
        }
        atomic_fetch_add(&among->failed, 1);
        atomic_fetch_add(&among->unknown, strstr(text, "unknown") != NULL);
        if (!is_clear(text) && !atomic_exchange(&among->unclear, true))
            print_error("%s", text);
        pause_ms(5);
    }
    return NULL;
}

/* One of its backends killed makes the server end all the others; killed itself, it is started anew. The witness's own
 * backend tells when that has come about. */
static void kill_the_server(bool all_of_it) {
    pid_t process = server_process();
    pid_t last_to_go = (pid_t)ask_surely(witness, "SELECT pg_backend_pid()");
    if (!all_of_it)
        process = (pid_t)ask_surely(witness, "SELECT pid " SESSIONS_OF_OTHERS " LIMIT 1");
    assert_true(process > 0);
    assert_int_equal(kill(process, SIGKILL), 0);
    expect_gone(last_to_go);
    wait_until_it_is_back();
}

/* They have no connection that they had not at first. */
static void expect_descriptors(const pid_t workers[2], const int before[2]) {
    for (int i = 0; i < 2; i++) {
        for (int tries = 0; tries < 500 && count_descriptors_of(workers[i]) > before[i]; tries++)
            pause_ms(10);
        assert_in_range(count_descriptors_of(workers[i]), 1, before[i]);
    }
}

static void find_workers(const service *of, pid_t workers[2]) {
    workers[0] = request_surely(of, 'i');
    for (workers[1] = workers[0]; workers[1] == workers[0];)
        workers[1] = request_surely(of, 'i');
}

static void the_server_is_killed(bool all_of_it) {
    enum { KILLS = 2 };
    static reporting_crowd among;
    service of = {.workers = {.count = 2}};
    pid_t workers[2];
    int descriptors[2];
    need_a_server_of_ours();
    among = (reporting_crowd){.failed = 0};
    begin_serving(&of, postgres_url());
    find_workers(&of, workers);
    int64_t rows_before = rows();
    for (int i = 0; i < 2; i++)
        descriptors[i] = count_descriptors_of(workers[i]);
    start_crowd(&among.crowd, &of, ask_and_take_errors);
    for (int i = 0; i < KILLS; i++) {
        wait_for_answers(&among.crowd, 50);
        kill_the_server(all_of_it);
    }
    wait_for_answers(&among.crowd, 50);
    end_crowd(&among.crowd);
    print_message("           %d done, %d failed\n", atomic_load(&among.crowd.answered), atomic_load(&among.failed));
    assert_int_equal(atomic_load(&among.crowd.unanswered) + atomic_load(&among.crowd.refused), 0);
    assert_true(atomic_load(&among.failed) > 0);
    assert_false(atomic_load(&among.unclear));
    assert_in_range(rows() - rows_before, atomic_load(&among.crowd.answered),
                    atomic_load(&among.crowd.answered) + atomic_load(&among.unknown));
    for (int i = 0; i < 2; i++)
        assert_true(is_alive(workers[i]));
    expect_descriptors(workers, descriptors);
    stop_service(&of);
    expect_no_session_left();
    end();
}

static void test_server_killed(void **state) {
    (void)state;
    the_server_is_killed(true);
}

static void test_backend_killed(void **state) {
    (void)state;
    the_server_is_killed(false);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_killed_on_sqlite),          TEST(test_killed_on_postgres), TEST(test_parent_killed_on_sqlite),
        TEST(test_parent_killed_on_postgres), TEST(test_server_killed),      TEST(test_backend_killed),
    };
    return cmocka_run_group_tests_name("workers_harm", tests, NULL, NULL);
}
