/* Static probes (USDT), for bpftrace, perf and SystemTap, where the machine that builds lido has sys/sdt.h;
 * docs/metrics.md lists them. While nobody looks, one costs the load of a word that says so, and its arguments are not
 * made. */
#ifndef LIDO_BASE_PROBE_H
#define LIDO_BASE_PROBE_H

#ifdef LIDO__HAS_SDT

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#ifdef __clang__ /* sdt.h's macros leave "..." empty; their warning comes where they are used */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

/* How many look, which whoever does writes there. The names are the format's. In probe.c. */
#define LIDO__PROBE_WORD(name) lido_##name##_semaphore
extern unsigned short LIDO__PROBE_WORD(statement__start);
extern unsigned short LIDO__PROBE_WORD(statement__end);
extern unsigned short LIDO__PROBE_WORD(connect);
extern unsigned short LIDO__PROBE_WORD(checkout);
extern unsigned short LIDO__PROBE_WORD(checkin);
extern unsigned short LIDO__PROBE_WORD(begin);
extern unsigned short LIDO__PROBE_WORD(commit);
extern unsigned short LIDO__PROBE_WORD(rollback);

/* Whether anybody looks. */
#define LIDO__PROBED(name) (*(volatile unsigned short *)&LIDO__PROBE_WORD(name) != 0)

#define LIDO__PROBE_2(name, one, two) STAP_PROBE2(lido, name, one, two)
#define LIDO__PROBE_3(name, one, two, three) STAP_PROBE3(lido, name, one, two, three)
#define LIDO__PROBE_4(name, one, two, three, four) STAP_PROBE4(lido, name, one, two, three, four)
#define LIDO__PROBE_5(name, one, two, three, four, five) STAP_PROBE5(lido, name, one, two, three, four, five)

#else

#define LIDO__PROBED(name) 0
#define LIDO__PROBE_2(name, one, two) ((void)(one), (void)(two))
#define LIDO__PROBE_3(name, one, two, three) ((void)(one), (void)(two), (void)(three))
#define LIDO__PROBE_4(name, one, two, three, four) ((void)(one), (void)(two), (void)(three), (void)(four))
#define LIDO__PROBE_5(name, one, two, three, four, five) \
    ((void)(one), (void)(two), (void)(three), (void)(four), (void)(five))

#endif

#endif
