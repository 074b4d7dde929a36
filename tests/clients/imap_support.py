"""IMAP as octets, and what the tests of IMAP clients share.

Imap is a small client that hides nothing: it shows responses as parsed lists and keeps every octet that was sent. The tests use it
(and POP3, see wire.py) as their second route to what the store holds, beside what the client under test says of itself.
"""

import atexit
import base64
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import unittest

import wire
from twinpost_server import PROJECT, ServerTest, message, skip

PASSWORD = "a secret, with \"quotes\" and \\"
ATOM_END = re.compile(rb"[ ()\r]")
LITERAL = re.compile(rb"~?\{(\d+)\}\r\n")


class No(wire.ProtocolError):
    """A tagged NO or BAD."""


def parse(octets, position=0, inside=False):
    """A response's words from `position` on as a list: atoms, quoted strings and literals are bytes, a list is a list and NIL is
    None. Returns the list, and where it ended."""
    words = []
    while position < len(octets):
        first = octets[position : position + 1]
        if first == b" ":
            position += 1
        elif first == b"(":
            inner, position = parse(octets, position + 1, True)
            words.append(inner)
        elif first == b")":
            if not inside:
                raise wire.ProtocolError(f"a list ends that never began: {octets[:300]!r}")
            return words, position + 1
        elif first == b'"':
            word = bytearray()
            position += 1
            while octets[position : position + 1] != b'"':
                position += octets[position : position + 1] == b"\\"
                if position >= len(octets):
                    raise wire.ProtocolError(f"a quoted string without an end: {octets[:300]!r}")
                word += octets[position : position + 1]
                position += 1
            words.append(bytes(word))
            position += 1
        elif literal := LITERAL.match(octets, position):
            size = int(literal[1])
            words.append(octets[literal.end() : literal.end() + size])
            position = literal.end() + size
        else:
            # BODY[HEADER.FIELDS (A B)]<0> is one word.
            depth = 0
            start = position
            while position < len(octets):
                c = octets[position : position + 1]
                depth += (c == b"[") - (c == b"]")
                if depth <= 0 and ATOM_END.match(c):
                    break
                position += 1
            word = octets[start:position]
            words.append(None if word.upper() == b"NIL" else word)
    if inside:
        raise wire.ProtocolError(f"a list that does not end: {octets[:300]!r}")
    return words, position


def quoted(text):
    octets = text if isinstance(text, bytes) else text.encode()
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


