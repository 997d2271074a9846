/* Signals into a pipe. */
#include "process/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"

static const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
enum { OURS = sizeof ours / sizeof ours[0] };

static struct sigaction before[OURS];
static int reads = -1;
static atomic_int writes = -1; /* the handler's; -1: nobody has begun */
static atomic_int senders;     /* who may be about to write there: a handler can take no lock */

const char *lido__errno_text(int number) {
    const char *text = strerrordesc_np(number);
    return text != NULL ? text : "unknown error";
}

bool lido__signals_send(int signal_number) {
    int kept = errno;
    atomic_fetch_add(&senders, 1); /* before it looks: see lido__signals_end */
    int descriptor = atomic_load(&writes);
    unsigned char byte = (unsigned char)signal_number;
    /* Full: then there is enough to be read, and it is looked at as a whole. */
    if (descriptor >= 0)
        (void)!write(descriptor, &byte, 1);
    atomic_fetch_sub(&senders, 1);
    errno = kept;
    return descriptor >= 0;
}

static void handle(int signal_number) {
    lido__signals_send(signal_number);
}

void lido__signal_handle(int signal_number, void (*handler)(int signal_number)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

int lido__signals_begin(lido_error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        lido__fault(error, LIDO_ERROR_OTHER, "no pipe for signals: %s", lido__errno_text(errno));
        return -1;
    }
    reads = ends[0];
    atomic_store(&writes, ends[1]);
    for (int i = 0; i < OURS; i++) {
        sigaction(ours[i], NULL, &before[i]);
        lido__signal_handle(ours[i], handle);
    }
    return reads;
}

static void close_both(int descriptor) {
    if (descriptor >= 0)
        close(descriptor);
    if (reads >= 0)
        close(reads);
    reads = -1;
}

/* Who sends from another thread may have read the descriptor just now: it is not closed, and so nobody else's, until
 * he has written, which never blocks. */
void lido__signals_end(void) {
    for (int i = 0; i < OURS; i++)
        sigaction(ours[i], &before[i], NULL);
    int descriptor = atomic_exchange(&writes, -1);
    while (atomic_load(&senders) > 0)
        sched_yield();
    close_both(descriptor);
}

void lido__signals_forget(void) {
    close_both(atomic_exchange(&writes, -1));
    atomic_store(&senders, 0);
}

int lido__signals_next(void) {
    unsigned char byte;
    return reads >= 0 && read(reads, &byte, 1) == 1 ? byte : 0;
}

bool lido__signals_begun(void) {
    return atomic_load(&writes) >= 0;
}

static void mask(int how) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < OURS; i++)
        sigaddset(&set, ours[i]);
    pthread_sigmask(how, &set, NULL);
}

void lido__signals_block(void) {
    mask(SIG_BLOCK);
}

void lido__signals_unblock(void) {
    mask(SIG_UNBLOCK);
}
