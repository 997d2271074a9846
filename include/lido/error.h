/* Errors: what went wrong, in which category, while doing what, and whether to try again.
 *
 * A lido_error is a plain value. It owns nothing, may be copied with =, and never holds a password, nor
 * a parameter's value unless the database's own message quotes it. Its texts are cut, on a character boundary, where
 * they would not fit. */
#ifndef LIDO_ERROR_H
#define LIDO_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <lido/export.h>

LIDO_BEGIN_C

/* The outcome of a call that ends something. A commit has three outcomes, and they are never mixed up. */
typedef enum lido_status {
    LIDO_OK = 0,      /* done; for a transaction: committed, and durably so */
    LIDO_ROLLED_BACK, /* nothing of the transaction stands, and the database is known to agree */
    LIDO_UNKNOWN,     /* the connection died while COMMIT was under way: look before doing it again */
    LIDO_ERROR        /* the call was refused; it says nothing about any transaction */
} lido_status;

/* What kind of mistake or mishap. The same one gives the same category on every database. */
typedef enum lido_category {
    LIDO_ERROR_NONE = 0,
    LIDO_ERROR_UNIQUE,          /* a key is there already */
    LIDO_ERROR_FOREIGN_KEY,     /* a referenced row is missing, or still referenced */
    LIDO_ERROR_NOT_NULL,        /* NULL in a column that takes none */
    LIDO_ERROR_CHECK,           /* a CHECK or exclusion constraint said no */
    LIDO_ERROR_SERIALISATION,   /* concurrent transactions could not be put in an order; worth a retry */
    LIDO_ERROR_DEADLOCK,        /* chosen as a deadlock's victim; worth a retry */
    LIDO_ERROR_BUSY,            /* a lock was not to be had in time; worth a retry */
    LIDO_ERROR_TIMEOUT,         /* a deadline passed */
    LIDO_ERROR_CANCELLED,       /* somebody cancelled it */
    LIDO_ERROR_DISCONNECTED,    /* no connection, or it broke before COMMIT was sent */
    LIDO_ERROR_UNKNOWN_OUTCOME, /* it broke after COMMIT was sent */
    LIDO_ERROR_SYNTAX,          /* the SQL is wrong or names something that is not there */
    LIDO_ERROR_TYPE,            /* a value does not fit the type asked for */
    LIDO_ERROR_MISUSE,          /* the library was called wrongly */
    LIDO_ERROR_POOL_EXHAUSTED,  /* no connection came free within pool_timeout */
    LIDO_ERROR_OUT_OF_MEMORY,
    LIDO_ERROR_CONFIGURATION, /* a URL, variable or option is wrong */
    LIDO_ERROR_READ_ONLY,     /* a write where only reading is allowed */
    LIDO_ERROR_PERMISSION,    /* the database user may not, or the log-in was refused */
    LIDO_ERROR_STORAGE,       /* disk full, I/O error, not a database, corrupt */
    LIDO_ERROR_OTHER
} lido_category;

typedef struct lido_error {
    lido_status status;     /* LIDO_OK when there is no error */
    lido_category category; /* LIDO_ERROR_NONE when there is no error */
    bool retryable;         /* the same transaction, run again from its start, may well succeed */
    int native_code;        /* SQLite's extended result code; 0 elsewhere */
    char sqlstate[6];       /* SQLSTATE (ISO 9075); SQLite's codes are translated; "" if none applies */
    int line;               /* of the call in the program, 0 if not known */
    const char *file;       /* of the call in the program, static text; NULL if not known */
    char doing[96];         /* what was being done: "running a statement" */
    char database[160];     /* to which database, without password */
    char message[512];      /* what went wrong */
    char hint[256];         /* what to do next, "" if there is nothing to add */
    char statement[256];    /* the start of the SQL text, without its parameters' values */
    char constraint[64];    /* where the database tells, else "" */
    char table[64];         /* where the database tells, else "" */
    char column[64];        /* where the database tells, else "" */
    int64_t row;            /* of rows inserted in bulk: which one, from 1; 0: none, or not known */
} lido_error;

/* An error that says "no error"; initialise with it. */
#define LIDO_ERROR_INIT \
    { LIDO_OK, LIDO_ERROR_NONE, false, 0, "", 0, NULL, "", "", "", "", "", "", "", "", 0 }

/* The category's name in words, "unique violation"; static text. Never waits; safe from anywhere. */
LIDO_API const char *lido_category_name(lido_category category);

/* The status's name in words, "rolled back"; static text. Never waits; safe from anywhere. */
LIDO_API const char *lido_status_name(lido_status status);

/* Writes the whole error as a few lines of text, ending in a newline, into `buffer` of `size` bytes
 * (always terminated if size > 0). Returns the length the whole text has, as snprintf does.
 * Never waits; safe from anywhere as long as nobody writes to the error. */
LIDO_API size_t lido_error_format(const lido_error *error, char *buffer, size_t size);

/* Writes the same text to a stream. Waits as the stream does. */
LIDO_API void lido_error_print(const lido_error *error, FILE *stream);

LIDO_END_C

#endif
