/* Where an engine's settings come from: options beat the URL, the URL beats the environment, the environment beats
 * the defaults; and every faulty value is refused by its name. */
#include "config_reading.h"

/* ---- Defaults ---- */

static void test_defaults_are_those_of_the_header(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    accept(&config, "sqlite:///items.db", &options);
    assert_int_equal(config.pool_size, 20);
    assert_int_equal(config.max_overflow, 10);
    assert_true(config.pool_pre_ping);
    assert_int_equal(config.pool_timeout_ms, 30000);
    assert_int_equal(config.pool_recycle_ms, 3600000);
    assert_int_equal(config.connect_timeout_ms, 10000);
    assert_int_equal(config.statement_timeout_ms, 300000);
    assert_true(config.prepare);
    assert_int_equal(config.statement_cache, 256);
    assert_int_equal(config.busy_timeout_ms, 5000);
    assert_string_equal(config.journal_mode, "wal");
    assert_string_equal(config.synchronous, "full");
    assert_true(config.foreign_keys);
    assert_int_equal(config.cache_size, 8 << 20);
    assert_int_equal(config.mmap_size, 128 << 20);
    assert_int_equal(config.journal_size_limit, 64 << 20);
    assert_int_equal(config.wal_autocheckpoint, 1000);
    assert_false(config.regexp_strict);
    for (size_t index = 0; index < config.setting_count; index++)
        if (strcmp(config.settings[index].name, "database") != 0)
            assert_int_equal(config.settings[index].origin, LIDO_FROM_DEFAULT);
    lido__config_done(&config);
}

static void test_what_is_not_given_to_postgresql_is_left_to_libpq(void **state) {
    (void)state;
    lido__config config;
    accept(&config, "postgresql://", NULL);
    assert_null(config.user);
    assert_null(config.password);
    assert_null(config.database);
    assert_null(config.sslmode);
    assert_null(config.application_name);
    assert_null(config.target_session_attrs);
    assert_int_equal(config.host_count, 1);
    assert_null(config.hosts[0].name);
    assert_null(config.hosts[0].port);
    assert_false(is_listed(&config, "user"));
    assert_false(is_listed(&config, "password"));
    assert_false(is_listed(&config, "journal_mode"));
    assert_int_equal(config.spin_us, 50);
    lido__config_done(&config);
}

/* ---- Precedence ---- */

static void test_each_setting_comes_from_the_strongest_source(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 4;
    environment("DATABASE_POOL_SIZE", "2");
    environment("DATABASE_MAX_OVERFLOW", "2");
    environment("DATABASE_POOL_TIMEOUT", "2");
    accept(&config, "sqlite:///items.db?pool_size=3&max_overflow=3", &options);
    assert_setting(&config, "pool_size", "4", LIDO_FROM_OPTIONS);
    assert_setting(&config, "max_overflow", "3", LIDO_FROM_URL);
    assert_setting(&config, "pool_timeout_ms", "2 s", LIDO_FROM_ENVIRONMENT);
    assert_setting(&config, "pool_recycle_ms", "1 h", LIDO_FROM_DEFAULT);
    assert_int_equal(config.pool_size, 4);
    assert_int_equal(config.max_overflow, 3);
    assert_int_equal(config.pool_timeout_ms, 2000);
    lido__config_done(&config);
}

/* Each may be fine by itself, and come from where the other does not. */
static void test_no_more_are_opened_ahead_than_are_kept(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 3;
    environment("DATABASE_POOL_MIN_SIZE", "4");
    refuse("sqlite:///items.db", &options, "pool_min_size is 4 (environment) and pool_size is 3 (options): allowed is");
    environment("DATABASE_POOL_MIN_SIZE", "3");
    accept(&config, "sqlite:///items.db", &options);
    lido__config_done(&config);
    refuse("sqlite:///items.db?pool_min_size=21", NULL, "pool_min_size is 21 (URL) and pool_size is 20 (default)");
}

static void test_options_replace_parts_of_the_url(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    options.database = "shop";
    options.user = "me@corp";
    options.password = "@/:?" PASSWORD;
    options.host = "::1,h2";
    options.port = "5433";
    options.sslmode = "require";
    options.application_name = "till";
    accept(&config, "postgresql://u:p@h:1/db?sslmode=disable", &options);
    assert_string_equal(config.password, "@/:?" PASSWORD);
    assert_string_equal(config.sslmode, "require");
    assert_string_equal(config.application_name, "till");
    assert_string_equal(config.display, "postgresql://me%40corp@[::1]:5433,h2:5433/shop");
    assert_setting(&config, "database", "shop", LIDO_FROM_OPTIONS);
    assert_setting(&config, "password", "***", LIDO_FROM_OPTIONS);
    lido__config_done(&config);
}

