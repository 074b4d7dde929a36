"""A Twinpost of its own for a test: temporary folder, certificate, configuration, daemon on free loopback ports.

    with Server(accounts={"ann@example.org": "secret"}) as server:
        lmtp = wire.Lmtp(server.lmtp)

The programs are found by the environment variables TWINPOSTD and TWINPOST (ctest sets them), else in build/release/tools.
Whatever fails shows the server's log. Nothing listens anywhere but on 127.0.0.1 and in the temporary folder.
"""

import atexit
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import wire

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77  # ctest's SKIP_RETURN_CODE for these tests


def program(variable, name):
    path = os.environ.get(variable) or os.path.join(PROJECT, "build", "release", "tools", name)
    if not os.access(path, os.X_OK):
        sys.exit(f"{name} is not built: {path} (set {variable})")
    return path


def skip(reason):
    print(f"skipped: {reason}", flush=True)
    sys.exit(SKIPPED)


def need(*programs):
    """Skips the whole test where one of the programs is not installed; in CI, where all must be, that fails."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for name in programs:
        if shutil.which(name, path=path) is None:
            reason = f"{name} is not installed (tools/install-dependencies --test)"
            if os.environ.get("CI"):
                sys.exit(reason)
            skip(reason)


def corpus_folder():
    return os.environ.get("TWINPOST_CORPUS") or os.path.join(PROJECT, "..", "shared", "corpus")


def free_port():
    """A port that nobody has now. Below the range that outgoing connections take theirs from, so that it stays free."""
    for _ in range(1000):
        port = random.randint(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port on 127.0.0.1")


def make_certificate(folder, name="localhost", prefix="server"):
    """A self-signed certificate for `name` and 127.0.0.1. Returns the paths of certificate and key."""
    certificate = os.path.join(folder, prefix + ".crt")
    key = os.path.join(folder, prefix + ".key")
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", key, "-out", certificate])
    return certificate, key


def run(command, timeout=60, expect=0, **options):
    """Runs a program to its end. `expect` is its exit status, a tuple of them, or None for any. Returns what it printed."""
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    if "input" in options:
        options.pop("stdin")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, **options)
    allowed = expect if isinstance(expect, tuple) else (expect,)
    output = done.stdout.decode("utf-8", "replace")
    if expect is not None and done.returncode not in allowed:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{output}")
    return output


def message(subject, body="Hello.\r\n", sender="sam@example.net", to="ann@example.org"):
    """A small message, CRLF line ends."""
    return (f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{abs(hash((subject, body)))}@example.net>\r\n\r\n{body}").encode()


class Server:
    """`accounts` is {name: password} or {name: {the object of accounts.json}}; `settings` are merged into twinpost.json over what
    is made here (an object is merged key by key, a None takes a key out). A Unix socket's mode is 0666 less the daemon's `umask`."""

    def __init__(self, accounts, settings=None, tls=True, start=True, umask=-1):
        self.folder = tempfile.mkdtemp(prefix="twinpost-test-")
        os.chmod(self.folder, 0o755)  # other users' programs (Postfix) must reach the LMTP socket
        atexit.register(self.remove)
        self.process = None
        self.failed_starts = 0
        self.log_path = os.path.join(self.folder, "log")
        self.config_path = os.path.join(self.folder, "twinpost.json")
        self.accounts_path = os.path.join(self.folder, "accounts.json")
        self.data = os.path.join(self.folder, "data")
        self.lmtp_socket = os.path.join(self.folder, "lmtp.sock")
        self.admin_socket = os.path.join(self.folder, "admin.sock")
        self.settings = settings or {}
        self.umask = umask
        self.certificate, self.key = make_certificate(self.folder) if tls else (None, None)
        self.choose_ports()
        self.write_accounts(accounts)
        self.write_config()
        if start:
            self.start()

    def choose_ports(self):
        ports = set()
        while len(ports) < 5:
            ports.add(free_port())
        self.pop3, self.pop3s, self.imap, self.imaps, self.lmtp = (("127.0.0.1", port) for port in ports)

    def config(self):
        listen = {"pop3": ["127.0.0.1:%d" % self.pop3[1]], "pop3s": ["127.0.0.1:%d" % self.pop3s[1]],
                  "lmtp": ["127.0.0.1:%d" % self.lmtp[1], "unix:" + self.lmtp_socket],
                  "imap": ["127.0.0.1:%d" % self.imap[1]], "imaps": ["127.0.0.1:%d" % self.imaps[1]],
                  "http": [], "admin": ["unix:" + self.admin_socket]}
        tls = {"certificate": self.certificate, "key": self.key, "sni": []}
        if self.certificate is None:
            listen["pop3s"] = listen["imaps"] = []
            tls = None
        config = {"version": 1, "data": self.data, "accounts": self.accounts_path, "listen": listen, "tls": tls,
                  "plaintext_login": "loopback", "limits": {"disk_reserve": "16 MiB", "connections": 4000},
                  "log": {"level": "info", "format": "logfmt"}}
        return merged(config, self.settings)

    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(self.config(), file, indent=2)

    def write_accounts(self, accounts):
        entries = {name: {"password": "{PLAIN}" + value} if isinstance(value, str) else value
                   for name, value in accounts.items()}
        temporary = self.accounts_path + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "accounts": entries}, file, indent=2)
        os.chmod(temporary, 0o600)
        os.rename(temporary, self.accounts_path)

    def start(self, wait_seconds=60.0):
        """Starts the daemon and waits until every port answers."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([program("TWINPOSTD", "twinpostd"), "--config", self.config_path],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, umask=self.umask)
        deadline = time.monotonic() + wait_seconds
        listen = self.config()["listen"]
        waiting = [parse_address(a) for kind in ("pop3", "pop3s", "imap", "imaps", "lmtp") for a in listen[kind]]
        while waiting:
            try:
                wire.connect(waiting[0], 1.0).close()
                waiting.pop(0)
            except OSError:
                if self.process.poll() is not None:
                    # Another program may have taken the port since it was chosen.
                    self.failed_starts += 1
                    if "listens there" in self.log() and self.failed_starts < 5:
                        self.choose_ports()
                        self.write_config()
                        return self.start(wait_seconds)
                    raise AssertionError(f"twinpostd ended with status {self.process.returncode}\n{self.log_tail()}")
                if time.monotonic() > deadline:
                    self.kill()
                    raise AssertionError(f"twinpostd did not answer within {wait_seconds:.0f} s\n{self.log_tail()}")
                time.sleep(0.02)

    def stop(self, wait_seconds=30.0):
        """A graceful stop. Fails where the daemon does not end by itself or ends with another status than 0."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"twinpostd did not stop within {wait_seconds:.0f} s of SIGTERM\n{self.log_tail()}") from None
        if status != 0:
            raise AssertionError(f"twinpostd stopped with status {status}\n{self.log_tail()}")

    def restart(self):
        self.stop()
        self.start()

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=60):
        return "--- the server's log (its end)\n" + "\n".join(self.log().splitlines()[-lines:])

    def wait_for_log(self, text, seconds=10.0, start=0):
        """Waits until `text` stands in the log after character `start`."""
        deadline = time.monotonic() + seconds
        while text not in self.log()[start:]:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} did not come into the log\n{self.log_tail()}")
            time.sleep(0.02)

    def deliver(self, recipient, *messages):
        """By LMTP; every one must be accepted."""
        lmtp = wire.Lmtp(self.lmtp)
        for octets in messages:
            for code, text in lmtp.deliver("sam@example.net", [recipient], octets):
                if code != 250:
                    raise AssertionError(f"delivery refused: {code} {text}\n{self.log_tail()}")
        lmtp.quit()

    def maildrop(self, user, password, remove=False):
        """What a POP3 session of the account would fetch, as a list of octets in their order."""
        pop3 = wire.Pop3(self.pop3)
        try:
            pop3.login(user, password)
            messages = [octets for _, octets in pop3.retrieve_all(sorted(pop3.sizes()))]
            if remove:
                for number in range(1, len(messages) + 1):
                    pop3.command(f"DELE {number}")
            pop3.command("QUIT")
        finally:
            pop3.close()
        return messages

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is not None and not issubclass(kind, unittest.SkipTest):
                print(self.log_tail(), file=sys.stderr, flush=True)
            else:
                self.stop()
        finally:
            self.remove()


def parse_address(text):
    if text.startswith("unix:"):
        return text[5:]
    host, port = text.rsplit(":", 1)
    return host, int(port)


def merged(base, over):
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return {key: value for key, value in result.items() if value is not None}


class ServerTest(unittest.TestCase):
    """A test case with one server for all its tests. `accounts` and `settings` as for Server."""

    accounts = {"ann@example.org": "ann's secret", "bob@example.org": "bob's secret"}
    settings = {}
    umask = -1

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.accounts, cls.settings, umask=cls.umask)

    @classmethod
    def tearDownClass(cls):
        try:
            if cls.server.process is not None and not cls.server.alive():
                raise AssertionError(f"twinpostd ended by itself, status {cls.server.process.returncode}\n"
                                     f"{cls.server.log_tail()}")
            cls.server.stop()
        finally:
            cls.server.remove()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result is not None else 0
        super().run(result)
        if result is not None and len(result.failures) + len(result.errors) > before:
            print(f"{self.id()} failed\n{self.server.log_tail()}", file=sys.stderr, flush=True)

    def empty(self, user="ann@example.org"):
        """Takes all mail out of the account's maildrop."""
        self.server.maildrop(user, self.accounts[user], remove=True)
