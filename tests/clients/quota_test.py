"""Quotas as people and admins meet them: QUOTA (RFC 9208) by imaplib, refusals by LMTP, warnings in the log and by mail, and
`twinpost quota`."""

import contextlib
import email
import email.policy
import imaplib
import json
import re
import threading
import time
import unittest

import wire
from twinpost_server import Server, message, program, run

KIB = 1024
MIB = 1024 * KIB
PASSWORD = "secret"
LIMIT = 200 * KIB


def account(**quotas):
    return {"password": "{PLAIN}" + PASSWORD, **quotas}


def of_size(subject, octets):
    """A message that takes so many octets of the quota of an account whose name is as long as ann@example.org."""
    prefix = b"Return-Path: <sam@example.net>\r\nDelivered-To: ann@example.org\r\n"
    head = f"From: sam@example.net\r\nSubject: {subject}\r\n\r\n".encode()
    left = octets - len(prefix) - len(head)
    lines, rest = divmod(left, 72)
    body = (b"x" * 70 + b"\r\n") * (lines - 1) + b"y" * (rest + 70) + b"\r\n"
    return head + body


def log_events(server, event, name):
    lines = [line for line in server.log().splitlines() if f" event={event} " in line and f"account={name} " in line]
    return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]


class QuotaTest(unittest.TestCase):
    settings = {"quota": {"warn_at": [80, 95], "warn_by_mail": True}}
    accounts = {
        "ann@example.org": account(quota=LIMIT, quota_messages=1000, quota_mailboxes=10),
        "bob@example.org": account(quota_messages=20),
        "eve@example.org": account(quota=2 * MIB),
        "joe@example.org": account(),
    }

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.server = stack.enter_context(Server(self.accounts, self.settings, tls=False))

    def imap(self, name):
        box = imaplib.IMAP4("localhost", self.server.imap[1], timeout=20)
        self.addCleanup(box.shutdown)
        box.login(name, PASSWORD)
        return box

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def quota_of(self, box):
        line = self.ok(box.getquota('"User quota"'))[0].decode()
        words = re.fullmatch(r'"User quota" \((.*)\)', line)[1].split()
        return {words[i]: (int(words[i + 1]), int(words[i + 2])) for i in range(0, len(words), 3)}

    def deliver(self, name, octets):
        lmtp = wire.Lmtp(self.server.lmtp)
        try:
            return lmtp.deliver("sam@example.net", [name], octets)[0]
        finally:
            lmtp.close()

    def wait_for_events(self, event, name, count, seconds=20):
        deadline = time.monotonic() + seconds
        while len(log_events(self.server, event, name)) < count:
            self.assertLess(time.monotonic(), deadline, f"{event} of {name} came not {count} times")
            time.sleep(0.02)

    def warnings_of(self, name):
        """The warnings in the account's INBOX, parsed."""
        messages = [email.message_from_bytes(octets, policy=email.policy.default)
                    for octets in self.server.maildrop(name, PASSWORD)]
        return [one for one in messages if one["Auto-Submitted"] == "auto-generated"]

    def test_imaplib_sees_the_quota_change_with_every_command(self):
        box = self.imap("ann@example.org")
        for capability in ("QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "QUOTA=RES-MAILBOX"):
            self.assertIn(capability, self.ok(box.capability())[0].decode().split())
        self.assertNotIn("QUOTASET", self.ok(box.capability())[0].decode())
        roots, quotas = self.ok(box.getquotaroot("INBOX"))
        self.assertEqual(roots, [b'INBOX "User quota"'])
        self.assertEqual(quotas, [b'"User quota" (STORAGE 0 200 MESSAGE 0 1000 MAILBOX 6 10)'])
        self.ok(box.append("INBOX", None, None, b"Subject: x\r\n\r\n" + b"x" * 2032 + b"\r\n"))
        self.assertEqual(self.quota_of(box), {"STORAGE": (2, 200), "MESSAGE": (1, 1000), "MAILBOX": (6, 10)})
        self.ok(box.create("work/old"))
        self.assertEqual(self.quota_of(box)["MAILBOX"], (8, 10))
        self.ok(box.select())
        self.ok(box.copy("1", "work"))
        self.assertEqual(self.quota_of(box)["MESSAGE"], (2, 1000))
        self.ok(box.store("1", "+FLAGS", "(\\Deleted)"))
        self.assertEqual(self.ok(box.status("INBOX", "(DELETED DELETED-STORAGE)")), [b"INBOX (DELETED 1 DELETED-STORAGE 2048)"])
        self.ok(box.expunge())
        self.assertEqual(self.quota_of(box), {"STORAGE": (2, 200), "MESSAGE": (1, 1000), "MAILBOX": (8, 10)})
        self.assertEqual(box.setquota('"User quota"', "(STORAGE 512)")[0], "NO")

    def test_what_is_over_the_quota_is_refused_and_room_that_is_made_is_there_at_once(self):
        box = self.imap("ann@example.org")
        large = b"Subject: x\r\n\r\n" + b"x" * (150 * KIB) + b"\r\n"
        self.ok(box.append("INBOX", None, None, large))
        refused, why = box.append("INBOX", None, None, large)
        self.assertEqual((refused, why[0][:11]), ("NO", b"[OVERQUOTA]"))
        self.ok(box.select())
        refused, why = box.copy("1", "Sent")
        self.assertEqual((refused, why[0][:11]), ("NO", b"[OVERQUOTA]"))
        for i in range(4):
            self.ok(box.create(f"m{i}"))
        refused, why = box.create("m4")
        self.assertEqual((refused, why[0][:11]), ("NO", b"[OVERQUOTA]"))
        self.ok(box.store("1", "+FLAGS", "(\\Deleted)"))
        self.ok(box.expunge())
        self.ok(box.append("INBOX", None, None, large))

    def test_lmtp_is_refused_for_now_and_for_ever(self):
        self.assertEqual(self.deliver("ann@example.org", of_size("First", 150 * KIB))[0], 250)
        code, text = self.deliver("ann@example.org", of_size("Second", 100 * KIB))
        self.assertEqual((code, text[:5]), (452, "4.2.2"))
        code, text = self.deliver("ann@example.org", of_size("Third", 201 * KIB))
        self.assertEqual((code, text[:5]), (552, "5.2.2"))
        self.assertEqual(self.deliver("joe@example.org", of_size("Fourth", 201 * KIB))[0], 250)

    def test_each_threshold_is_logged_and_mailed_once_however_many_deliver(self):
        # Forty senders at once, together 98 % of two MiB.
        size = 2 * MIB * 98 // 100 // 40
        failures = []

        def send(number):
            try:
                code, text = self.deliver("eve@example.org", of_size(f"Number {number}", size))
                if code != 250:
                    failures.append(text)
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(repr(failure))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.wait_for_events("quota-warning", "eve@example.org", 2)
        passed = log_events(self.server, "quota", "eve@example.org")
        self.assertEqual(sorted(one["percent"] for one in passed), ["80", "95"])
        for one in passed:
            self.assertEqual(one["resource"], "storage")
            self.assertEqual(int(one["limit"]), 2 * MIB)
            share = int(one["used"]) * 100 / (2 * MIB)
            self.assertGreaterEqual(share, int(one["percent"]))
            self.assertLess(share, int(one["percent"]) + 2.5)  # one message
        warnings = self.warnings_of("eve@example.org")
        subjects = sorted(one["Subject"] for one in warnings)
        self.assertEqual(len(subjects), 2, subjects)
        self.assertRegex(subjects[0], r"^Your mailbox is 8[0-2] % full$")
        self.assertRegex(subjects[1], r"^Your mailbox is 9[5-7] % full$")
        for one in warnings:
            self.assertEqual(one.defects, [])
            self.assertEqual(str(one["From"]), "Mail system <postmaster@example.org>")
            self.assertEqual(one["To"].addresses[0].addr_spec, "eve@example.org")
            self.assertEqual(one["Return-Path"], "<>")
            self.assertIsNotNone(one["Date"].datetime)
            self.assertRegex(one["Message-ID"], r"^<.+@example\.org>$")
            self.assertIn("of 2.000 MiB are used.", one.get_content())

        # Down and up again: a line in the log, but no message on the same day.
        box = self.imap("eve@example.org")
        self.ok(box.select())
        self.ok(box.store("1:20", "+FLAGS.SILENT", "(\\Deleted)"))
        self.ok(box.expunge())
        for number in range(14):
            self.assertEqual(self.deliver("eve@example.org", of_size(f"Again {number}", size))[0], 250)
        self.wait_for_events("quota", "eve@example.org", 3)
        self.assertEqual(len(self.warnings_of("eve@example.org")), 2)

    def test_messages_are_warned_of_by_imap_too_and_the_last_one_is_taken(self):
        box = self.imap("bob@example.org")
        for number in range(16):
            self.ok(box.append("INBOX", None, None, message(f"Number {number}")))
        self.wait_for_events("quota-warning", "bob@example.org", 1)
        passed = log_events(self.server, "quota", "bob@example.org")
        self.assertEqual([(one["resource"], one["percent"], one["used"], one["limit"]) for one in passed],
                         [("messages", "80", "16", "20")])
        warning = self.warnings_of("bob@example.org")[0]
        self.assertIn("It holds 16 messages, and may hold 20.", warning.get_content())
        # A COPY passes the next: 17 with the warning, two more.
        self.ok(box.select())
        self.ok(box.copy("1:2", "Sent"))
        self.wait_for_events("quota-warning", "bob@example.org", 2)
        self.assertEqual(self.quota_of(box)["MESSAGE"], (20, 20))
        code, text = self.deliver("bob@example.org", message("Too many"))
        self.assertEqual((code, text[:5]), (452, "4.2.2"))

    def test_a_server_that_stops_stores_the_warning_first(self):
        self.assertEqual(self.deliver("ann@example.org", of_size("Large", 170 * KIB))[0], 250)
        self.server.restart()
        self.assertEqual(len(self.warnings_of("ann@example.org")), 1)

    def test_twinpost_quota_shows_it_beside_the_server(self):
        for number in range(3):
            self.assertEqual(self.deliver("ann@example.org", of_size(f"Number {number}", 40 * KIB))[0], 250)
        box = self.imap("ann@example.org")
        self.ok(box.select())
        self.ok(box.store("1", "+FLAGS.SILENT", "(\\Deleted)"))
        self.ok(box.expunge())
        tool = [program("TWINPOST", "twinpost"), "--config", self.server.config_path, "quota"]
        shown = {one["account"]: one for one in json.loads(run(tool + ["--json"]))["accounts"]}
        self.assertEqual(sorted(shown), sorted(self.accounts))
        ann = {"account": "ann@example.org", "configured": True,
               "storage": {"used": 80 * KIB, "limit": LIMIT, "percent": 40},
               "messages": {"used": 2, "limit": 1000, "percent": 0},
               "mailboxes": {"used": 6, "limit": 10, "percent": 60},
               "removed": {"octets": 40 * KIB, "messages": 1}}
        self.assertEqual(shown["ann@example.org"], ann)
        self.assertEqual(shown["joe@example.org"]["storage"], {"used": 0, "limit": None, "percent": None})
        self.assertEqual(json.loads(run(tool + ["Ann@example.org", "--json"])), {"accounts": [ann]})
        table = run(tool).splitlines()
        self.assertEqual(len(table), 1 + len(self.accounts))
        self.assertEqual(table[1].split(), ["ann@example.org", "0.1", "/", "0.2", "40", "%", "2", "/", "1000", "0", "%", "6", "/",
                                            "10", "0.0", "1"])
        self.assertIn("no account nobody@example.org", run(tool + ["nobody@example.org"], expect=1))
        # An account that is not configured any more is still in the store.
        self.server.write_accounts({"bob@example.org": account()})
        self.assertIn("not in accounts.json", run(tool + ["ann@example.org"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
