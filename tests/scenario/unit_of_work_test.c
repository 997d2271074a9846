/* The session's objects: one for each key, and what becomes of them written by flushes, commits and savepoints. */
#include "support/shop.h"

LIDO_SEEDS(User, {.name = "bob"});

static const char *name_of(const Item *item) {
    return item != NULL ? item->name : "none";
}

/* A user and so many items of hers, named "a", "b" and so on, which cost 1, 2 and so on. */
static User fill_shop(lido_engine *engine, int items) {
    make_shop(engine);
    lido_session *db = lido_session_open(engine, NULL);
    User ada = {.name = "ada"};
    lido_insert(db, User, &ada);
    for (int i = 0; i < items; i++)
        lido_insert(db, Item, &(Item){.name = (char[]){(char)('a' + i), '\0'}, .price = i + 1, .owner_id = ada.id});
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    return ada;
}

static void story_of_one_for_each_key(lido_engine *engine) {
    fill_shop(engine, 3);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        size_t count;
        Item **items = lido_find(db, Item, &count, "WHERE price > ? ORDER BY name", 1);
        saw("%zu: %s %s, then nothing: %d", count, items[0]->name, items[1]->name, items[2] == NULL);
        saw("the same: %d %d %d", lido_fetch(db, Item, items[0]->id) == items[0],
            lido_first(db, Item, "WHERE name = ?", "b") == items[0],
            lido_find(db, Item, NULL, "WHERE name = 'b'")[0] == items[0]);
        saw("not there: %s %s", name_of(lido_fetch(db, Item, 99)), name_of(lido_first(db, Item, "WHERE price > 9")));
        items = lido_find(db, Item, &count, "WHERE price > 9");
        saw("%zu, %d", count, items[0] == NULL);
        lido_exec(db, "UPDATE items SET price = 7 WHERE name = 'a'");
        Item *a = lido_first(db, Item, "WHERE name = 'a'");
        lido_exec(db, "UPDATE items SET price = 8 WHERE name = 'a'");
        saw("as it was read: %g, %g", a->price, lido_first(db, Item, "WHERE name = 'a'")->price);
        saw("refreshed %d", lido_refresh(db, Item, a));
        saw("%g", a->price);
        lido_exec(db, "DELETE FROM items WHERE name = 'a'");
        saw("refreshed %d", lido_refresh(db, Item, a));
    }
    saw_status("transaction", outcome);
}

static void story_of_a_block(lido_engine *engine) {
    User ada = fill_shop(engine, 3);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        Item *a = lido_fetch(db, Item, 1);
        Item *b = lido_fetch(db, Item, 2);
        char chair[] = "chair";
        Item *added = lido_add(db, Item, &(Item){.name = chair, .price = 9, .owner_id = ada.id});
        chair[0] = 'C';
        a->price = 10;
        a->name = "table";
        lido_remove(db, Item, b);
        saw("not written yet: %d, %d items", (int)added->id, (int)lido_count(db, Item, ""));
        saw("what was removed is not found: %s", name_of(lido_fetch(db, Item, 2)));
    }
    saw_status("transaction", outcome);
    saw_items_of(engine);
}

/* Only what changed is written: others may have changed the rest. */
static void story_of_changed_columns(lido_engine *engine) {
    fill_shop(engine, 1);
    lido_session *db = lido_session_open(engine, NULL);
    User *ada = lido_first(db, User, "");
    lido_exec(db, "UPDATE users SET email = 'by another'");
    ada->name = "lady ada";
    saw("flushed %d", lido_flush(db));
    saw("%s", lido_query_value(db, "SELECT name || ', ' || email FROM users").as.text);
    ada->name = lido_keep_text(db, "lady ada");
    lido_exec(db, "UPDATE users SET name = 'the other'");
    saw("flushed %d", lido_flush(db));
    saw("equal is not changed: %s", lido_query_value(db, "SELECT name FROM users").as.text);
    ada->email = "x";
    lido_flush(db);
    ada->email = NULL;
    saw("flushed %d", lido_flush(db));
    saw("none left: %d", (int)lido_count(db, User, "WHERE email IS NULL"));
    Item *item = lido_fetch(db, Item, 1);
    item->discount = lido_keep(db, 0.5);
    lido_flush(db);
    saw("version %d", item->version);
    item->discount = lido_keep(db, 0.5);
    item->version = 77;
    lido_flush(db);
    saw("version %d", item->version);
    item->discount = NULL;
    lido_flush(db);
    saw("version %d, no discount: %d", item->version, (int)lido_count(db, Item, "WHERE discount IS NULL"));
    item->id = 5;
    saw("flushed %d", lido_flush(db));
    saw_failure(db);
    lido_session_close(db);
}

