/* Static probes: that each is passed when it should be. They are armed as a debugger does it, with breakpoints where
 * the library's notes say that its probes are, and counted as they are hit. */
#include "support/items.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

enum { SKIPPED = 77 }; /* as Meson has it */

#if defined(__x86_64__)

enum { PROBES_MOST = 64, NOTE_TYPE = 3, NO_OPERATION = 0x90, BREAKPOINT = 0xcc };

static const char *const names[] = {"connect",        "checkout", "begin",    "statement__start",
                                    "statement__end", "commit",   "rollback", "checkin"};

enum { NAMES = sizeof names / sizeof *names };

typedef struct probe {
    unsigned char *at;
    unsigned short *looked_at; /* how many look */
    unsigned name;
} probe;

static probe probes[PROBES_MOST];
static size_t probe_count;
static atomic_int hits[NAMES];

/* ---- Finding them ---- */

typedef struct library {
    const char *path;
    uintptr_t moved; /* from where its file says that it is */
} library;

static int look_for_lido(struct dl_phdr_info *info, size_t size, void *found) {
    library *lido = found;
    (void)size;
    if (strstr(info->dlpi_name, "liblido.so") == NULL)
        return 0;
    *lido = (library){info->dlpi_name, (uintptr_t)info->dlpi_addr};
    return 1;
}

static const unsigned char *map_file(const char *path) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0 && fstat(file, &status) == 0);
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    assert_true(memory != MAP_FAILED);
    close(file);
    return memory; /* for as long as the program runs */
}

/* A note's text: where the probe is, where its library began, the word that counts who looks; provider and name. */
static void add_probe(const library *lido, const unsigned char *text) {
    uint64_t addresses[3];
    memcpy(addresses, text, sizeof addresses);
    const char *provider = (const char *)text + sizeof addresses;
    const char *name = provider + strlen(provider) + 1;
    unsigned index = 0;
    assert_string_equal(provider, "lido");
    while (index < NAMES && strcmp(names[index], name) != 0)
        index++;
    assert_true(index < NAMES && probe_count < PROBES_MOST && addresses[2] != 0);
    probes[probe_count++] =
        (probe){(unsigned char *)(addresses[0] + lido->moved), (unsigned short *)(addresses[2] + lido->moved), index};
}

static void read_notes(const library *lido, const unsigned char *notes, size_t size) {
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
        Elf64_Nhdr head;
        memcpy(&head, notes + at, sizeof head);
        at += sizeof head;
        size_t name = at;
        at += (head.n_namesz + 3) & ~(size_t)3;
        if (head.n_type == NOTE_TYPE && strcmp((const char *)notes + name, "stapsdt") == 0)
            add_probe(lido, notes + at);
        at += (head.n_descsz + 3) & ~(size_t)3;
    }
}

/* None where the library was built without. */
static void find_probes(void) {
    library lido;
    probe_count = 0;
    assert_int_equal(dl_iterate_phdr(look_for_lido, &lido), 1);
    const unsigned char *file = map_file(lido.path);
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)file;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + head->e_shoff);
    const char *section_names = (const char *)file + sections[head->e_shstrndx].sh_offset;
    for (size_t i = 0; i < head->e_shnum; i++)
        if (strcmp(section_names + sections[i].sh_name, ".note.stapsdt") == 0)
            read_notes(&lido, file + sections[i].sh_offset, sections[i].sh_size);
}

/* ---- Breakpoints ---- */

/* The instruction behind it goes on: what was there did nothing. */
static void hit(int signal, siginfo_t *info, void *context) {
    const ucontext_t *stopped = context;
    const unsigned char *at = (const unsigned char *)stopped->uc_mcontext.gregs[REG_RIP] - 1;
    (void)signal;
    (void)info;
    for (size_t i = 0; i < probe_count; i++)
        if (probes[i].at == at) {
            atomic_fetch_add(&hits[probes[i].name], 1);
            return;
        }
    abort();
}

static void set(const probe *at, unsigned char byte, unsigned short looked_at) {
    uintptr_t page = (uintptr_t)at->at & ~(uintptr_t)4095;
    assert_int_equal(mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
    *at->at = byte;
    assert_int_equal(mprotect((void *)page, 4096, PROT_READ | PROT_EXEC), 0);
    *at->looked_at = looked_at;
}

static void arm(void) {
    struct sigaction action = {.sa_sigaction = hit, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
    for (unsigned i = 0; i < NAMES; i++)
        atomic_store(&hits[i], 0);
    for (size_t i = 0; i < probe_count; i++) {
        assert_int_equal(*probes[i].at, NO_OPERATION);
        set(&probes[i], BREAKPOINT, 1);
    }
}

static void disarm(void) {
    for (size_t i = 0; i < probe_count; i++)
        set(&probes[i], NO_OPERATION, 0);
}

/* ---- Stories ---- */

static void saw_hits(const char *when) {
    char line[400] = "";
    for (unsigned i = 0; i < NAMES; i++)
        if (atomic_load(&hits[i]) > 0)
            snprintf(line + strlen(line), sizeof line - strlen(line), ", %d %s", atomic_exchange(&hits[i], 0),
                     names[i]);
    saw("%s%s", when, line);
}

static void use_all(lido_engine *engine) {
    lido_status outcome;
    lido_session *db = open_autocommit(engine);
    lido_exec(db, ITEMS_TABLE);
    saw_hits("alone");
    lido_exec(db, "INSERT INTO nothing VALUES (1)");
    saw_hits("failed");
    lido_session_close(db);
    lido_transaction (in, engine, &outcome) {
        send_insert(in, 1);
        insert(in, 2);
        count_items(in);
    }
    saw_hits("committed");
    lido_transaction (out, engine, &outcome) {
        insert(out, 3);
        break;
    }
    saw_hits("left");
    lido_transaction (none, engine, &outcome) {
    }
    saw_hits("nothing");
}

static void story_of_probes(lido_engine *engine) {
    arm();
    use_all(engine);
    disarm();
}

static const scenario scenarios[] = {
    {"each is passed when it should be", story_of_probes,
     "alone, 1 connect, 1 checkout, 1 statement__start, 1 statement__end, 1 checkin\n"
     "failed, 1 checkout, 1 statement__start, 1 statement__end, 1 checkin\n"
     "committed, 1 checkout, 1 begin, 3 statement__start, 3 statement__end, 1 commit, 1 checkin\n"
     "left, 1 checkout, 1 begin, 1 statement__start, 1 statement__end, 1 rollback, 1 checkin\n"
     "nothing\n"},
};

int main(void) {
    find_probes();
    if (probe_count == 0)
        return SKIPPED;
    return scenarios_run("probes", scenarios, sizeof scenarios / sizeof *scenarios);
}

#else

/* Breakpoints are another matter on each processor; scripts/probes looks at the notes on all. */
int main(void) {
    return SKIPPED;
}

#endif
