#!/usr/bin/env python3
"""`twinpost import --imap`: mail from a running Dovecot, and from another Twinpost, is the same to clients afterwards, and nothing
has changed at the source."""

import hashlib
import imaplib
import os
import poplib
import re
import socket
import ssl
import subprocess
import threading
import time
import unittest

from dovecot_server import Dovecot, need_dovecot
from twinpost_server import Server, free_port, make_certificate, message, program

ACCOUNT, ACCOUNT_PASSWORD = "ann@example.org", "ann's secret"
POP3_CONFIG = """
protocols = imap pop3
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  chroot =
}}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
service imap-login {{
  inet_listener imaps {{
    port = {imaps}
  }}
}}
"""


def mails(count, size=200):
    return [message(f"number {i}", f"Body {i}.\r\n" + "x" * 70 + "\r\n" + ("filler line\r\n" * (size // 13))) for i in range(count)]


class Source(Dovecot):
    """Dovecot with POP3 and IMAPS beside IMAP."""

    def write_config(self):
        path = super().write_config()
        self.pop3, self.imaps = free_port(), free_port()
        self.certificate, key = make_certificate(self.folder, "mail.example.org", "tls")
        with open(path, "a", encoding="utf-8") as file:
            file.write(POP3_CONFIG.format(pop3=self.pop3, imaps=self.imaps, certificate=self.certificate, key=key))
        return path

    def fill(self):
        imap = imaplib.IMAP4("127.0.0.1", self.port)
        imap.login(self.USER, self.PASSWORD)
        date = '"17-Jul-2021 02:44:25 +0200"'
        for name in ("Work", "Work/2021", '"Work/2021/A &- B"', "Entw&APw-rfe", '"With blank"', "Sent", "Empty"):
            assert imap.create(name)[0] == "OK", name
        # Twinpost subscribes the mailboxes that it makes at the first login, Sent among them.
        for name in ("Work/2021", "Entw&APw-rfe", "INBOX", "Sent"):
            assert imap.subscribe(name)[0] == "OK", name
        for name, flags, octets in [
                ("Work", r"(\Seen \Flagged)", message("seen")), ("Work", r"(\Deleted $Forwarded)", message("deleted")),
                ("Work", "(KeyOne KeyTwo $Junk)", message("keywords")), ("Work/2021", "", mails(1, 5000)[0]),
                ('"Work/2021/A &- B"', r"(\Draft)", message("deep")), ("Entw&APw-rfe", r"(\Answered)", message("umlaut")),
                ('"With blank"', "", b"Subject: \xfc\xe4 8-bit\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"),
                ("Sent", r"(\Seen)", b"no header at all\r\n"), ("Sent", "", b"Subject: no end\r\n\r\nlast line")]:
            assert imap.append(name, flags, date, octets)[0] == "OK", name
        # A gap in the UIDs.
        imap.select("INBOX")
        imap.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        imap.uid("STORE", "1,3", "+FLAGS", r"(\Seen $Label1)")
        imap.logout()


def snapshot(port, user, password):
    """What an IMAP client sees of every folder, and changes nothing."""
    imap = imaplib.IMAP4("127.0.0.1", port)
    imap.login(user, password)
    subscribed = {line.split(b' "/" ')[1].strip(b'"') for line in imap.lsub()[1] if line}
    folders = {}
    for line in imap.list()[1]:
        name = line.split(b' "/" ')[1].strip(b'"').decode()
        assert imap.select(f'"{name}"', readonly=True)[0] == "OK", name
        folder = {"validity": imap.response("UIDVALIDITY")[1][0], "subscribed": name.encode() in subscribed, "messages": {}}
        for part in imap.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
            if part is None or part == b")":
                continue
            # The octets of an empty message stand in quotes.
            head, octets = part if isinstance(part, tuple) else (part, b"")
            uid = int(re.search(rb"UID (\d+)", head).group(1))
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", head).group(1).split()) - {rb"\Recent"}
            folder["messages"][uid] = (flags, time.mktime(imaplib.Internaldate2tuple(head)), octets)
        folders[name] = folder
    imap.logout()
    return folders


def uidls(port, user, password):
    pop3 = poplib.POP3("127.0.0.1", port, timeout=30)
    pop3.user(user)
    pop3.pass_(password)
    result = [line.split()[1] for line in pop3.uidl()[1]]
    pop3.quit()
    return result


class CuttingProxy:
    """Passes connections on to `target` and cuts each of the first `cuts` of them after `octets` of the server's."""

    def __init__(self, target, octets, cuts):
        self.target, self.octets, self.cuts, self.connections = target, octets, cuts, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            limit = self.octets if self.connections <= self.cuts else None
            server = socket.create_connection(("127.0.0.1", self.target), 60)
            threading.Thread(target=self.pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, limit), daemon=True).start()

    @staticmethod
    def pump(source, sink, limit):
        try:
            while data := source.recv(4096):
                if limit is not None:
                    data = data[:limit]
                    limit -= len(data)
                sink.sendall(data)
                if limit == 0:
                    break
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def close(self):
        self.listener.close()


class ImportTest(unittest.TestCase):
    def import_mail(self, server, *arguments, password=Dovecot.PASSWORD, expect=0):
        """Runs it; returns standard output and standard error."""
        environment = dict(os.environ, TWINPOST_IMPORT_PASSWORD=password)
        done = subprocess.run([program("TWINPOST", "twinpost"), "--config", server.config_path, "import", ACCOUNT, "--quiet",
                               *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=120, env=environment, text=True)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def twinpost(self, **more):
        server = Server({ACCOUNT: ACCOUNT_PASSWORD, "bob@example.org": "bob's secret"}, **more)
        self.addCleanup(server.remove)
        return server

    def dovecot(self, messages):
        source = Source(messages)
        self.addCleanup(source.remove)
        source.fill()
        return source

    @staticmethod
    def place(source, port=None):
        return ["--imap", f"127.0.0.1:{port or source.port}", "--tls", "none", "--user", source.USER,
                "--pop3", f"127.0.0.1:{source.pop3}"]

    def assert_same(self, before, server):
        after = snapshot(server.imap[1], ACCOUNT, ACCOUNT_PASSWORD)
        for name, folder in before.items():
            self.assertIn(name, after)
            self.assertEqual(folder["validity"], after[name]["validity"], name)
            self.assertEqual(folder["subscribed"], after[name]["subscribed"], name)
            # The store takes no message of no octets; the import says so.
            wanted = {uid: seen for uid, seen in folder["messages"].items() if seen[2]}
            self.assertEqual(wanted.keys(), after[name]["messages"].keys(), name)
            for uid, (flags, date, octets) in wanted.items():
                if not octets.endswith(b"\r\n"):
                    octets += b"\r\n"
                self.assertEqual(after[name]["messages"][uid], (flags, date, octets), f"{name} {uid}")
        return after

    def test_everything_comes_and_nothing_changes(self):
        source = self.dovecot(mails(6) + [b""])
        before = snapshot(source.port, source.USER, source.PASSWORD)
        self.assertEqual(list(before["INBOX"]["messages"]), [1, 3, 4, 5, 6, 7])
        old_uidls = uidls(source.pop3, source.USER, source.PASSWORD)
        server = self.twinpost()
        _, notes = self.import_mail(server, *self.place(source))
        self.assertIn("6 of 6 messages of INBOX keep their UIDLs", notes)
        self.assertIn("1 messages are empty", notes)
        after = self.assert_same(before, server)
        self.assertEqual(uidls(server.pop3[1], ACCOUNT, ACCOUNT_PASSWORD), old_uidls[:-1])
        self.assertEqual(snapshot(source.port, source.USER, source.PASSWORD), before)
        # Once more: nothing comes twice.
        self.import_mail(server, *self.place(source))
        self.assertEqual(snapshot(server.imap[1], ACCOUNT, ACCOUNT_PASSWORD), after)
        # What came to the old server since does.
        imap = imaplib.IMAP4("127.0.0.1", source.port)
        imap.login(source.USER, source.PASSWORD)
        imap.append("INBOX", "", None, message("late"))
        imap.append("Empty", "", None, message("late"))
        imap.logout()
        self.import_mail(server, *self.place(source))
        self.assert_same(snapshot(source.port, source.USER, source.PASSWORD), server)
        now = uidls(source.pop3, source.USER, source.PASSWORD)
        self.assertEqual(uidls(server.pop3[1], ACCOUNT, ACCOUNT_PASSWORD), [uidl for uidl in now if uidl != old_uidls[-1]])
        server.stop()

    def test_a_connection_that_is_cut_again_and_again(self):
        source = self.dovecot(mails(40, 9000))
        before = snapshot(source.port, source.USER, source.PASSWORD)
        proxy = CuttingProxy(source.port, 60_000, 4)
        self.addCleanup(proxy.close)
        server = self.twinpost()
        _, notes = self.import_mail(server, *self.place(source, proxy.port))
        self.assertIn("connecting again", notes)
        self.assertEqual(proxy.connections, 5)
        self.assert_same(before, server)
        self.assertEqual(uidls(server.pop3[1], ACCOUNT, ACCOUNT_PASSWORD), uidls(source.pop3, source.USER, source.PASSWORD))

    def test_an_import_that_is_killed_goes_on_where_it_was(self):
        source = self.dovecot(mails(60, 9000))
        before = snapshot(source.port, source.USER, source.PASSWORD)
        server = self.twinpost()
        # Every connection breaks before half of INBOX is there.
        proxy = CuttingProxy(source.port, 30_000, 3)
        self.addCleanup(proxy.close)
        process = subprocess.Popen([program("TWINPOST", "twinpost"), "--config", server.config_path, "import", ACCOUNT,
                                    *self.place(source, proxy.port)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=dict(os.environ, TWINPOST_IMPORT_PASSWORD=source.PASSWORD))
        time.sleep(0.7)
        process.kill()
        process.wait()
        self.import_mail(server, *self.place(source))
        self.assert_same(before, server)

    def test_failures_are_one_clear_line(self):
        source = self.dovecot(mails(1))
        server = self.twinpost()

        def refused(*arguments, **more):
            output, errors = self.import_mail(server, *arguments, expect=1, **more)
            self.assertEqual(output, "")
            self.assertEqual(len(errors.splitlines()), 1, errors)
            return errors

        self.assertIn("refuses the login of ann", refused(*self.place(source), password="wrong"))
        closed = free_port()
        self.assertIn(f"127.0.0.1:{closed}: nobody listens there", refused(*self.place(source, closed)))
        tls = ["--imap", f"127.0.0.1:{source.imaps}", "--user", source.USER, "--pop3", "none"]
        self.assertIn("comes from no known CA", refused(*tls))
        # The certificate is for mail.example.org and 127.0.0.1.
        wrong_name = ["--imap", f"localhost:{source.imaps}", "--user", source.USER, "--pop3", "none"]
        self.assertIn("for another host (mail.example.org)", refused(*wrong_name, "--ca-file", source.certificate))
        self.assertIn("another fingerprint", refused(*tls, "--fingerprint", "ab" * 32))
        self.assertIn("TLS failed", refused("--imap", f"127.0.0.1:{source.port}", "--user", "ann", "--pop3", "none"))
        self.assertIn("--pop3 none", refused(*self.place(source)[:-2], "--pop3", f"127.0.0.1:{closed}"))
        # And the right ones go.
        with open(source.certificate, encoding="ascii") as file:
            der = ssl.PEM_cert_to_DER_cert(file.read())
        self.import_mail(server, *tls, "--ca-file", source.certificate)
        self.import_mail(server, *wrong_name, "--fingerprint", hashlib.sha256(der).hexdigest())

    def test_only_some_folders(self):
        source = self.dovecot(mails(2))
        server = self.twinpost()
        self.import_mail(server, *self.place(source), "--folder", "Work/*", "--folder", "Sent")
        after = snapshot(server.imap[1], ACCOUNT, ACCOUNT_PASSWORD)
        self.assertEqual(len(after["Work/2021"]["messages"]), 1)
        self.assertEqual(len(after["Sent"]["messages"]), 2)
        self.assertEqual(len(after["INBOX"]["messages"]), 0)

    def test_from_another_twinpost(self):
        old, server = self.twinpost(), self.twinpost()
        old.deliver(ACCOUNT, *mails(5), message("the end", "8-bit: \u00fc\r\n"))
        imap = imaplib.IMAP4(*old.imap)
        imap.login(ACCOUNT, ACCOUNT_PASSWORD)
        imap.create("Work/&AOQ-")
        imap.append("Work/&AOQ-", r"(\Seen Key)", None, message("filed"))
        imap.select("INBOX")
        imap.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        imap.logout()
        before = snapshot(old.imap[1], ACCOUNT, ACCOUNT_PASSWORD)
        old_uidls = uidls(old.pop3[1], ACCOUNT, ACCOUNT_PASSWORD)
        for arguments in (["--imap", f"localhost:{old.imaps[1]}", "--pop3", f"localhost:{old.pop3s[1]}"],
                          ["--imap", f"localhost:{old.imap[1]}", "--pop3", f"localhost:{old.pop3[1]}", "--tls", "starttls"]):
            _, notes = self.import_mail(server, *arguments, "--user", ACCOUNT, "--ca-file", old.certificate,
                                        password=ACCOUNT_PASSWORD)
            self.assertIn("5 of 5 messages of INBOX keep their UIDLs", notes)
            self.assert_same(before, server)
            self.assertEqual(uidls(server.pop3[1], ACCOUNT, ACCOUNT_PASSWORD), old_uidls)
        self.assertEqual(snapshot(old.imap[1], ACCOUNT, ACCOUNT_PASSWORD), before)


if __name__ == "__main__":
    need_dovecot()
    unittest.main(verbosity=2)
