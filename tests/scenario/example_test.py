#!/usr/bin/env python3
"""The example of models, as a user runs it: on a SQLite file, in memory, and on PostgreSQL; twice, for it says that it can.

LIDO_EXAMPLE is the program, LIDO_COMMAND the lido command, which makes the database on LIDO_TEST_POSTGRES_URL.
"""

import os
import re
import subprocess
import tempfile
import unittest

EXAMPLE = os.environ["LIDO_EXAMPLE"]
COMMAND = os.environ["LIDO_COMMAND"]
POSTGRES_URL = os.environ.get("LIDO_TEST_POSTGRES_URL")

EXPECTED = """\
  Lathe      by Ursula     1 copies
  Left Hand  by Ursula     3 copies
  Solaris    by Stanislaw  2 copies
flushed: yes
  Fiasco     by Stanislaw  1 copies
  Lathe      by Ursula     1 copies
  Left Hand  by Ursula     3 copies
  Solaris    by Stanislaw  1 copies
the transaction: ok
"""


def run(program, *arguments, url):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "PG"))}
    environment = {**kept, "LC_ALL": "C", "DATABASE_URL": url}
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=60)


class Models(unittest.TestCase):
    def assert_runs(self, url):
        done = run(EXAMPLE, url=url)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, EXPECTED, ""))

    def test_on_a_sqlite_file(self):
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):
                self.assert_runs(f"sqlite:///{folder}/shelf.db")

    def test_on_sqlite_in_memory(self):
        self.assert_runs("sqlite://")

    def test_without_a_database(self):
        done = run(EXAMPLE, url="sqlite:////no/such/folder/shelf.db")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/no/such/folder", done.stderr)

    @unittest.skipUnless(POSTGRES_URL, "LIDO_TEST_POSTGRES_URL is not set")
    def test_on_postgresql(self):
        name = f"example_test_{os.getpid()}"
        self.on_server(f"CREATE DATABASE {name}")
        try:
            for _ in range(2):
                self.assert_runs(re.sub(r"/postgres(\?|$)", rf"/{name}\1", POSTGRES_URL))
        finally:
            self.on_server(f"DROP DATABASE {name} WITH (FORCE)")

    def on_server(self, sql):
        done = run(COMMAND, "query", POSTGRES_URL, sql, url=POSTGRES_URL)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=0)
