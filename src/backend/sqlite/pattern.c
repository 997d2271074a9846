/* Compiling patterns by PCRE2, and the table that keeps them. How they are searched with is search.c. */
#include <stdlib.h>
#include <string.h>

#include "backend/sqlite/pattern_inside.h"
#include "sql/hash.h"

enum { KEPT_MOST = 32, STACK_FIRST = 32 * 1024, STACK_MOST = 8 * 1024 * 1024, HEAP_MOST_KIB = 16 * 1024 };

/* ---- One pattern ---- */

static void pattern_free(lido__pattern *pattern) {
    pcre2_match_data_free(pattern->places);
    pcre2_code_free(pattern->quick);
    pcre2_code_free(pattern->patient);
    free(pattern);
}

void lido__pattern_release(lido__pattern *pattern) {
    if (--pattern->holders == 0)
        pattern_free(pattern);
}

/* A dot matches a line break and $ only the very end, as on PostgreSQL; \C would cut characters in two. */
static uint32_t compile_options(unsigned flags) {
    uint32_t options = PCRE2_UTF;
    options |= flags & LIDO__PATTERN_CASELESS ? PCRE2_CASELESS : 0;
    if (flags & LIDO__PATTERN_LITERAL)
        return options | PCRE2_LITERAL;
    options |= PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    options |= flags & LIDO__PATTERN_EXTENDED ? PCRE2_EXTENDED : 0;
    options |= flags & LIDO__PATTERN_LINES ? PCRE2_MULTILINE | PCRE2_ALT_CIRCUMFLEX : PCRE2_DOLLAR_ENDONLY;
    options |= flags & LIDO__PATTERN_DOT_IN_LINE ? 0 : PCRE2_DOTALL;
    return options;
}

/* \G asks where a search began, and (*COMMIT) and its like forbid that it goes on: a search in windows would give them
 * other answers. A mere suspicion costs only time. */
static bool depends_on_start(const lido__pattern *pattern) {
    return memmem(pattern->text, pattern->size, "\\G", 2) != NULL ||
           memmem(pattern->text, pattern->size, "(*", 2) != NULL;
}

pcre2_code *lido__pattern_compile(lido__patterns *patterns, lido__pattern *pattern, uint32_t gear) {
    uint32_t options = compile_options(pattern->flags) | gear;
    PCRE2_SIZE where;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern->text, pattern->size, options, &pattern->error, &where, patterns->compiling);
    pattern->error_at = where;
    if (code != NULL) /* where there is no JIT, the interpreter serves */
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    return code;
}

/* NULL if memory ran out. */
static lido__pattern *pattern_new(lido__patterns *patterns, const char *text, size_t size, uint64_t hash,
                                  unsigned flags) {
    lido__pattern *pattern = calloc(1, sizeof *pattern + size + 1);
    if (pattern == NULL)
        return NULL;
    pattern->hash = hash;
    pattern->size = size;
    pattern->flags = flags;
    pattern->holders = 1;
    memcpy(pattern->text, text, size);
    pattern->quick = lido__pattern_compile(patterns, pattern, PCRE2_USE_OFFSET_LIMIT);
    if (pattern->quick == NULL && pattern->error == PCRE2_ERROR_HEAP_FAILED) {
        pattern_free(pattern);
        return NULL;
    }
    if (pattern->quick != NULL) {
        size_t machine_code = 0;
        uint32_t options = 0;
        pcre2_pattern_info(pattern->quick, PCRE2_INFO_JITSIZE, &machine_code);
        pcre2_pattern_info(pattern->quick, PCRE2_INFO_ALLOPTIONS, &options);
        pattern->has_machine_code = machine_code > 0;
        pattern->is_anchored = (options & PCRE2_ANCHORED) != 0;
        pattern->patient_only = (flags & LIDO__PATTERN_LITERAL) == 0 && depends_on_start(pattern);
    }
    return pattern;
}

bool lido__pattern_is_invalid(const lido__pattern *pattern, char *why, size_t why_size, size_t *where) {
    if (pattern->quick != NULL)
        return false;
    pcre2_get_error_message(pattern->error, (PCRE2_UCHAR *)why, why_size);
    *where = pattern->error_at;
    return true;
}

size_t lido__pattern_groups(const lido__pattern *pattern) {
    uint32_t groups = 0;
    pcre2_pattern_info(pattern->quick, PCRE2_INFO_CAPTURECOUNT, &groups);
    return groups;
}

