/* Counting what a process has open. */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static inline int count_descriptors_of(pid_t process) {
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)process);
    DIR *open_ones = opendir(path);
    assert_non_null(open_ones);
    while (readdir(open_ones) != NULL)
        count++;
    closedir(open_ones);
    return count;
}

static inline int count_descriptors(void) {
    return count_descriptors_of(getpid());
}

#endif
