/* The names of naming.h. */
#include "model/naming.h"

#include <inttypes.h>
#include <string.h>

#include "base/convert.h"

/* FNV-1a: the name is in databases for good, so its hash is one that never changes. */
static uint32_t hash_of(const char *text) {
    uint32_t hash = UINT32_C(2166136261);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT32_C(16777619);
    return hash;
}

void lido__name_constraint(lido__buffer *name, const lido__plan *plan, size_t count, const lido__column *const *columns,
                           const char *what) {
    lido__buffer whole = LIDO__BUFFER_INIT;
    lido__buffer_text(&whole, plan->table_name);
    for (size_t i = 0; i < count; i++)
        lido__buffer_format(&whole, "_%s", columns[i]->name);
    const char *text = lido__buffer_string(&whole);
    size_t end = strlen("_") + strlen(what);
    if (text == NULL) {
        name->out_of_memory = true;
    } else if (whole.size + end <= LIDO__NAME_BYTES_MOST) {
        lido__buffer_format(name, "%s_%s", text, what);
    } else {
        size_t kept = lido__utf8_cut(text, LIDO__NAME_BYTES_MOST - end - strlen("_01234567"));
        lido__buffer_append(name, text, kept);
        lido__buffer_format(name, "_%08" PRIx32 "_%s", hash_of(text), what);
    }
    lido__buffer_done(&whole);
}
