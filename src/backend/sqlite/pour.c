/* Rows of a statement straight into structs: where SQLite has what a member wants, no value is made.
 *
 * Each cell may be of any type, whatever its column was declared to hold: what is not of the one that is expected
 * goes by a value. So does what the declaration makes another value of, as a number in a JSON column. */
#include "backend/sqlite/sqlite.h"
#include "base/convert.h"

static sqlite_how how_for(lido_kind declared, const lido__row_member *to) {
    bool is_plain = declared == LIDO_KIND_NULL;
    switch (to->kind) {
    case LIDO_TARGET_INT:
        return is_plain ? SQLITE_WAY_INT : SQLITE_WAY_VALUE;
    case LIDO_TARGET_LONG:
    case LIDO_TARGET_LONG_LONG:
        return is_plain && lido__row_member_is_wide(to) ? SQLITE_WAY_INTEGER : SQLITE_WAY_VALUE;
    case LIDO_TARGET_DOUBLE:
        return is_plain ? SQLITE_WAY_DOUBLE : SQLITE_WAY_VALUE;
    case LIDO_TARGET_BOOL:
        return declared == LIDO_KIND_BOOL ? SQLITE_WAY_BOOL : SQLITE_WAY_VALUE;
    case LIDO_TARGET_TEXT:
        return is_plain ? SQLITE_WAY_TEXT : SQLITE_WAY_VALUE;
    case LIDO_TARGET_UUID:
        return declared == LIDO_KIND_UUID ? SQLITE_WAY_UUID : SQLITE_WAY_VALUE;
    case LIDO_TARGET_TIME:
        return declared == LIDO_KIND_TIME ? SQLITE_WAY_TIME : SQLITE_WAY_VALUE;
    default:
        return SQLITE_WAY_VALUE;
    }
}

/* No type is 0: nothing that goes by value is what is expected. */
static int type_for(sqlite_how how) {
    switch (how) {
    case SQLITE_WAY_INTEGER:
    case SQLITE_WAY_INT:
    case SQLITE_WAY_BOOL:
        return SQLITE_INTEGER;
    case SQLITE_WAY_DOUBLE:
        return SQLITE_FLOAT;
    case SQLITE_WAY_TEXT:
    case SQLITE_WAY_UUID:
    case SQLITE_WAY_TIME:
        return SQLITE_TEXT;
    case SQLITE_WAY_VALUE:
        break;
    }
    return 0;
}

const sqlite_way *lido__sqlite_ways(const sqlite_statement *statement, const lido__row_sink *sink, lido__arena *arena) {
    sqlite_way *ways = lido__arena_allocate(arena, sink->count * sizeof *ways);
    for (size_t i = 0; ways != NULL && i < sink->count; i++) {
        sqlite_how how = how_for(statement->kinds[i], &sink->members[i]);
        ways[i] = (sqlite_way){.how = how, .type = type_for(how), .offset = sink->members[i].offset};
    }
    return ways;
}

/* A value of the type that is expected, into the member; an integer or double surely fits. False: it goes by value.
 * *taken: false if the sink has refused it. */
static inline bool put(sqlite_how how, sqlite3_value *stored, char *member, lido__row_sink *sink, size_t column,
                       bool *taken) {
    const char *text;
    int64_t integer;
    double real;
    switch (how) {
    case SQLITE_WAY_INTEGER:
        integer = sqlite3_value_int64(stored);
        memcpy(member, &integer, sizeof integer);
        return true;
    case SQLITE_WAY_DOUBLE:
        real = sqlite3_value_double(stored);
        memcpy(member, &real, sizeof real);
        return true;
    case SQLITE_WAY_TEXT:
        text = (const char *)sqlite3_value_text(stored); /* before its size: it may be converted */
        if (text != NULL)
            *taken = lido__row_sink_put_text(sink, column, text, (size_t)sqlite3_value_bytes(stored));
        return text != NULL;
    case SQLITE_WAY_UUID:
        text = (const char *)sqlite3_value_text(stored);
        return text != NULL && lido__uuid_parse(text, (size_t)sqlite3_value_bytes(stored), (lido_uuid *)(void *)member);
    case SQLITE_WAY_TIME:
        text = (const char *)sqlite3_value_text(stored);
        return text != NULL && lido__time_parse(text, (size_t)sqlite3_value_bytes(stored), (lido_time *)(void *)member);
    case SQLITE_WAY_INT:
        return lido__row_sink_put_integer(sink, column, sqlite3_value_int64(stored));
    case SQLITE_WAY_BOOL:
        integer = sqlite3_value_int64(stored);
        *(bool *)member = integer == 1;
        return integer == 0 || integer == 1;
    case SQLITE_WAY_VALUE:
        break;
    }
    return false;
}

static bool put_value(const sqlite_statement *statement, lido__arena *arena, lido__row_sink *sink, size_t column) {
    lido_value value;
    return lido__sqlite_read_field(statement, (int)column, arena, false, &value)
               ? lido__row_sink_take(sink, column, &value)
               : lido__row_sink_refuse(sink, column, lido__convert_no_memory);
}

/* An unprotected value is safe to read, for a connection has one user at a time. */
bool lido__sqlite_pour_row(const sqlite_statement *statement, const sqlite_way *ways, lido__arena *arena,
                           lido__row_sink *sink) {
    sqlite3_stmt *handle = statement->handle;
    size_t count = sink->count;
    for (size_t i = 0; i < count;) {
        bool taken = true;
        sqlite3_value *stored = sqlite3_column_value(handle, (int)i);
        char *member = (char *)sink->object + ways[i].offset;
        if (sqlite3_value_type(stored) != ways[i].type || !put(ways[i].how, stored, member, sink, i, &taken))
            taken = put_value(statement, arena, sink, i);
        if (!taken)
            return false;
        if (!lido__row_sink_goes_on(sink, ++i))
            return !sink->refused;
    }
    return lido__row_sink_complete(sink);
}
