/* HTTP by libcurl. */
#include "fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

enum { ANSWER_MOST_MS = 4000, PAGE_MOST = 64 * 1024 * 1024, URL_MOST = 512 };

static const char unix_prefix[] = "unix:";
static const char http_prefix[] = "http://";
static const char public_prefix[] = "public:"; /* as the application's own setting may have it */

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "host:port", without what would be another part of a URL. */
static bool is_host_and_port(const char *text) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0' || strlen(text) > URL_MOST / 2)
        return false;
    return strspn(colon + 1, "0123456789") == strlen(colon + 1) && strpbrk(text, "/@?# ") == NULL;
}

bool fetch_init(fetch *of, const char *address) {
    if (starts_with(address, public_prefix))
        address += strlen(public_prefix);
    of->address = address;
    if (starts_with(address, unix_prefix))
        return address[strlen(unix_prefix)] != '\0';
    if (starts_with(address, http_prefix))
        of->address += strlen(http_prefix);
    return is_host_and_port(of->address);
}

static size_t take(char *data, size_t one, size_t size, void *user) {
    fetch *of = user;
    size *= one;
    char *text = of->size + size < PAGE_MOST ? realloc(of->text, of->size + size + 1) : NULL;
    if (text == NULL)
        return 0;
    memcpy(text + of->size, data, size);
    of->text = text;
    of->size += size;
    of->text[of->size] = '\0';
    return size;
}

static int look_up(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now) {
    const fetch *of = user;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    return of->wanted != NULL && !of->wanted();
}

/* A proxy would look for the address on its own machine. */
static void prepare(const fetch *of, CURL *curl, const char *path) {
    char url[URL_MOST];
    bool is_unix = starts_with(of->address, unix_prefix);
    snprintf(url, sizeof url, "%s%s%s", http_prefix, is_unix ? "localhost" : of->address, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (is_unix)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, of->address + strlen(unix_prefix));
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MOST_MS);
    curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, of);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_up);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, of);
}

static fetch_outcome explain(fetch *of, CURL *curl, CURLcode code) {
    long number = 0;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    of->why[0] = '\0';
    switch (code) {
    case CURLE_OK:
        if (status == 200)
            return FETCH_DONE;
        snprintf(of->why, sizeof of->why, "the answer's status is %ld", status);
        return FETCH_REFUSED;
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_OUT_OF_MEMORY:
        return FETCH_STOPPED;
    case CURLE_COULDNT_CONNECT:
        snprintf(of->why, sizeof of->why, "%s", number != 0 ? strerror((int)number) : "nobody can be reached there");
        return FETCH_NO_ANSWER;
    case CURLE_OPERATION_TIMEDOUT:
        snprintf(of->why, sizeof of->why, "no answer within %d s", ANSWER_MOST_MS / 1000);
        return FETCH_NO_ANSWER;
    case CURLE_COULDNT_RESOLVE_HOST:
        snprintf(of->why, sizeof of->why, "there is no such host");
        return FETCH_NO_ANSWER;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING: /* it ended while we asked */
    case CURLE_PARTIAL_FILE:
        snprintf(of->why, sizeof of->why, "the connection ended before the answer");
        return FETCH_NO_ANSWER;
    default:
        snprintf(of->why, sizeof of->why, "%s", curl_easy_strerror(code));
        return FETCH_REFUSED;
    }
}

fetch_outcome fetch_page(fetch *of, const char *path) {
    if (of->handle == NULL)
        of->handle = curl_easy_init();
    if (of->handle == NULL)
        return FETCH_STOPPED;
    of->size = 0;
    if (of->text != NULL)
        of->text[0] = '\0';
    prepare(of, of->handle, path);
    return explain(of, of->handle, curl_easy_perform(of->handle));
}

void fetch_done(fetch *of) {
    if (of->handle != NULL)
        curl_easy_cleanup(of->handle);
    free(of->text);
}
