/* Rows of a source on their way into a table. */
#include "model/seed_feed.h"

#include <stdlib.h>

#include "base/fault.h"

enum { PROGRESS_ROWS = 4096 };

static void tell_progress(const lido__seed_feed *feed) {
    const lido__seeding *seeding = feed->seeding;
    const lido__seed_source *source = feed->plan->source;
    if (seeding->options.progress == NULL)
        return;
    lido_seed_progress progress = {.source = source->label,
                                   .rows = source->row,
                                   .bytes = seeding->bytes_before + source->bytes,
                                   .bytes_total = seeding->bytes_total};
    seeding->options.progress(seeding->options.progress_argument, &progress);
}

static bool refuse_value(const lido__seed_feed *feed, size_t place, const char *problem) {
    const lido__seed_source *source = feed->plan->source;
    return lido__seed_fault(source, &feed->seeding->fault, source->columns[place], "%s", problem);
}

static bool check_value(const lido__seed_feed *feed, size_t place, lido_value *value) {
    const lido__seed_plan *plan = feed->plan;
    const char *problem = NULL;
    if (value->kind == LIDO_KIND_NULL && plan->place_in_key[place])
        problem = "NULL in the key by which the row would be recognised";
    else if (!plan->source->typed && feed->seeding->session->engine->config.type == LIDO__SQLITE)
        problem = lido__seed_value_for_sqlite(plan->places[place]->type, value, feed->scratch[place]);
    return problem == NULL || refuse_value(feed, place, problem);
}

static lido_supply fetch(lido__row_source *base, const lido_value **row, const char **why) {
    lido__seed_feed *feed = (lido__seed_feed *)base;
    lido__seed_source *source = feed->plan->source;
    lido_value *values = feed->row + (feed->numbered ? 1 : 0);
    int found = source->next(source, values, &feed->seeding->fault);
    for (size_t i = 0; found > 0 && i < source->column_count; i++)
        if (!check_value(feed, i, &values[i]))
            found = -1;
    *why = feed->seeding->fault.message;
    if (source->row % PROGRESS_ROWS == 0 || found <= 0)
        tell_progress(feed);
    if (found <= 0)
        return found == 0 ? LIDO_ROWS_END : LIDO_ROWS_FAILED;
    if (feed->plan->generates)
        values[source->column_count] = lido_value_uuid(lido_uuid_new());
    feed->row[0] = feed->numbered ? lido_value_int64(source->row) : feed->row[0];
    *row = feed->row;
    return LIDO_ROWS_MORE;
}

bool lido__seed_feed_open(lido__seed_feed *feed, lido__seeding *seeding, const lido__seed_plan *plan, bool numbered) {
    lido__seed_source *source = plan->source;
    /* Into a staging table rows go in bulk even if they are few: only then PostgreSQL names the column of an error. */
    *feed = (lido__seed_feed){
        .base = {.fetch = fetch, .count = numbered ? INT64_MAX : -1, .foreign = seeding->options.progress != NULL},
        .seeding = seeding,
        .plan = plan,
        .numbered = numbered,
        .row = calloc(plan->place_count + 1, sizeof *feed->row),
        .scratch = calloc(plan->place_count + 1, sizeof *feed->scratch)};
    if (feed->row == NULL || feed->scratch == NULL)
        lido__fault_memory(&seeding->fault, "reading seeds");
    else if (source->open(source, &seeding->fault))
        return true;
    return lido__seeding_fail(seeding, &seeding->fault);
}

void lido__seed_feed_close(lido__seed_feed *feed) {
    feed->plan->source->close(feed->plan->source);
    free(feed->row);
    free(feed->scratch);
}

bool lido__seed_feed_locate(const lido__seed_plan *plan, bool ordinal, int64_t number, int64_t *row, int64_t *line) {
    lido__seed_source *source = plan->source;
    lido_error ignored = LIDO_ERROR_INIT;
    lido_value *values = calloc(plan->place_count + 1, sizeof *values);
    bool found = false;
    if (values != NULL && source->open(source, &ignored))
        for (int64_t given = 0; !found && source->next(source, values, &ignored) > 0;)
            found = ordinal ? ++given == number : source->row == number;
    *row = found ? source->row : ordinal ? 0 : number;
    *line = found ? source->line : 0;
    source->close(source);
    free(values);
    return found;
}
