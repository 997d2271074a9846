/* Objects that refer to others whose keys come late, whose keys are references themselves, or that go missing. */
#include "support/shop.h"

typedef struct Owner {
    int64_t id;
    const char *name;
    int version;
} Owner;

typedef struct Thing {
    lido_uuid id;
    const char *name;
    const int64_t *owner_id;
    Owner *owner;
} Thing;

/* Goes with its owner, whoever removes that; it has no version. */
typedef struct Key {
    int64_t id;
    int64_t owner_id;
    Owner *owner;
} Key;

typedef struct Tag {
    lido_uuid id;
    const char *name;
} Tag;

/* Which owner has which tag: its key is what it links. */
typedef struct OwnerTag {
    int64_t owner_id;
    lido_uuid tag_id;
    Owner *owner;
    Tag *tag;
} OwnerTag;

/* SQLite gives both its key and its state, so that many are not inserted in bulk. */
typedef struct Step {
    int64_t id;
    const char *state;
    const int64_t *parent_id;
    struct Step *parent;
} Step;

/* Its key is given, and may be 0. */
typedef struct Kind {
    int code;
    const char *name;
} Kind;

typedef struct Sort {
    int64_t id;
    int kind_code;
    Kind *kind;
} Sort;

LIDO_MODEL(Kind, "kinds", LIDO_KEY(Kind, code), LIDO_FIELD(Kind, name));

LIDO_MODEL(Sort, "sorts", LIDO_KEY(Sort, id), LIDO_REF(Sort, kind_code, Kind, LIDO_OBJECT(Sort, kind)));

typedef struct Picture {
    lido_bytes hash;
} Picture;

typedef struct Frame {
    int64_t id;
    lido_bytes hash;
    Picture *picture;
} Frame;

LIDO_MODEL(Picture, "pictures", LIDO_KEY(Picture, hash));

LIDO_MODEL(Frame, "frames", LIDO_KEY(Frame, id), LIDO_REF(Frame, hash, Picture, LIDO_OBJECT(Frame, picture)));

LIDO_MODEL(Owner, "owners", LIDO_KEY(Owner, id), LIDO_FIELD(Owner, name, .unique = true),
           LIDO_ROW_VERSION(Owner, version));

LIDO_MODEL(Thing, "things", LIDO_KEY(Thing, id), LIDO_FIELD(Thing, name),
           LIDO_REF(Thing, owner_id, Owner, LIDO_OBJECT(Thing, owner)));

LIDO_MODEL(Key, "keys", LIDO_KEY(Key, id),
           LIDO_REF(Key, owner_id, Owner, .on_delete = LIDO_CASCADE, LIDO_OBJECT(Key, owner)));

LIDO_MODEL(Tag, "tags", LIDO_KEY(Tag, id), LIDO_FIELD(Tag, name));

LIDO_MODEL(OwnerTag, "owner_tags", LIDO_REF(OwnerTag, owner_id, Owner, .key = true, LIDO_OBJECT(OwnerTag, owner)),
           LIDO_REF(OwnerTag, tag_id, Tag, .key = true, LIDO_OBJECT(OwnerTag, tag)));

LIDO_MODEL(Step, "steps", LIDO_KEY(Step, id), LIDO_FIELD(Step, state, .fallback = "'new'"),
           LIDO_REF(Step, parent_id, Step, LIDO_OBJECT(Step, parent)));

static lido_session *open_house(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_create_all(db, LIDO_MODEL_LIST(&Owner_model, &Thing_model, &Key_model, &Tag_model, &OwnerTag_model,
                                        &Step_model, &Kind_model, &Sort_model));
    assert_int_equal(lido_commit(db), LIDO_OK);
    return db;
}

