/* A configuration's canonical URL, for errors and logs: what a person recognises the database by. */
#include <stdbool.h>
#include <string.h>

#include "config/url.h"

/* Letters, digits, "-._~", characters beyond ASCII and those of `kept` stand for themselves; RFC 3986. */
static void append_encoded(lido__buffer *buffer, const char *text, const char *kept) {
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                     byte >= 0x80 || strchr("-._~", byte) != NULL || strchr(kept, byte) != NULL;
        if (plain)
            lido__buffer_char(buffer, (char)byte);
        else
            lido__buffer_format(buffer, "%%%02X", byte);
    }
}

static void append_host(lido__buffer *buffer, const lido__host *host) {
    /* A name with a ':' is an IPv6 address unless it is a unix socket's. */
    bool address = host->name != NULL && strchr("/@", host->name[0]) == NULL && strchr(host->name, ':') != NULL;
    if (address)
        lido__buffer_char(buffer, '[');
    if (host->name != NULL)
        append_encoded(buffer, host->name, address ? ":" : "");
    if (address)
        lido__buffer_char(buffer, ']');
    if (host->port != NULL)
        lido__buffer_format(buffer, ":%s", host->port);
}

static void append_postgresql(lido__buffer *buffer, const lido__config *config) {
    lido__buffer_text(buffer, "postgresql://");
    if (config->user != NULL) {
        append_encoded(buffer, config->user, "");
        lido__buffer_char(buffer, '@');
    }
    for (size_t index = 0; index < config->host_count; index++) {
        if (index > 0)
            lido__buffer_char(buffer, ',');
        append_host(buffer, &config->hosts[index]);
    }
    if (config->database != NULL) {
        lido__buffer_char(buffer, '/');
        append_encoded(buffer, config->database, "");
    }
}

const char *lido__url_format(const lido__config *config, lido__arena *arena) {
    lido__buffer buffer = LIDO__BUFFER_INIT;
    if (config->type == LIDO__POSTGRESQL) {
        append_postgresql(&buffer, config);
    } else {
        lido__buffer_text(&buffer, "sqlite://");
        if (config->database != NULL) {
            lido__buffer_char(&buffer, '/');
            append_encoded(&buffer, config->database, "/:!$&'()*+,;=@");
        }
    }
    const char *text = lido__buffer_string(&buffer);
    if (text != NULL)
        text = lido__arena_copy(arena, text, buffer.size);
    lido__buffer_done(&buffer);
    return text;
}
