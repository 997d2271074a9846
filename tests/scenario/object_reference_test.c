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

LIDO_MODEL(Owner, "owners", LIDO_KEY(Owner, id), LIDO_FIELD(Owner, name, .unique = true),
           LIDO_ROW_VERSION(Owner, version));

LIDO_MODEL(Thing, "things", LIDO_KEY(Thing, id), LIDO_FIELD(Thing, name),
           LIDO_REF(Thing, owner_id, Owner, LIDO_OBJECT(Thing, owner)));

LIDO_MODEL(Key, "keys", LIDO_KEY(Key, id),
           LIDO_REF(Key, owner_id, Owner, .on_delete = LIDO_CASCADE, LIDO_OBJECT(Key, owner)));

static lido_session *open_house(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_create_all(db, LIDO_MODEL_LIST(&Owner_model, &Thing_model, &Key_model));
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
    lido_session_close(db);
}

static const scenario scenarios[] = {
    {"what is gone already hides no conflict", story_of_a_conflict_behind,
     "flushed 0\nserialisation failure: Owner: Owner (id = 1) was changed or removed by somebody else since it was "
     "read\ncommit: rolled back\n1 owner\n"},
    {"an owner that is new", story_of_a_new_owner,
     "flushed 1\nflushed 1\nthe key is there: 1\ncommit: ok\n1 with an owner\n"},
};

int main(void) {
    return scenarios_run("objects that refer to others", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
