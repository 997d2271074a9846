/* Taking a database URL apart. Where an '@', '/' or '?' of a password was left unencoded the parts are not what they
 * seem, so messages here show a part only where it cannot be a password. */
#include "config/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/convert.h"
#include "base/fault.h"
#include "config/value.h"

#define FORMS "sqlite:///items.db, sqlite:////folder/items.db or postgresql://user:password@host:5432/name"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* Bytes of the URL. */
typedef struct span {
    const char *at;
    size_t size;
} span;

typedef struct url_reader {
    lido__url *url;
    const char *called;
    lido__arena *arena;
    lido_error *error;
} url_reader;

static bool out_of_memory(url_reader *reader) {
    return lido__fault_memory(reader->error, "reading a database URL");
}

/* Cuts `text` at the first `mark`: returns what stands before it, leaves what stands behind it and says whether it was
 * there. */
static bool cut(span *text, char mark, span *before) {
    const char *at = text->size > 0 ? memchr(text->at, mark, text->size) : NULL;
    *before = (span){text->at, at != NULL ? (size_t)(at - text->at) : text->size};
    if (at == NULL) {
        *text = (span){text->at + text->size, 0};
        return false;
    }
    *text = (span){at + 1, text->size - before->size - 1};
    return true;
}

static bool holds(span text, char character) {
    return text.size > 0 && memchr(text.at, character, text.size) != NULL;
}

/* ---- Percent-encoding (RFC 3986). A '+' is a plus sign, as libpq reads it. ---- */

static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* `part` names what is decoded: "password". */
static bool decode(url_reader *reader, span raw, const char *part, const char **decoded) {
    char *text = lido__arena_copy(reader->arena, raw.at, raw.size);
    if (text == NULL)
        return out_of_memory(reader);
    char *end = text;
    for (size_t at = 0; at < raw.size; at++) {
        char character = raw.at[at];
        if (character == '%') {
            int high = at + 2 < raw.size ? hex_digit(raw.at[at + 1]) : -1;
            int low = at + 2 < raw.size ? hex_digit(raw.at[at + 2]) : -1;
            if (high < 0 || low < 0)
                return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION,
                                   "%s's %s has a '%%' without two hexadecimal digits behind it: a '%%' itself is "
                                   "written %%25",
                                   reader->called, part);
            if (high == 0 && low == 0)
                return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION,
                                   "%s's %s has a %%00: no text may hold a zero byte", reader->called, part);
            character = (char)(high * 16 + low);
            at += 2;
        }
        *end++ = character;
    }
    *end = '\0';
    *decoded = text;
    return true;
}

/* The same for a part that is not there if it is empty. */
static bool decode_part(url_reader *reader, span raw, const char *part, const char **decoded) {
    return raw.size == 0 || decode(reader, raw, part, decoded);
}

/* ---- Scheme ---- */

bool lido__database_type_read(const char *text, size_t size, lido__database_type *type) {
    static const struct {
        const char *name;
        lido__database_type type;
    } known[] = {{"sqlite", LIDO__SQLITE}, {"postgresql", LIDO__POSTGRESQL}, {"postgres", LIDO__POSTGRESQL}};
    span driver = {text, size};
    span name;
    bool suffixed = cut(&driver, '+', &name);
    for (size_t at = 0; at < driver.size; at++)
        if (strchr(NAME_CHARACTERS, driver.at[at]) == NULL)
            return false;
    if (suffixed && driver.size == 0)
        return false;
    for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
        if (name.size == strlen(known[index].name) && strncasecmp(name.at, known[index].name, name.size) == 0) {
            *type = known[index].type;
            return true;
        }
    }
    return false;
}

static bool read_scheme(url_reader *reader, const char *text, span *rest) {
    const char *separator = strstr(text, "://");
    size_t size = separator != NULL ? (size_t)(separator - text) : 0;
    /* What is no scheme by its letters may be anything, a password included. */
    if (separator == NULL || strspn(text, NAME_CHARACTERS "+-.") != size) {
        lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s does not begin with sqlite:// or postgresql://",
                    reader->called);
        lido__fault_hint(reader->error, "write %s", FORMS);
        return false;
    }
    if (!lido__database_type_read(text, size, &reader->url->type)) {
        lido__fault(reader->error, LIDO_ERROR_CONFIGURATION,
                    "%s's scheme is \"%.*s\": allowed is sqlite, postgresql or postgres", reader->called,
                    size < 40 ? (int)size : 40, text);
        lido__fault_hint(reader->error, "write %s", FORMS);
        return false;
    }
    *rest = (span){separator + 3, strlen(separator + 3)};
    return true;
}

