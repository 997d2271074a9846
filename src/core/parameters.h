/* Parameters: as many as the statement takes, in its order, and fit to be sent. */
#ifndef LIDO_CORE_PARAMETERS_H
#define LIDO_CORE_PARAMETERS_H

#include "base/convert.h"
#include "core/session.h"

/* The same for values that are not simple. */
bool lido__parameters_arrange_others(lido_session *session, const lido__sql *sql, size_t count,
                                     const lido_value **values);

/* Whether the values can be taken without another look: as many as the statement takes, none of them with a name, nor
 * with bytes of its own. */
static inline bool lido__parameters_are_simple(const lido__sql *sql, size_t count, const lido_value *values) {
    if (count != sql->parameter_count || (values == NULL && count > 0))
        return false;
    for (size_t i = 0; i < count; i++)
        if (values[i].name != NULL || !lido__kind_is_plain(values[i].kind))
            return false;
    return true;
}

/* Checks `count` values against the statement and gives them in its order: as they are, or arranged by name in the
 * session's arena. False if they do not fit: the session has failed. */
static inline bool lido__parameters_arrange(lido_session *session, const lido__sql *sql, size_t count,
                                            const lido_value **values) {
    return lido__parameters_are_simple(sql, count, *values) ||
           lido__parameters_arrange_others(session, sql, count, values);
}

/* Copies the values, with their texts, into the session's arena. False if memory ran out: the session has failed. */
bool lido__parameters_copy(lido_session *session, size_t count, const lido_value **values);

#endif
