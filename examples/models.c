/* A shelf of books: two models, their tables, start data, finding, changing, flushing. It runs on the database that the
 * environment names: DATABASE_URL, or DATABASE_TYPE, DATABASE_NAME and so on; and again on the same one. */
#include <stdio.h>

#include <lido.h>

typedef struct Author {
    int64_t id;
    const char *name;
} Author;

typedef struct Book {
    lido_uuid id;
    const char *title;
    int copies;
    const double *price; /* may be NULL */
    int64_t author_id;
    Author *author;
    int version;
} Book;

LIDO_MODEL(Author, "authors", LIDO_KEY(Author, id), LIDO_FIELD(Author, name, .unique = true));

LIDO_MODEL(Book, "books", LIDO_KEY(Book, id), LIDO_FIELD(Book, title, .unique = true),
           LIDO_FIELD(Book, copies, .check = "copies >= 0"), LIDO_FIELD(Book, price),
           LIDO_REF(Book, author_id, Author, .on_delete = LIDO_CASCADE, .index = true, LIDO_OBJECT(Book, author)),
           LIDO_ROW_VERSION(Book, version));

LIDO_SEEDS(Author, {.name = "Ursula"}, {.name = "Stanislaw"});
LIDO_SEEDS(Book, {.title = "Left Hand", .copies = 3, .author = &(Author){.name = "Ursula"}},
           {.title = "Lathe", .copies = 1, .author = &(Author){.name = "Ursula"}},
           {.title = "Solaris", .copies = 2, .author = &(Author){.name = "Stanislaw"}});

static bool prepare(lido_engine *engine, lido_error *error) {
    static const lido_seeds *const seeds[] = {&Author_seeds, &Book_seeds};
    const lido_initialise_options options = {.seed_count = 2, .seeds = seeds};
    return lido_initialise(engine, LIDO_MODEL_LIST(&Author_model, &Book_model), &options, error) == LIDO_OK;
}

/* Two queries: one for the books, one for all their authors. */
static void print_shelf(lido_session *db) {
    size_t count;
    Book **books = lido_find(db, Book, &count, "WHERE copies > ? ORDER BY title", 0);
    lido_load_related(db, Book, books, count, author);
    for (size_t i = 0; i < count; i++)
        printf("  %-10s by %-10s %d copies\n", books[i]->title, books[i]->author->name, books[i]->copies);
}

/* Objects are changed like any struct; the flush, which the commit does by itself, writes what differs, no more. */
static void lend_and_buy(lido_session *db) {
    Book *solaris = lido_first(db, Book, "WHERE title = ?", "Solaris");
    if (solaris == NULL)
        return;
    solaris->copies--;
    Author *author = lido_fetch(db, Author, solaris->author_id);
    lido_add(db, Book, &(Book){.title = "Fiasco", .copies = 1, .price = &(double){9.5}, .author = author});
    printf("flushed: %s\n", lido_flush(db) ? "yes" : "no");
}

/* Back to where it began, so that the program can run again. */
static void give_back(lido_session *db) {
    Book *fiasco = lido_first(db, Book, "WHERE title = ?", "Fiasco");
    lido_remove(db, Book, fiasco);
    lido_update_where(db, Book, "copies = copies + 1 WHERE title = ?", "Solaris");
}

int main(void) {
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(NULL, NULL, &error);
    if (engine != NULL && prepare(engine, &error)) {
        lido_transaction (db, engine, &error) {
            print_shelf(db);
            lend_and_buy(db);
            print_shelf(db);
            give_back(db);
        }
        printf("the transaction: %s\n", lido_status_name(error.status));
    }
    if (error.status != LIDO_OK)
        lido_error_print(&error, stderr);
    lido_engine_close(engine);
    return error.status == LIDO_OK ? 0 : 1;
}
