/* What lido bench prints when the load is over. */
#ifndef LIDO_CLI_BENCH_REPORT_H
#define LIDO_CLI_BENCH_REPORT_H

#include "load.h"

/* False: memory ran out. */
bool bench_report_text(const load_plan *plan, const load_board *board);
bool bench_report_json(const load_plan *plan, const load_board *board);

#endif
