#!/usr/bin/env python3
"""What an idle, logged-in session costs the daemon in memory: POP3S, or IMAPS with INBOX selected and in IDLE.

    tools/bench/idle_memory.py [--protocol pop3s | imaps] [--sessions 5000] [--limit-kib N]

Starts a twinpostd of its own (TWINPOSTD, else build/release/tools/twinpostd) with one account and one message per session, logs
all sessions in over TLS, and prints the difference of the daemon's PSS (/proc/PID/smaps_rollup) per session. With --limit-kib
the exit status is 1 where it is more.
"""

import argparse
import os
import resource
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "clients"))

import wire  # noqa: E402
from imap_support import Imap  # noqa: E402
from twinpost_server import Server, message  # noqa: E402

PASSWORD = "secret"
THREADS = 4
WARM_UP = 50


def user(i):
    return f"user{i}@example.org"


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    raise RuntimeError("no Pss in smaps_rollup")


class Pop3s:
    name = "logged-in POP3S sessions"

    def __init__(self, server, context, number):
        self.pop3 = wire.Pop3(server.pop3s, timeout=60, tls=context)
        self.pop3.login(user(number), PASSWORD)
        if self.pop3.stat()[0] != 1:
            raise AssertionError(f"{user(number)} does not have its one message")

    def look(self):
        self.pop3.command("NOOP")

    def quit(self):
        self.pop3.quit()

    def close(self):
        self.pop3.close()


class Imaps:
    name = "IMAPS sessions in IDLE"

    def __init__(self, server, context, number):
        self.imap = Imap(server.imaps, timeout=60, tls=context).login(user(number), PASSWORD)
        if self.imap.select("INBOX") != 1:
            raise AssertionError(f"{user(number)} does not have its one message")
        self.imap.untagged.clear()
        self.tag = self.imap.idle()

    def look(self):
        self.imap.done(self.tag)
        self.tag = self.imap.idle()

    def quit(self):
        self.imap.done(self.tag)
        self.imap.logout()

    def close(self):
        self.imap.close()


PROTOCOLS = {"pop3s": Pop3s, "imaps": Imaps}


def open_sessions(server, count, session):
    context = wire.trusting_context(server.certificate)
    sessions = [None] * count
    failures = []

    def work(first):
        try:
            for i in range(first, count, THREADS):
                sessions[i] = session(server, context, i)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sessions


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--protocol", choices=PROTOCOLS, default="pop3s")
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--limit-kib", type=float)
    options = parser.parse_args()
    protocol = PROTOCOLS[options.protocol]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < options.sessions + 200:
        if hard < options.sessions + 200:
            sys.exit(f"{options.sessions} sessions need more open files than the hard limit of {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (options.sessions + 200, hard))

    accounts = {user(i): PASSWORD for i in range(options.sessions)}
    settings = {"limits": {"connections": 0, "connections_per_address": 0, "idle_time_pop3": "60 min", "idle_time_imap": "60 min"}, "log": {"level": "warning"}}
    with Server(accounts, settings) as server:
        lmtp = wire.Lmtp(server.lmtp)
        octets = message("Idle memory", "A small message.\r\n" * 100)
        for first in range(0, options.sessions, 500):
            recipients = [user(i) for i in range(first, min(first + 500, options.sessions))]
            if any(code != 250 for code, _ in lmtp.deliver("sam@example.net", recipients, octets)):
                raise AssertionError("a delivery was refused")
        lmtp.quit()
        # The first sessions pay for what all share: threads, tables of TLS, the allocator's arenas.
        for session in open_sessions(server, min(WARM_UP, options.sessions), protocol):
            session.quit()
        time.sleep(1)
        before = pss_kib(server.process.pid)
        began = time.monotonic()
        sessions = open_sessions(server, options.sessions, protocol)
        took = time.monotonic() - began
        time.sleep(2)
        after = pss_kib(server.process.pid)
        for session in sessions[:: max(1, options.sessions // 100)]:
            session.look()  # they are alive
        for session in sessions:
            session.close()
        each = (after - before) / options.sessions
        print(f"{options.sessions} idle {protocol.name}: PSS {before} KiB before, {after} KiB with them, "
              f"{each:.1f} KiB each ({options.sessions / took:.0f} logins a second)")
        if options.limit_kib is not None and not os.environ.get("TWINPOST_SANITIZE") and each > options.limit_kib:
            sys.exit(f"more than {options.limit_kib:g} KiB each")


if __name__ == "__main__":
    main()
