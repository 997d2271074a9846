/* What a source of seeds means to its table: which value goes into which column, which are references by name, and by
 * which key a row is recognised when it is seeded again. */
#ifndef LIDO_MODEL_SEED_PLAN_H
#define LIDO_MODEL_SEED_PLAN_H

#include "model/catalogue.h"
#include "model/seed_source.h"

/* A reference by name: the row of `target` whose columns are as the source says, and whose `target_column` goes into
 * `column` of the table that refers. */
typedef struct lido__seed_lookup {
    struct lido__seed_lookup *next; /* another one in the same row */
    size_t column;                  /* of the table that refers */
    const lido__catalogue_table *target;
    size_t target_column;
    size_t number; /* of all in the plan, from 1 */
    bool own;      /* to the very table that is seeded, */
    bool required; /* which takes no NULL there */
    size_t field_count;
    size_t *fields;                   /* places in the source, */
    size_t *target_fields;            /* and in `target`, of what is compared */
    struct lido__seed_lookup *nested; /* columns of `target` that are references by name themselves */
} lido__seed_lookup;

/* A column that gets a value: the source's own, or the lookup's. */
typedef struct lido__seed_target {
    size_t column; /* of the table */
    size_t place;  /* in the source, if there is no lookup */
    const lido__seed_lookup *lookup;
    bool in_key;
    bool waits; /* it is NULL until all tables are filled */
} lido__seed_target;

typedef struct lido__seed_plan {
    struct lido__seed_plan *next;
    lido__seed_source *source;
    const lido__catalogue_table *table;
    size_t number;                         /* of all plans, from 1 */
    size_t place_count;                    /* the source's columns, and one more if a key is generated */
    const lido__catalogue_column **places; /* whose type each has */
    bool *place_in_key;
    bool generates; /* the last place is a uuid key that lido makes */
    size_t target_count;
    lido__seed_target *targets;
    lido__seed_lookup *lookups; /* those of the table itself, linked by `next` */
    size_t lookup_count;        /* of all, the nested ones, too */
    const lido__catalogue_key *key;
    bool staged;  /* it has a staging table, which may be empty, */
    int64_t rows; /* and so many rows in it */
} lido__seed_plan;

/* Makes one; NULL: the session failed, and says where. The arena is the catalogue's. Waits. */
lido__seed_plan *lido__seed_plan_make(lido__catalogue *catalogue, const lido__catalogue_table *table,
                                      lido__seed_source *source);

/* Whether any target waits. */
bool lido__seed_plan_waits(const lido__seed_plan *plan);
/* Whether a reference by name to the table itself may not be NULL: rows go in after those that they refer to. */
bool lido__seed_plan_has_levels(const lido__seed_plan *plan);

#endif
