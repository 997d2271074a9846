/* A service of several processes: each answers HTTP requests on one port with how many it has counted in the database.
 * SIGTERM ends it, SIGHUP replaces its workers without dropping a request.
 *
 *     DATABASE_URL=sqlite:///visits.db workers 127.0.0.1:8080 */
#include <stdio.h>
#include <unistd.h>

#include <lido.h>

/* The schema is the workers' business too, for the parent connects to nothing; the first of them makes the table. */
static bool prepare(lido_worker *worker, void *user) {
    lido_error error;
    (void)worker;
    (void)user;
    lido_transaction (db, lido_manager_engine(lido_manager_get(), NULL, &error), &error) {
        lido_exec(db, "CREATE TABLE IF NOT EXISTS visits (id integer PRIMARY KEY, count bigint NOT NULL)");
        lido_exec(db, "INSERT INTO visits VALUES (1, 0) ON CONFLICT (id) DO NOTHING");
    }
    return error.status == LIDO_OK;
}

static int64_t count_visit(lido_error *error) {
    int64_t count = 0;
    lido_transaction (db, lido_manager_engine(lido_manager_get(), NULL, error), error)
        count = lido_query_value(db, "UPDATE visits SET count = count + 1 WHERE id = 1 RETURNING count").as.integer;
    return count;
}

/* It is committed before the answer is sent. */
static void answer(int client, int worker) {
    char text[256];
    char request[4096];
    lido_error error;
    if (read(client, request, sizeof request) <= 0)
        return;
    int64_t count = count_visit(&error);
    const char *status = error.status == LIDO_OK ? "200 OK" : "503 Service Unavailable";
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
                          "visit %lld, answered by worker %d\n",
                          status, (long long)count, worker);
    if (write(client, text, (size_t)length) != length)
        perror("answering");
}

static void serve(lido_worker *worker, void *user) {
    (void)user;
    for (int client; (client = lido_worker_accept(worker)) >= 0; close(client)) {
        answer(client, lido_worker_number(worker));
        lido_worker_request_done(worker);
    }
}

int main(int count, char **arguments) {
    lido_error error;
    lido_manager *manager = lido_manager_get();
    const lido_workers workers = {.count = 2,
                                  .listen = count > 1 ? arguments[1] : "127.0.0.1:8080",
                                  .init = prepare,
                                  .serve = serve,
                                  .verify = true,
                                  .max_requests = 100000};
    if (lido_manager_configure(manager, NULL, &error) == LIDO_OK &&
        lido_workers_run(manager, &workers, &error) == LIDO_OK)
        return 0;
    lido_error_print(&error, stderr);
    return 1;
}
