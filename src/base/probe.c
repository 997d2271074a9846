/* The words of probe.h, in the section where who looks expects them. */
#include "base/probe.h"

#ifdef LIDO__HAS_SDT

#define WORD(name) __attribute__((section(".probes"))) unsigned short LIDO__PROBE_WORD(name)

WORD(statement__start);
WORD(statement__end);
WORD(connect);
WORD(checkout);
WORD(checkin);
WORD(begin);
WORD(commit);
WORD(rollback);

#else

typedef int no_probes; /* a translation unit is not empty */

#endif
