/* What is derived from a model: columns, keys, references, indexes, and the pieces of SQL. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lido.h>
#include <cmocka.h>

#include "base/convert.h"
#include "model/plan.h"

typedef struct User {
    int64_t id;
    const char *name;
} User;

typedef struct Item {
    lido_uuid id;
    const char *name;
    double price;
    const double *discount;
    const int64_t *owner_id;
    User *owner;
    const char *state;
    const char *remark;
    lido_time created_at;
    int version;
    lido_uuid parent;
} Item;

typedef struct Tag {
    lido_uuid item_id;
    const char *Word;
    bool is_hidden;
} Tag;

LIDO_MODEL_DECLARE(User);
LIDO_MODEL_DECLARE(Item);

LIDO_MODEL(Tag, "Shop.\"Item tags\"", LIDO_REF(Tag, item_id, Item, .key = true), LIDO_KEY(Tag, Word),
           LIDO_FIELD(Tag, is_hidden, .column = "\"Hidden?\""));

LIDO_MODEL(Item, "items", LIDO_KEY(Item, id), LIDO_FIELD(Item, name, .unique = true),
           LIDO_FIELD(Item, price, .check = "price >= 0"), LIDO_FIELD(Item, discount),
           LIDO_REF(Item, owner_id, User, .on_delete = LIDO_SET_NULL, LIDO_OBJECT(Item, owner)),
           LIDO_FIELD(Item, state, .allowed = LIDO_ALLOWED("new", "done"), .index = true),
           LIDO_FIELD(Item, remark, .nullable = true), LIDO_FIELD(Item, created_at, .fallback = "now()"),
           LIDO_ROW_VERSION(Item, version), LIDO_REF(Item, parent, Item, .on_update = LIDO_CASCADE),
           LIDO_UNIQUE("owner_id", "Name"), LIDO_INDEX("created_at", "name"), LIDO_UNIQUE("remark"));

LIDO_MODEL(User, "users", LIDO_KEY(User, id), LIDO_FIELD(User, name, .unique = true));

static const lido__plan *plan_of(const lido_model *model) {
    lido_error error = LIDO_ERROR_INIT;
    const lido__plan *plan = lido__plan_of(model, &error);
    if (plan == NULL)
        fail_msg("%s", error.message);
    return plan;
}

static void the_descriptor_is_plain_data(void **state) {
    (void)state;
    assert_string_equal(Item_model.name, "Item");
    assert_string_equal(Item_model.table, "items");
    assert_int_equal(Item_model.size, sizeof(Item));
    assert_int_equal(Item_model.part_count, 13);
    const lido_part *price = &Item_model.parts[2];
    assert_string_equal(price->member, "price");
    assert_string_equal(price->of, "Item");
    assert_string_equal(price->check, "price >= 0");
    assert_int_equal(price->kind, LIDO_TARGET_DOUBLE);
    assert_int_equal(price->offset, offsetof(Item, price));
    assert_ptr_equal(Item_model.parts[4].target, &User_model);
    assert_string_equal(Item_model.parts[4].object, "owner");
    assert_int_equal(Item_model.parts[4].object_offset, offsetof(Item, owner));
}

static void columns_are_in_the_order_of_the_parts(void **state) {
    (void)state;
    const lido__plan *plan = plan_of(&Item_model);
    assert_string_equal(plan->column_list,
                        "\"items\".\"id\", \"items\".\"name\", \"items\".\"price\", \"items\".\"discount\", "
                        "\"items\".\"owner_id\", \"items\".\"state\", \"items\".\"remark\", "
                        "\"items\".\"created_at\", \"items\".\"version\", \"items\".\"parent\"");
    assert_int_equal(plan->column_count, 10);
    for (size_t i = 0; i < plan->column_count; i++) {
        assert_string_equal(plan->members[i].column, plan->columns[i].quoted);
        assert_int_equal(plan->members[i].offset, plan->columns[i].offset);
        assert_int_equal(plan->members[i].kind, plan->columns[i].kind);
    }
    assert_string_equal(plan->version->name, "version");
}

static void null_is_for_pointers_and_for_what_says_so(void **state) {
    (void)state;
    const lido__plan *plan = plan_of(&Item_model);
    static const bool expected[] = {false, false, false, true, true, false, true, false, false, false};
    for (size_t i = 0; i < plan->column_count; i++)
        assert_int_equal(plan->columns[i].may_be_null, expected[i]);
    const lido__column *discount = lido__plan_column(plan, "discount");
    assert_int_equal(discount->kind, LIDO_TARGET_NULLABLE + LIDO_TARGET_DOUBLE);
    assert_int_equal(discount->size, sizeof(const double *));
}

static void keys_are_generated_by_whom_it_suits(void **state) {
    (void)state;
    assert_int_equal(plan_of(&Item_model)->generated->generated, LIDO__GENERATED_UUID);
    assert_int_equal(plan_of(&User_model)->generated->generated, LIDO__GENERATED_IDENTITY);
    assert_null(plan_of(&Tag_model)->generated);
}

static void a_key_may_be_of_several_columns_and_refer(void **state) {
    (void)state;
    const lido__plan *plan = plan_of(&Tag_model);
    assert_int_equal(plan->key_count, 2);
    assert_string_equal(plan->keys[0]->name, "item_id");
    assert_string_equal(plan->keys[1]->name, "word");
    assert_string_equal(plan->key_condition, "\"item_id\" = ? AND \"word\" = ?");
    assert_false(plan->keys[0]->is_unique);
    assert_int_equal(plan->reference_count, 1);
    assert_string_equal(plan->references[0].target_name, "id");
}

static void names_are_read_as_sql_reads_them(void **state) {
    (void)state;
    const lido__plan *plan = plan_of(&Tag_model);
    assert_string_equal(plan->table, "\"shop\".\"Item tags\"");
    assert_string_equal(plan->schema, "shop");
    assert_string_equal(plan->schema_quoted, "\"shop\"");
    assert_string_equal(plan->table_name, "Item tags");
    assert_string_equal(plan->table_quoted, "\"Item tags\"");
    assert_non_null(lido__plan_column(plan, "Hidden?"));
    assert_null(lido__plan_column(plan, "hidden?"));
    assert_ptr_equal(lido__plan_column_as_written(plan, "WORD"), lido__plan_column(plan, "word"));
    assert_null(lido__plan_column_as_written(plan, "a\"b"));
    const lido__plan *without = plan_of(&Item_model);
    assert_null(without->schema);
    assert_string_equal(without->table, "\"items\"");
    assert_string_equal(without->table_quoted, "\"items\"");
}

static void references_know_both_ends(void **state) {
    (void)state;
    const lido__plan *plan = plan_of(&Item_model);
    const lido__reference *owner = lido__plan_reference(plan, lido__plan_column(plan, "owner_id"));
    assert_ptr_equal(owner->target, &User_model);
    assert_string_equal(owner->target_quoted, "\"id\"");
    assert_int_equal(owner->column->part->on_delete, LIDO_SET_NULL);
    assert_ptr_equal(lido__plan_reference(plan, lido__plan_column(plan, "parent"))->target, &Item_model);
    assert_null(lido__plan_reference(plan, plan->version));
}

static void indexes_are_those_of_columns_and_those_over_several(void **state) {
    (void)state;
    const lido__plan *plan = plan_of(&Item_model);
    static const char *const expected[] = {"unique name", "index state", "unique owner_id name",
                                           "index created_at name", "unique remark"};
    assert_int_equal(plan->index_count, 5);
    for (size_t i = 0; i < plan->index_count; i++) {
        lido__buffer text = LIDO__BUFFER_INIT;
        lido__buffer_text(&text, plan->indexes[i].unique ? "unique" : "index");
        for (size_t j = 0; j < plan->indexes[i].count; j++)
            lido__buffer_format(&text, " %s", plan->indexes[i].columns[j]->name);
        assert_string_equal(lido__buffer_string(&text), expected[i]);
        lido__buffer_done(&text);
    }
    assert_true(lido__plan_column(plan, "remark")->is_unique);
    assert_false(lido__plan_column(plan, "owner_id")->is_unique);
}

static void a_plan_is_made_once(void **state) {
    (void)state;
    assert_ptr_equal(plan_of(&Item_model), plan_of(&Item_model));
    assert_int_equal(lido_model_check(&Item_model, NULL), LIDO_OK);
}

/* ---- All threads at once ---- */

