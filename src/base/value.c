/* Values as such: the names of their kinds, texts that no database takes, and copies. */
#include <lido/value.h>

#include <string.h>

#include "base/convert.h"
#include "base/decimal.h"

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

/* Digits, perhaps a minus before them and one point among them, and few enough for a double's range: the usual form,
 * which need not be read as a number to know that it is one. */
static bool is_plain_decimal(const char *text, size_t size) {
    const size_t few = 300;
    bool digits = false;
    bool point = false;
    for (size_t i = size > 0 && text[0] == '-'; i < size; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (!digit && (text[i] != '.' || point))
            return false;
        digits = digits || digit;
        point = point || !digit;
    }
    return digits && size <= few;
}

/* No NUL and nothing beyond ASCII, eight letters at a time: what most texts are. */
static bool is_plain_text(const char *text, size_t size) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = ones << 7;
    uint64_t odd = 0;
    for (; size >= sizeof odd; text += sizeof odd, size -= sizeof odd) {
        uint64_t eight;
        memcpy(&eight, text, sizeof eight);
        odd |= eight | (eight - ones); /* a NUL borrows, and sets its high bit */
    }
    for (; size > 0; text++, size--)
        odd |= (unsigned char)*text | (uint64_t)(*text == '\0') << 7;
    return (odd & highs) == 0;
}

/* PostgreSQL's numeric reaches further than any double; what SQLite would make of such a number is infinity, or
 * zero. */
static const char *numeric_problem(const char *text, size_t size, bool sqlite) {
    lido__decimal decimal;
    double ignored;
    if (is_plain_decimal(text, size) || lido__double_parse(text, size, &ignored))
        return NULL;
    if (!lido__decimal_read(&decimal, text, size))
        return "a numeric that is no number";
    return sqlite ? "a numeric beyond what SQLite computes with; pass it as a text" : NULL;
}

const char *lido__text_problem(const lido_value *value, bool sqlite) {
    if (value->kind == LIDO_KIND_NUMERIC)
        return numeric_problem(value->as.text, value->size, sqlite);
    if (is_plain_text(value->as.text, value->size))
        return NULL;
    if (memchr(value->as.text, '\0', value->size) != NULL)
        return "a text with a NUL inside; pass it as a blob";
    return lido__utf8_valid(value->as.text, value->size) ? NULL : "a text that is not UTF-8; pass it as a blob";
}

lido_value *lido__values_copy(lido__arena *arena, size_t count, const lido_value *values) {
    lido_value *copies = lido__arena_allocate(arena, count * sizeof *copies);
    for (size_t i = 0; copies != NULL && i < count; i++) {
        copies[i] = values[i];
        if (!lido__kind_has_bytes(values[i].kind))
            continue;
        copies[i].as.text = lido__arena_copy(arena, values[i].as.text, values[i].size);
        if (copies[i].as.text == NULL)
            return NULL;
    }
    return copies;
}
