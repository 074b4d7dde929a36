"""LMTP and POP3 as octets: clients that hide nothing of what the server sends.

The standard library's poplib gives up on lines over 2,048 octets and smtplib.LMTP shows one reply for many recipients; the
tests need both seen exactly. Every wait ends after `timeout` seconds.
"""

import socket
import ssl


class ProtocolError(Exception):
    """The server refused, or answered something that the protocol does not allow."""


class Closed(ProtocolError):
    """The server closed the connection."""


def connect(address, timeout=20.0):
    """`address` is a (host, port) pair or the path of a Unix socket."""
    if isinstance(address, str):
        endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        endpoint.settimeout(timeout)
        try:
            endpoint.connect(address)
        except OSError:
            endpoint.close()
            raise
        return endpoint
    endpoint = socket.create_connection(address, timeout)
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return endpoint


def trusting_context(ca_file=None):
    """A TLS client that trusts `ca_file` and checks names; without it, one that takes any certificate."""
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Channel:
    """Lines and octets over one socket."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.buffer = bytearray()

    def send(self, octets):
        self.endpoint.sendall(octets)

    def fill(self):
        piece = self.endpoint.recv(262144)
        if not piece:
            raise Closed("the server closed the connection")
        self.buffer += piece

    def read_line(self):
        start = 0
        while True:
            end = self.buffer.find(b"\n", start)
            if end >= 0:
                line = bytes(self.buffer[: end + 1])
                del self.buffer[: end + 1]
                if not line.endswith(b"\r\n"):
                    raise ProtocolError(f"a reply line without CRLF: {line[:80]!r}")
                return line[:-2]
            start = len(self.buffer)
            self.fill()

    def read_dotted(self):
        """A multi-line response up to the line with one dot, unstuffed (RFC 1939 section 3)."""
        searched = 0
        while True:
            if self.buffer.startswith(b".\r\n"):
                del self.buffer[:3]
                return b""
            end = self.buffer.find(b"\r\n.\r\n", searched)
            if end >= 0:
                body = bytes(self.buffer[: end + 2])
                del self.buffer[: end + 5]
                break
            searched = max(0, len(self.buffer) - 4)
            self.fill()
        if body.startswith(b"."):
            body = body[1:]
        return body.replace(b"\r\n.", b"\r\n")

    def closed_by_server(self):
        """True once the server has closed; waits for it up to the socket's timeout."""
        try:
            while self.endpoint.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    def start_tls(self, context, name="localhost"):
        if self.buffer:
            raise ProtocolError("octets before the handshake")
        self.endpoint = context.wrap_socket(self.endpoint, server_hostname=name)

    def close(self):
        self.endpoint.close()


