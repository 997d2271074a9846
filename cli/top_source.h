/* An application that lido top reads again and again, and what was read in the last seconds. */
#ifndef LIDO_CLI_TOP_SOURCE_H
#define LIDO_CLI_TOP_SOURCE_H

#include "fetch.h"
#include "top_figures.h"

enum { TOP_READINGS_MOST = 64 };

typedef enum top_outcome { TOP_DONE, TOP_NO_ANSWER, TOP_NOT_UNDERSTOOD, TOP_STOPPED } top_outcome;

typedef struct top_source {
    fetch page;
    top_reading *readings[TOP_READINGS_MOST]; /* the oldest first, all of the same process */
    size_t reading_count;
    char why[320]; /* the last one did not come; "": it did, or memory ran out */
} top_source;

/* False: `address` has no such form. To be ended by top_source_done in any case. */
bool top_source_init(top_source *source, const char *address, bool (*wanted)(void));
/* One more reading. TOP_NOT_UNDERSTOOD: somebody else is there, or another version. */
top_outcome top_source_read(top_source *source);
/* Of the last reading, with what is between it and the one before; durations of so many seconds at most, or since the
 * start (`lasts_s` 0). There must be one. */
void top_source_figures(const top_source *source, double lasts_s, top_figures *figures);
void top_source_done(top_source *source);

#endif
