/* The page of lido top: a title, and parts with a heading each. Where there are more lines than rows, the longest parts
 * are cut. */
#include "top_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "figure.h"
#include "screen.h"

enum {
    NAME_LEAST = 8,
    NAME_MOST = 24,
    BAR_WIDTH = 10,
    BAR_COLUMNS = 100, /* narrower terminals have no room for bars */
    LONG_HELD_MS = 5 * 1000,
    TOO_LONG_HELD_MS = 60 * 1000,
    PART_LEAST = 3,
    STATEMENTS_SHOWN = 20,
    PLACE_WIDTH = 22
};

typedef enum part_index { WORKERS, POOLS, DURATIONS, STATEMENTS, HOLDERS, PARTS } part_index;

typedef struct view {
    canvas *page;
    const top_figures *figures;
    size_t wanted[PARTS]; /* lines */
    size_t lines[PARTS];  /* what there is room for */
    bool spaced;          /* there is a blank line before each */
    size_t name_width;    /* of pools */
} view;

static bool has_bars(const view *of) {
    return of->page->styled && of->page->columns >= BAR_COLUMNS;
}

static bool has_workers(const view *of) {
    return of->figures->now->worker_count > 0;
}

/* ---- The title ---- */

static void draw_title(const view *of, const char *clock) {
    char right[96];
    const top_reading *now = of->figures->now;
    canvas_put(of->page, CANVAS_TITLE, now->program);
    canvas_format(of->page, CANVAS_PLAIN, "  process %" PRId64 "  %s", now->process, of->figures->address);
    snprintf(right, sizeof right, "  lido %.20s%s%s", now->version, clock != NULL ? "  " : "",
             clock != NULL ? clock : "");
    if (of->page->columns > strlen(right))
        canvas_to(of->page, of->page->columns - strlen(right));
    canvas_put(of->page, CANVAS_FAINT, right);
    canvas_end_line(of->page);
}

/* Whole, or not at all. */
static void put_sum(const view *of, canvas_style style, const char *figure, const char *what) {
    size_t end = of->page->column + strlen("   ") + strlen(figure) + strlen(what);
    if (of->page->columns > 0 && end > of->page->columns)
        return;
    canvas_put(of->page, CANVAS_PLAIN, of->page->column > 0 ? "  " : "");
    canvas_put(of->page, style, figure);
    canvas_format(of->page, style == CANVAS_PLAIN ? CANVAS_FAINT : style, " %s", what);
}

static void put_rate(const view *of, double rate, canvas_style style, const char *what) {
    char text[FIGURE_SIZE];
    put_sum(of, rate > 0 ? style : CANVAS_PLAIN, figure_rate(of->figures->before != NULL ? rate : -1, text), what);
}

static void draw_sums(const view *of) {
    char text[FIGURE_SIZE];
    int64_t used = 0;
    int64_t waiting = 0;
    const double *rates = of->figures->rates;
    for (size_t i = 0; i < of->figures->now->pool_count; i++) {
        used += of->figures->now->pools[i].used;
        waiting += of->figures->now->pools[i].waiting;
    }
    put_sum(of, CANVAS_PLAIN, figure_number(used, text), "in use");
    put_sum(of, waiting > 0 ? CANVAS_NOTICE : CANVAS_PLAIN, figure_number(waiting, text), "waiting");
    put_rate(of, rates[TOP_READS] + rates[TOP_WRITES] + rates[TOP_OTHERS], CANVAS_PLAIN, "statements/s");
    put_rate(of, rates[TOP_COMMITTED], CANVAS_PLAIN, "committed/s");
    put_rate(of, rates[TOP_FAILED], CANVAS_ALARM, "failed/s");
    put_rate(of, rates[TOP_ROLLED_BACK], CANVAS_PLAIN, "rolled back/s");
    if (rates[TOP_UNKNOWN] > 0)
        put_rate(of, rates[TOP_UNKNOWN], CANVAS_ALARM, "unknown/s");
    if (rates[TOP_RETRIED] > 0)
        put_rate(of, rates[TOP_RETRIED], CANVAS_NOTICE, "retried/s");
    if (rates[TOP_TIMEOUTS] > 0)
        put_rate(of, rates[TOP_TIMEOUTS], CANVAS_ALARM, "waited in vain/s");
    if (rates[TOP_FAILED_CONNECTS] > 0)
        put_rate(of, rates[TOP_FAILED_CONNECTS], CANVAS_ALARM, "connects failed/s");
    canvas_end_line(of->page);
}

