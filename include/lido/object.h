/* Objects: rows as structs of the program's, described by a model (lido/model.h), loaded and saved without SQL.
 *
 * Two ways lie side by side. The first works on structs that are the program's, at once:
 *
 *     Item lamp = {.name = "lamp", .price = 12.5};
 *     lido_insert(db, Item, &lamp);               lamp.id is set now
 *     lamp.price = 10;
 *     lido_update(db, Item, &lamp);
 *
 * In the second the objects are the session's: one for each key, however often it is asked for. What becomes of them is
 * written when the session flushes, which lido_commit, the end of a block and a savepoint's beginning and end do first:
 *
 *     Item *lamp = lido_fetch(db, Item, id);
 *     lamp->price = 10;                            written by the next flush, and this column only
 *     lido_add(db, Item, &(Item){.name = "chair"});
 *     lido_remove(db, Item, old);
 *
 * * Texts, and what a pointer such as const double * points to, are constant: to change one, set the pointer. What it
 * points to must stay until the flush, which copies it; lido_keep and lido_keep_text make it the session's before.
 * * Objects and all they point to are readable until the session closes or lido_forget, whatever the transaction came
 * to.
 * * After a rollback, and after a commit whose outcome is unknown, the session knows its objects no more: what is done
 * to them is not written, and the next lido_fetch reads anew. After a savepoint was undone they are what they were
 * when it was opened.
 * * The functions of the first way know nothing of the session's objects, save that one of these may be given to them.
 *
 * A tail is the rest of a SELECT: "WHERE price < ? ORDER BY name", "" for all. It may begin with a JOIN; the model's
 * table goes by its own name, not by another. It is the program's SQL; values go in by placeholders, as in lido_query.
 * Values that do not fit a member, NULL where the model has none among them, make the session fail, with model and
 * column named.
 *
 * All of these wait for the database unless said otherwise, and are for the session's own thread or task. On a failed
 * session they do nothing. T is the struct's name, as in LIDO_MODEL. */
#ifndef LIDO_OBJECT_H
#define LIDO_OBJECT_H

#include <lido/model.h>
#include <lido/statement.h>

LIDO_BEGIN_C

/* ---- The program's structs ---- */

/* Inserts a row. Into the struct goes what was generated: the key if it was zero, each member that has a fallback and
 * was zero, version 1; a text or a blob among them lives as long as the session's objects. A reference that is zero is
 * taken from its object member, which must have its key. True: it was inserted. */
LIDO_API bool lido_insert_object(lido_session *session, const lido_model *model, void *object);

/* Inserts `count` structs that lie one behind the other, as fast as the database takes them (docs/bulk.md), and fills
 * them in likewise. All go in or none. Returns how many; 0 if it failed. */
LIDO_API int64_t lido_insert_objects(lido_session *session, const lido_model *model, void *objects, size_t count);

/* Inserts a row; if there is one with the same key, or the same values in the columns `unique` ("name", "owner_id,
 * name"), updates that: all columns but those, the key, and those left to their fallback. The struct then has that
 * row's key and version. `unique` NULL: the key. */
LIDO_API bool lido_upsert_object(lido_session *session, const lido_model *model, void *object, const char *unique);

/* Writes all columns into the row with the struct's key. False, and nothing fails, if there is none. With a version: it
 * is raised, and if no row has the key and the version, somebody else was there first: the session fails, with category
 * serialisation. */
LIDO_API bool lido_update_object(lido_session *session, const lido_model *model, void *object);

/* Deletes the row with the struct's key; likewise. */
LIDO_API bool lido_delete_object(lido_session *session, const lido_model *model, const void *object);

/* Runs UPDATE table SET `text`: "price = price * ? WHERE owner_id = ?". Returns how many rows it changed. Objects that
 * the session has, and versions, stay as they are. */
LIDO_API int64_t lido_update_objects(lido_session *session, const lido_model *model, const char *text, size_t count,
                                     const lido_value *values);

