/* Searching with patterns in two gears, as pattern.h says.
 *
 * The JIT counts steps from each place of the text anew, so its limit alone would let a long text take that many times
 * the limit. A step is some 10 ns; but one step may run over all the text that is left, so that in long texts
 * windows are narrow and steps few. */
#include "backend/sqlite/pattern_inside.h"

enum {
    LOOK_BYTES = 4096,             /* between two looks at the deadline */
    WINDOW = 1024,                 /* places of the text that one call of PCRE2 tries */
    LONG_TEXT = 65536,             /* from here on */
    NARROW_WINDOW = 16,            /* so many, and */
    FEW_STEPS = 1000,              /* so many steps for each */
    STEPS_MOST = 20 * 1000 * 1000, /* of the second gear: some 0.2 s */
    LOOK_STEPS = 4096
};

static bool must_stop(lido__patterns *patterns) {
    patterns->unlooked = 0;
    return patterns->must_stop(patterns->argument);
}

int lido__pattern_step(pcre2_callout_block *block, void *searching) {
    (void)block;
    lido__patterns *patterns = searching;
    if (++patterns->steps % LOOK_STEPS != 0)
        return 0;
    patterns->stopped = must_stop(patterns);
    return patterns->stopped || patterns->steps >= STEPS_MOST ? PCRE2_ERROR_CALLOUT : 0;
}

/* A search as PCRE2 knows it. */
typedef struct searched {
    lido__patterns *patterns;
    lido__pattern *pattern;
    PCRE2_SPTR text;
    size_t size;
    pcre2_match_data *places;
} searched;

static int match(const searched *in, size_t from) {
    const lido__pattern *pattern = in->pattern;
    /* pcre2_match would look at all options and validate the text anew, which costs as much as a short search. */
    return (pattern->has_machine_code ? pcre2_jit_match : pcre2_match)(
        pattern->quick, in->text, in->size, from, PCRE2_NO_UTF_CHECK, in->places, in->patterns->quick);
}

static lido__search meaning_of(const lido__patterns *patterns, int found) {
    if (found >= 0)
        return LIDO__SEARCH_FOUND;
    switch (found) {
    case PCRE2_ERROR_NOMATCH:
        return LIDO__SEARCH_NOTHING;
    case PCRE2_ERROR_CALLOUT:
        return patterns->stopped ? LIDO__SEARCH_STOPPED : LIDO__SEARCH_TOO_LONG;
    case PCRE2_ERROR_NOMEMORY:
        return LIDO__SEARCH_NO_MEMORY;
    case PCRE2_ERROR_JIT_STACKLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
        return LIDO__SEARCH_TOO_DEEP;
    default:
        return LIDO__SEARCH_TOO_LONG;
    }
}

static lido__search search_patiently(const searched *in, size_t from) {
    lido__patterns *patterns = in->patterns;
    lido__pattern *pattern = in->pattern;
    if (pattern->patient == NULL)
        pattern->patient = lido__pattern_compile(patterns, pattern, PCRE2_AUTO_CALLOUT);
    if (pattern->patient == NULL) /* it compiled before; callbacks make it larger */
        return pattern->error == PCRE2_ERROR_HEAP_FAILED ? LIDO__SEARCH_NO_MEMORY : LIDO__SEARCH_TOO_LONG;
    patterns->steps = 0;
    patterns->stopped = false;
    int found =
        pcre2_match(pattern->patient, in->text, in->size, from, PCRE2_NO_UTF_CHECK, in->places, patterns->patient);
    return meaning_of(patterns, found);
}

/* The next place at or behind `place` where a character begins. */
static size_t start_of_character(const searched *in, size_t place) {
    while (place < in->size && (in->text[place] & 0xC0) == 0x80)
        place++;
    return place;
}

/* Window by window, until something is found or the last place, which is the text's end, was tried. */
static int search_in_windows(const searched *in, size_t from, bool *stopped) {
    pcre2_match_context *limits = in->patterns->quick;
    bool is_long = in->size - from >= LONG_TEXT;
    size_t window = is_long ? NARROW_WINDOW : WINDOW;
    int found = PCRE2_ERROR_NOMATCH;
    if (is_long)
        pcre2_set_match_limit(limits, FEW_STEPS);
    while (found == PCRE2_ERROR_NOMATCH && from <= in->size && !*stopped) {
        size_t next = from + window <= in->size ? start_of_character(in, from + window) : in->size + 1;
        pcre2_set_offset_limit(limits, next - 1);
        found = match(in, from);
        in->patterns->unlooked += LOOK_BYTES * window / WINDOW;
        *stopped = in->patterns->unlooked >= LOOK_BYTES && must_stop(in->patterns);
        from = next;
    }
    pcre2_set_offset_limit(limits, PCRE2_UNSET);
    pcre2_set_match_limit(limits, LIDO__QUICK_STEPS);
    return found;
}

static lido__search search(const searched *in, size_t from) {
    lido__patterns *patterns = in->patterns;
    bool stopped = false;
    int found;
    if (in->pattern->patient_only)
        return search_patiently(in, from);
    if (in->size - from <= WINDOW || in->pattern->is_anchored) {
        found = match(in, from);
        patterns->unlooked += in->size - from + 1;
        stopped = patterns->unlooked >= LOOK_BYTES && must_stop(patterns);
    } else {
        found = search_in_windows(in, from, &stopped);
    }
    if (stopped)
        return LIDO__SEARCH_STOPPED;
    if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
        return found >= 0 ? LIDO__SEARCH_FOUND : LIDO__SEARCH_NOTHING;
    if (found == PCRE2_ERROR_MATCHLIMIT)
        return search_patiently(in, from);
    return meaning_of(patterns, found);
}

lido__search lido__pattern_search(lido__patterns *patterns, lido__pattern *pattern, const char *text, size_t size) {
    return search(&(searched){patterns, pattern, (PCRE2_SPTR)text, size, patterns->nowhere}, 0);
}

lido__search lido__pattern_find(lido__patterns *patterns, lido__pattern *pattern, const char *text, size_t size,
                                size_t from, const size_t **places) {
    if (pattern->places == NULL)
        pattern->places = pcre2_match_data_create_from_pattern(pattern->quick, NULL);
    if (pattern->places == NULL)
        return LIDO__SEARCH_NO_MEMORY;
    *places = pcre2_get_ovector_pointer(pattern->places);
    return search(&(searched){patterns, pattern, (PCRE2_SPTR)text, size, pattern->places}, from);
}
