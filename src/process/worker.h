/* A worker's own side: what runs in its process. */
#ifndef LIDO_PROCESS_WORKER_H
#define LIDO_PROCESS_WORKER_H

#include <lido/workers.h>

/* What a worker tells its parent, through a pair of sockets that keep each apart: it is whole, or not there. */
typedef enum lido__note_kind {
    LIDO__NOTE_READY = 1,
    LIDO__NOTE_WORN, /* it has done enough, and asks for a successor */
    LIDO__NOTE_STOP, /* all are to stop */
    LIDO__NOTE_FAILED
} lido__note_kind;

typedef struct lido__note {
    lido__note_kind kind;
    lido_error error; /* of FAILED; without `file`, which may be the child's own */
} lido__note;

/* What it is told by its parent, before the fork. */
typedef struct lido__assignment {
    lido_manager *manager; /* or NULL */
    const lido_workers *workers;
    int number;
    int listener; /* -1: none */
    int notes;    /* the socket that is written to */
    int parent;   /* the parent's process id */
} lido__assignment;

/* Tells the parent, which may be gone: then nobody hears it. */
void lido__note_send(const lido__assignment *assignment, const lido__note *note);

/* In the child, in which the parent's signals are still blocked: does the work, and ends the process. */
_Noreturn void lido__worker_run(const lido__assignment *assignment);

#endif
