#!/usr/bin/env python3
"""Stories about lido top, told by running it on a service under load, in a terminal (tmux) and without.

LIDO_COMMAND   the program
LIDO_WORKERS   examples/workers.c, which it looks at
"""

import http.server
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from command import COMMAND, DONE, FAILED, NO_CONNECTION, USAGE, Run, Story, clean_environment, main  # noqa: E402

WORKERS = os.path.abspath(os.environ.get("LIDO_WORKERS", "workers"))
PATIENCE = 40  # seconds, for anything to come about on a loaded machine


def wait_for(look, what):
    """What `look` returns as soon as it is something."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come about: {what() if callable(what) else what}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """examples/workers.c, with two workers, on a SQLite file."""

    def __init__(self, folder, address=None, **environment):
        self.port = free_port()
        self.address = address or f"unix:{folder}/metrics"
        self.database = f"{folder}/visits.db"
        self.environment = {
            "DATABASE_URL": f"sqlite:///{self.database}",
            "DATABASE_METRICS_ADDRESS": self.address,
            **environment,
        }
        self.over = threading.Event()
        self.askers = []
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [WORKERS, f"127.0.0.1:{self.port}"], env=clean_environment(self.environment), stderr=subprocess.DEVNULL
        )
        wait_for(self.ask, "the service answers")

    def ask(self):
        """What a visitor is told; None: nothing."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return client.recv(4096)
        except OSError:
            return None

    def ask_on(self):
        while not self.over.is_set():
            if not self.ask():
                time.sleep(0.05)

    def be_busy(self, askers=3):
        self.askers = [threading.Thread(target=self.ask_on) for _ in range(askers)]
        for asker in self.askers:
            asker.start()

    def stop(self):
        self.over.set()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=PATIENCE)
        for asker in self.askers:
            asker.join()


