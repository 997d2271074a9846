/* Text for a person's eyes. */
#include "screen.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* The next character of `text`, which is not at its end; the bytes it takes, 0 if they are no character. */
static size_t next_character(const char *text, wchar_t *character) {
    mbstate_t state = {0};
    size_t size = mbrtowc(character, text, strnlen(text, 4), &state);
    return size > 4 ? 0 : size;
}

/* Marks that change the direction of the text around them: they could make a cell read as its neighbour. */
static bool turns_text(wchar_t character) {
    return (character >= 0x200e && character <= 0x200f) || (character >= 0x202a && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

static size_t write_escape(wchar_t character, FILE *stream) {
    static const char letters[] = "\\\\\nn\rr\tt"; /* each with its letter behind it */
    for (const char *letter = letters; *letter != '\0'; letter += 2)
        if (character == (wchar_t)*letter)
            return (size_t)fprintf(stream, "\\%c", letter[1]);
    return (size_t)fprintf(stream, character > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)character);
}

size_t screen_write(const char *text, FILE *stream) {
    size_t width = 0;
    while (*text != '\0') {
        wchar_t character = 0;
        size_t size = next_character(text, &character);
        if (size == 0) {
            width += (size_t)fprintf(stream, "\\x%02x", (unsigned)(uint8_t)*text++);
            continue;
        }
        int columns = wcwidth(character);
        if (columns < 0 || character == L'\\' || turns_text(character)) {
            width += write_escape(character, stream);
        } else {
            fwrite(text, 1, size, stream);
            width += (size_t)columns;
        }
        text += size;
    }
    return width;
}

size_t screen_width(const char *text) {
    size_t width = 0;
    for (size_t size; *text != '\0'; text += size) {
        wchar_t character = 0;
        size = next_character(text, &character);
        width += (size_t)wcwidth(character);
    }
    return width;
}

size_t screen_fit(const char *text, size_t columns, size_t *width) {
    const char *at = text;
    *width = 0;
    while (*at != '\0') {
        wchar_t character = 0;
        size_t size = next_character(at, &character);
        size_t wide = (size_t)wcwidth(character);
        if (*width + wide > columns)
            break;
        *width += wide;
        at += size;
    }
    return (size_t)(at - text);
}

size_t screen_columns(FILE *stream) {
    struct winsize window;
    int descriptor = fileno(stream);
    return isatty(descriptor) && ioctl(descriptor, TIOCGWINSZ, &window) == 0 ? window.ws_col : 0;
}
