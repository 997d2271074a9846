/* In which order the objects of one or several models are written, so that what is referred to is there.
 *
 * A walk in depth over the references, with a stack of its own, for a chain may be as long as there are objects. First
 * all references count, and where a circle is closed by one that may be NULL, that one waits. If a circle is closed by
 * another, only those that may not be NULL count: the circle may still be open there. */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "model/unit.h"

enum { NEW, UNDER_WAY, DONE };

typedef struct frame {
    lido__work work;
    size_t next; /* reference to be looked at */
} frame;

typedef struct walk {
    lido_session *session;
    const lido__set *only;
    bool hard_only; /* the references that may be NULL do not count */
    frame *stack;
    size_t depth;
    size_t capacity;
    lido__work *out;
    size_t count;
    bool circle; /* found one that cannot be broken */
    char *told;  /* of one among removed objects: it is spelled here, and not refused; else NULL */
    size_t told_size;
} walk;

bool lido__work_add(lido_session *session, lido__work_list *list, lido__set *set, lido__object *object) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        lido__work *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL)
            return lido__unit_out_of_memory(session);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (lido__work){set, object};
    return true;
}

static bool push(walk *on, lido__set *set, lido__object *object) {
    if (on->depth == on->capacity) {
        size_t capacity = on->capacity > 0 ? on->capacity * 2 : 64;
        frame *stack = realloc(on->stack, capacity * sizeof *stack);
        if (stack == NULL)
            return lido__unit_out_of_memory(on->session);
        on->stack = stack;
        on->capacity = capacity;
    }
    object->mark = UNDER_WAY;
    on->stack[on->depth++] = (frame){.work = {set, object}};
    return true;
}

/* "Item (id = 1) -> User (id = 2) -> Item (id = 1)", the middle left out if it is long. */
static void spell_circle(const walk *on, const lido__object *closing, char *text, size_t size) {
    enum { TOLD_MOST = 4 };
    size_t used = 0;
    size_t first = 0;
    while (on->stack[first].work.object != closing)
        first++;
    for (size_t i = first; i <= on->depth && used < size; i++) {
        const lido__work *at = &on->stack[i < on->depth ? i : first].work;
        if (i - first >= TOLD_MOST && i < on->depth)
            continue;
        if (i > first)
            used += (size_t)snprintf(text + used, size - used, "%s", i - first > TOLD_MOST ? " -> … -> " : " -> ");
        if (used < size)
            lido__object_describe(at->set, lido__object_struct(at->object), text + used, size - used);
        used = strlen(text);
    }
}

static bool refuse_circle(walk *on, const lido__object *closing) {
    char text[400] = "";
    if (on->told != NULL) {
        spell_circle(on, closing, on->told, on->told_size);
        return false;
    }
    spell_circle(on, closing, text, sizeof text);
    lido__model_refuse(on->session, NULL, LIDO_ERROR_MISUSE, "objects refer to each other in a circle: %s", text);
    lido__fault_hint(
        &on->session->error,
        "let one of the references be NULL (.nullable, or a pointer member), so that it can be set afterwards");
    return false;
}

/* Follows one reference. False: the session has failed, or a circle was found. */
static bool follow(walk *on, frame *from) {
    const lido__work *work = &from->work;
    const lido__reference *reference = &work->set->plan->references[from->next++];
    bool soft = reference->column->may_be_null;
    bool removed = work->object->state == LIDO__OBJECT_REMOVED;
    if ((soft && on->hard_only) || (on->only != NULL && reference->target != on->only->model))
        return true;
    lido__set *target;
    const void *object = removed ? lido__object_was(work->set, work->object) : lido__object_struct(work->object);
    lido__object *other = lido__reference_find(on->session, reference, object, &target);
    if (on->session->failed)
        return false;
    if (other == NULL || other->state != work->object->state || other->mark == DONE)
        return true;
    if (other == work->object && !other->unkeyed)
        return true;
    if (other->mark == NEW)
        return push(on, target, other);
    if (soft || (removed && on->told == NULL))
        return true;
    on->circle = true;
    return on->hard_only && refuse_circle(on, other);
}

static bool visit(walk *on, const lido__work *start) {
    if (start->object->mark != NEW)
        return true;
    if (!push(on, start->set, start->object))
        return false;
    while (on->depth > 0) {
        frame *top = &on->stack[on->depth - 1];
        if (top->next < top->work.set->plan->reference_count) {
            if (!follow(on, top))
                return false;
            continue;
        }
        top->work.object->mark = DONE;
        on->out[on->count++] = top->work;
        on->depth--;
    }
    return true;
}

static bool walk_all(walk *on, const lido__work *items, size_t count) {
    on->count = on->depth = 0;
    on->circle = false;
    for (size_t i = 0; i < count; i++)
        items[i].object->mark = NEW;
    for (size_t i = 0; i < count; i++)
        if (!visit(on, &items[i]))
            return false;
    return true;
}

bool lido__work_tell_circle(lido_session *session, const lido__work_list *removed, char *text, size_t size) {
    walk on = {.session = session,
               .hard_only = true,
               .out = malloc((removed->count + 1) * sizeof *on.out),
               .told = text,
               .told_size = size};
    text[0] = '\0';
    bool walked = on.out != NULL ? walk_all(&on, removed->items, removed->count) : lido__unit_out_of_memory(session);
    free(on.stack);
    free(on.out);
    return walked || on.circle;
}

bool lido__work_arrange(lido_session *session, lido__work_list *list, size_t first, const lido__set *only) {
    size_t count = list->count - first;
    walk on = {.session = session, .only = only, .out = malloc((count + 1) * sizeof *on.out)};
    lido__work *items = list->items != NULL ? list->items + first : NULL; /* to a NULL pointer nothing may be added */
    bool done = on.out != NULL ? walk_all(&on, items, count) : lido__unit_out_of_memory(session);
    if (!done && on.circle) {
        on.hard_only = true;
        done = walk_all(&on, items, count);
    }
    if (done && count > 0)
        memcpy(items, on.out, count * sizeof *on.out);
    free(on.stack);
    free(on.out);
    return done;
}
