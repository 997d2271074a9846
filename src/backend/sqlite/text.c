/* PostgreSQL's functions about texts. They count characters, as UTF-8 has them. */
#include <string.h>

#include "backend/sqlite/functions.h"

static bool begins_character(char byte) {
    return ((unsigned char)byte & 0xC0) != 0x80;
}

static int64_t count_characters(const char *text, size_t size) {
    int64_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += begins_character(text[i]);
    return count;
}

/* Where character number `count`, counted from 0, begins; the text's end if there are not so many. */
static size_t place_of(const char *text, size_t size, int64_t count) {
    size_t place = 0;
    for (; place < size; place++)
        if (begins_character(text[place]) && count-- == 0)
            break;
    return place;
}

/* Reads (text, integer); false if the function's result is there already. */
static bool read_text_and_number(sqlite3_context *context, int count, sqlite3_value **arguments, function_text *text,
                                 int *number) {
    return !lido__function_any_null(count, arguments) && lido__function_text(context, arguments[0], text) &&
           lido__function_integer(context, arguments[1], number);
}

/* The first `number` characters; all but the last -`number` if it is negative. */
static void left(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    int number;
    if (!read_text_and_number(context, count, arguments, &text, &number))
        return;
    int64_t kept = number >= 0 ? number : count_characters(text.bytes, text.size) + number;
    lido__function_give_text(context, text.bytes, place_of(text.bytes, text.size, kept > 0 ? kept : 0));
}

static void right(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    int number;
    if (!read_text_and_number(context, count, arguments, &text, &number))
        return;
    int64_t left_out = number >= 0 ? count_characters(text.bytes, text.size) - number : -(int64_t)number;
    size_t start = place_of(text.bytes, text.size, left_out > 0 ? left_out : 0);
    lido__function_give_text(context, text.bytes + start, text.size - start);
}

static void repeat(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    int number;
    if (!read_text_and_number(context, count, arguments, &text, &number))
        return;
    size_t times = number > 0 && text.size > 0 ? (size_t)number : 0;
    if (times > 0 && (times > UINT64_MAX / text.size || lido__function_too_big(context, times * text.size)))
        return;
    lido__buffer result = LIDO__BUFFER_INIT;
    for (size_t i = 0; i < times && !result.out_of_memory; i++)
        lido__buffer_append(&result, text.bytes, text.size);
    lido__function_give(context, &result);
}

static void reverse(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    if (lido__function_any_null(count, arguments) || !lido__function_text(context, arguments[0], &text))
        return;
    lido__buffer result = LIDO__BUFFER_INIT;
    size_t end = text.size;
    for (size_t i = text.size; i > 0; i--) {
        if (!begins_character(text.bytes[i - 1]) && i > 1)
            continue;
        lido__buffer_append(&result, text.bytes + i - 1, end - (i - 1));
        end = i - 1;
    }
    lido__function_give(context, &result);
}

static void starts_with(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    function_text start;
    if (lido__function_any_null(count, arguments) || !lido__function_text(context, arguments[0], &text) ||
        !lido__function_text(context, arguments[1], &start))
        return;
    sqlite3_result_int(context, start.size <= text.size && memcmp(text.bytes, start.bytes, start.size) == 0);
}

/* ---- lpad and rpad ---- */

/* So many characters of `fill`, over and over. */
static void append_fill(lido__buffer *buffer, const function_text *fill, int64_t characters) {
    int64_t in_fill = count_characters(fill->bytes, fill->size);
    for (; characters >= in_fill && !buffer->out_of_memory; characters -= in_fill)
        lido__buffer_append(buffer, fill->bytes, fill->size);
    lido__buffer_append(buffer, fill->bytes, place_of(fill->bytes, fill->size, characters));
}

/* What is longer than wanted is cut at its right end, by both. */
static void pad(sqlite3_context *context, int count, sqlite3_value **arguments, bool at_the_left) {
    function_text text;
    function_text fill = {.bytes = " ", .size = 1};
    int wanted;
    if (!read_text_and_number(context, count, arguments, &text, &wanted) ||
        (count > 2 && !lido__function_text(context, arguments[2], &fill)))
        return;
    int64_t missing = wanted - count_characters(text.bytes, text.size);
    if (missing <= 0 || count_characters(fill.bytes, fill.size) == 0) {
        lido__function_give_text(context, text.bytes, place_of(text.bytes, text.size, wanted > 0 ? wanted : 0));
        return;
    }
    if (lido__function_too_big(context, text.size + (uint64_t)missing))
        return;
    lido__buffer result = LIDO__BUFFER_INIT;
    if (at_the_left)
        append_fill(&result, &fill, missing);
    lido__buffer_append(&result, text.bytes, text.size);
    if (!at_the_left)
        append_fill(&result, &fill, missing);
    lido__function_give(context, &result);
}

