"""What every fetching client must do against the server, whatever its name: the same steps over POP3, STLS and POP3S.

A client's test inherits FetchingTest and says how it fetches, in fetch().
"""

import base64
import os
import random
import shutil

from twinpost_server import ServerTest, message

USER = "ann@example.org"
PASSWORD = "ann's secret"


def samples():
    """Mail that is easy to spoil on the way: dots, 8-bit octets, empty lines, a `From ` line, size."""
    attachment = base64.encodebytes(random.Random(7).randbytes(150_000)).decode().replace("\n", "\r\n")
    multipart = ('MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b1"\r\n\r\n--b1\r\nContent-Type: text/plain\r\n\r\n'
                 "The figures.\r\n--b1\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                 f"{attachment}--b1--\r\n")
    plain = message("Dots", ".\r\n..\r\n...three dots\r\n.one\r\nthe end.\r\n\r\n\r\n")
    eight_bit = message("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Schöne Grüße aus Köln – 5 € 😀\r\nFrom here on it is text.\r\n")
    # The header ends in message() after Message-ID; the multipart's own fields must come before the blank line.
    head, _, _ = message("An attachment", "x").partition(b"\r\n\r\n")
    return [plain, eight_bit, head + b"\r\n" + multipart.encode(), message("Empty", "")]


def with_lf(octets):
    return octets.replace(b"\r\n", b"\n")


class FetchingTest(ServerTest):
    """fetch(security, keep) runs the client once and returns the messages that it fetched in that run, in any order, with LF
    line ends. `security` is "none", "stls" or "tls". The client's own memory of what it has seen lives in self.state and
    lasts for one test."""

    def setUp(self):
        self.state = os.path.join(self.server.folder, "state")
        shutil.rmtree(self.state, ignore_errors=True)
        os.mkdir(self.state, 0o700)
        self.empty(USER)

    def fetch(self, security, keep):
        raise NotImplementedError

    def assert_fetched(self, fetched, originals):
        """Each original exactly once: clients and delivery add header fields above it, nothing below."""
        self.assertEqual(len(fetched), len(originals))
        left = list(fetched)
        for original in originals:
            found = [f for f in left if f.rstrip(b"\n").endswith(with_lf(original).rstrip(b"\n"))]
            self.assertEqual(len(found), 1, f"not fetched as it was sent: {original[:200]!r}")
            left.remove(found[0])

    def keep_then_remove(self, security):
        first = samples()
        self.server.deliver(USER, *first)
        before = self.server.maildrop(USER, PASSWORD)
        self.assert_fetched(self.fetch(security, keep=True), first)
        self.assertEqual(self.server.maildrop(USER, PASSWORD), before, "a keeping fetch must leave the maildrop as it is")
        self.assertEqual(self.fetch(security, keep=True), [], "nothing is new")

        later = message("Later", "One more.\r\n")
        self.server.deliver(USER, later)
        self.assert_fetched(self.fetch(security, keep=True), [later])
        self.assertEqual(len(self.server.maildrop(USER, PASSWORD)), len(first) + 1)

        last = message("Last", "To be taken away.\r\n")
        self.server.deliver(USER, last)
        self.state_of_a_new_client()
        self.assert_fetched(self.fetch(security, keep=False), first + [later, last])
        self.assertEqual(self.server.maildrop(USER, PASSWORD), [], "a removing fetch must leave nothing")

    def state_of_a_new_client(self):
        shutil.rmtree(self.state)
        os.mkdir(self.state, 0o700)


class EverySecurity:
    """The three ways to connect, for classes that also inherit FetchingTest."""

    def test_over_pop3_without_tls(self):
        self.keep_then_remove("none")

    def test_over_pop3_with_stls(self):
        self.keep_then_remove("stls")

    def test_over_pop3s(self):
        self.keep_then_remove("tls")


def read_folder(folder):
    """All files of a folder (a Maildir's `new`), with LF line ends, taken away as they are read."""
    messages = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            messages.append(with_lf(file.read()))
        os.unlink(path)
    return messages
