/* The table of settings.h, and looking names up in it. docs/configuration.md repeats it for people; a test
 * compares the two. */
#include "config/settings.h"

#include <assert.h>
#include <string.h>

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define ANY (LIDO__FOR_SQLITE | LIDO__FOR_POSTGRESQL)

/* Four shapes of rule: in both structs; in lido_options alone, and config.c turns it into something else; in
 * lido__config alone; in neither. */
#define IN_BOTH(member) #member, IN_THE_OPTIONS(member), IN_THE_CONFIG(member)
#define IN_OPTIONS(member) #member, IN_THE_OPTIONS(member), .config_offset = LIDO__NO_MEMBER
#define IN_CONFIG(member) #member, .option_offset = LIDO__NO_MEMBER, IN_THE_CONFIG(member)
#define IN_NEITHER(member) #member, .option_offset = LIDO__NO_MEMBER, .config_offset = LIDO__NO_MEMBER
#define IN_THE_OPTIONS(member) .option_offset = offsetof(lido_options, member)
#define IN_THE_CONFIG(member) .config_offset = offsetof(lido__config, member)

#define SSLMODES "disable, allow, prefer, require, verify-ca, verify-full"
#define SESSION_ATTRS "any, read-write, read-only, primary, standby, prefer-standby"
#define JOURNAL_MODES "wal, delete, truncate, persist, memory, off"

