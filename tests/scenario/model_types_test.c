/* Members whose column's type SQL has and C has not: a day, a time of day, an interval, a number of exact digits. They
 * are texts in the struct, which both databases give back, compare and check as what they are. */
#include "support/scenario.h"

#include <string.h>

#include "support/seed_folder.h"

typedef struct Opening {
    int64_t id;
    const char *day;
    const char *opens;
    const char *closes; /* may be NULL */
    const char *entry;
    lido_time announced;
} Opening;

LIDO_MODEL(Opening, "openings", LIDO_KEY(Opening, id, .natural = true), LIDO_FIELD(Opening, day, .type = "date"),
           LIDO_FIELD(Opening, opens, .type = "time", .index = true),
           LIDO_FIELD(Opening, closes, .type = "time", .nullable = true),
           LIDO_FIELD(Opening, entry, .type = "numeric(10, 2)"),
           LIDO_FIELD(Opening, announced, .fallback = "CURRENT_TIMESTAMP"));

enum { MANY = 100 /* so many that they go in bulk */ };

static lido_session *open_openings(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_create_all(db, LIDO_MODEL_LIST(&Opening_model));
    lido_commit(db);
    return db;
}

static void saw_opening(const Opening *opening) {
    saw("%d: %s %s to %s, %s", (int)opening->id, opening->day, opening->opens,
        opening->closes != NULL ? opening->closes : "the end", opening->entry);
}

static void story_of_days_and_times(lido_engine *engine) {
    lido_session *db = open_openings(engine);
    lido_insert(db, Opening, &(Opening){1, "2026-02-28", "08:30:00", "17:00:00", "12.25", {0}});
    lido_add(db, Opening, &(Opening){.id = 2, .day = "2026-03-01", .opens = "09:15:00", .entry = "7.75"});
    saw("commit: %s", lido_status_name(lido_commit(db)));
    lido_forget(db);
    size_t count;
    Opening **found =
        lido_find(db, Opening, &count, "WHERE opens < ? AND day < ? ORDER BY id", "09:00:00", "2026-03-01");
    for (size_t i = 0; i < count; i++)
        saw_opening(found[i]);
    Opening *late = lido_fetch(db, Opening, 2);
    saw_opening(late);
    saw("announced: %d", late->announced.microseconds > 0);
    late->closes = "20:00:00";
    late->opens = "10:00:00";
    saw("flushed %d", lido_flush(db));
    lido_refresh(db, Opening, late);
    saw_opening(late);
    const lido_differences *differences = lido_check_schema(db, LIDO_MODEL_LIST(&Opening_model));
    saw("%d differences", differences != NULL ? (int)differences->count : -1);
    lido_session_close(db);
}

static void story_of_many(lido_engine *engine) {
    static Opening openings[MANY];
    lido_session *db = open_openings(engine);
    for (int i = 0; i < MANY; i++)
        openings[i] = (Opening){.id = i + 1,
                                .day = "2026-01-31",
                                .opens = i % 2 == 0 ? "06:00:00" : "06:30:15",
                                .entry = i % 2 == 0 ? "0.15" : "1.25"};
    saw("%d inserted", (int)lido_insert_many(db, Opening, openings, MANY));
    saw("%d at six", (int)lido_count(db, Opening, "WHERE opens = ? AND closes IS NULL", "06:00:00"));
    saw_opening(lido_first(db, Opening, "WHERE opens > ? ORDER BY id", "06:30:00"));
    lido_session_close(db);
}

/* PostgreSQL knows by itself what is none; on SQLite the files are looked at. */
static void seed_one(lido_engine *engine, const char *row) {
    char text[200];
    lido_error outcome;
    seed_folder files = seed_folder_make();
    snprintf(text, sizeof text, "id,day,opens,entry\n%s\n", row);
    seed_file(&files, "openings.csv", text);
    lido_transaction (db, engine, &outcome)
        lido_seed_files(db, files.path, NULL);
    bool named = strstr(outcome.message, "opens") != NULL || strstr(outcome.message, "time") != NULL;
    saw("%s: %s", row, outcome.status == LIDO_OK ? "in" : named ? "no time" : outcome.message);
    seed_folder_remove(&files);
}

static void story_of_seeds(lido_engine *engine) {
    lido_session_close(open_openings(engine));
    seed_one(engine, "1,2026-01-31,08:30:00,1");
    seed_one(engine, "2,2026-01-31,08:30,1");
    seed_one(engine, "3,2026-01-31,23:59:59.5,1");
    seed_one(engine, "4,2026-01-31,25:00:00,1");
    seed_one(engine, "5,2026-01-31,08:61,1");
    seed_one(engine, "6,2026-01-31,banana,1");
}

static const scenario scenarios[] = {
    {"days and times of day", story_of_days_and_times,
     "commit: ok\n1: 2026-02-28 08:30:00 to 17:00:00, 12.25\n2: 2026-03-01 09:15:00 to the end, 7.75\nannounced: 1\n"
     "flushed 1\n2: 2026-03-01 10:00:00 to 20:00:00, 7.75\n0 differences\n"},
    {"many of them", story_of_many, "100 inserted\n50 at six\n2: 2026-01-31 06:30:15 to the end, 1.25\n"},
    {"seeds of them", story_of_seeds,
     "1,2026-01-31,08:30:00,1: in\n2,2026-01-31,08:30,1: in\n3,2026-01-31,23:59:59.5,1: in\n"
     "4,2026-01-31,25:00:00,1: no time\n5,2026-01-31,08:61,1: no time\n6,2026-01-31,banana,1: no time\n"},
};

int main(void) {
    return scenarios_run("types of columns", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
