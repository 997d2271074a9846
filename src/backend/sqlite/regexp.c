/* X REGEXP Y, which is whether pattern Y is found in X, and PostgreSQL's functions about regular expressions.
 *
 * A pattern that does not change while the statement runs is kept with its argument, by SQLite; others are found in the
 * connection's table of patterns. */
#include <string.h>

#include "backend/sqlite/functions.h"
#include "backend/sqlite/pattern.h"
#include "base/fault.h"

enum { WHY_SIZE = 160, SHOWN_SIZE_MOST = 64 };

static bool must_stop(void *connection) {
    return lido__sqlite_must_stop(connection);
}

/* ---- Patterns as arguments ---- */

/* The connection's; NULL, and the function has failed, if memory ran out. */
static lido__patterns *patterns_of(sqlite3_context *context) {
    sqlite_connection *connection = function_connection(context);
    if (connection->patterns == NULL)
        connection->patterns = lido__patterns_new(must_stop, connection);
    if (connection->patterns == NULL)
        lido__function_out_of_memory(context);
    return connection->patterns;
}

static bool refuse_pattern(sqlite3_context *context, sqlite3_value *argument, const lido__pattern *pattern) {
    char why[WHY_SIZE];
    size_t where;
    if (!lido__pattern_is_invalid(pattern, why, sizeof why, &where))
        return false;
    const char *text = (const char *)sqlite3_value_text(argument);
    size_t size = (size_t)sqlite3_value_bytes(argument);
    size_t shown = text != NULL ? lido__utf8_cut(text, size < SHOWN_SIZE_MOST ? size : SHOWN_SIZE_MOST) : 0;
    lido__function_fail(context, LIDO_ERROR_TYPE, "2201B", "\"%.*s%s\" is no regular expression: %s (byte %zu)",
                        (int)shown, text, shown < size ? "…" : "", why, where + 1);
    return true;
}

/* Held for the caller; NULL, and the function has failed, if memory ran out. */
static lido__pattern *hold_pattern(sqlite3_context *context, sqlite3_value *argument, unsigned flags) {
    function_text text;
    lido__patterns *patterns = patterns_of(context);
    if (patterns == NULL || !lido__function_text(context, argument, &text))
        return NULL;
    lido__pattern *pattern = lido__pattern_hold(patterns, text.bytes, text.size, flags);
    if (pattern == NULL)
        lido__function_out_of_memory(context);
    return pattern;
}

static void release_pattern(void *pattern) {
    lido__pattern_release(pattern);
}

static void give_up(sqlite3_context *context, lido__search why) {
    switch (why) {
    case LIDO__SEARCH_STOPPED:
        sqlite3_result_error_code(context, SQLITE_INTERRUPT);
        break;
    case LIDO__SEARCH_NO_MEMORY:
        lido__function_out_of_memory(context);
        break;
    case LIDO__SEARCH_TOO_DEEP:
        lido__function_fail(context, LIDO_ERROR_OTHER, "54001", "the pattern takes too much memory on this text");
        break;
    default:
        lido__function_fail(context, LIDO_ERROR_OTHER, "54001", "the pattern takes too many steps on this text");
    }
}

/* ---- The operator ---- */

/* What is no UTF-8, although it was stored as text, is matched by nothing. */
static void search(sqlite3_context *context, lido__pattern *pattern, sqlite3_value *subject) {
    const char *text = (const char *)sqlite3_value_text(subject);
    size_t size = (size_t)sqlite3_value_bytes(subject);
    lido__search found = LIDO__SEARCH_NOTHING;
    if (text == NULL && sqlite3_value_type(subject) != SQLITE_BLOB)
        found = LIDO__SEARCH_NO_MEMORY;
    else if (lido__utf8_valid(text, size))
        found = lido__pattern_search(function_connection(context)->patterns, pattern, text != NULL ? text : "", size);
    if (found == LIDO__SEARCH_FOUND || found == LIDO__SEARCH_NOTHING)
        sqlite3_result_int(context, found == LIDO__SEARCH_FOUND);
    else
        give_up(context, found);
}

