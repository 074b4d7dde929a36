#!/usr/bin/env python3
"""How soon a change comes to the sessions in IDLE: messages by LMTP and by APPEND, and flags.

    tools/bench/idle_push.py [--sessions 1 100] [--rounds 200] [--tls] [--limit-ms N]
    tools/bench/idle_push.py --dovecot [--rounds 20]

Starts a twinpostd of its own (TWINPOSTD, else build/release/tools/twinpostd) in a temporary folder (TMPDIR says on which disk). Another
connection makes one change at a time; measured is the time from its last octet, sent, to the response, received, in every one of
the idling sessions, so the durable commit is in it. Beside it: how long after its own answer, which comes after the commit. With
--limit-ms the exit status is 1 where the median for one session is more. With --dovecot Debian's Dovecot (Maildir, its defaults) does the same
work in the same run, by turns, and the ratio of the medians is printed.
"""

import argparse
import os
import select
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "clients"))

import wire  # noqa: E402
from imap_support import Imap  # noqa: E402
from twinpost_server import Server, message  # noqa: E402

USER = "ann@example.org"
PASSWORD = "secret"
WAIT_SECONDS = 10
PAUSE_SECONDS = 0.005  # so that every change meets sessions at rest


class Idlers:
    """Sessions in IDLE on INBOX, read by one loop."""

    def __init__(self, server, count, context, user=USER):
        self.sessions = []
        for _ in range(count):
            session = Imap(server.imaps if context else server.imap, timeout=WAIT_SECONDS, tls=context).login(user, PASSWORD)
            session.select("INBOX")
            session.idle()
            session.untagged.clear()
            session.endpoint.setblocking(False)
            self.sessions.append(session)
        self.by_descriptor = {session.endpoint.fileno(): session for session in self.sessions}
        self.poll = select.epoll()
        for descriptor in self.by_descriptor:
            self.poll.register(descriptor, select.EPOLLIN)

    def wait_for(self, text, more=None):
        """When each session's line with `text` in it was there. `more` is another connection whose answer is read meanwhile; when
        that came is returned too."""
        times = {}
        answered = None
        if more is not None:
            self.poll.register(more.endpoint.fileno(), select.EPOLLIN)
        deadline = time.perf_counter() + WAIT_SECONDS
        while len(times) < len(self.sessions) or (more is not None and answered is None):
            ready = self.poll.poll(WAIT_SECONDS)
            now = time.perf_counter()
            if now > deadline:
                raise AssertionError(f"{len(self.sessions) - len(times)} sessions were not told of {text!r} within {WAIT_SECONDS} s")
            for descriptor, _ in ready:
                if more is not None and descriptor == more.endpoint.fileno():
                    answered = answered or now
                    self.poll.unregister(descriptor)
                    continue
                session = self.by_descriptor[descriptor]
                try:
                    while True:
                        session.fill()
                except (BlockingIOError, wire.ssl.SSLWantReadError):
                    pass
                while b"\r\n" in session.buffer:
                    if text in session.read_line():
                        times.setdefault(descriptor, now)
        return sorted(times.values()), answered

    def close(self):
        self.poll.close()
        for session in self.sessions:
            session.close()


class ByLmtp:
    name = "a message by LMTP"

    def __init__(self, server, octets):
        self.lmtp = wire.Lmtp(server.lmtp)
        self.octets = wire.dot_stuffed(octets)
        self.count = 0

    def change(self, idlers):
        self.lmtp.envelope("sam@example.net", [USER])
        self.lmtp.command("DATA")
        self.count += 1
        began = time.perf_counter()
        self.lmtp.send(self.octets)
        times, answered = idlers.wait_for(b"%d EXISTS" % self.count, self.lmtp)
        code, text = self.lmtp.reply()
        if code != 250:
            raise AssertionError(f"refused: {code} {text}")
        return began, times, answered


class ByAppend:
    name = "a message by APPEND"

    def __init__(self, server, octets, already, user=USER):
        self.imap = Imap(server.imap).login(user, PASSWORD)
        self.octets = octets
        self.count = already

    def change(self, idlers):
        self.count += 1
        began = time.perf_counter()
        tag = self.imap.begin(["APPEND INBOX ", (self.octets,)])
        times, answered = idlers.wait_for(b"%d EXISTS" % self.count, self.imap)
        self.imap.finish(tag)
        return began, times, answered


