"""swaks delivers by LMTP: over TCP, over the Unix socket, after STARTTLS."""

import os
import unittest

from fetching import PASSWORD, USER, samples
from twinpost_server import ServerTest, need, run

# swaks(1), EXIT CODES: an error of a RCPT that left no recipient.
NO_RECIPIENT = 24


class Swaks(ServerTest):
    def setUp(self):
        self.empty(USER)

    def swaks(self, *arguments, to=USER, expect=0):
        return run(["swaks", "--protocol", "LMTP", "--from", "sam@example.net", "--to", to, "--helo", "client.example.net",
                    "--timeout", "20", *arguments], expect=expect)

    def over_tcp(self, *arguments, **options):
        return self.swaks("--server", "127.0.0.1", "--port", str(self.server.lmtp[1]), *arguments, **options)

    def test_over_tcp(self):
        self.over_tcp("--header", "Subject: Over TCP", "--body", "Hello.")
        mail, = self.server.maildrop(USER, PASSWORD)
        self.assertIn(b"\r\nSubject: Over TCP\r\n", mail)
        self.assertTrue(mail.startswith(b"Return-Path: <sam@example.net>\r\n"), mail[:200])

    def test_over_the_unix_socket(self):
        self.swaks("--socket", self.server.lmtp_socket, "--header", "Subject: Over a socket")
        self.assertIn(b"\r\nSubject: Over a socket\r\n", self.server.maildrop(USER, PASSWORD)[0])

    def test_after_starttls(self):
        output = self.over_tcp("--tls", "--header", "Subject: Over TLS")
        self.assertIn("STARTTLS", output)
        self.assertRegex(output, r"TLS started with cipher TLSv1\.[23]")
        self.assertIn(b"\r\nSubject: Over TLS\r\n", self.server.maildrop(USER, PASSWORD)[0])

    def test_after_starttls_with_tls_1_2(self):
        self.assertIn("cipher TLSv1.2", self.over_tcp("--tls", "--tls-protocol", "tlsv1_2"))

    def test_old_tls_versions_are_refused(self):
        self.over_tcp("--tls", "--tls-protocol", "tlsv1_1", "--tls-cipher", "DEFAULT@SECLEVEL=0", expect=29)
        self.assertEqual(self.server.maildrop(USER, PASSWORD), [])

    def test_pipelined(self):
        self.over_tcp("--pipeline", "--header", "Subject: Pipelined")
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 1)

    def test_an_unknown_recipient_is_refused_and_a_known_one_beside_it_served(self):
        self.assertIn("550 5.1.1", self.over_tcp(to="nobody@example.org", expect=NO_RECIPIENT))
        output = self.over_tcp(to=f"nobody@example.org,{USER}")
        self.assertIn("550 5.1.1", output)
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 1)

    def test_two_recipients_have_one_reply_each(self):
        self.empty("bob@example.org")
        output = self.over_tcp(to=f"{USER},bob@example.org")
        after_the_dot = output.rpartition("\n -> .\n")[2]
        self.assertEqual(after_the_dot.count("<-  250 "), 2, output)
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 1)
        self.assertEqual(len(self.server.maildrop("bob@example.org", self.accounts["bob@example.org"])), 1)

    def test_a_file_arrives_octet_for_octet(self):
        for original in samples():
            path = os.path.join(self.server.folder, "mail")
            with open(path, "wb") as file:
                file.write(original)
            self.over_tcp("--data", path)
            mail = self.server.maildrop(USER, PASSWORD, remove=True)[0]
            # swaks ends the text with one line end of its own.
            self.assertTrue(mail.rstrip(b"\r\n").endswith(original.rstrip(b"\r\n")), original[:100])


if __name__ == "__main__":
    need("swaks", "openssl")
    unittest.main(verbosity=2)
