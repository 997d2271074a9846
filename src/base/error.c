/* Showing a lido_error to a person: names for its category and status, and the whole of it as a few lines. */
#include <lido/error.h>

#include <string.h>

#include "base/convert.h"

static const char *const category_names[] = {
    [LIDO_ERROR_NONE] = "no error",
    [LIDO_ERROR_UNIQUE] = "unique violation",
    [LIDO_ERROR_FOREIGN_KEY] = "foreign key violation",
    [LIDO_ERROR_NOT_NULL] = "not-null violation",
    [LIDO_ERROR_CHECK] = "check violation",
    [LIDO_ERROR_SERIALISATION] = "serialisation failure",
    [LIDO_ERROR_DEADLOCK] = "deadlock",
    [LIDO_ERROR_BUSY] = "busy",
    [LIDO_ERROR_TIMEOUT] = "timeout",
    [LIDO_ERROR_CANCELLED] = "cancelled",
    [LIDO_ERROR_DISCONNECTED] = "disconnected",
    [LIDO_ERROR_UNKNOWN_OUTCOME] = "unknown outcome",
    [LIDO_ERROR_SYNTAX] = "syntax error or unknown name",
    [LIDO_ERROR_TYPE] = "type mismatch",
    [LIDO_ERROR_MISUSE] = "misuse",
    [LIDO_ERROR_POOL_EXHAUSTED] = "pool exhausted",
    [LIDO_ERROR_OUT_OF_MEMORY] = "out of memory",
    [LIDO_ERROR_CONFIGURATION] = "configuration error",
    [LIDO_ERROR_READ_ONLY] = "read-only",
    [LIDO_ERROR_PERMISSION] = "permission denied",
    [LIDO_ERROR_STORAGE] = "storage failure",
    [LIDO_ERROR_OTHER] = "other error",
};

static const char *const status_names[] = {
    [LIDO_OK] = "ok",
    [LIDO_ROLLED_BACK] = "rolled back",
    [LIDO_UNKNOWN] = "unknown outcome",
    [LIDO_ERROR] = "error",
};

const char *lido_category_name(lido_category category) {
    size_t index = (size_t)category;
    return index < sizeof category_names / sizeof *category_names ? category_names[index] : "not a category";
}

const char *lido_status_name(lido_status status) {
    size_t index = (size_t)status;
    return index < sizeof status_names / sizeof *status_names ? status_names[index] : "not a status";
}

/* A caller's buffer being filled; `length` counts also what did not fit. */
typedef struct writer {
    char *buffer;
    size_t size;
    size_t length;
} writer;

static void put_bytes(writer *out, const char *bytes, size_t count) {
    if (out->length + 1 < out->size) {
        size_t room = out->size - 1 - out->length;
        memcpy(out->buffer + out->length, bytes, count < room ? count : room);
    }
    out->length += count;
}

static void put(writer *out, const char *text) {
    put_bytes(out, text, strlen(text));
}

/* Nothing if `text` is empty. */
static void put_after(writer *out, const char *before, const char *text) {
    if (text[0] == '\0')
        return;
    put(out, before);
    put(out, text);
}

static void put_number(writer *out, const char *before, int number) {
    char digits[21];
    lido__int64_format(number, digits);
    put_after(out, before, digits);
}

/* Lines of their own, indented; nothing if `text` is empty. Newlines at its end, which servers like, are left out. */
static void put_lines(writer *out, const char *label, const char *text) {
    size_t left = strlen(text);
    while (left > 0 && text[left - 1] == '\n')
        left--;
    for (const char *before = label; left > 0; before = "") {
        const char *newline = memchr(text, '\n', left);
        size_t count = newline != NULL ? (size_t)(newline - text) : left;
        put(out, "  ");
        put(out, before);
        put_bytes(out, text, count);
        put(out, "\n");
        count += newline != NULL;
        text += count;
        left -= count;
    }
}

static void put_headline(writer *out, const lido_error *error) {
    if (error->file != NULL) {
        put(out, error->file);
        put_number(out, ":", error->line);
        put(out, ": ");
    }
    bool named = error->category != LIDO_ERROR_NONE;
    put(out, named ? lido_category_name(error->category) : lido_status_name(error->status));
    const char *between = " (";
    if (error->sqlstate[0] != '\0') {
        put_after(out, between, error->sqlstate);
        between = ", ";
    }
    if (error->native_code != 0) {
        put(out, between);
        put_number(out, "SQLite ", error->native_code);
        between = ", ";
    }
    if (between[0] == ',')
        put(out, ")");
    put_after(out, " while ", error->doing);
    put_after(out, " on ", error->database);
    put(out, "\n");
}

/* "constraint items_name_key, table items, column name": those that are known. */
static void put_place(writer *out, const lido_error *error) {
    const char *const labels[] = {"constraint ", "table ", "column "};
    const char *const names[] = {error->constraint, error->table, error->column};
    const char *between = "  ";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i][0] != '\0') {
            put(out, between);
            put_after(out, labels[i], names[i]);
            between = ", ";
        }
    if (between[0] == ',')
        put(out, "\n");
}

/* What became of the transaction, where the headline has not said it, and whether to run it again. */
static void put_outcome(writer *out, const lido_error *error) {
    bool told = error->status == LIDO_ROLLED_BACK && error->category != LIDO_ERROR_NONE;
    if (told)
        put_after(out, "  ", lido_status_name(error->status));
    if (error->retryable)
        put(out, told ? ", worth a retry" : "  worth a retry");
    if (told || error->retryable)
        put(out, "\n");
}

static void put_error(writer *out, const lido_error *error) {
    if (error->status == LIDO_OK) {
        put(out, "no error\n");
        return;
    }
    put_headline(out, error);
    put_lines(out, "", error->message);
    put_place(out, error);
    put_lines(out, "statement: ", error->statement);
    put_outcome(out, error);
    put_lines(out, "next: ", error->hint);
}

size_t lido_error_format(const lido_error *error, char *buffer, size_t size) {
    writer out = {buffer, size, 0};
    put_error(&out, error);
    if (out.length < size)
        buffer[out.length] = '\0';
    else if (size > 0)
        buffer[lido__utf8_cut(buffer, size - 1)] = '\0';
    return out.length;
}

void lido_error_print(const lido_error *error, FILE *stream) {
    /* Room for every field at its fullest and a path besides. One write, lest the lines of several processes mix. */
    char text[8192];
    lido_error_format(error, text, sizeof text);
    fputs(text, stream);
}