static void test_the_configuration_outlives_what_it_was_read_from(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    char url[] = "postgresql://u@h/db?sslcert=cert";
    char application[] = "till";
    options.application_name = application;
    environment("DATABASE_TARGET_SESSION_ATTRS", "primary");
    accept(&config, url, &options);
    memset(url, 'x', sizeof url - 1);
    memset(application, 'x', sizeof application - 1);
    environment("DATABASE_TARGET_SESSION_ATTRS", "any");
    assert_string_equal(config.database, "db");
    assert_string_equal(config.keywords[0].value, "cert");
    assert_string_equal(config.application_name, "till");
    assert_string_equal(config.target_session_attrs, "primary");
    lido__config_done(&config);
}

/* ---- Environment ---- */

static void test_environment_names_a_database_by_its_parts(void **state) {
    (void)state;
    lido__config config;
    environment("DATABASE_TYPE", "PostgreSQL+asyncpg");
    environment("DATABASE_NAME", "shop");
    environment("DATABASE_USER", "me");
    environment("DATABASE_PASSWORD", "p%40@/:? " PASSWORD); /* raw: nothing is decoded */
    environment("DATABASE_HOST", "h1,h2");
    environment("DATABASE_PORT", "5432,5433");
    environment("DATABASE_SSL", "true");
    accept(&config, NULL, NULL);
    assert_int_equal(config.type, LIDO__POSTGRESQL);
    assert_string_equal(config.password, "p%40@/:? " PASSWORD);
    assert_string_equal(config.sslmode, "require");
    assert_string_equal(config.display, "postgresql://me@h1:5432,h2:5433/shop");
    assert_setting(&config, "host", "h1,h2", LIDO_FROM_ENVIRONMENT);
    lido__config_done(&config);
}

static void test_environment_names_a_sqlite_file(void **state) {
    (void)state;
    lido__config config;
    environment("DATABASE_TYPE", "sqlite");
    environment("DATABASE_NAME", "items");
    environment("DATABASE_HOST", "h"); /* for another database, so not looked at */
    environment("DATABASE_SSL", "perhaps");
    accept(&config, NULL, NULL);
    assert_string_equal(config.display, "sqlite:///items.db");
    lido__config_done(&config);
    environment("DATABASE_NAME", ":memory:");
    accept(&config, NULL, NULL);
    assert_null(config.database);
    assert_string_equal(config.display, "sqlite://");
    lido__config_done(&config);
}

static void test_database_ssl_is_a_boolean_or_an_sslmode(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *sslmode;
    } cases[] = {
        {"true", "require"}, {"ON", "require"}, {"no", "disable"}, {"0", "disable"}, {"verify-ca", "verify-ca"}};
    environment("DATABASE_TYPE", "postgres");
    environment("DATABASE_NAME", "shop");
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        lido__config config;
        environment("DATABASE_SSL", cases[index].text);
        accept(&config, NULL, NULL);
        assert_string_equal(config.sslmode, cases[index].sslmode);
        lido__config_done(&config);
    }
    environment("DATABASE_SSL", "tls");
    refuse(NULL, NULL, "DATABASE_SSL is \"tls\": allowed is one of disable, allow, prefer, require");
}

/* A URL is the whole truth about the database: parts left over in the environment must not mix with it. */
static void test_a_url_replaces_the_parts_in_the_environment(void **state) {
    (void)state;
    lido__config config;
    environment("DATABASE_TYPE", "oracle");
    environment("DATABASE_USER", "somebody");
    environment("DATABASE_PASSWORD", PASSWORD);
    environment("DATABASE_PORT", "not a port");
    environment("DATABASE_SSL", "true");
    environment("DATABASE_POOL_SIZE", "7");
    environment("DATABASE_URL", "postgresql://h/db?max_overflow=0");
    accept(&config, NULL, NULL);
    assert_string_equal(config.display, "postgresql://h/db");
    assert_null(config.password);
    assert_null(config.sslmode);
    assert_setting(&config, "pool_size", "7", LIDO_FROM_ENVIRONMENT);
    assert_setting(&config, "max_overflow", "0", LIDO_FROM_URL);
    lido__config_done(&config);
    environment("DATABASE_URL", "faulty, but not looked at");
    accept(&config, "postgresql://other/db", NULL);
    assert_string_equal(config.display, "postgresql://other/db");
    assert_setting(&config, "max_overflow", "10", LIDO_FROM_DEFAULT);
    lido__config_done(&config);
}

