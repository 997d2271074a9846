/* The service whose workers write down each request, and a witness outside of it who counts these. */
#ifndef TESTS_FAULT_REQUESTS_H
#define TESTS_FAULT_REQUESTS_H

#include "service.h"

static lido_engine *witness;
static char file_url_text[URL_MOST];

static inline const char *sqlite_url(void) {
    snprintf(file_url_text, sizeof file_url_text, "sqlite:///%s/service.db", folder);
    return file_url_text;
}

static inline void begin(service *of, const char *url) {
    witness = open_requests(url);
    start_service(of, url);
}

static inline int64_t rows(void) {
    return ask_surely(witness, "SELECT count(*) FROM requests");
}

static inline void end(void) {
    lido_engine_close(witness);
    witness = NULL;
}

#endif
