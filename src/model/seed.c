/* Seeding: sources matched with the catalogue, put in order, loaded one after another, mended. */
#include <lido/seed.h>

#include <string.h>

#include <lido/statement.h>

#include "base/fault.h"
#include "model/order.h"
#include "model/seed_load.h"
#include "model/seed_sql.h"
#include "model/turn.h"

static bool refuse_memory(lido__seeding *seeding) {
    return lido__session_refuse(seeding->session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "memory ran out while seeding");
}

/* ---- Taking turns ---- */

/* Who seeds at once waits here, and then finds what the other has done. On SQLite a transaction that begins by writing
 * has the database's turn to write. */
static bool take_turn(lido__seeding *seeding) {
    if (seeding->session->engine->config.type == LIDO__POSTGRESQL)
        return lido__turn_take(seeding->session);
    lido_execv(seeding->session, "CREATE TEMPORARY TABLE lido_seed_turn (taken)", 0, NULL);
    lido_execv(seeding->session, "DROP TABLE temp.lido_seed_turn", 0, NULL);
    return !lido_failed(seeding->session);
}

/* ---- Plans ---- */

static bool is_reference(const void *table, const char *column) {
    size_t found = lido__catalogue_column_find(table, column);
    return found != SIZE_MAX && lido__catalogue_reference_of(table, found) != NULL;
}

static const lido__catalogue_table *find_table(lido__seeding *seeding, const lido__seed_source *source) {
    bool is_view;
    const lido__catalogue_table *table = lido__catalogue_find(&seeding->catalogue, source->table, &is_view);
    if (table == NULL && !lido_failed(seeding->session))
        lido__session_refuse(seeding->session, LIDO_ERROR_SYNTAX, NULL, "%s: %s%s", source->label,
                             is_view ? "seeds go into tables, and this is none: " : "there is no table ",
                             source->table);
    return table;
}

static bool add_plan(lido__seeding *seeding, const lido__catalogue_table *table, lido__seed_source *source) {
    lido__seed_plan **end = &seeding->plans;
    size_t number = 1;
    for (; *end != NULL; end = &(*end)->next)
        number++;
    *end = lido__seed_plan_make(&seeding->catalogue, table, source);
    if (*end == NULL)
        return false;
    (*end)->number = number;
    seeding->bytes_total += source->in_file;
    return true;
}

/* What a source was split into takes its place in the list. */
static bool split(lido__seeding *seeding, const lido__catalogue_table *table, lido__seed_source **at) {
    lido__seed_source *whole = *at;
    lido__seed_source *parts = whole->split(whole, is_reference, table, &seeding->fault);
    lido__seed_source **end = at;
    *at = parts;
    while (*end != NULL)
        end = &(*end)->next_source;
    *end = whole->next_source;
    whole->next_source = NULL;
    lido__seed_sources_free(whole);
    return seeding->fault.status == LIDO_OK || lido__seeding_fail(seeding, &seeding->fault);
}

static bool make_plans(lido__seeding *seeding) {
    lido__seed_source **at = &seeding->sources;
    while (*at != NULL) {
        const lido__catalogue_table *table = find_table(seeding, *at);
        if (table == NULL)
            return false;
        if ((*at)->split != NULL) {
            if (!split(seeding, table, at))
                return false;
            continue;
        }
        if (!add_plan(seeding, table, *at))
            return false;
        at = &(*at)->next_source;
    }
    return true;
}

/* ---- Order ---- */

/* A dependency, and which target it is of: that which may have to wait. */
typedef struct ordering {
    lido__seeding *seeding;
    size_t count; /* of plans */
    lido__seed_plan **plans;
    size_t dependency_count;
    size_t capacity;
    lido__dependency *dependencies;
    lido__seed_target **targets;
} ordering;

static lido__seed_target *target_of(const lido__seed_plan *plan, size_t column) {
    for (size_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i].column == column)
            return &plan->targets[i];
    return NULL;
}

static bool make_room(ordering *of) {
    if (of->dependency_count < of->capacity)
        return true;
    size_t capacity = of->capacity * 2 + 64;
    lido__arena *arena = &of->seeding->arena;
    lido__dependency *dependencies = lido__arena_allocate(arena, capacity * sizeof *dependencies);
    lido__seed_target **targets = lido__arena_allocate(arena, capacity * sizeof *targets);
    if (dependencies == NULL || targets == NULL)
        return refuse_memory(of->seeding);
    if (of->dependency_count > 0) {
        memcpy(dependencies, of->dependencies, of->dependency_count * sizeof *dependencies);
        memcpy(targets, of->targets, of->dependency_count * sizeof(lido__seed_target *));
    }
    of->dependencies = dependencies;
    of->targets = targets;
    of->capacity = capacity;
    return true;
}

