/* Models: a struct described once, and the table that it stands for.
 *
 *     typedef struct Item {
 *         lido_uuid id;
 *         const char *name;
 *         const double *discount;
 *         lido_uuid owner_id;
 *         User *owner;
 *     } Item;
 *
 *     LIDO_MODEL(Item, "items",
 *         LIDO_KEY(Item, id),
 *         LIDO_FIELD(Item, name, .unique = true),
 *         LIDO_FIELD(Item, discount, .check = "discount < 1"),
 *         LIDO_REF(Item, owner_id, User, .on_delete = LIDO_CASCADE, LIDO_OBJECT(Item, owner)));
 *
 * defines the constant Item_model, with the struct's name, the table's, and a table of what its columns and constraints
 * are. No code generator runs. A column's type comes from its member's:
 *
 *     bool                                     boolean
 *     short, unsigned short, int               integer
 *     unsigned, long, long long, int64_t …     bigint
 *     float, double                            real, double precision
 *     const char *                             text
 *     lido_uuid                                uuid
 *     lido_time                                timestamptz
 *     lido_bytes                               bytea; on SQLite blob
 *     lido_json                                jsonb; on SQLite json text
 *     lido_numeric                             numeric
 *
 * A member by value is NOT NULL. A pointer to a const value (const double *, const int64_t *, const lido_uuid *) is one
 * that may be NULL. Texts, blobs, json and numerics are NOT NULL unless `.nullable` says otherwise.
 *
 * A wrong descriptor does not compile, where the compiler can tell: a member that the struct has not, a type that no
 * column has. The rest lido_model_check finds, and every call that takes a model. T is the name of a typedef, for it
 * becomes a part of others. A model stays where it is for as long as the process runs. */
#ifndef LIDO_MODEL_H
#define LIDO_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include <lido/arguments.h>
#include <lido/error.h>
#include <lido/rows.h>
#include <lido/session.h>

LIDO_BEGIN_C

typedef struct lido_model lido_model;

/* What a part of a model is. */
typedef enum lido_part_role {
    LIDO_PART_FIELD = 0,
    LIDO_PART_KEY,
    LIDO_PART_REFERENCE,
    LIDO_PART_VERSION,
    LIDO_PART_UNIQUE, /* over several columns */
    LIDO_PART_INDEX   /* over several columns */
} lido_part_role;

/* What becomes of a row when the one that it refers to is deleted, or the key of that is changed. */
typedef enum lido_action {
    LIDO_NO_ACTION = 0, /* that is refused */
    LIDO_RESTRICT,      /* it is, and at once */
    LIDO_CASCADE,       /* the row is deleted, or changed, too */
    LIDO_SET_NULL,
    LIDO_SET_DEFAULT /* the column's fallback */
} lido_action;

/* A column, or a constraint over several. The macros below fill in what is above the line; what is below may be given
 * to them, by name: LIDO_FIELD(Item, price, .check = "price >= 0", .index = true). All of it is constant. */
typedef struct lido_part {
    lido_part_role role;
    const char *of;             /* the struct's name, "Item" */
    const char *member;         /* "price"; NULL for a constraint */
    lido_target_kind kind;      /* the member's C type */
    size_t offset;              /* in bytes from the struct's beginning */
    const lido_model *target;   /* a reference's */
    const char *object;         /* LIDO_OBJECT's member, or NULL, */
    size_t object_offset;       /* where it is, */
    size_t object_size;         /* and the size of what it points to */
    const char *const *columns; /* a constraint's; NULL behind the last */
    /* ---- */
    const char *column;         /* the column's name; NULL: the member's */
    const char *type;           /* its SQL type, "varchar(20)"; NULL: by the member's type */
    bool nullable;              /* NULL is allowed, and a NULL pointer; for texts, json, numerics and blobs only */
    bool unique;                /* no two rows have the same */
    bool index;                 /* has an index */
    const char *check;          /* SQL that must not be false, "price >= 0" */
    const char *const *allowed; /* LIDO_ALLOWED("new", "open"): no other text */
    const char *fallback;       /* SQL of the column's DEFAULT, "now()". A member that is all zero takes it on insert */
    bool key;                   /* this reference is, or is part of, the key */
    bool natural;               /* this key is never generated */
    const char *references;     /* the unique column of the other table that is referred to; NULL: its key */
    lido_action on_delete;      /* of a reference */
    lido_action on_update;
} lido_part;