static void story_of_conflicts(lido_engine *engine) {
    fill_shop(engine, 2);
    lido_session *db = lido_session_open(engine, NULL);
    Item *a = lido_fetch(db, Item, 1);
    Item *b = lido_fetch(db, Item, 2);
    User *ada = lido_first(db, User, "");
    lido_exec(db, "UPDATE items SET version = 5, price = 50 WHERE id = 2");
    a->price = 7;
    b->price = 8;
    saw("flushed %d", lido_flush(db));
    const lido_error *error = lido_error_of(db);
    saw("%s, retryable %d, while %s: %s", lido_category_name(error->category), error->retryable, error->doing,
        error->message);
    saw_status("commit", lido_commit(db));
    saw_items_of(engine);
    ada = lido_first(db, User, "");
    lido_exec(db, "DELETE FROM items");
    lido_exec(db, "DELETE FROM users");
    ada->name = "nobody";
    saw("flushed %d", lido_flush(db));
    saw("%s", lido_category_name(lido_error_of(db)->category));
    lido_rollback(db);
    ada = lido_first(db, User, "");
    lido_exec(db, "DELETE FROM items");
    lido_exec(db, "DELETE FROM users");
    lido_remove(db, User, ada);
    saw("deleted what is gone: %d", lido_flush(db));
    lido_session_close(db);
}

static void story_of_a_rollback(lido_engine *engine) {
    User ada = fill_shop(engine, 2);
    lido_session *db = lido_session_open(engine, NULL);
    Item *a = lido_fetch(db, Item, 1);
    Item *added = lido_add(db, Item, &(Item){.name = "new", .owner_id = ada.id});
    a->price = 100;
    lido_flush(db);
    saw("flushed: %g, %d", a->price, (int)added->id);
    lido_rollback(db);
    saw("still readable: %s %g, %s", a->name, a->price, added->name);
    Item *again = lido_fetch(db, Item, 1);
    saw("read anew: %d, %g", again != a, again->price);
    a->price = 200;
    saw_status("commit", lido_commit(db));
    lido_add(db, Item, &(Item){.name = "lost", .owner_id = ada.id});
    lido_rollback(db);
    saw_status("commit", lido_commit(db));
    saw("removed %d", lido_remove(db, Item, a));
    saw_failure(db);
    lido_session_close(db);
    saw_items_of(engine);
}

static void story_of_savepoints(lido_engine *engine) {
    User ada = fill_shop(engine, 4);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        Item *a = lido_fetch(db, Item, 1);
        Item *b = lido_fetch(db, Item, 2);
        Item *c = lido_fetch(db, Item, 3);
        Item *before = lido_add(db, Item, &(Item){.name = "before", .owner_id = ada.id});
        Item *within = NULL;
        a->price = 10;
        lido_status inner;
        lido_savepoint_outcome (db, &inner) {
            saw("before is in: %d", before->id > 0);
            a->price = 20;
            b->price = 20;
            within = lido_add(db, Item, &(Item){.name = "within", .owner_id = ada.id});
            lido_remove(db, Item, c);
            lido_flush(db);
            b->price = 30;
            before->price = 30;
            Item *d = lido_fetch(db, Item, 4);
            lido_savepoint (db) {
                d->price = 40;
            }
            lido_remove(db, Item, d);
            lido_fail(db, "changed my mind");
        }
        saw_status("savepoint", inner);
        saw("%g %g %g %g", a->price, b->price, c->price, before->price);
        saw("c is there: %d, within is not: %d", lido_fetch(db, Item, 3) == c,
            lido_fetch(db, Item, within->id) == NULL);
        saw("d is read anew: %g", lido_fetch(db, Item, 4)->price);
        lido_savepoint (db) {
            c->price = 33;
            b->price = 22;
        }
        b->name = "bee";
    }
    saw_status("transaction", outcome);
    saw_items_of(engine);
}