/* What may not wait needs all rows of another table; of its own, those that do not need others of it in turn. */
static bool comes_first(const lido__seed_plan *plan, const lido__seed_plan *other) {
    return other->table != plan->table ||
           (other != plan && lido__seed_plan_has_levels(plan) && !lido__seed_plan_has_levels(other));
}

/* The plan needs what goes into the table of that identity. `target` is what may wait; NULL: nothing may. */
static bool depend(ordering *of, size_t from, const char *identity, lido__seed_target *target) {
    const lido__seed_plan *plan = of->plans[from];
    bool may_wait = target != NULL && !target->in_key && plan->table->columns[target->column].nullable;
    for (size_t to = 0; to < of->count; to++) {
        if (strcmp(of->plans[to]->table->identity, identity) != 0 || (!may_wait && !comes_first(plan, of->plans[to])))
            continue;
        if (!make_room(of))
            return false;
        of->dependencies[of->dependency_count] = (lido__dependency){.from = from, .to = to, .may_wait = may_wait};
        of->targets[of->dependency_count++] = target;
    }
    return true;
}

/* What a name goes through is needed as well as what it ends at. */
static bool depend_on_names(ordering *of, size_t from, const lido__seed_lookup *lookup, lido__seed_target *target) {
    for (const lido__seed_lookup *nested = lookup->nested; nested != NULL; nested = nested->next)
        if (!depend(of, from, nested->target->identity, target) || !depend_on_names(of, from, nested, target))
            return false;
    return true;
}

static bool find_dependencies(ordering *of, size_t from) {
    lido__seed_plan *plan = of->plans[from];
    for (size_t i = 0; i < plan->table->reference_count; i++) {
        const lido__catalogue_reference *reference = &plan->table->references[i];
        for (size_t k = 0; k < reference->count; k++) {
            lido__seed_target *target = target_of(plan, reference->columns[k]);
            bool alone = reference->count == 1;
            if (target != NULL && !depend(of, from, reference->target, alone ? target : NULL))
                return false;
            if (target != NULL && target->lookup != NULL && !depend_on_names(of, from, target->lookup, target))
                return false;
        }
    }
    return true;
}

/* A reference to the table itself: by name it waits, for it may be to a row that is inserted with it; by key it need
 * not, if all rows are of one source. */
static bool waits_for_itself(const ordering *of, size_t index) {
    const lido__dependency *dependency = &of->dependencies[index];
    const lido__seed_target *target = of->targets[index];
    return dependency->may_wait && of->plans[dependency->from]->table == of->plans[dependency->to]->table &&
           (dependency->from != dependency->to || target->lookup != NULL);
}

static bool refuse_cycle(const ordering *of, const lido__order *order) {
    const char **names = lido__arena_allocate(&of->seeding->arena, of->count * sizeof *names);
    lido__buffer text = LIDO__BUFFER_INIT;
    if (of->seeding->arena.out_of_memory || names == NULL)
        return refuse_memory(of->seeding);
    for (size_t i = 0; i < of->count; i++)
        names[i] = of->plans[i]->table->name;
    lido__order_spell(order, names, &text);
    const char *cycle = lido__buffer_string(&text);
    lido__session_refuse(of->seeding->session, LIDO_ERROR_FOREIGN_KEY, NULL,
                         "the tables need each other's rows first: %s", cycle != NULL ? cycle : "a cycle");
    lido__fault_hint(&of->seeding->session->error, "let one of these references be nullable: it is then set last");
    lido__buffer_done(&text);
    return false;
}

static bool put_in_order(lido__seeding *seeding, ordering *of) {
    lido__order order;
    for (size_t i = 0; i < of->count; i++)
        if (!find_dependencies(of, i))
            return false;
    if (!lido__order_find(&seeding->arena, of->count, of->dependency_count, of->dependencies, &order))
        return refuse_cycle(of, &order);
    for (size_t i = 0; i < of->dependency_count; i++)
        if (of->targets[i] != NULL && (of->dependencies[i].waits || waits_for_itself(of, i)))
            of->targets[i]->waits = true;
    lido__seed_plan **end = &seeding->plans;
    for (size_t i = 0; i < of->count; i++) {
        *end = of->plans[order.nodes[i]];
        end = &(*end)->next;
    }
    *end = NULL;
    return true;
}

