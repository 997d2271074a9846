/* X REGEXP Y on SQLite: whether pattern Y is found in X, by PCRE2.
 *
 * NULL gives NULL; an invalid pattern matches nothing. A pattern that does not change while the statement runs
 * is compiled once: SQLite keeps it with the argument. Limits on steps and memory bound what a pattern
 * can cost. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "backend/sqlite/sqlite.h"

enum { MATCH_STEPS_MOST = 10 * 1000 * 1000, MATCH_DEPTH_MOST = 10 * 1000, MATCH_HEAP_MOST_KIB = 16 * 1024 };

typedef struct pattern {
    pcre2_code *code; /* NULL: the pattern is invalid */
    pcre2_match_data *match;
    pcre2_match_context *limits;
} pattern;

static void pattern_free(void *kept) {
    pattern *freed = kept;
    pcre2_match_data_free(freed->match);
    pcre2_match_context_free(freed->limits);
    pcre2_code_free(freed->code);
    free(freed);
}

/* NULL if memory ran out. */
static pattern *pattern_new(const unsigned char *text, int size) {
    int code;
    PCRE2_SIZE offset;
    pattern *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->code = pcre2_compile(text, (PCRE2_SIZE)size, PCRE2_UTF | PCRE2_UCP, &code, &offset, NULL);
    if (made->code == NULL && code != PCRE2_ERROR_HEAP_FAILED)
        return made;
    made->match = made->code != NULL ? pcre2_match_data_create(1, NULL) : NULL;
    made->limits = pcre2_match_context_create(NULL);
    if (made->match == NULL || made->limits == NULL) {
        pattern_free(made);
        return NULL;
    }
    pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE); /* where there is no JIT, the interpreter serves */
    pcre2_set_match_limit(made->limits, MATCH_STEPS_MOST);
    pcre2_set_depth_limit(made->limits, MATCH_DEPTH_MOST);
    pcre2_set_heap_limit(made->limits, MATCH_HEAP_MOST_KIB);
    return made;
}

/* The text may hold anything that was stored as text: PCRE2 checks that it is UTF-8, and what is not does not match. */
static void pattern_match(sqlite3_context *context, const pattern *looked_for, sqlite3_value *subject) {
    const unsigned char *text = sqlite3_value_text(subject);
    size_t size = (size_t)sqlite3_value_bytes(subject);
    int found = looked_for->code == NULL
                    ? PCRE2_ERROR_NOMATCH
                    : pcre2_match(looked_for->code, text != NULL ? text : (const unsigned char *)"", size, 0, 0,
                                  looked_for->match, looked_for->limits);
    if (found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_DEPTHLIMIT || found == PCRE2_ERROR_HEAPLIMIT)
        sqlite3_result_error(context, "REGEXP: the pattern takes too many steps on this text", -1);
    else
        sqlite3_result_int(context, found >= 0);
}

/* SQLite turns "X REGEXP Y" into regexp(Y, X). */
static void regexp(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    if (sqlite3_value_type(arguments[0]) == SQLITE_NULL || sqlite3_value_type(arguments[1]) == SQLITE_NULL)
        return;
    pattern *looked_for = sqlite3_get_auxdata(context, 0);
    if (looked_for != NULL) {
        pattern_match(context, looked_for, arguments[1]);
        return;
    }
    const unsigned char *text = sqlite3_value_text(arguments[0]);
    looked_for = text != NULL ? pattern_new(text, sqlite3_value_bytes(arguments[0])) : NULL;
    if (looked_for == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    pattern_match(context, looked_for, arguments[1]);
    /* Last, for SQLite may free the pattern at once. */
    sqlite3_set_auxdata(context, 0, looked_for, pattern_free);
}

int lido__sqlite_register_regexp(sqlite3 *handle) {
    return sqlite3_create_function_v2(handle, "regexp", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      regexp, NULL, NULL, NULL);
}