static void story_of_autocommit(lido_engine *engine) {
    User ada = fill_shop(engine, 2);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    Item *a = lido_fetch(db, Item, 1);
    a->price = 5;
    lido_add(db, Item, &(Item){.name = "x", .owner_id = ada.id});
    saw("flushed %d", lido_flush(db));
    a->price = 6;
    lido_add(db, Item, &(Item){.name = "x", .owner_id = ada.id});
    saw("flushed %d", lido_flush(db));
    saw("%s", lido_category_name(lido_error_of(db)->category));
    saw_items_of(engine);
    a = lido_fetch(db, Item, 1);
    a->price = 8;
    saw_status("commit", lido_commit(db));
    a->price = 9;
    saw_status("close", lido_session_close(db));
    saw_items_of(engine);
}

/* What is a transaction of its own in autocommit mode leaves the objects that wait alone, however it ends. */
static void story_of_others_in_autocommit(lido_engine *engine) {
    const User ada = fill_shop(engine, 1);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_session *other = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_add(db, Item, &(Item){.name = "waits", .owner_id = ada.id});
    User twice[2] = {{.name = "cy"}, {.name = "ada"}};
    saw("inserted %d", (int)lido_insert_many(db, User, twice, 2));
    saw("%s", lido_category_name(lido_error_of(db)->category));
    saw("seeded %d", (int)lido_seed_files(db, "/nowhere", NULL));
    saw("%s", lido_status_name(lido_error_of(db)->status));
    saw("seeded %d", (int)lido_seed(db, LIDO_SEED_LIST(&User_seeds), NULL));
    lido_create_all(db, LIDO_MODEL_LIST(&User_model));
    saw("%d item, %d users", (int)lido_count(other, Item, ""), (int)lido_count(other, User, ""));
    saw("flushed %d", lido_flush(db));
    saw("%d items", (int)lido_count(other, Item, ""));
    lido_session_close(other);
    lido_session_close(db);
}

/* Rows that are to be deleted, and such as are gone. */
static void story_of_what_is_not_there(lido_engine *engine) {
    fill_shop(engine, 4);
    lido_session *db = lido_session_open(engine, NULL);
    lido_remove(db, Item, lido_first(db, Item, "ORDER BY name"));
    lido_remove(db, Item, lido_fetch(db, Item, 2));
    saw("the first that stays: %s", name_of(lido_first(db, Item, "ORDER BY name")));
    saw("none of these: %s", name_of(lido_first(db, Item, "WHERE price < 3")));
    Item *gone = lido_fetch(db, Item, 4);
    lido_exec(db, "DELETE FROM items WHERE id = 4");
    saw("refreshed %d", lido_refresh(db, Item, gone));
    saw("then fetched: %s", name_of(lido_fetch(db, Item, 4)));
    gone->name = "nobody's";
    saw("flushed %d", lido_flush(db));
    saw("items left: %d", (int)lido_count(db, Item, ""));
    lido_session_close(db);
}

/* Somebody else gives an item to another user: what is read again does not keep the one before. */
static void story_of_references_read_again(lido_engine *engine) {
    fill_shop(engine, 2);
    lido_session *db = lido_session_open(engine, NULL);
    User bob = {.name = "bob"};
    lido_insert(db, User, &bob);
    Item *items[] = {lido_fetch(db, Item, 1), lido_fetch(db, Item, 2)};
    lido_load_related(db, Item, items, 2, owner);
    saw("of %s, of %s", items[0]->owner->name, items[1]->owner->name);
    lido_exec(db, "UPDATE items SET price = 7");
    lido_exec(db, "UPDATE items SET owner_id = ? WHERE id = 1", bob.id);
    saw("read again: %d %d", lido_refresh(db, Item, items[0]), lido_refresh(db, Item, items[1]));
    saw("another owner, who is not there: %d; the other's is: %d", items[0]->owner == NULL, items[1]->owner != NULL);
    saw("nothing changed: %d, version %d", lido_flush(db), items[0]->version);
    lido_load_related(db, Item, items, 2, owner);
    saw("of %s, of %s", items[0]->owner->name, items[1]->owner->name);
    lido_session_close(db);
}