/* That a row is gone that was to be deleted is no failure; that the next one was changed is. */
static void story_of_a_conflict_behind(lido_engine *engine) {
    lido_session *db = open_house(engine);
    Owner *ada = lido_add(db, Owner, &(Owner){.name = "ada"});
    Key *key = lido_add(db, Key, &(Key){.owner = ada});
    lido_commit(db);
    lido_exec(db, "DELETE FROM keys");
    lido_exec(db, "UPDATE owners SET version = 9");
    lido_remove(db, Key, key);
    lido_remove(db, Owner, ada);
    saw("flushed %d", lido_flush(db));
    saw_failure(db);
    saw_status("commit", lido_commit(db));
    saw("%d owner", (int)lido_count(db, Owner, ""));
    lido_session_close(db);
}

/* The only change is an object whose key the database has yet to give. */
static void story_of_a_new_owner(lido_engine *engine) {
    lido_session *db = open_house(engine);
    Thing *lamp = lido_add(db, Thing, &(Thing){.name = "lamp"});
    saw("flushed %d", lido_flush(db));
    lamp->owner = lido_add(db, Owner, &(Owner){.name = "ada"});
    saw("flushed %d", lido_flush(db));
    saw("the key is there: %d", lamp->owner_id != NULL && *lamp->owner_id == lamp->owner->id);
    saw_status("commit", lido_commit(db));
    saw("%d with an owner", (int)lido_count(db, Thing, "WHERE owner_id IS NOT NULL"));
    saw("found by a join: %d", lido_first(db, Thing, "JOIN owners o ON o.id = owner_id WHERE o.name = 'ada'") == lamp);
    lido_session_close(db);
}

/* What is written at once cannot wait for a key: it is not written without it either. */
static void story_of_no_key_yet(lido_engine *engine) {
    lido_session *db = open_house(engine);
    Owner *ada = lido_add(db, Owner, &(Owner){.name = "ada"});
    Owner mine = {.name = "mine"};
    Thing lamp = {.name = "lamp"};
    SAW_REFUSAL(db, lido_insert(db, Thing, &(Thing){.owner = lido_add(db, Owner, &(Owner){.name = "bob"})}));
    lamp.owner = &mine;
    SAW_REFUSAL(db, lido_insert_many(db, Thing, &lamp, 1));
    SAW_REFUSAL(db, lido_update(db, Thing, &lamp));
    saw("of ada, who was flushed meanwhile: %d", lido_insert(db, Thing, &(Thing){.name = "table", .owner = ada}));
    Thing *bed = lido_add(db, Thing, &(Thing){.name = "bed", .owner = &mine});
    saw("flushed %d, without key: %d", lido_flush(db), bed->owner_id == NULL);
    saw_failure(db);
    lido_session_close(db);
}

static void saw_links(lido_session *db) {
    lido_rows *rows = lido_query(db, "SELECT o.name, t.name FROM owner_tags x JOIN owners o ON o.id = x.owner_id "
                                     "JOIN tags t ON t.id = x.tag_id ORDER BY o.name, t.name");
    while (lido_next(rows))
        saw("  %s is %s", lido_get_text(rows, 0), lido_get_text(rows, 1));
    lido_rows_close(rows);
}