/* ---- Hosts ---- */

static bool host_fault(url_reader *reader, const char *what) {
    return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s's host %s", reader->called, what);
}

/* Splits "name:port" or "[address]:port"; *colon tells "name:" from "name". */
static bool split_host(url_reader *reader, span element, span *name, span *port, bool *colon) {
    if (element.size > 0 && element.at[0] == '[') {
        span rest = {element.at + 1, element.size - 1};
        if (!cut(&rest, ']', name))
            return host_fault(reader, "begins with '[' and has no ']'");
        if (name->size == 0)
            return host_fault(reader, "has brackets with no address in them");
        if (rest.size > 0 && rest.at[0] != ':')
            return host_fault(reader, "has something other than ':' and a port behind its ']'");
        *colon = rest.size > 0;
        *port = (span){rest.at + *colon, rest.size - *colon};
        return true;
    }
    *port = element;
    *colon = cut(port, ':', name);
    if (!holds(*port, ':'))
        return true;
    host_fault(reader, "has more than one ':'");
    lido__fault_hint(reader->error, "an IPv6 address is written in brackets: [::1]:5432");
    return false;
}

/* Only digits are shown: with the host forgotten, "user:password/name", a password stands where the port should. */
static bool check_port(url_reader *reader, span port) {
    if (lido__port_allowed(port.at, port.size))
        return true;
    bool digits = true;
    for (size_t at = 0; at < port.size; at++)
        digits = digits && port.at[at] >= '0' && port.at[at] <= '9';
    if (port.size == 0)
        return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION,
                           "%s's port is empty: allowed is 1 to 65535, or no ':' before it", reader->called);
    if (digits && port.size <= 5)
        return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s's port is %.*s: allowed is 1 to 65535",
                           reader->called, (int)port.size, port.at);
    lido__fault(reader->error, LIDO_ERROR_CONFIGURATION,
                "%s's port is %s (not shown, for it may be a password): allowed is 1 to 65535", reader->called,
                digits ? "a larger number" : "no number");
    lido__fault_hint(reader->error, "write postgresql://user:password@host:port/name");
    return false;
}

static bool read_host(url_reader *reader, span element, bool alone, lido__buffer *hosts, lido__buffer *ports) {
    span name;
    span port = {NULL, 0};
    bool colon = false;
    const char *decoded = NULL;
    if (!split_host(reader, element, &name, &port, &colon))
        return false;
    if (name.size == 0 && !alone)
        return host_fault(reader, "list has an empty place between its commas");
    if (!decode(reader, name, "host", &decoded) || (colon && !check_port(reader, port)))
        return false;
    if (strchr(decoded, ',') != NULL)
        return host_fault(reader, "has an encoded comma in its name");
    lido__buffer_text(hosts, decoded);
    lido__buffer_append(ports, port.at, port.size);
    return true;
}

static bool read_hosts(url_reader *reader, span list, lido__buffer *hosts, lido__buffer *ports) {
    bool alone = !holds(list, ',');
    bool any_port = false;
    for (bool more = true; more;) {
        span element;
        size_t before = ports->size;
        more = cut(&list, ',', &element);
        if (!read_host(reader, element, alone, hosts, ports))
            return false;
        any_port = any_port || ports->size > before;
        if (more) {
            lido__buffer_char(hosts, ',');
            lido__buffer_char(ports, ',');
        }
    }
    const char *host = lido__buffer_string(hosts);
    const char *port = lido__buffer_string(ports);
    if (host == NULL || port == NULL)
        return out_of_memory(reader);
    if (*host != '\0' && (reader->url->host = lido__arena_copy(reader->arena, host, hosts->size)) == NULL)
        return out_of_memory(reader);
    if (any_port && (reader->url->port = lido__arena_copy(reader->arena, port, ports->size)) == NULL)
        return out_of_memory(reader);
    return true;
}

/* ---- The parts ---- */

/* The last '@' ends it, so that a password may hold one. */
static bool read_user(url_reader *reader, span *authority) {
    const char *end = authority->size > 0 ? memrchr(authority->at, '@', authority->size) : NULL;
    if (end == NULL)
        return true;
    span password = {authority->at, (size_t)(end - authority->at)};
    span user;
    *authority = (span){end + 1, authority->size - password.size - 1};
    cut(&password, ':', &user);
    return decode_part(reader, user, "user", &reader->url->user) &&
           decode_part(reader, password, "password", &reader->url->password);
}

