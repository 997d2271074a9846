#!/usr/bin/env python3
"""Stories about the lido command, told by running it.

LIDO_COMMAND           the program
LIDO_MODELS            a shared library of models: tests/support/shop_models.c
LIDO_TEST_POSTGRES_URL where a PostgreSQL server is; without it, only SQLite's stories are told
"""

import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time
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


class Schema:
    """What lido schema does, on either database."""

    url = None  # of a database of the class's own

    def schema(self, *options, **environment):
        return Run("schema", "--models", MODELS, *options, **{"DATABASE_URL": self.url, **environment})

    def setUp(self):
        self.assert_done(self.schema("--drop", "--yes"))

    def test_tables_are_made_compared_and_dropped(self):
        self.assertEqual(self.assert_done(self.schema("--create")).out, "the tables of 2 models are there\n")
        self.assertEqual(self.assert_done(self.schema("--create")).out, "the tables of 2 models are there\n")
        self.assertEqual(self.assert_done(self.schema("--check")).out, "no differences\n")
        self.assertEqual(self.assert_done(self.schema("--drop", "--yes")).out, "the tables of 2 models are dropped\n")

    def test_differences_are_a_line_each_and_a_failure(self):
        run = self.schema("--check")
        self.assertEqual((run.status, run.err), (FAILED, ""))
        self.assertEqual(run.lines, ["table items is missing", "table owners is missing"])
        self.assert_done(Run("query", self.url, "CREATE TABLE items (id integer, \"a\x1bb\" integer)"))
        self.assertIn("table items: column a\\u001bb is not in the model", self.schema("--check").lines)
        self.assert_done(Run("query", self.url, "DROP TABLE items"))

    def test_what_is_printed_is_what_is_made(self):
        for statement in self.assert_done(self.schema()).out.split(";\n"):
            if statement.strip():
                self.assert_done(Run("query", self.url, statement))
        self.assertEqual(self.assert_done(self.schema("--check")).out, "no differences\n")

    def test_dropping_asks_a_person(self):
        self.assert_done(self.schema("--create"))
        drop = ("schema", "--models", MODELS, "--drop")
        for answer in ("n\n", "\n", "yesterday\n", "\x04"):
            status, seen = ask_on_terminal(80, *drop, self.url, types=answer)
            self.assertEqual(status, FAILED)
            self.assertIn("Drop the tables of 2 models, with all their rows, from ", seen)
            self.assertIn("nothing was dropped", seen)
        self.assertEqual(self.assert_done(self.schema("--check")).out, "no differences\n")
        for answer in ("y\n", "YES\n"):
            status, seen = ask_on_terminal(80, *drop, self.url, types=answer)
            self.assertEqual(status, DONE)
            self.assertIn("? [y/N]", seen)
            self.assertIn("the tables of 2 models are dropped", seen)
            self.assertNotIn("no differences", self.schema("--check").out)
        status, seen = ask_on_terminal(80, *drop, "--yes", self.url)
        self.assertEqual((status, seen), (DONE, "the tables of 2 models are dropped\n"))

    def test_dropping_without_a_terminal_needs_a_word(self):
        self.assert_done(self.schema("--create"))
        self.assert_fails(self.schema("--drop"), USAGE, "there is no terminal to ask on: add --yes")
        self.assert_fails(self.schema("--create", "--yes"), USAGE, "--yes is for --drop")
        self.assertEqual(self.assert_done(self.schema("--check")).out, "no differences\n")

    def test_tables_that_others_refer_to_are_not_dropped(self):
        self.assert_done(self.schema("--create"))
        self.assert_done(Run("query", self.url, "CREATE TABLE carts (item_id uuid REFERENCES items (id))"))
        run = self.schema("--drop", "--yes")
        self.assertEqual(self.assert_done(self.schema("--check")).out, "no differences\n")
        self.assert_done(Run("query", self.url, "DROP TABLE carts"))
        self.assert_fails(run, FAILED, "cannot drop table items because table carts refers to it")