enum { THREADS = 8 };

typedef struct Fresh {
    int64_t id;
} Fresh;

LIDO_MODEL(Fresh, "fresh", LIDO_KEY(Fresh, id));

static pthread_barrier_t start;

static void *take_plan(void *argument) {
    (void)argument;
    pthread_barrier_wait(&start);
    return (void *)(uintptr_t)lido__plan_of(&Fresh_model, NULL);
}

static void threads_that_come_at_once_get_the_same_plan(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    void *first = NULL;
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_plan, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *plan;
        pthread_join(threads[i], &plan);
        assert_non_null(plan);
        first = first != NULL ? first : plan;
        assert_ptr_equal(plan, first);
    }
    pthread_barrier_destroy(&start);
}

/* ---- Members of every type, there and back ---- */

typedef struct Sample {
    int64_t id;
    bool a;
    short b;
    unsigned short c;
    int d;
    unsigned e;
    long f;
    unsigned long g;
    long long h;
    unsigned long long i;
    float j;
    double k;
    const char *l;
    lido_uuid m;
    lido_time n;
    lido_bytes o;
    lido_json p;
    lido_numeric q;
    const bool *a0;
    const short *b0;
    const unsigned short *c0;
    const int *d0;
    const unsigned *e0;
    const long *f0;
    const unsigned long *g0;
    const long long *h0;
    const unsigned long long *i0;
    const float *j0;
    const double *k0;
    const lido_uuid *m0;
    const lido_time *n0;
} Sample;

