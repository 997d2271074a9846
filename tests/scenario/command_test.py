#!/usr/bin/env python3
"""Stories about lido query and lido check, told by running them. See support/command.py."""

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from command import (  # noqa: E402
    COMMAND,
    CONFIGURATION,
    DONE,
    FAILED,
    NO_CONNECTION,
    POSTGRES_URL,
    TRY_AGAIN,
    USAGE,
    PostgreSQL,
    Run,
    SQLite,
    Story,
    clean_environment,
    main,
    on_terminal,
)


class Query:
    """What lido query does on either database."""

    url = None  # of a database of the class's own

    def query(self, *arguments, **environment):
        return Run("query", *arguments, DATABASE_URL=self.url, **environment)

    def with_items(self):
        self.query("DROP TABLE IF EXISTS items")
        self.assert_done(self.query("CREATE TABLE items (id integer PRIMARY KEY, name text, price double precision)"))
        self.assert_done(
            self.query("INSERT INTO items VALUES (?, ?, ?), (?, ?, ?)", "1", "lamp", "12.5", "10", "chair", "150")
        )

    def test_rows_are_an_aligned_table(self):
        self.with_items()
        run = self.assert_done(self.query("SELECT id, name, price FROM items ORDER BY id"))
        self.assertEqual(
            run.lines,
            [
                "id | name  | price",
                "---+-------+------",
                " 1 | lamp  |  12.5",
                "10 | chair |   150",
                "(2 rows)",
            ],
        )

    def test_the_url_may_be_given_before_the_sql(self):
        self.with_items()
        run = self.assert_done(Run("query", self.url, "SELECT name FROM items WHERE id = ?", "10"))
        self.assertEqual(run.lines[2:], ["chair", "(1 row)"])

    def test_no_rows_are_a_table_without_rows(self):
        self.with_items()
        run = self.assert_done(self.query("SELECT id, name FROM items WHERE id < 0"))
        self.assertEqual(run.lines, ["id | name", "---+-----", "(0 rows)"])

    def test_null_is_not_the_text_null(self):
        run = self.assert_done(self.query("SELECT NULL AS a, 'NULL' AS b, '' AS c"))
        self.assertEqual(run.lines[2], "NULL | 'NULL' | ")

    def test_wide_and_combining_letters_line_up(self):
        run = self.assert_done(self.query("SELECT '日本' AS a, 1 AS b UNION ALL SELECT 'né', 2 UNION ALL SELECT 'ne\u0301e', 3"))
        rows = sorted(run.lines[2:5])
        self.assertEqual(rows, ["ne\u0301e  | 3", "né   | 2", "日本 | 1"])

    def test_data_cannot_steer_the_terminal(self):
        hostile = "a\x1b[2Jb\nc\td\\e\u202ef"
        run = self.assert_done(self.query("SELECT CAST(? AS text) AS text", hostile))
        self.assertEqual(run.lines[2], "a\\u001b[2Jb\\nc\\td\\\\e\\u202ef")

    def test_a_parameter_is_a_value_whatever_is_in_it(self):
        self.with_items()
        name = "O'Hara'); DROP TABLE items; --"
        self.assert_done(self.query("INSERT INTO items (id, name) VALUES (?, ?)", "3", name))
        run = self.assert_done(self.query("--json", "SELECT name FROM items WHERE name = ?", name))
        self.assertEqual(run.json, [{"name": name}])

    def test_a_parameter_may_begin_with_a_hyphen_and_may_be_null(self):
        self.with_items()
        self.assert_done(self.query("--null", "nil", "INSERT INTO items VALUES (?, ?, ?)", "-5", "nil", "nil"))
        run = self.assert_done(self.query("--csv", "SELECT * FROM items WHERE id = ?", "-5"))
        self.assertEqual(run.out, "id,name,price\n-5,,\n")

    def test_parameters_by_name_go_in_order(self):
        run = self.assert_done(self.query("--csv", "SELECT CAST(:b AS text) AS b, CAST(:a AS text) AS a", "one", "two"))
        self.assertEqual(run.out, "b,a\none,two\n")

    def test_a_missing_parameter_is_refused(self):
        self.assert_fails(self.query("SELECT CAST(? AS text)"), FAILED)
        self.assert_fails(self.query("SELECT 1", "one too many"), FAILED)

    def test_the_sql_may_come_from_standard_input(self):
        run = self.assert_done(self.query("--csv", "-", "7", stdin="SELECT CAST(? AS integer) + 1 AS n -- so be it\n"))
        self.assertEqual(run.out, "n\n8\n")

    def test_sql_that_begins_with_a_hyphen_stands_behind_two(self):
        run = self.assert_done(self.query("--csv", "--", "-- a remark\nSELECT 1 AS n"))
        self.assertEqual(run.out, "n\n1\n")

    def test_sql_on_standard_input_with_a_nul_is_refused(self):
        self.assert_fails(self.query("-", stdin="SELECT 1\0"), USAGE, "NUL")

    def test_a_statement_without_rows_says_how_many_it_changed(self):
        self.with_items()
        self.assertEqual(self.assert_done(self.query("UPDATE items SET price = 1")).out, "2 rows changed\n")
        self.assertEqual(self.assert_done(self.query("DELETE FROM items WHERE id = 1")).out, "1 row changed\n")
        self.assertEqual(self.assert_done(self.query("--json", "DELETE FROM items")).json, {"changed": 1})
        self.assertEqual(self.assert_done(self.query("--csv", "DELETE FROM items")).out, "")

    def test_rows_returned_by_a_change_are_printed_and_the_change_stands(self):
        self.with_items()
        for form in ("--table", "--csv", "--json"):
            run = self.assert_done(self.query(form, "UPDATE items SET price = price + 1 WHERE id = 10 RETURNING name"))
            self.assertIn("chair", run.out)
        run = self.assert_done(self.query("--json", "SELECT price FROM items WHERE id = 10"))
        self.assertEqual(run.json, [{"price": 153}])

    def test_csv_is_quoted_and_tells_null_from_no_text(self):
        values = ["plain", 'say "hi"', "one, two", "line\nbreak", " blanks ", ""]
        columns = ", ".join(f"CAST(? AS text) AS c{i}" for i in range(len(values)))
        run = self.assert_done(self.query("--csv", f"SELECT {columns}, NULL AS missing", *values))
        self.assertEqual(run.out.split("\n", 1)[1], 'plain,"say ""hi""","one, two","line\nbreak", blanks ,"",\n')
        self.assertEqual(list(csv.reader(io.StringIO(run.out)))[1], [*values, ""])

    def test_json_keeps_types(self):
        run = self.assert_done(
            self.query("--json", "SELECT 42 AS whole, 0.5e0 AS half, NULL AS missing, 'a\"b\\c' AS text")
        )
        self.assertEqual(run.json, [{"whole": 42, "half": 0.5, "missing": None, "text": 'a"b\\c'}])

    def test_json_has_one_row_on_a_line(self):
        run = self.assert_done(self.query("--json", "SELECT 1 AS n UNION ALL SELECT 2 ORDER BY n"))
        self.assertEqual(run.out, '[\n{"n":1},\n{"n":2}\n]\n')
        self.assertEqual(self.assert_done(self.query("--json", "SELECT 1 AS n WHERE 1 = 0")).out, "[]\n")

    def test_json_tells_columns_of_one_name_apart(self):
        run = self.assert_done(self.query("--json", "SELECT 1 AS n, 2 AS n_2, 3 AS n, 4 AS n"))
        self.assertEqual(run.json, [{"n": 1, "n_2": 2, "n_3": 3, "n_4": 4}])

    def test_read_only_refuses_to_write(self):
        self.with_items()
        self.assert_fails(self.query("--read-only", "DELETE FROM items"), FAILED)
        run = self.assert_done(self.query("--read-only", "--csv", "SELECT count(*) AS n FROM items"))
        self.assertEqual(run.out, "n\n2\n")

    def test_wrong_sql_says_where(self):
        self.assert_fails(self.query("SELEKT 1"), FAILED, "lido: ", "SELEKT")
        self.assert_fails(self.query("--json", "SELECT * FROM nowhere_to_be_found"), FAILED, "nowhere_to_be_found")
        self.assert_fails(self.query(""), FAILED)
        self.assert_fails(self.query("SELECT 1; SELECT 2"), FAILED)

    def test_a_violated_constraint_is_a_failure(self):
        self.with_items()
        self.assert_fails(self.query("INSERT INTO items (id) VALUES (1)"), FAILED, "unique")

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [COMMAND, "query", self.url, "SELECT 1"], stdout=full, stderr=subprocess.PIPE, env=clean_environment()
            )
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"No space left on device", done.stderr)
        self.assertEqual(done.stderr.count(b"cannot write"), 1)

    def test_a_reader_that_leaves_ends_the_command_quietly(self):
        for form in ("--csv", "--json"):
            process = subprocess.Popen(
                [COMMAND, "query", form, self.url, self.many_rows],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(),
            )  # fmt: skip
            process.stdout.readline()
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            process.stderr.close()
            self.assertEqual(process.wait(timeout=60), -signal.SIGPIPE)

    def test_csv_and_json_take_little_memory_for_many_rows(self):
        for form in ("--csv", "--json"):
            with open(os.devnull, "wb") as nowhere:
                # AddressSanitizer holds on to what was freed unless it is told not to.
                options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
                environment = clean_environment({"ASAN_OPTIONS": options})
                process = subprocess.Popen([COMMAND, "query", form, self.url, self.many_rows], stdout=nowhere, env=environment)
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, DONE)
            # The rows are 200 MB.
            self.assertLess(usage.ru_maxrss, 100_000)

    def test_a_narrow_terminal_gets_row_by_row(self):
        sql = f"SELECT 1 AS number, '{'long ' * 10}' AS text"
        self.assertIn("number | text", on_terminal(80, "query", self.url, sql))
        self.assertEqual(
            on_terminal(40, "query", self.url, sql),
            f"-- row 1 --\nnumber | 1\ntext   | {'long ' * 10}\n(1 row)\n",
        )


