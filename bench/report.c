/* JSON lines and table. */
#include "report.h"

#include <math.h>
#include <stdio.h>

static const char *const units[] = {[BENCH_MICROSECONDS] = "µs", [BENCH_NANOSECONDS] = "ns", [BENCH_BYTES] = "bytes"};

/* ---- Targets. ---- */

static bool figure_met(const bench_figure *figure) {
    return figure->judged == BENCH_FOR_INFORMATION ||
           (figure->judged == BENCH_AT_LEAST ? figure->value >= figure->target : figure->value <= figure->target);
}

static bool met(const bench_measure *measure, const bench_result *result, const bench_context *context) {
    bool good = (measure->target == 0 || result->ratio >= measure->target) &&
                (measure->most == 0 || result->lido <= measure->most) &&
                (measure->cpu_target == 0 || result->cpu_ratio <= measure->cpu_target);
    for (size_t i = 0; i < context->figure_count; i++)
        good = good && figure_met(&context->figures[i]);
    return good;
}

static bool has_target(const bench_measure *measure, const bench_context *context) {
    bool has = measure->target > 0 || measure->most > 0 || measure->cpu_target > 0;
    for (size_t i = 0; i < context->figure_count; i++)
        has = has || context->figures[i].judged != BENCH_FOR_INFORMATION;
    return has;
}

/* ---- JSON. ---- */

static void print_json_text(const char *text) {
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            printf("\\u%04x", (unsigned)(unsigned char)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void print_json_number(const char *name, double number) {
    if (isfinite(number))
        printf(",\"%s\":%.4f", name, number);
    else
        printf(",\"%s\":null", name);
}

static void print_json_figures(const bench_context *context) {
    printf(",\"figures\":{");
    for (size_t i = 0; i < context->figure_count; i++) {
        const bench_figure *figure = &context->figures[i];
        printf("%s\"%s\":{\"value\":%.4f", i > 0 ? "," : "", figure->name, figure->value);
        if (figure->judged != BENCH_FOR_INFORMATION)
            printf(",\"%s\":%.4f,\"met\":%s", figure->judged == BENCH_AT_LEAST ? "least" : "most", figure->target,
                   figure_met(figure) ? "true" : "false");
        printf("}");
    }
    printf("}");
}

void bench_report_json(const bench_measure *measure, const bench_result *result, const bench_context *context) {
    printf("{\"bench\":\"%s\",\"case\":\"%s\"", measure->name, measure->case_name);
    print_json_number("lido", result->lido);
    print_json_number("raw", result->raw);
    print_json_number("ratio", result->ratio);
    printf(",\"unit\":\"%s\",\"runs\":%zu", units[measure->unit], result->pairs);
    print_json_number("min", result->lowest);
    print_json_number("max", result->highest);
    print_json_number("lido_cpu", result->lido_cpu);
    print_json_number("raw_cpu", result->raw_cpu);
    print_json_number("cpu_ratio", result->cpu_ratio);
    if (measure->target > 0)
        printf(",\"target\":%.2f", measure->target);
    if (measure->most > 0)
        printf(",\"most\":%.2f", measure->most);
    if (measure->cpu_target > 0)
        printf(",\"cpu_target\":%.2f", measure->cpu_target);
    if (context->figure_count > 0)
        print_json_figures(context);
    if (has_target(measure, context))
        printf(",\"met\":%s", met(measure, result, context) ? "true" : "false");
    if (context->note[0] != '\0') {
        printf(",\"note\":");
        print_json_text(context->note);
    }
    printf("}\n");
    fflush(stdout);
}

/* ---- The table. ---- */

void bench_report_table_head(void) {
    printf("%-16s %-18s %10s %10s %-5s  ratio  [min - max]      target    cpu  target  verdict\n", "measure", "case",
           "lido", "raw", "");
    fflush(stdout);
}

static void print_number(double number, int width, int decimals) {
    if (isfinite(number))
        printf(" %*.*f", width, decimals, number);
    else
        printf(" %*s", width, "-");
}

static void print_target(const char *sign, double target, int width) {
    if (target > 0)
        printf("  %s %.2f", sign, target);
    else
        printf("  %*s", width, "-");
}

static void print_figures(const bench_context *context) {
    for (size_t i = 0; i < context->figure_count; i++) {
        const bench_figure *figure = &context->figures[i];
        printf("    %-28s %14.4f", figure->name, figure->value);
        if (figure->judged != BENCH_FOR_INFORMATION)
            printf("  %s %.4f  %s", figure->judged == BENCH_AT_LEAST ? ">=" : "<=", figure->target,
                   figure_met(figure) ? "met" : "MISSED");
        printf("\n");
    }
}

/* "µs" is a byte longer than it is wide, so units are padded by hand. */
void bench_report_table_row(const bench_measure *measure, const bench_result *result, const bench_context *context) {
    static const char *const padded[] = {"µs   ", "ns   ", "bytes"};
    int decimals = measure->unit == BENCH_MICROSECONDS ? 3 : 1;
    printf("%-16s %-18s", measure->name, measure->case_name);
    print_number(result->lido, 10, decimals);
    print_number(result->raw, 10, decimals);
    printf(" %s", padded[measure->unit]);
    print_number(result->ratio, 6, 3);
    if (isfinite(result->lowest))
        printf("  [%.3f - %.3f]", result->lowest, result->highest);
    print_target(">=", measure->target, 7);
    print_number(result->cpu_ratio, 6, 2);
    print_target("<=", measure->cpu_target, 7);
    if (measure->most > 0)
        printf("  lido <= %g", measure->most);
    printf("  %s\n", !has_target(measure, context) ? "-" : met(measure, result, context) ? "met" : "MISSED");
    print_figures(context);
    if (context->note[0] != '\0')
        printf("    note: %s\n", context->note);
    fflush(stdout);
}