/* An invalid pattern matches nothing, unless the option regexp_strict wants an error. */
static void search_if_valid(sqlite3_context *context, sqlite3_value **arguments, lido__pattern *pattern) {
    size_t where;
    if (!lido__pattern_is_invalid(pattern, NULL, 0, &where))
        search(context, pattern, arguments[1]);
    else if (!function_connection(context)->config->regexp_strict || !refuse_pattern(context, arguments[0], pattern))
        sqlite3_result_int(context, 0);
}

/* SQLite turns "X REGEXP Y" into regexp(Y, X). */
static void regexp(sqlite3_context *context, int count, sqlite3_value **arguments) {
    lido__pattern *pattern = sqlite3_get_auxdata(context, 0);
    if (lido__function_any_null(count, arguments))
        return;
    if (pattern != NULL) {
        search_if_valid(context, arguments, pattern);
        return;
    }
    pattern = hold_pattern(context, arguments[0], 0);
    if (pattern == NULL)
        return;
    search_if_valid(context, arguments, pattern);
    sqlite3_set_auxdata(context, 0, pattern, release_pattern); /* last, for SQLite may release it at once */
}

/* ---- The functions ---- */

/* One call of regexp_like and its like, taken apart. */
typedef struct regexp_call {
    sqlite3_context *context;
    lido__patterns *patterns;
    lido__pattern *pattern; /* held */
    function_text text;
    bool all; /* flag g */
} regexp_call;

static bool read_flag(regexp_call *call, char letter, unsigned *flags, bool all_allowed) {
    switch (letter) {
    case 'i':
        *flags |= LIDO__PATTERN_CASELESS;
        return true;
    case 'c':
        *flags &= ~(unsigned)LIDO__PATTERN_CASELESS;
        return true;
    case 'x':
        *flags |= LIDO__PATTERN_EXTENDED;
        return true;
    case 't':
        *flags &= ~(unsigned)LIDO__PATTERN_EXTENDED;
        return true;
    case 'q':
        *flags |= LIDO__PATTERN_LITERAL;
        return true;
    case 's':
        *flags &= ~(unsigned)(LIDO__PATTERN_LINES | LIDO__PATTERN_DOT_IN_LINE);
        return true;
    case 'm':
    case 'n':
        *flags |= LIDO__PATTERN_LINES | LIDO__PATTERN_DOT_IN_LINE;
        return true;
    case 'p':
        *flags = (*flags & ~(unsigned)LIDO__PATTERN_LINES) | LIDO__PATTERN_DOT_IN_LINE;
        return true;
    case 'w':
        *flags = (*flags & ~(unsigned)LIDO__PATTERN_DOT_IN_LINE) | LIDO__PATTERN_LINES;
        return true;
    case 'g':
        call->all = true;
        return all_allowed ||
               lido__function_fail(call->context, LIDO_ERROR_TYPE, "22023", "it does not take the flag \"g\"");
    default:
        return lido__function_fail(call->context, LIDO_ERROR_TYPE, "22023",
                                   "there is no flag \"%c\"; on SQLite there are c g i m n p q s t w x",
                                   letter >= ' ' && letter <= '~' ? letter : '?');
    }
}

static bool read_flags(regexp_call *call, sqlite3_value *argument, unsigned *flags, bool all_allowed) {
    function_text letters;
    if (!lido__function_text(call->context, argument, &letters))
        return false;
    for (size_t i = 0; i < letters.size; i++)
        if (!read_flag(call, letters.bytes[i], flags, all_allowed))
            return false;
    return true;
}

/* Reads the text, the pattern and the flags (NULL: none were given). */
static bool begin(regexp_call *call, sqlite3_context *context, sqlite3_value **arguments, sqlite3_value *letters,
                  bool all_allowed) {
    unsigned flags = 0;
    call->context = context;
    call->all = false;
    call->pattern = NULL;
    call->patterns = patterns_of(context);
    if (call->patterns == NULL || !lido__function_text(context, arguments[0], &call->text) ||
        (letters != NULL && !read_flags(call, letters, &flags, all_allowed)))
        return false;
    if (!lido__utf8_valid(call->text.bytes, call->text.size))
        return lido__function_fail(context, LIDO_ERROR_TYPE, "22021", "the text is not UTF-8");
    call->pattern = hold_pattern(context, arguments[1], flags);
    return call->pattern != NULL && !refuse_pattern(context, arguments[1], call->pattern);
}

