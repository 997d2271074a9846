/* What stands behind x::type: casts that refuse what PostgreSQL refuses, where SQLite's own CAST would make 0 of "x"
 * and 2 of 2.9. src/sql writes them, with a CAST around them that gives the result its affinity. */
#include <math.h>
#include <string.h>

#include "backend/sqlite/functions.h"
#include "base/decimal.h"

enum { EXACT_DIGITS = 15 }; /* of a decimal number, that a double always keeps */

static const char blanks[] = " \t\n\v\f\r";

/* Without the blanks around it, which PostgreSQL allows around numbers and truth values. */
static void trim(function_text *text) {
    while (text->size > 0 && strchr(blanks, text->bytes[text->size - 1]) != NULL && text->bytes[text->size - 1] != '\0')
        text->size--;
    while (text->size > 0 && strchr(blanks, *text->bytes) != NULL && *text->bytes != '\0') {
        text->bytes++;
        text->size--;
    }
}

/* Reads the argument, whose type is neither NULL nor number; false if the function has failed: blobs are no `type`. */
static bool read_text(sqlite3_context *context, sqlite3_value *argument, const char *type, function_text *text) {
    if (sqlite3_value_type(argument) != SQLITE_TEXT)
        return lido__function_fail(context, LIDO_ERROR_TYPE, "42846", "a value of this kind cannot become %s", type);
    return lido__function_text(context, argument, text);
}

/* ---- To text and bytes ---- */

static void to_text(sqlite3_context *context, int count, sqlite3_value **arguments) {
    lido__buffer text = LIDO__BUFFER_INIT;
    if (lido__function_any_null(count, arguments))
        return;
    lido__function_append(&text, arguments[0]);
    lido__function_give(context, &text);
}

static int digit_of(char character, int base) {
    int digit = character >= '0' && character <= '9'   ? character - '0'
                : character >= 'a' && character <= 'f' ? character - 'a' + 10
                : character >= 'A' && character <= 'F' ? character - 'A' + 10
                                                       : base;
    return digit < base ? digit : -1;
}

/* Pairs of digits, with blanks between the pairs. */
static bool read_hexadecimal(const char *text, size_t size, lido__buffer *buffer) {
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\n\r", text[i]) != NULL && text[i] != '\0')
            continue;
        int high = digit_of(text[i], 16);
        int low = i + 1 < size ? digit_of(text[i + 1], 16) : -1;
        if (high < 0 || low < 0)
            return false;
        lido__buffer_char(buffer, (char)(high * 16 + low));
        i++;
    }
    return true;
}

/* How many bytes the escape sequence at a backslash has, and what it stands for; 0 if it is none. */
static size_t read_escape(const char *text, size_t size, char *byte) {
    if (size >= 2 && text[1] == '\\') {
        *byte = '\\';
        return 2;
    }
    if (size < 4 || text[1] > '3' || digit_of(text[1], 8) < 0 || digit_of(text[2], 8) < 0 || digit_of(text[3], 8) < 0)
        return 0;
    *byte = (char)(digit_of(text[1], 8) * 64 + digit_of(text[2], 8) * 8 + digit_of(text[3], 8));
    return 4;
}

bool lido__function_read_bytes(const char *text, size_t size, lido__buffer *buffer) {
    if (size >= 2 && text[0] == '\\' && text[1] == 'x')
        return read_hexadecimal(text + 2, size - 2, buffer);
    for (size_t i = 0; i < size; i++) {
        char byte = text[i];
        size_t escape = byte == '\\' ? read_escape(text + i, size - i, &byte) : 1;
        if (escape == 0)
            return false;
        lido__buffer_char(buffer, byte);
        i += escape - 1;
    }
    return true;
}

static void to_bytes(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    lido__buffer bytes = LIDO__BUFFER_INIT;
    if (lido__function_any_null(count, arguments))
        return;
    if (sqlite3_value_type(arguments[0]) == SQLITE_BLOB)
        sqlite3_result_value(context, arguments[0]);
    else if (!read_text(context, arguments[0], "bytea", &text))
        return;
    else if (!lido__function_read_bytes(text.bytes, text.size, &bytes))
        lido__function_refuse(context, "bytea", text.bytes, text.size);
    else if (bytes.out_of_memory)
        lido__function_out_of_memory(context);
    else
        sqlite3_result_blob64(context, bytes.size > 0 ? bytes.data : "", bytes.size, SQLITE_TRANSIENT);
    lido__buffer_done(&bytes);
}

/* ---- To numbers ---- */

