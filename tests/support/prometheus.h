/* A small reader of Prometheus' text format, for what lido writes: fails the test where a scraper would balk. */
#ifndef TESTS_SUPPORT_PROMETHEUS_H
#define TESTS_SUPPORT_PROMETHEUS_H

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PROMETHEUS_SIZE = 1024 * 1024, PROMETHEUS_SERIES = 8192, PROMETHEUS_NAME = 1200 };

typedef struct prometheus_text {
    char text[PROMETHEUS_SIZE];
    size_t used;
} prometheus_text;

/* A writer for lido_metrics_write; `user`: a prometheus_text. */
static inline bool prometheus_write(const char *text, size_t size, void *user) {
    prometheus_text *to = user;
    assert_int_equal(strlen(text), size);
    assert_true(to->used + size < PROMETHEUS_SIZE);
    memcpy(to->text + to->used, text, size + 1);
    to->used += size;
    return true;
}

/* What is read of one metric after another. */
typedef struct prometheus_reader {
    const char *series[PROMETHEUS_SERIES]; /* where each begins, up to the blank before its value */
    size_t lengths[PROMETHEUS_SERIES];
    size_t count;
    char family[100];
    bool is_histogram;
    bool is_summary;
    double bound; /* of the bucket before, */
    double below; /* and its value */
    bool infinite;
} prometheus_reader;

/* `at` behind the brace; returns what is behind the closing one. *le: of a bucket, 0 if there is none. */
static inline const char *prometheus_labels(const char *at, double *le) {
    *le = 0;
    while (*at != '}') {
        const char *name = at;
        while (isalnum((unsigned char)*at) || *at == '_')
            at++;
        assert_true(at > name && !isdigit((unsigned char)*name));
        if (strncmp(name, "le=", 3) == 0)
            *le = at[2] == '+' ? INFINITY : atof(at + 2);
        assert_int_equal(*at++, '=');
        assert_int_equal(*at++, '"');
        for (; *at != '"'; at++) {
            assert_true(*at != '\n' && *at != '\0');
            if (*at == '\\')
                assert_non_null(strchr("\\\"n", *++at));
        }
        at++;
        if (*at == ',')
            at++;
        else
            assert_int_equal(*at, '}');
    }
    return at + 1;
}

static inline void prometheus_once(prometheus_reader *reader, const char *series, size_t length) {
    for (size_t i = 0; i < reader->count; i++)
        if (reader->lengths[i] == length && memcmp(reader->series[i], series, length) == 0)
            fail_msg("twice: %.*s", (int)length, series);
    assert_true(reader->count < PROMETHEUS_SERIES);
    reader->series[reader->count] = series;
    reader->lengths[reader->count++] = length;
}

static inline void prometheus_bucket(prometheus_reader *reader, double le, double value) {
    if (le <= reader->bound || reader->infinite) { /* the first of another series */
        assert_true(reader->infinite || reader->bound == 0);
        reader->infinite = false;
        reader->below = 0;
    }
    assert_true(value >= reader->below);
    reader->bound = le;
    reader->below = value;
    reader->infinite = le > 1e300;
}

static inline void prometheus_sample(prometheus_reader *reader, const char *line) {
    double le;
    char *end;
    size_t name = strcspn(line, "{ \n");
    size_t family = strlen(reader->family);
    assert_int_equal(line[name], '{');
    assert_true(family > 0 && strncmp(line, reader->family, family) == 0);
    const char *value = prometheus_labels(line + name + 1, &le);
    assert_int_equal(*value, ' ');
    prometheus_once(reader, line, (size_t)(value - line));
    double number = strtod(value + 1, &end);
    assert_true(end > value + 1 && *end == '\n' && number >= 0);
    const char *suffix = line + family;
    size_t left = name - family;
    if (reader->is_summary && left == 0) {
        assert_non_null(strstr(line, "quantile=\""));
    } else if (reader->is_summary) {
        assert_true((left == strlen("_sum") && strncmp(suffix, "_sum", left) == 0) ||
                    (left == strlen("_count") && strncmp(suffix, "_count", left) == 0));
    } else if (!reader->is_histogram) {
        assert_int_equal(left, 0);
    } else if (left == strlen("_bucket") && strncmp(suffix, "_bucket", left) == 0) {
        assert_true(le > 0);
        prometheus_bucket(reader, le, number);
    } else if (left == strlen("_count") && strncmp(suffix, "_count", left) == 0) {
        assert_true(reader->infinite && number == reader->below);
    } else {
        assert_true(left == strlen("_sum") && strncmp(suffix, "_sum", left) == 0);
    }
}

/* HELP and TYPE come together, once for each metric, before all of its samples. */
static inline const char *prometheus_head(prometheus_reader *reader, const char *line) {
    char name[100];
    char type[20];
    const char *next = strchr(line, '\n') + 1;
    assert_int_equal(sscanf(line, "# HELP %99s", name), 1);
    prometheus_once(reader, line, strlen("# HELP ") + strlen(name));
    assert_int_equal(sscanf(next, "# TYPE %99s %19s\n", reader->family, type), 2);
    assert_string_equal(name, reader->family);
    bool counter = strcmp(type, "counter") == 0;
    reader->is_histogram = strcmp(type, "histogram") == 0;
    reader->is_summary = strcmp(type, "summary") == 0;
    assert_true(counter || reader->is_histogram || reader->is_summary || strcmp(type, "gauge") == 0);
    size_t length = strlen(name);
    assert_true(counter == (length > 6 && strcmp(name + length - 6, "_total") == 0));
    assert_true((!reader->is_histogram && !reader->is_summary) || strcmp(name + length - 8, "_seconds") == 0);
    reader->bound = reader->below = 0;
    reader->infinite = false;
    return strchr(next, '\n') + 1;
}

/* How many samples there are. */
static inline size_t prometheus_check(const prometheus_text *text) {
    prometheus_reader *reader = calloc(1, sizeof *reader);
    size_t samples = 0;
    assert_non_null(reader);
    assert_true(text->used > 0 && text->text[text->used - 1] == '\n');
    for (const char *line = text->text; *line != '\0';) {
        if (*line == '#') {
            line = prometheus_head(reader, line);
            continue;
        }
        prometheus_sample(reader, line);
        samples++;
        line = strchr(line, '\n') + 1;
    }
    free(reader);
    return samples;
}

/* The sum of all series of that name, suffix and all, whose labels contain `label` ("": all). */
static inline double prometheus_sum(const prometheus_text *text, const char *name, const char *label) {
    double sum = 0;
    size_t length = strlen(name);
    for (const char *line = text->text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        const char *found = strstr(line, label);
        if (strncmp(line, name, length) == 0 && line[length] == '{' && found != NULL && found < end) {
            while (end[-1] != ' ')
                end--;
            sum += atof(end);
        }
    }
    return sum;
}

#endif
