/* Models that are refused, each with what is wrong with it and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lido.h>
#include <cmocka.h>

typedef struct User {
    lido_uuid id;
    const char *name;
    int age;
} User;

typedef struct Item {
    lido_uuid id;
    int64_t number;
    int count;
    double price;
    const double *discount;
    const char *name;
    const char *word;
    lido_json document;
    lido_uuid owner_id;
    const lido_uuid *parent_id;
    User *owner;
    struct Item *parent;
    const char *user_name;
} Item;

LIDO_MODEL(User, "users", LIDO_KEY(User, id), LIDO_FIELD(User, name, .unique = true), LIDO_FIELD(User, age));

typedef struct Pair {
    int64_t left, right;
    const char *word;
} Pair;

LIDO_MODEL(Pair, "pairs", LIDO_KEY(Pair, left), LIDO_KEY(Pair, right), LIDO_FIELD(Pair, word), LIDO_UNIQUE("word"));

#define KEY LIDO_KEY(Item, id)

/* Models that are taken lie where LIDO_MODEL puts them, for they are remembered. */
#define TAKEN(name, ...) \
    static const lido_part name##_parts[] = {__VA_ARGS__}; \
    static const lido_model name = {"Item", "items", sizeof(Item), sizeof name##_parts / sizeof(lido_part), \
                                    name##_parts};

TAKEN(natural_uuid, LIDO_KEY(Item, id, .natural = true, .fallback = "gen_random_uuid()"))
TAKEN(natural_integer, LIDO_KEY(Item, number, .natural = true, .type = "integer"))
TAKEN(key_of_two, LIDO_KEY(Item, id), LIDO_KEY(Item, name, .unique = true, .index = false))
TAKEN(nullable_twice, KEY, LIDO_FIELD(Item, document, .nullable = true), LIDO_FIELD(Item, discount, .nullable = true))
TAKEN(versioned, KEY, LIDO_ROW_VERSION(Item, number))
TAKEN(referring, KEY, LIDO_REF(Item, parent_id, User, .on_delete = LIDO_SET_NULL, LIDO_OBJECT(Item, owner)),
      LIDO_REF(Item, user_name, User, .references = "NAME"), LIDO_REF(Item, word, Pair, .references = "word"))
TAKEN(indexed_both_ways, KEY, LIDO_FIELD(Item, name), LIDO_INDEX("name", "id"), LIDO_INDEX("id", "name"))

/* A model of Item in a table of that name, and why it is refused. */
#define CHECK_TABLE(table_name, message, ...) \
    do { \
        const lido_part parts[] = {__VA_ARGS__}; \
        check(&(const lido_model){"Item", table_name, sizeof(Item), sizeof parts / sizeof parts[0], parts}, message); \
    } while (0)

#define REFUSED(message, ...) CHECK_TABLE("items", message, __VA_ARGS__)

static void check(const lido_model *model, const char *message) {
    lido_error error = LIDO_ERROR_INIT;
    lido_status status = lido_model_check(model, &error);
    if (message == NULL) {
        if (status != LIDO_OK)
            fail_msg("refused: %s", error.message);
        return;
    }
    assert_int_equal(status, LIDO_ERROR);
    assert_string_equal(error.message, message);
    assert_int_equal(error.category, LIDO_ERROR_MISUSE);
    assert_string_equal(error.doing, "reading a model");
    assert_int_equal(lido_model_check(model, NULL), LIDO_ERROR); /* and again */
}

static void models_that_are_none(void **state) {
    (void)state;
    static const lido_part key = LIDO_KEY(Item, id);
    check(NULL, "the model is NULL");
    check(&(const lido_model){NULL, "items", sizeof(Item), 1, &key}, "model  has no name");
    check(&(const lido_model){"Item", "items", sizeof(Item), 0, &key}, "model Item has no parts");
    check(&(const lido_model){"Item", NULL, sizeof(Item), 1, &key}, "model Item: its table's name  is NULL");
    check(&(const lido_model){"Item", "items", 8, 1, &key}, "model Item: column id ends beyond the struct");
}

static void names(void **state) {
    (void)state;
#define LONG_NAME "a123456789b123456789c123456789d123456789e123456789f123456789g123"
    CHECK_TABLE("", "model Item: its table's name  is empty", KEY);
    CHECK_TABLE("a.b.c", "model Item: its table's name a.b.c has more than a schema's name before it", KEY);
    CHECK_TABLE("a\"b", "model Item: its table's name a\"b has a double quote without its like", KEY);
    CHECK_TABLE(LONG_NAME,
                "model Item: its table's name " LONG_NAME " is longer than the 63 bytes that PostgreSQL keeps", KEY);
    CHECK_TABLE(LONG_NAME ".items",
                "model Item: its table's name " LONG_NAME ".items is longer than the 63 bytes that PostgreSQL keeps",
                KEY);
    CHECK_TABLE("\xff", "model Item: its table's name \xff is not UTF-8", KEY);
    REFUSED("model Item: the column name \"\" is empty", KEY, LIDO_FIELD(Item, name, .column = "\"\""));
    REFUSED("model Item: two columns are called id", KEY, LIDO_FIELD(Item, name, .column = "ID"));
    REFUSED("model Item: column age describes a member of User", KEY, LIDO_FIELD(User, age));
}

static void keys(void **state) {
    (void)state;
    REFUSED("model Item has no key: give it a LIDO_KEY", LIDO_FIELD(Item, name));
    REFUSED("model Item: column discount is part of the key, which cannot be NULL", LIDO_KEY(Item, discount));
    REFUSED("model Item: column name is part of the key, which cannot be NULL", LIDO_KEY(Item, name, .nullable = true));
    REFUSED("model Item: column price is of a type that no key can be of: an integer, a text, a blob, a uuid or a "
            "time can",
            LIDO_KEY(Item, price));
    REFUSED("model Item: column id is the key, which is unique as it is: leave `.unique` away",
            LIDO_KEY(Item, id, .unique = true));
    REFUSED("model Item: column id is the key, which has an index as it is: leave `.index` away",
            LIDO_KEY(Item, id, .index = true));
    REFUSED("model Item: column id is generated and needs no `.fallback`, or is `.natural`",
            LIDO_KEY(Item, id, .fallback = "gen_random_uuid()"));
    REFUSED("model Item: column number is generated by the database, which needs its own `.type` for that; or make it "
            "`.natural`",
            LIDO_KEY(Item, number, .type = "integer"));
    REFUSED("model Item: column name is given `.key`, which is for LIDO_REF: use LIDO_KEY", KEY,
            LIDO_FIELD(Item, name, .key = true));
    REFUSED("model Item: column name is given `.natural`, which is for LIDO_KEY", KEY,
            LIDO_FIELD(Item, name, .natural = true));
}

static void columns(void **state) {
    (void)state;
    REFUSED("model Item: column price holds its value, which cannot be NULL: instead of `.nullable` make it a pointer "
            "to a const value, such as const double *",
            KEY, LIDO_FIELD(Item, price, .nullable = true));
    REFUSED("model Item: column price is no text, and `.allowed` lists texts: use `.check`", KEY,
            LIDO_FIELD(Item, price, .allowed = LIDO_ALLOWED("1")));
    REFUSED("model Item: column name allows no text at all: `.allowed` is empty", KEY,
            LIDO_FIELD(Item, name, .allowed = (const char *const[]){NULL}));
    REFUSED("model Item: column name has an empty text as `.type`, `.check` or `.fallback`", KEY,
            LIDO_FIELD(Item, name, .check = ""));
    REFUSED("model Item: column name is unique, which is an index as it is: leave `.index` away", KEY,
            LIDO_FIELD(Item, name, .unique = true, .index = true));
    REFUSED("model Item: column v is of a type that no column has", KEY,
            {.of = "Item", .member = "v", .kind = LIDO_TARGET_VALUE});
    REFUSED("model Item: column v is of a type that no column has", KEY,
            {.of = "Item", .member = "v", .kind = LIDO_TARGET_NULLABLE + LIDO_TARGET_TEXT});
    REFUSED("model Item: the column name  is NULL", KEY, {.of = "Item"});
}

static void versions(void **state) {
    (void)state;
    REFUSED("model Item: column price is the version, which is an integer that cannot be NULL", KEY,
            LIDO_ROW_VERSION(Item, price));
    REFUSED(
        "model Item: column count is the version, which is set by the library: leave `.fallback` and `.unique` away",
        KEY, LIDO_ROW_VERSION(Item, count, .fallback = "1"));
    REFUSED("model Item: columns count and number are both the version", KEY, LIDO_ROW_VERSION(Item, count),
            LIDO_ROW_VERSION(Item, number));
}

static void references(void **state) {
    (void)state;
    REFUSED("model Item: column owner_id cannot be NULL, and LIDO_SET_NULL would make it so: make it a pointer to a "
            "const value, or a text that is `.nullable`",
            KEY, LIDO_REF(Item, owner_id, User, .on_delete = LIDO_SET_NULL));
    REFUSED("model Item: column owner_id has no `.fallback` for LIDO_SET_DEFAULT to set", KEY,
            LIDO_REF(Item, owner_id, User, .on_update = LIDO_SET_DEFAULT));
    REFUSED("model Item: column owner_id has an `.on_delete` or `.on_update` that there is not", KEY,
            LIDO_REF(Item, owner_id, User, .on_delete = (lido_action)9));
    REFUSED("model Item: column name refers to nothing: `.references`, `.on_delete`, `.on_update` and LIDO_OBJECT are "
            "for LIDO_REF",
            KEY, LIDO_FIELD(Item, name, .on_delete = LIDO_CASCADE));
    REFUSED("model Item: column name refers to nothing: `.references`, `.on_delete`, `.on_update` and LIDO_OBJECT are "
            "for LIDO_REF",
            KEY, LIDO_FIELD(Item, name, LIDO_OBJECT(Item, owner)));
    REFUSED("model Item: column name refers to no model", KEY,
            {.role = LIDO_PART_REFERENCE, .of = "Item", .member = "name", .kind = LIDO_TARGET_TEXT});
    REFUSED("model Item: column owner_id refers to User, which has no such column as `.references` names", KEY,
            LIDO_REF(Item, owner_id, User, .references = "nmae"));
    REFUSED("model Item: column count refers to User, which has that column of `.references`, but it is not unique",
            KEY, LIDO_REF(Item, count, User, .references = "age"));
    REFUSED("model Item: column number refers to Pair, which has no key of one column: give `.references`", KEY,
            LIDO_REF(Item, number, Pair));
    REFUSED("model Item: column number is bigint, and refers to User.id, which is uuid", KEY,
            LIDO_REF(Item, number, User));
    REFUSED("model Item: column name is varchar(20), and refers to User.name, which is text", KEY,
            LIDO_REF(Item, name, User, .references = "name", .type = "varchar(20)"));
    REFUSED("model Item: column owner_id refers to User, and its object parent points to something of another size",
            KEY, LIDO_REF(Item, owner_id, User, LIDO_OBJECT(Item, parent)));
}

static void indexes(void **state) {
    (void)state;
    REFUSED("model Item: LIDO_UNIQUE names a column that the model has not: nmae", KEY, LIDO_FIELD(Item, name),
            LIDO_UNIQUE("id", "nmae"));
    REFUSED("model Item: LIDO_INDEX names a column that the model has not: a\"b", KEY, LIDO_INDEX("a\"b"));
    REFUSED("model Item: LIDO_INDEX names no column", KEY, {.role = LIDO_PART_INDEX});
    REFUSED("model Item: the index that begins with column name names a column twice", KEY, LIDO_FIELD(Item, name),
            LIDO_INDEX("name", "id", "Name"));
    REFUSED("model Item: the unique constraint that begins with column id is of the key, which is unique as it is", KEY,
            LIDO_UNIQUE("id"));
    REFUSED("model Item: the unique constraint that begins with column name is there twice", KEY,
            LIDO_FIELD(Item, name, .unique = true), LIDO_UNIQUE("name"));
    REFUSED("model Item: the unique constraint that begins with column count is there twice", KEY,
            LIDO_FIELD(Item, name), LIDO_FIELD(Item, count), LIDO_UNIQUE("name", "count"),
            LIDO_UNIQUE("count", "name"));
    REFUSED("model Item: the index that begins with column name is there twice", KEY, LIDO_FIELD(Item, name),
            LIDO_INDEX("name", "id"), LIDO_INDEX("name", "id"));
}

static void models_that_are_taken(void **state) {
    (void)state;
    const lido_model *const all[] = {&natural_uuid, &natural_integer, &key_of_two,       &nullable_twice,
                                     &versioned,    &referring,       &indexed_both_ways};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        check(all[i], NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_that_are_none),
        cmocka_unit_test(names),
        cmocka_unit_test(keys),
        cmocka_unit_test(columns),
        cmocka_unit_test(versions),
        cmocka_unit_test(references),
        cmocka_unit_test(indexes),
        cmocka_unit_test(models_that_are_taken),
    };
    return cmocka_run_group_tests_name("plan_refusal", tests, NULL, NULL);
}