class Lmtp(Channel):
    """RFC 2033. Replies are (code, text) with the lines of the text joined by newlines."""

    def __init__(self, address, timeout=20.0, hello=True):
        super().__init__(connect(address, timeout))
        self.greeting = self.reply()
        self.extensions = []
        if hello:
            self.hello()

    def hello(self):
        code, text = self.command("LHLO client.example.net")
        if code != 250:
            raise ProtocolError(f"LHLO: {code} {text}")
        self.extensions = text.split("\n")[1:]

    def reply(self):
        texts = []
        while True:
            line = self.read_line().decode("utf-8", "replace")
            if len(line) < 3 or not line[:3].isdigit():
                raise ProtocolError(f"not an LMTP reply: {line!r}")
            texts.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(texts)

    def command(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def envelope(self, sender, recipients, parameters=""):
        """MAIL and RCPTs, pipelined. Returns the replies to RCPT."""
        lines = [f"MAIL FROM:<{sender}>{parameters}"] + [f"RCPT TO:<{r}>" for r in recipients]
        self.send("".join(line + "\r\n" for line in lines).encode())
        code, text = self.reply()
        if code != 250:
            raise ProtocolError(f"MAIL: {code} {text}")
        return [self.reply() for _ in recipients]

    def deliver(self, sender, recipients, message):
        """One transaction with DATA. One reply per recipient, in their order: that to RCPT where it was refused."""
        replies = self.envelope(sender, recipients)
        accepted = [i for i, (code, _) in enumerate(replies) if code == 250]
        if not accepted:
            self.command("RSET")
            return replies
        code, text = self.command("DATA")
        if code != 354:
            raise ProtocolError(f"DATA: {code} {text}")
        self.send(dot_stuffed(message))
        for i in accepted:
            replies[i] = self.reply()
        return replies

    def deliver_chunks(self, sender, recipients, message, chunk_octets=100_000):
        """The same with BDAT (RFC 3030)."""
        replies = self.envelope(sender, recipients, " BODY=8BITMIME")
        accepted = [i for i, (code, _) in enumerate(replies) if code == 250]
        if not accepted:
            self.command("RSET")
            return replies
        pieces = [message[i : i + chunk_octets] for i in range(0, len(message), chunk_octets)] or [b""]
        for piece in pieces[:-1]:
            self.send(f"BDAT {len(piece)}\r\n".encode() + piece)
            code, text = self.reply()
            if code != 250:
                raise ProtocolError(f"BDAT: {code} {text}")
        self.send(f"BDAT {len(pieces[-1])} LAST\r\n".encode() + pieces[-1])
        for i in accepted:
            replies[i] = self.reply()
        return replies

    def quit(self):
        try:
            return self.command("QUIT")
        finally:
            self.close()


class Pop3(Channel):
    """RFC 1939. A failed command raises ProtocolError with the server's line."""

    def __init__(self, address, timeout=20.0, tls=None, name="localhost"):
        super().__init__(connect(address, timeout))
        if tls is not None:
            try:
                self.start_tls(tls, name)
            except OSError:
                self.close()
                raise
        self.greeting = self.reply()

    def reply(self):
        line = self.read_line().decode("utf-8", "replace")
        if not line.startswith("+OK"):
            raise ProtocolError(line)
        return line[4:]

    def command(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def login(self, user, password):
        self.command(f"USER {user}")
        return self.command(f"PASS {password}")

    def stls(self, context, name="localhost"):
        self.command("STLS")
        self.start_tls(context, name)

    def capabilities(self):
        self.command("CAPA")
        return self.read_dotted().decode().split("\r\n")[:-1]

    def stat(self):
        count, octets = self.command("STAT").split(" ")[:2]
        return int(count), int(octets)

    def sizes(self):
        """{number: octets}"""
        self.command("LIST")
        return {int(n): int(size) for n, size in (line.split(b" ") for line in self.read_dotted().splitlines())}

    def uidls(self):
        """{number: uidl}"""
        self.command("UIDL")
        pairs = (line.split(b" ") for line in self.read_dotted().splitlines())
        return {int(n): uidl.decode() for n, uidl in pairs}

    def retrieve(self, number):
        self.command(f"RETR {number}")
        return self.read_dotted()

    def retrieve_all(self, numbers):
        """The messages in turn, their RETR commands pipelined some at a time (RFC 2449 section 6.6)."""
        numbers = list(numbers)
        window = 16
        for first in range(0, len(numbers), window):
            batch = numbers[first : first + window]
            self.send(b"".join(b"RETR %d\r\n" % n for n in batch))
            for number in batch:
                self.reply()
                yield number, self.read_dotted()

    def quit(self):
        try:
            return self.command("QUIT")
        finally:
            self.close()


def dot_stuffed(message):
    """The octets to send after DATA's 354 (RFC 5321 section 4.5.2), with the final dot. A missing last CRLF is added
    because DATA cannot say a message without one."""
    # Only after CRLF: a bare LF ends no line of the protocol (RFC 5321 section 2.3.8).
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    if stuffed and not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    return stuffed + b".\r\n"


def canonical(message):
    """The line-end rule: CRLF stays, a bare LF becomes CRLF, a bare CR and NUL stay, a missing last CRLF is added."""
    result = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if result and not result.endswith(b"\r\n"):
        result += b"\r\n"
    return result