static void lpad(sqlite3_context *context, int count, sqlite3_value **arguments) {
    pad(context, count, arguments, true);
}

static void rpad(sqlite3_context *context, int count, sqlite3_value **arguments) {
    pad(context, count, arguments, false);
}

/* ---- split_part ---- */

/* The next delimiter at or behind `from`; the text's end if there is none. An empty one is nowhere. */
static size_t next_delimiter(const function_text *text, const function_text *delimiter, size_t from) {
    const char *found = delimiter->size > 0 && from < text->size
                            ? memmem(text->bytes + from, text->size - from, delimiter->bytes, delimiter->size)
                            : NULL;
    return found != NULL ? (size_t)(found - text->bytes) : text->size;
}

static int64_t count_parts(const function_text *text, const function_text *delimiter) {
    int64_t parts = 1;
    for (size_t at = next_delimiter(text, delimiter, 0); at < text->size;
         at = next_delimiter(text, delimiter, at + delimiter->size))
        parts++;
    return parts;
}

static void split_part(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text text;
    function_text delimiter;
    int number;
    if (lido__function_any_null(count, arguments) || !lido__function_text(context, arguments[0], &text) ||
        !lido__function_text(context, arguments[1], &delimiter) ||
        !lido__function_integer(context, arguments[2], &number))
        return;
    if (number == 0) {
        lido__function_fail(context, LIDO_ERROR_TYPE, "22023", "the number of the part must not be 0");
        return;
    }
    int64_t wanted = number > 0 ? number : count_parts(&text, &delimiter) + 1 + number;
    size_t start = 0;
    size_t end = next_delimiter(&text, &delimiter, 0);
    while (wanted > 1 && end < text.size) {
        start = end + delimiter.size;
        end = next_delimiter(&text, &delimiter, start);
        wanted--;
    }
    if (wanted != 1)
        start = end = 0;
    lido__function_give_text(context, text.bytes + start, end - start);
}

/* ---- concat and concat_ws ---- */

/* NULLs are left out. `separator` NULL: none. */
static void concat_from(sqlite3_context *context, int count, sqlite3_value **arguments,
                        const function_text *separator) {
    lido__buffer result = LIDO__BUFFER_INIT;
    bool first = true;
    for (int i = 0; i < count; i++) {
        if (sqlite3_value_type(arguments[i]) == SQLITE_NULL)
            continue;
        if (!first && separator != NULL)
            lido__buffer_append(&result, separator->bytes, separator->size);
        lido__function_append(&result, arguments[i]);
        first = false;
    }
    lido__function_give(context, &result);
}

static bool too_few(sqlite3_context *context, int count, int least) {
    return count < least &&
           !lido__function_fail(context, LIDO_ERROR_SYNTAX, "42883", "it takes at least %d argument%s and got %d",
                                least, least == 1 ? "" : "s", count);
}

static void concat(sqlite3_context *context, int count, sqlite3_value **arguments) {
    if (!too_few(context, count, 1))
        concat_from(context, count, arguments, NULL);
}

static void concat_ws(sqlite3_context *context, int count, sqlite3_value **arguments) {
    function_text separator;
    if (too_few(context, count, 2) || sqlite3_value_type(arguments[0]) == SQLITE_NULL ||
        !lido__function_text(context, arguments[0], &separator))
        return;
    concat_from(context, count - 1, arguments + 1, &separator);
}

const function_row lido__sqlite_text_functions[] = {
    {.name = "left", .least = 2, .most = 2, .call = left},
    {.name = "right", .least = 2, .most = 2, .call = right},
    {.name = "repeat", .least = 2, .most = 2, .call = repeat},
    {.name = "reverse", .least = 1, .most = 1, .call = reverse},
    {.name = "starts_with", .least = 2, .most = 2, .call = starts_with},
    {.name = "lpad", .least = 2, .most = 3, .call = lpad},
    {.name = "rpad", .least = 2, .most = 3, .call = rpad},
    {.name = "split_part", .least = 3, .most = 3, .call = split_part},
    {.name = "concat", .most = -1, .call = concat},
    {.name = "concat_ws", .most = -1, .call = concat_ws},
    {.name = NULL},
};
