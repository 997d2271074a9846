/* The insides that pattern.c and search.c share. */
#ifndef LIDO_BACKEND_SQLITE_PATTERN_INSIDE_H
#define LIDO_BACKEND_SQLITE_PATTERN_INSIDE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "backend/sqlite/pattern.h"

/* Of the first gear, from each place of the text: some 10 ns each. */
enum { LIDO__QUICK_STEPS = 10000 };

struct lido__pattern {
    uint64_t hash; /* of text */
    size_t size;
    unsigned flags;
    unsigned holders;         /* the table is one */
    pcre2_code *quick;        /* the first gear; NULL: it is no regular expression, */
    int error;                /* for this reason */
    size_t error_at;          /* at this byte */
    pcre2_code *patient;      /* the second; NULL: was not needed yet */
    bool has_machine_code;    /* the JIT has compiled the first */
    bool is_anchored;         /* it can match at the start of a text alone */
    bool patient_only;        /* the first gear would answer wrongly */
    pcre2_match_data *places; /* NULL: nobody has asked for places yet */
    char text[];
};

struct lido__patterns {
    bool (*must_stop)(void *argument);
    void *argument;
    lido__pattern **kept; /* the most recently used first */
    size_t count;
    pcre2_compile_context *compiling;
    pcre2_match_context *quick; /* with the limits of each gear */
    pcre2_match_context *patient;
    pcre2_match_data *nowhere; /* of searches whose place nobody asks for */
    pcre2_jit_stack *stack;    /* NULL where there is no JIT */
    size_t unlooked;           /* bytes searched since must_stop was asked */
    uint64_t steps;            /* that the search in the second gear has taken */
    bool stopped;              /* must_stop ended it */
};

/* NULL if memory ran out, or it is no regular expression, which pattern->error says. */
pcre2_code *lido__pattern_compile(lido__patterns *patterns, lido__pattern *pattern, uint32_t gear);

/* What PCRE2 calls before each step of the second gear. */
int lido__pattern_step(pcre2_callout_block *block, void *patterns);

#endif
