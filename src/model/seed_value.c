/* Values for SQLite's declared types: the words in them say what PostgreSQL would have refused. */
#include "model/seed_value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/convert.h"
#include "base/decimal.h"

static const char *become_bool(lido_value *value) {
    static const char *const yes[] = {"true", "t", "yes", "y", "on", "1"};
    static const char *const no[] = {"false", "f", "no", "n", "off", "0"};
    if (value->kind == LIDO_KIND_BOOL)
        return NULL;
    for (size_t i = 0; value->kind == LIDO_KIND_TEXT && i < sizeof yes / sizeof yes[0]; i++) {
        bool is_yes = strlen(yes[i]) == value->size && strncasecmp(yes[i], value->as.text, value->size) == 0;
        bool is_no = strlen(no[i]) == value->size && strncasecmp(no[i], value->as.text, value->size) == 0;
        if (is_yes || is_no) {
            *value = lido_value_bool(is_yes);
            return NULL;
        }
    }
    bool is_bit = value->kind == LIDO_KIND_INT64 && (value->as.integer | 1) == 1;
    return is_bit ? NULL : "is neither true nor false";
}

static const char *become_integer(lido_value *value) {
    int64_t integer;
    if (value->kind == LIDO_KIND_INT64 || value->kind == LIDO_KIND_BOOL)
        return NULL;
    if (value->kind != LIDO_KIND_TEXT || !lido__int64_parse(value->as.text, value->size, &integer))
        return "is not a whole number";
    *value = lido_value_int64(integer);
    return NULL;
}

static const char *become_real(lido_value *value) {
    double real;
    if (value->kind == LIDO_KIND_DOUBLE || value->kind == LIDO_KIND_INT64)
        return NULL;
    if (value->kind != LIDO_KIND_TEXT || !lido__double_parse(value->as.text, value->size, &real) || real != real)
        return "is not a number";
    *value = lido_value_double(real);
    return NULL;
}

/* Stays the text it is: SQLite makes a number of it if that loses nothing. */
static const char *become_numeric(lido_value *value) {
    lido__decimal decimal;
    bool is_number = value->kind == LIDO_KIND_INT64 || value->kind == LIDO_KIND_DOUBLE ||
                     (value->kind == LIDO_KIND_TEXT && lido__decimal_read(&decimal, value->as.text, value->size));
    return is_number ? NULL : "is not a number";
}

static const char *become_date(lido_value *value) {
    lido_time time;
    bool is_date =
        value->kind == LIDO_KIND_TEXT && value->size == 10 && lido__time_parse(value->as.text, value->size, &time);
    return is_date ? NULL : "is not a date (YYYY-MM-DD)";
}

/* That of any day. Not with a zone, which PostgreSQL would take, and leave out. */
static const char *become_time_of_day(lido_value *value) {
    char moment[40];
    lido_time time;
    bool is_time = value->kind == LIDO_KIND_TEXT && value->size >= 5 && value->size <= 15 &&
                   strspn(value->as.text, "0123456789:.") == value->size;
    if (is_time) {
        int size = snprintf(moment, sizeof moment, "2000-01-01 %.*s", (int)value->size, value->as.text);
        is_time = lido__time_parse(moment, (size_t)size, &time);
    }
    return is_time ? NULL : "is not a time of day (HH:MM:SS)";
}

static const char *become_moment(lido_value *value, char *scratch) {
    lido_time time;
    if (value->kind != LIDO_KIND_TEXT || !lido__time_parse(value->as.text, value->size, &time))
        return "is not a date and time (YYYY-MM-DD HH:MM:SS)";
    lido_time_format(time, scratch);
    *value = lido_value_text(scratch);
    return NULL;
}

static const char *become_uuid(lido_value *value, char *scratch) {
    lido_uuid uuid;
    if (value->kind != LIDO_KIND_TEXT || !lido__uuid_parse(value->as.text, value->size, &uuid))
        return "is not a uuid";
    lido_uuid_format(uuid, scratch);
    *value = lido_value_text(scratch);
    return NULL;
}

static int digit_of(char letter) {
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    letter = (char)(letter | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* "\x48656c6c6f", as PostgreSQL writes bytes, in place; anything else is the bytes of the text. */
static const char *become_blob(lido_value *value) {
    if (value->kind != LIDO_KIND_TEXT)
        return "is not bytes";
    size_t size = value->size;
    const char *text = value->as.text;
    if (size >= 2 && text[0] == '\\' && text[1] == 'x') {
        char *bytes = (char *)(uintptr_t)text;
        if (size % 2 != 0)
            return "has an odd number of hexadecimal digits";
        for (size_t i = 2; i < size; i += 2) {
            int high = digit_of(text[i]);
            int low = digit_of(text[i + 1]);
            if (high < 0 || low < 0)
                return "has something else than hexadecimal digits";
            bytes[i / 2 - 1] = (char)(high * 16 + low);
        }
        size = size / 2 - 1;
    }
    *value = lido_value_bytes(lido_blob(text, size));
    return NULL;
}

static bool says(const char *type, const char *word) {
    return strcasestr(type, word) != NULL;
}

const char *lido__seed_value_for_sqlite(const char *type, lido_value *value, char *scratch) {
    if (value->kind == LIDO_KIND_NULL || type[0] == '\0')
        return NULL;
    if (says(type, "timestamp") || says(type, "datetime"))
        return become_moment(value, scratch);
    if (says(type, "bool"))
        return become_bool(value);
    if (strcasecmp(type, "uuid") == 0)
        return become_uuid(value, scratch);
    if (strcasecmp(type, "date") == 0)
        return become_date(value);
    if (strcasecmp(type, "time") == 0 || strcasecmp(type, "time without time zone") == 0)
        return become_time_of_day(value);
    if (says(type, "int") && !says(type, "interval") && !says(type, "point"))
        return become_integer(value);
    if (says(type, "blob") || says(type, "bytea"))
        return become_blob(value);
    if (says(type, "real") || says(type, "floa") || says(type, "doub"))
        return become_real(value);
    if (says(type, "numeric") || says(type, "decimal"))
        return become_numeric(value);
    return NULL;
}
