"""Every message of the corpus, asked of Twinpost and of Dovecot: sizes, envelopes, structures, sections, decoded parts.

Both servers hold the same octets (Twinpost by LMTP, Dovecot in a Maildir). Each difference in their answers to the same FETCH
is named by a category in structure_differences.py, which says who is right and why; one that none explains fails the test.
Set STRUCTURE_LIST=1 to see every difference, STRUCTURE_LIST=<part of a file's name> for those of some messages.

The corpus is a folder of .eml files: TWINPOST_CORPUS, else ../shared/corpus; without it the made ones are compared alone.
Skipped where Dovecot is not installed.
"""

import collections
import os
import re
import unittest

import imap_wire
import wire
from corpus_test import MADE, corpus_files
from dovecot_server import Dovecot, need_dovecot
from structure_differences import Message, differences
from twinpost_server import Server, corpus_folder

USER, PASSWORD = "ann@example.org", "secret"
# What delivery puts above a message.
PREFIX = b"Return-Path: <sam@example.net>\r\nDelivered-To: ann@example.org\r\n"

STRUCTURE = "(RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)"
SECTIONS = [
    "BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "RFC822.HEADER", "BODY.PEEK[TEXT]<3.50>", "BODY.PEEK[]<100.1000>",
    "BODY.PEEK[HEADER.FIELDS (Subject From X-Spam)]", "BODY.PEEK[HEADER.FIELDS.NOT (Received Subject To)]",
    "BODY.PEEK[1]", "BODY.PEEK[1.MIME]", "BODY.PEEK[1.HEADER]", "BODY.PEEK[1.TEXT]", "BODY.PEEK[1.1]", "BODY.PEEK[1.1.MIME]",
    "BODY.PEEK[1.2]", "BODY.PEEK[2]", "BODY.PEEK[2.MIME]", "BODY.PEEK[2.HEADER]", "BODY.PEEK[2.TEXT]", "BODY.PEEK[2.1]",
    "BODY.PEEK[2.1.MIME]", "BODY.PEEK[2.HEADER.FIELDS (Subject Date)]", "BODY.PEEK[3]", "BODY.PEEK[1]<2.40>",
]
BINARY = ["BINARY.SIZE[1]", "BINARY.PEEK[1]", "BINARY.PEEK[1]<5.20>", "BINARY.SIZE[2]", "BINARY.PEEK[2]", "BINARY.PEEK[1.1]"]


def corpus():
    """(name, octets) of every message, canonical, without the fields of delivery."""
    messages = []
    for path in corpus_files():
        with open(path, "rb") as file:
            messages.append((os.path.relpath(path, corpus_folder()), wire.canonical(file.read())))
    return messages + [(f"made-{i}", wire.canonical(octets)) for i, octets in enumerate(MADE)]


class Asker:
    """Asks a server for everything about its messages; connects anew where it hangs up in the middle of an answer."""

    def __init__(self, connect):
        self.connect = connect
        self.imap = None
        self.open()

    def close(self):
        if self.imap is not None:
            self.imap.close()

    def open(self):
        self.close()
        self.imap = self.connect()
        untagged, _ = self.imap.ask("EXAMINE INBOX")
        self.count = next(int(line.split()[1]) for line in untagged if line.endswith(b" EXISTS"))

    def ask(self, number, items):
        """What came, and in place of data the word of the refusal: {"item": Refused}."""
        try:
            messages, status = self.imap.fetch(number, items, expect=None)
        except wire.Closed:
            self.open()
            return {}, "CLOSED"
        return messages.get(number, {}), status

    def everything(self, number):
        answers = {}
        for items in [STRUCTURE, "(" + " ".join(SECTIONS) + ")"]:
            items, status = self.ask(number, items)
            if not status.startswith("OK"):
                raise AssertionError(f"message {number}: {status}")
            answers.update(items)
        for item in BINARY:
            items, status = self.ask(number, item)
            name = re.sub(r"(<\d+)\.\d+>", r"\1>", item.replace(".PEEK", ""))
            answers.update(items if items and status.startswith("OK") else {name: refusal(status)})
        return {name.upper(): value for name, value in answers.items()}


def refusal(status):
    """The code of a NO, as an atom: no message data is an atom."""
    code = status.partition("[")[2].partition("]")[0]
    return "refused: " + (code or status.split()[0])


class Structure(unittest.TestCase):
    maxDiff = None

    def test_answers_are_dovecots_or_explained(self):
        messages = corpus()
        with Dovecot([PREFIX + octets for _, octets in messages]) as dovecot:
            theirs = self.ask_all(dovecot.connect, len(messages))
            print(f"{len(messages)} messages compared with Dovecot {dovecot.version()}")
        settings = {"limits": {"lmtp_loops": 0, "message_size": "64 MiB"}}
        with Server({USER: PASSWORD}, settings) as server:
            server.deliver(USER, *(octets for _, octets in messages))

            def connect():
                imap = imap_wire.Imap(server.imap)
                imap.login(USER, PASSWORD)
                return imap

            ours = self.ask_all(connect, len(messages))
        self.judge([Message(name, a, b) for (name, _), a, b in zip(messages, ours, theirs)])

    def ask_all(self, connect, count):
        asker = Asker(connect)
        self.assertEqual(asker.count, count)
        answers = [asker.everything(number) for number in range(1, count + 1)]
        asker.close()
        return answers

    def judge(self, messages):
        wanted = os.environ.get("STRUCTURE_LIST", "")
        counts = collections.Counter()
        unexplained = []
        for message in messages:
            for difference in differences(message):
                counts[difference.category or "unexplained"] += 1
                if difference.category is None:
                    unexplained.append(difference)
                elif wanted and (wanted == "1" or wanted in message.name):
                    print(difference)
        for category, count in counts.most_common():
            print(f"  {count:5} {category}")
        shown = "\n".join(str(difference) for difference in unexplained[:200])
        self.assertFalse(unexplained, f"{len(unexplained)} differences that nothing explains\n{shown}")


if __name__ == "__main__":
    need_dovecot()
    unittest.main()
