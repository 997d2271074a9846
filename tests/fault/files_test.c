/* SQLite files that cannot be opened, read or written: each mishap has its category, nothing is damaged, and what was
 * wrong being mended, the same engine works. */
#include "child.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define TABLE "CREATE TABLE notes (id integer PRIMARY KEY, body text)"

static const char *path_in_folder(const char *name) {
    static char path[PATH_MOST * 2];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, size_t size) {
    FILE *file = fopen(path_in_folder(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void expect_file(const char *name, const char *text, size_t size) {
    char found[256];
    FILE *file = fopen(path_in_folder(name), "r");
    assert_non_null(file);
    assert_int_equal(fread(found, 1, sizeof found, file), size);
    assert_memory_equal(found, text, size);
    fclose(file);
}

/* Tries to read and to write; returns the error, which both have in common. */
static lido_error fail_to_open(lido_engine *engine, lido_category category) {
    lido_session *db = lido_session_open(engine, NULL);
    assert_null(lido_query(db, "SELECT * FROM notes"));
    expect_error(db, category);
    lido_rollback(db);
    lido_exec(db, TABLE);
    expect_error(db, category);
    lido_error error = *lido_error_of(db);
    assert_true(error.native_code != 0);
    assert_false(error.retryable);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
    return error;
}

static void make_database(const char *name) {
    lido_engine *engine = open_surely(file_url(name), NULL);
    run_surely(engine, TABLE "; INSERT INTO notes VALUES (1, 'kept')");
    lido_engine_close(engine);
}

static void expect_kept(lido_engine *engine, int64_t notes) {
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM notes WHERE body = 'kept'"), notes);
    lido_session *db = open_autocommit(engine);
    assert_string_equal(lido_query_value(db, "PRAGMA integrity_check").as.text, "ok");
    lido_session_close(db);
}

/* ---- Not a database ---- */

static void a_file_that_holds_something_else_stays_as_it_is(void **state) {
    (void)state;
    static const char text[] =
        "Dear Sir or Madam,\n\nthis is a letter, and no database at all. It is long enough to have a "
        "header's length, and says nothing else.\n";
    write_file("letter.txt", text, sizeof text - 1);
    lido_engine *engine = open_surely(file_url("letter.txt"), NULL);
    lido_error error = fail_to_open(engine, LIDO_ERROR_STORAGE);
    assert_string_equal(error.sqlstate, "XX001");
    assert_string_equal(error.doing, "opening the database");
    assert_non_null(strstr(error.database, "letter.txt"));
    assert_true(error.hint[0] != '\0');
    lido_engine_close(engine);
    expect_file("letter.txt", text, sizeof text - 1);
}

static void a_folder_is_no_database(void **state) {
    (void)state;
    assert_int_equal(mkdir(path_in_folder("drawer"), 0777), 0);
    lido_engine *engine = open_surely(file_url("drawer"), NULL);
    fail_to_open(engine, LIDO_ERROR_STORAGE);
    lido_engine_close(engine);
}

static void an_empty_file_becomes_a_database(void **state) {
    (void)state;
    write_file("empty.db", "", 0);
    lido_engine *engine = open_surely(file_url("empty.db"), NULL);
    run_surely(engine, TABLE "; INSERT INTO notes VALUES (1, 'kept')");
    expect_kept(engine, 1);
    lido_engine_close(engine);
}

static void a_damaged_page_is_said_to_be_damaged(void **state) {
    (void)state;
    make_database("damaged.db");
    char page[4096];
    memset(page, 0xA5, sizeof page);
    int file = open(path_in_folder("damaged.db"), O_WRONLY);
    assert_int_equal(pwrite(file, page, sizeof page, 4096), sizeof page); /* the table's; the header stays */
    close(file);
    lido_engine *engine = open_surely(file_url("damaged.db"), NULL);
    lido_session *db = lido_session_open(engine, NULL);
    assert_null(lido_query(db, "SELECT * FROM notes"));
    expect_error(db, LIDO_ERROR_STORAGE);
    assert_string_equal(lido_error_of(db)->sqlstate, "XX001");
    lido_session_close(db);
    lido_engine_close(engine);
}

/* ---- Not there ---- */

static void a_missing_folder_is_named_and_may_be_made_later(void **state) {
    (void)state;
    lido_engine *engine = open_surely(file_url("missing/notes.db"), NULL);
    lido_error error = fail_to_open(engine, LIDO_ERROR_STORAGE);
    assert_non_null(strstr(error.database, "missing/notes.db"));
    assert_non_null(strstr(error.hint, "folder"));
    assert_int_equal(mkdir(path_in_folder("missing"), 0777), 0);
    run_surely(engine, TABLE "; INSERT INTO notes VALUES (1, 'kept')");
    expect_kept(engine, 1);
    lido_engine_close(engine);
}

static void a_path_below_a_file_leads_nowhere(void **state) {
    (void)state;
    write_file("file", "x", 1);
    lido_engine *engine = open_surely(file_url("file/notes.db"), NULL);
    fail_to_open(engine, LIDO_ERROR_STORAGE);
    lido_engine_close(engine);
    expect_file("file", "x", 1);
}

static void for_reading_only_nothing_is_made(void **state) {
    (void)state;
    static const char *const modes[] = {"notes.db?mode=ro", "notes.db?mode=rw"};
    for (size_t i = 0; i < 2; i++) {
        lido_engine *engine = open_surely(file_url(modes[i]), NULL);
        fail_to_open(engine, LIDO_ERROR_STORAGE);
        lido_engine_close(engine);
        assert_int_equal(access(path_in_folder("notes.db"), F_OK), -1);
    }
}

/* ---- For reading only ---- */

static void expect_read_only(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM notes").as.integer, 1);
    lido_exec(db, "INSERT INTO notes VALUES (2, 'not kept')");
    expect_error(db, LIDO_ERROR_READ_ONLY);
    assert_string_equal(lido_error_of(db)->sqlstate, "25006");
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM notes").as.integer, 1);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

static void an_engine_for_reading_only_does_not_write(void **state) {
    (void)state;
    make_database("notes.db");
    lido_engine *engine = open_surely(file_url("notes.db?mode=ro"), NULL);
    expect_read_only(engine);
    lido_engine_close(engine);
}

static void a_session_for_reading_only_does_not_write(void **state) {
    (void)state;
    make_database("notes.db");
    lido_engine *engine = open_surely(file_url("notes.db"), NULL);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.read_only = true});
    lido_exec(db, "INSERT INTO notes VALUES (2, 'not kept')");
    expect_error(db, LIDO_ERROR_READ_ONLY);
    lido_session_close(db);
    expect_kept(engine, 1);
    lido_engine_close(engine);
}

/* ---- In a child with fewer rights or less room; what it asserts, it says by its exit status ---- */

typedef void limited_story(void);

enum { CANNOT_BE_TOLD_HERE = 77 };

static void run_in_child(limited_story *story) {
    int status = 0;
    pid_t child = fork_surely();
    if (child == 0) {
        story();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_BE_TOLD_HERE) {
        print_message("this user may not mount a small disk\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static lido_category category_of(const char *url, const char *sql) {
    lido_engine *engine = lido_engine_open(url, NULL, NULL);
    CHILD_EXPECT(engine != NULL);
    lido_session *db = open_autocommit(engine);
    lido_exec(db, sql);
    lido_category category = lido_error_of(db)->category;
    lido_session_close(db);
    lido_engine_close(engine);
    return category;
}

/* Root may do everything. */
static void become_nobody(void) {
    if (geteuid() == 0)
        CHILD_EXPECT(setgid(65534) == 0 && setuid(65534) == 0);
}

static void try_what_is_protected(void) {
    become_nobody();
    CHILD_EXPECT(category_of(file_url("new.db"), TABLE) == LIDO_ERROR_STORAGE);
    CHILD_EXPECT(category_of(file_url("notes.db"), "INSERT INTO notes VALUES (2, 'not kept')") == LIDO_ERROR_READ_ONLY);
    CHILD_EXPECT(category_of(file_url("secret.db"), "SELECT * FROM notes") == LIDO_ERROR_STORAGE);
}

static void what_is_protected_stays_so(void **state) {
    (void)state;
    make_database("notes.db");
    make_database("secret.db");
    assert_int_equal(chmod(path_in_folder("notes.db"), 0444), 0);
    assert_int_equal(chmod(path_in_folder("secret.db"), 0000), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    run_in_child(try_what_is_protected);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(path_in_folder("notes.db"), 0644), 0);
    lido_engine *engine = open_surely(file_url("notes.db"), NULL);
    expect_kept(engine, 1);
    lido_engine_close(engine);
}

/* ---- No room ---- */

enum { BODY = 4000, BODIES = 500, ROOM = 400 * 1024 };

static lido_status insert_bodies(lido_engine *engine, int64_t from, int count, lido_error *error) {
    char body[BODY + 1];
    memset(body, 'x', BODY);
    body[BODY] = '\0';
    lido_session *db = lido_session_open(engine, NULL);
    for (int i = 0; i < count; i++)
        lido_exec(db, "INSERT INTO notes VALUES (?, ?)", from + i, body);
    lido_status status = lido_commit(db);
    *error = *lido_error_of(db);
    lido_session_close(db);
    return status;
}

static int64_t count_notes(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    int64_t count = lido_query_value(db, "SELECT count(*) FROM notes").as.integer;
    CHILD_EXPECT(!lido_failed(db));
    lido_session_close(db);
    return count;
}

/* Fills what room there is, and makes more. With a small cache it runs out in a statement, else in COMMIT. */
static void fill(const char *name, lido_status expected, lido_category category, void (*make_room)(void)) {
    lido_error error;
    lido_engine *engine = lido_engine_open(file_url(name), NULL, NULL);
    CHILD_EXPECT(engine != NULL);
    CHILD_EXPECT(insert_bodies(engine, 10, 1, &error) == LIDO_OK);
    lido_status status = insert_bodies(engine, 100, BODIES, &error);
    if (status != expected || error.category != category)
        lido_error_print(&error, stderr);
    CHILD_EXPECT(status == expected && error.category == category);
    CHILD_EXPECT(count_notes(engine) == 2);
    CHILD_EXPECT(insert_bodies(engine, 1000, 2, &error) == LIDO_OK); /* for that there still is room */
    make_room();
    CHILD_EXPECT(insert_bodies(engine, 2000, BODIES, &error) == LIDO_OK);
    CHILD_EXPECT(count_notes(engine) == 4 + BODIES);
    lido_engine_close(engine);
}

static void mount_disk(unsigned long flags, const char *size) {
    if (mount("tmpfs", folder, "tmpfs", flags, size) != 0)
        _exit(CANNOT_BE_TOLD_HERE);
}

static void enlarge_disk(void) {
    mount_disk(MS_REMOUNT, "size=64m");
}

/* A disk of its own, which nobody but the child sees. */
static void fill_a_disk(const char *name, lido_status expected, lido_category category) {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0)
        _exit(CANNOT_BE_TOLD_HERE);
    mount_disk(0, "size=400k");
    lido_engine *engine = lido_engine_open(file_url("notes.db"), NULL, NULL);
    lido_session *db = open_autocommit(engine);
    lido_script(db, TABLE "; INSERT INTO notes VALUES (1, 'kept')");
    CHILD_EXPECT(!lido_failed(db));
    lido_session_close(db);
    lido_engine_close(engine);
    fill(name, expected, category, enlarge_disk);
}

static void fill_a_disk_in_commit(void) {
    fill_a_disk("notes.db", LIDO_ROLLED_BACK, LIDO_ERROR_STORAGE);
}

static void fill_a_disk_in_a_statement(void) {
    fill_a_disk("notes.db?cache_size=64KiB", LIDO_ROLLED_BACK, LIDO_ERROR_STORAGE);
}

static void a_disk_that_is_full_at_commit_costs_one_transaction(void **state) {
    (void)state;
    run_in_child(fill_a_disk_in_commit);
}

static void a_disk_that_is_full_at_a_statement_costs_one_transaction(void **state) {
    (void)state;
    run_in_child(fill_a_disk_in_a_statement);
}

static void set_limit(rlim_t bytes) {
    struct rlimit limit;
    CHILD_EXPECT(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHILD_EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void lift_limit(void) {
    set_limit(RLIM_INFINITY);
}

/* SQLite calls that an I/O error. In COMMIT, it cannot be told from one that left the whole of it on the disk. */
static void grow_to_the_limit_in_commit(void) {
    signal(SIGXFSZ, SIG_IGN);
    set_limit(ROOM);
    fill("notes.db", LIDO_UNKNOWN, LIDO_ERROR_UNKNOWN_OUTCOME, lift_limit);
}

static void grow_to_the_limit_in_a_statement(void) {
    signal(SIGXFSZ, SIG_IGN);
    set_limit(ROOM);
    fill("notes.db?cache_size=64KiB", LIDO_ROLLED_BACK, LIDO_ERROR_STORAGE, lift_limit);
}

static void expect_file_whole(void) {
    lido_engine *engine = open_surely(file_url("notes.db"), NULL);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM notes"), 4 + BODIES);
    expect_kept(engine, 1);
    lido_engine_close(engine);
}

static void a_file_that_cannot_grow_in_commit_leaves_it_unknown(void **state) {
    (void)state;
    make_database("notes.db");
    run_in_child(grow_to_the_limit_in_commit);
    expect_file_whole();
}

static void a_file_that_cannot_grow_in_a_statement_costs_one_transaction(void **state) {
    (void)state;
    make_database("notes.db");
    run_in_child(grow_to_the_limit_in_a_statement);
    expect_file_whole();
}

/* ---- Other mishaps ---- */

static void another_journal_mode_is_refused_where_it_cannot_be_had(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.journal_mode = "delete";
    make_database("notes.db"); /* in WAL mode */
    lido_engine *first = open_surely(file_url("notes.db"), NULL);
    lido_session *reader = lido_session_open(first, NULL);
    lido_query_value(reader, "SELECT count(*) FROM notes");
    options.busy_timeout_ms = 50;
    lido_engine *second = open_surely(file_url("notes.db"), &options);
    lido_session *db = lido_session_open(second, NULL);
    assert_null(lido_query(db, "SELECT 1"));
    assert_true(lido_failed(db));
    assert_true(lido_error_of(db)->category == LIDO_ERROR_BUSY || lido_error_of(db)->category == LIDO_ERROR_STORAGE);
    lido_session_close(db);
    lido_session_close(reader);
    lido_engine_close(first);
    assert_int_equal(ask_surely(second, "SELECT count(*) FROM notes"), 1);
    lido_engine_close(second);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_that_holds_something_else_stays_as_it_is),
        IN_FOLDER(a_folder_is_no_database),
        IN_FOLDER(an_empty_file_becomes_a_database),
        IN_FOLDER(a_damaged_page_is_said_to_be_damaged),
        IN_FOLDER(a_missing_folder_is_named_and_may_be_made_later),
        IN_FOLDER(a_path_below_a_file_leads_nowhere),
        IN_FOLDER(for_reading_only_nothing_is_made),
        IN_FOLDER(an_engine_for_reading_only_does_not_write),
        IN_FOLDER(a_session_for_reading_only_does_not_write),
        IN_FOLDER(what_is_protected_stays_so),
        IN_FOLDER(a_disk_that_is_full_at_commit_costs_one_transaction),
        IN_FOLDER(a_disk_that_is_full_at_a_statement_costs_one_transaction),
        IN_FOLDER(a_file_that_cannot_grow_in_commit_leaves_it_unknown),
        IN_FOLDER(a_file_that_cannot_grow_in_a_statement_costs_one_transaction),
        IN_FOLDER(another_journal_mode_is_refused_where_it_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
