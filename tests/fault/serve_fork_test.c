/* Metrics addresses and processes: children of a program that serves them, and parents of workers. */
#include "service.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/prometheus.h"
#include "support/scrape.h"

enum { WHERE_MOST = 200, ROUNDS = 40, CROWD = 50, FORKS = 20 };

static scrape_answer page;
static prometheus_text text;
static char where[WHERE_MOST];
static char file_url_text[URL_MOST];

static int begin(void **state) {
    make_folder(state);
    snprintf(where, sizeof where, "unix:%s/metrics", folder);
    snprintf(file_url_text, sizeof file_url_text, "sqlite:///%s/serve.db", folder);
    return 0;
}

static void make_table(void) {
    lido_engine *engine = open_surely(file_url_text, NULL);
    run_surely(engine, "CREATE TABLE IF NOT EXISTS requests (process integer)");
    lido_engine_close(engine);
}

static int count_sockets(void) {
    char path[300];
    char name[300];
    int count = 0;
    DIR *descriptors = opendir("/proc/self/fd");
    for (const struct dirent *entry; (entry = readdir(descriptors)) != NULL;) {
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        ssize_t size = readlink(path, name, sizeof name - 1);
        count += size > 7 && strncmp(name, "socket:", 7) == 0;
    }
    closedir(descriptors);
    return count;
}

static void read_metrics(void) {
    scrape(where, "/metrics", &page);
    assert_int_equal(page.status, 200);
    text.used = 0;
    prometheus_write(page.body, strlen(page.body), &text);
    prometheus_check(&text);
}

static void read_state(void) {
    scrape(where, "/state", &page);
    assert_int_equal(page.status, 200);
}

/* ---- A program's own children ---- */

static atomic_bool over;

static void *ask_on(void *argument) {
    scrape_answer *own = argument;
    while (!atomic_load(&over))
        scrape(where, "/metrics", own);
    return NULL;
}

extern void __asan_init(void) __attribute__((weak)); /* there under AddressSanitizer */

/* Forked at any moment, while it is asked, and while clients wait. AddressSanitizer's allocator leaves its locks in a
 * child as they were in the fork: threads that allocate all the while would now and then leave one locked. */
static void test_children_have_none_of_it(void **state) {
    (void)state;
    if (&__asan_init != NULL)
        skip();
    static scrape_answer own;
    pthread_t thread;
    lido_error error;
    int before = count_sockets();
    lido_engine *engine = open_surely("sqlite://", NULL);
    lido_metrics_server *server = lido_metrics_serve(engine, where, &error);
    assert_non_null(server);
    int waiting = scrape_connect_surely(where);
    read_metrics();
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&thread, NULL, ask_on, &own), 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork_surely();
        if (child == 0) {
            CHILD_EXPECT(count_sockets() <= before + 2); /* the clients' ends, which are this test's own */
            lido_metrics_server_close(server);           /* does nothing */
            char other[2 * WHERE_MOST];
            snprintf(other, sizeof other, "%s.%d", where, (int)getpid());
            server = lido_metrics_serve(engine, other, NULL);
            CHILD_EXPECT(server != NULL && scrape_connect(other) >= 0);
            lido_metrics_server_close(server);
            _exit(0);
        }
        expect_good_end(child);
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    close(waiting);
    lido_metrics_server_close(server);
    lido_engine_close(engine);
    assert_int_equal(count_sockets(), before);
}

static void *serve_again_and_again(void *engine) {
    while (!atomic_load(&over)) {
        lido_error error;
        lido_metrics_server *server = lido_metrics_serve(engine, where, &error);
        assert_non_null(server);
        lido_metrics_server_close(server);
    }
    return NULL;
}

/* Forked while an address is being opened or closed; not under AddressSanitizer, as above. */
static void test_children_of_the_first_moment(void **state) {
    (void)state;
    enum { CHILDREN = 300 };
    pthread_t thread;
    if (&__asan_init != NULL)
        skip();
    int before = count_descriptors();
    lido_engine *engine = open_surely("sqlite://", NULL);
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&thread, NULL, serve_again_and_again, engine), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork_surely();
        if (child == 0)
            _exit(count_sockets() == 0 ? 0 : 1);
        expect_good_end(child);
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    lido_engine_close(engine);
    assert_int_equal(count_descriptors(), before);
}

/* A child that lives on keeps neither the address nor its clients. */
static void test_a_child_keeps_nothing_open(void **state) {
    (void)state;
    int ends[2];
    char byte = 0;
    lido_engine *engine = open_surely("sqlite://", NULL);
    lido_metrics_server *server = lido_metrics_serve(engine, where, NULL);
    int client = scrape_connect_surely(where);
    read_metrics(); /* so the connection before it was taken, too */
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork_surely();
    if (child == 0) {
        close(ends[1]);
        CHILD_EXPECT(read(ends[0], &byte, 1) == 0);
        _exit(0);
    }
    close(ends[0]);
    lido_metrics_server_close(server);
    assert_true(scrape_is_closed(client));
    assert_int_equal(scrape_connect(where), -1);
    close(client);
    close(ends[1]);
    expect_good_end(child);
    lido_engine_close(engine);
}

/* ---- Workers ---- */

/* A worker's process id, as its number in the state has it. */
static int64_t process_of(int worker) {
    char key[32];
    snprintf(key, sizeof key, "{\"number\":%d,", worker);
    const char *found = strstr(page.body, key);
    return found != NULL ? scrape_number(found, "process") : -1;
}

static void start(service *of) {
    make_table();
    of->workers.metrics = where;
    start_service(of, file_url_text);
    request_surely(of, 'p');
}

