/* Writing results: one JSON object a line, or a table to read. */
#ifndef LIDO_BENCH_REPORT_H
#define LIDO_BENCH_REPORT_H

#include "harness.h"

void bench_report_json(const bench_measure *measure, const bench_result *result, const bench_context *context);
void bench_report_table_head(void);
void bench_report_table_row(const bench_measure *measure, const bench_result *result, const bench_context *context);

#endif
