/* What a database URL may say, what it means, and how a faulty one is refused. */
#include "config_reading.h"

#include "config/url.h"

/* ---- SQLite ---- */

static void test_sqlite_urls_name_files_or_memory(void **state) {
    (void)state;
    static const struct {
        const char *url;
        const char *database; /* NULL: in memory */
        const char *display;
    } cases[] = {
        {"sqlite:///items.db", "items.db", "sqlite:///items.db"},
        {"sqlite:///folder/items.db", "folder/items.db", "sqlite:///folder/items.db"},
        {"sqlite:////abs/items.db", "/abs/items.db", "sqlite:////abs/items.db"},
        {"sqlite://", NULL, "sqlite://"},
        {"sqlite:///", NULL, "sqlite://"},
        {"sqlite:///:memory:", NULL, "sqlite://"},
        {"sqlite+aiosqlite:///items.db", "items.db", "sqlite:///items.db"},
        {"SQLite:///items.db", "items.db", "sqlite:///items.db"},
        {"sqlite:///my%20items%3F.db", "my items?.db", "sqlite:///my%20items%3F.db"},
        {"sqlite:///my items.db", "my items.db", "sqlite:///my%20items.db"},
        {"sqlite:///mail@home#1.db", "mail@home#1.db", "sqlite:///mail@home%231.db"},
        {"sqlite:///\xc3\xa9t\xc3\xa9.db", "\xc3\xa9t\xc3\xa9.db", "sqlite:///\xc3\xa9t\xc3\xa9.db"},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        lido__config config;
        accept(&config, cases[index].url, NULL);
        assert_int_equal(config.type, LIDO__SQLITE);
        if (cases[index].database == NULL)
            assert_null(config.database);
        else
            assert_string_equal(config.database, cases[index].database);
        assert_string_equal(config.display, cases[index].display);
        lido__config_done(&config);
    }
}

static void test_mode_opens_or_creates_a_file(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool read_only;
        bool create;
    } cases[] = {
        {"sqlite:///items.db", false, true},          {"sqlite:///items.db?mode=rwc", false, true},
        {"sqlite:///items.db?mode=rw", false, false}, {"sqlite:///items.db?mode=ro", true, false},
        {"sqlite://?mode=rwc", false, true},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        lido__config config;
        accept(&config, cases[index].url, NULL);
        assert_int_equal(config.sqlite_read_only, cases[index].read_only);
        assert_int_equal(config.sqlite_create, cases[index].create);
        lido__config_done(&config);
    }
    refuse("sqlite:///items.db?mode=memory", NULL, "parameter mode is \"memory\": allowed is one of ro, rw, rwc");
    refuse("sqlite://?mode=ro", NULL, "mode is \"ro\", but the database is in memory: allowed is rwc");
}

static void test_sqlite_has_no_hosts(void **state) {
    (void)state;
    refuse("sqlite://items.db", NULL, "the URL names the host \"items.db\", and SQLite has no hosts");
    refuse("sqlite://user:" PASSWORD "@host/items.db", NULL, "the URL names the host (not shown)");
    refuse("sqlite://user:" PASSWORD "/items.db", NULL, "the URL names the host (not shown)");
    refuse("sqlite://" PASSWORD "/x@host/items.db", NULL, "the URL names the host (not shown)");
    refuse("sqlite:///items.db?host=h", NULL,
           "parameter host is set, which is for PostgreSQL, but the database is SQLite");
}

/* ---- PostgreSQL ---- */

static void test_postgresql_url_with_everything(void **state) {
    (void)state;
    lido__config config;
    accept(&config,
           "postgresql://user:p%40ss@h1:5432,h2/db?sslmode=verify-full&pool_size=5&application_name=shop"
           "&target_session_attrs=read-write&sslrootcert=%2Fetc%2Froot.crt&keepalives_idle=30",
           NULL);
    assert_int_equal(config.type, LIDO__POSTGRESQL);
    assert_string_equal(config.user, "user");
    assert_string_equal(config.password, "p@ss");
    assert_int_equal(config.host_count, 2);
    assert_string_equal(config.hosts[0].name, "h1");
    assert_string_equal(config.hosts[0].port, "5432");
    assert_string_equal(config.hosts[1].name, "h2");
    assert_null(config.hosts[1].port);
    assert_string_equal(config.database, "db");
    assert_string_equal(config.sslmode, "verify-full");
    assert_string_equal(config.application_name, "shop");
    assert_string_equal(config.target_session_attrs, "read-write");
    assert_int_equal(config.pool_size, 5);
    assert_int_equal(config.keyword_count, 2);
    assert_string_equal(config.keywords[0].name, "sslrootcert");
    assert_string_equal(config.keywords[0].value, "/etc/root.crt");
    assert_string_equal(config.keywords[1].name, "keepalives_idle");
    assert_string_equal(config.keywords[1].value, "30");
    assert_string_equal(config.display, "postgresql://user@h1:5432,h2/db");
    lido__config_done(&config);
}

