/* Rows of libpq's results straight into structs: where the server's bytes are what a member wants, no value is made. */
#include "backend/postgres/types.h"

/* How the fields of a column get into the member that it is for. */
typedef enum way {
    BY_VALUE, /* through a lido_value; the others have the bytes that the member wants */
    AS_BOOL,
    AS_INT4,
    AS_INT8,
    AS_FLOAT8,
    AS_TIME,
    AS_UUID,
    AS_TEXT
} way;

static way way_for(Oid type, const lido__row_member *to) {
    switch (type) {
    case TYPE_BOOL:
        return to->kind == LIDO_TARGET_BOOL ? AS_BOOL : BY_VALUE;
    case TYPE_INT4:
        return to->kind == LIDO_TARGET_INT || lido__row_member_is_wide(to) ? AS_INT4 : BY_VALUE;
    case TYPE_INT8:
        return to->kind == LIDO_TARGET_INT || lido__row_member_is_wide(to) ? AS_INT8 : BY_VALUE;
    case TYPE_FLOAT8:
        return to->kind == LIDO_TARGET_DOUBLE ? AS_FLOAT8 : BY_VALUE;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return to->kind == LIDO_TARGET_TIME ? AS_TIME : BY_VALUE;
    case TYPE_UUID:
        return to->kind == LIDO_TARGET_UUID ? AS_UUID : BY_VALUE;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_NAME:
        return to->kind == LIDO_TARGET_TEXT ? AS_TEXT : BY_VALUE;
    default:
        return BY_VALUE;
    }
}

/* Infinite moments, and those that a lido_time does not reach, are texts as values. */
static bool put_time(const char *field, lido_time *to) {
    int64_t since_2000 = (int64_t)lido__postgres_read_64(field);
    return since_2000 != INT64_MAX && since_2000 != INT64_MIN &&
           !__builtin_add_overflow(since_2000, EPOCH_US, &to->microseconds);
}

/* False: it goes by value after all; so does what is NULL, which has no bytes, as all goes that has too few or too
 * many. *taken: false if the sink has refused it. */
static inline bool put(way how, const char *field, int size, lido__row_sink *sink, size_t column, bool *taken) {
    void *member = lido__row_sink_member(sink, column);
    *taken = true;
    switch (how) {
    case AS_BOOL:
        if (size != 1)
            return false;
        *(bool *)member = field[0] != 0;
        return true;
    case AS_INT4:
        return size == 4 && lido__row_sink_put_integer(sink, column, (int32_t)lido__postgres_read_32(field));
    case AS_INT8:
        return size == 8 && lido__row_sink_put_integer(sink, column, (int64_t)lido__postgres_read_64(field));
    case AS_FLOAT8: {
        if (size != 8)
            return false;
        uint64_t bits = lido__postgres_read_64(field);
        memcpy(member, &bits, sizeof bits);
        return true;
    }
    case AS_TIME:
        return size == 8 && put_time(field, member);
    case AS_UUID:
        if (size != 16)
            return false;
        memcpy(member, field, 16);
        return true;
    case AS_TEXT:
        if (size <= 0)
            return false;
        *taken = lido__row_sink_put_text(sink, column, field, (size_t)size);
        return true;
    case BY_VALUE:
        break;
    }
    return false;
}

typedef struct pouring {
    const PGresult *from;
    const Oid *types;
    const way *ways;
    bool binary;
    lido__arena *arena;
    lido__row_sink *sink;
} pouring;

/* Returns how many of the row's columns were read without a fault. */
static size_t pour_row(const pouring *on, int row) {
    lido__row_sink *sink = on->sink;
    for (size_t i = 0; i < sink->count;) {
        const char *field = PQgetvalue(on->from, row, (int)i);
        lido_value value;
        bool taken;
        if (!put(on->ways[i], field, PQgetlength(on->from, row, (int)i), sink, i, &taken)) {
            if (!lido__postgres_read_field(on->from, row, (int)i, on->types[i], on->binary, on->arena, &value))
                return i;
            taken = lido__row_sink_take(sink, i, &value);
        }
        if (!taken || !lido__row_sink_goes_on(sink, ++i))
            return sink->count;
    }
    lido__row_sink_complete(sink);
    return sink->count;
}

bool lido__postgres_pour(const PGresult *from, const Oid *types, int first, lido__arena *arena, lido__row_sink *sink,
                         size_t *column) {
    bool binary = PQbinaryTuples(from) == 1;
    way *ways = lido__arena_allocate(arena, sink->count * sizeof *ways);
    const pouring on = {.from = from, .types = types, .ways = ways, .binary = binary, .arena = arena, .sink = sink};
    *column = 0;
    if (ways == NULL)
        return false;
    for (size_t i = 0; i < sink->count; i++)
        ways[i] = binary ? way_for(types[i], &sink->members[i]) : BY_VALUE;
    int count = PQntuples(from);
    for (int row = first; row < count && !sink->refused; row++)
        if ((*column = pour_row(&on, row)) < sink->count)
            return false;
    return true;
}