static void end(regexp_call *call) {
    if (call->pattern != NULL)
        lido__pattern_release(call->pattern);
}

/* An argument that must be above 0, or above -1. */
static bool read_count(regexp_call *call, sqlite3_value *argument, const char *name, int least, int *count) {
    if (!lido__function_integer(call->context, argument, count))
        return false;
    return *count >= least || lido__function_fail(call->context, LIDO_ERROR_TYPE, "22023",
                                                  "the argument %s is %d; it must be at least %d", name, *count, least);
}

static size_t next_character(const function_text *text, size_t place) {
    do
        place++;
    while (place < text->size && (text->bytes[place] & 0xC0) == 0x80);
    return place;
}

/* The place of a character, counted from 1; beyond the text's end if there are not so many. */
static size_t place_of_character(const function_text *text, int number) {
    size_t place = 0;
    while (--number > 0 && place <= text->size)
        place = place < text->size ? next_character(text, place) : place + 1;
    return place;
}

/* The next match from *from on, which moves behind it; an empty one moves it a character, so that none is found twice.
 * */
static lido__search find_next(regexp_call *call, size_t *from, const size_t **places) {
    if (*from > call->text.size)
        return LIDO__SEARCH_NOTHING;
    lido__search found =
        lido__pattern_find(call->patterns, call->pattern, call->text.bytes, call->text.size, *from, places);
    if (found == LIDO__SEARCH_FOUND) {
        size_t end_of_match = (*places)[1] > (*places)[0] ? (*places)[1] : (*places)[0];
        *from = end_of_match > (*places)[0] ? end_of_match : next_character(&call->text, end_of_match);
    }
    return found;
}

static void regexp_like(sqlite3_context *context, int count, sqlite3_value **arguments) {
    regexp_call call;
    if (lido__function_any_null(count, arguments))
        return;
    if (begin(&call, context, arguments, count > 2 ? arguments[2] : NULL, false)) {
        lido__search found = lido__pattern_search(call.patterns, call.pattern, call.text.bytes, call.text.size);
        if (found == LIDO__SEARCH_FOUND || found == LIDO__SEARCH_NOTHING)
            sqlite3_result_int(context, found == LIDO__SEARCH_FOUND);
        else
            give_up(context, found);
    }
    end(&call);
}

static void count_matches(regexp_call *call, int start) {
    const size_t *places;
    size_t from = place_of_character(&call->text, start);
    int64_t matches = 0;
    lido__search found;
    while ((found = find_next(call, &from, &places)) == LIDO__SEARCH_FOUND)
        matches++;
    if (found == LIDO__SEARCH_NOTHING)
        sqlite3_result_int64(call->context, matches);
    else
        give_up(call->context, found);
}

/* (text, pattern, start, flags) */
static void regexp_count(sqlite3_context *context, int count, sqlite3_value **arguments) {
    regexp_call call;
    int start = 1;
    if (lido__function_any_null(count, arguments))
        return;
    if (begin(&call, context, arguments, count > 3 ? arguments[3] : NULL, false) &&
        (count < 3 || read_count(&call, arguments[2], "start", 1, &start)))
        count_matches(&call, start);
    end(&call);
}

static void give_match(regexp_call *call, int start, int number, int group) {
    const size_t *places = NULL;
    size_t from = place_of_character(&call->text, start);
    lido__search found = LIDO__SEARCH_FOUND;
    if ((size_t)group > lido__pattern_groups(call->pattern))
        return;
    while (found == LIDO__SEARCH_FOUND && number-- > 0)
        found = find_next(call, &from, &places);
    if (found != LIDO__SEARCH_FOUND && found != LIDO__SEARCH_NOTHING)
        give_up(call->context, found);
    else if (found == LIDO__SEARCH_FOUND && places[2 * group] <= places[2 * group + 1] &&
             places[2 * group + 1] <= call->text.size)
        lido__function_give_text(call->context, call->text.bytes + places[2 * group],
                                 places[2 * group + 1] - places[2 * group]);
}