/* Rows whose key is the keys of others, which the database gives later than they are added. */
static void story_of_links(lido_engine *engine) {
    lido_session *db = open_house(engine);
    Owner *ada = lido_add(db, Owner, &(Owner){.name = "ada"});
    Owner *bob = lido_add(db, Owner, &(Owner){.name = "bob"});
    Tag *kind = lido_add(db, Tag, &(Tag){.name = "kind"});
    Tag *tall = lido_add(db, Tag, &(Tag){.name = "tall"});
    OwnerTag *first = lido_add(db, OwnerTag, &(OwnerTag){.owner = ada, .tag = kind});
    lido_add(db, OwnerTag, &(OwnerTag){.owner = ada, .tag = tall});
    lido_add(db, OwnerTag, &(OwnerTag){.owner = bob, .tag = tall});
    OwnerTag *taken_back = lido_add(db, OwnerTag, &(OwnerTag){.owner = bob, .tag = kind});
    lido_remove(db, OwnerTag, taken_back);
    saw("flushed %d", lido_flush(db));
    saw_links(db);
    saw("one object: %d", lido_fetch(db, OwnerTag, ada->id, kind->id) == first);
    lido_add(db, OwnerTag, &(OwnerTag){.owner = bob, .tag = kind});
    saw("removed %d", lido_remove(db, OwnerTag, first));
    saw("flushed %d", lido_flush(db));
    saw_links(db);
    saw_status("commit", lido_commit(db));
    lido_add(db, OwnerTag, &(OwnerTag){.owner = bob, .tag = kind});
    saw("the same again: %s", lido_category_name(lido_error_of(db)->category));
    lido_rollback(db);
    ada = lido_first(db, Owner, "WHERE name = 'ada'");
    tall = lido_first(db, Tag, "WHERE name = 'tall'");
    for (int i = 0; i < 100; i++)
        lido_add(db, OwnerTag, &(OwnerTag){.owner = ada, .tag = lido_add(db, Tag, &(Tag){.name = "many"})});
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "o%d", i);
        lido_add(db, OwnerTag, &(OwnerTag){.owner = lido_add(db, Owner, &(Owner){.name = name}), .tag = tall});
    }
    saw_status("commit", lido_commit(db));
    saw("%d", (int)lido_count(db, OwnerTag, ""));
    lido_session_close(db);
}

/* So many that one batch would do, though each refers to one that is inserted just before. */
static void story_of_steps(lido_engine *engine) {
    enum { STEPS = 40 };
    lido_session *db = open_house(engine);
    Step *steps[STEPS];
    for (int i = 0; i < STEPS; i++)
        steps[i] = lido_add(db, Step, &(Step){.parent = i > 0 ? steps[i - 1] : NULL});
    saw_status("commit", lido_commit(db));
    saw("%d without parent, all are new: %d", (int)lido_count(db, Step, "WHERE parent_id IS NULL"),
        (int)lido_count(db, Step, "WHERE state = 'new'") == STEPS);
    lido_session_close(db);
}

/* A reference whose object was loaded is cleared by its key alone. */
static void story_of_clearing(lido_engine *engine) {
    lido_session *db = open_house(engine);
    Owner *ada = lido_add(db, Owner, &(Owner){.name = "ada"});
    Thing *lamp = lido_add(db, Thing, &(Thing){.name = "lamp", .owner = ada});
    lido_flush(db);
    saw("loaded %d", lido_load_related(db, Thing, &lamp, 1, owner));
    lamp->owner_id = NULL;
    saw("updated %d", lido_update(db, Thing, lamp));
    saw("%d without owner", (int)lido_count(db, Thing, "WHERE owner_id IS NULL"));
    lamp->owner_id = &ada->id;
    saw("updated %d", lido_update(db, Thing, lamp));
    lamp->owner_id = NULL;
    saw("upserted %d", lido_upsert(db, Thing, lamp));
    saw("%d without owner", (int)lido_count(db, Thing, "WHERE owner_id IS NULL"));
    lido_session_close(db);
}

/* What waits to be inserted and is inserted at once waits no more. */
static void story_of_inserting_what_was_added(lido_engine *engine) {
    lido_session *db = open_house(engine);
    Thing *lamp = lido_add(db, Thing, &(Thing){.name = "lamp"});
    Owner *ada = lido_add(db, Owner, &(Owner){.name = "ada"});
    Owner *bob = lido_add(db, Owner, &(Owner){.name = "bob"});
    saw("inserted %d", lido_insert(db, Thing, lamp));
    saw("inserted %d, upserted %d", lido_insert(db, Owner, ada), lido_upsert(db, Owner, bob, "name"));
    saw("flushed %d", lido_flush(db));
    ada->name = "lady ada";
    lamp->owner = ada;
    saw_status("commit", lido_commit(db));
    saw("%s: %d thing, %d owners", lido_query_value(db, "SELECT name FROM owners WHERE id = ?", ada->id).as.text,
        (int)lido_count(db, Thing, "WHERE owner_id = ?", ada->id), (int)lido_count(db, Owner, ""));
    lido_session_close(db);
}

