/* A worker's end: its engines are drained and closed. */
#include <inttypes.h>
#include <stdio.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "process/manager.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* Adds what became of one engine. The holders of the first that has any are told. */
static void add(lido__drained *sum, const lido__drained *one) {
    sum->late += one->late;
    sum->left += one->left;
    if (sum->holders[0] == '\0')
        lido__fault_field(sum->holders, sizeof sum->holders, one->holders);
}

/* Admission ends for all of them before the first is waited for. */
static void retire(lido_engine **engines, size_t count, int64_t deadline, lido__drained *sum) {
    for (size_t i = 0; i < count; i++) {
        lido__engine_hold(engines[i]);
        lido_engine_close(engines[i]);
    }
    for (size_t i = 0; i < count; i++) {
        lido__drained one;
        lido__engine_drain(engines[i], deadline, &one);
        add(sum, &one);
        lido__engine_let_go(engines[i]);
    }
}

static lido_status tell(const lido__drained *drained, int64_t deadline_ms, lido_error *error) {
    if (drained->late + drained->left == 0)
        return LIDO_OK;
    lido__fault(error, LIDO_ERROR_TIMEOUT,
                "not all sessions ended within %" PRId64 " ms: ended late: %d, left to their owners: %d", deadline_ms,
                drained->late, drained->left);
    if (drained->holders[0] != '\0')
        lido__fault_hint(error, "used by %s", drained->holders);
    lido__fault_doing(error, "closing a worker");
    return LIDO_ERROR;
}

lido_status lido_manager_close_worker(lido_manager *manager, int64_t deadline_ms, lido_error *error) {
    lido_engine *engines[LIDO_DATABASES_MOST];
    lido__drained drained = {.late = 0};
    size_t count = 0;
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    if (!lido__await_may_wait(error)) {
        lido__fault_doing(error, "closing a worker");
        return LIDO_ERROR;
    }
    deadline_ms = deadline_ms < 0 ? 0 : deadline_ms > DAY_MS ? DAY_MS : deadline_ms;
    pthread_rwlock_wrlock(&manager->lock);
    if (lido__manager_works(manager))
        count = lido__manager_take_engines(manager, engines, LIDO__RETIRED);
    pthread_rwlock_unlock(&manager->lock);
    retire(engines, count, lido__deadline_in_ms(deadline_ms), &drained);
    return tell(&drained, deadline_ms, error);
}
