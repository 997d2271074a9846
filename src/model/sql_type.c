/* From C types to SQL types, and the many names that SQL has for one type. */
#include "model/sql_type.h"

#include <ctype.h>
#include <string.h>

#include "base/convert.h"

static const char *const types[][2] = {
    /* SQLite, PostgreSQL */
    [LIDO_TARGET_BOOL] = {"boolean", "boolean"},
    [LIDO_TARGET_SIGNED_CHAR] = {"integer", "integer"},
    [LIDO_TARGET_UNSIGNED_CHAR] = {"integer", "integer"},
    [LIDO_TARGET_SHORT] = {"integer", "integer"},
    [LIDO_TARGET_UNSIGNED_SHORT] = {"integer", "integer"},
    [LIDO_TARGET_INT] = {"integer", "integer"},
    [LIDO_TARGET_UNSIGNED] = {"bigint", "bigint"},
    [LIDO_TARGET_LONG] = {"bigint", "bigint"},
    [LIDO_TARGET_UNSIGNED_LONG] = {"bigint", "bigint"},
    [LIDO_TARGET_LONG_LONG] = {"bigint", "bigint"},
    [LIDO_TARGET_UNSIGNED_LONG_LONG] = {"bigint", "bigint"},
    [LIDO_TARGET_FLOAT] = {"real", "real"},
    [LIDO_TARGET_DOUBLE] = {"double precision", "double precision"},
    [LIDO_TARGET_TEXT] = {"text", "text"},
    /* What SQLite declares so reads as a uuid and a moment; the text in it does not look like a number, so the
     * column's numeric affinity leaves it alone. */
    [LIDO_TARGET_UUID] = {"uuid", "uuid"},
    [LIDO_TARGET_TIME] = {"timestamptz", "timestamptz"},
    [LIDO_TARGET_BYTES] = {"blob", "bytea"},
    /* Reads as JSON for its first word, and keeps a document such as 1.50 as the text it is for its second. */
    [LIDO_TARGET_JSON] = {"json text", "jsonb"},
    [LIDO_TARGET_NUMERIC] = {"numeric", "numeric"},
};

const char *lido__sql_type(lido_target_kind kind, lido__database_type database) {
    lido_target_kind base = lido__target_base(kind);
    if (lido__target_size(kind) == 0 || (size_t)base >= sizeof types / sizeof types[0])
        return NULL;
    return types[base][database == LIDO__POSTGRESQL];
}

const char *lido__part_sql_type(const lido_part *part, lido__database_type database) {
    return part->type != NULL ? part->type : lido__sql_type(part->kind, database);
}

/* ---- Names of the same type ---- */

static const char *const other_names[][2] = {
    {"int", "integer"},
    {"int4", "integer"},
    {"int8", "bigint"},
    {"int2", "smallint"},
    {"bool", "boolean"},
    {"float8", "double precision"},
    {"float", "double precision"},
    {"float4", "real"},
    {"varchar", "character varying"},
    {"char varying", "character varying"},
    {"char", "character"},
    {"bpchar", "character"},
    {"decimal", "numeric"},
    {"dec", "numeric"},
    {"timestamptz", "timestamp with time zone"},
    {"timestamp", "timestamp without time zone"},
    {"timetz", "time with time zone"},
    {"time", "time without time zone"},
    {"varbit", "bit varying"},
};

enum { TYPE_NAME_SIZE = 160 };

/* A type's name in pieces: timestamp(3) with time zone is "timestamp with time zone" and "(3)". */
typedef struct type_name {
    char words[TYPE_NAME_SIZE];
    char rest[TYPE_NAME_SIZE]; /* in parentheses and brackets */
} type_name;

static bool append(char *text, char character) {
    size_t size = strlen(text);
    if (size + 1 >= TYPE_NAME_SIZE)
        return false;
    text[size] = character;
    text[size + 1] = '\0';
    return true;
}

/* Small letters, and one blank between two words. False: longer than any type's name. */
static bool take_apart(const char *name, type_name *type) {
    int depth = 0;
    bool blank = false;
    bool fits = true;
    *type = (type_name){"", ""};
    for (; *name != '\0' && fits; name++) {
        unsigned char character = (unsigned char)*name;
        if (isspace(character)) {
            blank = true;
            continue;
        }
        depth += character == '(' || character == '[';
        if (depth == 0 && blank && type->words[0] != '\0')
            fits = append(type->words, ' ');
        fits = fits && append(depth > 0 ? type->rest : type->words, (char)tolower(character));
        depth -= character == ')' || character == ']';
        blank = false;
    }
    return fits;
}

static const char *usual_name(const char *words) {
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0]; i++)
        if (strcmp(other_names[i][0], words) == 0)
            return other_names[i][1];
    return words;
}

/* What is left away: numeric(10) is numeric(10,0), and char is char(1). */
static const char *usual_rest(const char *words, type_name *type) {
    size_t size = strlen(type->rest);
    if (strcmp(words, "numeric") == 0 && size > 2 && size + 2 < TYPE_NAME_SIZE && strchr(type->rest, ',') == NULL &&
        type->rest[size - 1] == ')')
        memcpy(type->rest + size - 1, ",0)", sizeof ",0)");
    if ((strcmp(words, "character") == 0 || strcmp(words, "bit") == 0) && size == 0)
        return "(1)";
    return type->rest;
}

bool lido__sql_type_is_same(const char *one, const char *other) {
    type_name ones;
    type_name others;
    if (!take_apart(one, &ones) || !take_apart(other, &others))
        return strcmp(one, other) == 0;
    const char *words = usual_name(ones.words);
    return strcmp(words, usual_name(others.words)) == 0 &&
           strcmp(usual_rest(words, &ones), usual_rest(words, &others)) == 0;
}
