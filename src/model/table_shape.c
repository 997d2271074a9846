/* Shapes of tables: which database is asked, and the lists that grow while they are read. */
#include "model/table_shape.h"

#include <string.h>

#include <lido/statement.h>

static bool is_postgres(const lido__shape_reader *reader) {
    return reader->session->engine->config.type == LIDO__POSTGRESQL;
}

void lido__shape_read(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    if (is_postgres(reader))
        lido__shape_read_postgres(reader, plan, shape);
    else
        lido__shape_read_sqlite(reader, plan, shape);
}

void lido__shape_expect(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    if (is_postgres(reader))
        lido__shape_expect_postgres(reader, plan, shape);
    else
        lido__shape_expect_sqlite(reader, plan, shape);
}

const char *lido__shape_target(lido__shape_reader *reader, const lido__plan *target) {
    if (!is_postgres(reader))
        return target->table_name;
    lido_value name = lido_value_text(target->table);
    lido_value found =
        lido_query_valuev(reader->session, "SELECT pg_catalog.to_regclass(?)::pg_catalog.text", 1, &name);
    return found.kind == LIDO_KIND_TEXT ? found.as.text : NULL;
}

void lido__shape_out_of_memory(lido__shape_reader *reader) {
    if (!reader->session->failed)
        lido__session_refuse(reader->session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "memory ran out while reading a schema");
}

const char *lido__shape_text(lido__shape_reader *reader, lido_rows *rows, size_t column) {
    const char *text = lido_get_text(rows, column);
    const char *copy = text != NULL ? lido__arena_copy(reader->arena, text, strlen(text)) : NULL;
    if (text != NULL && copy == NULL)
        lido__shape_out_of_memory(reader);
    return copy;
}

/* Doubles the room at each power of two. */
void *lido__shape_add(lido__shape_reader *reader, void *array_pointer, size_t *count, size_t size) {
    char *array;
    memcpy(&array, array_pointer, sizeof array);
    if ((*count & (*count - 1)) == 0) { /* 0, 1, 2, 4 … */
        char *grown = lido__arena_allocate(reader->arena, (*count > 0 ? *count * 2 : 1) * size);
        if (grown == NULL) {
            lido__shape_out_of_memory(reader);
            return NULL;
        }
        if (*count > 0)
            memcpy(grown, array, *count * size);
        array = grown;
        memcpy(array_pointer, &array, sizeof array);
    }
    return memset(array + (*count)++ * size, 0, size);
}

void lido__shape_add_name(lido__shape_reader *reader, lido__shape_names *names, const char *name) {
    const char **added = lido__shape_add(reader, &names->names, &names->count, sizeof *added);
    if (added != NULL)
        *added = name;
}

lido__shape_index *lido__shape_index_of(lido__shape_reader *reader, lido__table_shape *shape, int64_t number) {
    if (shape->index_count > 0 && shape->indexes[shape->index_count - 1].number == number)
        return &shape->indexes[shape->index_count - 1];
    lido__shape_index *added = lido__shape_add(reader, &shape->indexes, &shape->index_count, sizeof *added);
    if (added != NULL)
        added->number = number;
    return added;
}

lido__shape_reference *lido__shape_reference_of(lido__shape_reader *reader, lido__table_shape *shape, int64_t number) {
    if (shape->reference_count > 0 && shape->references[shape->reference_count - 1].number == number)
        return &shape->references[shape->reference_count - 1];
    lido__shape_reference *added = lido__shape_add(reader, &shape->references, &shape->reference_count, sizeof *added);
    if (added != NULL)
        added->number = number;
    return added;
}