/* Runs DELETE FROM table WHERE `condition`; "true" is all. Likewise. */
LIDO_API int64_t lido_delete_objects(lido_session *session, const lido_model *model, const char *condition,
                                     size_t count, const lido_value *values);

/* Reads the current row of any query into a struct, by its columns' names, of which the model's must all be there.
 * Texts live as long as the rows. False without a row, or if something does not fit: then the session has failed. Never
 * waits. */
LIDO_API bool lido_load_object(lido_rows *rows, const lido_model *model, void *object);

/* ---- The session's objects ---- */

/* The object with that key, of one value for each column of it in the model's order; NULL if there is no such row.
 * Does not wait if the session has it. */
LIDO_API void *lido_fetch_object(lido_session *session, const lido_model *model, size_t count, const lido_value *key);

/* The objects of the rows that SELECT … `tail` gives: an array, with a NULL behind the last, which lives as long as the
 * objects; *found, if it is not NULL, is how many. Never NULL: if nothing was found, or something failed, it is empty.
 * An object that the session has already stays as it is, unless it has expired. */
LIDO_API void **lido_find_objects(lido_session *session, const lido_model *model, size_t *found, const char *tail,
                                  size_t count, const lido_value *values);

/* The first of them; NULL: there is none. The tail has no LIMIT of its own. */
LIDO_API void *lido_first_object(lido_session *session, const lido_model *model, const char *tail, size_t count,
                                 const lido_value *values);

/* How many rows there are; the tail has neither ORDER BY nor LIMIT. And whether there is any. */
LIDO_API int64_t lido_count_objects(lido_session *session, const lido_model *model, const char *tail, size_t count,
                                    const lido_value *values);
LIDO_API bool lido_objects_exist(lido_session *session, const lido_model *model, const char *tail, size_t count,
                                 const lido_value *values);

/* Makes a copy of the struct, texts too, the session's, and has it inserted by the next flush. A uuid key is generated
 * at once; one that the database gives, and fallbacks, are there after the flush. A reference may be given by its
 * object member alone: the key is taken from there at the flush. An object with that key must not be there already. On
 * a failed session, and if it fails, the copy is returned all the same, but not inserted; NULL: out of memory, or not
 * this thread's session. Never waits. */
LIDO_API void *lido_add_object(lido_session *session, const lido_model *model, const void *object);

/* Has the row of one of the session's objects deleted by the next flush. Never waits. */
LIDO_API bool lido_remove_object(lido_session *session, const lido_model *model, void *object);

/* Reads one of the session's objects anew; what was changed and not flushed is lost. False, and nothing fails, if its
 * row is gone. */
LIDO_API bool lido_refresh_object(lido_session *session, const lido_model *model, void *object);

/* Fills in the member that LIDO_OBJECT names of `count` objects (the session's, or the program's) with one query for
 * all of them; NULL where the reference is NULL. What it finds is the session's. */
LIDO_API bool lido_load_related_objects(lido_session *session, const lido_model *model, void *const *objects,
                                        size_t count, const char *member);

/* Writes what was added, changed and removed: rows that are referred to before those that refer to them, deletions
 * last, in the opposite order; all of it together, and many objects of one model as lido_insert_many does. If
 * somebody else has changed a row with a version since it was read, or has removed one that is to be changed, the
 * session fails, with category serialisation; so it does if a row with a version that is to be deleted is gone. One
 * without, that is to be deleted and is gone, is no failure. The error says which object it befell. In autocommit mode
 * all of it is a transaction of its own. */
LIDO_API bool lido_flush(lido_session *session);

/* Flushes, then frees all objects and arrays that the session has handed out, and what lido_keep kept. For sessions
 * that live long. False, and nothing is freed, if the flush failed. */
LIDO_API bool lido_forget(lido_session *session);

/* A copy that lives as long as the session's objects. NULL: out of memory, and the session fails; or `data` is NULL.
 * Never waits. */
LIDO_API const void *lido_keep_data(lido_session *session, const void *data, size_t size);
LIDO_API const char *lido_keep_text(lido_session *session, const char *text);

LIDO_END_C

