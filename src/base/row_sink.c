/* Values into the members of structs, as row_sink.h has it, and of values what has no shorter way. */
#include "base/row_sink.h"

const char lido__row_sink_has_nul[] = "holds a NUL byte, at which C would see it end";

static const char *copy_text(const char *text, size_t size, lido__arena *memory, void *member) {
    if (memchr(text, '\0', size) != NULL)
        return lido__row_sink_has_nul;
    const char *copy = lido__arena_copy(memory, text, size);
    if (copy == NULL)
        return lido__convert_no_memory;
    memcpy(member, &copy, sizeof copy);
    return NULL;
}

/* What lido__convert_target has left pointing into the value becomes a copy of its own. */
static const char *copy_pointed(lido_target_kind kind, lido__arena *memory, void *member) {
    lido_bytes *bytes = member;
    const char **text = member;
    if (kind == LIDO_TARGET_BYTES && bytes->data != NULL) {
        bytes->data = lido__arena_copy(memory, bytes->data, bytes->size);
        return bytes->data != NULL ? NULL : lido__convert_no_memory;
    }
    if ((kind == LIDO_TARGET_TEXT || kind == LIDO_TARGET_JSON || kind == LIDO_TARGET_NUMERIC) && *text != NULL) {
        *text = lido__arena_copy(memory, *text, strlen(*text));
        return *text != NULL ? NULL : lido__convert_no_memory;
    }
    return NULL;
}

const char *lido__row_member_borrow(const lido__row_member *to, const lido_value *value, lido__arena *memory,
                                    void *object) {
    if (value->kind == LIDO_KIND_NULL && !to->may_be_null)
        return "is NULL, which the model does not allow";
    return lido__convert_target(value, memory, &(lido_target){to->kind, (char *)object + to->offset});
}

const char *lido__row_member_take(const lido__row_member *to, const lido_value *value, lido__arena *memory,
                                  void *object) {
    void *member = (char *)object + to->offset;
    if (value->kind == LIDO_KIND_TEXT && to->kind == LIDO_TARGET_TEXT)
        return copy_text(value->as.text, value->size, memory, member);
    const char *why = lido__row_member_borrow(to, value, memory, object);
    return why == NULL ? copy_pointed(to->kind, memory, member) : why;
}

bool lido__row_sink_refuse(lido__row_sink *sink, size_t column, const char *why) {
    sink->refused = true;
    sink->why = why;
    sink->column = column;
    return false;
}

bool lido__row_sink_take(lido__row_sink *sink, size_t column, const lido_value *value) {
    const char *why = lido__row_member_take(&sink->members[column], value, sink->memory, sink->object);
    return why == NULL || lido__row_sink_refuse(sink, column, why);
}

bool lido__row_sink_take_row(lido__row_sink *sink, const lido_value *row) {
    for (size_t i = 0; i < sink->count;) {
        if (!lido__row_sink_take(sink, i, &row[i]))
            return false;
        if (!lido__row_sink_goes_on(sink, ++i))
            return !sink->refused;
    }
    return lido__row_sink_complete(sink);
}
