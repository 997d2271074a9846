/* Numbers of settings as text and back, and found values as a message may show them. */
#ifndef LIDO_CONFIG_VALUE_H
#define LIDO_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"

/* Text as a switch: true, on, yes, 1, false, off, no, 0 in any case. */
bool lido__switch_read(const char *text, bool *on);

/* Text as a number of the rule's form, in its limits or not; false if it has not the form. */
bool lido__number_read(const lido__setting_rule *rule, const char *text, int64_t *number);
bool lido__number_allowed(const lido__setting_rule *rule, int64_t number);

enum { LIDO__NUMBER_SIZE = 48 };
/* The number as text that lido__number_read reads back as the same: "30 s", "8 MiB", "never". Returns `text`. */
const char *lido__number_format(const lido__setting_rule *rule, int64_t number, char text[LIDO__NUMBER_SIZE]);

/* Whether text[0..size) is a port, 1 to 65535, as a URL may hold it too: digits alone, and at most five of them. */
bool lido__port_allowed(const char *text, size_t size);

/* Where a word, given in any case, stands in the rule's words; NULL if it is none of them. */
const char *lido__word_find(const lido__setting_rule *rule, const char *text);

enum { LIDO__ALLOWED_SIZE = 200 };
/* What the setting may be, to follow "allowed is"; as a member of lido_options, or as text. Returns `text`. */
const char *lido__allowed(const lido__setting_rule *rule, bool as_member, char text[LIDO__ALLOWED_SIZE]);

enum { LIDO__QUOTE_SIZE = 96 };
/* The text in quotation marks for a message: cut if long, control characters replaced. A text that may hold
 * a URL's password, told by its '@', is not shown. Returns `quote`. */
const char *lido__quote(const char *text, char quote[LIDO__QUOTE_SIZE]);

#endif
