/* md5, sha256 and gen_random_uuid. */
#include <nettle/md5.h>
#include <nettle/sha2.h>

#include "backend/sqlite/functions.h"

/* The bytes of a blob, or of a text as they are. */
static const unsigned char *bytes_of(sqlite3_value *value, size_t *size) {
    const unsigned char *bytes =
        sqlite3_value_type(value) == SQLITE_BLOB ? sqlite3_value_blob(value) : sqlite3_value_text(value);
    *size = (size_t)sqlite3_value_bytes(value);
    return bytes != NULL ? bytes : (const unsigned char *)"";
}

/* Of a text's or a blob's bytes, as hexadecimal text. */
static void md5(sqlite3_context *context, int count, sqlite3_value **arguments) {
    static const char digits[] = "0123456789abcdef";
    struct md5_ctx state;
    uint8_t digest[MD5_DIGEST_SIZE];
    char text[2 * MD5_DIGEST_SIZE];
    function_text number;
    size_t size;
    if (lido__function_any_null(count, arguments))
        return;
    const unsigned char *bytes = bytes_of(arguments[0], &size);
    if (sqlite3_value_type(arguments[0]) != SQLITE_BLOB) {
        if (!lido__function_text(context, arguments[0], &number))
            return;
        bytes = (const unsigned char *)number.bytes;
        size = number.size;
    }
    md5_init(&state);
    md5_update(&state, size, bytes);
    md5_digest(&state, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    lido__function_give_text(context, text, sizeof text);
}

static void give_sha256(sqlite3_context *context, const void *bytes, size_t size) {
    struct sha256_ctx state;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&state);
    sha256_update(&state, size, bytes);
    sha256_digest(&state, sizeof digest, digest);
    sqlite3_result_blob(context, digest, sizeof digest, SQLITE_TRANSIENT);
}

/* Of a blob; a text is read as PostgreSQL reads it where it wants a blob. */
static void sha256(sqlite3_context *context, int count, sqlite3_value **arguments) {
    lido__buffer buffer = LIDO__BUFFER_INIT;
    size_t size;
    if (lido__function_any_null(count, arguments))
        return;
    const unsigned char *bytes = bytes_of(arguments[0], &size);
    if (sqlite3_value_type(arguments[0]) == SQLITE_BLOB)
        give_sha256(context, bytes, size);
    else if (!lido__function_read_bytes((const char *)bytes, size, &buffer))
        lido__function_refuse(context, "bytea", (const char *)bytes, size);
    else if (buffer.out_of_memory)
        lido__function_out_of_memory(context);
    else
        give_sha256(context, buffer.size > 0 ? buffer.data : "", buffer.size);
    lido__buffer_done(&buffer);
}

static void gen_random_uuid(sqlite3_context *context, int count, sqlite3_value **arguments) {
    char text[37];
    (void)count;
    (void)arguments;
    lido_uuid_format(lido_uuid_random(), text);
    lido__function_give_text(context, text, 36);
}

const function_row lido__sqlite_digest_functions[] = {
    {.name = "md5", .least = 1, .most = 1, .call = md5},
    {.name = "sha256", .least = 1, .most = 1, .call = sha256},
    {.name = "gen_random_uuid", .varies = true, .call = gen_random_uuid},
    {.name = NULL},
};