class ByStore:
    name = "a flag"

    def __init__(self, server, user=USER):
        self.imap = Imap(server.imap).login(user, PASSWORD)
        self.imap.select("INBOX")
        self.is_set = False

    def change(self, idlers):
        self.is_set = not self.is_set
        began = time.perf_counter()
        tag = self.imap.begin(rf"STORE 1 {'+' if self.is_set else '-'}FLAGS.SILENT (\Flagged)")
        times, answered = idlers.wait_for(b"* 1 FETCH", self.imap)
        self.imap.finish(tag)
        return began, times, answered


def at(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def measure(idlers, kind, rounds):
    """Prints one line; returns the median until the last session knew, in ms."""
    first, last, after = [], [], []
    for _ in range(rounds):
        began, times, answered = kind.change(idlers)
        first.append(times[0] - began)
        last.append(times[-1] - began)
        after.append(times[-1] - answered)
        time.sleep(PAUSE_SECONDS)
    count = len(idlers.sessions)
    sessions = "1 session in IDLE" if count == 1 else f"{count} sessions in IDLE, the last of them told"
    print(f"{kind.name}, {sessions}: median {at(last, 0.5):.2f} ms, 99 % {at(last, 0.99):.2f} ms"
          + (f" (the first: median {at(first, 0.5):.2f} ms)" if count > 1 else "")
          + f"; after the change's own answer: median {at(after, 0.5):+.2f} ms", flush=True)
    return at(last, 0.5)


def compare_with_dovecot(rounds, octets):
    from dovecot_server import Dovecot

    with Server({USER: PASSWORD}, {"log": {"level": "warning"}}) as ours, Dovecot([octets]) as theirs:
        theirs.imap = ("127.0.0.1", theirs.port)
        Imap(ours.imap).login(USER, PASSWORD).append("INBOX", octets)
        servers = [(ours, USER, "Twinpost"), (theirs, theirs.USER, f"Dovecot {theirs.version()}")]
        watching = [Idlers(server, 1, None, user) for server, user, _ in servers]
        for make in (lambda server, user: ByAppend(server, octets, 1, user), ByStore):
            kinds = [make(server, user) for server, user, _ in servers]
            taken = [[] for _ in servers]
            for _ in range(rounds):
                for kind, idlers, times in zip(kinds, watching, taken):
                    began, told, _ = kind.change(idlers)
                    times.append(told[-1] - began)
                    time.sleep(PAUSE_SECONDS)
            medians = [at(times, 0.5) for times in taken]
            for (_, _, name), median in zip(servers, medians):
                print(f"{kinds[0].name}, {name}: median {median:.2f} ms")
            print(f"{kinds[0].name}: {medians[1] / medians[0]:.0f} times as fast", flush=True)
        for idlers in watching:
            idlers.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--limit-ms", type=float)
    parser.add_argument("--dovecot", action="store_true")
    options = parser.parse_args()
    octets = message("Push", "A small message.\r\n" * 100)
    if options.dovecot:
        compare_with_dovecot(min(options.rounds, 20), octets)
        return
    too_slow = []
    for count in options.sessions:
        with Server({USER: PASSWORD}, {"log": {"level": "warning"}, "limits": {"connections_per_account": count + 10}}) as server:
            idlers = Idlers(server, count, wire.trusting_context(server.certificate) if options.tls else None)
            lmtp = ByLmtp(server, octets)
            for kind in (lmtp, None, ByStore):
                kind = ByAppend(server, octets, lmtp.count) if kind is None else kind(server) if kind is ByStore else kind
                median = measure(idlers, kind, options.rounds)
                if count == 1 and options.limit_ms is not None and median > options.limit_ms:
                    too_slow.append(f"{kind.name}: {median:.2f} ms")
            idlers.close()
    if too_slow and not os.environ.get("TWINPOST_SANITIZE"):
        sys.exit(f"more than {options.limit_ms:g} ms at the median: {', '.join(too_slow)}")


if __name__ == "__main__":
    main()