/* The program gives an object that it added the key of another one. */
static void story_of_keys_that_are_taken(lido_engine *engine) {
    const User ada = fill_shop(engine, 2);
    lido_session *db = lido_session_open(engine, NULL);
    lido_find(db, Item, NULL, "");
    Item *added = lido_add(db, Item, &(Item){.name = "new", .owner_id = ada.id});
    added->id = 2;
    saw("flushed %d", lido_flush(db));
    saw_failure(db);
    lido_rollback(db);
    lido_remove(db, Item, lido_fetch(db, Item, 2));
    added = lido_add(db, Item, &(Item){.name = "new", .owner_id = ada.id});
    added->id = 2;
    saw("flushed %d", lido_flush(db));
    saw_failure(db);
    lido_session_close(db);
}

static void story_of_options(lido_engine *engine) {
    User ada = fill_shop(engine, 1);
    lido_session *other = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autoflush = true, .expire_on_commit = true});
    Item *a = lido_fetch(db, Item, 1);
    lido_add(db, Item, &(Item){.name = "b", .price = 2, .owner_id = ada.id});
    a->price = 5;
    saw("%d items, found for 5: %d", (int)lido_count(db, Item, ""), lido_first(db, Item, "WHERE price = 5") == a);
    saw_status("commit", lido_commit(db));
    lido_exec(other, "UPDATE items SET price = 50");
    saw("until it is asked for: %g", a->price);
    saw("the same: %d", lido_fetch(db, Item, 1) == a);
    saw("%g", a->price);
    Item *b = lido_first(db, Item, "WHERE name = 'b'");
    saw("%g", b->price);
    saw_status("commit", lido_commit(db));
    b->price = 51;
    lido_exec(other, "DELETE FROM items WHERE id = 1");
    saw("gone: %d", lido_fetch(db, Item, 1) == NULL);
    saw("changed since, so not read again: %g", lido_first(db, Item, "WHERE name = 'b'")->price);
    saw_status("commit", lido_commit(db));
    lido_session_close(db);
    lido_session_close(other);
    saw_items_of(engine);
}

static void story_of_at_end(lido_engine *engine) {
    User ada = fill_shop(engine, 0);
    lido_status outcome;
    lido_transaction_with (db, engine, &(lido_session_options){.at_end = LIDO_AT_END_ROLLBACK}, &outcome)
        lido_add(db, Item, &(Item){.name = "lost", .owner_id = ada.id});
    saw_status("block that rolls back", outcome);
    lido_transaction (db, engine, &outcome) {
        lido_add(db, Item, &(Item){.name = "first", .owner_id = ada.id});
        saw_status("by hand", lido_commit(db));
        lido_add(db, Item, &(Item){.name = "second", .owner_id = ada.id});
    }
    saw_status("block", outcome);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.at_end = LIDO_AT_END_COMMIT});
    lido_add(db, Item, &(Item){.name = "third", .owner_id = ada.id});
    saw_status("close", lido_session_close(db));
    lido_transaction (blocked, engine, &outcome) {
        lido_add(blocked, Item, &(Item){.name = "left", .owner_id = ada.id});
        break;
    }
    saw_status("left", outcome);
    saw_items_of(engine);
}

static void story_of_forgetting(lido_engine *engine) {
    User ada = fill_shop(engine, 2);
    lido_session *db = lido_session_open(engine, NULL);
    size_t most = 0;
    for (int round = 0; round < 300; round++) {
        for (int id = 1; id <= 2; id++)
            lido_fetch(db, Item, id)->price = round;
        lido_find(db, Item, NULL, "");
        lido_keep_data(db, &ada, sizeof ada);
        assert_true(lido_forget(db));
        if (round == 20)
            most = scenario_allocated();
    }
    saw("bounded: %d", scenario_allocated() <= most + 65536);
    lido_add(db, Item, &(Item){.name = "a", .owner_id = ada.id});
    saw("forgot %d", lido_forget(db));
    saw("%s", lido_category_name(lido_error_of(db)->category));
    lido_session_close(db);
}

