"""`twinpost deliver`: an MTA's pipe, with the exit codes of sysexits.h."""

import os
import subprocess
import unittest

import wire
from fetching import PASSWORD, USER, samples
from twinpost_server import ServerTest, message, need, program

EX_OK, EX_USAGE, EX_DATAERR, EX_NOUSER, EX_TEMPFAIL, EX_CONFIG = 0, 64, 65, 67, 75, 78


class Deliver(ServerTest):
    settings = {"limits": {"message_size": "2 MiB"}}

    def setUp(self):
        self.empty(USER)

    def deliver(self, octets, *arguments, expect=EX_OK, config=None):
        done = subprocess.run([program("TWINPOST", "twinpost"), "deliver", "--config", config or self.server.config_path, *arguments],
                              input=octets, capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, expect, done.stderr.decode())
        self.assertEqual(done.stdout, b"")
        if expect == EX_OK:
            self.assertEqual(done.stderr, b"", "silence is success")
        else:
            self.assertGreaterEqual(len(done.stderr.splitlines()), 1, "a failure says why")
        return done.stderr.decode()

    def mail(self):
        return self.server.maildrop(USER, PASSWORD)

    def test_a_message_arrives_as_it_was_given(self):
        for original in samples():
            self.deliver(original, "-f", "sam@example.net", USER)
            mail = self.server.maildrop(USER, PASSWORD, remove=True)
            self.assertEqual(mail, [b"Return-Path: <sam@example.net>\r\nDelivered-To: " + USER.encode() + b"\r\n" + original])

    def test_lf_line_ends_and_a_from_line_as_an_mta_pipes_them(self):
        original = message("Piped", ".\n..dots\nFrom the text\n").replace(b"\r\n", b"\n")
        self.deliver(b"From sam@example.net Mon Jan  5 10:00:00 2026\n" + original, "-f", "sam@example.net", USER)
        mail, = self.mail()
        self.assertTrue(mail.endswith(wire.canonical(original)), mail)
        self.assertNotIn(b"From sam@example.net Mon", mail)

    def test_no_sender_is_the_null_sender(self):
        self.deliver(message("A bounce"), USER)
        self.assertTrue(self.mail()[0].startswith(b"Return-Path: <>\r\n"))

    def test_several_recipients_and_subaddresses(self):
        self.deliver(message("To both"), USER, "bob+lists@example.org")
        self.assertEqual(len(self.mail()), 1)
        self.assertEqual(len(self.server.maildrop("bob@example.org", self.accounts["bob@example.org"], remove=True)), 1)

    def test_an_unknown_recipient(self):
        self.assertIn("nobody@example.org", self.deliver(message("x"), "nobody@example.org", expect=EX_NOUSER))
        self.deliver(message("x"), USER, "nobody@example.org", expect=EX_NOUSER)
        self.assertEqual(len(self.mail()), 1, "the known one beside it has it")

    def test_usage(self):
        self.deliver(b"", expect=EX_USAGE)
        self.deliver(b"", "not an address", expect=EX_USAGE)
        self.deliver(b"", "a@example.org>\r\nRCPT TO:<b@example.org", expect=EX_USAGE)

    def test_too_large(self):
        self.deliver(message("Large", "0123456789\r\n" * 300_000), USER, expect=EX_DATAERR)
        self.assertEqual(self.mail(), [])

    def test_no_server_is_temporary(self):
        self.server.stop()
        try:
            self.deliver(message("Later"), USER, expect=EX_TEMPFAIL)
        finally:
            self.server.start()
        self.assertEqual(self.mail(), [])

    def test_a_configuration_that_is_none(self):
        self.deliver(message("x"), USER, expect=EX_CONFIG, config=os.path.join(self.server.folder, "nonexistent.json"))


if __name__ == "__main__":
    need("openssl")
    unittest.main(verbosity=2)
