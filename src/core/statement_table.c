/* Writing and reading the table of statement_table.h. */
#include "core/statement_table.h"

#include <stdlib.h>
#include <string.h>

#include "core/metrics.h"

enum { PROBES_MOST = 32 };

/* ---- Writing ---- */

static void describe(lido__statement_entry *entry, const lido__sql *sql) {
    uint64_t words[LIDO__STATEMENT_WORDS] = {0};
    memcpy(words, sql->normal, strlen(sql->normal));
    for (size_t i = 0; i < LIDO__STATEMENT_WORDS; i++)
        atomic_store_explicit(&entry->normal[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&entry->described, 1U + lido__statement_kind_of(sql), memory_order_release);
}

static size_t place_at(uint64_t fingerprint, size_t probe) {
    return (fingerprint + probe) % LIDO__STATEMENT_PLACES;
}

/* The statement's own, which it may get by this, or what it has to share. */
static lido__statement_entry *entry_for(lido__statement_table *table, const lido__sql *sql) {
    for (size_t probe = 0; probe < PROBES_MOST; probe++) {
        size_t place = place_at(sql->fingerprint, probe);
        uint64_t there = atomic_load_explicit(&table->fingerprints[place], memory_order_relaxed);
        if (there == 0 && atomic_compare_exchange_strong(&table->fingerprints[place], &there, sql->fingerprint))
            there = sql->fingerprint;
        if (there != sql->fingerprint)
            continue;
        lido__statement_entry *entry = &table->entries[place];
        if (atomic_load_explicit(&entry->described, memory_order_relaxed) == 0)
            describe(entry, sql);
        return entry;
    }
    return &table->others[lido__statement_kind_of(sql)];
}

static void increase(atomic_uint_fast64_t *number, unsigned by) {
    atomic_fetch_add_explicit(number, by, memory_order_relaxed);
}

void lido__statement_table_record(lido__statement_table *table, const lido__sql *sql, int64_t took_ns,
                                  unsigned weight) {
    lido__statement_entry *entry = entry_for(table, sql);
    increase(&entry->count, weight);
    lido__histogram_record(&entry->took, took_ns, weight);
}

void lido__statement_table_count(lido__statement_table *table, const lido__sql *sql) {
    increase(&entry_for(table, sql)->count, 1);
}

void lido__statement_table_failed(lido__statement_table *table, const lido__sql *sql) {
    increase(&entry_for(table, sql)->failed, 1);
}

/* What was never used stays untouched, and takes no memory. */
void lido__statement_table_clear(lido__statement_table *table) {
    for (size_t place = 0; place < LIDO__STATEMENT_PLACES; place++)
        if (atomic_load_explicit(&table->fingerprints[place], memory_order_relaxed) != 0)
            memset(&table->entries[place], 0, sizeof table->entries[place]);
    memset(table->fingerprints, 0, sizeof table->fingerprints);
    memset(table->others, 0, sizeof table->others);
}

/* ---- Which there are ---- */

typedef struct found_statement {
    uint64_t fingerprint; /* 0: several that had to share */
    unsigned kind;
    uint64_t total_ns;
} found_statement;

static uint64_t load(const atomic_uint_fast64_t *number) {
    return atomic_load_explicit(number, memory_order_relaxed);
}

static size_t find_in(const lido__statement_table *table, found_statement *found) {
    size_t count = 0;
    for (size_t place = 0; place < LIDO__STATEMENT_PLACES; place++) {
        uint64_t fingerprint = load(&table->fingerprints[place]);
        if (fingerprint == 0)
            continue;
        const lido__statement_entry *entry = &table->entries[place];
        unsigned described = atomic_load_explicit(&entry->described, memory_order_acquire);
        if (described != 0)
            found[count++] = (found_statement){fingerprint, described - 1, load(&entry->took.sum_ns)};
    }
    for (unsigned kind = 0; kind < LIDO__STATEMENT_KINDS; kind++)
        if (load(&table->others[kind].count) != 0 || load(&table->others[kind].failed) != 0)
            found[count++] = (found_statement){0, kind, load(&table->others[kind].took.sum_ns)};
    return count;
}

static int compare_names(const void *left, const void *right) {
    const found_statement *one = left;
    const found_statement *other = right;
    if (one->fingerprint != other->fingerprint)
        return one->fingerprint < other->fingerprint ? -1 : 1;
    return (one->kind > other->kind) - (one->kind < other->kind);
}

static int compare_totals(const void *left, const void *right) {
    const found_statement *one = left;
    const found_statement *other = right;
    if (one->total_ns != other->total_ns)
        return one->total_ns > other->total_ns ? -1 : 1;
    return compare_names(left, right);
}

/* Makes one of those that several tables have. */
static size_t merge(found_statement *found, size_t count) {
    size_t merged = 0;
    qsort(found, count, sizeof *found, compare_names);
    for (size_t i = 0; i < count; i++) {
        if (merged > 0 && compare_names(&found[merged - 1], &found[i]) == 0)
            found[merged - 1].total_ns += found[i].total_ns;
        else
            found[merged++] = found[i];
    }
    qsort(found, merged, sizeof *found, compare_totals);
    return merged;
}

/* ---- What is known of one ---- */

static const lido__statement_entry *entry_of(const lido__statement_table *table, const found_statement *found) {
    if (found->fingerprint == 0)
        return &table->others[found->kind];
    for (size_t probe = 0; probe < PROBES_MOST; probe++) {
        size_t place = place_at(found->fingerprint, probe);
        uint64_t there = load(&table->fingerprints[place]);
        if (there == found->fingerprint)
            return &table->entries[place];
        if (there == 0)
            break;
    }
    return NULL;
}

static void read_text(const lido__statement_entry *entry, char text[LIDO_STATEMENT_TEXT_SIZE]) {
    uint64_t words[LIDO__STATEMENT_WORDS];
    if (atomic_load_explicit(&entry->described, memory_order_acquire) == 0)
        return;
    for (size_t i = 0; i < LIDO__STATEMENT_WORDS; i++)
        words[i] = atomic_load_explicit(&entry->normal[i], memory_order_relaxed);
    memcpy(text, words, LIDO_STATEMENT_TEXT_SIZE);
    text[LIDO_STATEMENT_TEXT_SIZE - 1] = '\0'; /* whatever another process has done to the memory */
}

static void read_statement(const lido__statement_table *const *tables, size_t table_count, const found_statement *found,
                           lido_statement_stats *statement) {
    lido__durations took = {.count = 0};
    *statement = (lido_statement_stats){.fingerprint = found->fingerprint, .kind = (lido_statement_kind)found->kind};
    for (size_t i = 0; i < table_count; i++) {
        const lido__statement_entry *entry = entry_of(tables[i], found);
        if (entry == NULL)
            continue;
        statement->count += load(&entry->count);
        statement->failed += load(&entry->failed);
        lido__histogram_read(&entry->took, &took);
        read_text(entry, statement->text);
    }
    if (found->fingerprint == 0)
        memcpy(statement->text, LIDO_STATEMENT_OTHERS, sizeof LIDO_STATEMENT_OTHERS);
    statement->total_us = (double)took.sum_ns / 1000;
    statement->took = lido__metrics_durations(&took);
}

size_t lido__statement_tables_read(const lido__statement_table *const *tables, size_t table_count,
                                   lido_statement_stats *statements, size_t capacity) {
    size_t most = table_count * (LIDO__STATEMENT_PLACES + LIDO__STATEMENT_KINDS);
    found_statement *found = capacity > 0 && most > 0 ? malloc(most * sizeof *found) : NULL;
    size_t count = 0;
    if (found == NULL)
        return 0;
    for (size_t i = 0; i < table_count; i++)
        count += find_in(tables[i], found + count);
    count = merge(found, count);
    for (size_t i = 0; i < count && i < capacity; i++)
        read_statement(tables, table_count, &found[i], &statements[i]);
    free(found);
    return count < capacity ? count : capacity;
}