static const scenario scenarios[] = {
    {"one object for each key", story_of_one_for_each_key,
     "2: b c, then nothing: 1\nthe same: 1 1 1\nnot there: none none\n0, 1\nas it was read: 7, 7\nrefreshed 1\n8\n"
     "refreshed 0\ntransaction: ok\n"},
    {"a block writes what became of its objects", story_of_a_block,
     "not written yet: 0, 3 items\nwhat was removed is not found: none\ntransaction: ok\n  c 3 new 1\n"
     "  chair 9 new 1\n  table 10 new 2\n"},
    {"only what changed is written", story_of_changed_columns,
     "flushed 1\nlady ada, by another\nflushed 1\nequal is not changed: the other\nflushed 1\nnone left: 1\n"
     "version 2\nversion 2\nversion 3, no discount: 1\nflushed 0\n"
     "misuse: Item: the key of Item (id = 1) was changed in column id: a key stays; remove the object and add another, "
     "or use lido_update_where\n"},
    {"who was not the first is told", story_of_conflicts,
     "flushed 0\n"
     "serialisation failure, retryable 1, while updating Item (id = 2): Item: Item (id = 2) was changed or removed by "
     "somebody else since it was read\n"
     "commit: rolled back\n  a 1 new 1\n  b 2 new 1\nflushed 0\nserialisation failure\ndeleted what is gone: 1\n"},
    {"after a rollback nothing is known", story_of_a_rollback,
     "flushed: 100, 3\nstill readable: a 100, new\nread anew: 1, 1\ncommit: ok\ncommit: ok\nremoved 0\n"
     "misuse: Item: what is to be removed is none of the session's objects: fetch it, or use lido_delete\n"
     "  a 1 new 1\n  b 2 new 1\n"},
    {"what a savepoint undoes, objects undo", story_of_savepoints,
     "before is in: 1\nsavepoint: rolled back\n10 2 3 0\nc is there: 1, within is not: 1\nd is read anew: 4\n"
     "transaction: ok\n  a 10 new 2\n  bee 22 new 3\n  before 0 new 1\n  c 33 new 2\n  d 4 new 1\n"},
    {"a flush in autocommit mode is a transaction", story_of_autocommit,
     "flushed 1\nflushed 0\nunique violation\n  a 5 new 2\n  b 2 new 1\n  x 0 new 1\ncommit: ok\nclose: ok\n"
     "  a 9 new 4\n  b 2 new 1\n  x 0 new 1\n"},
    {"others in autocommit mode leave objects alone", story_of_others_in_autocommit,
     "inserted 0\nunique violation\nseeded 0\nerror\nseeded 1\n1 item, 2 users\nflushed 1\n2 items\n"},
    {"what is not there is not found", story_of_what_is_not_there,
     "the first that stays: c\nnone of these: none\nrefreshed 0\nthen fetched: none\nflushed 1\nitems left: 1\n"},
    {"a reference that is read again loses its object", story_of_references_read_again,
     "of ada, of ada\nread again: 1 1\nanother owner, who is not there: 1; the other's is: 1\n"
     "nothing changed: 1, version 1\nof bob, of ada\n"},
    {"a key that another object has", story_of_keys_that_are_taken,
     "flushed 0\nmisuse: Item: Item (id = 2) is one of the session's objects already: change that\n"
     "flushed 0\nmisuse: Item: Item (id = 2) was removed and is still to be deleted: flush before another one is "
     "added\n"},
    {"autoflush, and objects that expire", story_of_options,
     "2 items, found for 5: 1\ncommit: ok\nuntil it is asked for: 5\nthe same: 1\n50\n50\ncommit: ok\ngone: 1\n"
     "changed since, so not read again: 51\ncommit: ok\n  b 51 new 2\n"},
    {"ends of blocks and sessions", story_of_at_end,
     "block that rolls back: rolled back\nby hand: ok\nblock: ok\nclose: ok\nleft: rolled back\n  first 0 new 1\n"
     "  second 0 new 1\n  third 0 new 1\n"},
    {"a session that lives long lets go", story_of_forgetting, "bounded: 1\nforgot 0\nunique violation\n"},
};

int main(void) {
    return scenarios_run("unit of work", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
