/* The board of holders.
 *
 * Each word is released and acquired by itself: so who has read a word of a later writing reads a later turn, too. (A
 * fence for all of them would do, but ThreadSanitizer knows none.) */
#include "core/holders.h"

#include <stdbool.h>
#include <string.h>

#include "base/convert.h"

enum { TRIES_MOST = 100 };

void lido__holder_describe(lido__holder_entry *holder, const char *file, const char *statement) {
    size_t length = strlen(file);
    if (length >= sizeof holder->file)
        file += length - (sizeof holder->file - 1);
    memset(holder->file, 0, sizeof holder->file);
    memset(holder->statement, 0, sizeof holder->statement);
    memcpy(holder->file, file, strlen(file));
    memcpy(holder->statement, statement, lido__utf8_cut(statement, strnlen(statement, sizeof holder->statement - 1)));
}

void lido__holders_add(lido__holders *holders, const lido__holder_entry *holder) {
    size_t place = holders->count;
    while (place > 0 && holders->of[place - 1].held_us < holder->held_us)
        place--;
    if (place == LIDO__HOLDERS_MOST)
        return;
    size_t behind = holders->count - place;
    if (holders->count == LIDO__HOLDERS_MOST)
        behind--;
    else
        holders->count++;
    memmove(&holders->of[place + 1], &holders->of[place], behind * sizeof *holders->of);
    holders->of[place] = *holder;
}

void lido__holder_board_write(lido__holder_board *board, const lido__holders *holders) {
    uint_fast64_t turn = atomic_load_explicit(&board->turn, memory_order_relaxed);
    if (turn % 2 != 0 || !atomic_compare_exchange_strong_explicit(&board->turn, &turn, turn + 1, memory_order_acquire,
                                                                  memory_order_relaxed))
        return;
    atomic_store_explicit(&board->count, holders->count, memory_order_release);
    for (size_t i = 0; i < holders->count; i++) {
        uint64_t words[LIDO__HOLDER_WORDS];
        memcpy(words, &holders->of[i], sizeof words);
        for (size_t word = 0; word < LIDO__HOLDER_WORDS; word++)
            atomic_store_explicit(&board->words[i][word], words[word], memory_order_release);
    }
    atomic_store_explicit(&board->turn, turn + 2, memory_order_release);
}

static bool read_board(const lido__holder_board *board, lido__holders *holders) {
    uint_fast64_t turn = atomic_load_explicit(&board->turn, memory_order_acquire);
    if (turn % 2 != 0)
        return false;
    holders->count = (size_t)atomic_load_explicit(&board->count, memory_order_acquire);
    for (size_t i = 0; i < holders->count && i < LIDO__HOLDERS_MOST; i++) {
        uint64_t words[LIDO__HOLDER_WORDS] = {0};
        for (size_t word = 0; word < LIDO__HOLDER_WORDS; word++)
            words[word] = atomic_load_explicit(&board->words[i][word], memory_order_acquire);
        memcpy(&holders->of[i], words, sizeof words);
    }
    return holders->count <= LIDO__HOLDERS_MOST && atomic_load_explicit(&board->turn, memory_order_relaxed) == turn;
}

void lido__holder_board_read(const lido__holder_board *board, lido__holders *holders) {
    lido__holders read;
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        if (!read_board(board, &read))
            continue;
        for (size_t i = 0; i < read.count; i++)
            lido__holders_add(holders, &read.of[i]);
        return;
    }
}

void lido__holder_board_clear(lido__holder_board *board) {
    uint_fast64_t turn = atomic_load_explicit(&board->turn, memory_order_relaxed);
    atomic_store_explicit(&board->count, 0, memory_order_release);
    atomic_store_explicit(&board->turn, turn + turn % 2 + 2, memory_order_release);
}
