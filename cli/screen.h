/* Text for a person's eyes: control characters made visible, widths in columns of the screen. */
#ifndef LIDO_CLI_SCREEN_H
#define LIDO_CLI_SCREEN_H

#include <stddef.h>
#include <stdio.h>

/* Writes `text` (UTF-8) so that it stays on its line and cannot steer a terminal: "\n", "\t", "\r", "\u001b",
 * bytes that are no UTF-8 as "\xff", a backslash doubled. Returns the width of what was written. */
size_t screen_write(const char *text, FILE *stream);

/* The width of a text that screen_write made. */
size_t screen_width(const char *text);

/* How many bytes of such a text fit into so many columns; how many columns these take is put into *width. */
size_t screen_fit(const char *text, size_t columns, size_t *width);

/* Columns of the terminal behind `stream`; 0 if there is none. */
size_t screen_columns(FILE *stream);

#endif
