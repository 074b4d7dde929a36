"""The admin socket, the commands that go by way of it, and the figures over HTTP, against the built programs."""

import contextlib
import functools
import imaplib
import json
import os
import poplib
import re
import shutil
import socket
import stat
import subprocess
import time
import unittest

import wire
from twinpost_server import Server, ServerTest, message, program, run

ANN, BOB = "ann@example.org", "bob@example.org"
SECRET = "secret"
MEBIBYTE = 1024 * 1024


class Admin:
    """One connection to an admin socket."""

    def __init__(self, path, timeout=20.0):
        self.endpoint = wire.connect(path, timeout)
        self.lines = self.endpoint.makefile("rb")

    def send(self, octets):
        self.endpoint.sendall(octets)

    def request(self, do, payload=None, **members):
        if payload is not None:
            members["octets"] = len(payload)
        self.send(json.dumps({"do": do, **members}).encode() + b"\n")
        if payload is not None:
            self.send(payload)

    def line(self):
        """The next line, or None where the server has closed."""
        try:
            line = self.lines.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line else None

    def answer(self):
        while True:
            line = self.line()
            if line is None or "ok" in line:
                return line

    def call(self, do, payload=None, **members):
        self.request(do, payload, **members)
        return self.answer()

    def close(self):
        self.lines.close()
        self.endpoint.close()


def quietly(function):
    """For connections that the server may have ended already."""
    with contextlib.suppress(Exception):
        function()


@functools.cache
def long_deposit(account):
    """A request that takes the server some seconds, with its payload."""
    messages = [message(f"Number {i}", "x" * 60 + "\r\n") for i in range(10_000)]
    items = [{"mailbox": "INBOX", "octets": len(octets), "date": 1_700_000_000} for octets in messages]
    payload = b"".join(messages)
    request = {"do": "deposit", "account": account, "items": items, "octets": len(payload)}
    return json.dumps(request).encode() + b"\n" + payload


class AdminTest(ServerTest):
    accounts = {ANN: SECRET, BOB: SECRET}
    settings = {"limits": {"idle_time_lmtp": "2 s", "retention_days": 14}, "log": {"level": "debug"}}

    def admin(self, timeout=20.0):
        admin = Admin(self.server.admin_socket, timeout)
        self.addCleanup(admin.close)
        return admin

    def twinpost(self, *arguments, expect=0):
        return run([program("TWINPOST", "twinpost"), "--config", self.server.config_path, *arguments], expect=expect)

    def removed(self, account, *arguments):
        return json.loads(self.twinpost("removed", "list", account, "--json", *arguments))

    def imap(self, user=ANN):
        box = imaplib.IMAP4("127.0.0.1", self.server.imap[1], timeout=20)
        self.addCleanup(quietly, box.shutdown)
        box.login(user, SECRET)
        return box

    def pop3(self, user=ANN):
        box = poplib.POP3("127.0.0.1", self.server.pop3[1], timeout=20)
        self.addCleanup(quietly, box.close)
        box.user(user)
        box.pass_(SECRET)
        return box

    def uidls(self, user=ANN):
        box = self.pop3(user)
        uidls = [line.split()[1].decode() for line in box.uidl()[1]]
        box.quit()
        return uidls

    def fresh(self, user=ANN):
        """An account without mail, of which nothing was removed either."""
        self.empty(user)
        self.twinpost("removed", "forget", user, "--all", "--yes", expect=(0, 1))


