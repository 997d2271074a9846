/* A session's unit of work: the objects that it has for its rows, one for each key, and what became of them.
 *
 * unit.c makes it and keeps it, history.c undoes; change.c finds what changed, flush.c writes it, in the order of
 * arrange.c, by write.c (single rows) and insert.c (many); find.c and related.c read, by take.c. All of it belongs to
 * the session's thread or task: there is no lock.
 *
 * An object is a header, the program's struct, and the struct as the database has it (`was`), side by side; where
 * the key is not a part of fixed size of that, a lido__identity is behind it. */
#ifndef LIDO_MODEL_UNIT_H
#define LIDO_MODEL_UNIT_H

#include <string.h>

#include <lido/object.h>

#include "core/session.h"
#include "model/identity.h"
#include "model/plan.h"

/* CLEAN -> REMOVED -> GONE; ADDED -> CLEAN when it is written, or GONE when it is taken back before. What is GONE stays
 * readable, and is the session's no more than by its memory. */
typedef enum lido__object_state {
    LIDO__OBJECT_CLEAN, /* there is a row, and `was` is it; the struct may differ */
    LIDO__OBJECT_ADDED,
    LIDO__OBJECT_REMOVED,
    LIDO__OBJECT_GONE
} lido__object_state;

typedef struct lido__object {
    struct lido__object *next; /* in its set's list */
    uint32_t epoch;            /* the unit's when it was read: an older one is stale; of one that is being inserted:
                                  its place in the order */
    uint8_t state;
    uint8_t mark;     /* arrange.c's */
    bool mapped : 1;  /* it is in one of its set's maps, by its key, which `was` has, */
    bool unkeyed : 1; /* or, ADDED, the database having yet to give it one, by its address */
    bool late : 1;    /* ADDED: it is inserted without a reference, which an update sets afterwards */
} lido__object;

enum { LIDO__OBJECT_HEADER = (sizeof(lido__object) + 15) / 16 * 16 };

/* The objects of one model. */
typedef struct lido__set {
    lido__identity identity; /* first; its key is the model's address */
    const lido_model *model;
    const lido__plan *plan;
    struct lido__set *next;
    size_t size;                /* of the struct, rounded up so that what follows is aligned */
    size_t key_size;            /* of a key that is one column of fixed size; 0: keys are written down in full */
    lido__identity_map keyed;   /* by key */
    lido__identity_map unkeyed; /* by address */
    lido__object *first;        /* all of them, GONE ones too until the next flush, in the order they came */
    lido__object **last;
    size_t unwritten;       /* ADDED or REMOVED: how many */
    lido__object *unmapped; /* in that list: from here on they are in no map yet, for none was looked for since */
    const char *select;     /* SELECT … FROM … and a blank */
    const char *fetch;      /* the same by key */
    lido__object *spare;    /* one that was made and not used */
    size_t node;            /* flush.c's */
} lido__set;

typedef struct lido__unit_of_work {
    lido__unit unit; /* first: the core's */
    lido__identity_map set_map;
    lido__set *sets;
    lido__arena memory;        /* objects, their texts, and what else was handed out */
    lido__arena fixed;         /* sets, and their SQL */
    lido__buffer text;         /* SQL that is being made */
    lido__buffer key;          /* a key that is being written down */
    unsigned char random[256]; /* for keys, drawn together: a session is of no use to a child, so no other draws them */
    size_t random_left;        /* how many of them are unused, at the end */
    uint32_t epoch;
    bool flushing;
    struct lido__history *history; /* what savepoints may undo; NULL: nothing was written down yet */
} lido__unit_of_work;

static inline void *lido__object_struct(const lido__object *object) {
    return (char *)(uintptr_t)object + LIDO__OBJECT_HEADER;
}

static inline void *lido__object_was(const lido__set *set, const lido__object *object) {
    return (char *)(uintptr_t)object + LIDO__OBJECT_HEADER + set->size;
}

/* Where a key is kept that is not a part of `was`. */
static inline lido__identity *lido__object_identity(const lido__set *set, const lido__object *object) {
    return (lido__identity *)(void *)((char *)(uintptr_t)object + LIDO__OBJECT_HEADER + 2 * set->size);
}

/* ---- unit.c ---- */

/* The session's, made if need be; NULL: out of memory, the session has failed. */
lido__unit_of_work *lido__unit_of(lido_session *session);

