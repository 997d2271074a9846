/* Events as lines of the log, for listeners that are the log. */
#include <inttypes.h>

#include "base/convert.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/events.h"

enum { TEXT_MOST = 100 }; /* bytes of one value */

static lido_log_level level_of(lido_event_kind kind) {
    switch (kind) {
    case LIDO_EVENT_SLOW:
    case LIDO_EVENT_ERROR:
        return LIDO_LOG_WARNING;
    case LIDO_EVENT_FIRST_CONNECT:
    case LIDO_EVENT_CONNECT:
    case LIDO_EVENT_CLOSE:
        return LIDO_LOG_INFO;
    default:
        return LIDO_LOG_DEBUG;
    }
}

static void append_text(lido__buffer *line, const lido_value *value) {
    bool whole = value->size <= TEXT_MOST;
    lido__buffer_char(line, '\'');
    lido__buffer_append(line, value->as.text, whole ? value->size : lido__utf8_cut(value->as.text, TEXT_MOST));
    lido__buffer_text(line, whole ? "'" : "…'");
}

static void append_value(lido__buffer *line, const lido_value *value) {
    char text[40];
    switch (value->kind) {
    case LIDO_KIND_NULL:
        lido__buffer_text(line, "NULL");
        break;
    case LIDO_KIND_BOOL:
        lido__buffer_text(line, value->as.boolean ? "true" : "false");
        break;
    case LIDO_KIND_INT64:
        lido__buffer_format(line, "%" PRId64, value->as.integer);
        break;
    case LIDO_KIND_DOUBLE:
        lido__buffer_append(line, text, lido__double_format(value->as.real, text));
        break;
    case LIDO_KIND_BLOB:
        lido__buffer_format(line, "%zu bytes", value->size);
        break;
    case LIDO_KIND_UUID:
        lido_uuid_format(value->as.uuid, text);
        lido__buffer_text(line, text);
        break;
    case LIDO_KIND_TIME:
        lido_time_format(value->as.time, text);
        lido__buffer_text(line, text);
        break;
    default:
        append_text(line, value);
    }
}

static void append_values(lido__buffer *line, const lido_event *event) {
    for (size_t i = 0; i < event->value_count; i++) {
        lido__buffer_text(line, i == 0 ? " (" : ", ");
        append_value(line, &event->values[i]);
    }
    if (event->value_count > 0)
        lido__buffer_char(line, ')');
}

static void append_error(lido__buffer *line, const lido_error *error, bool values) {
    lido__buffer_format(line, ": %s%s%s", lido_category_name(error->category), error->sqlstate[0] != '\0' ? " " : "",
                        error->sqlstate);
    if (values)
        lido__buffer_format(line, ": %s", error->message);
}

static void append_event(lido__buffer *line, const lido_event *event, bool values) {
    lido__buffer_format(line, "%s: %s", event->database, lido_event_name(event->kind));
    if (event->savepoint > 0)
        lido__buffer_format(line, " %d", event->savepoint);
    if (event->connection > 0)
        lido__buffer_format(line, " on connection %" PRIu64, event->connection);
    if (event->duration_us > 0)
        lido__buffer_format(line, ", %" PRId64 " us", event->duration_us);
    if (event->status != LIDO_OK && event->kind != LIDO_EVENT_ROLLBACK)
        lido__buffer_format(line, ", %s", lido_status_name(event->status));
    if (event->file != NULL)
        lido__buffer_format(line, ", %s:%d", event->file, event->line);
    if (event->travelled > 1)
        lido__buffer_format(line, ", %zu sent together", event->travelled);
    if (event->error != NULL)
        append_error(line, event->error, values);
    if (event->statement != NULL)
        lido__buffer_format(line, ": %s", event->statement);
    append_values(line, event);
}

void lido__event_log(const lido_event *event, bool values) {
    lido__buffer line = LIDO__BUFFER_INIT;
    lido_log_level level = level_of(event->kind);
    /* These two the log gets in any case. */
    if (event->kind == LIDO_EVENT_LEAK || event->kind == LIDO_EVENT_INVALIDATE || !lido__log_wanted(level))
        return;
    append_event(&line, event, values);
    const char *text = lido__buffer_string(&line);
    lido__log(level, "%s", text != NULL ? text : "an event that memory was too short to describe");
    lido__buffer_done(&line);
}

bool lido__event_log_slow(const lido_event *event, void *user) {
    lido__buffer line = LIDO__BUFFER_INIT;
    (void)user;
    append_event(&line, event, false);
    const char *text = lido__buffer_string(&line);
    lido__log_or_print(LIDO_LOG_WARNING, "%s", text != NULL ? text : "a slow statement that memory was too short for");
    lido__buffer_done(&line);
    return true;
}