#define SAMPLE(member) LIDO_FIELD(Sample, member)

LIDO_MODEL(Sample, "samples", LIDO_KEY(Sample, id), SAMPLE(a), SAMPLE(b), SAMPLE(c), SAMPLE(d), SAMPLE(e), SAMPLE(f),
           SAMPLE(g), SAMPLE(h), SAMPLE(i), SAMPLE(j), SAMPLE(k), SAMPLE(l), SAMPLE(m), SAMPLE(n), SAMPLE(o), SAMPLE(p),
           SAMPLE(q), SAMPLE(a0), SAMPLE(b0), SAMPLE(c0), SAMPLE(d0), SAMPLE(e0), SAMPLE(f0), SAMPLE(g0), SAMPLE(h0),
           SAMPLE(i0), SAMPLE(j0), SAMPLE(k0), SAMPLE(m0), SAMPLE(n0));

static void assert_same_value(const lido_value *one, const lido_value *other) {
    assert_int_equal(one->kind, other->kind);
    if (lido__kind_has_bytes(one->kind)) {
        assert_int_equal(one->size, other->size);
        assert_memory_equal(one->as.blob, other->as.blob, one->size);
    } else if (one->kind == LIDO_KIND_UUID) {
        assert_memory_equal(&one->as.uuid, &other->as.uuid, sizeof one->as.uuid);
    } else if (one->kind == LIDO_KIND_BOOL) {
        assert_int_equal(one->as.boolean, other->as.boolean);
    } else if (one->kind != LIDO_KIND_NULL) {
        assert_int_equal(one->as.integer, other->as.integer); /* or the bits of a double */
    }
}

/* Reads all members, writes what was read into an empty struct, and reads that. */
static void goes_there_and_back(const Sample *sample) {
    const lido__plan *plan = plan_of(&Sample_model);
    lido__arena arena = LIDO__ARENA_INIT;
    Sample copy;
    memset(&copy, 0, sizeof copy);
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        lido_value value = lido_value_null();
        lido_value again = lido_value_null();
        lido__convert_member((const char *)sample + column->offset, column->kind, &value);
        const lido_target target = {column->kind, (char *)&copy + column->offset};
        assert_null(lido__convert_target(&value, &arena, &target));
        lido__convert_member((const char *)&copy + column->offset, column->kind, &again);
        assert_same_value(&value, &again);
        assert_int_equal(column->may_be_null && sample->a0 == NULL, value.kind == LIDO_KIND_NULL);
    }
    lido__arena_done(&arena);
}

static void members_of_every_type_go_there_and_back(void **state) {
    (void)state;
    Sample sample = {.id = 1,
                     .a = true,
                     .b = -2,
                     .c = 3,
                     .d = -4,
                     .e = 5,
                     .f = -6,
                     .g = 7,
                     .h = INT64_MIN,
                     .i = INT64_MAX,
                     .j = 0.5F,
                     .k = 0.1,
                     .l = "lamp",
                     .m = {{9}},
                     .n = {10},
                     .o = {"x\0y", 3},
                     .p = {"{}"},
                     .q = {"1.50"}};
    goes_there_and_back(&sample);
    sample.a0 = &sample.a;
    sample.b0 = &sample.b;
    sample.c0 = &sample.c;
    sample.d0 = &sample.d;
    sample.e0 = &sample.e;
    sample.f0 = &sample.f;
    sample.g0 = &sample.g;
    sample.h0 = &sample.h;
    sample.i0 = &sample.i;
    sample.j0 = &sample.j;
    sample.k0 = &sample.k;
    sample.m0 = &sample.m;
    sample.n0 = &sample.n;
    goes_there_and_back(&sample);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_descriptor_is_plain_data),
        cmocka_unit_test(columns_are_in_the_order_of_the_parts),
        cmocka_unit_test(null_is_for_pointers_and_for_what_says_so),
        cmocka_unit_test(keys_are_generated_by_whom_it_suits),
        cmocka_unit_test(a_key_may_be_of_several_columns_and_refer),
        cmocka_unit_test(names_are_read_as_sql_reads_them),
        cmocka_unit_test(references_know_both_ends),
        cmocka_unit_test(indexes_are_those_of_columns_and_those_over_several),
        cmocka_unit_test(a_plan_is_made_once),
        cmocka_unit_test(threads_that_come_at_once_get_the_same_plan),
        cmocka_unit_test(members_of_every_type_go_there_and_back),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
