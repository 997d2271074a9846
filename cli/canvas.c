/* Lines of a page. */
#include "canvas.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"

/* Each with its weight alone, and with its colour. */
static const struct {
    const char *plain;
    const char *coloured;
} styles[] = {
    [CANVAS_PLAIN] = {"", ""},
    [CANVAS_TITLE] = {"\033[1m", "\033[1m"},
    [CANVAS_HEADING] = {"\033[1m", "\033[1;36m"},
    [CANVAS_FAINT] = {"\033[2m", "\033[2m"},
    [CANVAS_GOOD] = {"", "\033[32m"},
    [CANVAS_NOTICE] = {"\033[1m", "\033[33m"},
    [CANVAS_ALARM] = {"\033[1;7m", "\033[1;31m"},
};

static bool is_out(const canvas *page) {
    return page->rows > 0 && page->row >= page->rows;
}

/* `text` as screen_write has made it. */
static void put_safe(canvas *page, canvas_style style, const char *text, size_t most) {
    size_t room = page->columns == 0 ? SIZE_MAX : page->columns - page->column;
    size_t size = screen_fit(text, room < most ? room : most, &most);
    const char *begin = !page->styled ? "" : page->coloured ? styles[style].coloured : styles[style].plain;
    page->column += most;
    if (is_out(page) || size == 0)
        return;
    fprintf(page->stream, "%s%.*s%s", begin, (int)size, text, *begin != '\0' ? "\033[0m" : "");
}

/* What is given is copied, made safe. NULL: memory ran out. */
static char *make_safe(const char *text) {
    char *safe = NULL;
    size_t size;
    FILE *stream = open_memstream(&safe, &size);
    if (stream == NULL)
        return NULL;
    screen_write(text, stream);
    if (fclose(stream) == 0)
        return safe;
    free(safe);
    return NULL;
}

static void blanks(canvas *page, size_t count) {
    for (; count > 0; count--)
        put_safe(page, CANVAS_PLAIN, " ", 1);
}

void canvas_put(canvas *page, canvas_style style, const char *text) {
    char *safe = make_safe(text);
    if (safe != NULL)
        put_safe(page, style, safe, SIZE_MAX);
    free(safe);
}

void canvas_format(canvas *page, canvas_style style, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    canvas_put(page, style, text);
}

void canvas_left(canvas *page, canvas_style style, size_t width, const char *text) {
    size_t end = page->column + width;
    char *safe = make_safe(text);
    if (safe != NULL)
        put_safe(page, style, safe, width);
    free(safe);
    canvas_to(page, end);
}

void canvas_right(canvas *page, canvas_style style, size_t width, const char *text) {
    char *safe = make_safe(text);
    size_t own = safe != NULL ? screen_width(safe) : 0;
    blanks(page, own < width ? width - own : 0);
    if (safe != NULL)
        put_safe(page, style, safe, SIZE_MAX);
    free(safe);
}

void canvas_to(canvas *page, size_t column) {
    if (column > page->column)
        blanks(page,
               page->columns > 0 && column > page->columns ? page->columns - page->column : column - page->column);
}

/* On a terminal the rest of the line is what was there before; of a full line there is none, and its last letter would
 * be taken for it. A line behind the last would move all of them. */
void canvas_end_line(canvas *page) {
    bool full = page->columns > 0 && page->column >= page->columns;
    bool last = page->rows > 0 && page->row + 1 == page->rows;
    if (!is_out(page))
        fprintf(page->stream, "%s%s", page->styled && !full ? "\033[K" : "", last ? "" : "\n");
    page->row++;
    page->column = 0;
}

size_t canvas_rows_left(const canvas *page) {
    if (page->rows == 0)
        return SIZE_MAX;
    return page->row < page->rows ? page->rows - page->row : 0;
}