class Protocol(AdminTest):
    def test_the_socket_is_its_owners_alone(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.server.admin_socket).st_mode), 0o600)

    def test_requests_come_one_after_the_other(self):
        admin = self.admin()
        ping = admin.call("ping")
        self.assertTrue(ping["ok"])
        self.assertEqual(ping["pid"], self.server.process.pid)
        self.assertEqual(ping["data"], self.server.data)
        self.assertTrue(admin.call("space")["ok"])
        # Two at once in one write: answered in order.
        admin.send(b'{"do":"ping"}\n{"do":"nothing"}\n{"do":"ping"}\r\n')
        self.assertEqual([admin.answer()["ok"] for _ in range(3)], [True, False, True])

    def test_what_is_not_understood_is_answered_and_the_connection_goes_on(self):
        admin = self.admin()
        self.assertEqual(admin.call("fly")["code"], "unsupported")
        self.assertEqual(admin.call("account")["code"], "invalid")
        self.assertEqual(admin.call("account", account=ANN, colour="red")["code"], "invalid")
        # Its payload is read all the same, and never taken for requests.
        self.assertEqual(admin.call("fly", payload=b'{"do":"compact"}\n')["code"], "unsupported")
        self.assertTrue(admin.call("ping")["ok"])

    def test_what_is_no_request_ends_the_connection(self):
        for line in (b"", b"hello", b"[]", b'{"do":"ping"', b'"ping"', b"\x00\xff\xfe", b'{"do":"ping","octets":-1}',
                     b'{"do":"ping","octets":"1"}', b'{"do":"ping","octets":1.5}', b'{"a":' * 50_000, b"[" * 500_000):
            with self.subTest(line=line[:30]):
                admin = self.admin()
                admin.send(line + b"\n")
                self.assertEqual(admin.answer()["code"], "invalid")
                self.assertIsNone(admin.line())

    def test_a_line_without_an_end_is_given_up(self):
        admin = self.admin()
        with contextlib.suppress(ConnectionError):
            admin.send(b'{"do":"' + b"x" * (3 * MEBIBYTE) + b'"}\n')
        self.assertEqual(admin.answer()["code"], "too-large")
        self.assertIsNone(admin.line())

    def test_a_huge_payload_is_refused_before_it_comes(self):
        for octets in (4 * 1024 * MEBIBYTE + 1, 2 ** 63, 2 ** 64 - 1):
            admin = self.admin()
            admin.send(b'{"do":"deposit","octets":%d}\n' % octets)
            self.assertEqual(admin.answer()["code"], "too-large")
            self.assertIsNone(admin.line())
        admin = self.admin()
        admin.send(b'{"do":"deposit","octets":1%s}\n' % (b"0" * 40))
        self.assertEqual(admin.answer()["code"], "invalid")

    def test_silence_ends_a_connection_and_half_a_request(self):
        halves = (b"", b'{"do":"ping"', b'{"do":"deposit","octets":100}\nhalf')
        began = time.monotonic()
        admins = [self.admin() for _ in halves]
        for admin, half in zip(admins, halves):
            admin.send(half)
        for admin in admins:
            self.assertEqual(admin.answer()["code"], "timeout")
            self.assertIsNone(admin.line())
        self.assertLess(time.monotonic() - began, 10)
        self.assertGreater(time.monotonic() - began, 1.5)

    def test_what_was_announced_must_come(self):
        admin = self.admin()
        admin.send(b'{"do":"deposit","octets":100}\nhalf')
        admin.endpoint.shutdown(socket.SHUT_WR)
        self.assertIsNone(admin.line())
        self.assertTrue(self.admin().call("ping")["ok"])

    def test_a_payload_larger_than_memory_goes_by_the_disk(self):
        big = message("Big", "x" * 70 + "\r\n")
        body = (b"y" * 70 + b"\r\n") * (5 * MEBIBYTE // 72)
        octets = big + body
        self.fresh()
        admin = self.admin()
        admin.call("account", account=ANN)
        answer = admin.call("deposit", payload=octets, account=ANN,
                            items=[{"mailbox": "INBOX", "octets": len(octets), "date": 1_700_000_000}])
        self.assertTrue(answer["ok"], answer)
        self.assertEqual(self.server.maildrop(ANN, SECRET), [octets])
        self.assertEqual(os.listdir(os.path.join(self.server.data, "spool")), [])
        self.fresh()


class Running(AdminTest):
    """Operations that take a while."""

    def begin(self, account=ANN):
        admin = self.admin(60.0)
        self.assertTrue(admin.call("account", account=account)["ok"])
        admin.send(long_deposit(account))
        line = admin.line()
        self.assertIn("progress", line)
        return admin

    def messages(self, account=ANN):
        box = self.pop3(account)
        count = box.stat()[0]
        box.quit()
        return count

    def test_progress_comes_at_most_four_times_a_second(self):
        self.fresh(BOB)
        began = time.monotonic()
        admin = self.begin(BOB)
        lines = [admin.line()]
        while "ok" not in lines[-1]:
            lines.append(admin.line())
        took = time.monotonic() - began
        self.assertTrue(lines[-1]["ok"], lines[-1].get("error"))
        self.assertEqual(len(lines[-1]["items"]), 10_000)
        self.assertLessEqual(len(lines), took * 4 + 2)
        self.assertEqual(self.messages(BOB), 10_000)
        self.fresh(BOB)

    def test_a_client_that_goes_ends_its_operation(self):
        self.fresh()
        start = len(self.server.log())
        self.begin().close()
        self.server.wait_for_log("result=shutdown", start=start)
        self.assertEqual(self.messages(), 0)

    def test_the_server_goes_on_serving_meanwhile(self):
        admin = self.begin(BOB)
        began = time.monotonic()
        self.assertTrue(self.admin().call("ping")["ok"])
        self.server.deliver(ANN, message("Meanwhile"))
        self.assertLess(time.monotonic() - began, 5)
        self.assertTrue(admin.answer()["ok"])
        self.fresh(BOB)

    def test_a_stop_ends_what_runs(self):
        self.fresh()
        admin = self.begin()
        began = time.monotonic()
        self.server.stop()
        self.assertLess(time.monotonic() - began, 10)
        answer = admin.answer()
        self.assertTrue(answer is None or answer["code"] == "shutdown", answer)
        self.server.start()
        self.assertEqual(self.messages(), 0)
        report = self.admin().call("check")
        self.assertEqual((report["ok"], report["problems"]), (True, 0), report)


class Undo(AdminTest):
    def setUp(self):
        self.fresh()

    def test_what_pop3_removed_comes_back_for_both_protocols(self):
        self.server.deliver(ANN, message("First"), message("Second"), message("Third"))
        before = self.uidls()
        kept = self.server.maildrop(ANN, SECRET)
        box = self.pop3()
        box.dele(1)
        box.dele(3)
        box.quit()
        self.assertEqual(self.uidls(), before[1:2])
        found = self.removed(ANN)
        self.assertEqual([entry["subject"] for entry in found], ["First", "Third"])
        self.assertEqual({(entry["protocol"], entry["account"], entry["address"], entry["mailbox"], entry["how"])
                          for entry in found}, {("pop3", ANN, "127.0.0.1", "INBOX", "expunged")})
        self.assertEqual([entry["size"] for entry in found], [len(kept[0]), len(kept[2])])
        output = self.twinpost("undelete", ANN, *(entry["id"] for entry in found))
        self.assertIn("2 messages came back", output)
        self.assertEqual(sorted(self.uidls()), sorted(before))
        self.assertEqual(sorted(self.server.maildrop(ANN, SECRET)), sorted(kept))
        imap = self.imap()
        self.assertEqual(imap.select()[1], [b"3"])
        self.assertEqual(self.removed(ANN), [])
        # Once more: there is nothing to do.
        self.assertIn("is in the account, nothing to do", self.twinpost("undelete", ANN, found[0]["id"]))
        self.twinpost("removed", "forget", ANN, found[0]["id"])
        self.assertIn("is not there", self.twinpost("undelete", ANN, found[0]["id"], expect=1))

    def test_what_imap_expunged_comes_back_with_its_flags(self):
        self.server.deliver(ANN, message("Flagged"))
        before = self.uidls()
        imap = self.imap()
        imap.select()
        imap.store("1", "+FLAGS", r"(\Flagged $Work \Deleted)")
        imap.expunge()
        self.assertEqual(self.uidls(), [])
        self.twinpost("undelete", ANN, "--by", "imap", "--subject", "fLAGGED")
        self.assertEqual(self.uidls(), before)
        imap.noop()
        flags = imap.fetch("1", "(FLAGS)")[1][0]
        self.assertIn(b"\\Flagged", flags)
        self.assertIn(b"$Work", flags)
        self.assertNotIn(b"\\Deleted", flags)

    def test_a_whole_deleted_mailbox_comes_back(self):
        imap = self.imap()
        imap.create("Projects/Old")
        for i in range(5):
            imap.append("Projects/Old", None, None, message(f"Project {i}"))
        imap.append("INBOX", None, None, message("Other"))
        imap.delete("Projects/Old")
        imap.select()
        imap.store("1", "+FLAGS", r"\Deleted")
        imap.expunge()
        self.assertEqual(imap.status("Projects/Old", "(MESSAGES)")[0], "NO")
        self.assertEqual(len(self.removed(ANN, "--mailbox", "Projects/Old")), 5)
        shown = self.twinpost("undelete", ANN, "--mailbox", "Projects/Old", "--dry-run")
        self.assertIn("5 messages would come back", shown)
        self.assertEqual(imap.status("Projects/Old", "(MESSAGES)")[0], "NO")
        self.assertIn("5 messages came back", self.twinpost("undelete", ANN, "--mailbox", "Projects/Old"))
        self.assertEqual(imap.status("Projects/Old", "(MESSAGES)")[1], [b"Projects/Old (MESSAGES 5)"])
        self.assertEqual(imap.status("INBOX", "(MESSAGES)")[1], [b"INBOX (MESSAGES 0)"])
        imap.delete("Projects/Old")

    def test_messages_come_back_into_another_mailbox(self):
        self.server.deliver(ANN, message("Elsewhere"))
        self.empty()
        self.assertIn("no mailbox named Found",
                      self.twinpost("undelete", ANN, "--all", "--to", "Found", expect=1))
        imap = self.imap()
        imap.create("Found")
        self.twinpost("undelete", ANN, "--all", "--to", "Found")
        self.assertEqual(imap.status("Found", "(MESSAGES)")[1], [b"Found (MESSAGES 1)"])
        imap.delete("Found")

    def test_moved_messages_are_shown_where_that_is_asked_for(self):
        self.server.deliver(ANN, message("Moved"))
        imap = self.imap()
        imap.create("There")
        imap.select()
        self.assertEqual(imap.uid("MOVE", "1:*", "There")[0], "OK")
        self.assertEqual(self.removed(ANN), [])
        self.assertEqual([entry["how"] for entry in self.removed(ANN, "--moved")], ["moved"])
        self.assertIn("nothing that was removed is like that", self.twinpost("undelete", ANN, "--all", expect=1))
        self.assertIn("1 were there already", self.twinpost("undelete", ANN, "--all", "--moved"))
        self.assertEqual(imap.status("There", "(MESSAGES)")[1], [b"There (MESSAGES 1)"])
        imap.delete("There")

    def test_filters_choose(self):
        self.server.deliver(ANN, message("Invoice =?utf-8?q?f=C3=BCr?= you", sender="shop@example.com"), message("Hello"))
        self.empty()
        for arguments, count in ((("--from", "SHOP@"), 1), (("--subject", "FÜR"), 1), (("--subject", "none"), 0),
                                 (("--since", "1h"), 2), (("--until", "1h"), 0), (("--since", "today"), 2),
                                 (("--until", "today"), 2), (("--since", "2026-01-01T00:00"), 2), (("--by", "imap"), 0),
                                 (("--by", "pop3"), 2), (("--mailbox", "inbox"), 2), (("--mailbox", "Sent"), 0)):
            with self.subTest(arguments=arguments):
                self.assertEqual(len(self.removed(ANN, *arguments)), count)
        self.assertEqual([entry["subject"] for entry in self.removed(ANN, "--limit", "1")], ["Hello"])
        self.assertEqual(self.removed(ANN)[0]["subject"], "Invoice für you")
        table = self.twinpost("removed", "list", ANN)
        self.assertEqual(len(table.splitlines()), 3)
        self.assertIn("Invoice für you", table)

    def test_texts_are_found_as_imap_search_finds_them(self):
        subjects = ("=?utf-8?q?Viele_Gr=C3=BC=C3=9Fe?=", "=?iso-8859-1?q?viele_gr=FCsse?=", "VIELE GRÜSSE",
                    "Viele Gru\u0308sse", "Viele\r\n\tGrüsse")
        self.fresh()
        self.server.deliver(ANN, *(message(subject, sender="=?utf-8?q?J=C3=BCrgen?= <j@example.com>") for subject in subjects))
        imap = self.imap()
        imap.select()
        wanted = ("GRÜSSE", "grüsse", "GRÜßE", "grüße", "GRU\u0308SSE", "viele gr", "VIELE\tGR", "gruesse")

        def found_by_imap(key, text):
            imap.literal = text.encode()
            return len(imap.uid("SEARCH", "CHARSET", "UTF-8", key)[1][0].split())

        by_imap = {(key, text): found_by_imap(key, text) for key, texts in (("SUBJECT", wanted), ("FROM", ("JÜRGEN", "J@EX", "jurgen")))
                   for text in texts}
        self.assertEqual([by_imap["SUBJECT", text] for text in wanted], [4, 4, 1, 1, 4, 5, 5, 0])
        self.assertEqual(by_imap["FROM", "JÜRGEN"], 5)
        self.empty()
        for (key, text), count in by_imap.items():
            with self.subTest(key=key, text=text):
                self.assertEqual(len(self.removed(ANN, "--" + key.lower(), text)), count)

    def test_what_a_stranger_wrote_does_nothing_to_the_terminal(self):
        evil = message("x").replace(b"Subject: x", b"Subject: \x1b]0;title\x07 =?utf-8?q?=1B[31m=C2=9B?=")
        self.server.deliver(ANN, evil)
        self.empty()
        for output in (self.twinpost("removed", "list", ANN), self.twinpost("removed", "list", ANN, "--json"),
                       self.twinpost("undelete", ANN, "--all")):
            self.assertNotRegex(output, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def test_wrong_usage_says_how(self):
        for arguments in ((), ("--to", "INBOX"), ("--all", "--by", "imap"), ("1-1-1", "--by", "imap"), ("nonsense",),
                          ("--since", "whenever"), ("1-1",)):
            with self.subTest(arguments=arguments):
                self.assertNotIn("came back", self.twinpost("undelete", ANN, *arguments, expect=2))
        self.twinpost("removed", "forget", ANN, expect=2)
        self.assertIn("--yes", self.twinpost("removed", "forget", ANN, "--all", expect=2))
        self.assertIn("no account named", self.twinpost("removed", "list", "eve@example.org", expect=1))

    def test_forgotten_is_gone(self):
        self.server.deliver(ANN, message("One"), message("Two"))
        self.empty()
        found = self.removed(ANN)
        self.assertIn("1 message forgotten", self.twinpost("removed", "forget", ANN, found[0]["id"]))
        self.assertEqual([entry["id"] for entry in self.removed(ANN)], [found[1]["id"]])
        self.twinpost("undelete", ANN, found[0]["id"], expect=1)
        self.twinpost("removed", "forget", ANN, "--all", "--yes")
        self.assertEqual(self.removed(ANN), [])


class WithoutServer(AdminTest):
    """The same by the tool itself."""

    def test_undelete_without_a_server(self):
        self.server.deliver(ANN, message("Offline"))
        before = self.uidls()
        self.empty()
        self.server.stop()
        self.assertIn("1 message came back", self.twinpost("undelete", ANN, "--all"))
        figures = json.loads(self.twinpost("store", "space", "--json"))
        self.assertFalse(figures["online"])
        self.twinpost("compact", "--quiet")
        self.server.start()
        self.assertEqual(self.uidls(), before)
        self.assertTrue(json.loads(self.twinpost("store", "space", "--json"))["online"])

    def test_a_server_without_an_admin_socket_is_not_disturbed(self):
        with Server({ANN: SECRET}, {"listen": {"admin": []}}) as server:
            server.deliver(ANN, message("There"))
            server.maildrop(ANN, SECRET, remove=True)
            command = [program("TWINPOST", "twinpost"), "--config", server.config_path]
            # Reading needs nobody.
            self.assertEqual(len(json.loads(run([*command, "removed", "list", ANN, "--json"]))), 1)
            output = run([*command, "undelete", ANN, "--all"], expect=1)
            self.assertIn("listens on no admin socket", output)
            self.assertEqual(server.maildrop(ANN, SECRET), [])
            # Given one by a reload, it does it.
            server.settings = {"listen": {"admin": ["unix:" + server.admin_socket]}}
            server.write_config()
            server.reload()
            server.wait_for_log("event=reloaded")
            self.assertIn("1 message came back", run([*command, "undelete", ANN, "--all"]))

    def test_a_tcp_address_is_refused(self):
        server = Server({ANN: SECRET}, {"listen": {"admin": ["127.0.0.1:4190"]}}, start=False)
        self.addCleanup(server.remove)
        output = run([program("TWINPOSTD", "twinpostd"), "--config", server.config_path], expect=1)
        self.assertIn("must be a Unix socket", output)


class Retention(AdminTest):
    settings = {"limits": {"retention_days": 0}}

    def test_without_retention_nothing_can_come_back(self):
        self.server.deliver(ANN, message("Gone"))
        self.empty()
        deadline = time.monotonic() + 20
        while self.removed(ANN) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(self.removed(ANN), [])
        self.assertIn("nothing that was removed", self.twinpost("undelete", ANN, "--all", expect=1))


class Maintenance(AdminTest):
    def test_the_store_under_load_is_compacted_and_recoded(self):
        for _ in range(3):
            self.server.deliver(ANN, *(message(f"Number {i}", "z" * 4000 + "\r\n") for i in range(50)))
            self.fresh()
        self.server.deliver(ANN, message("Kept"))
        kept = self.server.maildrop(ANN, SECRET)
        self.assertIn("the data file has", self.twinpost("store", "compact", "--quiet"))
        self.twinpost("store", "reencrypt", "--quiet")
        self.twinpost("reencrypt", "-q")
        self.assertEqual(self.server.maildrop(ANN, SECRET), kept)
        space = self.twinpost("store", "space")
        self.assertIn("data file", space)
        self.assertIn("readers", space)


SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')


def parse_metrics(text):
    """{name with labels: value}, strictly: HELP, TYPE, then samples of that family only; no series twice."""
    assert text.endswith("\n")
    samples, types, helped, family = {}, {}, set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in helped, f"{family} comes twice"
            helped.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            assert found, f"no sample: {line!r}"
            name, labels, value = found.groups()
            endings = ("_bucket", "_sum", "_count") if types[family] == "histogram" else ("",)
            assert name in [family + ending for ending in endings], f"{name} is not of {family}"
            assert types[family] != "counter" or name.endswith("_total"), name
            key = name + (f"{{{labels}}}" if labels else "")
            assert key not in samples, f"{key} comes twice"
            samples[key] = float(value)
    assert helped == set(types)
    return samples


class Http(AdminTest):
    @classmethod
    def setUpClass(cls):
        from twinpost_server import free_port
        cls.port = free_port()
        cls.settings = {"listen": {"http": [f"127.0.0.1:{cls.port}"]}}
        super().setUpClass()

    def ask(self, octets, timeout=20.0):
        """All that comes back, as (status, {header: value}, body)."""
        with wire.connect(("127.0.0.1", self.port), timeout) as endpoint:
            with contextlib.suppress(ConnectionError):
                endpoint.sendall(octets)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while piece := endpoint.recv(65536):
                    answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.assertRegex(lines[0], r"^HTTP/1\.1 \d{3} [ -~]+$")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), fields, body

    def get(self, target, method="GET"):
        return self.ask(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def test_the_figures_are_what_prometheus_reads(self):
        self.server.deliver(ANN, message("Counted"))
        imap = self.imap()
        status, fields, body = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(fields["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(int(fields["Content-Length"]), len(body))
        samples = parse_metrics(body.decode())
        self.assertEqual(samples['twinpost_connections{service="imap"}'], 1)
        self.assertEqual(samples['twinpost_connections{service="http"}'], 1)
        self.assertGreaterEqual(samples['twinpost_connections_accepted_total{service="lmtp"}'], 1)
        self.assertEqual(samples["twinpost_accounts"], 2)
        self.assertEqual(samples["twinpost_store_up"], 1)
        self.assertGreater(samples["twinpost_store_file_bytes"], 0)
        self.assertGreater(samples["twinpost_disk_free_bytes"], 0)
        self.assertGreater(samples["twinpost_uptime_seconds"], 0)
        self.assertEqual(samples["twinpost_store_commit_seconds_count"], samples["twinpost_store_commits_total"])
        buckets = [value for name, value in samples.items() if name.startswith("twinpost_store_commit_seconds_bucket")]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual(buckets[-1], samples["twinpost_store_commit_seconds_count"])
        imap.logout()
        before = samples["twinpost_store_writes_total"]
        self.server.deliver(ANN, message("Counted too"))
        self.assertGreater(parse_metrics(self.get("/metrics")[2].decode())["twinpost_store_writes_total"], before)
        if shutil.which("promtool"):
            subprocess.run(["promtool", "check", "metrics"], input=body, check=True, timeout=30)

    def test_health(self):
        self.assertEqual(self.get("/healthz")[::2], (200, b"ok\n"))
        status, fields, body = self.get("/healthz", "HEAD")
        self.assertEqual((status, fields["Content-Length"], body), (200, "3", b""))
        self.assertEqual(self.ask(b"GET /healthz HTTP/1.0\r\n\r\n")[0], 200)
        self.assertEqual(self.ask(b"GET /healthz?deep=1 HTTP/1.1\nHost: x\n\n")[0], 200)

    def test_all_else_is_refused(self):
        self.assertEqual(self.get("/")[0], 404)
        self.assertEqual(self.get("/metrics/")[0], 404)
        self.assertEqual(self.get("/../etc/passwd")[0], 404)
        status, fields, _ = self.get("/metrics", "POST")
        self.assertEqual((status, fields["Allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.get("/metrics", "get")[0], 405)
        for octets in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                       b"GET /metrics HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
                       b"GET /metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n",
                       b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n"):
            with self.subTest(octets=octets):
                self.assertEqual(self.ask(octets)[0], 400)
        self.assertEqual(self.ask(b"GET /metrics HTTP/2.0\r\n\r\n")[0], 505)

    def test_a_head_that_is_too_large_is_refused(self):
        self.assertEqual(self.ask(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n")[0], 431)
        self.assertEqual(self.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 2000 + b"\r\n")[0], 431)

    def test_a_slow_head_is_given_up(self):
        began = time.monotonic()
        status, _, _ = self.ask(b"GET /metrics HTTP/1.1\r\n", timeout=30)
        self.assertEqual(status, 408)
        self.assertLess(time.monotonic() - began, 15)

    def test_many_that_wait_don_t_stop_the_server(self):
        waiting = [wire.connect(("127.0.0.1", self.port)) for _ in range(80)]
        try:
            self.server.deliver(ANN, message("Still taken"))
        finally:
            for endpoint in waiting:
                endpoint.close()
        deadline = time.monotonic() + 10
        while self.get("/healthz")[0] != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