/* A real is rounded to the nearest integer, and to the even one halfway, as double precision is on PostgreSQL. */
static bool read_integer(sqlite3_context *context, sqlite3_value *argument, const char *type, int64_t *integer) {
    function_text text;
    int value_type = sqlite3_value_type(argument);
    if (value_type == SQLITE_INTEGER) {
        *integer = sqlite3_value_int64(argument);
        return true;
    }
    if (value_type == SQLITE_FLOAT) {
        double rounded = nearbyint(sqlite3_value_double(argument));
        if (rounded < -9223372036854775808.0 || rounded >= 9223372036854775808.0)
            return lido__function_fail(context, LIDO_ERROR_TYPE, "22003", "the number is out of the range of %s", type);
        *integer = (int64_t)rounded;
        return true;
    }
    if (!read_text(context, argument, type, &text))
        return false;
    trim(&text);
    size_t sign = text.size > 1 && text.bytes[0] == '+' && text.bytes[1] != '-';
    return lido__int64_parse(text.bytes + sign, text.size - sign, integer) ||
           lido__function_refuse(context, type, text.bytes, text.size);
}

static void give_integer(sqlite3_context *context, int count, sqlite3_value **arguments, const char *type,
                         int64_t lowest, int64_t highest) {
    int64_t integer;
    if (lido__function_any_null(count, arguments) || !read_integer(context, arguments[0], type, &integer))
        return;
    if (integer >= lowest && integer <= highest)
        sqlite3_result_int64(context, integer);
    else
        lido__function_fail(context, LIDO_ERROR_TYPE, "22003", "the number is out of the range of %s", type);
}

static void to_smallint(sqlite3_context *context, int count, sqlite3_value **arguments) {
    give_integer(context, count, arguments, "smallint", INT16_MIN, INT16_MAX);
}

static void to_integer(sqlite3_context *context, int count, sqlite3_value **arguments) {
    give_integer(context, count, arguments, "integer", INT32_MIN, INT32_MAX);
}

static void to_bigint(sqlite3_context *context, int count, sqlite3_value **arguments) {
    give_integer(context, count, arguments, "bigint", INT64_MIN, INT64_MAX);
}

/* Reads a number as a real. */
static bool read_real(sqlite3_context *context, sqlite3_value *argument, const char *type, function_text *text,
                      double *real) {
    int value_type = sqlite3_value_type(argument);
    if (value_type == SQLITE_INTEGER || value_type == SQLITE_FLOAT) {
        *real = sqlite3_value_double(argument);
        return lido__function_text(context, argument, text);
    }
    if (!read_text(context, argument, type, text))
        return false;
    trim(text);
    size_t sign = text->size > 1 && text->bytes[0] == '+' && text->bytes[1] != '-';
    return lido__double_parse(text->bytes + sign, text->size - sign, real) ||
           lido__function_refuse(context, type, text->bytes, text->size);
}

static void to_double(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    double real;
    if (lido__function_any_null(count, arguments) ||
        !read_real(context, arguments[0], "double precision", &text, &real))
        return;
    if (isnan(real)) /* SQLite would make NULL of it */
        lido__function_refuse(context, "double precision that SQLite has", text.bytes, text.size);
    else
        sqlite3_result_double(context, real);
}

/* A real, for SQLite has no exact decimals; so that 10::numeric / 4 is 2.5. What a real would not keep is refused. */
static void to_numeric(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    lido__decimal decimal;
    double real;
    if (lido__function_any_null(count, arguments) || !read_real(context, arguments[0], "numeric", &text, &real))
        return;
    size_t sign = text.size > 1 && text.bytes[0] == '+';
    bool exact = sqlite3_value_type(arguments[0]) == SQLITE_FLOAT ||
                 (isfinite(real) && lido__decimal_read(&decimal, text.bytes + sign, text.size - sign) &&
                  decimal.count <= EXACT_DIGITS);
    if (exact)
        sqlite3_result_double(context, real);
    else
        lido__function_fail(context, LIDO_ERROR_TYPE, "22003",
                            "%.*s does not fit: on SQLite a number has no more than %d digits",
                            (int)(text.size < 40 ? text.size : 40), text.bytes, EXACT_DIGITS);
}

/* ---- To truth values, identifiers and moments ---- */

/* PostgreSQL takes a word for true or false as soon as it can be no other. */
static bool is_word(const function_text *text, const char *word, size_t least) {
    return text->size >= least && text->size <= strlen(word) &&
           sqlite3_strnicmp(text->bytes, word, (int)text->size) == 0;
}

