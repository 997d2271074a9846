#!/usr/bin/env python3
"""Stories about lido bench, told by running it. See support/command.py."""

import os
import resource
import socket
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from command import DONE, FAILED, NO_CONNECTION, POSTGRES_URL, USAGE, Run, Story, main, on_terminal  # noqa: E402

SHORT = ("--seconds", "1")


def run_within(bytes_of_memory, *arguments):
    """A run that has so much address space."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (bytes_of_memory, before[1]))
    try:
        return Run(*arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Load:
    """Told on both databases."""

    def bench(self, *arguments, **environment):
        return Run("bench", *SHORT, *arguments, **environment)

    def query(self, sql):
        run = self.assert_done(Run("query", "--json", self.url, sql))
        return run.json

    def make_items(self):
        self.query("DROP TABLE IF EXISTS bench_items")
        self.query("CREATE TABLE bench_items (id integer PRIMARY KEY, name text, uses integer)")
        self.query("INSERT INTO bench_items SELECT 1, 'lamp', 0 UNION ALL SELECT 2, 'chair', 0")

    def uses(self):
        return self.query("SELECT CAST(sum(uses) AS integer) AS uses FROM bench_items")[0]["uses"]

    def test_what_it_counts_was_done(self):
        self.make_items()
        run = self.assert_done(
            self.bench("--json", self.url, "UPDATE bench_items SET uses = uses + 1 WHERE id = ?", "1..2")
        )
        self.assertGreater(run.json["operations"], 0)
        self.assertEqual(run.json["operations"], self.uses())
        self.assertEqual((run.json["failed"], run.json["failures"], run.json["first_error"]), (0, {}, None))

    def test_several_statements_are_one_transaction(self):
        self.make_items()
        update = "UPDATE bench_items SET uses = uses + 1 WHERE id = 1"
        run = self.assert_done(self.bench("--json", "--threads", "1", self.url, update, "--then", update))
        self.assertEqual(2 * run.json["operations"], self.uses())

    def test_workers_threads_and_tasks(self):
        self.make_items()
        run = self.bench(
            *("--json", "--workers", "2", "--threads", "2", "--tasks", "3"),
            *(self.url, "SELECT name FROM bench_items WHERE id = ?", "1..2"),
        )
        self.assertEqual(run.status, DONE, run.err)  # a sanitizer may have something to say of tasks' stacks
        self.assertEqual(run.json["load"]["workers"], 2)
        self.assertGreater(run.json["operations"], 0)
        self.assertGreaterEqual(run.json["pool"]["connections"], 2)
        latency = run.json["latency_ms"]
        self.assertLessEqual(latency["p50"], latency["p99"])
        self.assertLessEqual(latency["p99.9"], latency["longest"])

    def test_a_table_for_people(self):
        self.make_items()
        run = self.assert_done(self.bench("--read-only", self.url, "SELECT name FROM bench_items WHERE id = ?", "1..2"))
        self.assertEqual(
            [line.split()[0] for line in run.lines],
            ["load", "operations", "latency", "failed", "connections", "waiting"],
        )
        self.assertRegex(run.out, r"(?m)^operations   \d+ in 1\.\d s: \d+ a second$")

    def test_what_fails_is_counted(self):
        self.make_items()
        run = self.bench(self.url, "INSERT INTO bench_items VALUES (1, 'again', 0)")
        self.assertEqual(run.status, FAILED)
        self.assertRegex(run.out, r"(?m)^failed       \d+ \(\d+ unique violation\)$")
        self.assertIn("unique violation", run.err)

    def test_each_kind_of_parameter(self):
        self.query("DROP TABLE IF EXISTS bench_kinds")
        self.query("CREATE TABLE bench_kinds (n integer, u uuid, t text, w text, m timestamp, missing text, word text)")
        insert = "INSERT INTO bench_kinds VALUES (?, ?, ?, ?, ?, ?, ?)"
        words = ("-5..5", "uuid", "text:7", "=uuid", "now", "null", "plain")
        self.assert_done(self.bench(self.url, insert, *words))
        row = self.query(
            "SELECT min(n) >= -5 AND max(n) <= 5 AS n, count(DISTINCT u) = count(*) AS u,"
            " min(length(t)) = 7 AND max(length(t)) = 7 AS t, min(w) AS w, count(m) = count(*) AS m,"
            " count(missing) = 0 AS missing, max(word) AS word FROM bench_kinds"
        )[0]
        self.assertTrue(all(row[name] for name in ("n", "u", "t", "m", "missing")), row)
        self.assertEqual((row["w"], row["word"]), ("uuid", "plain"))


class OnSQLite(Load, Story):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.url = f"sqlite:///{self.folder.name}/bench.db"

    def test_progress_on_a_terminal(self):
        seen = on_terminal(80, "bench", "--seconds", "3", self.url, "SELECT 1")
        self.assertRegex(seen, r"   1 s  \d+ a second")
        self.assertRegex(seen, r"operations +\d+ in 3\.\d s")


@unittest.skipUnless(POSTGRES_URL, "no PostgreSQL: run it under tests/support/with-postgres")
class OnPostgreSQL(Load, Story):
    url = POSTGRES_URL

    def tearDown(self):
        for table in ("bench_items", "bench_kinds"):
            Run("query", self.url, f"DROP TABLE IF EXISTS {table}")


class CommandLine(Story):
    def test_out_of_reach(self):
        run = Run("bench", *SHORT, "postgresql://nobody:s3cret@127.0.0.1:1/none", "SELECT 1")
        self.assert_fails(run, NO_CONNECTION, "127.0.0.1")
        self.assertNotIn("s3cret", run.err)

    def test_a_wrong_command_line_points_to_the_help(self):
        for arguments in (
            [],
            ["sqlite://"],
            ["--threads", "0", "sqlite://", "SELECT 1"],
            ["--threads", "many", "sqlite://", "SELECT 1"],
            ["--seconds", "-1", "sqlite://", "SELECT 1"],
            ["sqlite://", "SELECT ?", "5..1"],
            ["sqlite://", "SELECT ?", "text:0"],
            ["sqlite://", "SELECT 1", "--then"],
        ):
            self.assert_fails(Run("bench", *arguments), USAGE, "Try 'lido bench --help'.")

    def test_more_tasks_than_there_is_memory_for(self):
        if run_within(1024**3, "--version").status != DONE:
            self.skipTest("a sanitizer wants more address space than that")
        run = run_within(1024**3, "bench", *SHORT, "--tasks", "100000", "sqlite://", "SELECT ?", "text:20")
        self.assert_fails(run, FAILED, "out of memory")
        self.assertEqual(run.out, "")

    def test_the_applications_metrics_address_stays_the_applications(self):
        with socket.create_server(("127.0.0.1", 0)) as application:
            address = f"127.0.0.1:{application.getsockname()[1]}"
            self.assert_done(Run("bench", *SHORT, "sqlite://", "SELECT 1", DATABASE_METRICS_ADDRESS=address))
            self.assert_done(Run("bench", *SHORT, f"sqlite://?metrics_address={address}", "SELECT 1"))

    def test_the_wrong_number_of_parameters(self):
        run = Run("bench", *SHORT, "sqlite://", "SELECT ?, ?", "1")
        self.assertEqual(run.status, FAILED)
        self.assertIn("parameter", run.err)


if __name__ == "__main__":
    main()
