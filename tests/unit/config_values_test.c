/* How a setting's value is written, in text and in lido_options, how the effective ones are listed, and that
 * docs/configuration.md tells the same. */
#include "config_reading.h"

#include "config/value.h"

/* ---- How values are written ---- */

static void test_durations_and_sizes_have_units(void **state) {
    (void)state;
    static const struct {
        const char *written;
        int64_t milliseconds;
        const char *shown;
    } durations[] = {
        {"30", 30000, "30 s"},  {"1.5", 1500, "1.5 s"},      {"0.25", 250, "250 ms"}, {"500ms", 500, "500 ms"},
        {"2s", 2000, "2 s"},    {"5min", 300000, "5 min"},   {"2h", 7200000, "2 h"},  {"1.5%20h", 5400000, "90 min"},
        {"0.001", 1, "1 ms"},   {"61.07", 61070, "61.07 s"}, {"-1", -1, "none"},      {"none", -1, "none"},
        {"1.000", 1000, "1 s"},
    };
    static const struct {
        const char *written;
        int64_t bytes;
        const char *shown;
    } sizes[] = {
        {"0", 0, "0"},
        {"1048576", 1048576, "1 MiB"},
        {"1000", 1000, "1000 B"},
        {"512KiB", 524288, "512 KiB"},
        {"1.5mib", 1572864, "1536 KiB"},
        {"1%20GiB", 1073741824, "1 GiB"},
        {"7B", 7, "7 B"},
    };
    char url[128];
    lido__config config;
    for (size_t index = 0; index < sizeof durations / sizeof *durations; index++) {
        snprintf(url, sizeof url, "sqlite://?statement_timeout=%s", durations[index].written);
        accept(&config, url, NULL);
        assert_int_equal(config.statement_timeout_ms, durations[index].milliseconds);
        assert_setting(&config, "statement_timeout_ms", durations[index].shown, LIDO_FROM_URL);
        lido__config_done(&config);
    }
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        snprintf(url, sizeof url, "sqlite://?mmap_size=%s", sizes[index].written);
        accept(&config, url, NULL);
        assert_int_equal(config.mmap_size, sizes[index].bytes);
        assert_setting(&config, "mmap_size", sizes[index].shown, LIDO_FROM_URL);
        lido__config_done(&config);
    }
    static const char *const faulty[] = {"statement_timeout=0.0001",
                                         "statement_timeout=.5",
                                         "statement_timeout=5.",
                                         "statement_timeout=1e3",
                                         "statement_timeout=-2",
                                         "statement_timeout=5d",
                                         "statement_timeout=+5",
                                         "statement_timeout=5%20",
                                         "mmap_size=5kB",
                                         "mmap_size=0.5",
                                         "mmap_size=-1",
                                         "mmap_size=9999999999GiB",
                                         "mmap_size=99999999999999999999999",
                                         "statement_timeout="};
    for (size_t index = 0; index < sizeof faulty / sizeof *faulty; index++) {
        snprintf(url, sizeof url, "sqlite://?%s", faulty[index]);
        refuse(url, NULL, "the URL's parameter ");
    }
}

static void test_booleans_have_eight_spellings(void **state) {
    (void)state;
    static const char *const words[] = {"false", "true", "off", "ON", "No", "yes", "0", "1"};
    for (size_t index = 0; index < sizeof words / sizeof *words; index++) {
        lido__config config;
        environment("DATABASE_FOREIGN_KEYS", words[index]);
        accept(&config, "sqlite://", NULL);
        assert_int_equal(config.foreign_keys, index % 2 == 1);
        assert_setting(&config, "foreign_keys", index % 2 == 1 ? "on" : "off", LIDO_FROM_ENVIRONMENT);
        lido__config_done(&config);
    }
}

static void test_lanes_are_a_number_or_a_switch(void **state) {
    (void)state;
    static const struct {
        const char *written;
        int lanes;
        const char *shown;
    } lanes[] = {{"on", 2, "2"}, {"true", 2, "2"}, {"Yes", 2, "2"}, {"off", 0, "0"},
                 {"no", 0, "0"}, {"0", 0, "0"},    {"1", 1, "1"},   {"64", 64, "64"}};
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    for (size_t index = 0; index < sizeof lanes / sizeof *lanes; index++) {
        environment("DATABASE_LANES", lanes[index].written);
        accept(&config, "postgresql://", NULL);
        assert_int_equal(config.lanes, lanes[index].lanes);
        assert_setting(&config, "lanes", lanes[index].shown, LIDO_FROM_ENVIRONMENT);
        lido__config_done(&config);
    }
    options.lanes = 3;
    accept(&config, "postgresql://?lanes=on", &options);
    assert_int_equal(config.lanes, 3);
    lido__config_done(&config);
    environment("DATABASE_LANES", "on");
    accept(&config, "sqlite://", &options); /* they are for the other database */
    lido__config_done(&config);
    environment("DATABASE_LANES", "");
    refuse("postgresql://?lanes=many", NULL,
           "the URL's parameter lanes is \"many\": allowed is 0 to 64, on (2) or off (0)");
    refuse("postgresql://?lanes=65", NULL, "allowed is 0 to 64, on (2) or off (0)");
    refuse("postgresql://?lanes=-1", NULL, "allowed is 0 to 64, on (2) or off (0)");
    refuse("sqlite://?lanes=on", NULL, "lanes");
    options.lanes = -1;
    refuse("postgresql://", &options, "lido_options.lanes is -1: allowed is 0 to 64");
}