static void to_boolean(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    if (lido__function_any_null(count, arguments))
        return;
    if (sqlite3_value_type(arguments[0]) == SQLITE_INTEGER) {
        sqlite3_result_int(context, sqlite3_value_int64(arguments[0]) != 0);
        return;
    }
    if (!read_text(context, arguments[0], "boolean", &text))
        return;
    trim(&text);
    if (is_word(&text, "true", 1) || is_word(&text, "yes", 1) || is_word(&text, "on", 2) || is_word(&text, "1", 1))
        sqlite3_result_int(context, 1);
    else if (is_word(&text, "false", 1) || is_word(&text, "no", 1) || is_word(&text, "off", 2) ||
             is_word(&text, "0", 1))
        sqlite3_result_int(context, 0);
    else
        lido__function_refuse(context, "boolean", text.bytes, text.size);
}

static void to_uuid(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    lido_uuid uuid;
    char form[37];
    if (lido__function_any_null(count, arguments) || !read_text(context, arguments[0], "uuid", &text))
        return;
    if (!lido__uuid_parse(text.bytes, text.size, &uuid)) {
        lido__function_refuse(context, "uuid", text.bytes, text.size);
        return;
    }
    lido_uuid_format(uuid, form);
    lido__function_give_text(context, form, 36);
}

/* Z, or a sign behind the date. */
static bool has_offset(const function_text *text) {
    for (size_t i = strlen("YYYY-MM-DD"); i < text->size; i++)
        if (strchr("+-Zz", text->bytes[i]) != NULL)
            return true;
    return false;
}

/* An offset from UTC says which moment it is; a type that has no time zone drops it on PostgreSQL, which is hardly what
 * was meant: here it is refused. */
static bool read_moment(sqlite3_context *context, int count, sqlite3_value **arguments, bool zone, char form[40]) {
    function_text text;
    lido_time moment;
    const char *type = zone ? "timestamptz in ISO 8601" : "date or timestamp in ISO 8601 without an offset";
    if (lido__function_any_null(count, arguments) || !read_text(context, arguments[0], type, &text))
        return false;
    trim(&text);
    if (!lido__time_parse(text.bytes, text.size, &moment) || (!zone && has_offset(&text)))
        return lido__function_refuse(context, type, text.bytes, text.size);
    lido_time_format(moment, form);
    return true;
}

static void to_timestamptz(sqlite3_context *context, int count, sqlite3_value **arguments) {
    char form[40];
    if (read_moment(context, count, arguments, true, form))
        lido__function_give_text(context, form, strlen(form));
}

static void to_timestamp(sqlite3_context *context, int count, sqlite3_value **arguments) {
    char form[40];
    if (read_moment(context, count, arguments, false, form))
        lido__function_give_text(context, form, strlen(form));
}

/* As it is written: 24:00:00 is the same day's. */
static void to_date(sqlite3_context *context, int count, sqlite3_value **arguments) {
    char form[40];
    function_text text;
    lido_time moment;
    if (!read_moment(context, count, arguments, false, form) || !read_text(context, arguments[0], "date", &text))
        return;
    trim(&text);
    const char *day_end = memchr(text.bytes, ':', text.size);
    if (day_end != NULL && lido__time_parse(text.bytes, (size_t)(day_end - text.bytes) - strlen("T00"), &moment))
        lido_time_format(moment, form);
    lido__function_give_text(context, form, strcspn(form, " "));
}

const function_row lido__sqlite_cast_functions[] = {
    {.name = "lido_cast_text", .least = 1, .most = 1, .call = to_text},
    {.name = "lido_cast_bytea", .least = 1, .most = 1, .call = to_bytes},
    {.name = "lido_cast_smallint", .least = 1, .most = 1, .call = to_smallint},
    {.name = "lido_cast_integer", .least = 1, .most = 1, .call = to_integer},
    {.name = "lido_cast_bigint", .least = 1, .most = 1, .call = to_bigint},
    {.name = "lido_cast_double", .least = 1, .most = 1, .call = to_double},
    {.name = "lido_cast_numeric", .least = 1, .most = 1, .call = to_numeric},
    {.name = "lido_cast_boolean", .least = 1, .most = 1, .call = to_boolean},
    {.name = "lido_cast_uuid", .least = 1, .most = 1, .call = to_uuid},
    {.name = "lido_cast_timestamptz", .least = 1, .most = 1, .call = to_timestamptz},
    {.name = "lido_cast_timestamp", .least = 1, .most = 1, .call = to_timestamp},
    {.name = "lido_cast_date", .least = 1, .most = 1, .call = to_date},
    {.name = NULL},
};
