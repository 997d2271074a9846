/* The terminal, by the escape sequences that all of today's know. Signals come through a descriptor, so that none is
 * missed between looking and waiting, and none interrupts a half drawn page. */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* Another screen, without a cursor and without lines that go on in the next; and back. */
static const char enter[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char leave[] = "\033[?7h\033[?25h\033[?1049l";

static const int heard[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

static struct termios before;
static sigset_t mask_before;
static int signals = -1;
static bool has_keys;
static int told; /* which signal has told to end; 0: none */

static void send(const char *text, size_t size) {
    while (size > 0) {
        ssize_t sent = write(STDOUT_FILENO, text, size);
        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            return;
        text += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
    }
}

static void take(void) {
    if (has_keys) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
    send(enter, strlen(enter));
}

static void give_back(void) {
    send(leave, strlen(leave));
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

bool terminal_begin(void) {
    sigset_t set;
    if (!isatty(STDOUT_FILENO))
        return false;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof heard / sizeof *heard; i++)
        sigaddset(&set, heard[i]);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return false;
    sigprocmask(SIG_BLOCK, &set, &mask_before);
    has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    fflush(stdout);
    take();
    return true;
}

void terminal_end(void) {
    give_back();
    close(signals);
    signals = -1;
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    if (told == 0)
        return;
    signal(told, SIG_DFL);
    raise(told);
}

void terminal_size(size_t *rows, size_t *columns) {
    struct winsize window;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 && window.ws_col > 0;
    *rows = known ? window.ws_row : 24;
    *columns = known ? window.ws_col : 80;
}

void terminal_show(const char *page, size_t size) {
    send("\033[H", 3);
    send(page, size);
    send("\033[J", 3);
}

/* Somebody else has the terminal until we are told to go on. */
static terminal_event suspend(void) {
    give_back();
    kill(getpid(), SIGSTOP);
    take();
    return TERMINAL_RESIZED;
}

static terminal_event take_signals(void) {
    struct signalfd_siginfo about;
    terminal_event event = TERMINAL_NOTHING;
    while (read(signals, &about, sizeof about) == (ssize_t)sizeof about) {
        if (about.ssi_signo == SIGTSTP)
            event = suspend();
        else if (about.ssi_signo == SIGWINCH)
            event = TERMINAL_RESIZED;
        else
            told = (int)about.ssi_signo;
    }
    return told != 0 ? TERMINAL_END : event;
}

static terminal_event take_key(char *key) {
    ssize_t size = read(STDIN_FILENO, key, 1);
    if (size == 1)
        return TERMINAL_KEY;
    return size < 0 && (errno == EINTR || errno == EAGAIN) ? TERMINAL_NOTHING : TERMINAL_END;
}

terminal_event terminal_wait(int ms, char *key) {
    struct pollfd waiting[] = {{.fd = signals, .events = POLLIN},
                               {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN}};
    if (poll(waiting, 2, ms) <= 0)
        return TERMINAL_NOTHING;
    terminal_event event = waiting[0].revents != 0 ? take_signals() : TERMINAL_NOTHING;
    return event == TERMINAL_NOTHING && waiting[1].revents != 0 ? take_key(key) : event;
}

bool terminal_is_told(void) {
    sigset_t waiting;
    return told != 0 ||
           (sigpending(&waiting) == 0 && (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1 ||
                                          sigismember(&waiting, SIGHUP) == 1 || sigismember(&waiting, SIGQUIT) == 1));
}
