/* Rows in the two forms that COPY takes: binary, for values that are surely the same there, and text for all. */
#ifndef LIDO_BACKEND_POSTGRES_COPY_H
#define LIDO_BACKEND_POSTGRES_COPY_H

#include "backend/postgres/types.h"

enum {
    COPY_VALUE_MOST = 64 /* bytes of a value in either form, its texts not counted */
};

/* ---- copy_binary.c ---- */

/* Writes a value with its length before it, in at most COPY_VALUE_MOST bytes and those of its text; returns the end.
 * NULL if the column's type has no binary form for this value that is the same as what the server would make of its
 * text. */
typedef char *postgres_encoder(char *at, const lido_value *value);

/* NULL: the type is not known here. */
postgres_encoder *lido__postgres_encoder_for(Oid type);

/* What a binary COPY begins and ends with. */
enum { COPY_HEADER_SIZE = 19, COPY_TRAILER_SIZE = 2 };
extern const char lido__postgres_copy_header[COPY_HEADER_SIZE];
extern const char lido__postgres_copy_trailer[COPY_TRAILER_SIZE];

char *lido__postgres_write_count(char *at, size_t columns);

/* ---- copy_text.c ---- */

/* Writes a value for a column of that type, escaped, in at most COPY_VALUE_MOST bytes and twice those of its text. */
char *lido__postgres_write_text(char *at, Oid type, const lido_value *value);

#endif