/* lido_fetch(db, Item, id) is an Item *, lido_find(db, Item, &n, "WHERE price < ?", 10.0) an Item **. */
#define lido_insert(db, T, ...) lido_insert_object(LIDO_HERE(db), &T##_model, LIDO_THE(T, (__VA_ARGS__)))
#define lido_insert_many(db, T, objects, count) \
    lido_insert_objects(LIDO_HERE(db), &T##_model, LIDO_THE(T, objects), count)
/* lido_upsert(db, Item, &item), or with unique columns: lido_upsert(db, Item, &item, "name"). */
#define lido_upsert(db, T, ...) LIDO_GLUE(LIDO_UPSERT_, LIDO_ONE_OR_MORE(__VA_ARGS__))(db, T, __VA_ARGS__)
#define lido_update(db, T, ...) lido_update_object(LIDO_HERE(db), &T##_model, LIDO_THE(T, (__VA_ARGS__)))
#define lido_delete(db, T, ...) lido_delete_object(LIDO_HERE(db), &T##_model, LIDO_THE_CONST(T, (__VA_ARGS__)))
#define lido_update_where(db, T, ...) lido_update_objects(LIDO_HERE(db), &T##_model, LIDO_ARGUMENTS(__VA_ARGS__))
#define lido_delete_where(db, T, ...) lido_delete_objects(LIDO_HERE(db), &T##_model, LIDO_ARGUMENTS(__VA_ARGS__))
#define lido_load(rows, T, object) lido_load_object(rows, &T##_model, LIDO_THE(T, object))

#define lido_fetch(db, T, ...) \
    ((T *)lido_fetch_object(LIDO_HERE(db), &T##_model, LIDO_COUNT(__VA_ARGS__), \
                            (const lido_value[]){LIDO_MAP(LIDO_VALUE, __VA_ARGS__)}))
#define lido_find(db, T, found, ...) \
    ((T **)lido_find_objects(LIDO_HERE(db), &T##_model, found, LIDO_ARGUMENTS(__VA_ARGS__)))
#define lido_first(db, T, ...) ((T *)lido_first_object(LIDO_HERE(db), &T##_model, LIDO_ARGUMENTS(__VA_ARGS__)))
#define lido_count(db, T, ...) lido_count_objects(LIDO_HERE(db), &T##_model, LIDO_ARGUMENTS(__VA_ARGS__))
#define lido_exists(db, T, ...) lido_objects_exist(LIDO_HERE(db), &T##_model, LIDO_ARGUMENTS(__VA_ARGS__))
#define lido_add(db, T, ...) ((T *)lido_add_object(LIDO_HERE(db), &T##_model, LIDO_THE_CONST(T, (__VA_ARGS__))))
#define lido_remove(db, T, object) lido_remove_object(LIDO_HERE(db), &T##_model, LIDO_THE(T, object))
#define lido_refresh(db, T, object) lido_refresh_object(LIDO_HERE(db), &T##_model, LIDO_THE(T, object))
#define lido_load_related(db, T, objects, count, member) \
    lido_load_related_objects(LIDO_HERE(db), &T##_model, (void *const *)(1 ? (objects) : (T **)NULL), count, \
                              &#member[0 * sizeof((T *)NULL)->member])

/* A pointer to a copy of a value, for a member that is one: item->discount = lido_keep(db, 0.5) */
#define lido_keep(db, value) \
    ((const __typeof__(value) *)lido_keep_data(LIDO_HERE(db), &(const __typeof__(value)){value}, sizeof(value)))

/* Inside: the pointer, which must be one to a T. */
#define LIDO_THE(T, pointer) (1 ? (pointer) : (T *)NULL)
#define LIDO_THE_CONST(T, pointer) (1 ? (pointer) : (const T *)NULL)
#define LIDO_UPSERT_1(db, T, object) lido_upsert_object(LIDO_HERE(db), &T##_model, LIDO_THE(T, object), NULL)
#define LIDO_UPSERT_N(db, T, object, unique) lido_upsert_object(LIDO_HERE(db), &T##_model, LIDO_THE(T, object), unique)

#endif
