/* A far away server: a relay on loopback that passes everything on, each way a fixed time later. */
#ifndef LIDO_BENCH_DELAY_H
#define LIDO_BENCH_DELAY_H

#include "harness.h"

typedef struct bench_delay bench_delay;

/* Before the server that the context names; a thread of its own. NULL, with context->problem set: it could not be
 * made. */
bench_delay *bench_delay_open(int64_t one_way_us, bench_context *context);
void bench_delay_close(bench_delay *closed);            /* NULL: nothing */
const char *bench_delay_port(const bench_delay *asked); /* on 127.0.0.1 */

#endif