/* ---- Parts ---- */

/* The last line of a part that was cut tells so; if it has but one, that is one of its own. */
static size_t shown_lines(const view *of, part_index part) {
    return of->lines[part] < of->wanted[part] && of->lines[part] > 1 ? of->lines[part] - 1 : of->lines[part];
}

/* How many of its lines are drawn; false: there is nothing in it. */
static bool begin_part(const view *of, part_index part, const char *title, size_t *shown) {
    *shown = shown_lines(of, part);
    if (of->lines[part] == 0)
        return false;
    if (of->spaced)
        canvas_end_line(of->page);
    canvas_put(of->page, CANVAS_HEADING, title);
    return true;
}

static void end_part(const view *of, part_index part) {
    size_t shown = shown_lines(of, part);
    if (shown == of->lines[part])
        return;
    canvas_format(of->page, CANVAS_FAINT, "and %zu more", of->wanted[part] - shown);
    canvas_end_line(of->page);
}

static void heading(const view *of, size_t width, const char *text) {
    canvas_right(of->page, CANVAS_HEADING, width, text);
}

static void number(const view *of, canvas_style style, size_t width, int64_t value) {
    char text[FIGURE_SIZE];
    canvas_right(of->page, value > 0 ? style : CANVAS_FAINT, width, figure_number(value, text));
}

static void rate(const view *of, canvas_style style, size_t width, double value) {
    char text[FIGURE_SIZE];
    canvas_right(of->page, value > 0 ? style : CANVAS_FAINT, width, figure_rate(value, text));
}

/* ---- Workers ---- */

static void draw_worker(const view *of, const top_worker *worker) {
    char age[FIGURE_SIZE];
    bool ready = strcmp(worker->state, "ready") == 0;
    canvas_format(of->page, CANVAS_PLAIN, "%6" PRId64, worker->number);
    number(of, CANVAS_PLAIN, 9, worker->process);
    canvas_put(of->page, CANVAS_PLAIN, "  ");
    canvas_left(of->page, ready ? CANVAS_GOOD : CANVAS_NOTICE, 10, worker->state);
    canvas_right(of->page, CANVAS_PLAIN, 12, figure_age_ms(worker->age_ms, age));
    number(of, CANVAS_PLAIN, 10, worker->restarts);
    number(of, CANVAS_ALARM, 8, worker->deaths);
    canvas_end_line(of->page);
}

static void draw_workers(const view *of) {
    size_t shown;
    if (!begin_part(of, WORKERS, "WORKER  PROCESS  STATE", &shown))
        return;
    canvas_to(of->page, 27);
    heading(of, 12, "AGE");
    heading(of, 10, "RESTARTS");
    heading(of, 8, "DEATHS");
    canvas_end_line(of->page);
    for (size_t i = 0; i < shown; i++)
        draw_worker(of, &of->figures->now->workers[i]);
    end_part(of, WORKERS);
}

/* ---- Pools ---- */

static void draw_bar(const view *of, const top_pool *pool) {
    int64_t most = pool->most > 0 ? pool->most : pool->size;
    int64_t full = most > 0 ? (pool->used * BAR_WIDTH + most - 1) / most : 0;
    bool crowded = pool->waiting > 0;
    canvas_put(of->page, CANVAS_PLAIN, "  ");
    for (int i = 0; i < BAR_WIDTH; i++)
        canvas_put(of->page, i >= full ? CANVAS_FAINT : crowded ? CANVAS_NOTICE : CANVAS_GOOD, i < full ? "█" : "░");
}