struct lido_model {
    const char *name;  /* of the struct */
    const char *table; /* as in SQL: items, shop.items; capitals fold to small letters, "Like This" does not */
    size_t size;       /* of the struct, in bytes */
    size_t part_count;
    const lido_part *parts;
};

/* Checks a model as its first use would: keys, names, references and what does not go together. LIDO_OK, or LIDO_ERROR
 * with category misuse and a message that names model and column; `error` may be NULL. Never waits; safe from any
 * thread. */
LIDO_API lido_status lido_model_check(const lido_model *model, lido_error *error);

LIDO_END_C

/* For headers: the model that another file defines. From there on LIDO_REF can refer to it. */
#define LIDO_MODEL_DECLARE(T) extern const lido_model T##_model

/* Defines the model of T: LIDO_MODEL(Item, "items", LIDO_KEY(Item, id), …). At file scope, in one file. */
#define LIDO_MODEL(T, ...) LIDO_MODEL_(T, __VA_ARGS__)
#define LIDO_MODEL_(T, table_name, ...) \
    LIDO_MODEL_DECLARE(T); \
    static const lido_part T##_model_parts[] = {__VA_ARGS__}; \
    const lido_model T##_model = {#T, table_name, sizeof(T), sizeof T##_model_parts / sizeof(lido_part), \
                                  T##_model_parts}

/* A column. */
#define LIDO_FIELD(T, ...) LIDO_COLUMN_(T, __VA_ARGS__, .role = LIDO_PART_FIELD)

/* The key, or one of its columns, which count in the order in which they are given. A lido_uuid that is the whole key
 * is generated by the library if it is all zero when the object is inserted; an int64_t that is the whole key, if it
 * is 0, by the database (an identity column). Any other key is the program's, as is one that is `.natural`. */
#define LIDO_KEY(T, ...) LIDO_COLUMN_(T, __VA_ARGS__, .role = LIDO_PART_KEY)

/* A reference to the key of another model, or to the unique column that `.references` names. It must have the type of
 * that, or be a pointer to a const value of it. With `.key` it is part of this model's key, too. */
#define LIDO_REF(T, ...) LIDO_REF_(T, __VA_ARGS__, .role = LIDO_PART_REFERENCE)

/* Within LIDO_REF: the member that points to the object referred to, which lido_load_related fills in. No column. */
#define LIDO_OBJECT(T, member) \
    .object = #member, .object_offset = offsetof(T, member), .object_size = sizeof *((T *)NULL)->member

/* An integer for optimistic locking: 1 when the object is inserted, raised by each update, and compared there. */
#define LIDO_ROW_VERSION(T, ...) LIDO_COLUMN_(T, __VA_ARGS__, .role = LIDO_PART_VERSION)

/* Columns that are unique together, or have an index together, by their names. */
#define LIDO_UNIQUE(...) \
    { .role = LIDO_PART_UNIQUE, .columns = LIDO_ALLOWED(__VA_ARGS__) }
#define LIDO_INDEX(...) \
    { .role = LIDO_PART_INDEX, .columns = LIDO_ALLOWED(__VA_ARGS__) }

/* Texts, for `.allowed`. */
#define LIDO_ALLOWED(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Inside: `options` end in the role, so that the list is never empty. */
#define LIDO_COLUMN_(T, ...) LIDO_COLUMN__(T, __VA_ARGS__)
#define LIDO_COLUMN__(T, name, ...) \
    { \
        .of = #T, .member = #name, .kind = (lido_target_kind)(LIDO_COLUMN_KIND(T, name)), .offset = offsetof(T, name), \
        __VA_ARGS__ \
    }
#define LIDO_REF_(T, name, referred, ...) LIDO_COLUMN_(T, name, .target = &referred##_model, __VA_ARGS__)
#define LIDO_COLUMN_KIND(T, name) _Generic(&((T *)NULL)->name, LIDO_TARGET_KINDS)

#endif
