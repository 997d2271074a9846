#!/usr/bin/env python3
"""Stories about lido schema and lido seed, told by running them. See support/command.py."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from command import (  # noqa: E402
    COMMAND,
    CONFIGURATION,
    DONE,
    FAILED,
    MODELS,
    NO_CONNECTION,
    POSTGRES_URL,
    USAGE,
    PostgreSQL,
    Run,
    SQLite,
    Story,
    ask_on_terminal,
    clean_environment,
    main,
    on_terminal,
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


class OnSQLite(Schema, Seed, SQLite, Story):
    pass


@unittest.skipUnless(POSTGRES_URL, "LIDO_TEST_POSTGRES_URL is not set")
class OnPostgreSQL(Schema, Seed, PostgreSQL, Story):
    pass


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


if __name__ == "__main__":
    main()
