/* Taking the program's functions in. Connections find them when they run something next. */
#include <lido/function.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fault.h"
#include "core/engine.h"

enum { NAME_SIZE_MOST = 255, ARGUMENTS_MOST = 127 };

static const size_t state_size_most = (size_t)1024 * 1024 * 1024;

static bool check(const lido_engine *engine, const lido_function *function, lido_error *error) {
    if (engine == NULL || function == NULL)
        return lido__fault(error, LIDO_ERROR_MISUSE, "the %s is NULL", engine == NULL ? "engine" : "function");
    if (function->name == NULL || *function->name == '\0' || strlen(function->name) > NAME_SIZE_MOST)
        return lido__fault(error, LIDO_ERROR_MISUSE, "a function's name has 1 to %d bytes", NAME_SIZE_MOST);
    if (engine->config.type == LIDO__POSTGRESQL) {
        lido__fault(error, LIDO_ERROR_MISUSE,
                    "the function %s cannot be added: on PostgreSQL functions live in the server", function->name);
        lido__fault_hint(error, "Make it there with CREATE FUNCTION.");
        return false;
    }
    bool scalar = function->scalar != NULL && function->step == NULL && function->finish == NULL;
    bool aggregate = function->scalar == NULL && function->step != NULL && function->finish != NULL;
    if (!scalar && !aggregate)
        return lido__fault(error, LIDO_ERROR_MISUSE, "the function %s needs either `scalar`, or `step` and `finish`",
                           function->name);
    bool counts = function->least >= 0 && function->least <= ARGUMENTS_MOST && function->most <= ARGUMENTS_MOST &&
                  (function->most >= function->least || function->most == -1);
    if (!counts || function->state_size > state_size_most)
        return lido__fault(
            error, LIDO_ERROR_MISUSE,
            "the function %s takes from %d to %d arguments and has a state of %zu bytes: allowed is from "
            "0 to %d, or -1 for any number, and 1 GiB",
            function->name, function->least, function->most, function->state_size, ARGUMENTS_MOST);
    return true;
}

static lido__function *copy(const lido_function *function, lido_error *error) {
    size_t size = strlen(function->name) + 1;
    lido__function *added = malloc(sizeof *added + size);
    if (added == NULL) {
        lido__fault_memory(error, "adding a function");
        return NULL;
    }
    memcpy(added->name, function->name, size);
    added->definition = *function;
    added->definition.name = added->name;
    return added;
}

/* The lock keeps others from adding; who reads needs none. */
static bool put_first(lido__pool *pool, lido__function *added) {
    bool is_new = true;
    pthread_mutex_lock(&pool->lock);
    added->older = atomic_load_explicit(&pool->functions.newest, memory_order_relaxed);
    for (const lido__function *other = added->older; other != NULL; other = other->older)
        is_new = is_new && strcasecmp(other->name, added->name) != 0;
    if (is_new)
        atomic_store_explicit(&pool->functions.newest, added, memory_order_release);
    pthread_mutex_unlock(&pool->lock);
    return is_new;
}

lido_status lido_function_add(lido_engine *engine, const lido_function *function, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    lido__function *added = check(engine, function, error) ? copy(function, error) : NULL;
    if (added != NULL && put_first(&engine->pool, added))
        return LIDO_OK;
    if (added != NULL)
        lido__fault(error, LIDO_ERROR_MISUSE, "a function %s was added before", added->name);
    free(added);
    lido__fault_doing(error, "adding a function");
    return LIDO_ERROR;
}

void lido__functions_done(lido__functions *functions) {
    const lido__function *next;
    for (const lido__function *function = atomic_load(&functions->newest); function != NULL; function = next) {
        next = function->older;
        if (function->definition.done != NULL)
            function->definition.done(function->definition.user);
        free((void *)(uintptr_t)function);
    }
}