static void test_an_empty_variable_is_not_set(void **state) {
    (void)state;
    lido__config config;
    environment("DATABASE_URL", "");
    environment("DATABASE_TYPE", "postgresql");
    environment("DATABASE_NAME", "shop");
    environment("DATABASE_PORT", "");
    environment("DATABASE_POOL_SIZE", "");
    accept(&config, NULL, NULL);
    assert_int_equal(config.pool_size, 20);
    assert_null(config.hosts[0].port);
    lido__config_done(&config);
}

static void test_some_source_must_name_a_database(void **state) {
    (void)state;
    static const char message[] =
        "no database is named: pass a URL, or set DATABASE_URL, or DATABASE_TYPE and DATABASE_NAME";
    lido_options options = LIDO_OPTIONS_INIT;
    lido__config config;
    refuse(NULL, NULL, message);
    environment("DATABASE_NAME", "items");
    refuse(NULL, NULL, message);
    environment("DATABASE_NAME", "");
    environment("DATABASE_TYPE", "sqlite");
    refuse(NULL, NULL, message);
    options.database = "elsewhere.db";
    accept(&config, NULL, &options);
    assert_string_equal(config.display, "sqlite:///elsewhere.db");
    lido__config_done(&config);
}

static void test_faulty_variables_are_named(void **state) {
    (void)state;
    static const struct {
        const char *variable;
        const char *value;
        const char *part;
    } cases[] = {
        {"DATABASE_TYPE", "oracle", "DATABASE_TYPE is \"oracle\": allowed is sqlite, postgresql or postgres"},
        {"DATABASE_TYPE", "postgresql://u:" PASSWORD "@h/db", "DATABASE_TYPE is a text with an '@' (not shown"},
        {"DATABASE_NAME", "postgresql://u:" PASSWORD "@h/db", "DATABASE_NAME is a URL"},
        {"DATABASE_NAME", "\xff", "DATABASE_NAME is not valid UTF-8"},
        {"DATABASE_HOST", "u:" PASSWORD "@h", "DATABASE_HOST is a text with an '@' (not shown"},
        {"DATABASE_HOST", "h:5432", "DATABASE_HOST is \"h:5432\": allowed is a host name, an address (no port"},
        {"DATABASE_HOST", "[::1]", "DATABASE_HOST is \"[::1]\""},
        {"DATABASE_HOST", "h1,,h2", "DATABASE_HOST is \"h1,,h2\""},
        {"DATABASE_PORT", "70000", "DATABASE_PORT is \"70000\": allowed is 1 to 65535"},
        {"DATABASE_PORT", "005432", "DATABASE_PORT is \"005432\""},
        {"DATABASE_PORT", "5432x", "DATABASE_PORT is \"5432x\""},
        {"DATABASE_PORT", "+5432", "DATABASE_PORT is \"+5432\""},
        {"DATABASE_PORT", "1,2", "DATABASE_PORT lists 2 ports, but there is 1 host"},
        {"DATABASE_PREPARE", "\n\xff", "DATABASE_PREPARE is \"??\""},
        {"DATABASE_POOL_SIZE", "0", "DATABASE_POOL_SIZE is \"0\": allowed is 1 to 10000"},
        {"DATABASE_POOL_SIZE", "many", "DATABASE_POOL_SIZE is \"many\""},
        {"DATABASE_POOL_SIZE", "-1", "DATABASE_POOL_SIZE is \"-1\""},
        {"DATABASE_POOL_SIZE", "5.0", "DATABASE_POOL_SIZE is \"5.0\""},
        {"DATABASE_POOL_SIZE", "99999999999999999999", "DATABASE_POOL_SIZE is \"99999999999999999999\""},
        {"DATABASE_MAX_OVERFLOW", "-2", "allowed is 0 to 10000, or -1 (no limit)"},
        {"DATABASE_POOL_PRE_PING", "maybe", "allowed is true, false, on, off, yes, no, 1 or 0"},
        {"DATABASE_POOL_TIMEOUT", "-1", "DATABASE_POOL_TIMEOUT is \"-1\": allowed is 0 to 24 h; written 30 (seconds)"},
        {"DATABASE_POOL_RECYCLE", "0", "allowed is 1 ms to 8760 h, or -1 (never)"},
        {"DATABASE_CONNECT_TIMEOUT", "10 minutes", "DATABASE_CONNECT_TIMEOUT is \"10 minutes\""},
        {"DATABASE_STATEMENT_TIMEOUT", "169h", "allowed is 1 ms to 168 h, or -1 (none)"},
        {"DATABASE_PREPARE", "2", "DATABASE_PREPARE is \"2\""},
        {"DATABASE_STATEMENT_CACHE", "0", "DATABASE_STATEMENT_CACHE is \"0\": allowed is 1 to 10000"},
        {"DATABASE_SPIN_US", "1001", "DATABASE_SPIN_US is \"1001\": allowed is 0 to 1000"},
        {"DATABASE_SPIN_US", "-1", "DATABASE_SPIN_US is \"-1\": allowed is 0 to 1000"},
        {"DATABASE_SLOW_MS", "1s", "DATABASE_SLOW_MS is \"1s\": allowed is 0 to 86400000, or -1 (never)"},
        {"DATABASE_APPLICATION_NAME", "\xc3", "DATABASE_APPLICATION_NAME is not valid UTF-8"},
        {"DATABASE_TARGET_SESSION_ATTRS", "leader", "DATABASE_TARGET_SESSION_ATTRS is \"leader\""},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        environment_clear(NULL);
        environment("DATABASE_TYPE", "postgresql");
        environment("DATABASE_NAME", "shop");
        environment("DATABASE_PASSWORD", PASSWORD);
        environment(cases[index].variable, cases[index].value);
        refuse(NULL, NULL, cases[index].part);
    }
    environment_clear(NULL);
    environment("DATABASE_URL", "postgresql://h:0/db");
    refuse(NULL, NULL, "DATABASE_URL's port is 0");
    environment("DATABASE_URL", "postgresql://h/db?prepare=x");
    refuse(NULL, NULL, "DATABASE_URL's parameter prepare is \"x\"");
}