class Seed:
    """What lido seed does on either database."""

    def seed(self, files, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as file:
                    file.write(text)
            return Run("seed", *arguments, self.url, folder)

    def with_users(self):
        for table in ("visits", "users"):
            Run("query", self.url, f"DROP TABLE IF EXISTS {table}")
        self.assert_done(
            Run("query", self.url, "CREATE TABLE users (id integer PRIMARY KEY, name text UNIQUE NOT NULL, age integer)")
        )
        self.assert_done(
            Run("query", self.url, "CREATE TABLE visits (id integer PRIMARY KEY, user_id integer REFERENCES users)")
        )

    def test_seeds_go_in_once(self):
        self.with_users()
        files = {"visits.csv": "id,user_id.name\n1,ada\n", "users.json": '[{"id": 7, "name": "ada"}]'}
        self.assertEqual(self.assert_done(self.seed(files)).out, "2 inserted, 0 updated, 0 there already\n")
        self.assertEqual(self.assert_done(self.seed(files)).out, "0 inserted, 0 updated, 2 there already\n")
        run = self.assert_done(Run("query", "--csv", self.url, "SELECT * FROM visits"))
        self.assertEqual(run.lines, ["id,user_id", "1,7"])

    def test_update_on_request(self):
        self.with_users()
        self.assert_done(self.seed({"users.csv": "id,name,age\n1,ada,36\n2,bob,\n"}))
        files = {"users.csv": "id,age\n1,37\n2,\n"}
        self.assertEqual(self.assert_done(self.seed(files)).out, "0 inserted, 0 updated, 2 there already\n")
        self.assertEqual(self.assert_done(self.seed(files, "--update")).out, "0 inserted, 1 updated, 1 there already\n")

    def test_what_is_wrong_is_named_and_nothing_goes_in(self):
        self.with_users()
        self.assert_fails(
            self.seed({"users.csv": "id,name,age\n1,ada,36\n2,bob,old\n"}),
            FAILED,
            "users.csv, line 3 (row 2), column age: ",
            "rolled back",
        )
        self.assert_fails(self.seed({"visits.csv": "id,user_id.name\n1,ada\n"}), FAILED, "column user_id.name", "ada")
        self.assert_fails(self.seed({"nothing.csv": "id\n"}), FAILED, "there is no table nothing")
        self.assert_fails(self.seed({}), CONFIGURATION, "has no seeds")
        self.assertEqual(Run("query", "--csv", self.url, "SELECT count(*) AS n FROM users").lines, ["n", "0"])

    def test_the_folder_alone_with_the_database_in_the_environment(self):
        self.with_users()
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "users.csv"), "w", encoding="utf-8") as file:
                file.write("id,name\n1,ada\n")
            run = self.assert_done(Run("seed", folder, DATABASE_URL=self.url))
        self.assertEqual(run.out, "1 inserted, 0 updated, 0 there already\n")

    def test_a_bar_shows_how_far_a_long_load_is(self):
        self.with_users()
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "users.csv"), "w", encoding="utf-8") as file:
                file.write("id,name\n")
                file.writelines(f"{i},user {i}\n" for i in range(1_000_000))
            for columns in (80, 40, 24):
                Run("query", self.url, "DELETE FROM users")
                seen = on_terminal(columns, "seed", self.url, folder)
                self.assertRegex(seen, r"\r\x1b\[K.* \d+ %")
                *bars, _end = re.findall(r"\r\x1b\[K([^\r\n]*)", seen)
                self.assertGreater(len(bars), 2)
                for bar in bars:
                    self.assertLess(len(bar), columns)
                self.assertEqual(any("users.csv" in bar and "#" in bar and "rows" in bar for bar in bars), columns == 80)
                # When it is done the bar is gone, and the line is what any reader gets.
                self.assertTrue(seen.endswith("\r\x1b[K1000000 inserted, 0 updated, 0 there already\n"), seen[-200:])


class OnSQLite(Query, Schema, Seed, Story):
    many_rows = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " SELECT i, printf('%.*c', 2000, 'x') AS text FROM n"
    )

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "items.db")
        cls.url = "sqlite:///" + cls.path

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

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
class OnPostgreSQL(Query, Schema, Seed, Story):
    many_rows = "SELECT i, repeat('x', 2000) AS text FROM generate_series(1, 100000) AS i"

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


