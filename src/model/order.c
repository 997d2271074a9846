/* Dependency order by two walks in depth. The first finds the strongly connected components (Tarjan, 1972): a
 * dependency that may wait has to only if both its ends are in the same one. The second is over the others, and a node
 * is put down when all that it needs is. */
#include "model/order.h"

#include <stdint.h>
#include <string.h>

enum { NOWHERE = 0 }; /* as a component */

typedef struct walk {
    size_t count;
    size_t *first;           /* of each node's entries in `needs`; one more at the end */
    size_t *needs;           /* numbers of dependencies, by `from`, in the order they were given */
    lido__dependency *edges; /* the dependencies */
    size_t *next;            /* which of its entries a walk comes to next, for each node */
    size_t *path;            /* the nodes from where a walk began to where it is */
    size_t depth;            /* how many these are */
    size_t *component;       /* of each node, from 1 */
} walk;

static size_t *numbers(lido__arena *arena, size_t count) {
    size_t *found = count < SIZE_MAX / sizeof *found ? lido__arena_allocate(arena, count * sizeof *found) : NULL;
    if (found != NULL)
        memset(found, 0, count * sizeof *found);
    arena->out_of_memory = arena->out_of_memory || found == NULL;
    return found;
}

/* Sorts the dependencies by counting. */
static void fill(walk *graph, size_t edge_count) {
    size_t *free_entry = graph->next;
    for (size_t i = 0; i < edge_count; i++)
        graph->first[graph->edges[i].from + 1]++;
    for (size_t node = 0; node < graph->count; node++)
        graph->first[node + 1] += graph->first[node];
    memcpy(free_entry, graph->first, graph->count * sizeof *free_entry);
    for (size_t i = 0; i < edge_count; i++)
        graph->needs[free_entry[graph->edges[i].from]++] = i;
}

static bool make(walk *graph, lido__arena *arena, size_t count, size_t edge_count, lido__dependency *edges) {
    graph->count = count;
    graph->edges = edges;
    graph->first = numbers(arena, count + 1);
    graph->needs = numbers(arena, edge_count);
    graph->next = numbers(arena, count);
    graph->path = numbers(arena, count);
    graph->component = numbers(arena, count);
    if (arena->out_of_memory)
        return false;
    fill(graph, edge_count);
    return true;
}

static void begin_walk(walk *graph) {
    memcpy(graph->next, graph->first, graph->count * sizeof *graph->next);
    graph->depth = 0;
}

/* The next dependency of the node where the walk is; NULL if it has no more. */
static lido__dependency *step(walk *graph) {
    size_t node = graph->path[graph->depth - 1];
    if (graph->next[node] == graph->first[node + 1])
        return NULL;
    return &graph->edges[graph->needs[graph->next[node]++]];
}

/* ---- Components ---- */

typedef struct component_search {
    walk *graph;
    size_t *number; /* of each node, from 1, in the order they were come to */
    size_t *low;    /* the lowest number of what can be come to from it and can come to it */
    size_t *open;   /* nodes whose component is not known yet */
    size_t open_count;
    size_t last_number;
    size_t last_component;
} component_search;

static void come_to(component_search *search, size_t node) {
    search->number[node] = search->low[node] = ++search->last_number;
    search->open[search->open_count++] = node;
    search->graph->path[search->graph->depth++] = node;
}

static void lower(component_search *search, size_t node, size_t number) {
    if (search->low[node] > number)
        search->low[node] = number;
}

/* All that `node` needs was looked at. */
static void leave(component_search *search, size_t node) {
    walk *graph = search->graph;
    graph->depth--;
    if (search->low[node] == search->number[node]) {
        size_t component = ++search->last_component;
        size_t last;
        do {
            last = search->open[--search->open_count];
            graph->component[last] = component;
        } while (last != node);
    } else {
        lower(search, graph->path[graph->depth - 1], search->low[node]);
    }
}

