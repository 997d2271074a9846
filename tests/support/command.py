"""Running the lido command, for the stories that are told of it.

LIDO_COMMAND           the program
LIDO_MODELS            a shared library of models: tests/support/shop_models.c
LIDO_TEST_POSTGRES_URL where a PostgreSQL server is; without it, only SQLite's stories are told
"""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

COMMAND = os.path.abspath(os.environ.get("LIDO_COMMAND", "lido"))
MODELS = os.path.abspath(os.environ.get("LIDO_MODELS", "shop_models.so"))
POSTGRES_URL = os.environ.get("LIDO_TEST_POSTGRES_URL")
CLI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "cli")

DONE, FAILED, USAGE, CONFIGURATION, NO_CONNECTION, TRY_AGAIN = 0, 1, 2, 3, 4, 5


class Run:
    """One run of the command, and what came of it."""

    def __init__(self, *arguments, stdin="", **environment):
        done = subprocess.run(
            [COMMAND, *arguments],
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(environment),
            timeout=60,
        )
        self.status = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def json(self):
        return json.loads(self.out)


def clean_environment(changes=()):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "PG"))}
    return {**kept, "LC_ALL": "C", **dict(changes)}


def on_terminal(columns, *arguments, types=None):
    """What a person sees in a terminal so wide, who types that."""
    return ask_on_terminal(columns, *arguments, types=types)[1]


def ask_on_terminal(columns, *arguments, types=None):
    """The exit status, and what is seen."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([COMMAND, *arguments], stdin=slave, stdout=slave, stderr=slave, env=clean_environment())
    os.close(slave)
    seen = b""
    if types is not None:
        os.write(master, types.encode())
    try:
        while part := os.read(master, 4096):
            seen += part
    except OSError:
        pass  # the terminal's other end is closed
    os.close(master)
    return process.wait(timeout=60), seen.decode().replace("\r\n", "\n")


class Story(unittest.TestCase):
    maxDiff = None

    def assert_done(self, run):
        self.assertEqual((run.status, run.err), (DONE, ""))
        return run

    def assert_fails(self, run, status, *words):
        """It says so on standard error only, in these words."""
        self.assertEqual((run.status, run.out), (status, ""), run.err)
        for word in words:
            self.assertIn(word, run.err)


class SQLite:
    """A file of the class's own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "items.db")
        cls.url = "sqlite:///" + cls.path

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()


class PostgreSQL:
    """A database of the class's own."""

    @classmethod
    def setUpClass(cls):
        # By the command itself: CREATE DATABASE runs outside a transaction only.
        cls.name = f"command_test_{os.getpid()}"
        cls.on_server(f"CREATE DATABASE {cls.name}")
        cls.url = re.sub(r"/postgres(\?|$)", rf"/{cls.name}\1", POSTGRES_URL)

    @classmethod
    def tearDownClass(cls):
        cls.on_server(f"DROP DATABASE {cls.name} WITH (FORCE)")

    @staticmethod
    def on_server(sql):
        run = Run("query", POSTGRES_URL, sql)
        assert run.status == DONE, run.err


def main():
    """Ends with the lines by which tests/run counts."""
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    passed = result.testsRun - failed - len(result.skipped)
    print(f"[==========] {result.testsRun} test(s) run.")
    print(f"[  PASSED  ] {passed} test(s).")
    if failed:
        print(f"[  FAILED  ] {failed} test(s).")
    sys.exit(0 if result.wasSuccessful() else 1)
