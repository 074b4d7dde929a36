"""IMAP clients that misbehave: each gets its limit, the others are served meanwhile, and no mail is lost."""

import os
import socket
import struct
import sys
import threading
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))

import imap_support  # noqa: E402
from online_test import resident_octets  # noqa: E402
from twinpost_server import ServerTest, message, need  # noqa: E402

USER = "ann@example.org"
OTHER = "bob@example.org"
PASSWORD = "secret"
MESSAGE_SIZE = 1_000_000


class HostileImap(ServerTest):
    accounts = {USER: PASSWORD, OTHER: PASSWORD}
    settings = {"limits": {"message_size": MESSAGE_SIZE, "bad_commands": 10, "login_time": "20 s", "write_time": "4 s",
                           "connections_per_address": 3000}}

    def setUp(self):
        for user in self.accounts:
            self.empty(user)
        self.server.deliver(USER, message("Here before"))

    def tearDown(self):
        self.doCleanups()
        self.assert_serving()

    def assert_serving(self, limit_seconds=5.0):
        """In by LMTP, out by IMAP, fast, and with nothing lost."""
        began = time.monotonic()
        self.server.deliver(OTHER, message("Still here"))
        imap = imap_support.Imap(self.server.imap)
        imap.login(OTHER, PASSWORD)
        count = imap.select("INBOX")
        self.assertIn(b"Subject: Still here\r\n", next(iter(imap.fetch(count, "BODY.PEEK[]", uid=False).values()))["BODY[]"])
        imap.logout()
        self.assertLess(time.monotonic() - began, limit_seconds, "the others had to wait")
        self.assertIn(b"Subject: Here before\r\n", self.server.maildrop(USER, PASSWORD)[0])

    def resident_octets(self):
        return resident_octets(self.server.process.pid)

    def assert_grown_less(self, before, octets):
        # A sanitizer keeps freed memory for a while, so its figures say nothing.
        if not os.environ.get("TWINPOST_SANITIZE"):
            self.assertLess(self.resident_octets() - before, octets)

    def connect(self):
        imap = imap_support.Imap(self.server.imap)
        self.addCleanup(imap.close)
        return imap

    def session(self):
        return self.connect().login(USER, PASSWORD)

    def refused(self, imap, line):
        with self.assertRaises(imap_support.No) as raised:
            imap.command(line)
        return str(raised.exception)

    # Lines and literals

    def test_a_line_that_never_ends_does_not_fill_the_memory(self):
        before = self.resident_octets()
        for imap in (self.connect(), self.session()):
            try:
                for _ in range(50):
                    imap.send(b"x" * 1_000_000)
            except OSError:
                continue  # also good: it was thrown out
        self.assert_grown_less(before, 20_000_000)

    def test_literals_of_a_claimed_size_take_no_memory_and_get_an_answer(self):
        before = self.resident_octets()
        for size in (2**31, 2**63, 2**64, 10**40):
            imap = self.connect()
            self.assertIn("Literal too large", self.refused(imap, f"LOGIN {{{size}}}"))
            imap = self.session()
            self.assertRegex(self.refused(imap, f"APPEND INBOX {{{size}}}"), "TOOBIG|LIMIT")
            imap.command("NOOP")
            imap.send(b"a APPEND INBOX {%d+}\r\n" % size)
            self.assertTrue(imap.read_line().startswith(b"* BYE"))
        self.assert_grown_less(before, 20_000_000)

    def test_an_oversize_message_that_comes_anyway_is_dropped_and_the_session_goes_on(self):
        imap = self.session()
        self.assertIn("TOOBIG", self.refused(imap, ["APPEND INBOX ", (b"x" * (MESSAGE_SIZE + 1),)]))
        imap.append("INBOX", message("Small"))
        self.assertEqual(imap.select("INBOX"), 2)

    def test_an_append_cut_off_in_the_middle_is_not_there(self):
        for sent in (b"a APPEND INBOX {100+}\r\nSubject: Cut", b"a APPEND INBOX {3+}\r\nabc", b"a APPEND INBOX {3+}\r\nabc {3+}\r\nab"):
            imap = self.session()
            imap.send(sent)
            imap.close()
        time.sleep(0.3)
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 1)

    def test_deep_nesting_is_refused_without_a_deep_stack(self):
        imap = self.session()
        imap.select("INBOX")
        for line in ("SEARCH " + "(" * 20_000 + "ALL" + ")" * 20_000, "SEARCH " + "NOT " * 12_000 + "ALL",
                     "SEARCH " + "OR " * 10_000 + "ALL " * 10_001, "LIST (" + "(" * 20_000,
                     "FETCH 1 " + "(" * 20_000, "ID " + "(" * 20_000):
            self.refused(imap, line)
            imap.command("NOOP")

    def test_sets_that_name_much_take_little(self):
        before = self.resident_octets()
        imap = self.session()
        imap.select("INBOX")
        many = ",".join(f"{n}:4294967295" for n in range(1, 3500))
        imap.command(f"UID FETCH {many} FLAGS")
        imap.command(f"UID SEARCH UID {many}")
        imap.command("UID FETCH 1:4294967295,4294967295:1 (UID)")
        self.refused(imap, "FETCH 4294967295 FLAGS")
        self.refused(imap, "FETCH 4294967296 FLAGS")
        self.assert_grown_less(before, 20_000_000)

    def test_octets_that_are_no_text_are_refused(self):
        for octets in (b"\0\0\0\0\r\n", b"\xff\xfe\xfd\r\n", b"\r\n", b" \r\n", b"a LOGIN \0 x\r\n", b"\x80" * 500 + b"\r\n",
                       b"a FETCH\0 1 ALL\r\n", b"a\x01 NOOP\r\n"):
            imap = self.connect()
            imap.send(octets)
            self.assertRegex(imap.read_line(), rb"^\S+ BAD ")
            imap.command("NOOP")

    def test_bad_commands_end_the_session(self):
        imap = self.connect()
        for _ in range(30):
            try:
                imap.send(b"a XYZZY\r\n")
            except OSError:
                break
        while line := imap.read_line():
            if line.startswith(b"* BYE"):
                break
        self.assertTrue(imap.closed_by_server())

    # Time and sockets

    def test_a_half_closed_client_still_gets_its_answers(self):
        imap = self.connect()
        imap.send(f"a LOGIN {USER} {PASSWORD}\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\nd LOGOUT\r\n".encode())
        imap.endpoint.shutdown(socket.SHUT_WR)
        octets = b""
        while line := imap.read_response():
            octets += line
            if line.startswith(b"d OK"):
                break
        self.assertIn(b"Subject: Here before", octets)
        self.assertTrue(imap.closed_by_server())

    def test_a_client_that_reads_nothing_is_dropped_and_its_output_is_bounded(self):
        self.empty(USER)
        self.server.deliver(USER, message("Here before"), message("Large", "0123456789abcdef\r\n" * 40_000))
        before = self.resident_octets()
        imap = self.session()
        imap.select("INBOX")
        imap.endpoint.settimeout(2)
        try:
            for _ in range(200):
                imap.send(b"a FETCH 1:2 (BODY.PEEK[] ENVELOPE BODYSTRUCTURE)\r\n" * 50)
        except OSError:
            pass
        time.sleep(0.5)
        self.assert_grown_less(before, 30_000_000)
        imap.endpoint.settimeout(10)
        # write_time is 4 s.
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            time.sleep(0.2)
            try:
                imap.send(b"\r\n")
            except OSError:
                return
        self.fail("it was not dropped")

    def test_clients_that_vanish_in_the_middle_of_anything(self):
        self.server.deliver(USER, *[message(f"Number {n}", "text\r\n" * 2000) for n in range(50)])
        for line in (b"a FETCH 1:* BODY.PEEK[]\r\n", b"a SEARCH TEXT nowhere\r\n", b"a IDLE\r\n", b"a STORE 1:* +FLAGS \\Seen\r\n",
                     b"a COPY 1:* Archive\r\n", b"a COMPRESS DEFLATE\r\n", b"a APPEND INBOX {100}\r\n", b"a EXPUNGE\r\n"):
            for _ in range(3):
                imap = self.session()
                imap.select("INBOX")
                imap.send(line)
                # A reset, not an orderly end.
                imap.endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                imap.close()
        time.sleep(0.3)
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 51)

    def test_slow_writers_are_served_and_hold_nobody_up(self):
        imap = self.connect()
        mail = message("Slow", "drop by drop\r\n")

        def drip(octets):
            for octet in octets:
                imap.send(bytes([octet]))
                time.sleep(0.002)

        slow = threading.Thread(target=drip, args=(
            f"a LOGIN {USER} {PASSWORD}\r\nb APPEND INBOX {{{len(mail)}+}}\r\n".encode() + mail + b"\r\nc NOOP\r\n",))
        slow.start()
        self.assert_serving()
        slow.join()
        for tag in (b"a OK", b"b OK", b"c OK"):
            self.assertTrue(imap.read_response().startswith(tag))

    def test_a_compressed_bomb_fills_no_memory(self):
        before = self.resident_octets()
        imap = self.session()
        imap.command("COMPRESS DEFLATE")
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        try:
            for _ in range(300):
                imap.send(deflate.compress(b"\0" * 1_000_000))
            imap.send(deflate.flush(zlib.Z_SYNC_FLUSH))
        except OSError:
            pass  # also good: it was thrown out
        time.sleep(0.5)
        self.assert_grown_less(before, 20_000_000)

    def test_a_broken_compressed_stream_ends_the_session_only(self):
        imap = self.session()
        imap.command("COMPRESS DEFLATE")
        imap.send(b"\xff" * 1000)
        self.assertTrue(imap.closed_by_server())

    def test_many_sessions_fetch_everything_at_once(self):
        self.server.deliver(USER, *[message(f"Number {n}", "text\r\n" * 2000) for n in range(100)])
        before = self.resident_octets()
        sessions = [self.session() for _ in range(50)]
        for imap in sessions:
            imap.select("INBOX")
            imap.send(b"a FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])\r\nb SEARCH TEXT \"no such text\"\r\n")
        self.assert_serving()
        self.assert_grown_less(before, 150_000_000)
        for imap in sessions:
            while not (line := imap.read_response()).startswith(b"b "):
                pass
            self.assertTrue(line.startswith(b"b OK"))


if __name__ == "__main__":
    need("openssl")
    unittest.main(verbosity=2)
