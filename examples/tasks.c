/* A hundred tasks on one thread, each with a session of its own: the code of list_price is what it would be in a
 * thread.
 *
 * examples/tasks              on SQLite in memory, or as DATABASE_URL says */
#include <stdio.h>
#include <stdlib.h>

#include <lido.h>

enum { TASKS = 100 };

typedef struct order {
    lido_engine *engine;
    int item;
    double price; /* found */
} order;

static void *list_price(void *argument) {
    order *wanted = argument;
    lido_error outcome;
    lido_transaction (db, wanted->engine, &outcome) {
        lido_rows *rows = lido_query(db, "SELECT price FROM lido_example_prices WHERE item = ?", wanted->item);
        if (lido_next(rows))
            lido_scan(rows, &wanted->price);
    }
    if (outcome.status != LIDO_OK)
        lido_error_print(&outcome, stderr);
    return NULL;
}

static bool make_prices(lido_engine *engine) {
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "DROP TABLE IF EXISTS lido_example_prices");
        lido_exec(db, "CREATE TABLE lido_example_prices (item integer PRIMARY KEY, price double precision)");
        for (int i = 1; i <= TASKS; i++)
            lido_send(db, "INSERT INTO lido_example_prices VALUES (?, ?)", i, i * 0.5);
    }
    return outcome == LIDO_OK;
}

static double total(lido_loop *loop, lido_engine *engine) {
    static order orders[TASKS];
    double sum = 0;
    for (int i = 0; i < TASKS; i++) {
        orders[i] = (order){.engine = engine, .item = i + 1};
        lido_task_detach(lido_spawn(loop, list_price, &orders[i]));
    }
    lido_loop_run(loop); /* until no task is left */
    for (int i = 0; i < TASKS; i++)
        sum += orders[i].price;
    return sum;
}

int main(void) {
    lido_error error;
    lido_engine *engine = lido_engine_open(getenv("DATABASE_URL") == NULL ? "sqlite://" : NULL, NULL, &error);
    lido_loop *loop = engine != NULL ? lido_loop_new(NULL, &error) : NULL;
    double sum = 0;
    if (loop != NULL && make_prices(engine)) {
        sum = total(loop, engine);
        printf("%d tasks, %.2f together\n", TASKS, sum);
    } else {
        lido_error_print(&error, stderr);
    }
    lido_loop_close(loop);
    lido_engine_close(engine);
    return sum > 2524.5 && sum < 2525.5 ? EXIT_SUCCESS : EXIT_FAILURE;
}