static void test_a_killed_workers_figures_are_there(void **state) {
    (void)state;
    service of = {.workers = {.count = 2, .crashes_most = 100}};
    start(&of);
    for (int i = 0; i < 20; i++)
        request_surely(&of, 'i');
    read_metrics();
    assert_true(prometheus_sum(&text, "lido_transactions_total", "outcome=\"committed\"") == 20);
    read_state();
    pid_t killed = (pid_t)process_of(0);
    kill(killed, SIGKILL);
    expect_gone(killed);
    for (int tries = 0; tries < 500 && (process_of(0) == killed || process_of(0) < 0); tries++) {
        pause_ms(10);
        read_state();
    }
    const char *first = strstr(page.body, "{\"number\":0,");
    assert_non_null(first);
    assert_int_equal(scrape_number(first, "restarts"), 1);
    assert_int_equal(scrape_number(first, "deaths"), 1);
    read_metrics();
    assert_true(prometheus_sum(&text, "lido_transactions_total", "outcome=\"committed\"") == 20);
    stop_service(&of);
    assert_int_equal(scrape_connect(where), -1);
}

/* A worker's keeper tells it once a second. */
static void test_who_holds_a_connection_in_a_worker(void **state) {
    (void)state;
    service of = {.workers = {.count = 2, .crashes_most = 100}};
    start(&of);
    int holder = request_surely(&of, 'l');
    const char *found = NULL;
    for (int tries = 0; tries < 500 && found == NULL; tries++) {
        pause_ms(20);
        read_state();
        found = strstr(page.body, "\"holders\":[{");
    }
    assert_non_null(found);
    assert_non_null(strstr(found, "service.h\""));
    assert_non_null(strstr(found, "INSERT INTO requests(process) VALUES (?)"));
    kill(holder, SIGKILL); /* the dead hold nothing */
    for (int tries = 0; tries < 500 && found != NULL; tries++) {
        pause_ms(20);
        read_state();
        found = strstr(page.body, "\"holders\":[{");
    }
    assert_null(found);
    stop_service(&of);
}

/* The parent forks successors and hears of them while a crowd sits on its address. */
static void test_a_crowd_does_not_stop_the_parent(void **state) {
    (void)state;
    int visitors[CROWD];
    service of = {.workers = {.count = 2, .crashes_most = 100}};
    start(&of);
    for (int i = 0; i < CROWD; i++)
        visitors[i] = scrape_connect_surely(where);
    for (int i = 0; i < 5; i++) {
        assert_true(request(&of, 'x') <= 0);
        request_surely(&of, 'i');
        read_metrics();
    }
    for (int i = 0; i < CROWD; i++) {
        assert_true(scrape_is_closed(visitors[i])); /* though workers were forked meanwhile, and live */
        close(visitors[i]);
    }
    stop_service(&of);
}

static void test_a_dead_parents_workers_do_not_keep_its_address(void **state) {
    (void)state;
    service of = {.workers = {.count = 1}, .hangs_in_close = true};
    start(&of);
    int client = scrape_connect_surely(where);
    read_state();
    pid_t worker = (pid_t)process_of(0);
    kill(of.parent, SIGKILL);
    assert_int_equal(wait_for_service(&of), -1);
    assert_true(is_alive(worker));
    assert_int_equal(scrape_connect(where), -1);
    assert_true(scrape_is_closed(client));
    close(client);
    kill(worker, SIGKILL);
    expect_gone(worker);
}

static void test_an_address_that_cannot_be_had(void **state) {
    (void)state;
    lido_error error;
    service of = {.workers = {.count = 1, .serve = serve, .metrics = "0.0.0.0:0"}};
    lido_manager *manager = lido_manager_get();
    assert_int_equal(lido_manager_configure_database(manager, "default", "sqlite://", NULL, &error), LIDO_OK);
    assert_int_equal(lido_workers_run(manager, &of.workers, &error), LIDO_ERROR);
    assert_int_equal(error.category, LIDO_ERROR_CONFIGURATION);
    assert_non_null(strstr(error.message, "others than this machine could reach it"));
    assert_non_null(strstr(error.hint, "public:0.0.0.0:0"));
}

/* Workers that a thread of this process stops when they have answered. */
static void *ask_and_stop(void *argument) {
    (void)argument;
    int client = -1;
    for (int tries = 0; tries < 1000 && client < 0; tries++, pause_ms(5))
        client = scrape_connect(where);
    if (client >= 0) {
        scrape_send(client, "GET /state HTTP/1.0\r\n\r\n");
        scrape_is_closed(client);
        close(client);
    }
    lido_workers_stop();
    return NULL;
}

static void sleep_until_stopped(lido_worker *worker, void *user) {
    (void)user;
    struct pollfd told = {.fd = lido_worker_stop_descriptor(worker), .events = POLLIN};
    while (!lido_worker_stopping(worker))
        poll(&told, 1, -1);
}

static void test_forty_times(void **state) {
    (void)state;
    int before = 0;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        lido_error error;
        assert_int_equal(pthread_create(&thread, NULL, ask_and_stop, NULL), 0);
        const lido_workers workers = {.count = 1, .serve = sleep_until_stopped, .metrics = where};
        assert_int_equal(lido_workers_run(NULL, &workers, &error), LIDO_OK);
        pthread_join(thread, NULL);
        if (i == 0)
            before = count_descriptors();
    }
    assert_int_equal(count_descriptors(), before);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_children_have_none_of_it),
        TEST(test_children_of_the_first_moment),
        TEST(test_a_child_keeps_nothing_open),
        TEST(test_a_killed_workers_figures_are_there),
        TEST(test_who_holds_a_connection_in_a_worker),
        TEST(test_a_crowd_does_not_stop_the_parent),
        TEST(test_a_dead_parents_workers_do_not_keep_its_address),
        TEST(test_an_address_that_cannot_be_had),
        TEST(test_forty_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