class OnSQLite(Query, SQLite, Story):
    many_rows = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " SELECT i, printf('%.*c', 2000, 'x') AS text FROM n"
    )

    def test_vacuum_runs_outside_a_transaction(self):
        self.with_items()
        self.assert_done(self.query("VACUUM"))

    def test_blobs_are_hexadecimal_and_json_columns_are_json(self):
        self.query("DROP TABLE IF EXISTS notes")
        self.assert_done(self.query("CREATE TABLE notes (raw blob, body json)"))
        self.assert_done(self.query("INSERT INTO notes VALUES (x'00ff', '{\"a\": [1, 2]}'), (x'', 'not json')"))
        self.assertEqual(
            self.assert_done(self.query("--json", "SELECT raw, body FROM notes")).json,
            [{"raw": "\\x00ff", "body": {"a": [1, 2]}}, {"raw": "\\x", "body": "not json"}],
        )

    def test_a_text_that_is_not_utf8_cannot_be_json(self):
        run = self.query("--json", "SELECT 1 AS n, CAST(x'ff41' AS text) AS spoilt, 2 AS m")
        self.assertEqual(run.status, FAILED)
        self.assertIn("column 1 (spoilt) holds a text that is not UTF-8", run.err)
        self.assertRaises(ValueError, lambda: run.json)  # nobody takes the part for the whole

    def test_what_json_has_no_number_for_is_a_string(self):
        run = self.assert_done(self.query("--json", "SELECT 9e999 AS most, -9e999 AS least"))
        self.assertEqual(run.json, [{"most": "Infinity", "least": "-Infinity"}])

    def test_a_lock_held_by_others_is_worth_another_try(self):
        self.with_items()
        holder = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(holder.close)
        holder.execute("BEGIN IMMEDIATE")
        self.assert_fails(Run("query", self.url + "?busy_timeout=50ms", "DELETE FROM items"), TRY_AGAIN)
        holder.execute("ROLLBACK")
        self.assert_done(self.query("DELETE FROM items"))

    def test_a_file_that_is_not_there_and_must_not_be_made(self):
        self.assert_fails(Run("query", f"sqlite:///{self.folder.name}/none.db?mode=ro", "SELECT 1"), NO_CONNECTION)
        self.assertFalse(os.path.exists(f"{self.folder.name}/none.db"))

    def test_a_database_in_memory(self):
        self.assertEqual(self.assert_done(Run("query", "--csv", "sqlite://", "SELECT 1 AS n")).out, "n\n1\n")


