/* Where the program's rows come from: an array of values, a function that gives them, an array of structs. */
#include <stdlib.h>
#include <string.h>

#include "core/bulk.h"

/* ---- Values ---- */

typedef struct value_source {
    lido__row_source base;
    const lido_value *next;
    size_t columns;
    size_t left;
} value_source;

static lido_supply fetch_values(lido__row_source *base, const lido_value **row, const char **why) {
    value_source *source = (value_source *)base;
    (void)why;
    if (source->left == 0)
        return LIDO_ROWS_END;
    *row = source->next;
    source->next += source->columns;
    source->left--;
    return LIDO_ROWS_MORE;
}

int64_t lido_insert_rows(lido_session *session, const char *table, size_t column_count, const char *const *columns,
                         size_t row_count, const lido_value *values) {
    if (!lido__session_is_ready(session, ""))
        return 0;
    if (values == NULL && row_count > 0)
        return lido__insert_refuse(session, LIDO_ERROR_MISUSE, "the pointer to the values is NULL");
    value_source source = {.base = {.fetch = fetch_values, .count = (int64_t)row_count, .lasting = true},
                           .next = values,
                           .columns = column_count,
                           .left = row_count};
    return lido__insert(session, table, column_count, columns, &source.base);
}

/* ---- A function ---- */

typedef struct function_source {
    lido__row_source base;
    lido_row_source *function;
    void *argument;
    lido_value *row;
} function_source;

static lido_supply fetch_from_function(lido__row_source *base, const lido_value **row, const char **why) {
    function_source *source = (function_source *)base;
    *row = source->row;
    return source->function(source->argument, source->row, why);
}

int64_t lido_insert_from(lido_session *session, const char *table, size_t column_count, const char *const *columns,
                         lido_row_source *function, void *argument) {
    if (!lido__session_is_ready(session, ""))
        return 0;
    if (function == NULL)
        return lido__insert_refuse(session, LIDO_ERROR_MISUSE, "the source of rows is NULL");
    lido_value *row = calloc(column_count > 0 ? column_count : 1, sizeof *row); /* all bytes 0 is NULL */
    if (row == NULL)
        return lido__insert_refuse(session, LIDO_ERROR_OUT_OF_MEMORY, "memory ran out while inserting rows");
    function_source source = {.base = {.fetch = fetch_from_function, .count = -1, .foreign = true},
                              .function = function,
                              .argument = argument,
                              .row = row};
    int64_t count = lido__insert(session, table, column_count, columns, &source.base);
    free(row);
    return count;
}

/* ---- Structs ---- */

typedef struct struct_source {
    lido__row_source base;
    const lido_member *members;
    size_t columns;
    const char *next;
    size_t size;
    size_t left;
    lido_value *row;
} struct_source;

static void read_text(const char *text, lido_kind kind, lido_value *value) {
    value->kind = text != NULL ? kind : LIDO_KIND_NULL;
    value->size = text != NULL ? strlen(text) : 0;
    value->as.text = text;
}

static void read_unsigned(uint64_t integer, lido_value *value) {
    *value = lido_value_uint64(integer);
}

static void read_signed(int64_t integer, lido_value *value) {
    value->kind = LIDO_KIND_INT64;
    value->as.integer = integer;
}

static void read_real(double real, lido_value *value) {
    value->kind = LIDO_KIND_DOUBLE;
    value->as.real = real;
}

