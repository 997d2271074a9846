/* What sanitizers and Valgrind have to be told about stacks that are not a thread's own. Where none of them is at work,
 * all of this is nothing. */
#ifndef LIDO_AWAIT_SANITIZER_H
#define LIDO_AWAIT_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define LIDO__ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIDO__ADDRESS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define LIDO__THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LIDO__THREAD_SANITIZER 1
#endif
#endif

#ifdef LIDO__ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef LIDO__THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

#ifdef LIDO__HAS_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0U
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

/* Their frames are several times larger. */
#if defined(LIDO__ADDRESS_SANITIZER) || defined(LIDO__THREAD_SANITIZER)
enum { LIDO__STACK_FACTOR = 8 };
#else
enum { LIDO__STACK_FACTOR = 1 };
#endif

#endif
