/* A program that keeps items in a database: creates the table, fills it, asks it. `make run` runs it, on the database
 * that the environment names: DATABASE_URL, or DATABASE_TYPE, DATABASE_NAME and so on. */
#include <stdio.h>

#include <lido.h>

static const char create_table[] = "CREATE TABLE IF NOT EXISTS items ("
                                   " id uuid PRIMARY KEY,"
                                   " name text NOT NULL UNIQUE,"
                                   " price double precision NOT NULL CHECK (price >= 0),"
                                   " made_at timestamp NOT NULL)";

static const char insert_item[] =
    "INSERT INTO items (id, name, price, made_at) VALUES (:id, :name, :price, :made_at) ON CONFLICT (name) DO NOTHING";

static void add_item(lido_session *db, const char *name, double price) {
    lido_exec(db, insert_item, LIDO_AS("id", lido_uuid_new()), LIDO_AS("name", name), LIDO_AS("price", price),
              LIDO_AS("made_at", lido_time_now()));
}

static void fill(lido_session *db) {
    lido_exec(db, create_table);
    add_item(db, "lamp", 12.5);
    add_item(db, "lantern", 40);
    add_item(db, "chair", 80);
}

static void print_items(lido_session *db, const char *pattern) {
    lido_rows *rows = lido_query(db, "SELECT id, name, price FROM items WHERE name REGEXP ? ORDER BY name", pattern);
    char id_text[37];
    const char *name;
    double price;
    lido_uuid id;
    printf("items whose name matches %s:\n", pattern);
    while (lido_next(rows) && lido_scan(rows, &id, &name, &price)) {
        lido_uuid_format(id, id_text);
        printf("  %s  %-10s %8.2f\n", id_text, name, price);
    }
}

/* What fails inside is undone, and the error says which rule was broken. */
static void break_a_rule(lido_session *db) {
    lido_error error;
    lido_savepoint_outcome (db, &error)
        add_item(db, "debt", -1);
    printf("an item with a negative price: %s\n", lido_category_name(error.category));
}

int main(void) {
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(NULL, NULL, &error);
    if (engine == NULL) {
        lido_error_print(&error, stderr);
        return 1;
    }
    lido_transaction (db, engine, &error) {
        fill(db);
        print_items(db, "^la");
        break_a_rule(db);
    }
    printf("the transaction: %s\n", lido_status_name(error.status));
    if (error.status != LIDO_OK)
        lido_error_print(&error, stderr);
    lido_engine_close(engine);
    return error.status == LIDO_OK ? 0 : 1;
}