/* clang-format off */
const lido__setting_rule lido__setting_rules[LIDO__SETTING_COUNT] = {
    [LIDO__SETTING_DATABASE] = {.name = IN_BOTH(database), .parameter = "dbname", .variable = "DATABASE_NAME",
        .form = LIDO__FORM_DATABASE, .databases = ANY, .part = true},
    [LIDO__SETTING_USER] = {.name = IN_BOTH(user), .parameter = "user", .variable = "DATABASE_USER",
        .form = LIDO__FORM_TEXT, .databases = LIDO__FOR_POSTGRESQL, .part = true},
    [LIDO__SETTING_PASSWORD] = {.name = IN_BOTH(password), .parameter = "password", .variable = "DATABASE_PASSWORD",
        .form = LIDO__FORM_SECRET, .databases = LIDO__FOR_POSTGRESQL, .part = true},
    [LIDO__SETTING_HOST] = {.name = IN_OPTIONS(host), .parameter = "host", .variable = "DATABASE_HOST",
        .form = LIDO__FORM_HOSTS, .databases = LIDO__FOR_POSTGRESQL, .part = true},
    [LIDO__SETTING_PORT] = {.name = IN_OPTIONS(port), .parameter = "port", .variable = "DATABASE_PORT",
        .form = LIDO__FORM_PORTS, .databases = LIDO__FOR_POSTGRESQL, .part = true},
    [LIDO__SETTING_SSLMODE] = {.name = IN_BOTH(sslmode), .parameter = "sslmode", .variable = "DATABASE_SSL",
        .form = LIDO__FORM_WORD, .databases = LIDO__FOR_POSTGRESQL, .part = true, .words = SSLMODES},
    [LIDO__SETTING_APPLICATION_NAME] = {.name = IN_BOTH(application_name), .parameter = "application_name",
        .variable = "DATABASE_APPLICATION_NAME", .form = LIDO__FORM_TEXT, .databases = LIDO__FOR_POSTGRESQL},
    [LIDO__SETTING_TARGET_SESSION_ATTRS] = {.name = IN_CONFIG(target_session_attrs),
        .parameter = "target_session_attrs", .variable = "DATABASE_TARGET_SESSION_ATTRS",
        .form = LIDO__FORM_WORD, .databases = LIDO__FOR_POSTGRESQL, .words = SESSION_ATTRS},
    [LIDO__SETTING_MODE] = {.name = IN_NEITHER(mode), .parameter = "mode", .form = LIDO__FORM_WORD,
        .databases = LIDO__FOR_SQLITE, .words = "ro, rw, rwc", .fallback_text = "rwc"},

    [LIDO__SETTING_POOL_SIZE] = {.name = IN_BOTH(pool_size), .parameter = "pool_size",
        .variable = "DATABASE_POOL_SIZE", .form = LIDO__FORM_INTEGER, .databases = ANY,
        .lowest = 1, .highest = 10000, .fallback = 20},
    [LIDO__SETTING_MAX_OVERFLOW] = {.name = IN_BOTH(max_overflow), .parameter = "max_overflow",
        .variable = "DATABASE_MAX_OVERFLOW", .form = LIDO__FORM_INTEGER, .databases = ANY,
        .lowest = 0, .highest = 10000, .minus_one = "no limit", .fallback = 10},
    [LIDO__SETTING_POOL_PRE_PING] = {.name = IN_BOTH(pool_pre_ping), .parameter = "pool_pre_ping",
        .variable = "DATABASE_POOL_PRE_PING", .form = LIDO__FORM_SWITCH, .databases = ANY,
        .lowest = 0, .highest = 1, .fallback = 1},
    [LIDO__SETTING_POOL_TIMEOUT] = {.name = IN_BOTH(pool_timeout_ms), .parameter = "pool_timeout",
        .variable = "DATABASE_POOL_TIMEOUT", .form = LIDO__FORM_DURATION, .databases = ANY,
        .lowest = 0, .highest = DAY, .fallback = 30000},
    [LIDO__SETTING_POOL_RECYCLE] = {.name = IN_BOTH(pool_recycle_ms), .parameter = "pool_recycle",
        .variable = "DATABASE_POOL_RECYCLE", .form = LIDO__FORM_DURATION, .databases = ANY,
        .lowest = 1, .highest = 365 * DAY, .minus_one = "never", .fallback = HOUR},
    [LIDO__SETTING_POOL_MAX_IDLE] = {.name = IN_BOTH(pool_max_idle_ms), .parameter = "pool_max_idle",
        .variable = "DATABASE_POOL_MAX_IDLE", .form = LIDO__FORM_DURATION, .databases = ANY,
        .lowest = 1, .highest = 365 * DAY, .minus_one = "never", .fallback = 10 * MINUTE},
    [LIDO__SETTING_POOL_PING_AFTER] = {.name = IN_BOTH(pool_ping_after_ms), .parameter = "pool_ping_after",
        .variable = "DATABASE_POOL_PING_AFTER", .form = LIDO__FORM_DURATION, .databases = ANY,
        .lowest = 0, .highest = 365 * DAY, .minus_one = "never", .fallback = 30000},
    [LIDO__SETTING_POOL_LEAK_AFTER] = {.name = IN_BOTH(pool_leak_after_ms), .parameter = "pool_leak_after",
        .variable = "DATABASE_POOL_LEAK_AFTER", .form = LIDO__FORM_DURATION, .databases = ANY,
        .lowest = 1, .highest = 365 * DAY, .minus_one = "never", .fallback = 5 * MINUTE},
    [LIDO__SETTING_POOL_MIN_SIZE] = {.name = IN_BOTH(pool_min_size), .parameter = "pool_min_size",
        .variable = "DATABASE_POOL_MIN_SIZE", .form = LIDO__FORM_INTEGER, .databases = ANY,
        .lowest = 0, .highest = 10000, .fallback = 0},
    [LIDO__SETTING_POOL_MAX_WAITING] = {.name = IN_BOTH(pool_max_waiting), .parameter = "pool_max_waiting",
        .variable = "DATABASE_POOL_MAX_WAITING", .form = LIDO__FORM_INTEGER, .databases = ANY,
        .lowest = 0, .highest = 1000000, .minus_one = "no limit", .fallback = 1000},
    [LIDO__SETTING_CONNECT_TIMEOUT] = {.name = IN_BOTH(connect_timeout_ms), .parameter = "connect_timeout",
        .variable = "DATABASE_CONNECT_TIMEOUT", .form = LIDO__FORM_DURATION, .databases = ANY,
        .lowest = 1, .highest = HOUR, .fallback = 10000},
    [LIDO__SETTING_STATEMENT_TIMEOUT] = {.name = IN_BOTH(statement_timeout_ms), .parameter = "statement_timeout",
        .variable = "DATABASE_STATEMENT_TIMEOUT", .form = LIDO__FORM_DURATION, .databases = ANY,
        .lowest = 1, .highest = 7 * DAY, .minus_one = "none", .fallback = 5 * MINUTE},
    [LIDO__SETTING_TRANSACTION_TIMEOUT] = {.name = IN_BOTH(transaction_timeout_ms), .parameter = "transaction_timeout",
        .variable = "DATABASE_TRANSACTION_TIMEOUT", .form = LIDO__FORM_DURATION, .databases = ANY,
        .lowest = 1, .highest = 7 * DAY, .minus_one = "none", .fallback = -1},
    [LIDO__SETTING_PREPARE] = {.name = IN_BOTH(prepare), .parameter = "prepare",
        .variable = "DATABASE_PREPARE", .form = LIDO__FORM_SWITCH, .databases = ANY,
        .lowest = 0, .highest = 1, .fallback = 1},
    [LIDO__SETTING_STATEMENT_CACHE] = {.name = IN_BOTH(statement_cache), .parameter = "statement_cache",
        .variable = "DATABASE_STATEMENT_CACHE", .form = LIDO__FORM_INTEGER, .databases = ANY,
        .lowest = 1, .highest = 10000, .fallback = 256},
    [LIDO__SETTING_SPIN] = {.name = IN_BOTH(spin_us), .parameter = "spin_us",
        .variable = "DATABASE_SPIN_US", .form = LIDO__FORM_INTEGER, .databases = LIDO__FOR_POSTGRESQL,
        .lowest = 0, .highest = 1000, .fallback = 50},

    [LIDO__SETTING_BUSY_TIMEOUT] = {.name = IN_BOTH(busy_timeout_ms), .parameter = "busy_timeout",
        .variable = "DATABASE_BUSY_TIMEOUT", .form = LIDO__FORM_DURATION, .databases = LIDO__FOR_SQLITE,
        .lowest = 0, .highest = DAY, .fallback = 5000},
    [LIDO__SETTING_JOURNAL_MODE] = {.name = IN_BOTH(journal_mode), .parameter = "journal_mode",
        .variable = "DATABASE_JOURNAL_MODE", .form = LIDO__FORM_WORD, .databases = LIDO__FOR_SQLITE,
        .words = JOURNAL_MODES, .fallback_text = "wal"},
    [LIDO__SETTING_SYNCHRONOUS] = {.name = IN_BOTH(synchronous), .parameter = "synchronous",
        .variable = "DATABASE_SYNCHRONOUS", .form = LIDO__FORM_WORD, .databases = LIDO__FOR_SQLITE,
        .words = "off, normal, full, extra", .fallback_text = "full"},
    [LIDO__SETTING_FOREIGN_KEYS] = {.name = IN_BOTH(foreign_keys), .parameter = "foreign_keys",
        .variable = "DATABASE_FOREIGN_KEYS", .form = LIDO__FORM_SWITCH, .databases = LIDO__FOR_SQLITE,
        .lowest = 0, .highest = 1, .fallback = 1},
    [LIDO__SETTING_CACHE_SIZE] = {.name = IN_BOTH(cache_size), .parameter = "cache_size",
        .variable = "DATABASE_CACHE_SIZE", .form = LIDO__FORM_SIZE, .databases = LIDO__FOR_SQLITE,
        .lowest = 64 * KIB, .highest = 1024 * GIB, .fallback = 8 * MIB},
    /* SQLite, as usually built, silently maps no more than 2 GiB less 64 KiB. */
    [LIDO__SETTING_MMAP_SIZE] = {.name = IN_BOTH(mmap_size), .parameter = "mmap_size",
        .variable = "DATABASE_MMAP_SIZE", .form = LIDO__FORM_SIZE, .databases = LIDO__FOR_SQLITE,
        .lowest = 0, .highest = 2047 * MIB, .fallback = 128 * MIB},
    [LIDO__SETTING_JOURNAL_SIZE_LIMIT] = {.name = IN_BOTH(journal_size_limit), .parameter = "journal_size_limit",
        .variable = "DATABASE_JOURNAL_SIZE_LIMIT", .form = LIDO__FORM_SIZE, .databases = LIDO__FOR_SQLITE,
        .lowest = 0, .highest = 1024 * GIB, .fallback = 64 * MIB},
    [LIDO__SETTING_WAL_AUTOCHECKPOINT] = {.name = IN_BOTH(wal_autocheckpoint), .parameter = "wal_autocheckpoint",
        .variable = "DATABASE_WAL_AUTOCHECKPOINT", .form = LIDO__FORM_INTEGER, .databases = LIDO__FOR_SQLITE,
        .lowest = 0, .highest = 1000000, .fallback = 1000},
    [LIDO__SETTING_REGEXP_STRICT] = {.name = IN_BOTH(regexp_strict), .parameter = "regexp_strict",
        .variable = "DATABASE_REGEXP_STRICT", .form = LIDO__FORM_SWITCH, .databases = LIDO__FOR_SQLITE,
        .lowest = 0, .highest = 1, .fallback = 0},
    [LIDO__SETTING_OFFLOAD] = {.name = IN_BOTH(offload), .parameter = "offload",
        .variable = "DATABASE_OFFLOAD", .form = LIDO__FORM_WORD, .databases = LIDO__FOR_SQLITE,
        .words = "auto, always, never", .fallback_text = "auto"},
    [LIDO__SETTING_LANES] = {.name = IN_BOTH(lanes), .parameter = "lanes", .variable = "DATABASE_LANES",
        .form = LIDO__FORM_INTEGER, .databases = LIDO__FOR_POSTGRESQL,
        .lowest = 0, .highest = 64, .on = 2, .fallback = 0},
    [LIDO__SETTING_METRICS] = {.name = IN_BOTH(metrics), .parameter = "metrics", .variable = "DATABASE_METRICS",
        .form = LIDO__FORM_SWITCH, .databases = ANY, .lowest = 0, .highest = 1, .fallback = 1},
    [LIDO__SETTING_SLOW] = {.name = IN_BOTH(slow_ms), .parameter = "slow_ms", .variable = "DATABASE_SLOW_MS",
        .form = LIDO__FORM_INTEGER, .databases = ANY, .lowest = 0, .highest = DAY, .minus_one = "never",
        .fallback = -1},
    [LIDO__SETTING_METRICS_ADDRESS] = {.name = IN_BOTH(metrics_address), .parameter = "metrics_address",
        .variable = "DATABASE_METRICS_ADDRESS", .form = LIDO__FORM_TEXT, .databases = ANY},
};