static void test_words_are_kept_in_lower_case(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    options.journal_mode = "DELETE";
    accept(&config, "sqlite:///items.db?synchronous=Normal", &options);
    assert_string_equal(config.journal_mode, "delete");
    assert_string_equal(config.synchronous, "normal");
    lido__config_done(&config);
}

/* ---- Options ---- */

static void test_faulty_options_are_named(void **state) {
    (void)state;
    lido_options options;
#define REFUSED(url, member, value, part) \
    do { \
        options = (lido_options)LIDO_OPTIONS_INIT; \
        options.member = value; \
        refuse(url, &options, part); \
    } while (0)
    REFUSED("sqlite://", pool_size, 0, "lido_options.pool_size is 0: allowed is 1 to 10000");
    REFUSED("sqlite://", pool_size, INT_MAX, "lido_options.pool_size is 2147483647");
    REFUSED("sqlite://", max_overflow, -2, "lido_options.max_overflow is -2: allowed is 0 to 10000, or -1 (no limit)");
    REFUSED("sqlite://", prepare, 2, "lido_options.prepare is 2: allowed is 0 or 1");
    REFUSED("sqlite://", pool_timeout_ms, -1, "pool_timeout_ms is -1: allowed is 0 to 86400000 milliseconds");
    REFUSED("sqlite://", pool_recycle_ms, INT64_MIN, "lido_options.pool_recycle_ms is -9223372036854775808");
    REFUSED("sqlite://", cache_size, 1, "lido_options.cache_size is 1: allowed is 65536 to 1099511627776 bytes");
    REFUSED("sqlite://", journal_mode, "wall", "lido_options.journal_mode is \"wall\": allowed is one of wal, delete");
    REFUSED("sqlite://", database, "", "lido_options.database is empty");
    REFUSED("postgresql://", password, "", "lido_options.password is empty");
    REFUSED("postgresql://", host, "h:1", "lido_options.host is \"h:1\"");
    REFUSED("postgresql://h1,h2", port, "1,2,3", "lido_options.port lists 3 ports, but there are 2 hosts");
    REFUSED("postgresql://", port, "http", "lido_options.port is \"http\"");
    REFUSED("postgresql://", sslmode, "true", "lido_options.sslmode is \"true\": allowed is one of disable");
    REFUSED("postgresql://", database, "postgres://u:" PASSWORD "@h", "lido_options.database is a URL");
#undef REFUSED
}

static void test_options_for_the_other_database_wait_for_their_day(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    options.user = "me";
    options.password = PASSWORD;
    options.busy_timeout_ms = 1;
    accept(&config, "sqlite://", &options);
    assert_int_equal(config.busy_timeout_ms, 1);
    assert_null(config.user);
    lido__config_done(&config);
    accept(&config, "postgresql://", &options);
    assert_string_equal(config.user, "me");
    lido__config_done(&config);
}

static void test_options_must_be_initialised(void **state) {
    (void)state;
    lido_options options = {0};
    lido_error error = LIDO_ERROR_INIT;
    lido__config config;
    refuse("sqlite://", &options, "lido_options.size is 0");
    assert_false(lido__config_read(&config, "sqlite://", &options, &error));
    assert_string_equal(error.hint, "initialise lido_options with LIDO_OPTIONS_INIT");
    assert_false(lido__config_read(&config, "sqlite://", &options, NULL));
    options = (lido_options)LIDO_OPTIONS_INIT;
    options.size = 9;
    refuse("sqlite://", &options, "lido_options.size is 9");
    options.size = sizeof options + sizeof options.size;
    refuse("sqlite://", &options, "compiled with newer headers");
}

/* A program compiled before the SQLite members were added: whatever lies behind its struct is not looked at. */
static void test_options_of_an_older_program_are_shorter(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    options.size = offsetof(lido_options, busy_timeout_ms);
    options.pool_size = 3;
    options.busy_timeout_ms = -77;
    options.journal_mode = "not a mode";
    accept(&config, "sqlite://", &options);
    assert_int_equal(config.pool_size, 3);
    assert_int_equal(config.busy_timeout_ms, 5000);
    assert_string_equal(config.journal_mode, "wal");
    lido__config_done(&config);
}

/* ---- The list of settings ---- */

