/* In which order a flush writes, keys that the database gives on the way, circles, and objects that others refer to. */
#include "support/shop.h"

static void saw_nodes(lido_session *db) {
    lido_rows *rows = lido_query(db, "SELECT n.name, p.name FROM nodes n LEFT JOIN nodes p ON p.id = n.parent_id "
                                     "ORDER BY n.name");
    while (lido_next(rows))
        saw("  %s below %s", lido_get_text(rows, 0), lido_is_null(rows, 1) ? "none" : lido_get_text(rows, 1));
    lido_rows_close(rows);
}

static void story_of_parents(lido_engine *engine) {
    make_shop(engine);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        Item *lamp = lido_add(db, Item, &(Item){.name = "lamp"});
        User *ada = lido_add(db, User, &(User){.name = "ada"});
        Node *leaf = lido_add(db, Node, &(Node){.name = "leaf"});
        Node *branch = lido_add(db, Node, &(Node){.name = "branch"});
        Node *root = lido_add(db, Node, &(Node){.name = "root"});
        lamp->owner = ada;
        leaf->parent = branch;
        branch->parent = root;
        saw("flushed %d", lido_flush(db));
        saw("keys are there: %d %d", memcmp(&lamp->owner_id, &ada->id, 16) == 0,
            *leaf->parent_id == branch->id && *branch->parent_id == root->id && root->parent_id == NULL);
        saw_nodes(db);
        lido_remove(db, Node, root);
        lido_remove(db, User, ada);
        lido_remove(db, Item, lamp);
        lido_remove(db, Node, branch);
        leaf->parent_id = NULL;
        saw("flushed %d", lido_flush(db));
        saw_nodes(db);
        saw("%d users", (int)lido_count(db, User, ""));
    }
    saw_status("transaction", outcome);
}

static void story_of_circles(lido_engine *engine) {
    make_shop(engine);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        Node *egg = lido_add(db, Node, &(Node){.name = "egg"});
        Node *hen = lido_add(db, Node, &(Node){.name = "hen", .parent = egg});
        Node *self = lido_add(db, Node, &(Node){.name = "self"});
        egg->parent = hen;
        self->parent = self;
        saw("flushed %d", lido_flush(db));
        saw_nodes(db);
        egg->parent = self;
        egg->parent_id = NULL;
        saw("flushed %d", lido_flush(db));
        saw_nodes(db);
    }
    saw_status("transaction", outcome);
}

/* Rows that refer to each other are let go of before they are deleted. */
static void story_of_removing_circles(lido_engine *engine) {
    make_shop(engine);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        Node *egg = lido_add(db, Node, &(Node){.name = "egg"});
        Node *hen = lido_add(db, Node, &(Node){.name = "hen", .parent = egg});
        Node *cock = lido_add(db, Node, &(Node){.name = "cock", .parent = hen});
        egg->parent = cock;
        lido_flush(db);
        lido_remove(db, Node, hen);
        lido_remove(db, Node, egg);
        lido_remove(db, Node, cock);
        saw("flushed %d", lido_flush(db));
        saw_nodes(db);
    }
    saw_status("transaction", outcome);
}

/* A long chain, the last one first, in such numbers that they go in bulk. */
static void story_of_a_chain(lido_engine *engine) {
    enum { LONG = 3000 };
    make_shop(engine);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        Node *below = NULL;
        Node *first = NULL;
        for (int i = 0; i < LONG; i++) {
            Node *node = lido_add(db, Node, &(Node){.name = "link"});
            if (below != NULL)
                below->parent = node;
            below = node;
            first = first != NULL ? first : node;
        }
        saw("flushed %d", lido_flush(db));
        int length = 0;
        for (const Node *at = first; at != NULL;
             at = at->parent_id != NULL ? lido_fetch(db, Node, *at->parent_id) : NULL)
            length++;
        saw("chain of %d, in the database %d", length,
            (int)lido_query_value(db,
                                  "WITH RECURSIVE up (id, parent_id) AS (SELECT id, parent_id FROM nodes WHERE id = ? "
                                  "UNION ALL SELECT n.id, n.parent_id FROM nodes n JOIN up ON n.id = up.parent_id) "
                                  "SELECT count(*) FROM up",
                                  first->id)
                .as.integer);
        for (Node **at = lido_find(db, Node, NULL, ""); *at != NULL; at++)
            lido_remove(db, Node, *at);
        saw("flushed %d", lido_flush(db));
        saw("%d left", (int)lido_count(db, Node, ""));
    }
    saw_status("transaction", outcome);
}