/* Whether the session can be asked, and if so the objects of a model; NULL: it cannot, or it has failed now. */
lido__set *lido__set_of(lido_session *session, const lido_model *model);
/* The same for who looks for none of the objects: some may be in no map. */
lido__set *lido__set_look(lido_session *session, const lido_model *model);
/* The last of a session that may have failed. */
lido__set *lido__set_open(lido_session *session, const lido_model *model);

/* A refusal that has to do with a model: category, and a message that begins with its name. Returns false. */
bool lido__model_refuse(lido_session *session, const lido_model *model, lido_category category, const char *format, ...)
    LIDO_FORMAT(4, 5);
bool lido__unit_out_of_memory(lido_session *session);

/* Puts all objects into their maps. False: the session has failed. */
bool lido__set_map(lido_session *session, lido__set *set);

/* The key of a struct as the maps have it: a part of the struct, or written down in the unit's `key`, good until the
 * next. False: out of memory, the session has failed. */
bool lido__set_key(lido_session *session, const lido__set *set, const void *object, const void **key, size_t *size);

/* Whether the database has yet to give the struct its key. */
bool lido__set_is_unkeyed(const lido__set *set, const void *object);

/* The object with the same key as the struct, or the one whose struct it is; NULL: none, or the session has failed. */
lido__object *lido__set_find(lido_session *session, lido__set *set, const void *object);
/* The one whose struct this is; NULL: it is none of the session's. */
lido__object *lido__set_owner(lido_session *session, lido__set *set, const void *object);

/* A new object, which is in no map and no list; the spare one, if there is. All of its struct that is no column is
 * zero. NULL: out of memory, the session has failed. */
static inline lido__object *lido__object_new(lido_session *session, lido__set *set) {
    lido__object *object = set->spare;
    size_t size = LIDO__OBJECT_HEADER + 2 * set->size + (set->key_size > 0 ? 0 : sizeof(lido__identity));
    if (object == NULL)
        object = lido__arena_allocate(&((lido__unit_of_work *)session->unit)->memory, size);
    set->spare = NULL;
    if (object == NULL) {
        lido__unit_out_of_memory(session);
        return NULL;
    }
    *object = (lido__object){.next = NULL};
    if (!set->plan->is_dense)
        memset(lido__object_struct(object), 0, set->size);
    return object;
}

/* What the struct is now is what the database has. */
static inline void lido__object_settle(lido_session *session, const lido__set *set, lido__object *object) {
    const char *from = lido__object_struct(object);
    char *to = lido__object_was(set, object);
    for (size_t i = 0; i < set->size; i += 16) /* few enough for a call of memcpy to take longer */
        memcpy(to + i, from + i, 16);
    object->state = LIDO__OBJECT_CLEAN;
    object->epoch = ((lido__unit_of_work *)session->unit)->epoch;
}

/* An object cannot be added, for another one has its key. Returns false. */
bool lido__set_refuse_same_key(lido_session *session, const lido__set *set, const lido__object *known);

/* Puts a new object, whose struct is set, into map and list, as ADDED, `is_new`: with a key that no other can have;
 * or as CLEAN, the key's hash being known. False: the session has failed. */
bool lido__set_track(lido_session *session, lido__set *set, lido__object *object, bool is_new);
bool lido__set_track_row(lido_session *session, lido__set *set, lido__object *object, uint32_t hash);
/* Puts an object whose key no other has into the list alone. */
static inline void lido__set_list(lido__set *set, lido__object *object) {
    *set->last = object;
    set->last = &object->next;
    if (set->unmapped == NULL)
        set->unmapped = object;
}

/* Takes an object out of its map. */
void lido__set_drop(lido__set *set, lido__object *object);
/* An ADDED object has got its key, or another; one that is in no map yet from the database, so that no other has it.
 * False: the session has failed, and the object is GONE. */
bool lido__set_rekey(lido_session *session, lido__set *set, lido__object *object);

/* Whether a member points to something. */
static inline bool lido__column_points(const lido__column *column) {
    return lido__target_is_nullable(column->kind) || column->kind == LIDO_TARGET_TEXT ||
           column->kind == LIDO_TARGET_BYTES || column->kind == LIDO_TARGET_JSON || column->kind == LIDO_TARGET_NUMERIC;
}

/* Copies a member's text, blob or value into the unit's memory. False: out of memory, the session has failed. */
bool lido__column_own(lido_session *session, const lido__column *column, void *object);

