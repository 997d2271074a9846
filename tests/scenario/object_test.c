/* Rows as structs of the program's: inserted, found again, updated, deleted, at once. */
#include "support/shop.h"

#include <math.h>

static void story_of_one_struct(lido_engine *engine) {
    make_shop(engine);
    User ada = {.name = "ada"};
    Item lamp = {.name = "lamp", .price = 12.5, .owner = &ada};
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        saw("inserted %d", lido_insert(db, User, &ada));
        saw("its key was made: %d", memcmp(&ada.id, &(lido_uuid){{0}}, 16) != 0);
        saw("inserted %d", lido_insert(db, Item, &lamp));
        saw("it has %d, is %s, version %d, owned by ada: %d", (int)lamp.id, lamp.state, lamp.version,
            memcmp(&lamp.owner_id, &ada.id, 16) == 0);
        saw("made just now: %d", lido_time_now().microseconds - lamp.created_at.microseconds < 600000000 &&
                                     lamp.created_at.microseconds > 0);
        lamp.price = 10;
        lamp.discount = &(double){0.25};
        saw("updated %d", lido_update(db, Item, &lamp));
        saw("version %d", lamp.version);
    }
    saw_status("transaction", outcome);
    saw_items_of(engine);
    lido_transaction (db, engine, &outcome) {
        saw("deleted %d", lido_delete(db, Item, &lamp));
        User nobody = {.id = lido_uuid_new(), .name = "nobody"};
        saw("updated %d", lido_update(db, User, &nobody));
        saw("deleted %d", lido_delete(db, User, &nobody));
    }
    saw_status("transaction", outcome);
    saw_items_of(engine);
}

static void story_of_upserts(lido_engine *engine) {
    make_shop(engine);
    User ada = {.name = "ada", .email = "ada@example.org"};
    User again = {.name = "ada", .email = "countess@example.org"};
    User same = {.name = "lady ada"};
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("upserted %d", lido_upsert(db, User, &ada));
    saw("upserted %d", lido_upsert(db, User, &again, "name"));
    saw("the same key: %d", memcmp(&ada.id, &again.id, 16) == 0);
    same.id = ada.id;
    saw("upserted %d", lido_upsert(db, User, &same));
    Item lamp = {.name = "lamp", .price = 1, .owner_id = ada.id};
    Item other = {.name = "lamp", .price = 2, .owner_id = ada.id};
    saw("upserted %d", lido_upsert(db, Item, &lamp, "name"));
    saw("upserted %d", lido_upsert(db, Item, &other, "name"));
    saw("version %d, the same key %d, state %s", other.version, other.id == lamp.id, other.state);
    Line line = {1, 2, "one"};
    saw("upserted %d", lido_upsert(db, Line, &line));
    line.text = "two";
    saw("upserted %d", lido_upsert(db, Line, &line));
    saw("upserted %d", lido_upsert(db, Line, &line, "order_number, position"));
    saw("upserted %d", lido_upsert(db, Line, &line, "order_number, nothing"));
    saw_failure(db);
    saw("%d user, %s; %d line, %s", (int)lido_count(db, User, ""), lido_first(db, User, "")->name,
        (int)lido_count(db, Line, ""), lido_fetch(db, Line, 1, 2)->text);
    lido_session_close(db);
    saw_items_of(engine);
}

static void story_of_versions(lido_engine *engine) {
    make_shop(engine);
    User ada = {.name = "ada"};
    Item lamp = {.name = "lamp", .price = 1, .owner = &ada};
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_insert(db, User, &ada);
    lido_insert(db, Item, &lamp);
    Item mine = lamp;
    Item theirs = lamp;
    theirs.price = 2;
    mine.price = 3;
    saw("theirs %d", lido_update(db, Item, &theirs));
    saw("mine %d", lido_update(db, Item, &mine));
    const lido_error *error = lido_error_of(db);
    saw("%s, retryable %d: %s", lido_category_name(error->category), error->retryable, error->message);
    saw("hint: %s", error->hint);
    saw("delete mine %d", lido_delete(db, Item, &mine));
    saw("delete theirs %d", lido_delete(db, Item, &theirs));
    lido_session_close(db);
    saw_items_of(engine);
}

