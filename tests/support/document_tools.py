"""What running a page's blocks takes: a compiler, folders, databases, commands, and a look at what was printed.
For check-documents."""

import os
import re
import shutil
import subprocess

from document_page import Fault

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
WARNINGS = "-std=c17 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
SECONDS = 120
COMMANDS = ("pkg-config", "meson", "ninja", "grep", "sleep", "mkdir", "cat")

RUN_SQL = """
#include <lido.h>

/* Runs the script on standard input. */
int main(void) {
    static char script[65536];
    script[fread(script, 1, sizeof script - 1, stdin)] = 0;
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(NULL, NULL, &error);
    if (engine != NULL && script[0] != 0)
        lido_transaction (db, engine, &error)
            lido_script(db, script);
    if (error.status != LIDO_OK)
        lido_error_print(&error, stderr);
    lido_engine_close(engine);
    return error.status != LIDO_OK;
}
"""

MAKE = """#!/bin/sh
"{make}" -n -C "{root}" "$@" >/dev/null || exit
case $1 in
run)
    [ -n "$DATABASE_URL$DATABASE_TYPE" ] || export DATABASE_TYPE=sqlite DATABASE_NAME=items
    exec "{build}/examples/items" ;;
bench)
    for argument in "$@"; do
        case $argument in BENCH=*) "{build}/bench/lido-bench" --list ${{argument#BENCH=}} >/dev/null || exit ;; esac
    done ;;
esac
"""


def run(command, folder, environment, given=""):
    """(exit status, standard output, standard error)"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "input": given.encode()}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, timeout=SECONDS, **pipes)
    except subprocess.TimeoutExpired:
        raise Fault(f"it has not ended after {SECONDS} s") from None
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def pattern_of(expected):
    return ".*".join(re.escape(part) for part in expected.split("…"))


def loose_pattern_of(line):
    """Of a line whose figures vary: words, with anything blank between and runs of dashes of any length."""
    parts = [r"\S*\d\S*" if re.search(r"\d", word) else pattern_of(word) for word in line.split()]
    return r"\s*" + r"\s+".join(re.sub(r"(\\-){2,}", "-+", part) for part in parts) + r"\s*"


def is_printed(expected, printed, vary):
    wanted, got = ([line.rstrip() for line in text.strip("\n").split("\n")] for text in (expected, printed))
    pattern = loose_pattern_of if vary else pattern_of
    return len(wanted) == len(got) and all(re.fullmatch(pattern(each), line) for each, line in zip(wanted, got))


class Database:
    """One that blocks are run on, always by the same URL, and empty before each."""

    def __init__(self, name, url, variables, clear):
        self.name = name
        self.url = url
        self.variables = variables
        self.clear = clear


class Workshop:
    """The tools: compiled programs, folders, and the databases."""

    def __init__(self, build, compiler, folder, with_postgres):
        self.build = os.path.abspath(build)
        self.compiler = compiler
        self.folder = folder
        self.folders = 0
        self.bin = os.path.join(folder, "bin")
        self.run_sql = self.compile(write(os.path.join(folder, "run_sql.c"), RUN_SQL))
        self.make_bin()
        self.databases = [Database("sqlite", "sqlite:///items.db", {}, "")]
        if with_postgres:
            self.databases.append(self.postgres(os.environ["LIDO_TEST_POSTGRES_PORT"]))

    def postgres(self, port):
        admin = self.environment(os.environ["LIDO_TEST_POSTGRES_URL"])
        for sql in (
            "DROP DATABASE IF EXISTS shop",
            "DROP ROLE IF EXISTS shop",
            "CREATE ROLE shop LOGIN PASSWORD 'secret'",
            "CREATE DATABASE shop OWNER shop",
        ):
            status, _, said = run([os.path.join(self.bin, "lido"), "query", sql], self.folder, admin)
            if status != 0:
                raise Fault(said)
        variables = {"PGPORT": port, "PGPASSWORD": "secret"}
        clear = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; "
        return Database("postgres", "postgresql://shop:secret@localhost/shop", variables, clear)

    def make_bin(self):
        """All that a page's commands find."""
        for name, command in [("cc", self.compiler), *((command, [command]) for command in COMMANDS)]:
            script = f'#!/bin/sh\nPATH={os.environ["PATH"]} exec {" ".join(command)} "$@"\n'
            write(os.path.join(self.bin, name), script, 0o755)
        make = MAKE.format(make=shutil.which("make"), root=ROOT, build=self.build)
        write(os.path.join(self.bin, "make"), make, 0o755)
        os.symlink(os.path.join(self.build, "cli", "lido"), os.path.join(self.bin, "lido"))
        os.symlink(self.run_sql, os.path.join(self.bin, "lido-opens"))

    def environment(self, url, variables=()):
        foreign = ("DATABASE_", "PG", "LIDO_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        kept.update(variables)
        if url is not None:
            kept["DATABASE_URL"] = url
        return {**kept, "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": os.path.join(self.build, "src")}

    def compile(self, source, warnings=()):
        program = source[: -len(".c")]
        paths = ["-I" + os.path.join(ROOT, "include"), "-L" + os.path.join(self.build, "src")]
        command = [*self.compiler, *WARNINGS, *warnings, *paths, source, "-o", program, "-llido", "-pthread"]
        status, _, said = run(command, self.folder, dict(os.environ))
        if status != 0:
            raise Fault(said)
        return program

    def new_folder(self):
        self.folders += 1
        folder = os.path.join(self.folder, str(self.folders))
        os.makedirs(folder)
        return folder

    def prepared(self, database, sql):
        """A folder to run something on this database in, and the environment for it."""
        folder = self.new_folder()
        environment = self.environment(database.url, database.variables)
        status, _, said = run([self.run_sql], folder, environment, database.clear + sql)
        if status != 0:
            raise Fault(f"sql: {said}")
        return folder, environment

    def prepared_for_commands(self, database, sql, program):
        """The same for a page's commands, with the page's last program as (name, text), or None."""
        folder, environment = self.prepared(database, sql)
        environment["PATH"] = self.bin
        environment["PKG_CONFIG_PATH"] = os.path.join(self.build, "meson-uninstalled")
        if program is not None:
            write(os.path.join(folder, program[0]), program[1])
        # Measuring takes long: what is checked is that it understands its arguments.
        bench = f'#!/bin/sh\nexec "{self.build}/bench/lido-bench" --list "$@"\n'
        write(os.path.join(folder, "build", "bench", "lido-bench"), bench, 0o755)
        return folder, environment
