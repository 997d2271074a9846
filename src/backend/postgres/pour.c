/* Rows of libpq's results straight into structs: where the server's bytes are what a member wants, no value is made. */
#include "backend/postgres/types.h"

/* How the fields of a column get into the member that it is for. */
typedef enum field_how {
    BY_VALUE,
    AS_BOOL,
    AS_INT4,
    AS_INT8,
    AS_INT8_WIDE,
    AS_FLOAT8,
    AS_TIME,
    AS_UUID,
    AS_TEXT
} field_how;

enum { ANY_SIZE = -1, NO_SIZE = -2 };

typedef struct field_way {
    field_how how;
    int size;      /* that a field has which is put straight; others go by value, as what is NULL and has none */
    size_t offset; /* of the member */
} field_way;

static field_way way_for(Oid type, const lido__row_member *to) {
    bool is_wide = lido__row_member_is_wide(to);
    bool is_integer = is_wide || to->kind == LIDO_TARGET_INT;
    switch (type) {
    case TYPE_BOOL:
        return to->kind == LIDO_TARGET_BOOL ? (field_way){AS_BOOL, 1, to->offset} : (field_way){.size = NO_SIZE};
    case TYPE_INT4:
        return is_integer ? (field_way){AS_INT4, 4, to->offset} : (field_way){.size = NO_SIZE};
    case TYPE_INT8:
        return is_integer ? (field_way){is_wide ? AS_INT8_WIDE : AS_INT8, 8, to->offset} : (field_way){.size = NO_SIZE};
    case TYPE_FLOAT8:
        return to->kind == LIDO_TARGET_DOUBLE ? (field_way){AS_FLOAT8, 8, to->offset} : (field_way){.size = NO_SIZE};
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return to->kind == LIDO_TARGET_TIME ? (field_way){AS_TIME, 8, to->offset} : (field_way){.size = NO_SIZE};
    case TYPE_UUID:
        return to->kind == LIDO_TARGET_UUID ? (field_way){AS_UUID, 16, to->offset} : (field_way){.size = NO_SIZE};
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_NAME:
        return to->kind == LIDO_TARGET_TEXT ? (field_way){AS_TEXT, ANY_SIZE, to->offset} : (field_way){.size = NO_SIZE};
    default:
        return (field_way){.size = NO_SIZE};
    }
}

/* Infinite moments, and those that a lido_time does not reach, are texts as values. */
static bool put_time(const char *field, char *member) {
    int64_t since_2000 = (int64_t)lido__postgres_read_64(field);
    int64_t microseconds;
    if (since_2000 == INT64_MAX || since_2000 == INT64_MIN ||
        __builtin_add_overflow(since_2000, EPOCH_US, &microseconds))
        return false;
    memcpy(member, &microseconds, sizeof microseconds);
    return true;
}

/* A field of the size that is expected. False: it goes by value after all. *taken: false if the sink has refused it. */
static inline bool put(field_how how, const char *field, int size, char *member, lido__row_sink *sink, size_t column,
                       bool *taken) {
    uint64_t bits;
    switch (how) {
    case AS_INT8_WIDE:
    case AS_FLOAT8:
        bits = lido__postgres_read_64(field);
        memcpy(member, &bits, sizeof bits);
        return true;
    case AS_TEXT:
        *taken = lido__row_sink_put_text(sink, column, field, (size_t)size);
        return true;
    case AS_UUID:
        memcpy(member, field, 16);
        return true;
    case AS_TIME:
        return put_time(field, member);
    case AS_INT4:
        return lido__row_sink_put_integer(sink, column, (int32_t)lido__postgres_read_32(field));
    case AS_INT8:
        return lido__row_sink_put_integer(sink, column, (int64_t)lido__postgres_read_64(field));
    case AS_BOOL:
        *(bool *)member = field[0] != 0;
        return true;
    case BY_VALUE:
        break;
    }
    return false;
}

typedef struct pouring {
    const PGresult *from;
    const Oid *types;
    const field_way *ways;
    bool binary;
    lido__arena *arena;
    lido__row_sink *sink;
} pouring;

/* Returns how many of the row's columns were read without a fault. */
static size_t pour_row(const pouring *on, int row) {
    lido__row_sink *sink = on->sink;
    size_t count = sink->count;
    for (size_t i = 0; i < count;) {
        const char *field = PQgetvalue(on->from, row, (int)i);
        int size = PQgetlength(on->from, row, (int)i);
        const field_way *way = &on->ways[i];
        char *member = (char *)sink->object + way->offset;
        bool fits = size == way->size || (way->size == ANY_SIZE && size > 0);
        bool taken = true;
        if (!fits || !put(way->how, field, size, member, sink, i, &taken)) {
            lido_value value;
            if (!lido__postgres_read_field(on->from, row, (int)i, on->types[i], on->binary, on->arena, &value))
                return i;
            taken = lido__row_sink_take(sink, i, &value);
        }
        if (!taken || !lido__row_sink_goes_on(sink, ++i))
            return count;
    }
    lido__row_sink_complete(sink);
    return count;
}

bool lido__postgres_pour(const PGresult *from, const Oid *types, int first, lido__arena *arena, lido__row_sink *sink,
                         size_t *column) {
    bool binary = PQbinaryTuples(from) == 1;
    field_way *ways = lido__arena_allocate(arena, sink->count * sizeof *ways);
    const pouring on = {.from = from, .types = types, .ways = ways, .binary = binary, .arena = arena, .sink = sink};
    *column = 0;
    if (ways == NULL)
        return false;
    for (size_t i = 0; i < sink->count; i++)
        ways[i] = binary ? way_for(types[i], &sink->members[i]) : (field_way){.size = NO_SIZE};
    int count = PQntuples(from);
    for (int row = first; row < count && !sink->refused; row++)
        if ((*column = pour_row(&on, row)) < sink->count)
            return false;
    return true;
}