/* (text, pattern, start, number, flags, group) */
static void regexp_substr(sqlite3_context *context, int count, sqlite3_value **arguments) {
    regexp_call call;
    int start = 1;
    int number = 1;
    int group = 0;
    if (lido__function_any_null(count, arguments))
        return;
    if (begin(&call, context, arguments, count > 4 ? arguments[4] : NULL, false) &&
        (count < 3 || read_count(&call, arguments[2], "start", 1, &start)) &&
        (count < 4 || read_count(&call, arguments[3], "n", 1, &number)) &&
        (count < 6 || read_count(&call, arguments[5], "subexpr", 0, &group)))
        give_match(&call, start, number, group);
    end(&call);
}

/* ---- regexp_replace ---- */

/* \1 to \9 are groups, \& is the whole match, \\ a backslash; any other backslash is one, too. */
static void append_replacement(lido__buffer *output, const regexp_call *call, const function_text *by,
                               const size_t *places) {
    size_t groups = lido__pattern_groups(call->pattern);
    for (size_t i = 0; i < by->size; i++) {
        char next = by->bytes[i] == '\\' && i + 1 < by->size ? by->bytes[i + 1] : '\0';
        size_t group = next >= '1' && next <= '9' ? (size_t)(next - '0') : 0;
        if (group == 0 && next != '&') {
            lido__buffer_char(output, by->bytes[i]);
            i += next == '\\';
            continue;
        }
        i++;
        if (group <= groups && places[2 * group] <= places[2 * group + 1] && places[2 * group + 1] <= call->text.size)
            lido__buffer_append(output, call->text.bytes + places[2 * group],
                                places[2 * group + 1] - places[2 * group]);
    }
}

/* Replaces the match of that number, or all from the first on if it is 0. */
static void replace_matches(regexp_call *call, const function_text *by, int start, int number) {
    lido__buffer output = LIDO__BUFFER_INIT;
    const size_t *places;
    size_t from = place_of_character(&call->text, start);
    size_t copied = 0;
    lido__search found = LIDO__SEARCH_NOTHING;
    for (int match = 1; number == 0 || match <= number; match++) {
        found = find_next(call, &from, &places);
        if (found != LIDO__SEARCH_FOUND)
            break;
        if (number != 0 && match < number)
            continue;
        size_t first = places[0] > copied ? places[0] : copied; /* \K in a lookahead may begin behind its end */
        lido__buffer_append(&output, call->text.bytes + copied, first - copied);
        append_replacement(&output, call, by, places);
        copied = places[1] > first ? places[1] : first;
    }
    if (found != LIDO__SEARCH_FOUND && found != LIDO__SEARCH_NOTHING) {
        lido__buffer_done(&output);
        give_up(call->context, found);
        return;
    }
    lido__buffer_append(&output, call->text.bytes + copied, call->text.size - copied);
    lido__function_give(call->context, &output);
}

static bool is_number(sqlite3_value *argument) {
    return sqlite3_value_type(argument) == SQLITE_INTEGER || sqlite3_value_type(argument) == SQLITE_FLOAT;
}

/* (text, pattern, replacement, flags) or (text, pattern, replacement, start, number, flags) */
static void regexp_replace(sqlite3_context *context, int count, sqlite3_value **arguments) {
    regexp_call call;
    function_text by;
    int start = 1;
    int number = -1;
    if (lido__function_any_null(count, arguments))
        return;
    bool counts = count > 4 || (count == 4 && is_number(arguments[3]));
    sqlite3_value *letters = count == 6 ? arguments[5] : count == 4 && !counts ? arguments[3] : NULL;
    if (begin(&call, context, arguments, letters, true) && lido__function_text(context, arguments[2], &by) &&
        (!counts || read_count(&call, arguments[3], "start", 1, &start)) &&
        (count < 5 || read_count(&call, arguments[4], "n", 0, &number)))
        replace_matches(&call, &by, start, number >= 0 ? number : call.all ? 0 : 1);
    end(&call);
}

const function_row lido__sqlite_regexp_functions[] = {
    {.name = "regexp", .least = 2, .most = 2, .call = regexp},
    {.name = "regexp_like", .least = 2, .most = 3, .call = regexp_like},
    {.name = "regexp_count", .least = 2, .most = 4, .call = regexp_count},
    {.name = "regexp_substr", .least = 2, .most = 6, .call = regexp_substr},
    {.name = "regexp_replace", .least = 3, .most = 6, .call = regexp_replace},
    {.name = NULL},
};