/* ---- Those of a connection ---- */

void lido__patterns_free(lido__patterns *patterns) {
    if (patterns == NULL)
        return;
    for (size_t i = 0; i < patterns->count; i++)
        lido__pattern_release(patterns->kept[i]);
    free(patterns->kept);
    pcre2_match_data_free(patterns->nowhere);
    pcre2_jit_stack_free(patterns->stack);
    pcre2_match_context_free(patterns->quick);
    pcre2_match_context_free(patterns->patient);
    pcre2_compile_context_free(patterns->compiling);
    free(patterns);
}

/* Without one the JIT uses a small part of the thread's, which is soon used up; where there is no JIT nobody needs
 * one. */
static bool needs_stack(void) {
    uint32_t jit = 0;
    pcre2_config(PCRE2_CONFIG_JIT, &jit);
    return jit != 0;
}

static void set_limits(lido__patterns *patterns) {
    pcre2_set_newline(patterns->compiling, PCRE2_NEWLINE_LF);
    pcre2_set_match_limit(patterns->quick, LIDO__QUICK_STEPS);
    pcre2_set_match_limit(patterns->patient, UINT32_MAX); /* its steps are counted by the callback */
    pcre2_set_heap_limit(patterns->quick, HEAP_MOST_KIB);
    pcre2_set_heap_limit(patterns->patient, HEAP_MOST_KIB);
    pcre2_set_callout(patterns->patient, lido__pattern_step, patterns);
    if (patterns->stack == NULL)
        return;
    pcre2_jit_stack_assign(patterns->quick, NULL, patterns->stack);
    pcre2_jit_stack_assign(patterns->patient, NULL, patterns->stack);
}

lido__patterns *lido__patterns_new(bool (*must_stop)(void *argument), void *argument) {
    lido__patterns *patterns = calloc(1, sizeof *patterns);
    if (patterns == NULL)
        return NULL;
    patterns->must_stop = must_stop;
    patterns->argument = argument;
    patterns->kept = calloc(KEPT_MOST, sizeof *patterns->kept);
    patterns->compiling = pcre2_compile_context_create(NULL);
    patterns->quick = pcre2_match_context_create(NULL);
    patterns->patient = pcre2_match_context_create(NULL);
    patterns->nowhere = pcre2_match_data_create(1, NULL);
    patterns->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MOST, NULL);
    if (patterns->kept == NULL || patterns->compiling == NULL || patterns->quick == NULL || patterns->patient == NULL ||
        patterns->nowhere == NULL || (patterns->stack == NULL && needs_stack())) {
        lido__patterns_free(patterns);
        return NULL;
    }
    set_limits(patterns);
    return patterns;
}

static void move_to_front(lido__patterns *patterns, size_t from) {
    lido__pattern *moved = patterns->kept[from];
    memmove(patterns->kept + 1, patterns->kept, from * sizeof *patterns->kept);
    patterns->kept[0] = moved;
}

/* The table is short enough to be searched from the newest to the oldest. */
static lido__pattern *find_kept(lido__patterns *patterns, const char *text, size_t size, uint64_t hash,
                                unsigned flags) {
    for (size_t i = 0; i < patterns->count; i++) {
        lido__pattern *pattern = patterns->kept[i];
        if (pattern->hash != hash || pattern->size != size || pattern->flags != flags ||
            memcmp(pattern->text, text, size) != 0)
            continue;
        if (i > 0)
            move_to_front(patterns, i);
        return pattern;
    }
    return NULL;
}

static void keep(lido__patterns *patterns, lido__pattern *pattern) {
    if (patterns->count == KEPT_MOST)
        lido__pattern_release(patterns->kept[--patterns->count]);
    patterns->kept[patterns->count] = pattern;
    move_to_front(patterns, patterns->count++);
}

lido__pattern *lido__pattern_hold(lido__patterns *patterns, const char *text, size_t size, unsigned flags) {
    uint64_t hash = lido__hash_bytes(text, size);
    lido__pattern *pattern = find_kept(patterns, text, size, hash, flags);
    if (pattern == NULL) {
        pattern = pattern_new(patterns, text, size, hash, flags);
        if (pattern == NULL)
            return NULL;
        keep(patterns, pattern);
    }
    pattern->holders++;
    return pattern;
}
