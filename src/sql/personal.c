/* The names that personal.h is about, and looking for them. */
#include "sql/personal.h"

#include <string.h>
#include <strings.h>

typedef struct personal_name {
    const char *name;
    bool begins; /* every name that begins so */
} personal_name;

/* What a read-only transaction may call all the same, and others would notice on the same connection; what waits by
 * its nature, so that they would have to wait, too; and what does something to the server, for a statement of a lane
 * may be run more than once. */
static const personal_name names[] = {
    {"set_config", false},
    {"setseed", false},
    {"pg_advisory_", true},
    {"pg_try_advisory_", true},
    {"pg_backend_pid", false},
    {"pg_sleep", true},
    {"pg_export_snapshot", false},
    {"pg_my_temp_schema", false},
    {"pg_notify", false},
    {"pg_listening_channels", false},
    {"pg_prepared_statement", false},
    {"pg_prepared_statements", false},
    {"pg_cursors", false},
    {"currval", false},
    {"lastval", false},
    {"lo_open", false},
    {"dblink", true},
    {"pg_logical_slot_", true}, /* those that peek, too */
    {"pg_replication_slot_advance", false},
    {"pg_replication_origin_", true},
    {"pg_create_physical_replication_slot", false},
    {"pg_create_logical_replication_slot", false},
    {"pg_copy_physical_replication_slot", false},
    {"pg_copy_logical_replication_slot", false},
    {"pg_drop_replication_slot", false},
    {"pg_logical_emit_message", false},
    {"pg_terminate_backend", false},
    {"pg_cancel_backend", false},
    {"pg_log_backend_memory_contexts", false},
    {"pg_stat_reset", true},
    {"pg_stat_statements_reset", false},
    {"pg_reload_conf", false},
    {"pg_switch_wal", false},
    {"pg_create_restore_point", false},
    {"pg_backup_", true},
    {"pg_wal_replay_", true},
    {"pg_rotate_logfile", false},
    {"pg_promote", false},
    {"lo_import", false},
    {"lo_export", false},
    {"pg_file_", true},
};

/* Of a name; a byte beyond ASCII belongs to one, too. */
static bool is_of_a_name(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_' || byte == '$' || (unsigned char)byte >= 0x80;
}

static bool is_named(const char *word, size_t size) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t length = strlen(names[i].name);
        bool fits = names[i].begins ? size >= length : size == length;
        if (fits && strncasecmp(word, names[i].name, length) == 0)
            return true;
    }
    return false;
}

bool lido__sql_is_personal(const char *text, size_t size) {
    size_t at = 0;
    while (at < size) {
        size_t start = at;
        while (at < size && is_of_a_name(text[at]))
            at++;
        if (at > start && is_named(text + start, at - start))
            return true;
        at += at == start;
    }
    return false;
}