static void story_of_conditions(lido_engine *engine) {
    make_shop(engine);
    lido_status outcome;
    User ada = {.name = "ada"};
    lido_transaction (db, engine, &outcome) {
        lido_insert(db, User, &ada);
        for (int i = 1; i <= 5; i++) {
            char name[16];
            snprintf(name, sizeof name, "item %d", i);
            lido_insert(db, Item, &(Item){.name = name, .price = i, .owner_id = ada.id});
        }
        saw("%d cost less than 3", (int)lido_count(db, Item, "WHERE price < ?", 3));
        saw("there is one for 5: %d, for 6: %d", lido_exists(db, Item, "WHERE price = ?", 5),
            lido_exists(db, Item, "WHERE price = ?", 6));
        saw("%d raised", (int)lido_update_where(db, Item, "price = price * ? WHERE price > :than", LIDO_AS("than", 3)));
        saw_failure(db);
        lido_rollback(db);
        lido_insert(db, User, &ada);
        for (int i = 1; i <= 5; i++) {
            char name[16];
            snprintf(name, sizeof name, "item %d", i);
            lido_insert(db, Item, &(Item){.name = name, .price = i, .owner_id = ada.id});
        }
        saw("%d raised", (int)lido_update_where(db, Item, "price = price * ? WHERE price > ?", 10, 3));
        saw("%d deleted", (int)lido_delete_where(db, Item, "name = ? OR price = ?", "item 1", 50));
    }
    saw_status("transaction", outcome);
    saw_items_of(engine);
    lido_transaction (db, engine, &outcome)
        saw("%d deleted", (int)lido_delete_where(db, Item, "true"));
    saw_items_of(engine);
}

static void story_of_loading(lido_engine *engine) {
    make_shop(engine);
    lido_session *db = lido_session_open(engine, NULL);
    User ada = {.name = "ada"};
    lido_insert(db, User, &ada);
    lido_insert(db, Item, &(Item){.name = "lamp", .price = 2, .owner = &ada, .discount = &(double){0.5}});
    lido_insert(db, Item, &(Item){.name = "chair", .price = 4, .owner = &ada});
    Item item;
    User owner;
    memset(&item, 0, sizeof item);
    lido_rows *rows = lido_stream(db, "SELECT u.name AS owner, items.* FROM items JOIN users u ON u.id = owner_id "
                                      "ORDER BY items.name");
    while (lido_next(rows) && lido_load(rows, Item, &item))
        saw("%s of %s, discount %g", item.name, lido_get_text(rows, 0), item.discount != NULL ? *item.discount : -1);
    rows = lido_query(db, "SELECT id, name, price FROM items");
    lido_next(rows);
    saw("loaded %d", lido_load(rows, Item, &item));
    saw_failure(db);
    lido_rollback(db);
    rows = lido_query(db, "SELECT 1 AS id, NULL AS name, NULL AS email");
    saw("loaded %d", lido_load(rows, User, &owner));
    saw_failure(db);
    lido_rollback(db);
    rows =
        lido_query(db, "SELECT '00000000-0000-0000-0000-000000000001' AS id, CAST(NULL AS text) AS name, 'x' AS email");
    lido_next(rows);
    saw("loaded %d", lido_load(rows, User, &owner));
    saw_failure(db);
    saw("loaded nothing: %d", lido_load(NULL, User, &owner));
    lido_session_close(db);
}

/* Few and many, with what the database gives. */
static void story_of_many(lido_engine *engine) {
    enum { MANY = 700 };
    static const size_t counts[] = {1, 2, 31, 32, MANY};
    static Item items[MANY];
    static char names[MANY][48];
    make_shop(engine);
    lido_status outcome;
    int64_t last = 0;
    User ada = {.name = "ada"};
    lido_transaction (db, engine, &outcome)
        lido_insert(db, User, &ada);
    for (size_t round = 0; round < sizeof counts / sizeof counts[0]; round++)
        lido_transaction (db, engine, &outcome) {
            size_t wrong = 0;
            for (size_t i = 0; i < counts[round]; i++) {
                snprintf(names[i], sizeof names[i], "%zu of %zu", i, round);
                items[i] = (Item){.name = names[i], .price = (double)i, .owner = &ada};
                if (i % 3 == 1)
                    items[i].state = "old";
            }
            saw("inserted %d", (int)lido_insert_many(db, Item, items, counts[round]));
            for (size_t i = 0; i < counts[round]; i++) {
                const Item *found = lido_fetch(db, Item, items[i].id);
                wrong += items[i].id <= last || found == NULL || strcmp(found->name, names[i]) != 0 ||
                         strcmp(found->state, i % 3 == 1 ? "old" : "new") != 0 || found->version != 1 ||
                         strcmp(found->state, items[i].state) != 0 || items[i].version != 1 ||
                         found->created_at.microseconds != items[i].created_at.microseconds;
                last = items[i].id;
            }
            saw("wrong %zu", wrong);
        }
    saw_status("transaction", outcome);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    User users[40] = {{.name = "u0"}};
    char user_names[40][8];
    for (int i = 0; i < 40; i++) {
        snprintf(user_names[i], sizeof user_names[i], "u%02d", i);
        users[i].name = user_names[i];
    }
    saw("inserted %d", (int)lido_insert_many(db, User, users, 40));
    saw("inserted %d", (int)lido_insert_many(db, User, users, 40));
    saw("%s, row %s", lido_category_name(lido_error_of(db)->category), lido_error_of(db)->row == 1 ? "1" : "not told");
    saw("inserted nothing: %d", (int)lido_insert_many(db, User, users, 0));
    saw("%d users", (int)lido_count(db, User, ""));
    lido_session_close(db);
}

