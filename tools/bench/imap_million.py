#!/usr/bin/env python3
"""What a mailbox of a million messages costs over IMAP.

    tools/bench/imap_million.py [--messages 1000000] [--check]

Fills the INBOX of one account (tools/fill_mailbox of the same build), starts a twinpostd on it (TWINPOSTD, else
build/release/tools/twinpostd) and measures over a plain socket: SELECT with nothing cached and with everything, STATUS, FETCH of
all flags with the daemon's memory meanwhile, APPEND (on disk when it is answered), how soon another session in IDLE hears of it, and
SEARCH. Memory is the daemon's own (RssAnon of /proc/PID/status): pages of the data file that are mapped are the kernel's to
take back. With --check the exit status is 1 where a figure is far out of bounds, for any machine.
"""

import argparse
import os
import re
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "clients"))

import wire  # noqa: E402
from twinpost_server import Server, message, program, run  # noqa: E402

USER = "ann@example.org"
PASSWORD = "secret"
TIMES = 20

# What --check allows: (figure, bound). Wide, so that a loaded machine passes and a scan where none should be does not.
BOUNDS = {
    "SELECT, warm": 0.050,
    "STATUS": 0.010,
    "APPEND": 0.050,
    "IDLE, from APPEND to EXISTS": 0.100,
    "memory, MiB": 64,
}


class Raw(wire.Channel):
    """IMAP without a parser. `run` returns (seconds, octets of the responses)."""

    def __init__(self, server):
        super().__init__(wire.connect(server.imap, 600.0))
        self.tags = 0
        self.read_line()

    def run(self, command, keep=True):
        self.tags += 1
        tag = b"T%d" % self.tags
        began = time.perf_counter()
        self.send(tag + b" " + command + b"\r\n")
        octets = self.until(b"\r\n" + tag + b" ", keep)
        took = time.perf_counter() - began
        status = octets[octets.rindex(b"\r\n" + tag + b" ") + len(tag) + 3 :]
        if not status.startswith(b"OK"):
            raise AssertionError(f"{command[:60]!r}: {status!r}")
        return took, octets

    def until(self, mark, keep):
        """All up to the line that begins with `mark`; without `keep`, only its end, and self.lines counts the rest."""
        got = bytearray(b"\r\n")
        self.lines = 0
        self.octets = 0
        while True:
            piece = self.endpoint.recv(1 << 18)
            if not piece:
                raise wire.Closed("the server closed the connection")
            self.lines += piece.count(b"\n")
            self.octets += len(piece)
            got += piece
            found = got.rfind(mark, 0 if keep else max(0, len(got) - len(piece) - len(mark)))
            if found >= 0 and got.endswith(b"\r\n"):
                return bytes(got)
            if not keep:
                del got[:-1024]

    def login(self):
        self.run(f'LOGIN {USER} "{PASSWORD}"'.encode())
        return self

    def append(self, octets):
        """Seconds from the command to its OK (RFC 7888: the literal does not wait)."""
        return self.run(b"APPEND INBOX {%d+}\r\n%b" % (len(octets), octets))[0]


def memory_kib(pid, field="RssAnon"):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise RuntimeError(f"no {field} in the status of process {pid}")


class Watch:
    """The daemon's memory at its highest while the block runs."""

    def __init__(self, pid):
        self.pid = pid
        self.before = self.most = memory_kib(pid)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.over.wait(0.01):
            self.most = max(self.most, memory_kib(self.pid))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def growth_mib(self):
        return (self.most - self.before) / 1024


def median_of(action, times=TIMES):
    return statistics.median(action() for _ in range(times))


