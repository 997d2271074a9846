/* Finding pgbench, running it, and reading what it found. */
#include "pgbench.h"

#include <glob.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 32, THREADS = 2 };

/* Debian keeps it beside the server; the newest version's. */
static const char *program(void) {
    static char path[256];
    glob_t found;
    if (path[0] == '\0' && glob("/usr/lib/postgresql/*/bin/pgbench", 0, NULL, &found) == 0) {
        snprintf(path, sizeof path, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
    }
    return path[0] != '\0' ? path : "pgbench";
}

bool bench_pgbench_is_there(bench_context *context) {
    return program()[0] == '/' || bench_skip(context, "there is no pgbench here: it comes with PostgreSQL's server");
}

/* Its report is read from a pipe; what else it says goes to standard error. */
static bool run(const char *const arguments[], char *report, size_t size) {
    extern char **environ;
    int ends[2];
    pid_t child;
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    bool spawned = posix_spawn(&child, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; spawned && (got = read(ends[0], report + length, size - 1 - length)) > 0;)
        length += (size_t)got;
    report[length] = '\0';
    close(ends[0]);
    int status = -1;
    return spawned && waitpid(child, &status, 0) == child && status == 0;
}

static bool write_script(const char *script, char *path, bench_context *context) {
    int file = mkstemp(path);
    bool written = file >= 0 && write(file, script, strlen(script)) == (ssize_t)strlen(script);
    if (file >= 0)
        close(file);
    return written || bench_fail(context, "a script for pgbench could not be written");
}

bool bench_pgbench_run(const char *script, size_t operations, bench_context *context) {
    char path[] = "/tmp/lido-pgbench-XXXXXX";
    char clients[16];
    char threads[16];
    char each[32];
    char report[4096];
    double rate = 0;
    snprintf(clients, sizeof clients, "%d", CLIENTS);
    snprintf(threads, sizeof threads, "%d", THREADS);
    snprintf(each, sizeof each, "%zu", (operations + CLIENTS - 1) / CLIENTS);
    if (!write_script(script, path, context))
        return false;
    const char *const arguments[] = {
        program(), "-n", "-M", "prepared", "-c", clients, "-j", threads, "-t", each, "-f", path, context->postgres_url,
        NULL};
    bool done = run(arguments, report, sizeof report);
    unlink(path);
    const char *found = done ? strstr(report, "tps = ") : NULL;
    if (found == NULL || sscanf(found, "tps = %lf", &rate) != 1 || rate <= 0)
        return bench_fail(context, "pgbench failed, or reported: %.200s", report);
    context->figure_ns = 1e9 / rate;
    return true;
}
