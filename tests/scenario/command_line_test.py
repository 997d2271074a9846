#!/usr/bin/env python3
"""Stories about what all commands of lido share, told by running them. See support/command.py."""

import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from command import (  # noqa: E402
    CLI,
    USAGE,
    Run,
    Story,
    main,
)


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


if __name__ == "__main__":
    main()