static void story_of_mistakes(lido_engine *engine) {
    make_shop(engine);
    lido_session *db = lido_session_open(engine, NULL);
    SAW_REFUSAL(db, lido_insert(db, User, (User *)NULL));
    SAW_REFUSAL(db, lido_fetch(db, Line, 1));
    SAW_REFUSAL(db, lido_fetch(db, User, "no uuid"));
    SAW_REFUSAL(db, lido_fetch(db, Item, lido_null));
    SAW_REFUSAL(db, lido_find(db, Item, NULL, (const char *)NULL));
    SAW_REFUSAL(db, lido_remove(db, User, &(User){.name = "stranger"}));
    SAW_REFUSAL(db, lido_refresh(db, User, &(User){.name = "stranger"}));
    lido_error refusal;
    lido_savepoint_outcome (db, &refusal)
        lido_insert(db, User, &(User){.id = {{1}}, .name = NULL});
    saw("%s while %s", lido_category_name(refusal.category), refusal.doing);
    lido_savepoint_outcome (db, &refusal)
        lido_insert(db, User, &(User){.name = "not \xff utf-8"});
    saw("%s: %s", lido_category_name(refusal.category), refusal.message);
    lido_fail(db, "that is it");
    saw("nothing: %d %d %d %d", lido_insert(db, User, &(User){.name = "x"}),
        lido_fetch(db, User, lido_uuid_new()) != NULL, lido_find(db, User, NULL, "")[0] != NULL,
        (int)lido_count(db, User, ""));
    lido_session_close(db);
}

static const scenario scenarios[] = {
    {"a struct goes in, is changed and goes", story_of_one_struct,
     "inserted 1\nits key was made: 1\ninserted 1\nit has 1, is new, version 1, owned by ada: 1\nmade just now: 1\n"
     "updated 1\nversion 2\ntransaction: ok\n  lamp 10 new 2\ndeleted 1\nupdated 0\ndeleted 0\ntransaction: ok\n"
     "  no items\n"},
    {"insert or update", story_of_upserts,
     "upserted 1\nupserted 1\nthe same key: 1\nupserted 1\nupserted 1\n"
     "upserted 1\nversion 2, the same key 1, state new\nupserted 1\nupserted 1\nupserted 1\nupserted 0\n"
     "misuse: Line: there is no column \"nothing\"\n1 user, lady ada; 1 line, two\n  lamp 2 new 2\n"},
    {"who comes later has to read again", story_of_versions,
     "theirs 1\nmine 0\n"
     "serialisation failure, retryable 1: Item: Item (id = 1) was changed or removed by somebody else since it was "
     "read\n"
     "hint: read it again and do anew what was done with it\ndelete mine 0\ndelete theirs 1\n  no items\n"},
    {"by condition", story_of_conditions,
     "2 cost less than 3\nthere is one for 5: 1, for 6: 0\n0 raised\n"
     "misuse: the statement mixes two kinds of placeholders: ? (byte 36) and :than (byte 52)\n2 raised\n"
     "2 deleted\ntransaction: ok\n  item 2 2 new 1\n  item 3 3 new 1\n  item 4 40 new 1\n3 deleted\n  no items\n"},
    {"rows of any query as structs", story_of_loading,
     "chair of ada, discount -1\nlamp of ada, discount 0.5\nloaded 0\n"
     "misuse: Item: the rows have no column discount: select all of the model's, or use lido_scan\nloaded 0\n"
     "misuse: User: there is no current row: call lido_next first, and heed its answer\nloaded 0\n"
     "type mismatch: User: column name cannot be read: it is NULL, which the model does not allow\n"
     "loaded nothing: 0\n"},
    {"few and many, with what the database gives", story_of_many,
     "inserted 1\nwrong 0\ninserted 2\nwrong 0\ninserted 31\nwrong 0\ninserted 32\nwrong 0\ninserted 700\n"
     "wrong 0\ntransaction: ok\ninserted 40\ninserted 0\nunique violation, row 1\ninserted nothing: 0\n41 users\n"},
    {"mistakes are named", story_of_mistakes,
     "misuse: User: the pointer to the struct is NULL\n"
     "misuse: Line: the key has 2 columns, and 1 value was given\n"
     "type mismatch: User: the value for the key's column id does not fit: it is not a uuid\n"
     "type mismatch: Item: the value for the key's column id does not fit: it is NULL\n"
     "misuse: the SQL text is NULL: \"\" is all rows\n"
     "misuse: User: what is to be removed is none of the session's objects: fetch it, or use lido_delete\n"
     "misuse: User: what is to be read again is none of the session's objects\n"
     "not-null violation while inserting User (id = 01000000-0000-0000-0000-000000000000)\n"
     "type mismatch: User: column name is a text that is not UTF-8; pass it as a blob\nnothing: 0 0 0 0\n"},
};

int main(void) {
    return scenarios_run("structs", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
