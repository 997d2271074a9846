/* The bar, drawn over itself on one line. */
#include "progress.h"

#include <inttypes.h>
#include <time.h>

#include "screen.h"

enum { QUIET_MS = 300, EACH_MS = 100, NARROWEST = 20, BAR_MOST = 40, NUMBERS = 28, NAME_MOST = 24 };

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

progress progress_begin(FILE *stream) {
    return (progress){.stream = stream, .began_ms = now_ms()};
}

/* "items.csv  [#########...........]  45 %  450000 rows", as much of it as fits beside the cursor. */
static void draw(const progress *bar, size_t columns, const char *what, int64_t rows, double share) {
    int room = (int)columns - NUMBERS - NAME_MOST;
    int width = room < 0 ? 0 : room > BAR_MOST ? BAR_MOST : room;
    int full = (int)(share * width);
    fprintf(bar->stream, "\r\033[K");
    if (columns >= NUMBERS + NAME_MOST)
        fprintf(bar->stream, "%-*.*s ", NAME_MOST - 2, NAME_MOST - 2, what);
    if (width > 2) {
        putc('[', bar->stream);
        for (int i = 0; i < width - 2; i++)
            putc(i < full ? '#' : '.', bar->stream);
        fputs("] ", bar->stream);
    }
    fprintf(bar->stream, "%3d %% ", (int)(share * 100));
    if (columns >= NUMBERS)
        fprintf(bar->stream, "%9" PRId64 " rows", rows);
    fflush(bar->stream);
}

void progress_show(progress *bar, const char *what, int64_t rows, int64_t done, int64_t total) {
    int64_t now = now_ms();
    size_t columns = screen_columns(bar->stream);
    if (columns < NARROWEST || total <= 0 || now - bar->began_ms < QUIET_MS || now - bar->drawn_ms < EACH_MS)
        return;
    double share = (double)done / (double)total;
    draw(bar, columns, what, rows, share > 1 ? 1 : share);
    bar->drawn_ms = now;
}

void progress_end(progress *bar) {
    if (bar->drawn_ms == 0)
        return;
    fputs("\r\033[K", bar->stream);
    fflush(bar->stream);
    bar->drawn_ms = 0;
}