class Imap(wire.Channel):
    """A failed command raises No. Untagged responses that no caller took are in self.untagged, oldest first, as octets."""

    def __init__(self, address, timeout=20.0, tls=None, name="localhost"):
        super().__init__(wire.connect(address, timeout))
        if tls is not None:
            try:
                self.start_tls(tls, name)
            except OSError:
                self.close()
                raise
        self.count = 0
        self.untagged = []
        self.greeting = self.read_response()

    def read_response(self):
        """One response without its last CRLF, literals in it as they came."""
        octets = b""
        while True:
            octets += self.read_line()
            literal = re.search(rb"~?\{(\d+)\}$", octets)
            if literal is None:
                return octets
            size = int(literal[1])
            while len(self.buffer) < size:
                self.fill()
            octets += b"\r\n" + bytes(self.buffer[:size])
            del self.buffer[:size]

    def finish(self, tag):
        """Reads up to the tagged response; returns its text and the untagged responses before it, without their `* `."""
        untagged = []
        while True:
            response = self.read_response()
            if response.startswith(b"* "):
                untagged.append(response[2:])
            elif response.startswith(tag + b" "):
                text = response[len(tag) + 1 :]
                if not text.startswith(b"OK"):
                    raise No(text.decode("utf-8", "replace"))
                self.untagged += untagged
                return text, untagged
            else:
                raise wire.ProtocolError(f"neither untagged nor tagged {tag.decode()}: {response[:200]!r}")

    def begin(self, line):
        """Sends a command; `line` is text, or a list of text and (literal,) tuples, which go as LITERAL+."""
        self.count += 1
        tag = b"x%d" % self.count
        octets = bytearray(tag + b" ")
        for piece in [line] if isinstance(line, (str, bytes)) else line:
            if isinstance(piece, tuple):
                octets += b"{%d+}\r\n%b" % (len(piece[0]), piece[0])
            else:
                octets += piece.encode() if isinstance(piece, str) else piece
        self.send(bytes(octets) + b"\r\n")
        return tag

    def command(self, line):
        return self.finish(self.begin(line))

    def untagged_of(self, line):
        return self.command(line)[1]

    def login(self, user, password):
        self.command([b"LOGIN ", quoted(user), b" ", quoted(password)])
        return self

    def starttls(self, context, name="localhost"):
        self.command("STARTTLS")
        self.start_tls(context, name)

    def select(self, mailbox, read_only=False):
        """Returns how many messages there are."""
        lines = self.untagged_of([b"EXAMINE " if read_only else b"SELECT ", quoted(mailbox)])
        return next(int(line.split(b" ")[0]) for line in lines if line.endswith(b" EXISTS"))

    def mailboxes(self, pattern="*", options=""):
        """{name: attributes} of those that can be selected."""
        found = {}
        for line in self.untagged_of([f"LIST {options}\"\" ", quoted(pattern)]):
            words, _ = parse(line)
            if words[0] == b"LIST" and not {b"\\NOSELECT", b"\\NONEXISTENT"} & {word.upper() for word in words[1]}:
                found[words[3].decode()] = frozenset(word.decode() for word in words[1])
        return found

    def status(self, mailbox, *items):
        lines = self.untagged_of([b"STATUS ", quoted(mailbox), f" ({' '.join(items)})"])
        words, _ = parse(next(line for line in lines if line.startswith(b"STATUS ")))
        return {words[2][i].decode().upper(): words[2][i + 1] for i in range(0, len(words[2]), 2)}

    def fetch(self, messages, items, uid=True):
        """{uid: {item: value}}"""
        found = {}
        for line in self.untagged_of(f"{'UID ' if uid else ''}FETCH {messages} (UID {items})"):
            words, _ = parse(line)
            if len(words) == 3 and words[1] == b"FETCH":
                values = {words[2][i].decode().upper(): words[2][i + 1] for i in range(0, len(words[2]), 2)}
                if "UID" in values:
                    found.setdefault(int(values["UID"]), {}).update(values)
        return found

    def messages(self, mailbox):
        """{uid: (flags without \\Recent, octets)} of a mailbox, which stays as it is."""
        if self.select(mailbox, read_only=True) == 0:
            return {}
        return {uid: (frozenset(flag.decode() for flag in values["FLAGS"]) - {"\\Recent"}, values["BODY[]"])
                for uid, values in self.fetch("1:*", "FLAGS BODY.PEEK[]").items()}

    def append(self, mailbox, octets, flags="", date=""):
        """Returns the new UID."""
        line = [b"APPEND ", quoted(mailbox), f" ({flags})", f' "{date}" ' if date else " ", (octets,)]
        return int(re.search(rb"\[APPENDUID \d+ (\d+)\]", self.command(line)[0])[1])

    def idle(self):
        tag = self.begin("IDLE")
        while not (response := self.read_response()).startswith(b"+"):
            self.untagged.append(response)
        return tag

    def done(self, tag):
        self.send(b"DONE\r\n")
        return self.finish(tag)[1]

    def logout(self):
        try:
            self.command("LOGOUT")
        finally:
            self.close()