/* A key that is not generated may be 0. */
static void story_of_key_zero(lido_engine *engine) {
    lido_session *db = open_house(engine);
    Kind *other = lido_add(db, Kind, &(Kind){.code = 7, .name = "seven"});
    lido_add(db, Kind, &(Kind){.code = 0, .name = "zero"});
    lido_add(db, Sort, &(Sort){.kind = other});
    lido_add(db, Sort, &(Sort){.kind_code = 0});
    saw_status("commit", lido_commit(db));
    lido_forget(db);
    size_t count;
    Sort **sorts = lido_find(db, Sort, &count, "ORDER BY kind_code");
    saw("loaded %d", lido_load_related(db, Sort, sorts, count, kind));
    saw("%s, %s", sorts[0]->kind != NULL ? sorts[0]->kind->name : "none", sorts[1]->kind->name);
    sorts[1]->kind_code = 0;
    saw("loaded %d", lido_load_related(db, Sort, sorts, count, kind));
    saw("the same: %d", sorts[0]->kind == sorts[1]->kind);
    SAW_REFUSAL(db, lido_count(db, Frame, ""));
    lido_session_close(db);
}

/* Keys are given from 1 on, whatever the program has put in. */
static void story_of_a_key_below_zero(lido_engine *engine) {
    enum { MANY = 40 };
    lido_session *db = open_house(engine);
    Owner many[MANY] = {{.id = 0}};
    char names[MANY][8];
    lido_insert(db, Owner, &(Owner){.id = -3, .name = "below"});
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        many[i].name = names[i];
    }
    saw("inserted %d", (int)lido_insert_many(db, Owner, many, MANY));
    saw("from %d to %d", (int)many[0].id, (int)many[MANY - 1].id);
    lido_session_close(db);
}

static const scenario scenarios[] = {
    {"what is gone already hides no conflict", story_of_a_conflict_behind,
     "flushed 0\nserialisation failure: Owner: Owner (id = 1) was changed or removed by somebody else since it was "
     "read\ncommit: rolled back\n1 owner\n"},
    {"an owner that has no key yet", story_of_no_key_yet,
     "misuse: Thing: owner has no key yet: flush, or insert it, first\nmisuse: Thing: owner has no key yet: flush, or "
     "insert it, first\n"
     "misuse: Thing: owner has no key yet: flush, or insert it, first\nof ada, who was flushed meanwhile: 1\nflushed "
     "0, without key: 1\n"
     "misuse: Thing: owner has no key yet: flush, or insert it, first\n"},
    {"links, by the objects that they link", story_of_links,
     "flushed 1\n  ada is kind\n  ada is tall\n  bob is tall\none object: 1\nremoved 1\nflushed 1\n  ada is tall\n  "
     "bob is kind\n  bob is tall\ncommit: ok\nthe same again: misuse\ncommit: ok\n203\n"},
    {"a chain of which the database gives more than keys", story_of_steps,
     "commit: ok\n1 without parent, all are new: 1\n"},
    {"a loaded owner is cleared", story_of_clearing,
     "loaded 1\nupdated 1\n1 without owner\nupdated 1\nupserted 1\n1 without owner\n"},
    {"inserted at once after it was added", story_of_inserting_what_was_added,
     "inserted 1\ninserted 1, upserted 1\nflushed 1\ncommit: ok\nlady ada: 1 thing, 2 owners\n"},
    {"a key that is zero", story_of_key_zero,
     "commit: ok\nloaded 1\nzero, seven\nloaded 1\nthe same: 1\nmisuse: model Frame: column hash is a blob, and "
     "objects are not "
     "referred to by blobs: leave LIDO_OBJECT away\n"},
    {"a key below zero", story_of_a_key_below_zero, "inserted 40\nfrom 1 to 40\n"},
    {"an owner that is new", story_of_a_new_owner,
     "flushed 1\nflushed 1\nthe key is there: 1\ncommit: ok\n1 with an owner\nfound by a join: 1\n"},
};

int main(void) {
    return scenarios_run("objects that refer to others", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