static void story_of_many_of_two(lido_engine *engine) {
    enum { MANY = 300 };
    make_shop(engine);
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        char name[16];
        for (int i = 0; i < MANY; i++) {
            snprintf(name, sizeof name, "%d", i);
            Item *item = lido_add(db, Item, &(Item){.name = name, .price = i});
            item->owner = lido_add(db, User, &(User){.name = name});
        }
    }
    saw_status("transaction", outcome);
    lido_transaction (db, engine, &outcome) {
        size_t count;
        int wrong = 0;
        Item **items = lido_find(db, Item, &count, "ORDER BY price");
        saw("loaded %d", lido_load_related(db, Item, items, count, owner));
        for (size_t i = 0; i < count; i++)
            wrong += items[i]->owner == NULL || strcmp(items[i]->owner->name, items[i]->name) != 0 ||
                     strcmp(items[i]->state, "new") != 0;
        saw("%zu items, %d wrong", count, wrong);
        saw("one object for a user: %d", lido_fetch(db, User, items[7]->owner_id) == items[7]->owner);
        lido_flush(db);
        saw("nothing has changed: %d", items[7]->version == 1);
    }
    saw_status("transaction", outcome);
}

static void story_of_related(lido_engine *engine) {
    make_shop(engine);
    lido_session *db = lido_session_open(engine, NULL);
    Node *root = lido_add(db, Node, &(Node){.name = "\"root\", \\ {1,2}"});
    Node *leaves[3] = {lido_add(db, Node, &(Node){.name = "1", .parent = root}),
                       lido_add(db, Node, &(Node){.name = "2", .parent = root}), NULL};
    lido_flush(db);
    lido_forget(db);
    size_t count;
    Node **nodes = lido_find(db, Node, &count, "WHERE parent_id IS NOT NULL ORDER BY name");
    saw("loaded %d", lido_load_related(db, Node, nodes, count, parent));
    saw("the same for both: %d, %s", nodes[0]->parent == nodes[1]->parent, nodes[0]->parent->name);
    lido_load_related(db, Node, &nodes[0]->parent, 1, parent);
    saw("none above: %d", nodes[0]->parent->parent == NULL);
    nodes[0]->parent_id = NULL;
    saw("flushed %d", lido_flush(db));
    saw("without parent: %d", (int)lido_count(db, Node, "WHERE parent_id IS NULL"));
    Node mine = {.name = "mine", .parent_id = &nodes[1]->id};
    Node *ours[] = {&mine, NULL};
    saw("loaded %d", lido_load_related(db, Node, ours, 2, parent));
    saw("the session's: %d", mine.parent == nodes[1]);
    saw("nothing to load: %d", lido_load_related(db, Node, leaves, 0, parent));
    lido_session_close(db);
}

typedef struct Ring {
    int64_t id;
    int64_t next_id;
} Ring;

LIDO_MODEL(Ring, "rings", LIDO_KEY(Ring, id, .natural = true), LIDO_REF(Ring, next_id, Ring));

/* Of three, whose rows can only come and go together; and one that refers to itself. */
static void remove_rings(lido_engine *engine, const char *when_looked_at) {
    char sql[200];
    lido_session *db = lido_session_open(engine, NULL);
    snprintf(sql, sizeof sql, "CREATE TABLE rings (id bigint PRIMARY KEY, next_id bigint NOT NULL REFERENCES rings%s)",
             when_looked_at);
    lido_exec(db, sql);
    lido_exec(db, "INSERT INTO rings VALUES (1, 2), (2, 3), (3, 1), (4, 4)");
    saw_status("commit", lido_commit(db));
    lido_remove(db, Ring, lido_fetch(db, Ring, 4));
    saw("flushed %d", lido_flush(db));
    for (int64_t id = 1; id <= 3; id++)
        lido_remove(db, Ring, lido_fetch(db, Ring, id));
    saw("flushed %d", lido_flush(db));
    if (lido_failed(db)) {
        saw_failure(db);
        saw("%s", lido_error_of(db)->hint);
    }
    saw_status("commit", lido_commit(db));
    lido_rollback(db);
    saw("%d left", (int)lido_count(db, Ring, ""));
    lido_session_close(db);
}

static void story_of_rings(lido_engine *engine) {
    remove_rings(engine, "");
}

static void story_of_rings_that_are_looked_at_in_the_end(lido_engine *engine) {
    remove_rings(engine, " DEFERRABLE INITIALLY DEFERRED");
}