static void test_postgresql_urls_have_a_canonical_form(void **state) {
    (void)state;
    static const struct {
        const char *url;
        const char *display;
    } cases[] = {
        {"postgresql://", "postgresql://"},
        {"postgresql:///db", "postgresql:///db"},
        {"postgres://h/db", "postgresql://h/db"},
        {"PostgreSQL+asyncpg://h/db", "postgresql://h/db"},
        {"postgresql+psycopg2://h", "postgresql://h"},
        {"postgresql://:@h", "postgresql://h"},
        {"postgresql://u@h:1", "postgresql://u@h:1"},
        {"postgresql://:5433/db", "postgresql://:5433/db"},
        {"postgresql://[::1]:5432,[fe80::1%25eth0]/db", "postgresql://[::1]:5432,[fe80::1%25eth0]/db"},
        {"postgresql://%2Frun%2Fpostgresql/db", "postgresql://%2Frun%2Fpostgresql/db"},
        {"postgresql://%40lido:1/db", "postgresql://%40lido:1/db"},
        {"postgresql:///db?host=/run/postgresql", "postgresql://%2Frun%2Fpostgresql/db"},
        {"postgresql:///?host=h1,h2&port=1,2&user=u&password=" PASSWORD "&dbname=db", "postgresql://u@h1:1,h2:2/db"},
        {"postgresql://h1,h2:5433/db", "postgresql://h1,h2:5433/db"},
        {"postgresql://h1,h2/db?port=7", "postgresql://h1:7,h2:7/db"},
        {"postgresql://a%3Ab%40c:" PASSWORD "@h/x%2Fy?", "postgresql://a%3Ab%40c@h/x%2Fy"},
        {"postgresql://h/a+b/c", "postgresql://h/a%2Bb%2Fc"},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        lido__config config;
        lido__config again;
        accept(&config, cases[index].url, NULL);
        assert_string_equal(config.display, cases[index].display);
        accept(&again, config.display, NULL);
        assert_string_equal(again.display, config.display);
        lido__config_done(&again);
        lido__config_done(&config);
    }
}

static void test_a_password_may_hold_any_character(void **state) {
    (void)state;
    static const struct {
        const char *written;
        const char *password;
    } cases[] = {
        {"p%40ss", "p@ss"},
        {"p@ss", "p@ss"},
        {"@@@", "@@@"},
        {"a:b:c", "a:b:c"},
        {"%2F%3F%25%3a%20%0A", "/?%: \n"},
        {"%E2%82%AC\xe2\x82\xac", "\xe2\x82\xac\xe2\x82\xac"},
        {"%ff", "\xff"}, /* in whatever encoding it was set */
        {"a+b&c=d#e,f[g]", "a+b&c=d#e,f[g]"},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        char url[128];
        lido__config config;
        snprintf(url, sizeof url, "postgresql://user:%s@h:5432/db", cases[index].written);
        accept(&config, url, NULL);
        assert_string_equal(config.user, "user");
        assert_string_equal(config.password, cases[index].password);
        assert_int_equal(config.host_count, 1);
        assert_string_equal(config.display, "postgresql://user@h:5432/db");
        assert_setting(&config, "password", "***", LIDO_FROM_URL);
        lido__config_done(&config);
    }
}

/* A password with '/' or '?' left as they are moves the borders of all parts. Nothing of it may come out. */
static void test_a_badly_encoded_password_is_never_shown(void **state) {
    (void)state;
    refuse("postgresql://user:x/" PASSWORD "@h/db", NULL, "'@' behind the first '/' or '?'");
    refuse("postgresql://user:" PASSWORD "/x@h/db", NULL, "'@' behind the first '/' or '?'");
    refuse("postgresql://user:x?" PASSWORD "@h/db", NULL, "'@' behind the first '/' or '?'");
    refuse("postgresql://user:x?pool_size=" PASSWORD "@h/db", NULL, "'@' behind the first '/' or '?'");
    refuse("postgresql://user:@x/" PASSWORD "@h/db", NULL, "'@' behind the first '/' or '?'");
    refuse("postgresql://user:" PASSWORD "%zz@h/db", NULL, "the URL's password has a '%'");
    refuse("postgresql://user:" PASSWORD "%00@h/db", NULL, "the URL's password has a %00");
    refuse("postgresql://user:" PASSWORD "/db", NULL, "the URL's port is no number (not shown");
    refuse("postgresql://user:%40" PASSWORD "%40h/db", NULL, "the URL's port is no number (not shown");
    refuse("user:" PASSWORD "@h/db", NULL, "does not begin with sqlite:// or postgresql://");
    refuse("user:" PASSWORD "://@h/db", NULL, "does not begin with sqlite:// or postgresql://");
    refuse("postgresql://user:" PASSWORD "@h/db?pool_size=0", NULL, "pool_size is \"0\"");
    refuse("postgresql:///db?pasword=" PASSWORD, NULL, "parameter pasword is not known: did you mean password?");
    refuse("postgresql:///db?password=" PASSWORD "&password=" PASSWORD, NULL, "gives password twice");
    refuse("postgresql:///db?pool_size=user:" PASSWORD "%40h", NULL, "pool_size is a text with an '@' (not shown");
}