def forget_file(path):
    """Takes a file out of the kernel's cache, as far as it goes without being root."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def fill(server, count):
    beside = os.path.join(os.path.dirname(program("TWINPOSTD", "twinpostd")), "fill_mailbox")
    began = time.perf_counter()
    run([beside, server.data, USER, str(count)], timeout=3600)
    took = time.perf_counter() - began
    forget_file(os.path.join(server.data, "data.mdb"))
    return took


def exists(octets):
    return int(re.search(rb"\* (\d+) EXISTS", octets)[1])


def measure_idle(server, imap, octets):
    """Seconds from sending an APPEND until another session, in IDLE, has read EXISTS."""
    idle = Raw(server).login()
    idle.run(b"SELECT INBOX")
    idle.send(b"I IDLE\r\n")
    idle.read_line()
    took = []
    for _ in range(TIMES):
        arrived = []

        def wait(arrived=arrived):
            while b"EXISTS" not in idle.read_line():
                pass
            arrived.append(time.perf_counter())

        thread = threading.Thread(target=wait)
        thread.start()
        began = time.perf_counter()
        imap.append(octets)
        thread.join(60)
        took.append(arrived[0] - began)
        time.sleep(0.05)
    idle.close()
    return statistics.median(took)


def measure(server, count, figures, notes):
    pid = server.process.pid
    imap = Raw(server).login()
    start = memory_kib(pid)
    took, octets = imap.run(b"SELECT INBOX")
    figures["SELECT, first, nothing cached"] = took
    if exists(octets) != count:
        raise AssertionError(f"{exists(octets)} messages, not {count}")
    figures["SELECT, warm"] = median_of(lambda: imap.run(b"SELECT INBOX")[0])
    other = Raw(server).login()
    figures["SELECT, warm, another session"] = median_of(lambda: other.run(b"SELECT INBOX")[0])
    other.close()
    figures["STATUS"] = median_of(lambda: imap.run(b"STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE)")[0])
    with Watch(pid) as watch:
        took, _ = imap.run(b"UID FETCH 1:* (FLAGS)", keep=False)
    if imap.lines != count + 1:
        raise AssertionError(f"{imap.lines - 1} responses, not {count}")
    figures["UID FETCH 1:* (FLAGS)"] = took
    notes["UID FETCH 1:* (FLAGS)"] = f"{count / took:,.0f} messages/s, {imap.octets / took / 1e6:.0f} MB/s"
    figures["memory, MiB"] = watch.growth_mib()
    notes["memory, MiB"] = f"while fetching; {start / 1024:.0f} MiB before SELECT, VmHWM {memory_kib(pid, 'VmHWM') / 1024:.0f} MiB with the file"
    took, octets = imap.run(b"UID SEARCH UNSEEN")
    figures["UID SEARCH UNSEEN"] = took
    found = len(re.search(rb"\* SEARCH([ \d]*)", octets)[1].split())
    if found != (count + 2) // 3:
        raise AssertionError(f"{found} messages are unseen, not {(count + 2) // 3}")
    took, _ = imap.run(b"UID SEARCH RETURN (COUNT) UNSEEN")
    figures["UID SEARCH RETURN (COUNT) UNSEEN"] = took
    small = message("One more", "A small message.\r\n" * 20)
    figures["APPEND"] = median_of(lambda: imap.append(small))
    figures["IDLE, from APPEND to EXISTS"] = measure_idle(server, imap, small)
    figures["SELECT, warm, after those changes"] = median_of(lambda: imap.run(b"SELECT INBOX")[0])
    took, octets = imap.run(b"STATUS INBOX (MESSAGES)")
    if b"MESSAGES %d" % (count + 2 * TIMES) not in octets:
        raise AssertionError(f"not all that was appended is there: {octets!r}")
    imap.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    figures = {}
    notes = {}
    with Server({USER: PASSWORD}, {"log": {"level": "warning"}}, tls=False, start=False) as server:
        took = fill(server, options.messages)
        server.start()
        measure(server, options.messages, figures, notes)
    print(f"An INBOX of {options.messages:,} messages (filled in {took:.1f} s); medians of {TIMES} where it is done often")
    for name, value in figures.items():
        shown = f"{value:10.1f}   " if "MiB" in name else f"{value * 1000:10.3f} ms"
        print(f"  {name:<36}{shown}  {notes.get(name, '')}".rstrip())
    slow = [name for name, bound in BOUNDS.items() if figures[name] > bound]
    if options.check and slow and not os.environ.get("TWINPOST_SANITIZE"):
        sys.exit("out of bounds: " + ", ".join(slow))


if __name__ == "__main__":
    main()
