/* Checking and arranging the parameters of parameters.h. */
#include "core/parameters.h"

#include <string.h>

#include "base/convert.h"

/* PostgreSQL ends a connection that sends it a message of 1 GiB. The other kinds take less than ALLOWANCE each. */
static bool check_sizes(lido_session *session, const lido__sql *sql, const lido_value *values) {
    const size_t allowance = 64;
    const size_t most = 0x3fffffff;
    bool postgres = session->engine->config.type == LIDO__POSTGRESQL;
    size_t total = allowance;
    for (size_t i = 0; i < sql->parameter_count; i++) {
        size_t size = lido__kind_has_bytes(values[i].kind) ? values[i].size : 0;
        if (size > INT32_MAX)
            return lido__session_refuse(session, LIDO_ERROR_TYPE, sql->text, "parameter %zu is larger than 2 GiB",
                                        i + 1);
        total += size + allowance;
        if (postgres && total > most)
            return lido__session_refuse(session, LIDO_ERROR_TYPE, sql->text,
                                        "the parameters are too large: PostgreSQL takes less than 1 GiB in one "
                                        "statement, all values together");
    }
    return true;
}

/* A value that is not plain. */
static bool check_value(lido_session *session, const lido__sql *sql, size_t index, const lido_value *value) {
    if (lido__kind_has_bytes(value->kind) && value->as.text == NULL)
        return lido__session_refuse(session, LIDO_ERROR_TYPE, sql->text,
                                    "parameter %zu is a %s whose pointer is NULL: NULL itself is lido_value_null()",
                                    index + 1, lido_kind_name(value->kind));
    switch (value->kind) {
    case LIDO_KIND_BLOB:
        return true;
    case LIDO_KIND_TEXT:
    case LIDO_KIND_JSON:
    case LIDO_KIND_NUMERIC: {
        const char *problem = lido__text_problem(value, session->engine->config.type == LIDO__SQLITE);
        return problem == NULL ||
               lido__session_refuse(session, LIDO_ERROR_TYPE, sql->text, "parameter %zu is %s", index + 1, problem);
    }
    case LIDO_KIND_INVALID:
        return lido__session_refuse(session, LIDO_ERROR_TYPE, sql->text, "parameter %zu: %s", index + 1,
                                    value->as.text);
    default:
        return lido__session_refuse(session, LIDO_ERROR_TYPE, sql->text,
                                    "parameter %zu is no value: it is of the unknown kind %d", index + 1,
                                    (int)value->kind);
    }
}

static bool check_count(lido_session *session, const lido__sql *sql, size_t count) {
    if (count == sql->parameter_count)
        return true;
    return lido__session_refuse(session, LIDO_ERROR_MISUSE, sql->text,
                                "the statement takes %zu parameter%s and got %zu: pass one for each ?, $1 or :name",
                                sql->parameter_count, sql->parameter_count == 1 ? "" : "s", count);
}

static const lido_value *find_named(const lido_value *values, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i].name, name) == 0)
            return &values[i];
    return NULL;
}

static size_t find_name(const lido__sql *sql, const char *name) {
    size_t at = 0;
    while (at < sql->parameter_count && strcmp(sql->names[at], name) != 0)
        at++;
    return at;
}

/* Every value must have a name of its own, and one that the statement knows. */
static bool check_names(lido_session *session, const lido__sql *sql, size_t count, const lido_value *values) {
    for (size_t i = 0; i < count; i++) {
        if (values[i].name == NULL)
            return lido__session_refuse(session, LIDO_ERROR_MISUSE, sql->text,
                                        "parameter %zu has no name and others have: name all or none", i + 1);
        if (sql->names == NULL || find_name(sql, values[i].name) == sql->parameter_count)
            return lido__session_refuse(session, LIDO_ERROR_MISUSE, sql->text, "the statement has no parameter :%s",
                                        values[i].name);
        if (find_named(values, i, values[i].name) != NULL)
            return lido__session_refuse(session, LIDO_ERROR_MISUSE, sql->text, "the parameter :%s got two values",
                                        values[i].name);
    }
    return true;
}

static bool arrange_by_name(lido_session *session, const lido__sql *sql, size_t count, const lido_value **values) {
    if (!check_names(session, sql, count, *values))
        return false;
    lido_value *ordered = lido__arena_allocate(&session->arena, sql->parameter_count * sizeof *ordered);
    if (ordered == NULL)
        return lido__session_refuse(session, LIDO_ERROR_OUT_OF_MEMORY, sql->text, "out of memory");
    for (size_t i = 0; i < sql->parameter_count; i++) {
        const lido_value *value = find_named(*values, count, sql->names[i]);
        if (value == NULL)
            return lido__session_refuse(session, LIDO_ERROR_MISUSE, sql->text, "the parameter :%s got no value",
                                        sql->names[i]);
        ordered[i] = *value;
    }
    *values = ordered;
    return true;
}

/* What a glance at the values shows. */
typedef struct glance {
    bool named; /* one has a name */
    bool odd;   /* one is not plain, */
    bool large; /* and one, or all together, may be too large */
} glance;

static glance glance_at(size_t count, const lido_value *values) {
    const size_t little = 0x1fffffff; /* half of what may be too much, at most */
    glance seen = {false, false, false};
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        seen.named |= values[i].name != NULL;
        if (lido__kind_is_plain(values[i].kind))
            continue;
        seen.odd = true;
        if (!lido__kind_has_bytes(values[i].kind))
            continue;
        bytes += values[i].size;
        seen.large |= values[i].size > little || bytes > little;
    }
    return seen;
}

bool lido__parameters_arrange_others(lido_session *session, const lido__sql *sql, size_t count,
                                     const lido_value **values) {
    if (count > 0 && *values == NULL)
        return lido__session_refuse(session, LIDO_ERROR_MISUSE, sql->text,
                                    "the statement got %zu parameter%s, and the pointer to the values is NULL", count,
                                    count == 1 ? "" : "s");
    glance seen = glance_at(count, *values);
    if (seen.named ? !arrange_by_name(session, sql, count, values) : !check_count(session, sql, count))
        return false;
    if (seen.large && !check_sizes(session, sql, *values))
        return false;
    for (size_t i = 0; seen.odd && i < sql->parameter_count; i++)
        if (!lido__kind_is_plain((*values)[i].kind) && !check_value(session, sql, i, &(*values)[i]))
            return false;
    return true;
}

bool lido__parameters_copy(lido_session *session, size_t count, const lido_value **values) {
    for (size_t i = 0; i < count; i++)
        session->queue_bytes += lido__kind_has_bytes((*values)[i].kind) ? (*values)[i].size : 0;
    *values = lido__values_copy(&session->arena, count, *values);
    return *values != NULL ||
           lido__session_refuse(session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "out of memory while queueing a statement");
}
