/* Dependency order: each table after those it needs, cycles spelled out, and nothing moved without need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/order.h"
#include "support/chance.h"

enum { TABLES = 500, GRAPHS = 200, MOST = 4096 };

static const char *const names[] = {"a", "b", "c", "d", "e", "f"};

/* "ab ac? ca": a needs b, a needs c but may wait, c needs a. */
static size_t read_dependencies(const char *text, lido__dependency *found) {
    size_t count = 0;
    for (; *text != '\0'; text += *text == ' ') {
        found[count] = (lido__dependency){.from = (size_t)(text[0] - 'a'), .to = (size_t)(text[1] - 'a')};
        text += 2;
        if (*text == '?') {
            found[count].may_wait = true;
            text++;
        }
        count++;
    }
    return count;
}

/* The order of the first `count` names, then those that wait: "cba ab"; or the cycle. */
static void has_order(size_t count, const char *dependencies, const char *expected) {
    lido__dependency edges[16];
    lido__arena arena = LIDO__ARENA_INIT;
    lido__buffer found = LIDO__BUFFER_INIT;
    lido__order order;
    size_t edge_count = read_dependencies(dependencies, edges);
    if (lido__order_find(&arena, count, edge_count, edges, &order)) {
        for (size_t i = 0; i < count; i++)
            lido__buffer_text(&found, names[order.nodes[i]]);
        for (size_t i = 0; i < edge_count; i++)
            if (edges[i].waits)
                lido__buffer_format(&found, " %s%s", names[edges[i].from], names[edges[i].to]);
    } else {
        lido__order_spell(&order, names, &found);
    }
    assert_string_equal(lido__buffer_string(&found), expected);
    lido__buffer_done(&found);
    lido__arena_done(&arena);
}

static void what_is_in_order_stays_as_it_is(void **state) {
    (void)state;
    has_order(0, "", "");
    has_order(4, "", "abcd");
    has_order(4, "ba ca db dc", "abcd");
    has_order(4, "dc db", "abcd");
}

static void what_is_needed_comes_first(void **state) {
    (void)state;
    has_order(2, "ab", "ba");
    has_order(4, "ad", "dabc");
    has_order(4, "ad ac", "dcab");
    has_order(4, "ab bc cd", "dcba");
    has_order(3, "ab ab ab", "bac");
}

static void what_a_table_needs_of_itself_is_no_matter_of_order(void **state) {
    (void)state;
    has_order(2, "aa bb? ab", "ba");
}

static void cycles_are_spelled_out(void **state) {
    (void)state;
    has_order(2, "ab ba", "a -> b -> a");
    has_order(6, "ab bc cd de ec", "c -> d -> e -> c");
    has_order(3, "ab bc ca", "a -> b -> c -> a");
}

static void what_may_wait_does_so_only_in_a_cycle(void **state) {
    (void)state;
    has_order(2, "ab?", "ba");
    has_order(2, "ab? ba", "ab ab");
    has_order(2, "ab ba?", "ba ba");
    has_order(2, "ab? ba?", "ab ab");
    has_order(4, "ab bc ca? da", "cbad ca");
    has_order(4, "ab? ba dc? cd", "abdc ab dc");
    has_order(3, "ab ba bc?", "a -> b -> a");
}

/* Of two tables the one with the higher rank may need the other, so there is no cycle; the numbers are shuffled. */
static size_t draw_graph(uint64_t *chance, lido__dependency *edges) {
    size_t number[TABLES];
    for (size_t i = 0; i < TABLES; i++)
        number[i] = i;
    for (size_t i = TABLES - 1; i > 0; i--) {
        size_t other = draw_below(chance, (unsigned)i + 1);
        size_t mine = number[i];
        number[i] = number[other];
        number[other] = mine;
    }
    size_t count = draw_below(chance, MOST);
    for (size_t i = 0; i < count; i++) {
        size_t higher = 1 + draw_below(chance, TABLES - 1);
        size_t lower = draw_below(chance, (unsigned)higher);
        edges[i] = (lido__dependency){.from = number[higher], .to = number[lower]};
    }
    return count;
}