enum { LIDO__WHOSE_SIZE = 192 }; /* a key of two uuids fits */
/* Writes "Item (id = 42)"; keys that are texts are not told. */
void lido__object_describe(const lido__set *set, const void *object, char *text, size_t size);

/* ---- history.c ---- */

typedef enum lido__event { LIDO__EVENT_CAME, LIDO__EVENT_WRITTEN, LIDO__EVENT_WENT } lido__event;

/* Notes what happens to an object, if a savepoint is open: that it came into its set, that `was` is about to change,
 * that it went. False: out of memory, the session has failed. */
bool lido__history_note(lido_session *session, lido__set *set, lido__object *object, lido__event event);
void lido__history_begin(lido_session *session, int savepoint);
/* Makes the objects what they were when the savepoint was opened. */
void lido__history_undo(lido_session *session, int savepoint);
void lido__history_clear(lido__unit_of_work *unit);
void lido__history_free(lido__unit_of_work *unit);

/* ---- change.c ---- */

/* Whether a member is all zero, or a NULL pointer: not given. */
static inline bool lido__member_is_zero(const lido__column *column, const void *object) {
    static const char zeros[16];
    const char *member = (const char *)object + column->offset;
    uint64_t word;
    if (column->size != sizeof word)
        return memcmp(member, zeros, column->size <= sizeof zeros ? column->size : sizeof zeros) == 0;
    memcpy(&word, member, sizeof word);
    return word == 0;
}
/* Whether a column's value differs between two structs. */
bool lido__column_differs(const lido__column *column, const void *one, const void *other);
/* Whether a CLEAN object's columns differ from what they were. What only looks different is put back; a key that was
 * changed is refused: false, and the session has failed. */
bool lido__object_changed(lido_session *session, lido__set *set, lido__object *object, bool *changed);
/* Makes what an object's changed members point to the session's. False: out of memory, the session has failed. */
bool lido__object_own(lido_session *session, lido__set *set, lido__object *object);
/* Fills in a struct's references that are given by their object alone; and of one that is CLEAN, `was` being not NULL,
 * only by an object that has been put there since. True if all of them have their keys; else *pending is one whose
 * object has none yet, or NULL: the session has failed. */
bool lido__references_fill(lido_session *session, const lido__set *set, void *object, const void *was,
                           const lido__reference **pending);
/* The same, and refuses if one has no key yet: false, and the session has failed. */
bool lido__references_need(lido_session *session, const lido__set *set, void *object, const void *was);
/* The same of those that are of the key, which may have none yet. False: the session has failed. */
bool lido__references_fill_key(lido_session *session, const lido__set *set, void *object);
/* The struct that a reference is given by, or NULL. */
const void *lido__reference_object(const lido__reference *reference, const void *object);
/* Whether a reference has no key: it is NULL, or zero where that is no row's. */
bool lido__reference_is_none(const lido__reference *reference, const void *object);
/* What a reference refers to, if that is one of the session's objects; the second goes by the key that it has alone. */
lido__object *lido__reference_find(lido_session *session, const lido__reference *reference, const void *object,
                                   lido__set **target);
lido__object *lido__reference_find_by_key(lido_session *session, const lido__reference *reference, const void *object);

/* ---- read.c ---- */

/* Reads a column's value into a struct, copying what it points to into `memory`. False: the session has failed. */
bool lido__read_column(lido_session *session, const lido__set *set, const lido__column *column, const lido_value *value,
                       void *object);
/* It cannot be read. Returns false. */
bool lido__read_refuse(lido_session *session, const lido__set *set, const lido__column *column, const char *why);

/* ---- take.c ---- */

/* The structs of objects that were found. */
typedef struct lido__found {
    void **items;
    size_t count;
    size_t capacity;
    bool lasts; /* in: the list is to be handed out; out: so it is in the unit's memory, with room for one more. Else it
                   is to be freed */
} lido__found;

/* Runs a SELECT of the set's columns, whose rows become objects: those that there are, or new ones. Those that were
 * removed are left out. `distinct`: no key can be in two of the rows. False: the session has failed. */
bool lido__set_take(lido_session *session, lido__set *set, const char *sql, size_t count, const lido_value *values,
                    bool distinct, lido__found *found);

/* ---- write.c ---- */

typedef enum lido__write_kind { LIDO__WRITE_INSERT, LIDO__WRITE_UPDATE, LIDO__WRITE_DELETE } lido__write_kind;