static bool read_postgresql(url_reader *reader, span authority, span path, span query) {
    if (holds(path, '@') || holds(query, '@')) {
        lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s has an '@' behind the first '/' or '?'",
                    reader->called);
        lido__fault_hint(reader->error,
                         "in a password write %%2F for '/' and %%3F for '?'; elsewhere write %%40 for '@'");
        return false;
    }
    lido__buffer hosts = LIDO__BUFFER_INIT;
    lido__buffer ports = LIDO__BUFFER_INIT;
    bool read = read_user(reader, &authority) && read_hosts(reader, authority, &hosts, &ports) &&
                decode_part(reader, path, "database", &reader->url->database);
    lido__buffer_done(&hosts);
    lido__buffer_done(&ports);
    return read;
}

/* The host is shown unless it may be "user:password". */
static bool read_sqlite(url_reader *reader, span authority, span path, span query) {
    if (authority.size > 0) {
        bool shown = authority.size <= 64 && !holds(authority, ':') && !holds(authority, '@') && !holds(path, '@') &&
                     !holds(query, '@');
        lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s names the host %s%.*s%s, and SQLite has no hosts",
                    reader->called, shown ? "\"" : "(not shown)", shown ? (int)authority.size : 0, authority.at,
                    shown ? "\"" : "");
        lido__fault_hint(reader->error, "a file is written with three slashes, sqlite:///items.db, or with four if its "
                                        "path begins at the root, sqlite:////folder/items.db");
        return false;
    }
    reader->url->database = LIDO__MEMORY_DATABASE;
    return decode_part(reader, path, "path", &reader->url->database);
}

/* ---- Parameters ---- */

static bool read_parameter(url_reader *reader, span element, lido__url_parameter *parameter) {
    enum { NAME_MOST = 64 };
    char part[NAME_MOST + 16];
    span name;
    bool assigned = cut(&element, '=', &name);
    bool plain = name.size > 0 && name.size <= NAME_MOST;
    for (size_t at = 0; at < name.size && plain; at++)
        plain = strchr(NAME_CHARACTERS, name.at[at]) != NULL;
    if (!plain)
        return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION,
                           "%s has a parameter without a proper name: allowed is ?name=value&name=value, with '&' in a "
                           "value written %%26",
                           reader->called);
    if (!assigned)
        return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s's parameter %.*s has no '=' and no value",
                           reader->called, (int)name.size, name.at);
    snprintf(part, sizeof part, "parameter %.*s", (int)name.size, name.at);
    parameter->name = lido__arena_copy(reader->arena, name.at, name.size);
    if (parameter->name == NULL)
        return out_of_memory(reader);
    return decode(reader, element, part, &parameter->value);
}

static bool read_query(url_reader *reader, span query) {
    if (query.size == 0)
        return true;
    size_t count = 1;
    for (size_t at = 0; at < query.size; at++)
        count += query.at[at] == '&';
    reader->url->parameters = lido__arena_allocate(reader->arena, count * sizeof *reader->url->parameters);
    if (reader->url->parameters == NULL)
        return out_of_memory(reader);
    for (size_t index = 0; index < count; index++) {
        span element;
        cut(&query, '&', &element);
        if (!read_parameter(reader, element, &reader->url->parameters[index]))
            return false;
    }
    reader->url->parameter_count = count;
    return true;
}

/* ---- The whole ---- */

static bool check_text(url_reader *reader, const char *text) {
    size_t size = strnlen(text, LIDO__URL_SIZE_MOST + 1);
    if (size == 0)
        return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s is empty", reader->called);
    if (size > LIDO__URL_SIZE_MOST)
        return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s is longer than %d bytes", reader->called,
                           LIDO__URL_SIZE_MOST);
    if (!lido__utf8_valid(text, size))
        return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION, "%s is not valid UTF-8", reader->called);
    bool odd = text[size - 1] == ' ';
    for (size_t at = 0; at < size; at++)
        odd = odd || (unsigned char)text[at] < ' ' || text[at] == 127;
    if (odd)
        return lido__fault(reader->error, LIDO_ERROR_CONFIGURATION,
                           "%s holds a control character, such as a newline, or ends in a space: if it is meant, write "
                           "it as %%0A or %%20",
                           reader->called);
    return true;
}

bool lido__url_read(lido__url *url, const char *text, const char *called, lido__arena *arena, lido_error *error) {
    url_reader reader = {url, called, arena, error};
    span rest;
    span path;
    span authority;
    if (!check_text(&reader, text) || !read_scheme(&reader, text, &rest))
        return false;
    cut(&rest, '?', &path);
    cut(&path, '/', &authority);
    bool parts = url->type == LIDO__SQLITE ? read_sqlite(&reader, authority, path, rest)
                                           : read_postgresql(&reader, authority, path, rest);
    return parts && read_query(&reader, rest);
}