@unittest.skipUnless(POSTGRES_URL, "LIDO_TEST_POSTGRES_URL is not set")
class OnPostgreSQL(Query, PostgreSQL, Story):
    many_rows = "SELECT i, repeat('x', 2000) AS text FROM generate_series(1, 100000) AS i"

    def loopback_url(self, password, parameters=""):
        port = os.environ["LIDO_TEST_POSTGRES_PORT"]
        return f"postgresql://lido:{password}@127.0.0.1:{port}/{self.name}{parameters}"

    def test_json_keeps_postgresqls_types(self):
        sql = """SELECT true AS yes, 1.50::numeric AS short, 12345678901234567.25::numeric AS long, 'NaN'::numeric AS nan,
            'infinity'::float8 AS endless, '{"a": [1, 2]}'::jsonb AS body, '\\x00ff'::bytea AS raw,
            '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid AS id, '2026-01-02 03:04:05+01'::timestamptz AS moment"""
        run = self.assert_done(self.query("--json", sql))
        self.assertEqual(
            run.json,
            [
                {
                    "yes": True,
                    "short": 1.5,
                    "long": "12345678901234567.25",
                    "nan": "NaN",
                    "endless": "Infinity",
                    "body": {"a": [1, 2]},
                    "raw": "\\x00ff",
                    "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
                    "moment": "2026-01-02 02:04:05.000000",
                }
            ],
        )
        self.assertIn('"short":1.50,', run.out)

    def test_parameters_become_the_type_that_is_expected(self):
        run = self.assert_done(
            self.query("--csv", "SELECT ?::int + 1 AS n, ?::bool AS b, ?::date AS d", "41", "yes", "2026-01-02")
        )
        self.assertEqual(run.out, "n,b,d\n42,true,2026-01-02\n")

    def test_a_statement_that_fails_half_way_leaves_its_json_open(self):
        run = self.query("--json", "SELECT 1 / (1000 - i) AS n FROM generate_series(1, 2000) AS i")
        self.assertEqual(run.status, FAILED)
        self.assertIn("division by zero", run.err)
        with self.assertRaises(ValueError):
            json.loads(run.out)

    def test_a_deadline_is_worth_another_try(self):
        separator = "&" if "?" in self.url else "?"
        started = time.monotonic()
        self.assert_fails(Run("query", f"{self.url}{separator}statement_timeout=200ms", "SELECT pg_sleep(30)"), TRY_AGAIN)
        self.assertLess(time.monotonic() - started, 20)

    def test_a_connection_that_is_lost(self):
        self.assert_fails(self.query("SELECT pg_terminate_backend(pg_backend_pid())"), NO_CONNECTION)

    def test_a_database_that_is_not_there(self):
        url = self.url.replace(self.name, "not_there")
        self.assert_fails(Run("query", url, "SELECT 1"), CONFIGURATION, "not_there")

    def test_a_refused_log_in_does_not_print_the_password(self):
        run = Run("query", self.loopback_url("wr0ng-secret"), "SELECT 1")
        self.assert_fails(run, NO_CONNECTION)
        self.assertNotIn("wr0ng-secret", run.err)

    def test_check_shows_the_server_but_no_password(self):
        password = os.environ["LIDO_TEST_POSTGRES_PASSWORD"]
        run = self.assert_done(Run("check", self.loopback_url(password.replace(" ", "%20"))))
        self.assertRegex(run.out, r"(?m)^server +postgresql 1\d")
        self.assertRegex(run.out, r"(?m)^TLS +(off|TLSv1\.\d \S+)$")
        self.assertRegex(run.out, r"(?m)^password +\| \*\*\* +\| URL$")
        self.assertNotIn(password, run.out)

    def test_check_warns_of_more_connections_than_the_server_allows(self):
        allowed = self.assert_done(Run("check", "--json", self.url)).json["server"]["connection_limit"]
        self.assertGreater(allowed, 30)
        workers = allowed // 30 + 1

        run = Run("check", "--workers", str(workers), self.url)
        self.assertEqual(run.status, DONE)
        self.assertIn(f"{workers} workers × (pool_size 20 + max_overflow 10) = {workers * 30} connections", run.err)
        self.assertIn(f"the server allows {allowed}. Set pool_size + max_overflow to {allowed // workers} at most", run.err)

        as_json = Run("check", "--json", "--workers", str(workers), self.url).json
        self.assertEqual(as_json["connections"], workers * 30)
        self.assertEqual([f"lido: warning: {warning}\n" for warning in as_json["warnings"]], [run.err])

        self.assert_done(Run("check", "--workers", str(workers - 1), self.url))

    def test_check_warns_of_a_pool_without_limit_and_of_too_many_workers(self):
        run = Run("check", self.url, DATABASE_MAX_OVERFLOW="-1")
        self.assertIn("1 worker with no limit to max_overflow may open any number of connections", run.err)
        run = Run("check", "--workers", "100000", self.url)
        self.assertRegex(run.err, r"Run \d+ workers at most")


