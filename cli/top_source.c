/* Readings, one after the other. */
#include "top_source.h"

#include <stdio.h>
#include <string.h>

bool top_source_init(top_source *source, const char *address, bool (*wanted)(void)) {
    memset(source, 0, sizeof *source);
    source->page.wanted = wanted;
    return fetch_init(&source->page, address);
}

static void forget(top_source *source, size_t count) {
    for (size_t i = 0; i < count; i++)
        top_reading_free(source->readings[i]);
    source->reading_count -= count;
    memmove(source->readings, source->readings + count, source->reading_count * sizeof *source->readings);
}

/* Those of a process that was there before are no good any more. */
static void add(top_source *source, top_reading *reading) {
    size_t count = source->reading_count;
    if (count > 0 && !top_reading_follows(reading, source->readings[count - 1]))
        forget(source, count);
    if (source->reading_count == TOP_READINGS_MOST)
        forget(source, 1);
    source->readings[source->reading_count++] = reading;
}

top_outcome top_source_read(top_source *source) {
    char why[256];
    fetch_outcome outcome = fetch_page(&source->page, "/state");
    source->why[0] = '\0';
    if (outcome == FETCH_STOPPED)
        return TOP_STOPPED;
    if (outcome == FETCH_NO_ANSWER) {
        snprintf(source->why, sizeof source->why, "%s", source->page.why);
        return TOP_NO_ANSWER;
    }
    if (outcome == FETCH_REFUSED) {
        snprintf(source->why, sizeof source->why, "what answers is not an application of lido: %s", source->page.why);
        return TOP_NOT_UNDERSTOOD;
    }
    top_reading *reading = top_reading_new(source->page.text, source->page.size, why, sizeof why);
    if (reading == NULL) {
        snprintf(source->why, sizeof source->why, "%s", why);
        return why[0] != '\0' ? TOP_NOT_UNDERSTOOD : TOP_STOPPED;
    }
    add(source, reading);
    return TOP_DONE;
}

void top_source_figures(const top_source *source, double lasts_s, top_figures *figures) {
    size_t last = source->reading_count - 1;
    const top_reading *now = source->readings[last];
    size_t first = 0;
    while (first + 1 < last && top_reading_seconds(now, source->readings[first]) > lasts_s)
        first++;
    bool part = last > 0 && lasts_s > 0;
    figures->address = source->page.address;
    top_figures_make(figures, now, last > 0 ? source->readings[last - 1] : NULL, part ? source->readings[first] : NULL);
}

void top_source_done(top_source *source) {
    forget(source, source->reading_count);
    fetch_done(&source->page);
}
