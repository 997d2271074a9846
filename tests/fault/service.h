/* A service for the tests of workers: a parent process that runs them, and clients. Each request is a connection with
 * one letter, which the worker answers with its process id:
 *
 *     i  inserts a row into `requests`, in a transaction, before it answers
 *     r  the same, but where that fails, the answer is why
 *     p  just answers
 *     l  begins to write, leaves the transaction open, and answers
 *     m  writes the metrics of all workers as its answer
 *     x  is killed, without an answer
 */
#ifndef TESTS_FAULT_SERVICE_H
#define TESTS_FAULT_SERVICE_H

#include "child.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "support/descriptors.h"
#include "support/free_port.h"

enum { ANSWER_MOST_MS = 20 * 1000, ENDED_WELL = 0, ENDED_WITH_ERROR = 3, TEXT_MOST = 1200 };

/* Shared with the parent and its workers. */
typedef struct service {
    lido_workers workers;
    char address[32];
    char url[URL_MOST];
    uint16_t port;
    bool hangs_in_close;
    uid_t becomes;          /* workers become this user; 0: they stay who they are */
    char refuses[URL_MOST]; /* no worker can start as long as there is a file of this name */
    pid_t parent;
} service;

static inline void pause_ms(int ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* ---- In a worker ---- */

enum { HELD_MS = 50 };

static inline void insert_row(bool leaves_open, bool takes_time) {
    lido_session *db = lido_manager_session(lido_manager_get());
    lido_exec(db, "INSERT INTO requests (process) VALUES (?)", (int)getpid());
    if (leaves_open && !lido_failed(db))
        return; /* for good */
    if (takes_time)
        pause_ms(HELD_MS);
    if (lido_commit(db) != LIDO_OK) {
        lido_error_print(lido_error_of(db), stderr);
        _exit(1);
    }
    lido_session_close(db);
}

/* Being told to stop interrupts. */
static inline bool write_to_client(const char *text, size_t size, void *user) {
    ssize_t sent;
    while ((sent = send(*(int *)user, text, size, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return sent == (ssize_t)size || (sent > 0 && write_to_client(text + sent, size - (size_t)sent, user));
}

static inline char read_letter(int client) {
    char letter = 0;
    while (read(client, &letter, 1) < 0 && errno == EINTR)
        ;
    return letter;
}

/* How often all workers together have inserted a row. */
static inline int inserts_by_all(void) {
    lido_statement_stats statements[10];
    size_t count = lido_manager_stats_statements(lido_manager_get(), NULL, statements, 10);
    for (size_t i = 0; i < count; i++)
        if (strncmp(statements[i].text, "INSERT INTO requests(", 21) == 0)
            return (int)statements[i].count;
    return 0;
}

/* "! disconnected: …", where a process id would be. */
static inline void try_to_insert_row(int client) {
    char text[TEXT_MOST];
    lido_session *db = lido_manager_session(lido_manager_get());
    lido_exec(db, "INSERT INTO requests (process) VALUES (?)", (int)getpid());
    if (lido_commit(db) == LIDO_OK)
        snprintf(text, sizeof text, "%d\n", (int)getpid());
    else
        snprintf(text, sizeof text, "! %s: %s\n", lido_category_name(lido_error_of(db)->category),
                 lido_error_of(db)->message);
    lido_session_close(db);
    write_to_client(text, strlen(text), &client);
    close(client);
}

static inline void answer(lido_worker *worker, int client) {
    char letter = read_letter(client);
    char text[32];
    if (letter == 'r') {
        try_to_insert_row(client);
        return;
    }
    if (letter == 'x')
        raise(SIGKILL);
    if (letter == 'e')
        lido_worker_stop_all(worker);
    if (letter == 'i' || letter == 'l' || letter == 'h')
        insert_row(letter == 'l', letter == 'h');
    if (letter == 'm') {
        lido_manager_metrics_write(lido_manager_get(), write_to_client, &client);
        close(client);
        return;
    }
    int length = snprintf(text, sizeof text, "%d\n", letter == 's' ? inserts_by_all() : (int)getpid());
    (void)!write(client, text, (size_t)length);
    close(client);
}

static inline void serve(lido_worker *worker, void *user) {
    (void)user;
    for (int client; (client = lido_worker_accept(worker)) >= 0;) {
        answer(worker, client);
        lido_worker_request_done(worker);
    }
}

static inline bool init_worker(lido_worker *worker, void *user) {
    (void)worker;
    const service *of = user;
    return access(of->refuses, F_OK) != 0 && (of->becomes == 0 || setuid(of->becomes) == 0);
}

static inline void close_worker(lido_worker *worker, void *user) {
    (void)worker;
    const service *of = user;
    while (of->hangs_in_close)
        pause();
}

/* ---- The parent ---- */

/* In the parent: returns when the workers have ended. */
static inline int run_service(service *of) {
    lido_error error;
    lido_manager *manager = lido_manager_get();
    if (lido_manager_configure_database(manager, "default", of->url, NULL, &error) == LIDO_OK &&
        lido_workers_run(manager, &of->workers, &error) == LIDO_OK)
        return ENDED_WELL;
    fprintf(stderr, "the service: %s\n", error.message);
    return ENDED_WITH_ERROR;
}

/* A witness of the service's database, which has an empty table for requests now. */
static inline lido_engine *open_requests(const char *url) {
    lido_engine *opened = open_surely(url, NULL);
    run_surely(opened, "DROP TABLE IF EXISTS requests; CREATE TABLE requests (process integer)");
    return opened;
}

/* `of` has what differs from the defaults. */
static inline void start_service(service *of, const char *url) {
    of->port = free_port();
    snprintf(of->address, sizeof of->address, "127.0.0.1:%d", of->port);
    snprintf(of->url, sizeof of->url, "%s", url);
    of->workers.listen = of->address;
    of->workers.init = init_worker;
    of->workers.serve = serve;
    of->workers.close = close_worker;
    of->workers.user = of;
    of->workers.verify = true;
    if (of->workers.count == 0)
        of->workers.count = 2;
    of->parent = fork_surely();
    if (of->parent == 0)
        _exit(run_service(of));
}

/* How it ended: its exit status; -1: it was killed. */
static inline int wait_for_service(const service *of) {
    int status = 0;
    while (waitpid(of->parent, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void stop_service(const service *of) {
    kill(of->parent, SIGTERM);
    assert_int_equal(wait_for_service(of), ENDED_WELL);
}

/* ---- A client ---- */

/* A connection with that letter sent; -1: it was not taken. */
static inline int ask_service(const service *of, char letter) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(of->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client >= 0 && connect(client, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(client, &letter, 1, MSG_NOSIGNAL) == 1)
        return client;
    if (client >= 0)
        close(client);
    return -1;
}

/* The answer, whole; empty: there was none, though the connection was taken. False: it was not. */
static inline bool request_text(const service *of, char letter, char text[TEXT_MOST]) {
    ssize_t size = 0;
    text[0] = '\0';
    int client = ask_service(of, letter);
    if (client < 0)
        return false;
    struct pollfd waiting = {.fd = client, .events = POLLIN};
    if (poll(&waiting, 1, ANSWER_MOST_MS) == 1)
        size = recv(client, text, TEXT_MOST - 1, MSG_WAITALL);
    text[size > 0 ? size : 0] = '\0';
    close(client);
    return true;
}

/* The answering worker's process id; 0: the service did not answer, though it took the connection; -1: it did not. */
static inline int request(const service *of, char letter) {
    char text[TEXT_MOST];
    return request_text(of, letter, text) ? atoi(text) : -1;
}

/* Until it listens, and has answered. */
static inline int request_surely(const service *of, char letter) {
    for (int tries = 0; tries < 500; tries++) {
        int process = request(of, letter);
        if (process > 0)
            return process;
        pause_ms(20);
    }
    fail_msg("the service does not answer");
    return 0;
}

/* ---- Many clients ---- */

enum { CLIENTS = 4 };

typedef struct crowd {
    const service *of;
    pthread_t clients[CLIENTS];
    atomic_bool ends;
    atomic_int answered;
    atomic_int unanswered;
    atomic_int refused; /* not even taken */
} crowd;

static inline void *ask_again_and_again(void *argument) {
    crowd *among = argument;
    while (!atomic_load(&among->ends)) {
        int process = request(among->of, 'i');
        atomic_fetch_add(process > 0 ? &among->answered : process == 0 ? &among->unanswered : &among->refused, 1);
        if (process < 0)
            pause_ms(1);
    }
    return NULL;
}

static inline void start_crowd(crowd *among, const service *of, void *(*client)(void *)) {
    *among = (crowd){.of = of};
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&among->clients[i], NULL, client, among), 0);
}

static inline void end_crowd(crowd *among) {
    atomic_store(&among->ends, true);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(among->clients[i], NULL);
}

/* ---- Processes ---- */

static inline bool is_alive(pid_t process) {
    return kill(process, 0) == 0;
}

static inline void expect_gone(pid_t process) {
    for (int tries = 0; tries < 1000 && is_alive(process); tries++)
        pause_ms(10);
    assert_false(is_alive(process));
}

#endif