class ImapTest(ServerTest):
    """A server with one account per test method, so that none finds another's mail: self.user, with self.password."""

    password = PASSWORD

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        names = unittest.defaultTestLoader.getTestCaseNames(cls)
        cls.users = {name: f"user{i + 1}@example.org" for i, name in enumerate(names)}
        cls.accounts = {user: cls.password for user in cls.users.values()}

    def setUp(self):
        self.user = self.users[self._testMethodName]
        self.context = wire.trusting_context(self.server.certificate)
        self.home = os.path.join(self.server.folder, self.user)
        os.mkdir(self.home, 0o700)

    def run(self, result=None):
        try:
            return super().run(result)
        except TooLong:
            print(f"{self.id()} was running\n{self.server.log_tail()}", file=sys.stderr, flush=True)
            raise

    def start_client(self, command, **options):
        """A client that runs beside the test, and ends with it in any case. Returns its Popen; its output is in a file, see below."""
        with open(os.path.join(self.home, "output"), "wb") as output:
            process = subprocess.Popen(command, stdin=options.pop("stdin", subprocess.DEVNULL), stdout=output, stderr=output, **options)
        atexit.register(end, process)
        self.addCleanup(end, process)
        return process

    def client_output(self):
        with open(os.path.join(self.home, "output"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def address(self, security="tls"):
        return self.server.imaps if security == "tls" else self.server.imap

    def imap(self, security="tls"):
        """A raw session, logged in."""
        session = Imap(self.address(security), tls=self.context if security == "tls" else None)
        self.addCleanup(session.close)
        if security == "starttls":
            session.starttls(self.context)
        return session.login(self.user, self.password)

    def truth(self, mailbox="INBOX"):
        """{uid: (flags, octets)} by a session of its own."""
        session = self.imap()
        messages = session.messages(mailbox)
        session.logout()
        return messages

    def octets_of(self, mailbox="INBOX"):
        """The messages' octets in the order of their UIDs."""
        return [octets for _, (_, octets) in sorted(self.truth(mailbox).items())]

    def flags_by_subject(self, mailbox="INBOX"):
        return {subject_of(octets): flags for flags, octets in self.truth(mailbox).values()}

    def maildrop(self):
        """The same INBOX by POP3."""
        return self.server.maildrop(self.user, self.password)

    def deliver(self, *messages):
        self.server.deliver(self.user, *messages)

    def state_of(self, mailboxes):
        """What every change of a mailbox changes: equal before and after where nothing was done."""
        session = self.imap()
        items = ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ", "MESSAGES", "UNSEEN")
        state = {name: session.status(name, *items) for name in mailboxes}
        session.logout()
        return state

    def wait_until(self, condition, what, seconds=20.0):
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            if time.monotonic() > deadline:
                self.fail(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.05)
        return result


def subject_of(octets):
    found = re.search(rb"^Subject: (.*?)\r?$", octets, re.M)
    return found[1].decode() if found else None


def numbered(count, prefix="Message", sizes=(0, 40, 400, 4000)):
    """Different messages whose bodies are easy to spoil: dots, 8-bit octets, empty lines, lines that look like a mailbox's."""
    chance = random.Random(count)
    messages = []
    for i in range(count):
        body = f"{i}: Grüße — .\r\n.\r\n..dots\r\nFrom here on\r\n\r\n"
        fill = chance.choice(sizes)
        body += "".join(f"line {n} {chance.getrandbits(64):x}\r\n" for n in range(fill // 20))
        messages.append(message(f"{prefix} {i}", body + ("\r\n" * (i % 3))))
    return messages


def with_attachment(octets, subject="An attachment", size_of_text=0):
    """A multipart message: a text, and an attachment of these octets in base64."""
    encoded = base64.encodebytes(octets).decode().replace("\n", "\r\n")
    head, _, _ = message(subject, "x").partition(b"\r\n\r\n")
    return head + (
        '\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b1"\r\n\r\nA preamble.\r\n--b1\r\n'
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"Die Übersicht.\r\n{'.' * size_of_text}\r\n--b1\r\n"
        'Content-Type: application/octet-stream; name="figures.bin"\r\nContent-Disposition: attachment; filename="figures.bin"\r\n'
        f"Content-Transfer-Encoding: base64\r\n\r\n{encoded}--b1--\r\n").encode()


def clean_environment(home, **more):
    """For clients: nothing of the caller's own mail settings is read, and messages are in English."""
    return {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "HOME": home, "LC_ALL": "C.UTF-8", "TERM": "xterm",
            "TMPDIR": home, **more}


def need_npm(*packages):
    """Skips the test where npm's packages are not there; in CI, where all must be, that fails. Returns their folder."""
    folder = os.path.join(os.environ.get("TWINPOST_NPM") or os.path.join(PROJECT, "build", "npm"), "node_modules")
    for name in packages:
        if not os.path.isfile(os.path.join(folder, name, "package.json")):
            reason = f"npm's package {name} is not in {os.path.relpath(folder)} (tools/install-dependencies --test)"
            if os.environ.get("CI"):
                sys.exit(reason)
            skip(reason)
    return folder


class NodeTest(ImapTest):
    """For clients of node.js: tests/clients/npm/`script` plays a scenario and asks this test for what others do meanwhile."""

    script = ""
    modules = ""  # the node_modules folder

    def setUp(self):
        super().setUp()
        self.delivered = 0

    def play(self, scenario, security, **environment):
        command = ["node", os.path.join(PROJECT, "tests", "clients", "npm", self.script), scenario]
        output_path = os.path.join(self.home, "output")
        with open(output_path, "wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
                env=clean_environment(self.home, NODE_PATH=self.modules, PORT=str(self.address(security)[1]), SECURITY=security,
                                      CERTIFICATE=self.server.certificate, MAIL_USER=self.user, MAIL_PASSWORD=self.password, **environment))
        atexit.register(end, process)
        try:
            for line in process.stdout:
                name, *arguments = json.loads(line)
                answer = getattr(self, "do_" + name)(*arguments)
                process.stdin.write(json.dumps(answer).encode() + b"\n")
                process.stdin.flush()
            status = process.wait(20)
        except BrokenPipeError:
            status = process.wait(20)
        finally:
            end(process)
            process.stdin.close()
            process.stdout.close()
        with open(output_path, encoding="utf-8", errors="replace") as file:
            self.assertEqual(status, 0, f"{scenario} over {security}\n{file.read()}")

    def do_truth(self, mailbox):
        return [{"uid": uid, "flags": sorted(flags), "size": len(octets), "sha256": hashlib.sha256(octets).hexdigest(),
                 "subject": subject_of(octets)} for uid, (flags, octets) in sorted(self.truth(mailbox).items())]

    def do_deliver(self, count):
        for _ in range(count):
            self.deliver(message(f"Delivered {self.delivered}", f"{self.delivered}\r\n"))
            self.delivered += 1

    def do_store(self, uid, flags):
        session = self.imap()
        session.select("INBOX")
        session.command(f"UID STORE {uid} +FLAGS.SILENT ({flags})")
        session.logout()

    def do_expunge(self, uid):
        self.do_store(uid, "\\Deleted")
        session = self.imap()
        session.select("INBOX")
        session.command(f"UID EXPUNGE {uid}")
        session.logout()

    def do_pop3_and_deliver(self):
        """POP3 removes the first message, then one arrives."""
        pop3 = wire.Pop3(self.server.pop3)
        pop3.login(self.user, self.password)
        pop3.command("DELE 1")
        pop3.quit()
        self.do_deliver(2)


class TooLong(KeyboardInterrupt):
    """unittest ends at once with a KeyboardInterrupt; it takes every other exception for the failure of one test."""


def watchdog(seconds):
    """Ends this program, with what it started, where it takes longer than this."""

    def too_long(*_):
        raise TooLong(f"the tests took more than {seconds:.0f} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int(seconds) * (10 if os.environ.get("TWINPOST_SANITIZE") else 1))


def main(seconds=120):
    watchdog(seconds)
    unittest.main(verbosity=2)


def end(process, seconds=10):
    """Ends a process that the test started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
