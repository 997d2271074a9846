/* greatest and least, and the aggregate string_agg. */
#include <stdlib.h>
#include <string.h>

#include "backend/sqlite/functions.h"

/* ---- greatest and least ---- */

/* Numbers are compared as numbers, texts and blobs byte by byte. */
static int compare_bytes(sqlite3_value *one, sqlite3_value *other) {
    const void *bytes = sqlite3_value_blob(one);
    const void *other_bytes = sqlite3_value_blob(other);
    size_t size = (size_t)sqlite3_value_bytes(one);
    size_t other_size = (size_t)sqlite3_value_bytes(other);
    size_t common = size < other_size ? size : other_size;
    int order = common > 0 ? memcmp(bytes, other_bytes, common) : 0;
    return order != 0 ? order : (size > other_size) - (size < other_size);
}

/* Exact also where the integer has more digits than a double. */
static int compare_with_real(int64_t integer, double real) {
    if (real >= 9223372036854775808.0 || real < -9223372036854775808.0)
        return real > 0 ? -1 : 1;
    int64_t whole = (int64_t)real;
    double rest = real - (double)whole;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    return (rest < 0) - (rest > 0);
}

static int compare_numbers(sqlite3_value *one, sqlite3_value *other) {
    bool whole = sqlite3_value_type(one) == SQLITE_INTEGER;
    bool other_whole = sqlite3_value_type(other) == SQLITE_INTEGER;
    if (whole && !other_whole)
        return compare_with_real(sqlite3_value_int64(one), sqlite3_value_double(other));
    if (!whole && other_whole)
        return -compare_with_real(sqlite3_value_int64(other), sqlite3_value_double(one));
    if (!whole)
        return (sqlite3_value_double(one) > sqlite3_value_double(other)) -
               (sqlite3_value_double(one) < sqlite3_value_double(other));
    return (sqlite3_value_int64(one) > sqlite3_value_int64(other)) -
           (sqlite3_value_int64(one) < sqlite3_value_int64(other));
}

static bool is_number(int type) {
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

/* Makes numbers of texts where numbers are among the arguments, as PostgreSQL does with literals and parameters. False,
 * and the function has failed, where that cannot be. */
static bool make_alike(sqlite3_context *context, int count, sqlite3_value **arguments) {
    bool numbers = false;
    int kind = SQLITE_NULL;
    for (int i = 0; i < count; i++)
        numbers = numbers || is_number(sqlite3_value_type(arguments[i]));
    for (int i = 0; i < count; i++) {
        int type = sqlite3_value_type(arguments[i]);
        if (numbers && type == SQLITE_TEXT && !is_number(sqlite3_value_numeric_type(arguments[i])))
            return lido__function_refuse(context, "number", (const char *)sqlite3_value_text(arguments[i]),
                                         (size_t)sqlite3_value_bytes(arguments[i]));
        type = numbers && type == SQLITE_TEXT ? SQLITE_FLOAT : type == SQLITE_INTEGER ? SQLITE_FLOAT : type;
        if (type != SQLITE_NULL && kind != SQLITE_NULL && type != kind)
            return lido__function_fail(context, LIDO_ERROR_TYPE, "42804", "blobs and others cannot be compared");
        kind = type != SQLITE_NULL ? type : kind;
    }
    return true;
}

/* `wanted` is the sign of what the comparison with the best so far must give. NULLs are left out. */
static void give_extreme(sqlite3_context *context, int count, sqlite3_value **arguments, int wanted) {
    sqlite3_value *best = NULL;
    if (count == 0) {
        lido__function_fail(context, LIDO_ERROR_SYNTAX, "42601", "it takes at least 1 argument and got 0");
        return;
    }
    if (!make_alike(context, count, arguments))
        return;
    for (int i = 0; i < count; i++) {
        if (sqlite3_value_type(arguments[i]) == SQLITE_NULL)
            continue;
        int order = best == NULL                          ? wanted
                    : is_number(sqlite3_value_type(best)) ? compare_numbers(arguments[i], best)
                                                          : compare_bytes(arguments[i], best);
        if (order * wanted > 0)
            best = arguments[i];
    }
    if (best != NULL)
        sqlite3_result_value(context, best);
}

static void greatest(sqlite3_context *context, int count, sqlite3_value **arguments) {
    give_extreme(context, count, arguments, 1);
}

static void least(sqlite3_context *context, int count, sqlite3_value **arguments) {
    give_extreme(context, count, arguments, -1);
}

/* ---- string_agg ---- */

enum { DROPPED_LEAST = 4096 };

/* The rows so far, one behind the other, each behind its separator; the first separator is not shown. */
typedef struct strings {
    lido__buffer text;
    size_t dropped; /* bytes at the start that a window has left behind */
    size_t *sizes;  /* two for each row, of its separator and its value; from `first` to `count` */
    size_t first;
    size_t count;
    size_t capacity;
    bool blobs; /* the first value was one, and all must be */
} strings;

static bool reserve_row(strings *kept) {
    if (kept->count < kept->capacity)
        return true;
    size_t capacity = kept->capacity > 0 ? kept->capacity * 2 : 16;
    size_t *sizes = realloc(kept->sizes, capacity * 2 * sizeof *sizes);
    if (sizes == NULL)
        return false;
    kept->sizes = sizes;
    kept->capacity = capacity;
    return true;
}

/* Returns how many bytes it has; false in *right, and the function has failed, if it is none of the kind. */
static size_t append_value(sqlite3_context *context, strings *kept, sqlite3_value *value, bool *right) {
    function_text text;
    size_t before = kept->text.size;
    if (kept->blobs)
        lido__buffer_append(&kept->text, sqlite3_value_blob(value), (size_t)sqlite3_value_bytes(value));
    else if (*right && (*right = lido__function_text(context, value, &text)))
        lido__buffer_append(&kept->text, text.bytes, text.size);
    return kept->text.size - before;
}

static void string_agg_step(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL)
        return;
    strings *kept = sqlite3_aggregate_context(context, sizeof *kept);
    if (kept == NULL || !reserve_row(kept)) {
        lido__function_out_of_memory(context);
        return;
    }
    bool right = true;
    size_t *sizes = kept->sizes + 2 * kept->count;
    if (kept->count == 0)
        kept->blobs = sqlite3_value_type(arguments[0]) == SQLITE_BLOB;
    sizes[0] = sqlite3_value_type(arguments[1]) != SQLITE_NULL ? append_value(context, kept, arguments[1], &right) : 0;
    sizes[1] = append_value(context, kept, arguments[0], &right);
    kept->count += right;
    if (kept->text.out_of_memory)
        lido__function_out_of_memory(context);
    else if (kept->text.size - kept->dropped > INT32_MAX)
        sqlite3_result_error_toobig(context);
}

