/* Reading what a parameter is to be, and making it. */
#include "generator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool read_number(const char *text, char **end, int64_t *number) {
    errno = 0;
    *number = strtoll(text, end, 10);
    return *end != text && errno == 0;
}

/* "-5..10"; false: it is none, such as "1..x", or it has no number in it. */
static bool read_range(generator *made, const char *text, const char **why) {
    char *end;
    if (!read_number(text, &end, &made->least) || strncmp(end, "..", 2) != 0 ||
        !read_number(end + 2, &end, &made->most) || *end != '\0')
        return false;
    made->kind = GENERATE_NUMBER;
    if (made->most < made->least)
        *why = "a range goes from the smaller to the larger number";
    return true;
}

static bool read_length(generator *made, const char *text, const char **why) {
    char *end;
    int64_t length;
    if (!read_number(text, &end, &length) || *end != '\0')
        return false;
    made->kind = GENERATE_TEXT;
    made->length = (size_t)length;
    if (length < 1 || length > GENERATOR_TEXT_MOST)
        *why = "a text has 1 to 4096 letters";
    return true;
}

bool generator_read(generator *made, const char *text, const char **why) {
    *made = (generator){.kind = GENERATE_WORD, .word = text};
    *why = NULL;
    if (text[0] == '=')
        made->word = text + 1;
    else if (strcmp(text, "uuid") == 0)
        made->kind = GENERATE_UUID;
    else if (strcmp(text, "now") == 0)
        made->kind = GENERATE_NOW;
    else if (strcmp(text, "null") == 0)
        made->kind = GENERATE_NULL;
    else if (strncmp(text, "text:", 5) == 0)
        read_length(made, text + 5, why);
    else
        read_range(made, text, why);
    return *why == NULL;
}

/* xorshift: quick, and as random as a load needs. */
static uint64_t next(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static lido_value make_text(size_t length, uint64_t *seed, char *room) {
    for (size_t i = 0; i < length; i++)
        room[i] = (char)('a' + next(seed) % 26);
    return lido_value_text_sized(room, length);
}

static int64_t make_number(const generator *of, uint64_t *seed) {
    uint64_t span = (uint64_t)of->most - (uint64_t)of->least + 1; /* 0: all numbers */
    uint64_t chosen = span == 0 ? next(seed) : next(seed) % span;
    return (int64_t)((uint64_t)of->least + chosen);
}

size_t generator_room(const generator *of) {
    return of->kind == GENERATE_TEXT ? of->length : 0;
}

lido_value generator_next(const generator *of, uint64_t *seed, char *room) {
    switch (of->kind) {
    case GENERATE_NUMBER:
        return lido_value_int64(make_number(of, seed));
    case GENERATE_UUID:
        return lido_value_uuid(lido_uuid_new());
    case GENERATE_TEXT:
        return make_text(of->length, seed, room);
    case GENERATE_NOW:
        return lido_value_time(lido_time_now());
    case GENERATE_NULL:
        return lido_value_null();
    case GENERATE_WORD:
        break;
    }
    return lido_value_text(of->word);
}
