"""twinpost who and kick: POP3 and IMAP sessions together, and how they end."""

import imaplib
import json
import poplib
import subprocess
import unittest

import wire
from twinpost_server import ServerTest, message, program

USER, PASSWORD = "ann@example.org", "ann's secret"


class Who(ServerTest):
    def twinpost(self, *arguments, expect=0):
        done = subprocess.run([program("TWINPOST", "twinpost"), "--config", self.server.config_path, *arguments],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def who(self, *arguments):
        return json.loads(self.twinpost("who", "--json", *arguments))["sessions"]

    def pop(self):
        pop = poplib.POP3_SSL("localhost", self.server.pop3s[1], context=wire.trusting_context(self.server.certificate), timeout=20)
        self.addCleanup(pop.close)
        pop.user(USER)
        pop.pass_(PASSWORD)
        return pop

    def imap(self, user=USER, password=PASSWORD):
        imap = imaplib.IMAP4("127.0.0.1", self.server.imap[1], timeout=20)
        self.addCleanup(imap.shutdown)
        imap.login(user, password)
        return imap

    def test_both_protocols_together(self):
        self.assertEqual(self.who(), [])
        pop, imap = self.pop(), self.imap()
        self.imap("bob@example.org", self.accounts["bob@example.org"])
        imap.xatom("ID", '("name" "Test\\"er" "version" "7")')
        imap.create("Project")
        imap.select("Project")
        first, second, third = self.who()
        self.assertEqual([first[k] for k in ("account", "protocol", "address", "tls", "state", "mailbox", "client")],
                         [USER, "pop3", "127.0.0.1", True, "transaction", "INBOX", ""])
        self.assertEqual([second[k] for k in ("account", "protocol", "tls", "state", "mailbox")],
                         [USER, "imap", False, "selected", "Project"])
        self.assertRegex(second["client"], r'\ATest"er 7\Z')
        self.assertGreater(first["octets_out"], 0)
        self.assertEqual(third["account"], "bob@example.org")
        self.assertEqual(len(self.who(USER.upper())), 2)
        table = self.twinpost("who")
        self.assertEqual(len(table.splitlines()), 4, table)
        self.assertIn("Project", table)
        pop.quit()

    def test_kick(self):
        self.server.deliver(USER, message("Stays", "x\r\n"))
        pop, imap = self.pop(), self.imap()
        other = self.imap("bob@example.org", self.accounts["bob@example.org"])
        pop.dele(1)
        self.assertIn("1 session ended", self.twinpost("kick", USER, "--protocol", "pop3"))
        with self.assertRaises((poplib.error_proto, EOFError, OSError)):
            while True:
                pop.noop()
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), 1, "what was marked is there still")
        number = next(s["id"] for s in self.who(USER))
        self.assertIn("1 session ended", self.twinpost("kick", "--id", str(number)))
        with self.assertRaises((imaplib.IMAP4.abort, imaplib.IMAP4.error, OSError)):
            while True:
                imap.noop()
        self.assertEqual(other.noop()[0], "OK", "nobody else's session has ended")
        self.assertIn("0 sessions ended", self.twinpost("kick", USER, expect=1))

    def test_what_is_not_clear_is_refused(self):
        self.assertIn("kick whom?", self.twinpost("kick", expect=2))
        self.twinpost("kick", "--protocol", "smtp", expect=105)
        self.server.stop()
        self.assertIn("no server is running", self.twinpost("who", expect=1))
        self.server.start()


if __name__ == "__main__":
    unittest.main()
