/* Schema: the tables of models, made, dropped, compared and printed.
 *
 *     lido_create_all(db, LIDO_MODEL_LIST(&User_model, &Item_model));
 *
 * The order of the list does not matter: tables are made after those they refer to. Models that refer to each other
 * in a circle are no obstacle: on PostgreSQL the last constraint is added when both tables are there. Models that a
 * reference leads to need not be in the list, if their tables are there.
 *
 * All wait for the database unless said otherwise, are for the session's own thread or task, and work within its
 * transaction; in autocommit mode each call is one. */
#ifndef LIDO_SCHEMA_H
#define LIDO_SCHEMA_H

#include <lido/model.h>

LIDO_BEGIN_C

/* Makes the tables that are not there yet, with their constraints and indexes. A table that is there stays as it is,
 * whatever it is like: lido_check_schema tells. Several processes may do this at once: one does it, the others wait and
 * find it done. True if all is there; false: the session has failed, and nothing was made that does not go with its
 * transaction. */
LIDO_API bool lido_create_all(lido_session *session, size_t count, const lido_model *const *models);

/* Drops the tables that are there, with all their rows. Fails if others refer to them. True if none is left. */
LIDO_API bool lido_drop_all(lido_session *session, size_t count, const lido_model *const *models);

/* What lido_check_schema found: each a sentence in English, "table items: column price is integer, the model says
 * double precision". */
typedef struct lido_differences {
    size_t count;
    const char *const *texts;
} lido_differences;

/* Compares models and database: tables, columns with type, nullability and default, keys, references with what becomes
 * of them, unique columns, checks and indexes; in both directions. Constraints' names are not compared. Changes
 * nothing; on PostgreSQL it needs a session that is not read_only and the right to make temporary tables, for the
 * server itself is asked what it makes of a default or a check. NULL: the session has failed. It belongs to the
 * session. */
LIDO_API const lido_differences *lido_check_schema(lido_session *session, size_t count,
                                                   const lido_model *const *models);

/* Writes the SQL that lido_create_all would run on an empty database, a statement a paragraph, for `backend`, "sqlite"
 * or "postgresql" as in lido_server, into `buffer` of `size` bytes (always terminated if size > 0). Returns the length
 * the whole text has, as snprintf does; 0 if a model is refused, and then fills `error`, which may be NULL. Never
 * waits; safe from any thread. */
LIDO_API size_t lido_schema_ddl(const char *backend, size_t count, const lido_model *const *models, char *buffer,
                                size_t size, lido_error *error);

/* How many models there are before the NULL that ends the array, as lido_models does. Never waits. */
LIDO_API size_t lido_model_count(const lido_model *const *models);

LIDO_END_C

/* Two arguments: how many models, and the array of them. */
#define LIDO_MODEL_LIST(...) \
    sizeof((const lido_model *const[]){__VA_ARGS__}) / sizeof(const lido_model *), (const lido_model *const[]) { \
        __VA_ARGS__ \
    }

/* Defines the array `lido_models`, with a NULL behind the last, and lets it be found from outside: in a shared library
 * it is what `lido schema --models ./models.so` looks for. At file scope, in one file; LIDO_MODELS_DECLARE is for the
 * others. */
#define LIDO_MODELS_DECLARE extern LIDO_API const lido_model *const lido_models[]
#define LIDO_MODELS(...) \
    LIDO_MODELS_DECLARE; \
    const lido_model *const lido_models[] = {__VA_ARGS__, NULL}

#endif