static void draw_pool(const view *of, const top_pool *pool) {
    canvas_left(of->page, pool->down ? CANVAS_ALARM : CANVAS_PLAIN, of->name_width, pool->name);
    if (has_workers(of))
        canvas_format(of->page, CANVAS_PLAIN, "%8" PRId64, pool->worker);
    if (has_bars(of))
        draw_bar(of, pool);
    number(of, CANVAS_PLAIN, 7, pool->used);
    number(of, CANVAS_PLAIN, 6, pool->idle);
    number(of, CANVAS_NOTICE, 9, pool->waiting);
    number(of, CANVAS_PLAIN, 5, pool->most);
    rate(of, CANVAS_PLAIN, 9, top_pool_rate(of->figures, pool, TOP_READS));
    rate(of, CANVAS_PLAIN, 9, top_pool_rate(of->figures, pool, TOP_WRITES));
    rate(of, CANVAS_PLAIN, 10, top_pool_rate(of->figures, pool, TOP_COMMITTED));
    rate(of, CANVAS_ALARM, 9, top_pool_rate(of->figures, pool, TOP_FAILED));
    if (pool->down)
        canvas_put(of->page, CANVAS_ALARM, "  out of reach");
    canvas_end_line(of->page);
}

static void draw_pools(const view *of) {
    size_t shown;
    if (!begin_part(of, POOLS, "POOL", &shown))
        return;
    canvas_to(of->page, of->name_width);
    if (has_workers(of))
        heading(of, 8, "WORKER");
    if (has_bars(of))
        canvas_to(of->page, of->page->column + 2 + BAR_WIDTH);
    heading(of, 7, "IN USE");
    heading(of, 6, "IDLE");
    heading(of, 9, "WAITING");
    heading(of, 5, "MAX");
    heading(of, 9, "READS/s");
    heading(of, 9, "WRITES/s");
    heading(of, 10, "COMMITS/s");
    heading(of, 9, "FAILED/s");
    canvas_end_line(of->page);
    for (size_t i = 0; i < shown; i++)
        draw_pool(of, &of->figures->now->pools[i]);
    end_part(of, POOLS);
}

/* ---- Durations ---- */

static const char *const kind_titles[TOP_KINDS] = {"read",
                                                   "write",
                                                   "other statement",
                                                   "commit",
                                                   "wait for a connection",
                                                   "wait for the turn to write",
                                                   "wait for a file's lock",
                                                   "use of a connection",
                                                   "connect"};

static void draw_duration(const view *of, const char *title, const top_durations *durations) {
    char text[FIGURE_SIZE];
    int64_t count = top_durations_count(durations);
    const double shares[] = {0.5, 0.9, 0.99};
    canvas_left(of->page, CANVAS_PLAIN, 28, title);
    if (of->figures->lasted > 0)
        rate(of, CANVAS_PLAIN, 10, (double)count / of->figures->lasted);
    else
        number(of, CANVAS_PLAIN, 10, count);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        canvas_right(of->page, CANVAS_PLAIN, 10,
                     figure_duration_ns(top_durations_quantile_ns(durations, shares[i]), text));
    canvas_right(of->page, CANVAS_PLAIN, 12, figure_duration_ns((double)durations->longest_ns, text));
    canvas_end_line(of->page);
}

static void draw_durations(const view *of) {
    char title[64] = "HOW LONG, SINCE THE START";
    size_t shown;
    if (of->figures->lasted > 0)
        snprintf(title, sizeof title, "HOW LONG, IN THE LAST %.0f s", of->figures->lasted);
    if (!begin_part(of, DURATIONS, title, &shown))
        return;
    canvas_to(of->page, 28);
    heading(of, 10, of->figures->lasted > 0 ? "PER SECOND" : "COUNT");
    heading(of, 10, "P50");
    heading(of, 10, "P90");
    heading(of, 10, "P99");
    heading(of, 12, "LONGEST");
    canvas_end_line(of->page);
    for (int kind = 0; kind < TOP_KINDS && shown > 0; kind++) {
        const top_durations *durations = &of->figures->durations[kind];
        if (durations->bucket_count == 0)
            continue;
        draw_duration(of, kind_titles[kind], durations);
        shown--;
    }
    end_part(of, DURATIONS);
}