/* ---- What is refused ---- */

static void test_faulty_urls_say_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *url;
        const char *part;
    } cases[] = {
        {"", "the URL is empty"},
        {"items.db", "does not begin with"},
        {"sqlite:items.db", "does not begin with"},
        {"mysql://h/db", "the URL's scheme is \"mysql\": allowed is sqlite, postgresql or postgres"},
        {"postgresql+://h/db", "the URL's scheme is \"postgresql+\""},
        {"postgresql+a-b://h/db", "the URL's scheme is \"postgresql+a-b\""},
        {"postgresqlx://h/db", "the URL's scheme is \"postgresqlx\""},
        {"sqlite:///\xff.db", "not valid UTF-8"},
        {"sqlite:///%ff.db", "the URL's database is not valid UTF-8"},
        {"sqlite:///items.db\n", "holds a control character"},
        {"sqlite:///items.db ", "ends in a space"},
        {"sqlite:///a%2.db", "the URL's path has a '%' without two hexadecimal digits"},
        {"sqlite:///a%", "the URL's path has a '%' without two hexadecimal digits"},
        {"sqlite:///a%g0", "the URL's path has a '%' without two hexadecimal digits"},
        {"sqlite:///a%00b", "the URL's path has a %00"},
        {"postgresql://h%zz/db", "the URL's host has a '%'"},
        {"postgresql://%u@h/db", "the URL's user has a '%'"},
        {"postgresql://h:0/db", "the URL's port is 0: allowed is 1 to 65535"},
        {"postgresql://h:65536/db", "the URL's port is 65536: allowed is 1 to 65535"},
        {"postgresql://h:123456/db", "the URL's port is a larger number"},
        {"postgresql://h:-1/db", "the URL's port is no number"},
        {"postgresql://h:/db", "the URL's port is empty"},
        {"postgresql://h1,,h2/db", "the URL's host list has an empty place"},
        {"postgresql://h1,/db", "the URL's host list has an empty place"},
        {"postgresql://::1/db", "the URL's host has more than one ':'"},
        {"postgresql://[::1/db", "begins with '[' and has no ']'"},
        {"postgresql://[::1]5432/db", "something other than ':' and a port"},
        {"postgresql://[]/db", "brackets with no address in them"},
        {"postgresql://h/db?port=000001", "port is \"000001\": allowed is 1 to 65535"},
        {"postgresql://h/db?port=1,2", "the URL's port lists 2 ports, but there is 1 host"},
        {"sqlite://?dbname=items.db", "the URL gives dbname twice: allowed is once"},
        {"postgresql://a%2Cb/db", "the URL's host has an encoded comma"},
        {"postgresql://a%20b/db", "the URL's host is \"a b\": allowed is a host name"},
        {"postgresql://a%3A5432/db", "the URL's host is \"a:5432\""},
        {"postgresql://h1,h2,h3/db?port=1,2", "the URL's port lists 2 ports, but there are 3 hosts"},
        {"postgresql://h/db?port=http", "the URL's parameter port is \"http\": allowed is 1 to 65535"},
        {"postgresql://h/db?host=x", "the URL gives host twice: allowed is once"},
        {"postgresql://h/db?dbname=x", "the URL gives dbname twice"},
        {"postgresql://h/db?pool_size=5&pool_size=5", "the URL gives pool_size twice"},
        {"postgresql://h/db?ssl=true&sslmode=require", "the URL gives sslmode twice"},
        {"postgresql://h/db?sslcert=a&sslcert=b", "the URL gives sslcert twice"},
        {"postgresql://h/db?sslcert=", "the URL's parameter sslcert is empty"},
        {"postgresql://h/db?sslcert=%ff", "the URL's parameter sslcert is not valid UTF-8"},
        {"postgresql://h/db?application_name=", "the URL's parameter application_name is empty"},
        {"postgresql://h/db?pool_size", "the URL's parameter pool_size has no '='"},
        {"postgresql://h/db?pool_size=%3", "the URL's parameter pool_size has a '%'"},
        {"postgresql://h/db?&pool_size=5", "a parameter without a proper name"},
        {"postgresql://h/db?pool-size=5", "a parameter without a proper name"},
        {"postgresql://h/db?pool_sise=5", "parameter pool_sise is not known: did you mean pool_size?"},
        {"postgresql://h/db?ssl_rootcert=5", "did you mean sslrootcert?"},
        {"postgresql://h/db?journal_modus=wal", "parameter journal_modus is not known"},
        {"postgresql://h/db?journal_mode=wal", "which is for SQLite, but the database is PostgreSQL"},
        {"sqlite:///items.db?sslmode=require", "which is for PostgreSQL, but the database is SQLite"},
        {"sqlite:///items.db?sslcert=a", "which is for PostgreSQL, but the database is SQLite"},
        {"sqlite:///items.db?journal_modus=wal", "did you mean journal_mode?"},
        {"postgresql://h/db?sslmode=verify", "one of disable, allow, prefer, require, verify-ca, verify-full"},
        {"postgresql://h/db?ssl=maybe", "the URL's parameter ssl is \"maybe\""},
        {"postgresql://h/db?target_session_attrs=master", "one of any, read-write, read-only, primary"},
        {"postgresql://h/postgresql:%2F%2Fuser:" PASSWORD "%40h", "the URL's database is a URL"},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++)
        refuse(cases[index].url, NULL, cases[index].part);
}

