"""Every message of the corpus goes in by LMTP and comes out by POP3 octet for octet.

The rule for line ends (canonical() in wire.py): CRLF stays, a bare LF becomes CRLF, a bare CR and NUL stay, a last CRLF that
is missing is added. Delivery puts its own fields (Return-Path, Delivered-To) above the message and changes nothing else.

The corpus is a folder of .eml files: TWINPOST_CORPUS, else ../shared/corpus; skipped where there is none.
"""

import os
import unittest

import wire
from fetching import PASSWORD, USER
from twinpost_server import ServerTest, corpus_folder, need


def corpus_files():
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(corpus_folder())
                  for name in names if name.endswith(".eml"))


# What real mail seldom has, one message each.
MADE = [
    b"",
    b".",
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n.\n",
    b"\n.\r\n",
    b"Subject: no end of line",
    b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n",
    b"Subject: bare LF\n\n.\n..\nx\n",
    b"Subject: bare CR\r\rone\rtwo\r\r\n.\r\n",
    b"Subject: CR CRLF\r\r\n\r\r\nx\r\r\n\r\n",
    b"Subject: ends in CR\r\n\r\nx\r",
    b"Subject: NUL\r\n\r\na\0b\0\0\r\n\0\r\n",
    b"Subject: 8-bit\r\n\r\n" + bytes(range(256)) * 40 + b"\r\n",
    b"Subject: a line of 100,000 octets\r\n\r\n" + b"x" * 100_000 + b"\r\n",
    b"Subject: past what is kept in memory\r\n\r\n" + (b"0123456789" * 7 + b"\r\n") * 40_000,
    b"Subject: LF over a chunk's edge\n\n" + b"x\n" * 200_000,
]


class Corpus(ServerTest):
    accounts = {USER: PASSWORD}
    settings = {"limits": {"message_size": "64 MiB"}}

    def setUp(self):
        self.empty(USER)

    def in_and_out(self, messages, deliver):
        """`messages` are (name, octets) pairs."""
        lmtp = wire.Lmtp(self.server.lmtp, timeout=60)
        for name, octets in messages:
            (code, text), = deliver(lmtp, octets)
            self.assertEqual(code, 250, f"{name}: {text}")
        lmtp.quit()

        pop3 = wire.Pop3(self.server.pop3, timeout=60)
        pop3.login(USER, PASSWORD)
        sizes = pop3.sizes()
        self.assertEqual(len(sizes), len(messages))
        for number, stored in pop3.retrieve_all(sizes):
            name, octets = messages[number - 1]
            expected = wire.canonical(octets)
            self.assertEqual(len(stored), sizes[number], f"{name}: LIST tells another size than RETR sends")
            added = stored[: len(stored) - len(expected)]
            self.assertTrue(stored.endswith(expected), f"{name}: changed on its way, {len(octets)} octets")
            self.assertRegex(added, rb"\AReturn-Path: <sam@example\.net>\r\nDelivered-To: ann@example\.org\r\n\Z", name)
        for number in sizes:
            pop3.command(f"DELE {number}")
        pop3.quit()

    @staticmethod
    def by_data(lmtp, octets):
        return lmtp.deliver("sam@example.net", [USER], octets)

    @staticmethod
    def by_bdat(lmtp, octets):
        # Chunks of an odd size, so that CRLF pairs are cut in two somewhere.
        return lmtp.deliver_chunks("sam@example.net", [USER], octets, chunk_octets=997 if len(octets) < 100_000 else 65_537)

    def read_corpus(self):
        files = corpus_files()
        if not files:
            self.skipTest(f"no corpus in {corpus_folder()}")
        messages = []
        for path in files:
            with open(path, "rb") as file:
                octets = file.read()
            # 100 Received fields and more are a loop, which the server must refuse.
            if octets.lower().count(b"\nreceived:") < 90:
                messages.append((path, octets))
        self.assertGreater(len(messages), 0.95 * len(files))
        return messages

    def test_made_messages_by_data(self):
        # DATA cannot say a message that is not at its end at the start of a line, so what ends in a bare LF or CR does
        # so with CRLF after it here: the same rule as the server's where the end is a CR, one more line where it is LF.
        messages = [(repr(m[:60]), m if m.endswith(b"\r\n") or not m else m + b"\r\n") for m in MADE]
        self.in_and_out(messages, self.by_data)

    def test_made_messages_by_bdat(self):
        self.in_and_out([(repr(m[:60]), m) for m in MADE], self.by_bdat)

    def test_the_corpus_by_data(self):
        messages = [(name, m if m.endswith(b"\r\n") or not m else m + b"\r\n") for name, m in self.read_corpus()]
        self.in_and_out(messages, self.by_data)
        print(f"{len(messages)} messages by DATA, octet for octet", flush=True)

    def test_the_corpus_by_bdat(self):
        messages = self.read_corpus()
        self.in_and_out(messages, self.by_bdat)
        print(f"{len(messages)} messages by BDAT, octet for octet", flush=True)


if __name__ == "__main__":
    need("openssl")
    if not corpus_files():
        print(f"no corpus in {corpus_folder()}: only the made messages are tried", flush=True)
    unittest.main(verbosity=2)
