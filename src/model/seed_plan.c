/* Matching a source's columns with the catalogue. */
#include "model/seed_plan.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fault.h"

typedef struct planning {
    lido__catalogue *catalogue;
    lido__seed_plan *plan;
} planning;

static void *take(lido__catalogue *catalogue, size_t size) {
    void *memory = lido__arena_allocate(catalogue->arena, size > 0 ? size : 1);
    if (memory != NULL)
        memset(memory, 0, size);
    else
        lido__session_refuse(catalogue->session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "memory ran out while reading seeds");
    return memory;
}

/* The session fails for what the source has; its error stays if there is one. */
static void refuse(const planning *of, const char *column, const char *format, const char *first, const char *second) {
    char message[400];
    lido_error error = LIDO_ERROR_INIT;
    if (lido_failed(of->catalogue->session))
        return;
    snprintf(message, sizeof message, format, first, second);
    lido__fault(&error, LIDO_ERROR_SYNTAX, "%s", message);
    lido__seed_fault_place(of->plan->source, &error, of->plan->source->line, 0, column);
    lido__session_refuse(of->catalogue->session, LIDO_ERROR_SYNTAX, NULL, "%s", error.message);
}

/* "id, name, price", for the hint; cut where it is too long. */
static void hint_columns(const planning *of, const lido__catalogue_table *table) {
    char names[200];
    size_t used = 0;
    for (size_t i = 0; i < table->column_count && used < sizeof names - 1; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", table->columns[i].name);
    lido__fault_hint(&of->catalogue->session->error, "table %s has the columns %s", table->name, names);
}

/* ---- Columns and lookups ---- */

static bool use_place(const planning *of, size_t place, const lido__catalogue_table *table, size_t column) {
    of->plan->places[place] = &table->columns[column];
    if (!table->columns[column].computed)
        return true;
    refuse(of, of->plan->source->columns[place], "the database computes it: it takes no value%s%s", "", "");
    return false;
}

static lido__seed_lookup *find_lookup(lido__seed_lookup *lookups, size_t column) {
    while (lookups != NULL && lookups->column != column)
        lookups = lookups->next;
    return lookups;
}

/* The column of the target whose value is the reference. */
static size_t target_column_of(const lido__catalogue_reference *reference, const lido__catalogue_table *target) {
    if (reference->target_columns[0] != NULL)
        return lido__catalogue_column_find(target, reference->target_columns[0]);
    bool has_key = target->key_count > 0 && target->keys[0].primary && target->keys[0].count == 1;
    return has_key ? target->keys[0].columns[0] : SIZE_MAX;
}

static lido__seed_lookup *make_lookup(const planning *of, const lido__catalogue_table *table, size_t column,
                                      size_t place, lido__seed_lookup **list) {
    lido__catalogue *catalogue = of->catalogue;
    const lido__catalogue_reference *reference = lido__catalogue_reference_of(table, column);
    const char *path = of->plan->source->columns[place];
    if (reference == NULL) {
        refuse(of, path, "column %s of table %s refers to no other table", table->columns[column].name, table->name);
        lido__fault_hint(&catalogue->session->error, "a reference of several columns has to be given by its columns");
        return NULL;
    }
    const lido__catalogue_table *target = lido__catalogue_target(catalogue, reference);
    lido__seed_lookup *lookup = target != NULL ? take(catalogue, sizeof *lookup) : NULL;
    size_t count = of->plan->source->column_count;
    size_t *fields = lookup != NULL ? take(catalogue, 2 * count * sizeof *fields) : NULL;
    if (fields == NULL)
        return NULL;
    *lookup = (lido__seed_lookup){.column = column,
                                  .target = target,
                                  .target_column = target_column_of(reference, target),
                                  .number = ++of->plan->lookup_count,
                                  .own = target == of->plan->table,
                                  .required = !table->columns[column].nullable,
                                  .fields = fields,
                                  .target_fields = fields + count};
    if (lookup->target_column == SIZE_MAX) {
        refuse(of, path, "it is not clear what column %s of table %s refers to", table->columns[column].name,
               table->name);
        return NULL;
    }
    while (*list != NULL)
        list = &(*list)->next;
    return *list = lookup;
}

/* `way` leads from `table` to what the source's column says: "name", or "owner_id.name". `direct`: where a plain column
 * goes. */
static bool follow(const planning *of, const lido__catalogue_table *table, const char *way, size_t place,
                   lido__seed_lookup **lookups, lido__seed_lookup *direct) {
    const char *path = of->plan->source->columns[place];
    size_t column = lido__catalogue_column_find(table, way);
    if (column != SIZE_MAX && direct != NULL) {
        direct->fields[direct->field_count] = place;
        direct->target_fields[direct->field_count++] = column;
        of->plan->places[place] = &table->columns[column];
        return true;
    }
    if (column != SIZE_MAX) {
        of->plan->targets[of->plan->target_count++] = (lido__seed_target){.column = column, .place = place};
        return use_place(of, place, table, column);
    }
    const char *dot = strchr(way, '.');
    const char *head = dot != NULL ? lido__arena_copy(of->catalogue->arena, way, (size_t)(dot - way)) : NULL;
    column = head != NULL ? lido__catalogue_column_find(table, head) : SIZE_MAX;
    if (column == SIZE_MAX) {
        refuse(of, path, "table %s has no such column%s", table->name, "");
        hint_columns(of, table);
        return false;
    }
    lido__seed_lookup *lookup = find_lookup(*lookups, column);
    if (lookup == NULL) {
        lookup = make_lookup(of, table, column, place, lookups);
        if (lookup != NULL && direct == NULL)
            of->plan->targets[of->plan->target_count++] = (lido__seed_target){.column = column, .lookup = lookup};
    }
    return lookup != NULL && follow(of, lookup->target, dot + 1, place, &lookup->nested, lookup);
}

static bool is_given_twice(const planning *of) {
    const lido__seed_plan *plan = of->plan;
    for (size_t i = 0; i < plan->target_count; i++)
        for (size_t k = 0; k < i; k++)
            if (plan->targets[i].column == plan->targets[k].column) {
                refuse(of, plan->table->columns[plan->targets[i].column].name, "it is given twice%s%s", "", "");
                return true;
            }
    return false;
}

static bool covers(const lido__seed_lookup *lookup, size_t column) {
    for (size_t i = 0; i < lookup->field_count; i++)
        if (lookup->target_fields[i] == column)
            return true;
    return find_lookup(lookup->nested, column) != NULL;
}

/* A name must mean one row: what is compared has all columns of one of the target's keys. */
static bool check_lookup(const planning *of, const lido__seed_lookup *lookup) {
    const lido__catalogue_table *target = lookup->target;
    bool is_unique = false;
    for (size_t i = 0; i < target->key_count && !is_unique; i++) {
        is_unique = true;
        for (size_t k = 0; k < target->keys[i].count; k++)
            is_unique = is_unique && covers(lookup, target->keys[i].columns[k]);
    }
    if (!is_unique) {
        const char *column = lookup->field_count > 0 ? of->plan->source->columns[lookup->fields[0]] : NULL;
        refuse(of, column, "no unique key of table %s is named, so several rows may be meant%s", target->name, "");
        return false;
    }
    for (const lido__seed_lookup *nested = lookup->nested; nested != NULL; nested = nested->next)
        if (!check_lookup(of, nested))
            return false;
    return true;
}

static bool match_columns(const planning *of) {
    lido__seed_plan *plan = of->plan;
    for (size_t i = 0; i < plan->source->column_count; i++)
        if (!follow(of, plan->table, plan->source->columns[i], i, &plan->lookups, NULL))
            return false;
    for (const lido__seed_lookup *lookup = plan->lookups; lookup != NULL; lookup = lookup->next)
        if (!check_lookup(of, lookup))
            return false;
    return !is_given_twice(of);
}

/* ---- The key ---- */

static lido__seed_target *target_of(const lido__seed_plan *plan, size_t column) {
    for (size_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i].column == column)
            return &plan->targets[i];
    return NULL;
}

