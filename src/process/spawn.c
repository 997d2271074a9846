/* Forking a worker. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/shared_metrics.h"
#include "process/signals.h"
#include "process/supervisor.h"

static lido__child *free_place(const lido__supervisor *supervisor) {
    for (int i = 0; i < supervisor->places; i++)
        if (supervisor->children[i].state == LIDO__CHILD_NONE)
            return &supervisor->children[i];
    return NULL;
}

/* What is the parent's own. The listeners of other seats would keep connections that nobody here takes. */
static void close_inherited(lido__supervisor *supervisor, int listener) {
    lido__signals_forget();
    close(supervisor->events);
    for (int i = 0; i < supervisor->places; i++)
        if (supervisor->children[i].state != LIDO__CHILD_NONE && supervisor->children[i].notes >= 0)
            close(supervisor->children[i].notes);
    for (int i = 0; i < supervisor->listener_count; i++)
        if (supervisor->listeners[i] != listener)
            close(supervisor->listeners[i]);
    if (supervisor->serves)
        lido__endpoint_abandon(&supervisor->endpoint);
}

/* The slot for metrics that no other worker in the seat has. */
static bool has_second(const lido__supervisor *supervisor, int seat) {
    for (int i = 0; i < supervisor->places; i++) {
        const lido__child *other = &supervisor->children[i];
        if (other->state != LIDO__CHILD_NONE && other->seat == seat && !other->second)
            return true;
    }
    return false;
}

static int listener_of(const lido__supervisor *supervisor, int seat) {
    if (supervisor->listener_count == 0 || seat == LIDO__NO_SEAT)
        return -1;
    return supervisor->listeners[supervisor->listener_count > 1 ? seat : 0];
}

_Noreturn static void be_child(lido__supervisor *supervisor, int seat, int notes, pid_t parent) {
    const lido__assignment assignment = {.manager = supervisor->manager,
                                         .workers = &supervisor->workers,
                                         .number = seat,
                                         .listener = listener_of(supervisor, seat),
                                         .notes = notes,
                                         .parent = parent};
    close_inherited(supervisor, assignment.listener);
    if (seat == LIDO__NO_SEAT)
        lido__limit_ask(&assignment);
    if (supervisor->manager != NULL)
        lido__shared_metrics_take(supervisor->manager->metrics, supervisor->manager, seat,
                                  has_second(supervisor, seat));
    lido__worker_run(&assignment);
}

/* What waits in the parent's output buffers would be written once more by each child. */
static pid_t fork_child(lido__supervisor *supervisor, int seat, int ends[2]) {
    pid_t parent = getpid();
    fflush(NULL);
    lido__signals_block();
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        be_child(supervisor, seat, ends[1], parent);
    }
    int why = errno;
    lido__signals_unblock();
    errno = why;
    return pid;
}

lido__child *lido__spawn(lido__supervisor *supervisor, int seat) {
    int ends[2];
    lido__child *child = free_place(supervisor);
    if (child == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        lido__log(LIDO_LOG_ERROR, "worker %d: no sockets for it: %s", seat, lido__errno_text(errno));
        return NULL;
    }
    pid_t pid = fork_child(supervisor, seat, ends);
    close(ends[1]);
    if (pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(supervisor->events, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN}) != 0)
        lido__log(LIDO_LOG_ERROR, "worker %d: %s", seat, lido__errno_text(errno));
    if (pid < 0) {
        close(ends[0]);
        return NULL;
    }
    bool second = has_second(supervisor, seat);
    if (seat != LIDO__NO_SEAT)
        supervisor->seats[seat].forks++;
    *child = (lido__child){.state = LIDO__CHILD_STARTING,
                           .second = second,
                           .pid = pid,
                           .seat = seat,
                           .notes = ends[0],
                           .since = lido__clock_now_us(),
                           .until = lido__deadline_in_ms(supervisor->workers.start_timeout_ms)};
    return child;
}