/* No half-read configuration runs: a value that something stronger hides is looked at all the same. */
static void test_a_faulty_value_is_refused_even_where_it_is_hidden(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 5;
    environment("DATABASE_POOL_SIZE", "many");
    refuse("sqlite:///items.db?pool_size=4", &options, "DATABASE_POOL_SIZE is \"many\"");
}

static void test_variables_for_the_other_database_are_not_looked_at(void **state) {
    (void)state;
    lido__config config;
    environment("DATABASE_JOURNAL_MODE", "no such mode");
    accept(&config, "postgresql://h/db", NULL);
    lido__config_done(&config);
    refuse("sqlite:///items.db", NULL, "DATABASE_JOURNAL_MODE is \"no such mode\": allowed is one of wal, delete");
}

static void test_looking_before_sleeping_can_be_turned_off(void **state) {
    (void)state;
    lido__config config;
    lido_options options = LIDO_OPTIONS_INIT;
    accept(&config, "postgresql://h/db?spin_us=0", NULL);
    assert_int_equal(config.spin_us, 0);
    lido__config_done(&config);
    environment("DATABASE_SPIN_US", "20");
    accept(&config, "postgresql://h/db", NULL);
    assert_int_equal(config.spin_us, 20);
    lido__config_done(&config);
    options.spin_us = 1000;
    accept(&config, "postgresql://h/db?spin_us=0", &options);
    assert_int_equal(config.spin_us, 1000);
    lido__config_done(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults_are_those_of_the_header, environment_clear),
        cmocka_unit_test_setup(test_what_is_not_given_to_postgresql_is_left_to_libpq, environment_clear),
        cmocka_unit_test_setup(test_each_setting_comes_from_the_strongest_source, environment_clear),
        cmocka_unit_test_setup(test_no_more_are_opened_ahead_than_are_kept, environment_clear),
        cmocka_unit_test_setup(test_options_replace_parts_of_the_url, environment_clear),
        cmocka_unit_test_setup(test_the_configuration_outlives_what_it_was_read_from, environment_clear),
        cmocka_unit_test_setup(test_environment_names_a_database_by_its_parts, environment_clear),
        cmocka_unit_test_setup(test_environment_names_a_sqlite_file, environment_clear),
        cmocka_unit_test_setup(test_database_ssl_is_a_boolean_or_an_sslmode, environment_clear),
        cmocka_unit_test_setup(test_a_url_replaces_the_parts_in_the_environment, environment_clear),
        cmocka_unit_test_setup(test_an_empty_variable_is_not_set, environment_clear),
        cmocka_unit_test_setup(test_some_source_must_name_a_database, environment_clear),
        cmocka_unit_test_setup(test_faulty_variables_are_named, environment_clear),
        cmocka_unit_test_setup(test_looking_before_sleeping_can_be_turned_off, environment_clear),
        cmocka_unit_test_setup(test_a_faulty_value_is_refused_even_where_it_is_hidden, environment_clear),
        cmocka_unit_test_setup(test_variables_for_the_other_database_are_not_looked_at, environment_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
