"""Clients that misbehave: each gets its limit, the others are served meanwhile, and no mail is lost."""

import os
import resource
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))

import wire  # noqa: E402
from twinpost_server import ServerTest, message, need  # noqa: E402

USER = "ann@example.org"
PASSWORD = "secret"
MESSAGE_SIZE = 1_000_000
SILENT_CONNECTIONS = 1000


class Hostile(ServerTest):
    accounts = {USER: PASSWORD, "bob@example.org": PASSWORD}
    settings = {"limits": {"message_size": MESSAGE_SIZE, "command_line": 2048, "bad_commands": 10, "recipients": 50,
                           "login_time": "20 s", "write_time": "4 s", "connections_per_address": 3000}}

    def setUp(self):
        for user in self.accounts:
            self.empty(user)
        self.server.deliver(USER, message("Here before"))

    def tearDown(self):
        self.doCleanups()  # the test's own connections go first: one of them may hold a maildrop
        self.assert_serving()

    def assert_serving(self, limit_seconds=5.0):
        """In by LMTP, out by POP3S, fast, and with nothing lost."""
        began = time.monotonic()
        self.server.deliver("bob@example.org", message("Still here"))
        pop3 = wire.Pop3(self.server.pop3s, tls=wire.trusting_context(self.server.certificate))
        pop3.login("bob@example.org", PASSWORD)
        self.assertIn(b"Subject: Still here\r\n", pop3.retrieve(pop3.stat()[0]))
        pop3.quit()
        self.assertLess(time.monotonic() - began, limit_seconds, "the others had to wait")
        mail = self.server.maildrop(USER, PASSWORD)
        self.assertIn(b"Subject: Here before\r\n", mail[0])

    def assert_grown_less(self, before, octets):
        # A sanitizer keeps freed memory for a while, so its figures say nothing.
        if not os.environ.get("TWINPOST_SANITIZE"):
            self.assertLess(resident_octets(self.server.process.pid) - before, octets)

    def pop3(self):
        pop3 = wire.Pop3(self.server.pop3)
        self.addCleanup(pop3.close)
        return pop3

    def lmtp(self):
        lmtp = wire.Lmtp(self.server.lmtp)
        self.addCleanup(lmtp.close)
        return lmtp

    # Lines

    def test_an_oversize_command_line_is_refused_and_the_session_goes_on(self):
        pop3 = self.pop3()
        pop3.send(b"USER " + b"a" * 3_000_000 + b"\r\n")
        with self.assertRaisesRegex(wire.ProtocolError, "-ERR"):
            pop3.reply()
        pop3.login(USER, PASSWORD)
        pop3.quit()

        lmtp = self.lmtp()
        lmtp.send(b"MAIL FROM:<" + b"a" * 3_000_000 + b"@example.net>\r\n")
        self.assertEqual(lmtp.reply()[0], 500)
        self.assertEqual(lmtp.deliver("sam@example.net", [USER], message("After it"))[0][0], 250)

    def test_a_line_that_never_ends_does_not_fill_the_memory(self):
        before = resident_octets(self.server.process.pid)
        pop3 = self.pop3()
        lmtp = self.lmtp()
        piece = b"x" * 1_000_000
        for _ in range(50):
            try:
                pop3.send(piece)
                lmtp.send(piece)
            except OSError:
                break  # also good: it was thrown out
        self.assert_grown_less(before, 20_000_000)

    def test_bad_commands_end_the_session(self):
        for channel in (self.pop3(), self.lmtp()):
            for _ in range(30):
                try:
                    channel.send(b"XYZZY\r\n")
                except OSError:
                    break
            self.assertTrue(channel.closed_by_server())

    def test_octets_that_are_no_text_are_refused(self):
        for octets in (b"\0\0\0\0\r\n", b"\xff\xfe\xfd\r\n", b"\r\n", b" \r\n", b"RETR\0 1\r\n", b"\x80" * 500 + b"\r\n"):
            pop3 = self.pop3()
            pop3.send(octets)
            with self.assertRaisesRegex(wire.ProtocolError, "-ERR"):
                pop3.reply()
            lmtp = self.lmtp()
            lmtp.send(octets)
            self.assertGreaterEqual(lmtp.reply()[0], 500)

    def test_numbers_without_sense_are_refused(self):
        pop3 = self.pop3()
        pop3.login(USER, PASSWORD)
        for argument in ("0", "-1", "2", "18446744073709551617", "1 1", "1x", "0x1", "", "9" * 500):
            with self.assertRaisesRegex(wire.ProtocolError, "-ERR", msg=argument):
                pop3.command(f"RETR {argument}".rstrip())
        self.assertEqual(pop3.stat()[0], 1)

    # Messages

    def test_an_oversize_message_is_refused_by_its_declared_size(self):
        code, text = self.lmtp().command(f"MAIL FROM:<sam@example.net> SIZE={MESSAGE_SIZE + 1}")
        self.assertEqual((code, text[:5]), (552, "5.3.4"))

    def test_an_oversize_message_is_refused_after_data_and_the_session_goes_on(self):
        lmtp = self.lmtp()
        large = message("Large", "0123456789abcdef\r\n" * (MESSAGE_SIZE // 10))
        self.assertEqual(lmtp.deliver("sam@example.net", [USER], large)[0][0], 552)
        self.assertEqual(lmtp.deliver("sam@example.net", [USER], message("Small"))[0][0], 250)
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 2)

    def test_an_oversize_chunk_is_refused_and_the_session_goes_on(self):
        lmtp = self.lmtp()
        lmtp.envelope("sam@example.net", [USER])
        lmtp.send(b"BDAT %d LAST\r\n" % (MESSAGE_SIZE * 3) + b"x" * (MESSAGE_SIZE * 3))
        self.assertEqual(lmtp.reply()[0], 552)
        self.assertEqual(lmtp.deliver_chunks("sam@example.net", [USER], message("Small"))[0][0], 250)

    def test_a_chunk_of_a_claimed_size_takes_no_memory(self):
        before = resident_octets(self.server.process.pid)
        for size in (2**31, 2**63, 2**64, 10**40):
            lmtp = self.lmtp()
            lmtp.envelope("sam@example.net", [USER])
            lmtp.send(b"BDAT %d LAST\r\nx" % size)
        time.sleep(0.3)
        self.assert_grown_less(before, 20_000_000)

    def test_too_many_recipients_are_refused_one_by_one(self):
        lmtp = self.lmtp()
        replies = lmtp.envelope("sam@example.net", [USER] * 60)
        self.assertEqual([code for code, _ in replies[:50]], [250] * 50)
        self.assertEqual({code for code, _ in replies[50:]}, {452})

    def test_a_message_cut_off_in_the_middle_is_not_there(self):
        for ending in (b"half a line", b"a line\r\n", b"a line\r\n.", b"a line\r\n.\r", b"a line\n.\n", b"a line\r.\r"):
            lmtp = self.lmtp()
            lmtp.envelope("sam@example.net", [USER])
            lmtp.command("DATA")
            lmtp.send(b"Subject: Cut off\r\n\r\n" + ending)
            lmtp.close()
        lmtp = self.lmtp()
        lmtp.envelope("sam@example.net", [USER])
        lmtp.send(b"BDAT 100 LAST\r\nSubject: Cut off\r\n\r\n")
        lmtp.close()
        time.sleep(0.3)
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 1)

    def test_a_smuggled_end_of_data_is_content(self):
        smuggled = b"Subject: One\r\n\r\nx\n.\r\nMAIL FROM:<eve@example.net>\r\nRCPT TO:<" + USER.encode() + (
            b">\r\nDATA\r\nSubject: Two\r\n\r\ny\r\n")
        lmtp = self.lmtp()
        self.assertEqual(lmtp.deliver("sam@example.net", [USER], smuggled)[0][0], 250)
        mail = self.server.maildrop(USER, PASSWORD)
        self.assertEqual(len(mail), 2)
        self.assertTrue(mail[1].endswith(wire.canonical(smuggled)))

    # Time and sockets

    def test_slow_writers_are_served_and_hold_nobody_up(self):
        def drip(octets, channel):
            for octet in octets:
                channel.send(bytes([octet]))
                time.sleep(0.002)

        lmtp = self.lmtp()
        drip(b"MAIL FROM:<sam@example.net>\r\nRCPT TO:<%s>\r\n" % USER.encode(), lmtp)
        self.assertEqual((lmtp.reply()[0], lmtp.reply()[0]), (250, 250))
        lmtp.command("DATA")
        slow = threading.Thread(target=drip, args=(wire.dot_stuffed(message("Slow", "drop by drop\r\n.\r\n")), lmtp))
        slow.start()
        self.assert_serving()
        slow.join()
        self.assertEqual(lmtp.reply()[0], 250)
        pop3 = self.pop3()
        drip(b"USER %s\r\nPASS %s\r\nSTAT\r\n" % (USER.encode(), PASSWORD.encode()), pop3)
        self.assertEqual([pop3.reply() and 1 for _ in range(3)], [1, 1, 1])

    def test_a_half_closed_client_still_gets_its_answers(self):
        pop3 = self.pop3()
        pop3.send(f"USER {USER}\r\nPASS {PASSWORD}\r\nRETR 1\r\nQUIT\r\n".encode())
        pop3.endpoint.shutdown(socket.SHUT_WR)
        pop3.reply()
        pop3.reply()
        pop3.reply()
        self.assertIn(b"Subject: Here before", pop3.read_dotted())
        pop3.reply()
        self.assertTrue(pop3.closed_by_server())

        lmtp = self.lmtp()
        octets = wire.dot_stuffed(message("Half closed"))
        lmtp.send(f"MAIL FROM:<sam@example.net>\r\nRCPT TO:<{USER}>\r\nDATA\r\n".encode() + octets)
        lmtp.endpoint.shutdown(socket.SHUT_WR)
        self.assertEqual([lmtp.reply()[0] for _ in range(4)], [250, 250, 354, 250])
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 2)

    def test_a_client_that_reads_nothing_is_dropped_and_its_output_is_bounded(self):
        self.empty(USER)
        self.server.deliver(USER, message("Here before"), message("Large", "0123456789abcdef\r\n" * 40_000))
        before = resident_octets(self.server.process.pid)
        pop3 = self.pop3()
        pop3.login(USER, PASSWORD)
        pop3.endpoint.settimeout(2)
        try:
            for _ in range(200):
                pop3.send(b"RETR 2\r\n" * 50)
        except OSError:
            pass
        time.sleep(0.5)
        self.assert_grown_less(before, 30_000_000)
        # write_time is 4 s: after it the maildrop is free for another session.
        deadline = time.monotonic() + 15
        while True:
            try:
                self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 2)
                break
            except wire.ProtocolError as refusal:
                self.assertIn("IN-USE", str(refusal))
                self.assertLess(time.monotonic(), deadline, "the dead session was not ended")
                time.sleep(0.2)

    def test_a_reset_in_the_middle_of_a_fetch_removes_nothing(self):
        pop3 = self.pop3()
        pop3.login(USER, PASSWORD)
        pop3.command("DELE 1")
        pop3.endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        pop3.close()
        time.sleep(0.2)
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 1)

    def test_1000_connections_that_say_nothing_hold_nobody_up(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < SILENT_CONNECTIONS + 100:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        endpoints = []
        try:
            for i in range(SILENT_CONNECTIONS):
                endpoints.append(wire.connect((self.server.pop3, self.server.pop3s, self.server.lmtp, self.server.lmtp_socket)[i % 4]))
            self.assert_serving()
            # Unauthenticated time is 20 s here; the POP3 half of them must be gone some time after that.
            deadline = time.monotonic() + 40
            silent = [e for i, e in enumerate(endpoints) if i % 4 in (0, 1)]
            for endpoint in silent:
                endpoint.settimeout(max(0.1, deadline - time.monotonic()))
                try:
                    while endpoint.recv(4096):
                        pass
                except ConnectionError:
                    pass
                except TimeoutError:
                    self.fail("a silent connection was not closed")
            self.assert_serving()
        finally:
            for endpoint in endpoints:
                endpoint.close()

    # TLS

    def test_garbage_in_place_of_a_handshake_ends_that_connection_only(self):
        for garbage in (b"\x16\x03\x01" + b"\xff" * 600, os.urandom(5000), b"\x80\x2e\x01\x00\x02" + b"\0" * 60, b"\x16\x03\x03\0\0",
                        b"\x16\x03\x01\x40\x01" + b"\1" * 16385, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            channel = wire.Channel(wire.connect(self.server.pop3s))
            channel.send(garbage)
            channel.endpoint.shutdown(socket.SHUT_WR)
            self.assertTrue(channel.closed_by_server())
            channel.close()

    def test_plaintext_to_the_tls_port_ends_that_connection_only(self):
        channel = wire.Channel(wire.connect(self.server.pop3s))
        channel.send(f"USER {USER}\r\nPASS {PASSWORD}\r\n".encode())
        answer = b""
        try:
            while piece := channel.endpoint.recv(4096):
                answer += piece
        except ConnectionError:
            pass
        self.assertNotIn(b"+OK", answer)
        channel.close()

    def test_a_handshake_that_stops_half_way_is_given_up(self):
        channel = wire.Channel(wire.connect(self.server.pop3s, timeout=45))
        channel.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.assertTrue(channel.closed_by_server())
        channel.close()

    def test_what_was_sent_before_the_handshake_is_thrown_away(self):
        # RFC 2595 section 9, CVE-2011-0411: commands smuggled in front of the handshake must not run inside TLS.
        for channel, command in ((self.pop3(), b"STLS\r\nUSER eve@example.net\r\n"), (self.lmtp(), b"STARTTLS\r\nNOOP\r\n")):
            channel.send(command)
            channel.reply()
            channel.start_tls(wire.trusting_context(self.server.certificate))
            if isinstance(channel, wire.Pop3):
                channel.login(USER, PASSWORD)  # a late answer to the smuggled USER would shift these
                self.assertEqual(channel.stat()[0], 1)
            else:
                channel.hello()
                self.assertEqual(channel.command("RSET")[0], 250)
                self.assertNotIn("STARTTLS", channel.extensions)

    def test_tls_cut_without_goodbye_keeps_nothing_hanging(self):
        for _ in range(20):
            pop3 = wire.Pop3(self.server.pop3s, tls=wire.trusting_context(self.server.certificate))
            pop3.login(USER, PASSWORD)
            pop3.endpoint.close()
            deadline = time.monotonic() + 5
            while True:
                try:
                    self.server.maildrop(USER, PASSWORD)
                    break
                except wire.ProtocolError:
                    self.assertLess(time.monotonic(), deadline, "the maildrop stayed taken")
                    time.sleep(0.02)

    # Logging in

    def test_passwords_are_guessed_slowly_or_not_for_long(self):
        pop3 = self.pop3()
        refused = 0
        try:
            for guess in range(30):
                pop3.command(f"USER {USER}")
                try:
                    pop3.command(f"PASS guess{guess}")
                except wire.Closed:
                    raise
                except wire.ProtocolError:
                    refused += 1
        except (wire.ProtocolError, OSError):
            pass
        self.assertLessEqual(refused, 20)
        self.assertNotIn("guess1", self.server.log())

    def test_no_message_content_and_no_password_is_in_the_log(self):
        self.server.deliver(USER, message("Quite private subject", "quite private text\r\n"))
        self.server.maildrop(USER, PASSWORD)
        log = self.server.log()
        self.assertNotIn("private", log)
        self.assertNotIn(PASSWORD, log)


def resident_octets(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        fields = dict(line.split(":") for line in file.read().splitlines()[1:])
    # The store's mapped file is shared, clean memory; what clients can make the daemon take is anonymous.
    return int(fields["Anonymous"].split()[0]) * 1024


if __name__ == "__main__":
    need("openssl")
    unittest.main(verbosity=2)