/* Moves what is left to the front: each byte is moved at most once for each that was dropped. */
static void forget_dropped(strings *kept) {
    size_t left = kept->text.size - kept->dropped;
    if (left > 0)
        memmove(kept->text.data, kept->text.data + kept->dropped, left);
    kept->text.size = left;
    kept->dropped = 0;
    kept->count -= kept->first;
    memmove(kept->sizes, kept->sizes + 2 * kept->first, kept->count * 2 * sizeof *kept->sizes);
    kept->first = 0;
}

/* A window has moved on: its oldest row leaves. */
static void string_agg_drop(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    strings *kept = sqlite3_aggregate_context(context, sizeof *kept);
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL || kept == NULL || kept->first == kept->count)
        return;
    kept->dropped += kept->sizes[2 * kept->first] + kept->sizes[2 * kept->first + 1];
    kept->first++;
    if (kept->first == kept->count || (kept->dropped > DROPPED_LEAST && kept->dropped > kept->text.size / 2))
        forget_dropped(kept);
}

static void string_agg_value(sqlite3_context *context) {
    strings *kept = sqlite3_aggregate_context(context, 0);
    if (kept == NULL || kept->first == kept->count || kept->text.out_of_memory)
        return;
    size_t start = kept->dropped + kept->sizes[2 * kept->first];
    const char *text = lido__buffer_string(&kept->text) + start;
    if (kept->blobs)
        sqlite3_result_blob64(context, text, kept->text.size - start, SQLITE_TRANSIENT);
    else
        lido__function_give_text(context, text, kept->text.size - start);
}

static void string_agg_finish(sqlite3_context *context) {
    strings *kept = sqlite3_aggregate_context(context, 0);
    if (kept == NULL)
        return;
    string_agg_value(context);
    lido__buffer_done(&kept->text);
    free(kept->sizes);
}

const function_row lido__sqlite_compare_functions[] = {
    {.name = "greatest", .most = -1, .call = greatest},
    {.name = "least", .most = -1, .call = least},
    {.name = "string_agg",
     .least = 2,
     .most = 2,
     .call = string_agg_step,
     .finish = string_agg_finish,
     .value = string_agg_value,
     .drop = string_agg_drop},
    {.name = NULL},
};
