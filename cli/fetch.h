/* Asking a running application for a page, over HTTP, at its metrics address. */
#ifndef LIDO_CLI_FETCH_H
#define LIDO_CLI_FETCH_H

#include <stdbool.h>
#include <stddef.h>

typedef enum fetch_outcome {
    FETCH_DONE,
    FETCH_NO_ANSWER, /* nobody can be reached there, or nobody answers in time */
    FETCH_REFUSED,   /* somebody answers, but not with the page */
    FETCH_STOPPED    /* `wanted` said so, or memory ran out */
} fetch_outcome;

typedef struct fetch {
    const char *address;  /* "unix:/run/items.metrics", "127.0.0.1:9090"; "http://" may stand before the latter */
    bool (*wanted)(void); /* asked now and then while it is waited for an answer; NULL: it is */
    char *text;           /* what came last, terminated by NUL; owned by this */
    size_t size;
    char why[256]; /* why it did not come */
    void *handle;
} fetch;

/* False: `address` has no such form. `of` is all zero but for what the caller sets, and is ended by fetch_done in any
 * case. */
bool fetch_init(fetch *of, const char *address);
/* Waits some seconds at most. */
fetch_outcome fetch_page(fetch *of, const char *path);
void fetch_done(fetch *of);

#endif
