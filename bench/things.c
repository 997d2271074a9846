/* The models of things.h. */
#include "things.h"

#include <stdio.h>

enum { NAMES = 1000 };

LIDO_MODEL(Thing, "lido_bench_things", LIDO_KEY(Thing, id), LIDO_FIELD(Thing, name), LIDO_FIELD(Thing, price),
           LIDO_FIELD(Thing, made_at));
LIDO_MODEL(Piece, "lido_bench_pieces", LIDO_KEY(Piece, id), LIDO_FIELD(Piece, name), LIDO_FIELD(Piece, price),
           LIDO_FIELD(Piece, stock));

const char *bench_thing_name(size_t index) {
    static char names[NAMES][16];
    if (names[0][0] == '\0')
        for (size_t i = 0; i < NAMES; i++)
            snprintf(names[i], sizeof names[i], "thing %zu", i + 1);
    return names[index % NAMES];
}