/* ---- Statements ---- */

/* Where there are several databases, which of them it was. */
static bool has_names(const view *of) {
    const top_reading *now = of->figures->now;
    for (size_t i = 1; i < now->pool_count; i++)
        if (strcmp(now->pools[i].name, now->pools[0].name) != 0)
            return true;
    return false;
}

static void draw_statement(const view *of, const top_cost *cost) {
    char text[FIGURE_SIZE];
    double lasted = of->figures->lasted;
    canvas_right(of->page, CANVAS_PLAIN, 9, figure_duration_ns(cost->total_us * 1e3 / (lasted > 0 ? lasted : 1), text));
    if (lasted > 0)
        rate(of, CANVAS_PLAIN, 12, (double)cost->count / lasted);
    else
        number(of, CANVAS_PLAIN, 12, cost->count);
    rate(of, CANVAS_ALARM, 9, lasted > 0 ? (double)cost->failed / lasted : (double)cost->failed);
    double average = cost->count > 0 ? cost->total_us * 1e3 / (double)cost->count : 0;
    canvas_right(of->page, CANVAS_PLAIN, 10, figure_duration_ns(average, text));
    canvas_right(of->page, CANVAS_PLAIN, 10, figure_duration_ns(cost->statement->p99_us * 1e3, text));
    canvas_put(of->page, CANVAS_PLAIN, "  ");
    if (has_names(of))
        canvas_left(of->page, CANVAS_PLAIN, of->name_width + 2, cost->statement->pool);
    canvas_put(of->page, CANVAS_PLAIN, cost->statement->text);
    canvas_end_line(of->page);
}

static void draw_statements(const view *of) {
    size_t shown;
    bool part = of->figures->lasted > 0;
    if (!begin_part(of, STATEMENTS, part ? "   TIME/s" : "     TIME", &shown))
        return;
    heading(of, 12, part ? "PER SECOND" : "COUNT");
    heading(of, 9, part ? "FAILED/s" : "FAILED");
    heading(of, 10, "MEAN");
    heading(of, 10, "P99");
    canvas_put(of->page, CANVAS_PLAIN, "  ");
    if (has_names(of))
        canvas_left(of->page, CANVAS_HEADING, of->name_width + 2, "POOL");
    canvas_put(of->page, CANVAS_HEADING, "SLOWEST STATEMENTS");
    canvas_end_line(of->page);
    for (size_t i = 0; i < shown; i++)
        draw_statement(of, &of->figures->costs[i]);
    end_part(of, STATEMENTS);
}

/* ---- Holders ---- */

/* Of a place in a program its end tells more; whole folders' names where that is possible. */
static const char *end_of(const char *text, size_t width) {
    size_t length = strlen(text);
    if (length <= width)
        return text;
    const char *end = text + length - width;
    const char *slash = strchr(end, '/');
    return slash != NULL ? slash + 1 : end;
}