class Models(Story):
    """Where lido schema has its models from, and what it needs no database for."""

    def test_the_sql_is_for_the_database_that_is_meant_and_nobody_is_asked(self):
        nowhere = "postgresql://somebody@127.0.0.1:1/items"
        postgres = self.assert_done(Run("schema", "--models", MODELS, nowhere)).out
        self.assertIn("name ~ '^[a-z]'", postgres)
        self.assertIn("GENERATED BY DEFAULT AS IDENTITY", postgres)
        self.assertLess(postgres.index('CREATE TABLE "owners"'), postgres.index('CREATE TABLE "items"'))
        sqlite = self.assert_done(Run("schema", "--models", MODELS, "sqlite:////nowhere/items.db")).out
        self.assertIn("name REGEXP '^[a-z]'", sqlite)
        self.assert_fails(Run("schema", "--models", MODELS, "--check", nowhere), NO_CONNECTION, "127.0.0.1")

    def test_a_file_in_this_folder_needs_no_slash(self):
        done = subprocess.run(
            [COMMAND, "schema", "--models", os.path.basename(MODELS), "sqlite://"],
            cwd=os.path.dirname(MODELS),
            env=clean_environment(),
            capture_output=True,
        )
        self.assertEqual((done.returncode, done.stderr), (DONE, b""))

    def test_files_that_have_no_models(self):
        with tempfile.NamedTemporaryFile(suffix=".so") as file:
            self.assert_fails(Run("schema", "--models", file.name, "sqlite://"), FAILED, "cannot be loaded", file.name)
        self.assert_fails(Run("schema", "--models", "/nowhere/models.so", "sqlite://"), FAILED, "cannot be loaded")
        library = subprocess.run(["ldd", COMMAND], stdout=subprocess.PIPE, check=True, text=True).stdout
        libc = re.search(r"libc\.so\.6 => (\S+)", library).group(1)
        self.assert_fails(Run("schema", "--models", libc, "sqlite://"), FAILED, "has no models", "LIDO_MODELS")

    def test_a_wrong_configuration_is_one(self):
        self.assert_fails(Run("schema", "--models", MODELS, "mysql://root:s3cret@127.0.0.1/items"), CONFIGURATION)


class CommandLine(Story):
    def test_alone_it_says_what_there_is(self):
        self.assert_fails(Run(), USAGE, "Usage: lido", "check", "query", "seed", "Exit status")

    def test_help_and_version_go_to_standard_output(self):
        self.assertIn("Usage: lido", self.assert_done(Run("--help")).out)
        self.assertIn("--workers", self.assert_done(Run("check", "--help")).out)
        self.assertIn("--read-only", self.assert_done(Run("query", "-h")).out)
        self.assertRegex(self.assert_done(Run("--version")).out, r"^lido \d+\.\d+\.\d+\n$")

    def test_help_fits_a_terminal(self):
        for command in ([], ["bench"], ["check"], ["query"], ["schema"], ["seed"]):
            for line in Run(*command, "--help").lines:
                self.assertLessEqual(len(line), 80)

    def test_a_wrong_command_line_points_to_the_help(self):
        for arguments, help_of in (
            (["chekc"], "lido"),
            (["query"], "lido query"),
            (["query", "sqlite://"], "lido query"),
            (["query", "--xml", "SELECT 1"], "lido query"),
            (["query", "--null"], "lido query"),
            (["seed"], "lido seed"),
            (["seed", "sqlite://"], "lido seed"),
            (["seed", "seeds", "more"], "lido seed"),
            (["seed", "--updaet", "seeds"], "lido seed"),
            (["check", "--workers", "none"], "lido check"),
            (["check", "--workers", "0"], "lido check"),
            (["check", "--workers", "3 or 4"], "lido check"),
            (["check", "sqlite://", "sqlite://"], "lido check"),
            (["schema"], "lido schema"),
            (["schema", "--models"], "lido schema"),
            (["schema", "--models", "a.so", "--create", "--drop"], "lido schema"),
            (["schema", "--models", "a.so", "sqlite://", "sqlite://"], "lido schema"),
            (["schema", "--models", "a.so", "--update"], "lido schema"),
        ):
            self.assert_fails(Run(*arguments), USAGE, f"Try '{help_of} --help'.")

    def test_manual_and_completions_know_every_option(self):
        for command in ("bench", "check", "query", "schema", "seed", "top"):
            options = set(re.findall(r"--([a-z-]+)", Run(command, "--help").out))
            self.assertTrue(options)
            for name, form in (
                ("lido.1", "-{}\\b"),
                ("completion.bash", "--{}\\b"),
                ("completion.zsh", "--{}\\["),
                ("completion.fish", "-l {}\\b"),
            ):
                with open(os.path.join(CLI, name), encoding="utf-8") as file:
                    text = file.read()
                for option in options:
                    self.assertRegex(text, form.format(option), f"{name} does not know --{option} of lido {command}")

    def test_bash_completes(self):
        def completed(*words):
            script = f"""source {CLI}/completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lido
                echo "${{COMPREPLY[*]}}" """
            done = subprocess.run(["bash", "-c", script, "bash", *words], stdout=subprocess.PIPE, check=True)
            return done.stdout.decode().split()

        self.assertEqual(completed("lido", "ch"), ["check"])
        self.assertEqual(completed("lido", "check", "--w"), ["--workers"])
        self.assertEqual(completed("lido", "query", "--c"), ["--csv"])
        self.assertEqual(completed("lido", "query", "SEL"), [])
        self.assertEqual(completed("lido", "schema", "--c"), ["--check", "--create"])
        self.assertEqual(completed("lido", "query", "--null", "--"), [])


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


if __name__ == "__main__":
    main()
