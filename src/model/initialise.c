/* What a program does before it serves: looks whether the database is there, makes its tables, seeds them. */
#include <lido/schema.h>
#include <lido/seed.h>
#include <lido/statement.h>

#include "base/fault.h"
#include "model/seed_load.h"

static lido_status tell(lido_session *session, lido_status status, lido_error *error) {
    if (error != NULL) {
        *error = *lido_error_of(session);
        if (status == LIDO_OK)
            lido__fault_clear(error);
        error->status = status;
    }
    lido_session_close(session);
    return status;
}

lido_status lido_verify(lido_engine *engine, lido_error *error) {
    lido_session *session = lido_session_open(engine, &(lido_session_options){.read_only = true, .autocommit = true});
    lido_query_valuev(session, "SELECT 1", 0, NULL);
    return tell(session, lido_failed(session) ? LIDO_ERROR : LIDO_OK, error);
}

lido_status lido_initialise(lido_engine *engine, size_t model_count, const lido_model *const *models,
                            const lido_initialise_options *options, lido_error *error) {
    const lido_initialise_options with = options != NULL ? *options : (lido_initialise_options){.seed_count = 0};
    lido_status verified = lido_verify(engine, error);
    if (verified != LIDO_OK)
        return verified;
    /* However many seeds there are, none of its statements hangs. */
    lido_session *session = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = -1});
    if (model_count > 0)
        lido_create_all(session, model_count, models);
    if (with.seed_count > 0 || with.directory != NULL)
        lido__seed_run(session, with.seed_count, with.seeds, with.directory, &with.seed);
    return tell(session, lido_commit(session), error);
}
