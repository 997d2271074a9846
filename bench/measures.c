/* Which measures there are, in the order in which they are taken. */
#include "measures.h"

const bench_measure *const bench_measures[] = {
    bench_pg_select,
    bench_sqlite_select,
    bench_regexp,
    NULL,
};
