/* How many statements the unit of work sends: one for each row of a few, hardly any for many, none for what has not
 * changed, and one query for what many rows refer to. */
#include "support/shop.h"

#include <stdatomic.h>
#include <stdlib.h>

static atomic_int sent;

static bool count_statement(const lido_event *event, void *user) {
    (void)event;
    (void)user;
    atomic_fetch_add(&sent, 1);
    return true;
}

static int sent_since_last(void) {
    return atomic_exchange(&sent, 0);
}

static void saw_flush(lido_session *db, const char *what) {
    sent_since_last();
    bool flushed = lido_flush(db);
    saw("%s: flushed %d, %d statements", what, flushed, sent_since_last());
}

static lido_session *open_counted(lido_engine *engine) {
    make_shop(engine);
    assert_int_equal(lido_engine_listen(engine, &(lido_listening){.kinds = LIDO_EVENT_BEFORE}, count_statement, NULL),
                     LIDO_OK);
    sent_since_last();
    return lido_session_open(engine, NULL);
}

static User *add_shop(lido_session *db, int count) {
    User *ada = lido_add(db, User, &(User){.name = "ada"});
    for (int i = 0; i < count; i++) {
        char name[20];
        snprintf(name, sizeof name, "item %d", i);
        lido_add(db, Line, &(Line){1, i, "a line"});
        lido_add(db, Item, &(Item){.name = name, .owner = ada});
        lido_add(db, Node, &(Node){.name = name});
    }
    return ada;
}

static void story_of_a_few(lido_engine *engine) {
    lido_session *db = open_counted(engine);
    User *ada = add_shop(db, 4);
    saw_flush(db, "all");
    saw_flush(db, "none");
    size_t count;
    Item **items = lido_find(db, Item, &count, "");
    items[1]->price = 2;
    items[3]->price = 3;
    ada->email = "ada@example.org";
    saw_flush(db, "three changed");
    lido_remove(db, Item, items[0]);
    lido_remove(db, Line, lido_fetch(db, Line, 1, 2));
    saw_flush(db, "two removed");
    saw_status("commit", lido_commit(db));
    saw("in the end: %d", sent_since_last());
    lido_session_close(db);
}

/* In bulk, with the keys that the database gives. */
static void story_of_many(lido_engine *engine) {
    lido_session *db = open_counted(engine);
    add_shop(db, 500);
    int most = scenario_is_postgres() ? 12 : 500 + 12; /* on SQLite, items go one by one, but not over a network */
    bool flushed = lido_flush(db);
    int statements = sent_since_last();
    if (statements > most)
        saw("%d statements", statements);
    saw("all of many: flushed %d", flushed);
    size_t count;
    lido_forget(db);
    Item **items = lido_find(db, Item, &count, "");
    saw("%d found by %d", (int)count, sent_since_last());
    saw_flush(db, "none of many");
    items[77]->price = 2;
    saw_flush(db, "one of many");
    lido_session_close(db);
}

/* Rows of many owners: those that the session has are not asked for again. */
static void story_of_what_many_refer_to(lido_engine *engine) {
    enum { OWNERS = 100, EACH = 3 };
    lido_session *db = open_counted(engine);
    for (int i = 0; i < OWNERS * EACH; i++) {
        static User *owner;
        char name[20];
        snprintf(name, sizeof name, "%d", i);
        if (i % EACH == 0)
            owner = lido_add(db, User, &(User){.name = name});
        lido_add(db, Item, &(Item){.name = name, .owner = owner});
    }
    saw_status("commit", lido_commit(db));
    lido_forget(db);
    size_t count;
    int right = 0;
    sent_since_last();
    Item **items = lido_find(db, Item, &count, "");
    saw("%d found by %d", (int)count, sent_since_last());
    bool loaded = lido_load_related(db, Item, items, count, owner);
    saw("loaded %d: %d", loaded, sent_since_last());
    for (size_t i = 0; i < count; i++)
        right += atoi(items[i]->owner->name) == atoi(items[i]->name) / EACH * EACH;
    saw("%d have their owner", right);
    loaded = lido_load_related(db, Item, items, count, owner);
    saw("loaded %d: %d", loaded, sent_since_last());
    lido_session_close(db);
}

static const scenario scenarios[] = {
    {"a few objects of several models", story_of_a_few,
     "all: flushed 1, 13 statements\nnone: flushed 1, 0 statements\nthree changed: flushed 1, 3 statements\n"
     "two removed: flushed 1, 2 statements\ncommit: ok\nin the end: 0\n"},
    {"many objects of several models", story_of_many,
     "all of many: flushed 1\n500 found by 1\nnone of many: flushed 1, 0 statements\none of many: flushed 1, 1 "
     "statements\n"},
    {"what many rows refer to comes by one query", story_of_what_many_refer_to,
     "commit: ok\n300 found by 1\nloaded 1: 1\n300 have their owner\nloaded 1: 0\n"},
};

int main(void) {
    return scenarios_run("counting a flush", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