static void test_every_setting_of_the_database_is_listed_once(void **state) {
    (void)state;
    static const char *const urls[] = {"sqlite:///items.db?metrics_address=unix:m",
                                       "postgresql://u:p@h:1/d?sslmode=require&application_name=a"
                                       "&metrics_address=unix:m&target_session_attrs=any&sslpassword=" PASSWORD};
    for (int type = LIDO__SQLITE; type <= LIDO__POSTGRESQL; type++) {
        size_t expected = 0;
        lido__config config;
        accept(&config, urls[type], NULL);
        for (int index = 0; index < LIDO__SETTING_COUNT; index++) {
            const lido__setting_rule *rule = &lido__setting_rules[index];
            bool applies = lido__setting_applies(rule, (lido__database_type)type);
            assert_int_equal(is_listed(&config, rule->name), applies);
            expected += applies;
        }
        if (type == LIDO__POSTGRESQL) {
            assert_setting(&config, "sslpassword", "***", LIDO_FROM_URL);
            expected++;
        }
        assert_int_equal(config.setting_count, expected);
        lido__config_done(&config);
    }
}

static void test_origins_have_names(void **state) {
    (void)state;
    assert_string_equal(lido_origin_name(LIDO_FROM_DEFAULT), "default");
    assert_string_equal(lido_origin_name(LIDO_FROM_ENVIRONMENT), "environment");
    assert_string_equal(lido_origin_name(LIDO_FROM_URL), "URL");
    assert_string_equal(lido_origin_name(LIDO_FROM_OPTIONS), "options");
    assert_string_equal(lido_origin_name((lido_origin)99), "unknown");
}

/* ---- The documentation ---- */

/* The line of docs/configuration.md that describes the member, NULL if there is none. */
static const char *documented_line(const char *document, const char *member, char *line, size_t size) {
    char start[64];
    snprintf(start, sizeof start, "\n| `%s` |", member);
    const char *found = strstr(document, start);
    if (found == NULL)
        return NULL;
    size_t length = strcspn(found + 1, "\n");
    assert_true(length < size);
    snprintf(line, size, "%.*s", (int)length, found + 1);
    return line;
}

/* The line must hold the text. */
static void assert_documented(const char *line, const char *format, ...) LIDO_FORMAT(2, 3);
static void assert_documented(const char *line, const char *format, ...) {
    char expected[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    if (strstr(line, expected) == NULL)
        fail_msg("docs/configuration.md lacks \"%s\" in: %.500s", expected, line);
}

static void assert_number_documented(const char *line, const lido__setting_rule *rule) {
    char number[LIDO__NUMBER_SIZE];
    char lowest[LIDO__NUMBER_SIZE];
    lido__number_format(rule, rule->lowest, lowest);
    assert_documented(line, "| %s |", lido__number_format(rule, rule->fallback, number));
    if (rule->form == LIDO__FORM_SWITCH)
        assert_documented(line, "| on, off |");
    else
        assert_documented(line, "| %s to %s", lowest, lido__number_format(rule, rule->highest, number));
    if (rule->minus_one != NULL)
        assert_documented(line, ", -1 (%s) |", rule->minus_one);
    if (rule->on != 0)
        assert_documented(line, ", on (%d), off (0) |", (int)rule->on);
}

static char *document_read(void) {
    enum { SIZE = 64 * 1024 };
    char *document = calloc(1, SIZE);
    FILE *file = fopen(LIDO_SOURCE_ROOT "/docs/configuration.md", "r");
    assert_non_null(document);
    assert_non_null(file);
    size_t size = fread(document, 1, SIZE - 1, file);
    assert_true(size > 0 && size < SIZE - 1);
    fclose(file);
    return document;
}

static void test_the_documentation_says_what_the_table_says(void **state) {
    (void)state;
    char *document = document_read();
    for (int index = 0; index < LIDO__SETTING_COUNT; index++) {
        const lido__setting_rule *rule = &lido__setting_rules[index];
        char line[512];
        if (documented_line(document, rule->name, line, sizeof line) == NULL)
            fail_msg("docs/configuration.md has no line for %s", rule->name);
        assert_documented(line, "| `%s` |", rule->parameter);
        if (rule->variable != NULL)
            assert_documented(line, "| `%s` |", rule->variable);
        if (lido__setting_is_number(rule))
            assert_number_documented(line, rule);
        if (rule->words != NULL)
            assert_documented(line, "| %s |", rule->words);
        if (rule->fallback_text != NULL)
            assert_documented(line, "| %s |", rule->fallback_text);
    }
    for (const char *const *name = lido__keyword_names; *name != NULL; name++)
        assert_documented(document, "`%s`", *name);
    free(document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_durations_and_sizes_have_units, environment_clear),
        cmocka_unit_test_setup(test_booleans_have_eight_spellings, environment_clear),
        cmocka_unit_test_setup(test_lanes_are_a_number_or_a_switch, environment_clear),
        cmocka_unit_test_setup(test_words_are_kept_in_lower_case, environment_clear),
        cmocka_unit_test_setup(test_faulty_options_are_named, environment_clear),
        cmocka_unit_test_setup(test_options_for_the_other_database_wait_for_their_day, environment_clear),
        cmocka_unit_test_setup(test_options_must_be_initialised, environment_clear),
        cmocka_unit_test_setup(test_options_of_an_older_program_are_shorter, environment_clear),
        cmocka_unit_test_setup(test_every_setting_of_the_database_is_listed_once, environment_clear),
        cmocka_unit_test_setup(test_origins_have_names, environment_clear),
        cmocka_unit_test_setup(test_the_documentation_says_what_the_table_says, environment_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
