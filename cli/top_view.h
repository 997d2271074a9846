/* What lido top shows: the same page on a terminal, cut to its size, and in a file, as long as it is. */
#ifndef LIDO_CLI_TOP_VIEW_H
#define LIDO_CLI_TOP_VIEW_H

#include "canvas.h"
#include "top_figures.h"

/* `trouble`: why there was no newer reading, which is told at the top; or NULL. `clock`: what time it is; or NULL. */
void top_view_draw(canvas *page, const top_figures *figures, const char *clock, const char *trouble);

#endif