class Check(Story):
    """What lido check does, without a server."""

    def test_sqlite_in_words(self):
        run = self.assert_done(Run("check", "sqlite://?pool_size=7", DATABASE_MAX_OVERFLOW="3"))
        self.assertRegex(run.out, r"(?m)^server +sqlite 3\.")
        self.assertRegex(run.out, r"(?m)^TLS +no network$")
        self.assertRegex(run.out, r"(?m)^pool_size +\| 7 +\| URL$")
        self.assertRegex(run.out, r"(?m)^max_overflow +\| 3 +\| environment$")
        self.assertRegex(run.out, r"(?m)^statement_cache +\| 256 +\| default$")

    def test_sqlite_as_json(self):
        found = self.assert_done(Run("check", "--json", "--workers", "2", "sqlite://?pool_size=7&max_overflow=3")).json
        self.assertEqual(found["server"]["backend"], "sqlite")
        self.assertIsNone(found["server"]["connection_limit"])
        self.assertEqual((found["workers"], found["connections"], found["warnings"]), (2, 20, []))
        self.assertIn({"name": "pool_size", "value": "7", "origin": "URL"}, found["settings"])
        self.assertIsNone(found["server"]["wal"])

    def test_how_long_the_log_of_a_file_is_and_who_keeps_it_so(self):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/items.db"
            writer, reader = [sqlite3.connect(f"{folder}/items.db", isolation_level=None) for _ in range(2)]
            writer.executescript("PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; CREATE TABLE items (id)")
            log = self.assert_done(Run("check", "--json", url)).json["server"]["wal"]
            self.assertEqual((log["copied"], log["holder"]), (0, None))
            self.assertEqual(log["bytes"], 32 + log["pages"] * (24 + 4096))

            reader.execute("BEGIN")
            reader.execute("SELECT * FROM items").fetchall()
            for number in range(40):
                writer.execute("INSERT INTO items VALUES (?)", (number,))
            writer.execute("PRAGMA wal_checkpoint")
            self.check_that_it_is_held(url, log["pages"])

            reader.execute("COMMIT")
            writer.execute("PRAGMA wal_checkpoint")
            run = self.assert_done(Run("check", f"{url}?wal_autocheckpoint=5"))
            self.assertRegex(run.out, r"(?m)^WAL +(\d+) pages, \1 of them copied; its file has \d+ KiB$")
            self.assertEqual(run.err, "")
            writer.close()
            reader.close()

    def check_that_it_is_held(self, url, copied):
        log = self.assert_done(Run("check", "--json", url)).json["server"]["wal"]
        self.assertEqual((log["copied"], log["holder"]), (copied, os.getpid()))
        self.assertGreaterEqual(log["pages"], copied + 40)
        run = Run("check", f"{url}?wal_autocheckpoint=5")
        self.assertEqual(run.status, DONE)
        self.assertRegex(run.out, rf"(?m)^held by +process {os.getpid()}, which reads what was there before$")
        rest = log["pages"] - copied
        self.assertIn(f"the write-ahead log has {rest} pages that are not in the database file", run.err)
        self.assertIn(f"Process {os.getpid()} reads what was there before them: end its transaction.", run.err)
        as_json = Run("check", "--json", f"{url}?wal_autocheckpoint=5").json
        self.assertEqual([f"lido: warning: {warning}\n" for warning in as_json["warnings"]], [run.err])

    def test_a_file_without_a_log_has_none(self):
        with tempfile.TemporaryDirectory() as folder:
            found = self.assert_done(Run("check", "--json", f"sqlite:///{folder}/items.db?journal_mode=delete")).json
            self.assertIsNone(found["server"]["wal"])

    def test_the_settings_are_shown_also_without_a_connection(self):
        url = "postgresql://somebody:s3cret@127.0.0.1:1/items"
        for form in ([], ["--json"]):
            run = Run("check", *form, url)
            self.assertEqual(run.status, NO_CONNECTION)
            self.assertIn("127.0.0.1", run.err)
            self.assertIn("pool_size", run.out)
            self.assertNotIn("s3cret", run.out + run.err)
        self.assertIsNone(run.json["server"])

    def test_a_wrong_configuration(self):
        for run in (
            Run("check", "mysql://root:s3cret@127.0.0.1/items"),
            Run("query", "mysql://root:s3cret@127.0.0.1/items", "SELECT 1"),
            Run("check", "postgresql://root:s3cret@127.0.0.1:port/items"),
            Run("check", "sqlite://?pool_size=many"),
            Run("check", "sqlite://", DATABASE_POOL_SIZE="many"),
        ):
            self.assert_fails(run, CONFIGURATION)
            self.assertNotIn("s3cret", run.err)


if __name__ == "__main__":
    main()
