/* A page of text for a terminal, or for a file: lines are cut at the right edge, and what has a style keeps to it where
 * there are styles. */
#ifndef LIDO_CLI_CANVAS_H
#define LIDO_CLI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <lido/export.h>

typedef enum canvas_style {
    CANVAS_PLAIN,
    CANVAS_TITLE,   /* of the page */
    CANVAS_HEADING, /* of a part */
    CANVAS_FAINT,
    CANVAS_GOOD,
    CANVAS_NOTICE, /* to be looked at */
    CANVAS_ALARM
} canvas_style;

typedef struct canvas {
    FILE *stream;
    size_t columns; /* 0: lines may have any length */
    size_t rows;    /* 0: there may be any number of lines */
    bool styled;    /* by escape sequences; */
    bool coloured;  /* colours among them */
    size_t column;  /* where the next text goes; as is the next */
    size_t row;
} canvas;

/* Puts a text, or as much of it as fits; what could steer a terminal is made visible. */
void canvas_put(canvas *page, canvas_style style, const char *text);
void canvas_format(canvas *page, canvas_style style, const char *format, ...) LIDO_FORMAT(3, 4);
/* The same in a field so wide, to its left or its right; a longer text is cut, to the left only. */
void canvas_left(canvas *page, canvas_style style, size_t width, const char *text);
void canvas_right(canvas *page, canvas_style style, size_t width, const char *text);
/* Blanks up to a column. */
void canvas_to(canvas *page, size_t column);
void canvas_end_line(canvas *page);
/* How many more lines there is room for; SIZE_MAX: any number. */
size_t canvas_rows_left(const canvas *page);

#endif