static void test_a_url_far_too_long_is_refused(void **state) {
    (void)state;
    size_t size = LIDO__URL_SIZE_MOST + 1;
    char *url = malloc(size + 1);
    lido__config config;
    assert_non_null(url);
    memset(url, 'a', size);
    memcpy(url, "sqlite:///", 10);
    url[size] = '\0';
    refuse(url, NULL, "longer than 65536 bytes");
    url[size - 1] = '\0';
    accept(&config, url, NULL);
    assert_int_equal(strlen(config.database), size - 1 - 10);
    lido__config_done(&config);
    free(url);
}

static void test_unknown_names_are_not_guessed_at_from_afar(void **state) {
    (void)state;
    assert_string_equal(lido__parameter_nearest("pool_sise", LIDO__SQLITE), "pool_size");
    assert_string_equal(lido__parameter_nearest("sslmod", LIDO__POSTGRESQL), "sslmode");
    assert_null(lido__parameter_nearest("sslmod", LIDO__SQLITE));
    assert_null(lido__parameter_nearest("colour", LIDO__POSTGRESQL));
    assert_null(lido__parameter_nearest("a_name_that_is_longer_than_any_setting_has", LIDO__POSTGRESQL));
}

static void test_ssl_is_another_word_for_sslmode(void **state) {
    (void)state;
    static const struct {
        const char *url;
        const char *sslmode;
    } cases[] = {
        {"postgresql://h/db?ssl=true", "require"},
        {"postgresql://h/db?ssl=0", "disable"},
        {"postgresql://h/db?ssl=verify-full", "verify-full"},
        {"postgresql://h/db?sslmode=Prefer", "prefer"},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        lido__config config;
        accept(&config, cases[index].url, NULL);
        assert_string_equal(config.sslmode, cases[index].sslmode);
        lido__config_done(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_sqlite_urls_name_files_or_memory, environment_clear),
        cmocka_unit_test_setup(test_mode_opens_or_creates_a_file, environment_clear),
        cmocka_unit_test_setup(test_sqlite_has_no_hosts, environment_clear),
        cmocka_unit_test_setup(test_postgresql_url_with_everything, environment_clear),
        cmocka_unit_test_setup(test_postgresql_urls_have_a_canonical_form, environment_clear),
        cmocka_unit_test_setup(test_a_password_may_hold_any_character, environment_clear),
        cmocka_unit_test_setup(test_a_badly_encoded_password_is_never_shown, environment_clear),
        cmocka_unit_test_setup(test_faulty_urls_say_what_is_wrong, environment_clear),
        cmocka_unit_test_setup(test_a_url_far_too_long_is_refused, environment_clear),
        cmocka_unit_test_setup(test_unknown_names_are_not_guessed_at_from_afar, environment_clear),
        cmocka_unit_test_setup(test_ssl_is_another_word_for_sslmode, environment_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