static bool order_plans(lido__seeding *seeding) {
    ordering of = {.seeding = seeding};
    for (const lido__seed_plan *plan = seeding->plans; plan != NULL; plan = plan->next)
        of.count++;
    of.plans = lido__arena_allocate(&seeding->arena, of.count * sizeof(lido__seed_plan *));
    if (of.plans == NULL)
        return refuse_memory(seeding);
    of.count = 0;
    for (lido__seed_plan *plan = seeding->plans; plan != NULL; plan = plan->next)
        of.plans[of.count++] = plan;
    return put_in_order(seeding, &of);
}

/* ---- Running ---- */

/* After an error that is no matter: what was made in the transaction goes with it, or with the savepoint. */
static bool drop_staging(lido__seeding *seeding, const lido__seed_plan *plan) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    lido__buffer_text(&sql, "DROP TABLE IF EXISTS ");
    lido__seed_sql_staging(plan, seeding->session->engine->config.type, &sql);
    const char *text = lido__buffer_string(&sql);
    if (text != NULL)
        lido_execv(seeding->session, text, 0, NULL);
    else
        refuse_memory(seeding);
    lido__buffer_done(&sql);
    return !lido_failed(seeding->session);
}

static bool load_all(lido__seeding *seeding) {
    for (lido__seed_plan *plan = seeding->plans; plan != NULL; plan = plan->next)
        if (!lido__seed_load(seeding, plan))
            return false;
    for (lido__seed_plan *plan = seeding->plans; plan != NULL; plan = plan->next)
        if (!lido__seed_mend(seeding, plan))
            return false;
    for (const lido__seed_plan *plan = seeding->plans; plan != NULL; plan = plan->next)
        if (!lido__seed_advance(seeding, plan) || (plan->staged && !drop_staging(seeding, plan)))
            return false;
    return true;
}

static bool read_lists(lido__seeding *seeding, size_t count, const lido_seeds *const *seeds) {
    bool with_schema = seeding->session->engine->config.type == LIDO__POSTGRESQL;
    lido__seed_source **end = &seeding->sources;
    for (size_t i = 0; i < count; i++, end = &(*end)->next_source) {
        *end = lido__seed_list_open(seeds[i], with_schema, &seeding->fault);
        if (*end == NULL)
            return lido__seeding_fail(seeding, &seeding->fault);
    }
    return true;
}

static bool read_folder(lido__seeding *seeding, const char *directory) {
    return directory == NULL || lido__seed_folder_read(directory, &seeding->sources, &seeding->fault) ||
           lido__seeding_fail(seeding, &seeding->fault);
}

static int64_t run(lido__seeding *seeding, size_t count, const lido_seeds *const *seeds, const char *directory) {
    lido_session *session = seeding->session;
    bool own;
    if (!lido__transaction_whole_begin(session, &own)) /* in autocommit mode all of it is a transaction */
        return 0;
    bool good = read_lists(seeding, count, seeds) && read_folder(seeding, directory) && take_turn(seeding) &&
                make_plans(seeding) && order_plans(seeding) && load_all(seeding);
    good = lido__transaction_whole_end(session, own) && good;
    if (good && seeding->options.counts != NULL)
        *seeding->options.counts = seeding->counts;
    return good ? seeding->counts.inserted + seeding->counts.updated : 0;
}

int64_t lido__seed_run(lido_session *session, size_t count, const lido_seeds *const *seeds, const char *directory,
                       const lido_seed_options *options) {
    lido__seeding seeding = {.session = session};
    if (!lido__session_is_ready(session, ""))
        return 0;
    if (options != NULL)
        seeding.options = *options;
    seeding.catalogue = (lido__catalogue){.session = session, .arena = &seeding.arena};
    lido__fault_clear(&session->error);
    int64_t changed = run(&seeding, count, seeds, directory);
    lido__seed_sources_free(seeding.sources);
    lido__arena_done(&seeding.arena);
    return changed;
}

static int64_t refuse(lido_session *session, const char *what) {
    if (lido__session_is_ready(session, ""))
        lido__session_refuse(session, LIDO_ERROR_MISUSE, NULL, "%s", what);
    return 0;
}

int64_t lido_seed(lido_session *session, size_t count, const lido_seeds *const *seeds,
                  const lido_seed_options *options) {
    if (seeds == NULL && count > 0)
        return refuse(session, "the array of seeds is NULL");
    return lido__seed_run(session, count, seeds, NULL, options);
}

int64_t lido_seed_files(lido_session *session, const char *directory, const lido_seed_options *options) {
    if (directory == NULL)
        return refuse(session, "the folder of seeds is NULL");
    return lido__seed_run(session, 0, NULL, directory, options);
}
