/* JSON lines and table. */
#include "report.h"

#include <stdio.h>

static bool met(const bench_measure *measure, const bench_result *result) {
    return result->ratio >= measure->target && (measure->cpu_target == 0 || result->cpu_ratio <= measure->cpu_target);
}

static bool has_target(const bench_measure *measure) {
    return measure->target > 0 || measure->cpu_target > 0;
}

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

void bench_report_json(const bench_measure *measure, const bench_result *result, const char *note) {
    printf("{\"bench\":\"%s\",\"case\":\"%s\",\"lido\":%.4f,\"raw\":%.4f,\"ratio\":%.4f,\"unit\":\"µs\",\"runs\":%zu,",
           measure->name, measure->case_name, result->lido, result->raw, result->ratio, result->pairs);
    printf("\"min\":%.4f,\"max\":%.4f,", result->lowest, result->highest);
    printf("\"lido_cpu\":%.4f,\"raw_cpu\":%.4f,\"cpu_ratio\":%.4f", result->lido_cpu, result->raw_cpu,
           result->cpu_ratio);
    if (measure->target > 0)
        printf(",\"target\":%.2f", measure->target);
    if (measure->cpu_target > 0)
        printf(",\"cpu_target\":%.2f", measure->cpu_target);
    if (has_target(measure))
        printf(",\"met\":%s", met(measure, result) ? "true" : "false");
    if (note[0] != '\0') {
        printf(",\"note\":");
        print_json_text(note);
    }
    printf("}\n");
    fflush(stdout);
}

/* "µs" is a byte longer than it is wide, so the two columns' headings are written out. */
void bench_report_table_head(void) {
    printf("%-16s %-12s    lido µs     raw µs  ratio  [min - max]    target    cpu  target  verdict\n", "measure",
           "case");
    fflush(stdout);
}

static void print_target(const char *sign, double target, int width) {
    if (target > 0)
        printf("  %s %.2f", sign, target);
    else
        printf("  %*s", width, "-");
}

void bench_report_table_row(const bench_measure *measure, const bench_result *result, const char *note) {
    printf("%-16s %-12s %10.3f %10.3f  %5.3f  [%.3f - %.3f]", measure->name, measure->case_name, result->lido,
           result->raw, result->ratio, result->lowest, result->highest);
    print_target(">=", measure->target, 7);
    printf("  %5.2f", result->cpu_ratio);
    print_target("<=", measure->cpu_target, 7);
    printf("  %s\n", !has_target(measure) ? "-" : met(measure, result) ? "met" : "MISSED");
    if (note[0] != '\0')
        printf("    note: %s\n", note);
    fflush(stdout);
}
