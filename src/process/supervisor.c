/* What happens to workers: they become ready, wear, die, stop, and are replaced. */
#include "process/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/random.h"
#include "process/notice.h"
#include "process/shared_metrics.h"
#include "process/signals.h"

enum {
    PAUSE_MOST_MS = 10 * 1000,
    LIVED_WELL_US = 10 * 1000 * 1000, /* one that worked so long did not die of its start */
    NO_FORK_PAUSE_MS = 1000
};

typedef lido__supervisor supervisor;
typedef lido__child child;

/* ---- Looking around ---- */

static child *next_child(const supervisor *s, const child *after) {
    child *end = s->children + s->places;
    child *at = after != NULL ? s->children + (after - s->children) + 1 : s->children;
    while (at < end && at->state == LIDO__CHILD_NONE)
        at++;
    return at < end ? at : NULL;
}

/* Who has the seat; NULL: nobody. */
static child *holder_of(const supervisor *s, int seat) {
    for (child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        if (at->seat == seat && at->state != LIDO__CHILD_STOPPING && !at->successor)
            return at;
    return NULL;
}

static child *successor_of(const supervisor *s, int seat) {
    for (child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        if (at->seat == seat && at->state != LIDO__CHILD_STOPPING && at->successor)
            return at;
    return NULL;
}

static bool all_are_ready(const supervisor *s) {
    for (int seat = 0; seat < s->workers.count; seat++) {
        const child *at = holder_of(s, seat);
        if (at == NULL || at->state != LIDO__CHILD_READY || at->worn)
            return false;
    }
    return true;
}

/* ---- From state to state ---- */

static void stop(supervisor *s, child *at) {
    if (at->state == LIDO__CHILD_STOPPING)
        return;
    at->state = LIDO__CHILD_STOPPING;
    at->until = lido__deadline_in_ms(s->workers.stop_timeout_ms);
    kill(at->pid, SIGTERM);
}

static void stop_all(supervisor *s) {
    if (!s->stopping)
        lido__notice("STOPPING=1");
    s->stopping = true;
    for (child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        stop(s, at);
}

static void kill_now(child *at) {
    at->killed = true;
    at->until = LIDO__NO_DEADLINE;
    kill(at->pid, SIGKILL);
}

static int64_t age_limit(const supervisor *s) {
    int64_t most = s->workers.max_age_ms;
    return most > 0 ? lido__deadline_in_ms(most - lido__random_below(most / 10 + 1)) : LIDO__NO_DEADLINE;
}

static void become_ready(supervisor *s, child *at) {
    if (at->state != LIDO__CHILD_STARTING)
        return;
    at->state = LIDO__CHILD_READY;
    at->since = lido__clock_now_us();
    at->until = age_limit(s);
    child *before = holder_of(s, at->seat);
    if (!at->successor || before == NULL)
        return;
    at->successor = false;
    stop(s, before);
}

/* ---- Dying ---- */

static void describe_end(const child *at, int status, char *text, size_t size) {
    if (status >= 0 && WIFSIGNALED(status))
        snprintf(text, size, "worker %d (process %d) was ended by signal %d, %s", at->seat, (int)at->pid,
                 WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
    else if (status >= 0 && WIFEXITED(status))
        snprintf(text, size, "worker %d (process %d) ended with status %d", at->seat, (int)at->pid,
                 WEXITSTATUS(status));
    else
        snprintf(text, size, "worker %d (process %d) ended", at->seat, (int)at->pid);
}

/* Whether they die too often: the ring is full, this one in it, and its oldest was not long ago. */
static bool count_death(supervisor *s, int64_t now) {
    s->deaths[s->death_next] = now;
    s->death_next = (s->death_next + 1) % s->workers.crashes_most;
    int64_t oldest = s->deaths[s->death_next];
    return oldest != 0 && now - oldest <= s->workers.crash_window_ms * 1000;
}

static void give_up(supervisor *s, const char *how) {
    if (s->last.status != LIDO_OK)
        *s->error = s->last;
    lido__fault(s->error, LIDO_ERROR_OTHER, "%s, the last of %d that did so within %" PRId64 " ms", how,
                s->workers.crashes_most, s->workers.crash_window_ms);
    lido__fault_hint(s->error, "mend what ends them, or allow more by crashes_most");
    lido__log(LIDO_LOG_ERROR, "workers die again and again: all are ended");
    stop_all(s);
}

/* The first time at once, unless the seat has its worker yet; then after pauses that grow. */
static void plan_next(supervisor *s, const child *at, int64_t now) {
    lido__seat *seat = &s->seats[at->seat];
    bool lived = at->state == LIDO__CHILD_READY && now - at->since >= LIVED_WELL_US;
    int64_t pause_ms = 0;
    seat->deaths = lived ? 1 : seat->deaths + 1;
    if (seat->deaths > 1 || at->successor) {
        int doubled = seat->deaths > 1 ? seat->deaths - 2 : 0;
        pause_ms = s->workers.respawn_pause_ms << (doubled < 10 ? doubled : 10);
    }
    seat->next_try = now + (pause_ms < PAUSE_MOST_MS ? pause_ms : PAUSE_MOST_MS) * 1000;
}

static void has_died(supervisor *s, child *at, int status) {
    char how[160];
    int64_t now = lido__clock_now_us();
    describe_end(at, status, how, sizeof how);
    lido__log(LIDO_LOG_ERROR, "%s", how);
    child *successor = successor_of(s, at->seat);
    s->seats[at->seat].died++;
    plan_next(s, at, now);
    if (at->successor) { /* the worker of before goes on, and stays worn; it is no reason to end those that work */
        lido__log(LIDO_LOG_ERROR, "a successor was not ready: the worker that is there goes on, until the next try");
        return;
    }
    if (successor != NULL)
        successor->successor = false;
    if (count_death(s, now))
        give_up(s, how);
}

static void bury(supervisor *s, child *at, int status) {
    child dead = *at;
    if (dead.notes >= 0)
        close(dead.notes);
    at->state = LIDO__CHILD_NONE;
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++)
        if (s->turns[i] != NULL)
            lido__shared_turn_forget(s->turns[i], dead.pid);
    if (s->manager != NULL && dead.seat != LIDO__NO_SEAT)
        lido__shared_metrics_forget(s->manager->metrics, dead.seat, dead.second);
    if (dead.seat != LIDO__NO_SEAT && dead.state != LIDO__CHILD_STOPPING && !s->stopping)
        has_died(s, &dead, status);
}

/* ---- What is heard ---- */

static void take_note(supervisor *s, child *at, const lido__note *note) {
    switch (note->kind) {
    case LIDO__NOTE_READY:
        become_ready(s, at);
        break;
    case LIDO__NOTE_WORN:
        at->worn = true;
        break;
    case LIDO__NOTE_STOP:
        stop_all(s);
        break;
    case LIDO__NOTE_FAILED:
        if (at->seat == LIDO__NO_SEAT)
            lido__log(LIDO_LOG_WARNING, "%s: %s; %s", note->error.database, note->error.message, note->error.hint);
        else
            s->last = note->error;
        break;
    }
}

static void read_notes(supervisor *s, child *at) {
    lido__note note;
    while (at->notes >= 0) {
        ssize_t size = read(at->notes, &note, sizeof note);
        if (size == (ssize_t)sizeof note) {
            take_note(s, at, &note);
        } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        } else { /* its end: the child is going */
            close(at->notes);
            at->notes = -1;
        }
    }
}

/* Somebody else, a handler of the program's, may have waited for it: then its status is lost. */
static void reap(supervisor *s, child *at) {
    int status = -1;
    pid_t found = waitpid(at->pid, &status, WNOHANG);
    if (found == 0 || (found < 0 && errno != ECHILD))
        return;
    read_notes(s, at);
    bury(s, at, found > 0 ? status : -1);
}

static void look_at_time(supervisor *s, child *at, int64_t now) {
    if (now < at->until || at->killed)
        return;
    if (at->state == LIDO__CHILD_READY) {
        at->worn = true;
        at->until = LIDO__NO_DEADLINE;
        return;
    }
    bool starts = at->state == LIDO__CHILD_STARTING;
    if (at->seat != LIDO__NO_SEAT)
        lido__log(LIDO_LOG_ERROR, "worker %d (process %d) %s within %" PRId64 " ms, and is killed", at->seat,
                  (int)at->pid, starts ? "was not ready" : "did not end",
                  starts ? s->workers.start_timeout_ms : s->workers.stop_timeout_ms);
    kill_now(at);
}

static void begin_restart(supervisor *s) {
    lido__notice("RELOADING=1\nMONOTONIC_USEC=%" PRId64, lido__clock_now_us());
    s->told_ready = false;
    for (child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        at->worn = at->seat != LIDO__NO_SEAT && at->state != LIDO__CHILD_STOPPING;
    for (int seat = 0; seat < s->workers.count; seat++)
        s->seats[seat].next_try = 0;
}

static void take_signals(supervisor *s) {
    for (int number; (number = lido__signals_next()) != 0;) {
        if (number == SIGHUP && !s->stopping)
            begin_restart(s);
        if (number != SIGTERM && number != SIGINT)
            continue;
        if (s->stopping) /* asked once more */
            for (child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
                kill_now(at);
        stop_all(s);
    }
}

/* ---- What is done ---- */

static void fill_seats(supervisor *s, int64_t now) {
    for (int seat = 0; seat < s->workers.count && !s->stopping; seat++) {
        if (holder_of(s, seat) != NULL || now < s->seats[seat].next_try)
            continue;
        if (lido__spawn(s, seat) == NULL)
            s->seats[seat].next_try = lido__deadline_in_ms(NO_FORK_PAUSE_MS);
    }
}

/* Whether its successor has to be forked: until that is ready it stays worn, whatever happens to the first. */
static bool waits_for_successor(const child *at) {
    return at != NULL && at->worn && at->state == LIDO__CHILD_READY;
}

/* One at a time, and not while another one stops: so there is at most one process more than there are seats. */
static bool may_replace(const supervisor *s) {
    for (const child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        if (at->successor || at->state == LIDO__CHILD_STOPPING)
            return false;
    return true;
}

static void replace_one(supervisor *s, int64_t now) {
    child *worn = next_child(s, NULL);
    while (worn != NULL && (!waits_for_successor(worn) || now < s->seats[worn->seat].next_try))
        worn = next_child(s, worn);
    if (worn == NULL || !may_replace(s))
        return;
    child *successor = lido__spawn(s, worn->seat);
    if (successor != NULL)
        successor->successor = true;
    else
        s->seats[worn->seat].next_try = lido__deadline_in_ms(NO_FORK_PAUSE_MS);
}

static void tell_service_manager(supervisor *s, int64_t now) {
    int64_t every = lido__notice_watchdog_us();
    if (!s->stopping && !s->told_ready && all_are_ready(s)) {
        s->told_ready = true;
        lido__notice("READY=1\nSTATUS=%d workers", s->workers.count);
        lido__log(LIDO_LOG_INFO, "%d workers are ready", s->workers.count);
    }
    s->next_watchdog = LIDO__NO_DEADLINE;
    if (every > 0) {
        lido__notice("WATCHDOG=1");
        s->next_watchdog = now + every;
    }
}

/* ---- Turns ---- */

static void turn(supervisor *s) {
    take_signals(s);
    for (child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        read_notes(s, at);
    for (child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        reap(s, at);
    int64_t now = lido__clock_now_us();
    for (child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        look_at_time(s, at, now);
    if (!s->stopping) {
        fill_seats(s, now);
        replace_one(s, now);
    }
    tell_service_manager(s, now);
    if (s->serves)
        lido__endpoint_turn(&s->endpoint);
}

/* When there is something to do though nothing was heard. */
static int64_t next_moment(supervisor *s) {
    int64_t next = s->next_watchdog;
    if (s->serves) {
        int64_t answer = lido__endpoint_next(&s->endpoint);
        next = answer < next ? answer : next;
    }
    for (const child *at = next_child(s, NULL); at != NULL; at = next_child(s, at))
        next = at->until < next ? at->until : next;
    bool replaces = may_replace(s); /* else it goes on when that one's end is heard of */
    for (int seat = 0; seat < s->workers.count && !s->stopping; seat++) {
        const child *holder = holder_of(s, seat);
        if ((holder == NULL || (replaces && waits_for_successor(holder))) && s->seats[seat].next_try < next)
            next = s->seats[seat].next_try;
    }
    return next;
}

bool lido__supervise(lido__supervisor *s) {
    if (s->manager != NULL)
        lido__spawn(s, LIDO__NO_SEAT);
    for (;;) {
        turn(s);
        if (s->stopping && next_child(s, NULL) == NULL)
            return s->error->status == LIDO_OK;
        lido__await(&(lido__wait){.kind = LIDO__WAIT_DESCRIPTOR, .descriptor = s->events, .read = true, .firm = true},
                    next_moment(s));
    }
}
