/* Sessions and the connections they lease. */
#include "support/scenario.h"

static void story_of_a_first_table(lido_engine *engine) {
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY, name text)");
        saw("inserted %d", (int)lido_exec(db, "INSERT INTO items VALUES (?, ?), (?, ?)", 1, "lamp", 2, "chair"));
        lido_rows *rows = lido_query(db, "SELECT id, name FROM items ORDER BY id");
        int id;
        const char *name;
        while (lido_next(rows) && lido_scan(rows, &id, &name))
            saw("%d %s", id, name);
    }
    saw("%s", lido_status_name(outcome));
}

int main(void) {
    const scenario scenarios[] = {
        {"a first table", story_of_a_first_table,
         "inserted 2\n"
         "1 lamp\n"
         "2 chair\n"
         "ok\n"},
    };
    return scenarios_run("session", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
