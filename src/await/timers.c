/* The pairing heap. */
#include "await/timers.h"

#include <stddef.h>

/* The later one becomes the other's first child. */
static lido__timer *meld(lido__timer *one, lido__timer *other) {
    if (one == NULL || other == NULL)
        return one != NULL ? one : other;
    lido__timer *first = one->moment <= other->moment ? one : other;
    lido__timer *second = first == one ? other : one;
    second->next = first->child;
    if (first->child != NULL)
        first->child->previous = second;
    second->previous = first;
    first->child = second;
    first->next = first->previous = NULL;
    return first;
}

/* Children into one heap: in pairs from the left, then all pairs from the right. */
static lido__timer *meld_all(lido__timer *child) {
    lido__timer *pairs = NULL;
    while (child != NULL) {
        lido__timer *second = child->next;
        lido__timer *rest = second != NULL ? second->next : NULL;
        child->next = child->previous = NULL;
        if (second != NULL)
            second->next = second->previous = NULL;
        lido__timer *pair = meld(child, second);
        pair->next = pairs;
        pairs = pair;
        child = rest;
    }
    lido__timer *top = NULL;
    while (pairs != NULL) {
        lido__timer *next = pairs->next;
        pairs->next = NULL;
        top = meld(top, pairs);
        pairs = next;
    }
    return top;
}

void lido__timer_set(lido__timer **top, lido__timer *timer, int64_t moment) {
    *timer = (lido__timer){.moment = moment, .set = true};
    *top = meld(*top, timer);
}

void lido__timer_unset(lido__timer **top, lido__timer *timer) {
    if (!timer->set)
        return;
    timer->set = false;
    lido__timer *below = meld_all(timer->child);
    if (*top == timer) {
        *top = below;
        return;
    }
    if (timer->previous->child == timer)
        timer->previous->child = timer->next;
    else
        timer->previous->next = timer->next;
    if (timer->next != NULL)
        timer->next->previous = timer->previous;
    *top = meld(*top, below);
}
