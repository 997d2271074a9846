/* The effective configuration of one engine: read once from options, URL and environment, checked as a
 * whole, and never changed afterwards, so that any thread may read it. It holds values and no sockets.
 *
 * Floor 1, below the backends, which read their own settings from it. */
#ifndef LIDO_CONFIG_CONFIG_H
#define LIDO_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido/error.h>
#include <lido/options.h>

#include "base/memory.h"

typedef enum lido__database_type { LIDO__SQLITE, LIDO__POSTGRESQL } lido__database_type;

typedef struct lido__host {
    const char *name; /* host name, address, or folder of a unix socket; NULL: libpq's default */
    const char *port; /* NULL: libpq's default */
} lido__host;

/* A libpq keyword that lido passes on unread, such as sslrootcert. */
typedef struct lido__keyword {
    const char *name;
    const char *value;
} lido__keyword;

enum { LIDO__SETTING_COUNT_MOST = 72 };

typedef struct lido__shared_texts lido__shared_texts;

typedef struct lido__config {
    lido__arena arena;          /* owns every text below, */
    lido__shared_texts *shared; /* unless this does, for several */
    lido__database_type type;
    const char *database;  /* SQLite: the file's path, NULL: in memory. PostgreSQL: its name, NULL: libpq's default */
    bool sqlite_read_only; /* mode=ro */
    bool sqlite_create;    /* mode=rwc, the default */
    const char *user;      /* NULL: libpq's default; as is the next */
    const char *password;
    size_t host_count; /* at least 1 for PostgreSQL */
    lido__host *hosts;
    const char *sslmode; /* NULL: libpq's default */
    const char *application_name;
    const char *target_session_attrs; /* NULL: any */
    size_t keyword_count;
    lido__keyword *keywords;

    int pool_size;
    int max_overflow; /* -1: no limit */
    bool pool_pre_ping;
    int64_t pool_timeout_ms;
    int64_t pool_recycle_ms; /* -1: never; as for the next three */
    int64_t pool_max_idle_ms;
    int64_t pool_ping_after_ms;
    int64_t pool_leak_after_ms;
    int pool_min_size;
    int pool_max_waiting; /* -1: no limit */

    int64_t connect_timeout_ms;
    int64_t statement_timeout_ms; /* -1: none; as for the next */
    int64_t transaction_timeout_ms;
    bool prepare;
    int statement_cache;
    int spin_us; /* 0: never */

    int64_t busy_timeout_ms;
    const char *journal_mode; /* one of the known words, lower case; as is the next */
    const char *synchronous;
    bool foreign_keys;
    int64_t cache_size;
    int64_t mmap_size;
    int64_t journal_size_limit;
    int wal_autocheckpoint;
    bool regexp_strict;
    const char *offload; /* one of the known words */
    int lanes;           /* of each loop; 0: none */
    bool for_lanes;      /* this is the configuration of lanes themselves: they must not write */

    bool metrics;
    int slow_ms;                          /* -1: never */
    const char *metrics_address;          /* NULL: nowhere */
    struct lido__metrics *shared_metrics; /* made by the parent, for its workers; NULL: the engine has its own. */
    uint64_t shared_metrics_process;      /* For that process, as core/fork.h counts, and no child of its */

    struct lido__shared_turn *write_turn; /* SQLite: made by the parent, for its workers; NULL: there is none */

    const char *display; /* the URL in its canonical form, without password and query; for errors */
    size_t setting_count;
    lido_setting settings[LIDO__SETTING_COUNT_MOST]; /* what lido_engine_setting shows */
} lido__config;

/* Reads and checks everything. `url` NULL: from the environment; `options` may be NULL. On failure
 * returns false, with *error saying which variable or part is wrong, what was found (never a password) and what is
 * allowed; *config is then empty and needs no lido__config_done. */
bool lido__config_read(lido__config *config, const char *url, const lido_options *options, lido_error *error);
void lido__config_done(lido__config *config);
/* Makes `copy` another one with the same values, which is ended by itself; the texts are freed with the last. False,
 * with *error set, if memory ran out. Not for two threads at once with one `config`. */
bool lido__config_share(lido__config *config, lido__config *copy, lido_error *error);

#endif