/* Left out on purpose: hostaddr and load_balance_hosts (lido goes through the hosts itself), client_encoding
 * (always UTF-8), replication, and whatever libpq marks as obsolete. */
const char *const lido__keyword_names[] = {
    "channel_binding", "gssdelegation", "gssencmode", "gsslib", "keepalives", "keepalives_idle", "keepalives_interval",
    "keepalives_count", "krbsrvname", "options", "passfile", "require_auth", "requirepeer", "service",
    "ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcrl", "sslcrldir", "sslkey",
    "sslnegotiation", "sslpassword", "sslrootcert", "sslsni", "tcp_user_timeout", NULL};
/* clang-format on */

static_assert(LIDO__SETTING_COUNT + sizeof lido__keyword_names / sizeof *lido__keyword_names <=
                  LIDO__SETTING_COUNT_MOST,
              "lido__config.settings has room for every setting and keyword at once");

bool lido__setting_is_number(const lido__setting_rule *rule) {
    return rule->form < LIDO__FORM_WORD;
}

bool lido__setting_applies(const lido__setting_rule *rule, lido__database_type type) {
    return (rule->databases & (1U << type)) != 0;
}

lido__setting_index lido__setting_find(const char *parameter) {
    int index = 0;
    while (index < LIDO__SETTING_COUNT && strcmp(lido__setting_rules[index].parameter, parameter) != 0)
        index++;
    return (lido__setting_index)index;
}

