/* The figures of lido top for programs. */
#ifndef LIDO_CLI_TOP_JSON_H
#define LIDO_CLI_TOP_JSON_H

#include <stdio.h>

#include "top_figures.h"

/* One object. `total`: the durations since the application started, while those of `figures` are of the time between
 * the readings. False: memory ran out. */
bool top_json_print(const top_figures *figures, const top_durations *total, FILE *stream);

#endif