/* One row to be written. */
typedef struct lido__write {
    lido__write_kind kind;
    lido__set *set;
    void *object;             /* the struct; what the database gives goes into it */
    const void *was;          /* of one of the session's objects: what equals it is not written again, and its key and
                             version are looked for; NULL: all is written, and the struct's own are looked for */
    const lido__object *late; /* INSERT: the object, if it is to go in without the references to what comes later */
    const char *conflict;     /* INSERT: the unique columns, "" for the key, whose row is to be updated if there is one;
                             NULL: that is an error */
    lido__result result;      /* write.c's */
} lido__write;

/* Runs all of them in one batch, and takes what the database gives. False: the session has failed, and the error says
 * whose write that was; or it has not, all were run, and for an UPDATE without version and `was`, or a DELETE without
 * version, there was no such row. */
bool lido__writes_run(lido_session *session, size_t count, lido__write *writes);
/* Says in the error which object it befell. */
void lido__write_blame(lido_session *session, const lido__write *write);

/* Gives a struct that is to be inserted what the library gives: a uuid, version 1. */
void lido__insert_prepare(lido_session *session, const lido__plan *plan, void *object);
/* Whether the database gives the column, of a struct that is to be inserted: the key, or its fallback. */
static inline bool lido__column_is_left_out(const lido__column *column, const void *object) {
    bool given = column->generated != LIDO__GENERATED_IDENTITY && column->part->fallback == NULL;
    return !given && lido__member_is_zero(column, object);
}
/* Whether it refers to something that is inserted later than the object. */
bool lido__column_is_late(lido_session *session, const lido__set *set, const lido__column *column,
                          const lido__object *object);
/* Whether all of the names between commas are columns. False: the session has failed. */
bool lido__columns_check(lido_session *session, const lido__set *set, const char *names);

/* ---- insert.c ---- */

/* Where the structs to be inserted are: one behind the other, or each somewhere. */
typedef struct lido__structs {
    size_t count;
    char *first;
    size_t stride;
    lido__object *const *objects; /* NULL: they are one behind the other */
} lido__structs;

static inline void *lido__structs_at(const lido__structs *structs, size_t index) {
    return structs->objects != NULL ? lido__object_struct(structs->objects[index])
                                    : structs->first + index * structs->stride;
}

/* The object at that place, if it is late; see lido__column_is_late. */
static inline const lido__object *lido__structs_late(const lido__structs *structs, size_t index) {
    return structs->objects != NULL && structs->objects[index]->late ? structs->objects[index] : NULL;
}

/* Whether so many are better inserted together. */
bool lido__insert_pays(size_t count);
/* Inserts all of them, in a transaction; keys, fallbacks and versions are filled in, and references that are given by
 * their object. False: the session has failed. */
bool lido__insert_all(lido_session *session, lido__set *set, const lido__structs *structs);

/* ---- arrange.c, flush.c ---- */

typedef struct lido__work {
    lido__set *set;
    lido__object *object;
} lido__work;

typedef struct lido__work_list {
    lido__work *items;
    size_t count;
    size_t capacity;
} lido__work_list;

bool lido__work_add(lido_session *session, lido__work_list *list, lido__set *set, lido__object *object);
/* Puts the objects, from the `first` in the list, into an order in which each comes after those that it refers to, as
 * far as they are in the list, too, and in the same state; of the set alone, if it is not NULL. Where a circle is,
 * what may be NULL waits. False: the session has failed; objects refer to each other in a circle in which nothing may.
 * */
bool lido__work_arrange(lido_session *session, lido__work_list *list, size_t first, const lido__set *only);
/* Spells out a circle of removed objects in which no reference may be NULL; "" if there is none. False: the session has
 * failed. */
bool lido__work_tell_circle(lido_session *session, const lido__work_list *removed, char *text, size_t size);

/* A CLEAN or ADDED object was written as its struct is, or deleted. False: the session has failed. */
bool lido__object_written(lido_session *session, lido__set *set, lido__object *object, lido__write_kind kind);

/* Does something in a transaction: the session's, or, in autocommit mode, one of its own. False: the session has
 * failed. */
bool lido__unit_transact(lido_session *session, bool (*work)(lido_session *session, void *argument), void *argument);

/* Writes what was added, changed and removed. False: the session has failed. */
bool lido__unit_flush(lido_session *session);

/* Flushes before asking, if the session is to. False: the session has failed. */
bool lido__unit_autoflush(lido_session *session);

#endif
