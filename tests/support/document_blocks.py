"""Runs a page's blocks, one after the other. For check-documents, which says what there is and what the notes mean."""

import os
import re

from document_page import Fault
from document_tools import is_printed, run, write

# A fragment need not use all that it shows or is given, and may call its own by the same name.
FRAGMENT_WARNINGS = "-Wno-unused-variable -Wno-unused-but-set-variable -Wno-unused-function -Wno-shadow".split()
NOTES = {
    "c": {"with", "file", "on", "fails"},
    "output": {"on", "figures"},
    "console": {"on", "env", "figures"},
    "sh": {"on", "env"},
    "meson": set(),
    "text": {"not run"},
}
MARK = "---- next command ----"

FRAGMENT = """
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lido.h>

{definitions}
static void fragment(lido_engine *engine, lido_session *db) {{
    (void)engine;
    (void)db;
    {declarations}
    {{
#line {line} "{page}"
{text}
    }}
}}

int main(void) {{
    lido_error outcome = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(NULL, NULL, &outcome);
    if (engine != NULL)
        {call}
    if (outcome.category != LIDO_ERROR_NONE)
        fprintf(stderr, "%s\\n", lido_category_name(outcome.category));
    lido_engine_close(engine);
}}
"""

# How a fragment is called: one that uses a session and opens none is given one in a transaction.
WITH_SESSION = "lido_transaction (db, engine, &outcome) fragment(engine, db);"
WITHOUT_SESSION = "fragment(engine, NULL);"


class Checked:
    """One page being checked, block after block."""

    def __init__(self, workshop, page):
        self.workshop = workshop
        self.page = page
        self.sql = ""
        self.definitions = ""
        self.program = None  # (name, text) of the last one
        self.checks = {
            "c": self.check_c,
            "console": self.check_console,
            "sh": self.check_sh,
            "meson": self.check_meson,
            "text": self.check_text,
        }

    def faults(self):
        blocks = list(self.page.blocks)
        while blocks:
            block = blocks.pop(0)
            outputs = []
            while blocks and blocks[0].language == "output":
                outputs.append(blocks.pop(0))
            try:
                self.check(block, outputs)
            except Fault as fault:
                said = str(fault)
                yield said if said.startswith(f"{self.page.name}:") else str(block.fault(said))

    def check(self, block, outputs):
        if block.language not in self.checks:
            raise Fault(f"a block of no kind that is checked: {block.language or 'give it one'}")
        if outputs and block.language not in ("c", "sh"):
            raise outputs[0].fault("the block before it prints nothing that is looked at")
        self.sql = block.notes.pop("sql", self.sql)
        for each in (block, *outputs):
            for key in each.notes:
                if key not in NOTES[each.language]:
                    raise each.fault(f'"{key}" is no note for a block of {each.language}')
        self.checks[block.language](block, outputs)

    def databases(self, block):
        only = block.notes.get("on")
        if only not in (None, "sqlite", "postgres"):
            raise Fault("on: sqlite or postgres")
        return [each for each in self.workshop.databases if only in (None, each.name)]

    @staticmethod
    def check_text(block, _outputs):
        if not block.notes.get("not run"):
            raise Fault("a text block needs a note that says why it is not run")

    # ---- C ----

    def check_c(self, block, outputs):
        if re.search(r"\bint main\(", block.text):
            self.check_program(block, outputs)
        elif re.match(r"(static|typedef|struct|#)\b", block.text):
            self.definitions += f'#line {block.line} "{self.page.name}"\n{block.text}\n'
            self.compile(block, self.fragment(block, "", WITHOUT_SESSION), FRAGMENT_WARNINGS)
        else:
            self.check_fragment(block, outputs)

    def check_program(self, block, outputs):
        name = block.notes.get("file", "program.c")
        self.program = (name, block.text)
        # By its plain name, which its errors tell.
        program = self.compile(block, f'#line 1 "{name}"\n{block.text}')
        for database in self.databases(block):
            self.run_program(program, database, outputs, "")

    def check_fragment(self, block, outputs):
        needs_session = re.search(r"\bdb\b", block.text) and not re.search(r"\(db, engine|\*db =", block.text)
        source = self.fragment(block, block.text, WITH_SESSION if needs_session else WITHOUT_SESSION)
        program = self.compile(block, source, FRAGMENT_WARNINGS)
        for database in self.databases(block):
            self.run_program(program, database, outputs, block.notes.get("fails", ""))

    def fragment(self, block, text, call):
        values = {"line": block.line, "page": self.page.name, "text": text, "call": call}
        return FRAGMENT.format(definitions=self.definitions, declarations=block.notes.get("with", ""), **values)

    def compile(self, block, text, warnings=()):
        path = os.path.join(self.workshop.new_folder(), block.notes.get("file", "program.c"))
        return self.workshop.compile(write(path, text), warnings)

    def run_program(self, program, database, outputs, fails):
        folder, environment = self.workshop.prepared(database, self.sql)
        status, printed, complaint = run([program], folder, environment)
        if status != 0 or complaint.strip() != fails:
            raise Fault(f"on {database.name}: exit status {status}\n{complaint or 'it did not fail'}")
        if printed and not outputs:
            raise Fault(f"on {database.name} it prints, and no output block says so:\n{printed}")
        self.compare(outputs, database, printed)

    @staticmethod
    def compare(outputs, database, printed):
        for output in outputs:
            vary = output.notes.get("figures") == "vary"
            here = output.notes.get("on", database.name) == database.name
            if here and not is_printed(output.text, printed, vary):
                raise output.fault(f"on {database.name} it prints:\n{printed}")

    # ---- Commands ----

    def surroundings(self, block):
        """For each run of commands: a folder, an environment, and the database. A page without sql names its own."""
        databases = self.databases(block)
        for database in databases if self.sql or "on" in block.notes else databases[:1]:
            folder, environment = self.workshop.prepared_for_commands(database, self.sql, self.program)
            if not self.sql:
                del environment["DATABASE_URL"]
            name, _, value = block.notes.get("env", "").partition("=")
            environment.update({name: value} if name else {})
            yield folder, environment, database

    @staticmethod
    def run_script(surroundings, script):
        folder, environment, database = surroundings
        status, printed, _ = run(["/bin/sh", "-e", "-c", "exec 2>&1\n" + script], folder, environment)
        if status != 0:
            raise Fault(f"on {database.name}: exit status {status}\n{printed}")
        return printed

    def check_sh(self, block, outputs):
        # Variables that name a database must make an engine, though nothing may listen there.
        opens = '\n[ -z "$DATABASE_URL$DATABASE_TYPE" ] || lido-opens </dev/null'
        for surroundings in self.surroundings(block):
            self.compare(outputs, surroundings[2], self.run_script(surroundings, block.text + opens))

    def check_console(self, block, _outputs):
        parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        if parts[0] or len(parts) < 2:
            raise Fault('a console block begins with "$ " and a command')
        commands, expected = zip(*(part.split("\n", 1) for part in parts[1:]))
        script = f"\necho; echo '{MARK}'\n".join(commands)
        for surroundings in self.surroundings(block):
            printed = self.run_script(surroundings, script).split(f"\n{MARK}\n")
            for command, wanted, got in zip(commands, expected, printed):
                if not is_printed(wanted, got, block.notes.get("figures") == "vary"):
                    raise Fault(f"on {surroundings[2].name}: $ {command}\n{got}")

    def check_meson(self, block, _outputs):
        surroundings = next(self.surroundings(block))
        write(os.path.join(surroundings[0], "meson.build"), block.text)
        self.run_script(surroundings, "meson setup out && meson compile -C out")