static bool has_key(const lido__seed_plan *plan, const lido__catalogue_key *key) {
    for (size_t i = 0; i < key->count; i++)
        if (target_of(plan, key->columns[i]) == NULL)
            return false;
    return true;
}

static void mark_lookup(lido__seed_plan *plan, const lido__seed_lookup *lookup) {
    for (size_t i = 0; i < lookup->field_count; i++)
        plan->place_in_key[lookup->fields[i]] = true;
    for (const lido__seed_lookup *nested = lookup->nested; nested != NULL; nested = nested->next)
        mark_lookup(plan, nested);
}

static void mark_key(lido__seed_plan *plan) {
    for (size_t i = 0; i < plan->key->count; i++) {
        lido__seed_target *target = target_of(plan, plan->key->columns[i]);
        target->in_key = true;
        if (target->lookup != NULL)
            mark_lookup(plan, target->lookup);
        else
            plan->place_in_key[target->place] = true;
    }
}

/* The primary key, if the source has it; else the first that it has. */
static bool find_key(const planning *of) {
    lido__seed_plan *plan = of->plan;
    for (size_t i = 0; i < plan->table->key_count && plan->key == NULL; i++)
        if (has_key(plan, &plan->table->keys[i]))
            plan->key = &plan->table->keys[i];
    if (plan->key != NULL) {
        mark_key(plan);
        return true;
    }
    refuse(of, NULL, "neither the primary key of table %s nor another unique one is among the columns%s",
           plan->table->name, "");
    lido__fault_hint(&of->catalogue->session->error,
                     "by such a key it is seen which rows are there already when they are seeded again");
    return false;
}

