/* Whether the server allows all the connections that the workers may open together: asked by a child that then goes,
 * for the parent itself connects to nothing. */
#include <signal.h>
#include <unistd.h>

#include "base/fault.h"
#include "process/signals.h"
#include "process/supervisor.h"

static void tell(const lido__assignment *assignment, const lido__database *database, int limit, int64_t wanted) {
    lido__note note = {.kind = LIDO__NOTE_FAILED};
    const lido__config *config = &database->config;
    int count = assignment->workers->count;
    if (config->max_overflow < 0)
        lido__fault(&note.error, LIDO_ERROR_CONFIGURATION,
                    "%d workers with max_overflow -1 may open any number of connections together, and the server "
                    "allows %d",
                    count, limit);
    else
        lido__fault(&note.error, LIDO_ERROR_CONFIGURATION,
                    "%d workers with pool_size %d and max_overflow %d may open %lld connections together, and the "
                    "server allows %d",
                    count, config->pool_size, config->max_overflow, (long long)wanted, limit);
    lido__fault_field(note.error.database, sizeof note.error.database, config->display);
    lido__fault_hint(&note.error, "lower pool_size or max_overflow, or raise the server's max_connections");
    lido__note_send(assignment, &note);
}

/* A server that cannot be asked is no reason to warn: the workers will say so. */
static void ask(const lido__assignment *assignment, lido__database *database) {
    lido_server server;
    lido__config copy;
    lido_error error = LIDO_ERROR_INIT;
    const lido__config *config = &database->config;
    int64_t wanted = (int64_t)assignment->workers->count * ((int64_t)config->pool_size + config->max_overflow);
    lido_engine *engine = NULL;
    if (lido__config_share(&database->config, &copy, &error))
        engine = lido__engine_open_with(&copy, &error);
    if (engine != NULL && lido_engine_inspect(engine, &server, NULL) == LIDO_OK && server.connection_limit > 0 &&
        (config->max_overflow < 0 || wanted > server.connection_limit))
        tell(assignment, database, server.connection_limit, wanted);
    lido_engine_close(engine);
}

_Noreturn void lido__limit_ask(const lido__assignment *assignment) {
    lido__signal_handle(SIGTERM, SIG_DFL);
    lido__signal_handle(SIGINT, SIG_DFL);
    lido__signal_handle(SIGHUP, SIG_IGN);
    lido__signal_handle(SIGCHLD, SIG_DFL);
    lido__signals_unblock();
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++)
        if (assignment->manager->databases[i].name[0] != '\0' &&
            assignment->manager->databases[i].config.type == LIDO__POSTGRESQL)
            ask(assignment, &assignment->manager->databases[i]);
    _exit(0);
}
