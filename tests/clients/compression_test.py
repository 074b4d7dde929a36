"""Large bodies that are kept compressed and encrypted, read over POP3 and IMAP: whole, in parts, and by several at once."""

import imaplib
import os
import poplib
import random
import subprocess
import threading
import unittest

from fetching import PASSWORD, USER
from twinpost_server import Server, message, program

SLICE = 256 * 1024  # what one read of the store gives at most


def text(kind, octets):
    """Lines of 78 octets: the same over and over, none like another, or stretches of both."""
    rng = random.Random(octets)
    lines = []
    for number in range(octets // 78):
        noisy = kind == "noise" or (kind == "mixed" and number // 1000 % 2)
        lines.append(rng.randbytes(38).hex() if noisy else f"the same line again, number {number % 7:49}")
    return "\r\n".join(lines) + "\r\n.a line with a dot\r\n"


class Compression(unittest.TestCase):
    def serve(self, storage):
        server = Server({USER: PASSWORD}, settings={"storage": storage}, start=False)
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        key_file = storage.get("key_file")
        if key_file:
            subprocess.run([program("TWINPOST", "twinpost"), "key", "new", key_file], check=True, timeout=30,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        server.start()
        return server

    def read_all(self, server, sent):
        pop = poplib.POP3(*server.pop3, timeout=60)
        pop.user(USER)
        pop.pass_(PASSWORD)
        self.assertEqual(pop.stat()[0], len(sent))
        for number, original in enumerate(sent, 1):
            got = b"\r\n".join(pop.retr(number)[1]) + b"\r\n"
            self.assertTrue(got.endswith(original), f"RETR {number}")
            top = b"\r\n".join(pop.top(number, 5000)[1]) + b"\r\n"
            self.assertTrue(got.startswith(top), f"TOP {number}")
        pop.quit()

        imap = imaplib.IMAP4(*server.imap, timeout=60)
        imap.login(USER, PASSWORD)
        imap.select("INBOX", readonly=True)
        for number, original in enumerate(sent, 1):
            whole = imap.fetch(str(number), "(BODY.PEEK[])")[1][0][1]
            self.assertTrue(whole.endswith(original), f"FETCH {number}")
            for begin, length in ((0, 10), (SLICE - 5, 10), (SLICE, SLICE), (SLICE + 1, 3 * SLICE), (len(whole) - 7, 100),
                                  (len(whole), 10)):
                part = imap.fetch(str(number), f"(BODY.PEEK[]<{begin}.{length}>)")[1][0][1]
                self.assertEqual(part, whole[begin:begin + length], f"{number}: <{begin}.{length}>")
        kind, found = imap.search(None, "BODY", '"number       "', "LARGER", "1000")
        self.assertEqual(kind, "OK", found)
        imap.logout()

    def run_through(self, storage):
        server = self.serve(storage)
        sent = []
        for kind in ("same", "noise", "mixed"):
            for octets in (5_000, SLICE - 100, 700_000, 3_000_000):
                sent.append(message(f"{kind} {octets}", text(kind, octets)))
        server.deliver(USER, *sent)
        failures = []

        def reader():
            try:
                self.read_all(server, sent)
            except BaseException as error:  # raised by the main thread
                failures.append(error)

        self.read_all(server, sent)
        # POP3 has one session an account: the others read by IMAP alone.
        threads = [threading.Thread(target=self.read_by_imap, args=(server, sent, failures)) for _ in range(3)]
        threads.append(threading.Thread(target=reader))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        if failures:
            raise failures[0]
        server.restart()
        self.read_all(server, sent)
        self.assertTrue(server.alive())
        with open(os.path.join(server.data, "data.mdb"), "rb") as file:
            return file.read()

    def read_by_imap(self, server, sent, failures):
        try:
            imap = imaplib.IMAP4(*server.imap, timeout=60)
            imap.login(USER, PASSWORD)
            imap.select("INBOX", readonly=True)
            for _ in range(3):
                answer = imap.fetch("1:*", "(BODY.PEEK[])")[1]
                bodies = [part[1] for part in answer if isinstance(part, tuple)]
                self.assertEqual(len(bodies), len(sent))
                for body, original in zip(bodies, sent):
                    self.assertTrue(body.endswith(original))
            imap.logout()
        except BaseException as error:  # raised by the main thread
            failures.append(error)

    def test_compressed(self):
        data = self.run_through({"compression": True})
        self.assertLess(data.count(b"the same line again"), 1_000)

    def test_plain(self):
        data = self.run_through({"compression": False})
        self.assertGreater(data.count(b"the same line again"), 10_000)

    def test_compressed_and_encrypted(self):
        folder = Server({USER: PASSWORD}, start=False)
        self.addCleanup(folder.remove)
        data = self.run_through({"compression": True, "key_file": os.path.join(folder.folder, "keys")})
        self.assertEqual(data.count(b"the same line again"), 0)
        self.assertEqual(data.count(b"Subject: "), 0)


if __name__ == "__main__":
    unittest.main()
