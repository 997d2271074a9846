/* The version of the headers a program was compiled with, and of the library it runs with. */
#ifndef LIDO_VERSION_H
#define LIDO_VERSION_H

#include <lido/export.h>

#define LIDO_VERSION_MAJOR 0
#define LIDO_VERSION_MINOR 1
#define LIDO_VERSION_PATCH 0
#define LIDO_VERSION "0.1.0"

LIDO_BEGIN_C

/* The version of the library at run time, as "major.minor.patch" (semver.org). Static text.
 * Never waits; safe from anywhere. */
LIDO_API const char *lido_version(void);

LIDO_END_C

#endif
