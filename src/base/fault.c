/* Filling in a lido_error, and the categories that SQLSTATEs stand for. */
#include "base/fault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/convert.h"

void lido__fault_clear(lido_error *error) {
    if (error == NULL)
        return;
    /* Member by member: the texts' bodies, most of its size, need not be touched. */
    error->status = LIDO_OK;
    error->category = LIDO_ERROR_NONE;
    error->retryable = false;
    error->native_code = 0;
    error->line = 0;
    error->row = 0;
    error->file = NULL;
    error->sqlstate[0] = error->doing[0] = error->database[0] = error->message[0] = error->hint[0] = '\0';
    error->statement[0] = error->constraint[0] = error->table[0] = error->column[0] = '\0';
}

/* `field` is full of a text that did not fit: ends it in a mark that says so. */
static void mark_cut(char *field, size_t size) {
    static const char mark[] = "…";
    if (size > sizeof mark)
        memcpy(field + lido__utf8_cut(field, size - sizeof mark), mark, sizeof mark);
    else
        field[lido__utf8_cut(field, size - 1)] = '\0';
}

static void format_field(char *field, size_t size, const char *format, va_list arguments) {
    int length = vsnprintf(field, size, format, arguments);
    if (length < 0)
        field[0] = '\0';
    else if ((size_t)length >= size)
        mark_cut(field, size);
}

void lido__fault_field(char *field, size_t size, const char *text) {
    if (size == 0)
        return;
    size_t length = text != NULL ? strnlen(text, size) : 0;
    if (length == size) {
        memcpy(field, text, size);
        mark_cut(field, size);
    } else {
        if (length > 0)
            memcpy(field, text, length);
        field[length] = '\0';
    }
}

bool lido__fault(lido_error *error, lido_category category, const char *format, ...) {
    if (error == NULL || error->status != LIDO_OK)
        return false;
    error->status = LIDO_ERROR;
    error->category = category;
    error->retryable = lido__category_retryable(category);
    va_list arguments;
    va_start(arguments, format);
    format_field(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

bool lido__fault_memory(lido_error *error, const char *what) {
    return lido__fault(error, LIDO_ERROR_OUT_OF_MEMORY, "memory ran out while %s", what);
}

void lido__fault_hint(lido_error *error, const char *format, ...) {
    if (error == NULL || error->hint[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    format_field(error->hint, sizeof error->hint, format, arguments);
    va_end(arguments);
}

void lido__fault_doing(lido_error *error, const char *doing) {
    if (error != NULL && error->doing[0] == '\0')
        lido__fault_field(error->doing, sizeof error->doing, doing);
}

/* Whether it is what a row holds that was refused; another error meets a row by chance. */
static bool is_of_row(lido_category category) {
    switch (category) {
    case LIDO_ERROR_UNIQUE:
    case LIDO_ERROR_FOREIGN_KEY:
    case LIDO_ERROR_NOT_NULL:
    case LIDO_ERROR_CHECK:
    case LIDO_ERROR_TYPE:
    case LIDO_ERROR_OTHER: /* what triggers raise */
        return true;
    default:
        return false;
    }
}

void lido__fault_row(lido_error *error, int64_t row) {
    if (row == 0 || error->row != 0 || !is_of_row(error->category))
        return;
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    error->row = row;
    int length = snprintf(error->message, sizeof error->message, "row %" PRId64 ": ", row);
    lido__fault_field(error->message + length, sizeof error->message - (size_t)length, message);
}

/* A SQLSTATE, or how one begins. The first that fits counts, so an exception stands before its class. */
typedef struct state_category {
    const char *begin;
    lido_category category;
} state_category;

static const state_category state_categories[] = {
    {"00000", LIDO_ERROR_NONE},
    {"08007", LIDO_ERROR_UNKNOWN_OUTCOME}, /* transaction resolution unknown */
    {"08", LIDO_ERROR_DISCONNECTED},
    {"22", LIDO_ERROR_TYPE},
    {"23001", LIDO_ERROR_FOREIGN_KEY}, /* RESTRICT */
    {"23502", LIDO_ERROR_NOT_NULL},
    {"23503", LIDO_ERROR_FOREIGN_KEY},
    {"23505", LIDO_ERROR_UNIQUE},
    {"23", LIDO_ERROR_CHECK}, /* CHECK, exclusion, and what triggers raise in their manner */
    {"25006", LIDO_ERROR_READ_ONLY},
    {"25P03", LIDO_ERROR_DISCONNECTED}, /* idle in a transaction for too long */
    {"25P04", LIDO_ERROR_DISCONNECTED}, /* the transaction took too long; the server ends the session */
    {"28", LIDO_ERROR_PERMISSION},
    {"3D000", LIDO_ERROR_CONFIGURATION}, /* no such database */
    {"3F000", LIDO_ERROR_SYNTAX},        /* no such schema */
    {"40001", LIDO_ERROR_SERIALISATION},
    {"40003", LIDO_ERROR_UNKNOWN_OUTCOME}, /* statement completion unknown */
    {"40P01", LIDO_ERROR_DEADLOCK},
    {"42501", LIDO_ERROR_PERMISSION},
    {"42804", LIDO_ERROR_TYPE},
    {"42846", LIDO_ERROR_TYPE}, /* cannot be cast */
    {"42", LIDO_ERROR_SYNTAX},
    {"44", LIDO_ERROR_CHECK},           /* a view's WITH CHECK OPTION */
    {"53300", LIDO_ERROR_DISCONNECTED}, /* too many connections */
    {"53", LIDO_ERROR_STORAGE},         /* the server's disk or memory is full */
    {"55P03", LIDO_ERROR_BUSY},
    {"57014", LIDO_ERROR_CANCELLED},
    {"57P", LIDO_ERROR_DISCONNECTED}, /* the server stops, starts, or ends an idle session */
    {"58", LIDO_ERROR_STORAGE},
    {"XX001", LIDO_ERROR_STORAGE}, /* corrupt data */
    {"XX002", LIDO_ERROR_STORAGE}, /* corrupt index */
};

lido_category lido__category_of_sqlstate(const char *sqlstate) {
    if (sqlstate == NULL || strlen(sqlstate) != 5)
        return LIDO_ERROR_OTHER;
    for (size_t i = 0; i < sizeof state_categories / sizeof *state_categories; i++) {
        const state_category *known = &state_categories[i];
        if (strncmp(sqlstate, known->begin, strlen(known->begin)) == 0)
            return known->category;
    }
    return LIDO_ERROR_OTHER;
}

bool lido__category_retryable(lido_category category) {
    return category == LIDO_ERROR_SERIALISATION || category == LIDO_ERROR_DEADLOCK || category == LIDO_ERROR_BUSY;
}