static void search_from(component_search *search, size_t start) {
    walk *graph = search->graph;
    come_to(search, start);
    while (graph->depth > 0) {
        size_t node = graph->path[graph->depth - 1];
        const lido__dependency *edge = step(graph);
        if (edge == NULL)
            leave(search, node);
        else if (search->number[edge->to] == 0)
            come_to(search, edge->to);
        else if (graph->component[edge->to] == NOWHERE)
            lower(search, node, search->number[edge->to]);
    }
}

static bool find_components(walk *graph, lido__arena *arena) {
    component_search search = {.graph = graph};
    search.number = numbers(arena, graph->count);
    search.low = numbers(arena, graph->count);
    search.open = numbers(arena, graph->count);
    if (arena->out_of_memory)
        return false;
    begin_walk(graph);
    for (size_t node = 0; node < graph->count; node++)
        if (search.number[node] == 0)
            search_from(&search, node);
    return true;
}

/* ---- Order ---- */

typedef enum mark { UNSEEN = 0, ON_PATH, PLACED } mark;

typedef struct placing_state {
    walk *graph;
    size_t *marks;
    size_t *place; /* of each node in the order */
    size_t placed;
    lido__order *order;
} placing_state;

static bool is_followed(const walk *graph, const lido__dependency *edge) {
    if (edge->may_wait)
        return graph->component[edge->from] != graph->component[edge->to];
    return edge->from != edge->to;
}

/* The way from `node` to where the walk is, which needs `node`. */
static void tell_cycle(placing_state *placing, size_t node) {
    const walk *graph = placing->graph;
    size_t from = graph->depth;
    while (graph->path[from - 1] != node)
        from--;
    placing->order->cycle = &graph->path[from - 1];
    placing->order->cycle_length = graph->depth - (from - 1);
}

static bool place_from(placing_state *placing, size_t start) {
    walk *graph = placing->graph;
    graph->path[graph->depth++] = start;
    placing->marks[start] = ON_PATH;
    while (graph->depth > 0) {
        const lido__dependency *edge = step(graph);
        if (edge == NULL) {
            size_t node = graph->path[--graph->depth];
            placing->marks[node] = PLACED;
            placing->place[node] = placing->placed;
            placing->order->nodes[placing->placed++] = node;
        } else if (is_followed(graph, edge) && placing->marks[edge->to] == ON_PATH) {
            tell_cycle(placing, edge->to);
            return false;
        } else if (is_followed(graph, edge) && placing->marks[edge->to] == UNSEEN) {
            graph->path[graph->depth++] = edge->to;
            placing->marks[edge->to] = ON_PATH;
        }
    }
    return true;
}

static bool place_all(walk *graph, lido__arena *arena, size_t edge_count, lido__order *order) {
    placing_state placing = {.graph = graph, .order = order};
    placing.marks = numbers(arena, graph->count);
    placing.place = numbers(arena, graph->count);
    order->nodes = numbers(arena, graph->count);
    if (arena->out_of_memory)
        return false;
    begin_walk(graph);
    for (size_t node = 0; node < graph->count; node++)
        if (placing.marks[node] == UNSEEN && !place_from(&placing, node))
            return false;
    for (size_t i = 0; i < edge_count; i++) {
        lido__dependency *edge = &graph->edges[i];
        edge->waits = placing.place[edge->to] > placing.place[edge->from];
    }
    return true;
}

bool lido__order_find(lido__arena *arena, size_t count, size_t dependency_count, lido__dependency *dependencies,
                      lido__order *order) {
    walk graph = {.count = 0};
    *order = (lido__order){.nodes = NULL};
    return make(&graph, arena, count, dependency_count, dependencies) && find_components(&graph, arena) &&
           place_all(&graph, arena, dependency_count, order);
}

void lido__order_spell(const lido__order *order, const char *const *names, lido__buffer *text) {
    for (size_t i = 0; i < order->cycle_length; i++)
        lido__buffer_format(text, "%s -> ", names[order->cycle[i]]);
    if (order->cycle_length > 0)
        lido__buffer_text(text, names[order->cycle[0]]);
}
