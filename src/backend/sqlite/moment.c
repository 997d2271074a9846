/* now and date_trunc. Moments are texts in UTC, as lido writes them. */
#include <string.h>

#include "backend/sqlite/functions.h"
#include "base/calendar.h"

static void give_moment(sqlite3_context *context, lido_time moment) {
    char text[40];
    lido_time_format(moment, text);
    lido__function_give_text(context, text, strlen(text));
}

/* When the transaction began: the same throughout. */
static void now(sqlite3_context *context, int count, sqlite3_value **arguments) {
    sqlite_connection *connection = function_connection(context);
    (void)count;
    (void)arguments;
    if (!connection->moment_known)
        connection->moment = lido_time_now();
    connection->moment_known = true;
    give_moment(context, connection->moment);
}

static bool is_utc(const function_text *zone) {
    static const char *const names[] = {"UTC", "GMT", "Etc/UTC", "Z", "Zulu", "UCT"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == zone->size && sqlite3_strnicmp(names[i], zone->bytes, (int)zone->size) == 0)
            return true;
    return false;
}

/* (unit, moment, time zone) */
static void date_trunc(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text texts[3];
    lido__time_unit unit;
    lido_time moment;
    if (lido__function_any_null(count, arguments))
        return;
    for (int i = 0; i < count; i++)
        if (!lido__function_text(context, arguments[i], &texts[i]))
            return;
    if (!lido__time_unit_read(texts[0].bytes, texts[0].size, &unit))
        lido__function_refuse(context, "unit of time", texts[0].bytes, texts[0].size);
    else if (!lido__time_parse(texts[1].bytes, texts[1].size, &moment))
        lido__function_refuse(context, "moment (ISO 8601)", texts[1].bytes, texts[1].size);
    else if (count > 2 && !is_utc(&texts[2]))
        lido__function_fail(context, LIDO_ERROR_TYPE, "22023", "on SQLite there is no time zone but UTC");
    else if (!lido__time_truncate(&moment, unit))
        lido__function_fail(context, LIDO_ERROR_TYPE, "22008", "the result is out of range");
    else
        give_moment(context, moment);
}

const function_row lido__sqlite_moment_functions[] = {
    {.name = "now", .varies = true, .call = now},
    {.name = "date_trunc", .least = 2, .most = 3, .call = date_trunc},
    {.name = NULL},
};