static void draw_holder(const view *of, const top_holder *holder) {
    char text[160];
    canvas_style style = holder->age_ms >= TOO_LONG_HELD_MS ? CANVAS_ALARM
                         : holder->age_ms >= LONG_HELD_MS   ? CANVAS_NOTICE
                                                            : CANVAS_PLAIN;
    canvas_right(of->page, style, 11, figure_age_ms(holder->age_ms, text));
    canvas_put(of->page, CANVAS_PLAIN, "  ");
    canvas_left(of->page, CANVAS_PLAIN, of->name_width, holder->pool->name);
    if (has_workers(of))
        canvas_format(of->page, CANVAS_PLAIN, "%8" PRId64, holder->pool->worker);
    snprintf(text, sizeof text, "%.*s:%" PRId64, 128, holder->file, holder->line);
    canvas_put(of->page, CANVAS_PLAIN, "  ");
    canvas_left(of->page, CANVAS_PLAIN, PLACE_WIDTH, end_of(text, PLACE_WIDTH));
    canvas_put(of->page, CANVAS_PLAIN, "  ");
    if (holder->statement[0] != '\0')
        canvas_put(of->page, CANVAS_PLAIN, holder->statement);
    else
        canvas_put(of->page, CANVAS_FAINT, "nothing yet");
    canvas_end_line(of->page);
}

static void draw_holders(const view *of) {
    size_t shown;
    if (!begin_part(of, HOLDERS, "    HELD FOR  POOL", &shown))
        return;
    canvas_to(of->page, 13 + of->name_width);
    if (has_workers(of))
        heading(of, 8, "WORKER");
    canvas_put(of->page, CANVAS_HEADING, "  TAKEN AT                LAST STATEMENT");
    canvas_end_line(of->page);
    for (size_t i = 0; i < shown; i++)
        draw_holder(of, &of->figures->now->holders[i]);
    end_part(of, HOLDERS);
}

/* ---- The page ---- */

static void want(view *of) {
    const top_reading *now = of->figures->now;
    of->wanted[WORKERS] = now->worker_count;
    of->wanted[POOLS] = now->pool_count;
    of->wanted[HOLDERS] = now->holder_count;
    of->wanted[STATEMENTS] = of->figures->cost_count < STATEMENTS_SHOWN ? of->figures->cost_count : STATEMENTS_SHOWN;
    for (int kind = 0; kind < TOP_KINDS; kind++)
        of->wanted[DURATIONS] += of->figures->durations[kind].bucket_count > 0;
    of->name_width = NAME_LEAST;
    for (size_t i = 0; i < now->pool_count; i++) {
        size_t length = strlen(now->pools[i].name);
        of->name_width = length > of->name_width ? length : of->name_width;
    }
    if (of->page->columns > 0 && of->name_width > NAME_MOST)
        of->name_width = NAME_MOST;
}

/* The part that has most lines beyond `least`; PARTS: none has. */
static int longest_part(const view *of, size_t least) {
    int longest = PARTS;
    for (int part = 0; part < PARTS; part++)
        if (of->lines[part] > least && (longest == PARTS || of->lines[part] > of->lines[longest]))
            longest = part;
    return longest;
}

/* Whether the page has room for all parts, cut to `least` lines where they must be. Each has a heading besides. */
static bool share(view *of, size_t least, bool spaced) {
    size_t room = canvas_rows_left(of->page);
    size_t needed = 0;
    int part;
    of->spaced = spaced;
    for (part = 0; part < PARTS; part++) {
        of->lines[part] = of->wanted[part];
        needed += of->wanted[part] > 0 ? of->wanted[part] + 1 + spaced : 0;
    }
    while (needed > room && (part = longest_part(of, least)) != PARTS) {
        of->lines[part]--;
        needed--;
    }
    return needed <= room;
}

/* On a low screen the blank lines go first. */
static void share_rows(view *of) {
    if (!share(of, PART_LEAST, true))
        for (size_t least = PART_LEAST; !share(of, least, false) && least > 1; least--)
            ;
}

void top_view_draw(canvas *page, const top_figures *figures, const char *clock, const char *trouble) {
    view of = {.page = page, .figures = figures};
    want(&of);
    draw_title(&of, clock);
    draw_sums(&of);
    if (trouble != NULL) {
        canvas_put(page, CANVAS_ALARM, trouble);
        canvas_end_line(page);
    }
    share_rows(&of);
    draw_workers(&of);
    draw_pools(&of);
    draw_durations(&of);
    draw_statements(&of);
    draw_holders(&of);
}
