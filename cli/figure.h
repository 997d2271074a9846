/* Figures as people like to read them, in so few letters that columns hold them. */
#ifndef LIDO_CLI_FIGURE_H
#define LIDO_CLI_FIGURE_H

#include <stddef.h>
#include <stdint.h>

enum { FIGURE_SIZE = 24 }; /* has room for any of them */

/* "0", "3.2", "1204", "120k", "4.5M"; "-" if it is less than 0: not known. */
const char *figure_rate(double rate, char text[FIGURE_SIZE]);
/* "850 ns", "12.3 µs", "1.25 ms", "2.5 s", "3 min 20 s" */
const char *figure_duration_ns(double ns, char text[FIGURE_SIZE]);
/* "850 ms", "12.3 s", "3 min 20 s", "2 h 5 min", "5 d 3 h" */
const char *figure_age_ms(int64_t ms, char text[FIGURE_SIZE]);
/* A whole number; "-" if it is less than 0: there is none. */
const char *figure_number(int64_t number, char text[FIGURE_SIZE]);

#endif
