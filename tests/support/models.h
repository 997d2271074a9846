/* A shop's models, in which everything occurs that a model can say. */
#ifndef TESTS_SUPPORT_MODELS_H
#define TESTS_SUPPORT_MODELS_H

#include "support/items.h"

typedef struct Owner {
    int64_t id;
    const char *name;
    const lido_uuid *favourite_id;
} Owner;

typedef struct Item {
    lido_uuid id;
    const char *name;
    double price;
    const double *discount;
    int64_t owner_id;
    Owner *owner;
    const char *state;
    const char *Remark;
    const char *code;
    lido_time created_at;
    int version;
} Item;

typedef struct Tag {
    lido_uuid item_id;
    const char *word;
    int64_t weight;
} Tag;

typedef struct Node {
    const char *path;
    const char *parent;
    const char *alias;
} Node;

typedef struct Sample {
    lido_uuid id;
    bool a_bool;
    short a_short;
    unsigned short an_unsigned_short;
    int an_int;
    unsigned an_unsigned;
    long a_long;
    unsigned long long longest;
    float a_float;
    double a_double;
    const char *day;
    const char *word;
    lido_uuid a_uuid;
    lido_time a_time;
    lido_bytes bytes;
    lido_json document;
    lido_json remark;
    lido_numeric exact;
    const char *money;
    const bool *may_be;
    const lido_uuid *other;
    const lido_time *until;
    const int *count;
} Sample;

LIDO_MODEL_DECLARE(Owner);
LIDO_MODEL_DECLARE(Item);
LIDO_MODEL_DECLARE(Tag);
LIDO_MODEL_DECLARE(Node);
LIDO_MODEL_DECLARE(Sample);

/* In an order in which none can be made before the next. */
#define SHOP LIDO_MODEL_LIST(&Tag_model, &Sample_model, &Node_model, &Item_model, &Owner_model)

/* Defines them: once in a program. */
#define DEFINE_SHOP_MODELS \
    LIDO_MODEL(Owner, "owners", LIDO_KEY(Owner, id), LIDO_FIELD(Owner, name, .unique = true), \
               LIDO_REF(Owner, favourite_id, Item, .on_delete = LIDO_SET_NULL)); \
    LIDO_MODEL(Item, "items", LIDO_KEY(Item, id), \
               LIDO_FIELD(Item, name, .check = "length(name) BETWEEN 1 AND 20 AND name <> 'x'"), \
               LIDO_FIELD(Item, price, .check = "price >= 0", .fallback = "9.5"), \
               LIDO_FIELD(Item, discount, .check = "discount < 1"), \
               LIDO_REF(Item, owner_id, Owner, .on_delete = LIDO_CASCADE, .on_update = LIDO_RESTRICT, .index = true, \
                        LIDO_OBJECT(Item, owner)), \
               LIDO_FIELD(Item, state, .allowed = LIDO_ALLOWED("new", "it's", "back\\slash"), .fallback = "'new'", \
                          .check = "state <> name"), \
               LIDO_FIELD(Item, Remark, .nullable = true, .index = true), \
               LIDO_FIELD(Item, code, .column = "\"Code\"", .nullable = true, .unique = true, \
                          .check = "\"Code\" REGEXP '^[A-Z]'"), \
               LIDO_FIELD(Item, created_at, .fallback = "now()"), LIDO_ROW_VERSION(Item, version), \
               LIDO_UNIQUE("owner_id", "name"), LIDO_INDEX("created_at", "name")); \
    LIDO_MODEL(Tag, "tags", LIDO_REF(Tag, item_id, Item, .key = true, .on_delete = LIDO_CASCADE), LIDO_KEY(Tag, word), \
               LIDO_FIELD(Tag, weight, .fallback = "-1")); \
    LIDO_MODEL(Node, "nodes", LIDO_KEY(Node, path, .natural = true), \
               LIDO_REF(Node, parent, Node, .nullable = true, .on_delete = LIDO_SET_DEFAULT, .fallback = "'/'"), \
               LIDO_FIELD(Node, alias, .nullable = true, .unique = true)); \
    LIDO_MODEL(Sample, "samples", LIDO_KEY(Sample, id), LIDO_FIELD(Sample, a_bool, .fallback = "true"), \
               LIDO_FIELD(Sample, a_short), LIDO_FIELD(Sample, an_unsigned_short), LIDO_FIELD(Sample, an_int), \
               LIDO_FIELD(Sample, an_unsigned), LIDO_FIELD(Sample, a_long), LIDO_FIELD(Sample, longest), \
               LIDO_FIELD(Sample, a_float), LIDO_FIELD(Sample, a_double), \
               LIDO_FIELD(Sample, day, .type = "date", .nullable = true), \
               LIDO_FIELD(Sample, word, .type = "varchar(20)"), LIDO_FIELD(Sample, a_uuid), \
               LIDO_FIELD(Sample, a_time), LIDO_FIELD(Sample, bytes), LIDO_FIELD(Sample, document), \
               LIDO_FIELD(Sample, remark, .nullable = true), LIDO_FIELD(Sample, exact), \
               LIDO_FIELD(Sample, money, .type = "numeric(10, 2)"), LIDO_FIELD(Sample, may_be), \
               LIDO_FIELD(Sample, other), LIDO_FIELD(Sample, until), LIDO_FIELD(Sample, count))

/* Makes the shop's tables in a transaction of their own. */
static inline void make_shop(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    if (!lido_create_all(db, SHOP))
        fail_msg("%s", lido_error_of(db)->message);
    lido_session_close(db);
}

/* Tells what differs, "matches" if nothing does. */
static inline void saw_differences(lido_session *db, size_t count, const lido_model *const *models) {
    const lido_differences *found = lido_check_schema(db, count, models);
    if (found == NULL)
        saw("%s: %s", lido_category_name(lido_error_of(db)->category), lido_error_of(db)->message);
    for (size_t i = 0; found != NULL && i < found->count; i++)
        saw("%s", found->texts[i]);
    if (found != NULL && found->count == 0)
        saw("matches");
}

#endif
