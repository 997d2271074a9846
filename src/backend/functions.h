/* The program's own functions: a list that grows at its head, so that it is read without a lock. */
#ifndef LIDO_BACKEND_FUNCTIONS_H
#define LIDO_BACKEND_FUNCTIONS_H

#include <stdatomic.h>

#include <lido/function.h>

typedef struct lido__function {
    lido_function definition; /* its name is `name` */
    const struct lido__function *older;
    char name[];
} lido__function;

typedef struct lido__functions {
    _Atomic(const lido__function *) newest; /* NULL: none */
} lido__functions;

#endif
