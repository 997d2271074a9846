/* Rows of a statement straight into structs: where SQLite has what a member wants, no value is made.
 *
 * Each cell may be of any type, whatever its column was declared to hold: what is not of the one that is expected goes by
 * a value. So does what the declaration makes another value of, as a number in a JSON column. */
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

const sqlite_way *lido__sqlite_ways(const sqlite_statement *statement, const lido__row_sink *sink, lido__arena *arena) {
    sqlite_way *ways = lido__arena_allocate(arena, sink->count * sizeof *ways);
    for (size_t i = 0; ways != NULL && i < sink->count; i++)
        ways[i] = (sqlite_way){how_for(statement->kinds[i], &sink->members[i]), sink->members[i].offset};
    return ways;
}

/* A text is asked for as a blob: these are the same bytes, and SQLite need not copy them to set a NUL behind. False: it
 * goes by value, as an empty one does. *taken: false if the sink has refused it. */
static bool put_text(const sqlite_way *way, sqlite3_value *stored, lido__row_sink *sink, size_t column, bool *taken) {
    void *member = lido__row_sink_member(sink, column);
    const char *text = sqlite3_value_encoding(stored) == SQLITE_UTF8 ? sqlite3_value_blob(stored) : NULL;
    if (text == NULL)
        return false;
    size_t size = (size_t)sqlite3_value_bytes(stored);
    if (way->how == SQLITE_WAY_UUID)
        return lido__uuid_parse(text, size, member);
    if (way->how == SQLITE_WAY_TIME)
        return lido__time_parse(text, size, member);
    *taken = lido__row_sink_put_text(sink, column, text, size);
    return true;
}

/* False: it goes by value. */
static inline bool put(const sqlite_way *way, sqlite3_value *stored, lido__row_sink *sink, size_t column, bool *taken) {
    void *member = (char *)sink->object + way->offset;
    int type = sqlite3_value_type(stored);
    int64_t integer;
    double real;
    switch (way->how) {
    case SQLITE_WAY_INTEGER:
        if (type != SQLITE_INTEGER)
            return false;
        integer = sqlite3_value_int64(stored);
        memcpy(member, &integer, sizeof integer);
        return true;
    case SQLITE_WAY_DOUBLE:
        if (type != SQLITE_FLOAT)
            return false;
        real = sqlite3_value_double(stored);
        memcpy(member, &real, sizeof real);
        return true;
    case SQLITE_WAY_TEXT:
    case SQLITE_WAY_UUID:
    case SQLITE_WAY_TIME:
        return type == SQLITE_TEXT && put_text(way, stored, sink, column, taken);
    case SQLITE_WAY_INT:
        return type == SQLITE_INTEGER && lido__row_sink_put_integer(sink, column, sqlite3_value_int64(stored));
    case SQLITE_WAY_BOOL:
        integer = type == SQLITE_INTEGER ? sqlite3_value_int64(stored) : -1;
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
               : lido__row_sink_refuse(sink, column, lido__row_sink_no_memory);
}

/* An unprotected value is safe to read, for a connection has one user at a time. */
bool lido__sqlite_pour_row(const sqlite_statement *statement, const sqlite_way *ways, lido__arena *arena,
                           lido__row_sink *sink) {
    sqlite3_stmt *handle = statement->handle;
    size_t count = sink->count;
    for (size_t i = 0; i < count;) {
        bool taken = true;
        if (!put(&ways[i], sqlite3_column_value(handle, (int)i), sink, i, &taken))
            taken = put_value(statement, arena, sink, i);
        if (!taken)
            return false;
        if (!lido__row_sink_goes_on(sink, ++i))
            return !sink->refused;
    }
    return lido__row_sink_complete(sink);
}
