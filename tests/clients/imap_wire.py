"""FETCH responses taken apart strictly (RFC 9051 section 9).

A response is read whole, literals and all, and taken apart into Python values: NIL is None, numbers are int, strings bytes,
atoms str, parenthesised lists list. Every wait ends after `timeout` seconds.
"""

import re

import imap_support
import wire

ATOM = re.compile(rb"[^ ()\"{}\[\]]+")


class ImapError(wire.ProtocolError):
    """The server answered a command with NO or BAD, or something that the grammar does not allow."""


class Reader:
    """Takes apart one response: `octets` without its last CRLF, literals in it."""

    def __init__(self, octets):
        self.octets = octets
        self.at = 0

    def fail(self, what):
        raise ImapError(f"{what} at {self.octets[self.at:self.at + 60]!r}")

    def accept(self, text):
        if not self.octets.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def expect(self, text):
        if not self.accept(text):
            self.fail(f"expected {text!r}")

    def number(self):
        found = re.compile(rb"\d+").match(self.octets, self.at)
        if found is None:
            self.fail("expected a number")
        self.at = found.end()
        return int(found.group())

    def string(self):
        """A quoted string or a literal; None where there is neither."""
        if self.accept(b'"'):
            found = re.compile(rb'((?:[^"\\\r\n]|\\["\\])*)"').match(self.octets, self.at)
            if found is None:
                self.fail("a bad quoted string")
            self.at = found.end()
            return re.sub(rb'\\(["\\])', rb"\1", found.group(1))
        found = re.compile(rb"~?\{(\d+)\}\r\n").match(self.octets, self.at)
        if found is None:
            return None
        begin = found.end()
        self.at = begin + int(found.group(1))
        return self.octets[begin:self.at]

    def value(self):
        if self.accept(b"("):
            return self.rest_of_list()
        text = self.string()
        if text is not None:
            return text
        found = ATOM.match(self.octets, self.at)
        if found is None:
            self.fail("expected a value")
        self.at = found.end()
        atom = found.group()
        if atom == b"NIL":
            return None
        return int(atom) if atom.isdigit() else atom.decode()

    def rest_of_list(self):
        """RFC 9051 has a blank between two values of a list, but for addresses and parts of a multipart, which touch."""
        values = []
        while not self.accept(b")"):
            if values and not self.octets.startswith(b"(", self.at):
                self.expect(b" ")
            elif values:
                self.accept(b" ")
            values.append(self.value())
        return values

    def fetch_items(self):
        """The data items of a FETCH response, by name as the server wrote it."""
        items = {}
        self.expect(b"(")
        while not self.accept(b")"):
            if items:
                self.expect(b" ")
            name = self.item_name()
            self.expect(b" ")
            if name in items:
                self.fail(f"{name} came twice")
            items[name] = self.value()
        return items

    def item_name(self):
        begin = self.at
        found = re.compile(rb"[A-Za-z0-9.]+").match(self.octets, self.at)
        if found is None:
            self.fail("expected an item's name")
        self.at = found.end()
        if self.accept(b"["):
            while not self.accept(b"]"):
                if self.string() is None:
                    self.at += 1
            found = re.compile(rb"(<\d+>)?").match(self.octets, self.at)
            self.at = found.end()
        return self.octets[begin:self.at].decode("latin-1")


class Imap(imap_support.Imap):
    """Reads FETCH responses as strictly as the grammar has them."""

    def ask(self, line, expect="OK"):
        """Sends it and returns (untagged responses, tagged status line without its tag)."""
        tag = self.begin(line)
        untagged = []
        while not (response := self.read_response()).startswith(tag + b" "):
            untagged.append(response)
        status = response[len(tag) + 1:].decode("utf-8", "replace")
        if expect is not None and not status.startswith(expect):
            raise ImapError(f"{line}: {status}")
        return untagged, status

    def fetch(self, numbers, items, expect="OK"):
        """{message number: {item: value}}, and the tagged status. Responses of several parts are put together."""
        untagged, status = self.ask(f"FETCH {numbers} {items}", expect)
        messages = {}
        for response in untagged:
            found = re.match(rb"\* (\d+) FETCH ", response)
            if found is None:
                continue
            reader = Reader(response)
            reader.at = found.end()
            messages.setdefault(int(found.group(1)), {}).update(reader.fetch_items())
            if reader.at != len(response):
                reader.fail("something after the response")
        return messages, status