static void story_of_a_failure(lido_engine *engine) {
    make_shop(engine);
    lido_session *db = lido_session_open(engine, NULL);
    User *ada = lido_add(db, User, &(User){.name = "ada"});
    lido_add(db, Item, &(Item){.name = "good", .owner = ada});
    lido_add(db, Item, &(Item){.id = 7, .name = "bad", .price = -1, .owner = ada});
    saw("flushed %d", lido_flush(db));
    saw("%s while %s", lido_category_name(lido_error_of(db)->category), lido_error_of(db)->doing);
    saw_status("commit", lido_commit(db));
    lido_error error;
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "name %d", i % 39);
        lido_add(db, User, &(User){.name = name});
    }
    lido_savepoint_outcome (db, &error)
        lido_flush(db);
    saw("%s", lido_category_name(lido_error_of(db)->category));
    saw_status("commit", lido_commit(db));
    lido_add(db, Item, &(Item){.name = "orphan", .owner_id = lido_uuid_new()});
    saw_status("commit", lido_commit(db));
    saw("%s", lido_category_name(lido_error_of(db)->category));
    lido_add(db, Line, &(Line){1, 1, "x"});
    lido_add(db, Line, &(Line){1, 1, "y"});
    saw_failure(db);
    lido_rollback(db);
    Line *line = lido_add(db, Line, &(Line){1, 1, "x"});
    lido_flush(db);
    lido_remove(db, Line, line);
    lido_add(db, Line, &(Line){1, 1, "y"});
    saw_failure(db);
    lido_rollback(db);
    Line *changed = lido_add(db, Line, &(Line){1, 1, "x"});
    changed->position = 2;
    saw("a key may be set until the flush: %d", lido_flush(db));
    saw("%d", lido_fetch(db, Line, 1, 2) == changed && lido_fetch(db, Line, 1, 1) == NULL);
    lido_session_close(db);
}

static const scenario scenarios[] = {
    {"circles go", story_of_removing_circles, "flushed 1\ntransaction: ok\n"},
    {"what is referred to goes in first and out last", story_of_parents,
     "flushed 1\nkeys are there: 1 1\n  branch below root\n  leaf below branch\n  root below none\nflushed 1\n"
     "  leaf below none\n0 users\ntransaction: ok\n"},
    {"circles", story_of_circles,
     "flushed 1\n  egg below hen\n  hen below egg\n  self below self\nflushed 1\n  egg below self\n"
     "  hen below egg\n  self below self\ntransaction: ok\n"},
    {"a long chain", story_of_a_chain,
     "flushed 1\nchain of 3000, in the database 3000\nflushed 1\n0 left\ntransaction: ok\n"},
    {"many of two models", story_of_many_of_two,
     "transaction: ok\nloaded 1\n300 items, 0 wrong\none object for a user: 1\nnothing has changed: 1\n"
     "transaction: ok\n"},
    {"what many refer to, by one query", story_of_related,
     "loaded 1\nthe same for both: 1, \"root\", \\ {1,2}\nnone above: 1\nflushed 1\nwithout parent: 2\nloaded 1\n"
     "the session's: 1\nnothing to load: 1\n"},
    {"rows in a ring, none of which can go first", story_of_rings,
     "commit: ok\nflushed 1\nflushed 0\n"
     "foreign key violation: objects that were removed refer to each other in a circle: Ring (id = 1) -> Ring (id = 2) "
     "-> "
     "Ring (id = 3) -> Ring (id = 1)\n"
     "none of the references may be NULL, so none of the rows can go first: let one be .nullable, or .on_delete = "
     "LIDO_CASCADE, or delete the rows by one statement\n"
     "commit: rolled back\n4 left\n"},
    {"rows in a ring that the database lets go", story_of_rings_that_are_looked_at_in_the_end,
     "commit: ok\nflushed 1\nflushed 1\ncommit: ok\n0 left\n"},
    {"a flush that fails says whose fault it was", story_of_a_failure,
     "flushed 0\ncheck violation while inserting Item (id = 7)\ncommit: rolled back\nunique violation\n"
     "commit: rolled back\ncommit: rolled back\nforeign key violation\n"
     "misuse: Line: Line (order_number = 1, position = 1) is one of the session's objects already: change that\n"
     "misuse: Line: Line (order_number = 1, position = 1) was removed and is still to be deleted: flush before another "
     "one is added\n"
     "a key may be set until the flush: 1\n1\n"},
};

int main(void) {
    return scenarios_run("flushing", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
