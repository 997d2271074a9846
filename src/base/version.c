/* The version of the library at run time. */
#include <lido/version.h>

const char *lido_version(void) {
    return LIDO_VERSION;
}
