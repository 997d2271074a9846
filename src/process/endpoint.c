/* HTTP by libmicrohttpd. */
#include "process/endpoint.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "process/listener.h"
#include "process/signals.h"

enum { ANSWER_MOST_MS = 5000, REQUEST_MOST = 8 * 1024 /* bytes, of its head */, RUNS_TO_CUT_OFF = 2, RUNS_MOST = 64 };

/* ---- Clients ---- */

/* The daemon hears of the end in its next run, and listens again in the one after that, if it was full. */
static void cut_off(lido__endpoint *endpoint, lido__client *client) {
    shutdown(atomic_load(&client->descriptor), SHUT_RDWR);
    client->until = LIDO__NO_DEADLINE;
    endpoint->runs = RUNS_TO_CUT_OFF;
}

/* There is always one place free when the next one comes. */
static lido__client *make_place(lido__endpoint *endpoint) {
    lido__client *free_place = NULL;
    lido__client *oldest = NULL;
    int used = 1;
    for (int i = 0; i < LIDO__ENDPOINT_CLIENTS_MOST; i++) {
        lido__client *client = &endpoint->clients[i];
        if (atomic_load(&client->descriptor) < 0) {
            free_place = client;
            continue;
        }
        used++;
        if (oldest == NULL || client->until < oldest->until)
            oldest = client;
    }
    if (used == LIDO__ENDPOINT_CLIENTS_MOST && oldest != NULL)
        cut_off(endpoint, oldest);
    return free_place;
}

static void note_connection(void *user, struct MHD_Connection *connection, void **place,
                            enum MHD_ConnectionNotificationCode what) {
    lido__client *client = *place;
    const union MHD_ConnectionInfo *about = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (client != NULL)
            atomic_store(&client->descriptor, -1);
        return;
    }
    client = make_place(user);
    *place = client;
    if (client == NULL || about == NULL)
        return;
    client->until = lido__deadline_in_ms(ANSWER_MOST_MS);
    atomic_store(&client->descriptor, about->connect_fd);
}

/* ---- Answers ---- */

/* The body is the answer's from here on. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              lido__buffer *body) {
    struct MHD_Response *response = NULL;
    if (body->out_of_memory)
        lido__buffer_done(body);
    response = MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        lido__buffer_done(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result answer_page(struct MHD_Connection *connection, const lido__page *page, void *user) {
    lido__buffer body = LIDO__BUFFER_INIT;
    if (page->write(&body, user) && !body.out_of_memory)
        return answer(connection, MHD_HTTP_OK, page->type, &body);
    if (body.size == 0)
        lido__buffer_text(&body, "There is nothing to tell.\n");
    return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", &body);
}

static enum MHD_Result refuse(struct MHD_Connection *connection, const lido__endpoint *endpoint, unsigned status) {
    lido__buffer body = LIDO__BUFFER_INIT;
    lido__buffer_text(&body, "This is the metrics address of a program that uses lido. It answers:\n");
    for (const lido__page *page = endpoint->pages; page->path != NULL; page++)
        lido__buffer_format(&body, "GET %s\n", page->path);
    return answer(connection, status, "text/plain; charset=utf-8", &body);
}

static enum MHD_Result take_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
                                    const char *version, const char *data, size_t *data_size, void **request) {
    const lido__endpoint *endpoint = user;
    (void)version;
    (void)data;
    (void)data_size; /* a request's body is not waited for: the connection ends with the answer */
    (void)request;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, endpoint, MHD_HTTP_METHOD_NOT_ALLOWED);
    for (const lido__page *page = endpoint->pages; page->path != NULL; page++)
        if (strcmp(path, page->path) == 0)
            return answer_page(connection, page, endpoint->user);
    return refuse(connection, endpoint, MHD_HTTP_NOT_FOUND);
}

/* ---- The server ---- */

