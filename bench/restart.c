/* restart: a service of two workers is asked by four clients without a pause, each request a transaction, while it is
 * restarted again and again: how many requests fail. There is no raw counterpart; the time is that of a request. */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measures.h"
#include "sqlite_fixture.h"

enum { CLIENTS = 4, RESTARTS = 5, RESTART_EVERY_MS = 300, START_MOST_MS = 5000 };

typedef struct job {
    bench_folder folder;
    char file[256];
    uint16_t port;
    pid_t parent;
    atomic_bool ends;
    atomic_int answered;
    atomic_int failed;
} job;

static void sleep_ms(int ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* ---- The service ---- */

static char ask_database(void) {
    lido_error error;
    lido_transaction (db, lido_manager_engine(lido_manager_get(), NULL, &error), &error)
        lido_exec(db, "UPDATE items SET price = price + 1 WHERE id = 1");
    return error.status == LIDO_OK ? '+' : '-';
}

static void serve(lido_worker *worker, void *user) {
    (void)user;
    for (int client; (client = lido_worker_accept(worker)) >= 0; close(client)) {
        char letter;
        if (read(client, &letter, 1) == 1) {
            letter = ask_database();
            (void)!write(client, &letter, 1);
        }
    }
}

_Noreturn static void be_service(const job *my) {
    char url[300];
    char listen[32];
    lido_error error;
    snprintf(url, sizeof url, "sqlite:///%s?synchronous=normal", my->file);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", my->port);
    const lido_workers workers = {.count = 2, .listen = listen, .serve = serve, .verify = true};
    if (lido_manager_configure_database(lido_manager_get(), NULL, url, NULL, &error) != LIDO_OK ||
        lido_workers_run(lido_manager_get(), &workers, &error) != LIDO_OK)
        lido_error_print(&error, stderr);
    _exit(error.status == LIDO_OK ? 0 : 1);
}

/* ---- Its clients ---- */

static bool request(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char letter = '?';
    int client = socket(AF_INET, SOCK_STREAM, 0);
    bool answered = client >= 0 && connect(client, (struct sockaddr *)&address, sizeof address) == 0 &&
                    send(client, &letter, 1, MSG_NOSIGNAL) == 1 && read(client, &letter, 1) == 1 && letter == '+';
    if (client >= 0)
        close(client);
    return answered;
}

static void *ask_on_and_on(void *opened) {
    job *my = opened;
    while (!atomic_load(&my->ends))
        atomic_fetch_add(request(my->port) ? &my->answered : &my->failed, 1);
    return NULL;
}

static bool find_port(job *my) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    bool found = probe >= 0 && bind(probe, (struct sockaddr *)&address, sizeof address) == 0 &&
                 getsockname(probe, (struct sockaddr *)&address, &size) == 0;
    my->port = ntohs(address.sin_port);
    if (probe >= 0)
        close(probe);
    return found;
}

static bool wait_for_start(const job *my) {
    for (int ms = 0; ms < START_MOST_MS; ms += 10) {
        if (request(my->port))
            return true;
        sleep_ms(10);
    }
    return false;
}

/* ---- The measure ---- */

static double run_clients(job *my) {
    pthread_t clients[CLIENTS];
    int running = 0;
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    while (running < CLIENTS && pthread_create(&clients[running], NULL, ask_on_and_on, my) == 0)
        running++;
    for (int i = 0; i < RESTARTS; i++) {
        sleep_ms(RESTART_EVERY_MS);
        kill(my->parent, SIGHUP);
    }
    sleep_ms(RESTART_EVERY_MS);
    atomic_store(&my->ends, true);
    for (int i = 0; i < running; i++)
        pthread_join(clients[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    return (double)(ended.tv_sec - began.tv_sec) * 1e6 + (double)(ended.tv_nsec - began.tv_nsec) / 1e3;
}

static bool weigh(void *opened, bench_context *context, bench_result *result) {
    job *my = opened;
    double us = run_clients(my);
    int answered = atomic_load(&my->answered);
    *result = (bench_result){.pairs = 1,
                             .lido = us / (answered > 0 ? answered : 1),
                             .raw = NAN,
                             .ratio = NAN,
                             .lowest = NAN,
                             .highest = NAN,
                             .lido_cpu = NAN,
                             .raw_cpu = NAN,
                             .cpu_ratio = NAN};
    bench_figure_add(context, "failed", atomic_load(&my->failed), BENCH_AT_MOST, 0);
    bench_figure_add(context, "answered", answered, BENCH_FOR_INFORMATION, 0);
    bench_figure_add(context, "restarts", RESTARTS, BENCH_FOR_INFORMATION, 0);
    return true;
}

static void close_job(void *opened) {
    job *my = opened;
    if (my->parent > 0) {
        kill(my->parent, SIGTERM);
        waitpid(my->parent, NULL, 0);
    }
    bench_folder_remove(&my->folder);
    free(my);
}

static bool start(job *my, bench_context *context) {
    if (!bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "items.db", my->file);
    if (!bench_sqlite_make_items(my->file, context))
        return false;
    if (!find_port(my))
        return bench_fail(context, "there is no free port");
    my->parent = fork();
    if (my->parent == 0)
        be_service(my);
    return wait_for_start(my) || bench_fail(context, "the service did not start");
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL)
        return bench_fail(context, "out of memory"), NULL;
    if (start(my, context))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_restart[] = {
    {.name = "restart", .case_name = "rolling", .open = open_job, .close = close_job, .weigh = weigh},
    {.name = NULL},
};