/* Each node once, and each dependency of those that may not wait behind what it needs. */
static void check_order(size_t count, size_t edge_count, const lido__dependency *edges, const lido__order *order) {
    size_t place[TABLES];
    memset(place, 0xff, sizeof place);
    for (size_t i = 0; i < count; i++) {
        assert_true(order->nodes[i] < count);
        assert_true(place[order->nodes[i]] == SIZE_MAX);
        place[order->nodes[i]] = i;
    }
    for (size_t i = 0; i < edge_count; i++) {
        assert_int_equal(edges[i].waits, place[edges[i].to] > place[edges[i].from]);
        assert_true(!edges[i].waits || edges[i].may_wait);
    }
}

static void random_graphs_of_500_tables_are_put_in_order(void **state) {
    (void)state;
    static lido__dependency edges[MOST];
    uint64_t seed = seed_of_test();
    for (uint64_t which = 0; which < GRAPHS; which++) {
        uint64_t chance = chance_of(seed, which);
        lido__arena arena = LIDO__ARENA_INIT;
        lido__order order;
        size_t count = draw_graph(&chance, edges);
        for (size_t i = 0; i < count; i++)
            edges[i].may_wait = draw_below(&chance, 4) == 0;
        assert_true(lido__order_find(&arena, TABLES, count, edges, &order));
        check_order(TABLES, count, edges, &order);
        for (size_t i = 0; i < count; i++)
            assert_false(edges[i].waits); /* there is no cycle */
        lido__arena_done(&arena);
    }
}

/* The same with dependencies the other way round among them: what may wait breaks the cycles, or one is told. */
static void random_cycles_are_broken_or_told(void **state) {
    (void)state;
    static lido__dependency edges[MOST];
    uint64_t seed = seed_of_test();
    for (uint64_t which = 0; which < GRAPHS; which++) {
        uint64_t chance = chance_of(seed, which);
        bool may_break = which % 2 == 0;
        lido__arena arena = LIDO__ARENA_INIT;
        lido__order order;
        size_t count = draw_graph(&chance, edges);
        for (size_t i = 0; i < count; i++) {
            if (draw_below(&chance, 50) != 0)
                continue;
            edges[i] = (lido__dependency){.from = edges[i].to, .to = edges[i].from, .may_wait = may_break};
        }
        if (lido__order_find(&arena, TABLES, count, edges, &order)) {
            check_order(TABLES, count, edges, &order);
        } else {
            assert_false(may_break);
            assert_true(order.cycle_length >= 2);
            for (size_t i = 0; i < order.cycle_length; i++) {
                size_t from = order.cycle[i];
                size_t to = order.cycle[(i + 1) % order.cycle_length];
                size_t edge = 0;
                while (edge < count && (edges[edge].from != from || edges[edge].to != to))
                    edge++;
                assert_true(edge < count);
            }
        }
        lido__arena_done(&arena);
    }
}

/* As deep as a chain can be, on a stack of ordinary size. */
static void a_chain_of_a_million_is_no_matter_of_the_stack(void **state) {
    (void)state;
    const size_t count = 1000000;
    lido__dependency *edges = calloc(count, sizeof *edges);
    lido__arena arena = LIDO__ARENA_INIT;
    lido__order order;
    assert_non_null(edges);
    for (size_t i = 0; i < count; i++)
        edges[i] = (lido__dependency){.from = i, .to = i + 1};
    assert_true(lido__order_find(&arena, count, count - 1, edges, &order));
    for (size_t i = 0; i < count; i++)
        assert_true(order.nodes[i] == count - 1 - i);
    edges[count - 1].to = 0;
    assert_false(lido__order_find(&arena, count, count, edges, &order));
    assert_true(order.cycle_length == count);
    free(edges);
    lido__arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_order_stays_as_it_is),
        cmocka_unit_test(what_is_needed_comes_first),
        cmocka_unit_test(what_a_table_needs_of_itself_is_no_matter_of_order),
        cmocka_unit_test(cycles_are_spelled_out),
        cmocka_unit_test(what_may_wait_does_so_only_in_a_cycle),
        cmocka_unit_test(random_graphs_of_500_tables_are_put_in_order),
        cmocka_unit_test(random_cycles_are_broken_or_told),
        cmocka_unit_test(a_chain_of_a_million_is_no_matter_of_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