/* SQLite's type says little: a key of text without a default can only be one that the program makes. */
static bool is_uuid(const lido__catalogue *catalogue, const lido__catalogue_column *column) {
    static const char *const texts[] = {"uuid", "text", "char(36)", "varchar(36)"};
    size_t count = catalogue->session->engine->config.type == LIDO__SQLITE ? sizeof texts / sizeof texts[0] : 1;
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(column->type, texts[i]) == 0)
            return true;
    return false;
}

/* A uuid key that neither the source has nor the database makes is made by lido. */
static void generate_key(const planning *of) {
    lido__seed_plan *plan = of->plan;
    const lido__catalogue_key *key = plan->table->key_count > 0 ? &plan->table->keys[0] : NULL;
    if (key == NULL || !key->primary || key->count != 1 || target_of(plan, key->columns[0]) != NULL)
        return;
    const lido__catalogue_column *column = &plan->table->columns[key->columns[0]];
    if (column->has_default || !is_uuid(of->catalogue, column))
        return;
    plan->generates = true;
    plan->places[plan->place_count] = column;
    plan->targets[plan->target_count++] = (lido__seed_target){.column = key->columns[0], .place = plan->place_count};
    plan->place_count++;
}

lido__seed_plan *lido__seed_plan_make(lido__catalogue *catalogue, const lido__catalogue_table *table,
                                      lido__seed_source *source) {
    size_t most = source->column_count + 1;
    lido__seed_plan *plan = take(catalogue, sizeof *plan);
    if (plan == NULL)
        return NULL;
    plan->source = source;
    plan->table = table;
    plan->place_count = source->column_count;
    plan->places = take(catalogue, most * sizeof *plan->places);
    plan->place_in_key = take(catalogue, most * sizeof *plan->place_in_key);
    plan->targets = take(catalogue, most * sizeof *plan->targets);
    const planning of = {.catalogue = catalogue, .plan = plan};
    if (plan->places == NULL || plan->place_in_key == NULL || plan->targets == NULL || !match_columns(&of) ||
        !find_key(&of))
        return NULL;
    generate_key(&of);
    return plan;
}

bool lido__seed_plan_waits(const lido__seed_plan *plan) {
    for (size_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i].waits)
            return true;
    return false;
}

bool lido__seed_plan_has_levels(const lido__seed_plan *plan) {
    for (const lido__seed_lookup *lookup = plan->lookups; lookup != NULL; lookup = lookup->next)
        if (lookup->own && lookup->required)
            return true;
    return false;
}
