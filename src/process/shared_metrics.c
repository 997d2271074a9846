/* Sharing the metrics of workers. */
#include "process/shared_metrics.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/fault.h"
#include "core/fork.h"

static size_t size_of_slots(int seats) {
    return 2 * (size_t)seats * sizeof(lido__metrics);
}

static lido__metrics *slot(const lido__shared_metrics *shared, size_t database, int seat, bool second) {
    lido__metrics *slots = shared->slots[database];
    return slots != NULL ? &slots[2 * seat + second] : NULL;
}

/* ---- The parent's ---- */

lido__shared_metrics *lido__shared_metrics_new(const lido_manager *manager, int seats, lido_error *error) {
    lido__shared_metrics *shared = calloc(1, sizeof *shared);
    if (shared == NULL) {
        lido__fault_memory(error, "sharing metrics");
        return NULL;
    }
    shared->seats = seats;
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
        if (manager->databases[i].name[0] == '\0' || !manager->databases[i].config.metrics)
            continue;
        void *memory = mmap(NULL, size_of_slots(seats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            lido__fault_memory(error, "sharing metrics");
            lido__shared_metrics_free(shared);
            return NULL;
        }
        shared->slots[i] = memory;
    }
    return shared;
}

void lido__shared_metrics_free(lido__shared_metrics *shared) {
    if (shared == NULL)
        return;
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++)
        if (shared->slots[i] != NULL)
            munmap(shared->slots[i], size_of_slots(shared->seats));
    free(shared);
}

void lido__shared_metrics_forget(const lido__shared_metrics *shared, int seat, bool second) {
    for (size_t i = 0; shared != NULL && i < LIDO_DATABASES_MOST; i++)
        lido__metrics_forget_now(slot(shared, i, seat, second));
}

/* ---- A worker's ---- */

void lido__shared_metrics_take(const lido__shared_metrics *shared, lido_manager *manager, int seat, bool second) {
    for (size_t i = 0; shared != NULL && i < LIDO_DATABASES_MOST; i++) {
        manager->databases[i].config.shared_metrics = slot(shared, i, seat, second);
        manager->databases[i].config.shared_metrics_process = lido__fork_count();
    }
}

/* ---- Anybody's ---- */

void lido__shared_metrics_read(const lido__shared_metrics *shared, size_t database, int seat,
                               lido__metrics_source *source) {
    const lido__metrics *both[] = {slot(shared, database, seat, false), slot(shared, database, seat, true)};
    lido__metrics_source_read(source, both, 2);
}

/* ---- Statements ---- */

/* Under the lock. Of all workers. */
static size_t read_shared_statements(const lido__shared_metrics *shared, size_t database,
                                     lido_statement_stats *statements, size_t capacity) {
    size_t count = shared->slots[database] != NULL ? 2 * (size_t)shared->seats : 0;
    const lido__statement_table **tables = count > 0 ? calloc(count, sizeof *tables) : NULL;
    if (tables == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        tables[i] = &shared->slots[database][i].statements;
    count = lido__statement_tables_read(tables, count, statements, capacity);
    free(tables);
    return count;
}

size_t lido_manager_stats_statements(lido_manager *manager, const char *database, lido_statement_stats *statements,
                                     size_t capacity) {
    size_t count = 0;
    if (manager == NULL || statements == NULL)
        return 0;
    pthread_rwlock_rdlock(&manager->lock);
    const lido__database *found = lido__manager_find(manager, database);
    if (found != NULL && manager->metrics != NULL)
        count = read_shared_statements(manager->metrics, (size_t)(found - manager->databases), statements, capacity);
    else if (found != NULL && lido__manager_works(manager))
        count = lido_stats_statements(found->engine, statements, capacity);
    pthread_rwlock_unlock(&manager->lock);
    return count;
}