class Terminal:
    """A tmux of the test's own, with one window, in which a shell runs."""

    made = 0

    def __init__(self, folder, columns, rows):
        Terminal.made += 1
        self.socket = os.path.join(folder, f"tmux{Terminal.made}")
        self.environment = clean_environment({"PS1": "ready> ", "TERM": "screen-256color", "LC_ALL": "C.UTF-8"})
        size = ("-x", str(columns), "-y", str(rows))
        self.tmux("-f", "/dev/null", "new-session", "-d", *size, "env", "ENV=", "sh")
        self.expect("ready>")

    def tmux(self, *arguments):
        done = subprocess.run(
            ["tmux", "-S", self.socket, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
        return done.stdout.decode()

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def press(self, key):
        self.tmux("send-keys", key)

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def expect(self, *patterns):
        """The screen, as soon as all of them are on it."""
        seen = [""]

        def look():
            seen[0] = self.screen()
            return all(re.search(pattern, seen[0], re.MULTILINE) for pattern in patterns)

        wait_for(look, lambda: f"{patterns} in\n{seen[0]}")
        return seen[0]

    def close(self):
        self.tmux("kill-server")


class Top(Story):
    def setUp(self):
        # A unix socket's path has to be short.
        folder = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def service(self, *arguments, **environment):
        service = Service(self.folder, *arguments, **environment)
        self.addCleanup(service.stop)
        return service

    def terminal(self, columns=110, rows=32):
        terminal = Terminal(self.folder, columns, rows)
        self.addCleanup(terminal.close)
        return terminal


class Once(Top):
    def test_plain_text_where_there_is_no_terminal(self):
        service = self.service()
        service.be_busy()
        run = self.assert_done(Run("top", service.address))
        self.assertNotIn("\033", run.out)
        self.assertRegex(run.lines[0], rf"^workers  process {service.process.pid}  unix:\S+  lido \d")
        self.assertRegex(run.lines[1], r"^\d+ in use  \d+ waiting  \d\S* statements/s  \d\S* committed/s  0 failed/s")
        self.assertRegex(run.out, r"(?m)^     0 +\d+  ready +\d+(\.\d)? \S+ +0 +0$")
        self.assertRegex(run.out, r"(?m)^     1 +\d+  ready ")
        self.assertRegex(run.out, r"(?m)^default +0( +\d+){4}( +[\d.]+){4}$")
        self.assertRegex(run.out, r"(?m)^HOW LONG, SINCE THE START +COUNT +P50")
        self.assertRegex(run.out, r"(?m)^write +\d+( +[\d.]+ (ns|µs|ms|s)){4}$")
        self.assertRegex(run.out, r"(?m)^ +TIME +COUNT +FAILED +MEAN +P99  SLOWEST STATEMENTS$")
        self.assertRegex(run.lines[-1], r"^The rates are those of the last \d+\.\d s\.$")

    def test_json_for_programs(self):
        service = self.service()
        service.be_busy()
        state = self.assert_done(Run("top", "--json", "--interval", "2", service.address)).json
        self.assertEqual(state["process"], service.process.pid)
        self.assertGreaterEqual(state["seconds"], 2)
        self.assertGreater(state["per_second"]["writes"], 0)
        self.assertEqual([worker["number"] for worker in state["workers"]], [0, 1])
        self.assertEqual({worker["state"] for worker in state["workers"]}, {"ready"})
        self.assertEqual([(pool["name"], pool["worker"]) for pool in state["pools"]], [("default", 0), ("default", 1)])
        writes = sum(pool["per_second"]["writes"] for pool in state["pools"])
        self.assertAlmostEqual(writes, state["per_second"]["writes"], delta=1)
        write = state["durations_ms"]["write"]
        self.assertLessEqual(write["p50"], write["p99"])
        self.assertLessEqual(write["p99"], write["longest"])
        self.assertGreaterEqual(state["durations_since_start_ms"]["write"]["count"], write["count"])
        self.assertIsNone(state["durations_ms"]["read"])
        update = state["statements"][0]
        self.assertEqual(update["text"], "UPDATE visits SET count = count + ? WHERE id = ? RETURNING count")
        self.assertEqual((update["kind"], update["failed"], update["pool"]), ("write", 0, "default"))
        self.assertGreater(update["total_ms"], 0)
        self.assertLessEqual(update["p99_since_start_ms"], update["longest_since_start_ms"])

    def test_what_it_tells_is_true(self):
        service = self.service()
        before = Run("top", "--json", "--interval", "0.2", service.address).json
        for _ in range(30):
            service.ask()
        after = Run("top", "--json", "--interval", "0.2", service.address).json

        def committed(state):
            return sum(pool["counts"]["committed"] for pool in state["pools"])

        self.assertEqual(committed(after) - committed(before), 30)

    def test_over_a_port_and_by_the_environment(self):
        service = self.service(f"127.0.0.1:{free_port()}")
        for address in (service.address, f"http://{service.address}"):
            self.assert_done(Run("top", "--once", "--interval", "0.2", address))
        run = Run("top", "--interval", "0.2", DATABASE_METRICS_ADDRESS=service.address, http_proxy="http://127.0.0.1:1")
        self.assertIn(f"process {service.process.pid}", self.assert_done(run).out)

    def test_metrics_that_are_off(self):
        service = self.service(DATABASE_METRICS="off")
        run = self.assert_done(Run("top", "--interval", "0.2", service.address))
        self.assertRegex(run.out, r"(?m)^     1 +\d+  ready ")
        self.assertNotIn("POOL", run.out)


class Wrong(Top):
    def test_nothing_listens(self):
        address = f"unix:{self.folder}/nothing"
        self.assert_fails(Run("top", address), NO_CONNECTION, address, "No such file", "serve its metrics there?")
        address = f"127.0.0.1:{free_port()}"
        self.assert_fails(Run("top", "--json", address), NO_CONNECTION, address, "Connection refused")

    def answering(self, body, status=200):
        """The address of somebody who answers everything with that."""

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"127.0.0.1:{server.server_address[1]}"

    def test_somebody_else_answers(self):
        for body in (b"", b"hello", b"{", b"[]", b"{}", b'{"lido_state": "1"}', b"\xff\x00{}", b"[" * 100000):
            self.assert_fails(Run("top", self.answering(body)), FAILED, "not an application of lido")
        self.assert_fails(Run("top", self.answering(b"gone", 404)), FAILED, "not an application of lido", "404")

    def test_somebody_who_does_not_speak_http(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()

            def answer():
                client, _ = listener.accept()
                with client:
                    client.recv(1000)
                    client.sendall(b"220 mail.example ESMTP\r\n")

            threading.Thread(target=answer, daemon=True).start()
            self.assert_fails(Run("top", f"127.0.0.1:{listener.getsockname()[1]}"), FAILED, "not an application")

    def test_nobody_answers(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            self.assert_fails(Run("top", address), NO_CONNECTION, "no answer within 4 s")

    def test_another_version(self):
        address = self.answering(json.dumps({"lido_state": 2, "version": "9.0.0"}).encode())
        self.assert_fails(Run("top", address), FAILED, "lido 9.0.0", "version 2")

    def test_a_state_with_nonsense_in_it(self):
        bucket = [[1, 2, 3], [-1, None], 7, [5, -1, 2]]
        state = {
            "lido_state": 1,
            "program": "nonsense \033[31m",
            "now_us": "soon",
            "workers": [{"number": "x"}, 3, {}],
            "pools": [7, {}, {"durations": {"read": {"buckets": bucket}}, "holders": [{}, 5], "counts": []}],
            "statements": [{}, 7, {"text": "SELECT \033[2J", "count": 3, "total_us": "x"}],
        }
        run = self.assert_done(Run("top", "--interval", "0.2", self.answering(json.dumps(state).encode())))
        self.assertNotIn("\033", run.out)

    def test_a_wrong_command_line_points_to_the_help(self):
        for arguments in (
            [],
            ["nowhere"],
            ["unix:"],
            ["127.0.0.1"],
            ["127.0.0.1:"],
            ["127.0.0.1:90/x"],
            ["--interval", "0", "127.0.0.1:1"],
            ["--interval", "soon", "127.0.0.1:1"],
            ["127.0.0.1:1", "127.0.0.1:2"],
            ["--colour", "127.0.0.1:1"],
        ):
            self.assert_fails(Run("top", *arguments), USAGE, "Try 'lido top --help'.")


@unittest.skipUnless(shutil.which("tmux"), "no tmux")
class OnTerminal(Top):
    """What a person sees, and that the terminal is theirs again afterwards."""

    def start(self, service, *options, **size):
        terminal = self.terminal(**size)
        terminal.type("echo before")
        terminal.expect("^before$")
        self.before = terminal.screen()
        self.settings = self.settings_of(terminal)
        terminal.type(" ".join([COMMAND, "top", *options, service.address]))
        terminal.expect(rf"^workers  process {service.process.pid}")
        return terminal

    def settings_of(self, terminal):
        name = terminal.tmux("display-message", "-p", "#{pane_tty}").strip()
        return subprocess.run(["stty", "-a", "-F", name], stdout=subprocess.PIPE).stdout.decode().splitlines()[1:]

    def expect_restored(self, terminal):
        """What was there before is there again, and the cursor with it."""
        terminal.expect(r"^before$", r"^ready> \S*lido top", r"^ready>\s*\Z")
        self.assertEqual(terminal.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").split(), ["0", "1"])
        wait_for(lambda: self.settings_of(terminal) == self.settings, "the terminal's settings are as before")
        terminal.type("echo after")
        terminal.expect(r"^after$")

    def test_the_live_view(self):
        service = self.service()
        service.be_busy()
        terminal = self.start(service)
        screen = terminal.expect(
            r"lido \d+\.\d+\.\d+  \d\d:\d\d:\d\d$",
            r"^\d+ in use  \d+ waiting  [1-9]\d* statements/s",
            r"^WORKER  PROCESS  STATE +AGE  RESTARTS  DEATHS",
            r"^     0 +\d+  ready +\d",
            r"^     1 +\d+  ready +\d",
            r"^POOL +WORKER +IN USE +IDLE +WAITING +MAX +READS/s +WRITES/s +COMMITS/s +FAILED/s",
            r"^default +0  [█░]{10} ",
            r"^default +1  [█░]{10} ",
            r"^HOW LONG, IN THE LAST \d+ s +PER SECOND +P50 +P90 +P99 +LONGEST",
            r"^write +[1-9]\d*( +[\d.]+ (ns|µs|ms|s)){4}$",
            r"^use of a connection +[1-9]",
            r"^ +TIME/s +PER SECOND +FAILED/s +MEAN +P99  SLOWEST STATEMENTS",
            r"^ +[\d.]+ [µmn]?s +[1-9]\d* +0 .* UPDATE visits SET count = count \+ \? WHERE id = \? RETURN",
        )
        self.assertLessEqual(max(len(line) for line in screen.splitlines()), 110)
        first = re.search(r"\d\d:\d\d:\d\d", screen).group()
        wait_for(lambda: first not in terminal.screen(), "it is drawn anew")
        terminal.press("q")
        self.expect_restored(terminal)

    def test_a_killed_worker_and_a_parent_that_goes_away(self):
        service = self.service()
        terminal = self.start(service)
        screen = terminal.expect(r"^     1 +\d+  ready")
        killed = int(re.search(r"(?m)^     1 +(\d+)", screen).group(1))
        os.kill(killed, signal.SIGKILL)
        screen = terminal.expect(r"^     1 +\d+  ready +.* 1 +1$")
        self.assertNotIn(str(killed), screen)
        service.process.terminate()
        service.process.wait(timeout=PATIENCE)
        terminal.expect(r"^No answer for \d+ s, trying again: (No such file|Connection refused)", r"^WORKER")
        service.start()
        screen = terminal.expect(rf"^workers  process {service.process.pid}", r"^     1 +\d+  ready +.* 0 +0$")
        self.assertNotIn("No answer", screen)
        terminal.press("Q")
        self.expect_restored(terminal)

    def test_who_holds_a_connection_and_who_waits(self):
        service = self.service(DATABASE_POOL_SIZE="1", DATABASE_MAX_OVERFLOW="0", DATABASE_BUSY_TIMEOUT="60")
        terminal = self.start(service, "--interval", "0.5", columns=140)
        with sqlite3.connect(service.database, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            service.be_busy(2)
            screen = terminal.expect(
                r"^ +HELD FOR  POOL +WORKER  TAKEN AT +LAST STATEMENT",
                r"^ +[2-9]\.\d s  default +\d  \S*/workers\.c:\d+ +UPDATE visits SET count = count \+ \? WHERE id = \?",
            )
            self.assertRegex(screen, r"(?m)^[1-9] in use ")
            other.execute("ROLLBACK")
        terminal.expect(r"^\d in use .* [1-9]\d* statements/s")
        terminal.press("q")
        self.expect_restored(terminal)

    def test_signals_leave_the_terminal_as_it_was(self):
        service = self.service()
        for sign, key in ((None, "C-c"), (signal.SIGTERM, None), (signal.SIGHUP, None), (None, "C-z")):
            terminal = self.start(service)
            if key:
                terminal.press(key)
            else:
                shell = int(terminal.tmux("display-message", "-p", "#{pane_pid}"))
                children = subprocess.run(["pgrep", "-P", str(shell)], stdout=subprocess.PIPE).stdout.split()
                os.kill(int(children[0]), sign)
            self.expect_restored(terminal)
            if key == "C-z":
                terminal.type("fg")
                terminal.expect(r"^workers  process \d+", r"^WORKER")
                terminal.press("q")
                self.expect_restored(terminal)
            terminal.close()

    def test_any_size(self):
        service = self.service()
        terminal = self.start(service, columns=80, rows=24)
        for columns, rows in ((120, 40), (60, 12), (30, 5), (10, 2), (80, 24)):
            terminal.resize(columns, rows)
            first = "workers  process"[:columns]

            def fits():
                lines = terminal.screen().splitlines()
                whole = "\n".join(lines)
                full = columns < 80 or ("FAILED/s" in whole and "rolled back/s" in whole)
                return lines and lines[0].startswith(first) and full

            wait_for(fits, lambda: f"the view at {columns} columns:\n{terminal.screen()}")
        terminal.press("q")
        self.expect_restored(terminal)

    def test_colours(self):
        service = self.service()
        for variable, coloured in (("", True), ("NO_COLOR=1 ", False)):
            terminal = self.terminal()
            terminal.type(f"{variable}{COMMAND} top {service.address}")
            terminal.expect(r"^WORKER")
            seen = terminal.screen("-e")
            self.assertEqual(re.search(r"\033\[[\d;]*3[0-7]m", seen) is not None, coloured, seen)
            self.assertIn("\033[1m", seen)
            terminal.close()

    def test_what_is_wrong_from_the_start_leaves_the_terminal_alone(self):
        terminal = self.terminal()
        terminal.type(f"{COMMAND} top unix:{self.folder}/nothing; echo status $?")
        terminal.expect(r"^lido: unix:\S+: No such file", rf"^status {NO_CONNECTION}$")

    def test_once_on_a_terminal(self):
        service = self.service()
        terminal = self.terminal()
        terminal.type(f"{COMMAND} top --once --interval 0.2 {service.address}; echo status $?")
        terminal.expect(r"^The rates are those of the last", rf"^status {DONE}$")


if __name__ == "__main__":
    main()
