"""Reads a Markdown page into its blocks and links. For check-documents, which says what the notes mean."""

import os
import re

NOTE_KEYS = ("sql", "with", "file", "on", "fails", "env", "figures", "not run")

FENCE = re.compile(r"^ {0,3}```(.*)$")
COMMENT = re.compile(r"^<!--\s*([^:]+):\s*(.*?)\s*-->$", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Fault(Exception):
    """What is wrong in a page, beginning with where."""


class Block:
    def __init__(self, page, line, language, text, notes):
        self.page = page
        self.line = line  # of the block's first line, the fence's next
        self.language = language
        self.text = text
        self.notes = notes

    def fault(self, text):
        return Fault(f"{self.page.name}:{self.line}: {text}")


class Page:
    """`blocks` in their order; `links` and `headings` as they are written."""

    def __init__(self, root, name):
        self.name = name
        self.path = os.path.join(root, name)
        self.folder = os.path.dirname(self.path)
        with open(self.path, encoding="utf-8") as file:
            self.text = file.read()
        self.lines = self.text.split("\n")
        self.blocks = []
        self.links = []  # of (line, target)
        self.headings = []
        self.notes = {}  # those that wait for their block
        self.read()

    def fault(self, line, text):
        return Fault(f"{self.name}:{line}: {text}")

    def read(self):
        at = 0
        while at < len(self.lines):
            line = self.lines[at]
            fence = FENCE.match(line)
            if fence:
                at = self.read_block(at, fence.group(1).strip())
            elif line.startswith("<!--"):
                at = self.read_comment(at)
            else:
                at = self.read_prose(at)
        if self.notes:
            raise self.fault(len(self.lines), "a comment with a note, but no block follows it")

    def read_block(self, at, language):
        end = at + 1
        while end < len(self.lines) and self.lines[end].strip() != "```":
            end += 1
        if end == len(self.lines):
            raise self.fault(at + 1, "a block that does not end")
        text = "".join(line + "\n" for line in self.lines[at + 1 : end])
        self.blocks.append(Block(self, at + 2, language, text, self.notes))
        self.notes = {}
        return end + 1

    def read_comment(self, at):
        end = at
        while end < len(self.lines) and not self.lines[end].rstrip().endswith("-->"):
            end += 1
        match = COMMENT.match("\n".join(self.lines[at : end + 1]).rstrip())
        if not match or match.group(1) not in NOTE_KEYS:
            raise self.fault(at + 1, "not a note; those are: " + ", ".join(NOTE_KEYS))
        self.notes[match.group(1)] = match.group(2)
        return end + 1

    def read_prose(self, at):
        line = self.lines[at]
        if line.startswith(("    ", "\t")) and (at == 0 or not self.lines[at - 1].strip()):
            raise self.fault(at + 1, "a block made by indenting, which is not checked: put it into a fence")
        if line.startswith("#"):
            self.headings.append(line.lstrip("#").strip())
        self.links += [(at + 1, target) for target in LINK.findall(line)]
        return at + 1

    def anchors(self):
        """The headings as links call them."""
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in self.headings}
