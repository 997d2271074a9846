/* A listener that tells what it hears, for scenarios about events. What listeners write to outlives the story's engine,
 * which closes after the story. */
#ifndef TESTS_SUPPORT_SAW_EVENTS_H
#define TESTS_SUPPORT_SAW_EVENTS_H

#include "support/items.h"

/* SQLite writes on a connection of its own. A story that has one connection otherwise takes it for the same. */
static bool saw_one_connection;

static inline int event_connection(const lido_event *event) {
    return !saw_one_connection || scenario_is_postgres() || event->connection != 2 ? (int)event->connection : 1;
}

static inline bool event_is_of_the_second(const lido_event *event) {
    const unsigned coming_and_going = LIDO_EVENT_FIRST_CONNECT | LIDO_EVENT_CONNECT | LIDO_EVENT_CLOSE;
    return (event->kind & coming_and_going) != 0 && event_connection(event) != (int)event->connection;
}

/* "after statement 1: LIDO_ERROR, unique violation: INSERT …" */
static inline bool saw_event(const lido_event *event, void *user) {
    char line[400];
    if (event_is_of_the_second(event))
        return true;
    int used =
        snprintf(line, sizeof line, "%s%s", user != NULL ? (const char *)user : "", lido_event_name(event->kind));
    if (event->connection > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, " %d", event_connection(event));
    if (event->savepoint > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, " (%d)", event->savepoint);
    if (event->kind == LIDO_EVENT_AFTER || event->kind == LIDO_EVENT_RESET || event->kind == LIDO_EVENT_COMMIT)
        used += snprintf(line + used, sizeof line - (size_t)used, ", %s", lido_status_name(event->status));
    if (event->affected > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, ", %d changed", (int)event->affected);
    if (event->error != NULL)
        used += snprintf(line + used, sizeof line - (size_t)used, ", %s", lido_category_name(event->error->category));
    if (event->statement != NULL)
        snprintf(line + used, sizeof line - (size_t)used, ": %s", event->statement);
    saw("%s", line);
    return true;
}

static inline void listen_to(lido_engine *engine, unsigned kinds) {
    assert_int_equal(lido_engine_listen(engine, &(lido_listening){.kinds = kinds}, saw_event, NULL), LIDO_OK);
}

/* All but SLOW, of which the order of magnitude is somebody else's matter. */
enum { ALL_BUT_SLOW = LIDO_EVENT_ALL & ~LIDO_EVENT_SLOW };

#endif
