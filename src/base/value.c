/* Names of the kinds of values. */
#include <lido/value.h>

static const char *const kind_names[] = {
    [LIDO_KIND_NULL] = "null",       [LIDO_KIND_BOOL] = "bool",       [LIDO_KIND_INT64] = "int64",
    [LIDO_KIND_DOUBLE] = "double",   [LIDO_KIND_TEXT] = "text",       [LIDO_KIND_BLOB] = "blob",
    [LIDO_KIND_UUID] = "uuid",       [LIDO_KIND_TIME] = "time",       [LIDO_KIND_JSON] = "json",
    [LIDO_KIND_NUMERIC] = "numeric", [LIDO_KIND_INVALID] = "invalid",
};

const char *lido_kind_name(lido_kind kind) {
    size_t index = (size_t)kind;
    return index < sizeof kind_names / sizeof *kind_names ? kind_names[index] : "not a kind";
}
