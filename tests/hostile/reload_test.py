"""Reload and stop: a bad file changes nothing and says why, switches are in force at once, SIGTERM ends politely."""

import json
import os
import signal
import socket
import ssl
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))

import wire  # noqa: E402
from twinpost_server import Server, make_certificate, message, need  # noqa: E402

ANN = "ann@example.org"
BOB = "bob@example.org"
PASSWORD = "secret"


def account(password=PASSWORD, **more):
    return {"password": "{PLAIN}" + password, **more}


class Reload(unittest.TestCase):
    last_log = ""

    def setUp(self):
        self.server = Server({ANN: PASSWORD, BOB: PASSWORD})
        self.addCleanup(self.server.remove)
        self.server.deliver(ANN, message("One"))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(f"{self.id()} failed\n{self.last_log}", file=sys.stderr)

    def tearDown(self):
        self.last_log = self.server.log_tail()

    def login(self, user=ANN, password=PASSWORD):
        pop3 = wire.Pop3(self.server.pop3)
        self.addCleanup(pop3.close)
        pop3.login(user, password)
        return pop3

    def reload_and_wait(self, event):
        start = len(self.server.log())
        self.server.reload()
        self.server.wait_for_log(f"event={event}", start=start)
        return [line for line in self.server.log()[start:].splitlines() if f"event={event}" in line][0]

    def assert_unchanged(self):
        self.login().quit()
        self.server.deliver(BOB, message("Still accepted"))

    def test_a_bad_accounts_file_changes_nothing_and_says_why(self):
        session = self.login(BOB)
        for text, why in (("{", "line 1"),
                          (json.dumps({"version": 1, "accounts": {ANN: {"password": "plain"}}}), "password"),
                          (json.dumps({"version": 1, "accounts": {ANN: account(protocol={})}}), "protocols"),
                          (json.dumps({"version": 1, "acounts": {}}), "accounts")):
            with open(self.server.accounts_path, "w", encoding="utf-8") as file:
                file.write(text)
            line = self.reload_and_wait("reload-failed")
            self.assertIn("accounts.json", line)
            self.assertIn(why, line)
            self.assert_unchanged()
        session.command("NOOP")
        self.server.write_accounts({ANN: "another", BOB: PASSWORD})
        self.reload_and_wait("reloaded")
        self.login(ANN, "another").quit()

    def test_a_bad_server_file_changes_nothing_and_says_why(self):
        for settings, why in (({"listen": {"pop3": 7}}, "listen.pop3"), ({"limits": {"conections": 1}}, "connections"),
                              ({"tls": {"key": "/nonexistent"}}, "/nonexistent"), ({"data": "/nonexistent"}, "data")):
            self.server.settings = settings
            self.server.write_config()
            self.assertIn(why, self.reload_and_wait("reload-failed"))
            self.assert_unchanged()

    def test_an_address_that_is_taken_changes_nothing(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.server.settings = {"listen": {"pop3": ["127.0.0.1:%d" % self.server.pop3[1],
                                                        "127.0.0.1:%d" % taken.getsockname()[1]]}}
            self.server.write_config()
            self.assertIn("listens there", self.reload_and_wait("reload-failed"))
            self.assert_unchanged()

    def test_pop3_switched_off_ends_the_session_within_a_second(self):
        ann, bob = self.login(ANN), self.login(BOB)
        ann.command("DELE 1")
        self.server.write_accounts({ANN: account(protocols={"pop3": False}), BOB: account()})
        began = time.monotonic()
        self.server.reload()
        self.assertTrue(ann.closed_by_server())
        self.assertLess(time.monotonic() - began, 1.0)
        bob.command("NOOP")
        with self.assertRaises(wire.ProtocolError):
            self.login(ANN)
        self.server.write_accounts({ANN: account(), BOB: account()})
        self.reload_and_wait("reloaded")
        self.assertEqual(self.login(ANN).stat()[0], 1, "a session that was ended has removed nothing")

    def test_a_changed_file_is_seen_without_a_signal(self):
        start = len(self.server.log())
        self.server.write_accounts({ANN: "changed", BOB: PASSWORD})
        self.server.wait_for_log("event=reloaded", start=start)
        self.login(ANN, "changed").quit()

    def test_a_disabled_account_cannot_log_in_but_receives(self):
        session = self.login(ANN)
        self.server.write_accounts({ANN: account(enabled=False), BOB: account()})
        self.server.reload()
        self.assertTrue(session.closed_by_server())
        with self.assertRaises(wire.ProtocolError):
            self.login(ANN)
        self.server.deliver(ANN, message("For later"))
        self.server.write_accounts({ANN: account(), BOB: account()})
        self.reload_and_wait("reloaded")
        self.assertEqual(self.login(ANN).stat()[0], 2)

    def test_a_new_certificate_is_shown_to_new_connections_and_drops_none(self):
        old = wire.Pop3(self.server.pop3s, tls=wire.trusting_context(self.server.certificate))
        old.login(ANN, PASSWORD)
        certificate, key = make_certificate(self.server.folder, prefix="renewed")
        self.server.settings = {"tls": {"certificate": certificate, "key": key}}
        self.server.write_config()
        self.reload_and_wait("reloaded")
        self.assertEqual(old.stat()[0], 1)
        old.quit()
        wire.Pop3(self.server.pop3s, tls=wire.trusting_context(certificate)).quit()
        with self.assertRaises(ssl.SSLError):
            wire.Pop3(self.server.pop3s, tls=wire.trusting_context(self.server.certificate))

    def test_listeners_come_and_go_with_a_reload(self):
        session = self.login(BOB)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.server.settings = {"listen": {"pop3": [f"127.0.0.1:{port}"]}}
        self.server.write_config()
        self.reload_and_wait("reloaded")
        session.command("NOOP")
        wire.Pop3(("127.0.0.1", port)).quit()
        with self.assertRaises(OSError):
            wire.Pop3(self.server.pop3)

    def test_sigterm_ends_politely_and_keeps_what_was_acknowledged(self):
        session = self.login(BOB)
        lmtp = wire.Lmtp(self.server.lmtp)
        self.addCleanup(lmtp.close)
        self.assertEqual(lmtp.deliver("sam@example.net", [ANN], message("Acknowledged"))[0][0], 250)
        lmtp.envelope("sam@example.net", [ANN])
        lmtp.command("DATA")
        lmtp.send(b"Subject: never finished\r\n\r\n")
        began = time.monotonic()
        self.server.stop(wait_seconds=15)
        self.assertLess(time.monotonic() - began, 12)
        self.assertTrue(session.closed_by_server())
        rest = b""
        try:
            while piece := lmtp.endpoint.recv(4096):
                rest += piece
        except ConnectionError:
            pass
        self.assertTrue(rest.startswith(b"421 "), rest)
        self.assertFalse(os.path.exists(self.server.lmtp_socket), "a Unix socket is unlinked at the end")
        self.server.start()
        mail = self.server.maildrop(ANN, PASSWORD)
        self.assertEqual(len(mail), 2)

    def test_sigterm_with_nobody_there_ends_at_once(self):
        began = time.monotonic()
        self.server.stop(wait_seconds=10)
        self.assertLess(time.monotonic() - began, 3)

    def test_sigint_is_the_same(self):
        self.server.process.send_signal(signal.SIGINT)
        self.assertEqual(self.server.process.wait(10), 0)

    def test_a_signal_storm_does_no_harm(self):
        for _ in range(200):
            self.server.reload()
        self.reload_and_wait("reloaded")
        self.assert_unchanged()


if __name__ == "__main__":
    need("openssl")
    unittest.main(verbosity=2)