/* One case for each C type. Sets no more of the value than counts: the rest is as it was made. */
static void read_member(const void *member, lido_target_kind kind, lido_value *value) {
    switch (kind) {
    case LIDO_TARGET_BOOL:
        value->kind = LIDO_KIND_BOOL;
        value->as.boolean = *(const bool *)member;
        return;
    case LIDO_TARGET_SIGNED_CHAR:
        read_signed(*(const signed char *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED_CHAR:
        read_signed(*(const unsigned char *)member, value);
        return;
    case LIDO_TARGET_SHORT:
        read_signed(*(const short *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED_SHORT:
        read_signed(*(const unsigned short *)member, value);
        return;
    case LIDO_TARGET_INT:
        read_signed(*(const int *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED:
        read_signed(*(const unsigned *)member, value);
        return;
    case LIDO_TARGET_LONG:
        read_signed(*(const long *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED_LONG:
        read_unsigned(*(const unsigned long *)member, value);
        return;
    case LIDO_TARGET_LONG_LONG:
        read_signed(*(const long long *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED_LONG_LONG:
        read_unsigned(*(const unsigned long long *)member, value);
        return;
    case LIDO_TARGET_FLOAT:
        read_real((double)*(const float *)member, value);
        return;
    case LIDO_TARGET_DOUBLE:
        read_real(*(const double *)member, value);
        return;
    case LIDO_TARGET_TEXT:
        read_text(*(const char *const *)member, LIDO_KIND_TEXT, value);
        return;
    case LIDO_TARGET_UUID:
        value->kind = LIDO_KIND_UUID;
        value->as.uuid = *(const lido_uuid *)member;
        return;
    case LIDO_TARGET_TIME:
        value->kind = LIDO_KIND_TIME;
        value->as.time = *(const lido_time *)member;
        return;
    case LIDO_TARGET_BYTES:
        *value = lido_value_bytes(*(const lido_bytes *)member);
        return;
    case LIDO_TARGET_JSON:
        read_text(((const lido_json *)member)->text, LIDO_KIND_JSON, value);
        return;
    case LIDO_TARGET_NUMERIC:
        read_text(((const lido_numeric *)member)->text, LIDO_KIND_NUMERIC, value);
        return;
    case LIDO_TARGET_VALUE:
        *value = *(const lido_value *)member;
        return;
    }
}

static lido_supply fetch_struct(lido__row_source *base, const lido_value **row, const char **why) {
    struct_source *source = (struct_source *)base;
    (void)why;
    if (source->left == 0)
        return LIDO_ROWS_END;
    for (size_t i = 0; i < source->columns; i++)
        read_member(source->next + source->members[i].offset, source->members[i].kind, &source->row[i]);
    *row = source->row;
    source->next += source->size;
    source->left--;
    return LIDO_ROWS_MORE;
}

static size_t size_of_kind(lido_target_kind kind) {
    static const size_t sizes[] = {
        [LIDO_TARGET_BOOL] = sizeof(bool),
        [LIDO_TARGET_SIGNED_CHAR] = sizeof(signed char),
        [LIDO_TARGET_UNSIGNED_CHAR] = sizeof(unsigned char),
        [LIDO_TARGET_SHORT] = sizeof(short),
        [LIDO_TARGET_UNSIGNED_SHORT] = sizeof(unsigned short),
        [LIDO_TARGET_INT] = sizeof(int),
        [LIDO_TARGET_UNSIGNED] = sizeof(unsigned),
        [LIDO_TARGET_LONG] = sizeof(long),
        [LIDO_TARGET_UNSIGNED_LONG] = sizeof(unsigned long),
        [LIDO_TARGET_LONG_LONG] = sizeof(long long),
        [LIDO_TARGET_UNSIGNED_LONG_LONG] = sizeof(unsigned long long),
        [LIDO_TARGET_FLOAT] = sizeof(float),
        [LIDO_TARGET_DOUBLE] = sizeof(double),
        [LIDO_TARGET_TEXT] = sizeof(const char *),
        [LIDO_TARGET_UUID] = sizeof(lido_uuid),
        [LIDO_TARGET_TIME] = sizeof(lido_time),
        [LIDO_TARGET_BYTES] = sizeof(lido_bytes),
        [LIDO_TARGET_JSON] = sizeof(lido_json),
        [LIDO_TARGET_NUMERIC] = sizeof(lido_numeric),
        [LIDO_TARGET_VALUE] = sizeof(lido_value),
    };
    return (size_t)kind < sizeof sizes / sizeof sizes[0] ? sizes[kind] : 0;
}

static bool check_members(lido_session *session, size_t count, const lido_member *members, size_t struct_size) {
    for (size_t i = 0; i < count; i++) {
        size_t size = size_of_kind(members[i].kind);
        const char *column = members[i].column != NULL ? members[i].column : "";
        if (size == 0)
            return lido__insert_refuse(session, LIDO_ERROR_MISUSE, "the member for column %s is of the unknown kind %d",
                                       column, (int)members[i].kind);
        if (size > struct_size || members[i].offset > struct_size - size)
            return lido__insert_refuse(session, LIDO_ERROR_MISUSE,
                                       "the member for column %s ends beyond its struct of %zu bytes", column,
                                       struct_size);
    }
    return true;
}

static int64_t insert_structs(lido_session *session, const char *table, size_t count, struct_source *source) {
    const char **columns = malloc((count > 0 ? count : 1) * sizeof *columns);
    source->row = calloc(count > 0 ? count : 1, sizeof *source->row);
    int64_t inserted = 0;
    for (size_t i = 0; columns != NULL && i < count; i++)
        columns[i] = source->members[i].column;
    if (columns != NULL && source->row != NULL)
        inserted = lido__insert(session, table, count, columns, &source->base);
    else
        lido__insert_refuse(session, LIDO_ERROR_OUT_OF_MEMORY, "memory ran out while inserting rows");
    free(source->row);
    free(columns);
    return inserted;
}

int64_t lido_insert_structs(lido_session *session, const char *table, size_t member_count, const lido_member *members,
                            size_t row_count, const void *structs, size_t struct_size) {
    if (!lido__session_is_ready(session, ""))
        return 0;
    if ((structs == NULL && row_count > 0) || (members == NULL && member_count > 0))
        return lido__insert_refuse(session, LIDO_ERROR_MISUSE, "the pointer to the %s is NULL",
                                   structs == NULL ? "structs" : "members");
    if (!check_members(session, member_count, members, struct_size))
        return 0;
    struct_source source = {.base = {.fetch = fetch_struct, .count = (int64_t)row_count},
                            .members = members,
                            .columns = member_count,
                            .next = structs,
                            .size = struct_size,
                            .left = row_count};
    return insert_structs(session, table, member_count, &source);
}