static bool start(lido__endpoint *endpoint, lido_error *error) {
    endpoint->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, take_request, endpoint, MHD_OPTION_LISTEN_SOCKET,
                                        endpoint->listener, MHD_OPTION_NOTIFY_CONNECTION, note_connection, endpoint,
                                        MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIDO__ENDPOINT_CLIENTS_MOST,
                                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MOST, MHD_OPTION_END);
    if (endpoint->daemon == NULL)
        return lido__fault(error, LIDO_ERROR_OTHER, "cannot serve metrics on \"%s\": %s", endpoint->where,
                           lido__errno_text(errno));
    endpoint->events = MHD_get_daemon_info(endpoint->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return true;
}

bool lido__endpoint_find(lido__endpoint *endpoint, const char *where, const lido__page *pages, void *user,
                         lido_error *error) {
    *endpoint = (lido__endpoint){.where = where, .pages = pages, .user = user, .listener = -1, .events = -1};
    for (int i = 0; i < LIDO__ENDPOINT_CLIENTS_MOST; i++)
        atomic_init(&endpoint->clients[i].descriptor, -1);
    return lido__listener_find_private(where, &endpoint->found, error);
}

bool lido__endpoint_open(lido__endpoint *endpoint, lido_error *error) {
    endpoint->listener = lido__listener_open_private(endpoint->where, endpoint->found, error);
    lido__listener_forget(&endpoint->found);
    if (endpoint->listener < 0)
        return false;
    if (start(endpoint, error))
        return true;
    lido__listener_close_private(endpoint->where, endpoint->listener);
    return false;
}

void lido__endpoint_turn(lido__endpoint *endpoint) {
    int64_t now = lido__clock_now_us();
    for (int i = 0; i < LIDO__ENDPOINT_CLIENTS_MOST; i++)
        if (atomic_load(&endpoint->clients[i].descriptor) >= 0 && endpoint->clients[i].until <= now)
            cut_off(endpoint, &endpoint->clients[i]);
    MHD_run(endpoint->daemon);
    for (int i = 0; i < RUNS_MOST && endpoint->runs > 0; i++) {
        endpoint->runs--;
        MHD_run(endpoint->daemon);
    }
}

int64_t lido__endpoint_next(lido__endpoint *endpoint) {
    MHD_UNSIGNED_LONG_LONG ms;
    int64_t next = endpoint->runs > 0 ? lido__clock_now_us() : LIDO__NO_DEADLINE;
    if (next == LIDO__NO_DEADLINE && MHD_get_timeout(endpoint->daemon, &ms) == MHD_YES)
        next = lido__deadline_in_ms((int64_t)ms);
    for (int i = 0; i < LIDO__ENDPOINT_CLIENTS_MOST; i++)
        if (atomic_load(&endpoint->clients[i].descriptor) >= 0 && endpoint->clients[i].until < next)
            next = endpoint->clients[i].until;
    return next;
}

void lido__endpoint_log(const lido__endpoint *endpoint) {
    char name[LIDO__LOG_LINE_SIZE];
    lido__listener_name(endpoint->where, endpoint->listener, name, sizeof name);
    lido__log(LIDO_LOG_INFO, "metrics are served on %s", name);
}

/* The listener would be closed with the rest, and its file stay. */
void lido__endpoint_close(lido__endpoint *endpoint) {
    int listener = MHD_quiesce_daemon(endpoint->daemon);
    MHD_stop_daemon(endpoint->daemon);
    lido__listener_close_private(endpoint->where, listener);
    endpoint->daemon = NULL;
    endpoint->events = -1;
}

void lido__endpoint_abandon(lido__endpoint *endpoint) {
    close(endpoint->listener);
    close(endpoint->events);
    for (int i = 0; i < LIDO__ENDPOINT_CLIENTS_MOST; i++) {
        int descriptor = atomic_exchange(&endpoint->clients[i].descriptor, -1);
        if (descriptor >= 0)
            close(descriptor);
    }
}