bool lido__keyword_known(const char *name) {
    for (const char *const *known = lido__keyword_names; *known != NULL; known++)
        if (strcmp(*known, name) == 0)
            return true;
    return false;
}

bool lido__keyword_is_secret(const char *name) {
    return strcmp(name, "sslpassword") == 0;
}

const char *lido__database_type_name(lido__database_type type) {
    return type == LIDO__SQLITE ? "SQLite" : "PostgreSQL";
}

enum { NAME_MOST = 32, NEAR = 2 };

/* Levenshtein's distance, one row at a time; more than NEAR if either name is longer than any that is known. */
static size_t name_distance(const char *one, const char *other) {
    size_t row[NAME_MOST + 1];
    size_t size = strlen(other);
    if (size > NAME_MOST || strlen(one) > NAME_MOST)
        return NAME_MOST;
    for (size_t column = 0; column <= size; column++)
        row[column] = column;
    for (size_t line = 1; one[line - 1] != '\0'; line++) {
        size_t diagonal = row[0];
        row[0] = line;
        for (size_t column = 1; column <= size; column++) {
            size_t replaced = diagonal + (one[line - 1] != other[column - 1]);
            diagonal = row[column];
            size_t inserted = (row[column - 1] < row[column] ? row[column - 1] : row[column]) + 1;
            row[column] = replaced < inserted ? replaced : inserted;
        }
    }
    return row[size];
}

static void keep_nearer(const char *name, const char *candidate, const char **nearest, size_t *distance) {
    size_t found = name_distance(name, candidate);
    if (found < *distance) {
        *distance = found;
        *nearest = candidate;
    }
}

const char *lido__parameter_nearest(const char *name, lido__database_type type) {
    const char *nearest = NULL;
    size_t distance = NEAR + 1;
    for (int index = 0; index < LIDO__SETTING_COUNT; index++)
        if (lido__setting_applies(&lido__setting_rules[index], type))
            keep_nearer(name, lido__setting_rules[index].parameter, &nearest, &distance);
    if (type == LIDO__POSTGRESQL)
        for (const char *const *known = lido__keyword_names; *known != NULL; known++)
            keep_nearer(name, *known, &nearest, &distance);
    return nearest;
}
