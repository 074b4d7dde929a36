#!/usr/bin/env python3
"""twinpost import and export beside a running server, against a real Dovecot.

What Dovecot's own IMAP and POP3 show of a Maildir (UIDVALIDITY, UIDs, flags, keywords, subscriptions, UIDLs, octets) is what
Twinpost shows after `twinpost import --maildir`, and the other way round: Dovecot serves what `twinpost export --maildir` wrote.
"""

import imaplib
import json
import mailbox
import os
import poplib
import shutil
import subprocess
import sys
import tempfile
import unittest

import wire
from dovecot_server import Dovecot, need_dovecot
from twinpost_server import Server, free_port, message, program, run, skip

USER, PASSWORD = "ann@example.org", "secret"
FOLDERS = ("INBOX", "Sent", "Work", "Work/2024", "&AOk-t&AOk-")

POP3 = """
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  chroot =
}}
"""


class DovecotBoth(Dovecot):
    """With POP3; of a Maildir that is there already, or of a new one."""

    def __init__(self, messages, maildir=None):
        self.maildir = maildir
        super().__init__(messages)

    def write_mail(self, messages):
        if self.maildir is None:
            return super().write_mail(messages)
        for name in ("home", "state"):
            os.makedirs(os.path.join(self.folder, name))
        return shutil.copytree(self.maildir, os.path.join(self.folder, "mail"))

    def write_config(self):
        path = super().write_config()
        self.pop3_port = free_port()
        with open(path, encoding="utf-8") as file:
            text = file.read().replace("protocols = imap\n", "protocols = imap pop3\n")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + POP3.format(port=self.pop3_port))
        return path

    def imap(self):
        return logged_in(("127.0.0.1", self.port), self.USER, self.PASSWORD)

    def uidls(self):
        return pop3_uidls(("127.0.0.1", self.pop3_port), self.USER, self.PASSWORD)


def logged_in(address, user, password):
    imap = imaplib.IMAP4(*address)
    imap.login(user, password)
    return imap


def asked(answer):
    kind, data = answer
    if kind != "OK":
        raise AssertionError(f"{kind} {data}")
    return data


def pop3_uidls(address, user, password):
    pop3 = poplib.POP3(*address)
    pop3.user(user)
    pop3.pass_(password)
    lines = pop3.uidl()[1]
    pop3.quit()
    return [line.split(b" ", 1)[1].decode() for line in lines]


def seen_by_imap(imap, folders=FOLDERS):
    """{folder: (UIDVALIDITY, [(UID, flags, INTERNALDATE, octets)])}, and the subscriptions."""
    found = {}
    for folder in folders:
        asked(imap.select(f'"{folder}"', readonly=True))
        validity = int(imap.response("UIDVALIDITY")[1][0])
        messages = []
        data = asked(imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])"))
        # A literal ends a line; what is behind it comes as the next element.
        texts = [(part[0] + b" " + data[i + 1], part[1]) for i, part in enumerate(data) if isinstance(part, tuple)]
        for line, octets in texts:
            flags = {flag.decode() for flag in imaplib.ParseFlags(line)} - {"\\Recent"}
            uid = int(line.split(b"UID ")[1].split()[0].rstrip(b")"))
            date = imaplib.Internaldate2tuple(line)
            messages.append((uid, frozenset(flags), date, octets))
        found[folder] = (validity, messages)
    subscribed = {line.decode().rsplit(" ", 1)[1].strip('"') for line in asked(imap.lsub()) if line}
    return found, subscribed & set(folders)


class ImportExport(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="twinpost-transfer-")
        os.chmod(cls.folder, 0o755)
        settings = {"listen": {"admin": ["unix:" + os.path.join(cls.folder, "admin.sock")]}}
        others = ("bob", "cyd", "dan", "fay")
        cls.server = Server({USER: PASSWORD, **{f"{name}@example.org": PASSWORD for name in others}}, settings)
        cls.dovecot = DovecotBoth([message(f"old {i}", "Hello.\r\n" * i) for i in range(1, 8)])
        cls.fill_dovecot()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.dovecot.remove()
            cls.server.stop()
        finally:
            cls.server.remove()
            shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def fill_dovecot(cls):
        imap = cls.dovecot.imap()
        for name in FOLDERS[1:]:
            asked(imap.create(f'"{name}"'))
        for name in ("Sent", "Work/2024", "&AOk-t&AOk-"):
            asked(imap.subscribe(f'"{name}"'))
        for number, name in enumerate(FOLDERS):
            for i in range(3):
                date = imaplib.Time2Internaldate(1_500_000_000 + 1000 * number + i)
                flags = ("(\\Seen)", "(\\Flagged \\Answered $Label1)", "()")[i]
                asked(imap.append(f'"{name}"', flags, date, message(f"{name} {i}", "From here\r\n>From\r\n")))
        asked(imap.select())
        asked(imap.store("2,4", "+FLAGS", "(\\Deleted)"))
        asked(imap.expunge())
        asked(imap.store("1:2", "+FLAGS", "(\\Seen Work $Label1)"))
        asked(imap.store("3", "+FLAGS", "(\\Draft \\Deleted)"))
        imap.logout()

    def twinpost(self, *arguments, expect=0):
        command = [program("TWINPOST", "twinpost"), "--config", self.server.config_path, *arguments]
        return run(command, expect=expect)

    def import_maildir(self, *more, user=USER):
        maildir = os.path.join(self.dovecot.folder, "mail")
        return json.loads(self.twinpost("import", user, "--maildir", maildir, "--json", *more))

    def check_same(self, user=USER):
        dovecot = self.dovecot.imap()
        ours = logged_in(self.server.imap, user, PASSWORD)
        theirs, subscribed = seen_by_imap(dovecot)
        found, names = seen_by_imap(ours)
        self.assertEqual(found, theirs)
        self.assertEqual(names - {"INBOX"}, subscribed - {"INBOX"})
        dovecot.logout()
        ours.logout()
        self.assertEqual(pop3_uidls(self.server.pop3, user, PASSWORD), self.dovecot.uidls())

    def test_1_what_dovecot_shows_is_what_twinpost_shows_after_an_import(self):
        before = self.import_maildir("--dry-run")
        self.assertEqual((before["stored"], before["known"]), (8 + 12, 0))
        report = self.import_maildir()
        self.assertEqual((report["stored"], report["failed"], report["notes"]), (20, 0, []))
        self.check_same()

    def test_2_another_run_brings_nothing_a_third_only_what_is_new(self):
        self.assertEqual(self.import_maildir()["stored"], 0)
        ours = logged_in(self.server.imap, USER, PASSWORD)
        asked(ours.select("Work"))
        asked(ours.store("1", "+FLAGS", "\\Deleted"))
        asked(ours.expunge())
        dovecot = self.dovecot.imap()
        asked(dovecot.append("INBOX", "(\\Seen)", None, message("new in INBOX")))
        asked(dovecot.append("Sent", "()", None, message("new in Sent")))
        dovecot.logout()
        report = self.import_maildir()
        self.assertEqual((report["stored"], report["failed"]), (2, 0))
        self.assertEqual(len(asked(ours.select("Work", readonly=True))), 1)
        self.assertEqual(asked(ours.select("Work", readonly=True)), [b"2"])
        ours.logout()
        self.assertEqual(pop3_uidls(self.server.pop3, USER, PASSWORD), self.dovecot.uidls())
        dovecot = self.dovecot.imap()
        ours = logged_in(self.server.imap, USER, PASSWORD)
        self.assertEqual(seen_by_imap(ours, ("INBOX", "Sent"))[0], seen_by_imap(dovecot, ("INBOX", "Sent"))[0])
        dovecot.logout()
        ours.logout()

    def test_3_an_export_is_served_by_dovecot_as_it_was_here(self):
        lmtp = wire.Lmtp(self.server.lmtp)
        lmtp.deliver("sam@example.net", [USER], message("of our own"))
        lmtp.close()
        out = os.path.join(self.folder, "out")
        self.assertRegex(self.twinpost("export", USER, "--maildir", out, "--quiet"), r": 22 new .*, 0 there already")
        self.assertRegex(self.twinpost("export", USER, "--maildir", out, "--quiet"), r": 0 new .*, 22 there already")
        ours = logged_in(self.server.imap, USER, PASSWORD)
        expected = seen_by_imap(ours)
        ours.logout()
        with DovecotBoth([], maildir=out) as dovecot:
            imap = dovecot.imap()
            self.assertEqual(seen_by_imap(imap), expected)
            imap.logout()
            self.assertEqual(dovecot.uidls(), pop3_uidls(self.server.pop3, USER, PASSWORD))

    def test_4_an_exported_mbox_is_read_by_others(self):
        out = os.path.join(self.folder, "boxes")
        self.twinpost("export", USER, "--mbox", out, "--mailbox", "INBOX", "--mailbox", "Work/2024", "--quiet")
        self.assertEqual(sorted(os.listdir(out)), ["INBOX.mbox", "Work%2F2024.mbox"])
        ours = logged_in(self.server.imap, USER, PASSWORD)
        (_, messages), = seen_by_imap(ours, ("Work/2024",))[0].values()
        ours.logout()
        box = mailbox.mbox(os.path.join(out, "Work%2F2024.mbox"))
        self.assertEqual(len(box), len(messages))
        for (_, flags, _, octets), read in zip(messages, box):
            self.assertEqual("R" in read.get_flags(), "\\Seen" in flags)
            self.assertEqual("F" in read.get_flags(), "\\Flagged" in flags)
            self.assertIn(read["Subject"].encode(), octets)
            self.assertEqual(read.get_payload(), ">From here\n>From\n")
        box.close()
        self.twinpost("export", USER, "--mbox", out, "--mailbox", "Nothing", expect=1)

    def test_5_an_mbox_comes_in_under_a_name_of_its_own(self):
        path = os.path.join(self.folder, "boxes", "Work%2F2024.mbox")
        for stored in (3, 0):
            report = json.loads(self.twinpost("import", "cyd@example.org", "--mbox", path, "--to", "Old/Work", "--json"))
            self.assertEqual((report["stored"], report["failed"]), (stored, 0))
        imap = logged_in(self.server.imap, "cyd@example.org", PASSWORD)
        self.assertEqual(asked(imap.select('"Old/Work"', readonly=True)), [b"3"])
        imap.logout()

    def test_6_wrong_uses_are_told_in_a_line(self):
        for arguments, text in ((("import", "eve@example.org", "--maildir", self.folder), "twinpost account add"),
                                (("import", USER, "--maildir", self.folder), "no Maildir"),
                                (("import", USER, "--maildir", "/nonexistent"), "No such file"),
                                (("import", USER, "--maildir", self.folder, "--uidl-format", "%q"), "UIDL format"),
                                (("import", USER), "give one of"),
                                (("export", "cyd@example.org"), "give --maildir")):
            output = self.twinpost(*arguments, expect=(1, 2))
            self.assertIn(text, output)
            self.assertEqual(output.count("\n"), 1, output)

    def test_7_an_import_works_without_a_server_too(self):
        self.server.stop()
        report = self.import_maildir("--folder", "INBOX", "--folder", "Work*", user="bob@example.org")
        self.assertEqual((report["mailboxes"], report["failed"]), (3, 0))
        self.server.start()
        self.assertEqual(pop3_uidls(self.server.pop3, "bob@example.org", PASSWORD), self.dovecot.uidls())

    def test_8a_options_before_the_account_take_one_word_each(self):
        out = os.path.join(self.folder, "ordered")
        self.twinpost("export", "--mbox", out, "--mailbox", "INBOX", "--mailbox", "Sent", USER)
        self.assertEqual(sorted(os.listdir(out)), ["INBOX.mbox", "Sent.mbox"])
        report = json.loads(self.twinpost("import", "--json", "--dry-run", "--mbox", out, "--folder", "Sent", USER))
        self.assertEqual(report["mailboxes"], 1)

    def test_8b_an_export_is_not_mixed_with_other_files(self):
        home = os.path.join(self.folder, "home")
        os.makedirs(home)
        with open(os.path.join(home, "notes"), "wb"):
            pass
        for kind in ("--maildir", "--mbox"):
            output = self.twinpost("export", USER, kind, home, "--quiet", expect=1)
            self.assertIn("give a new folder", output)
            self.assertEqual(output.count("\n"), 1, output)
        self.assertEqual(os.listdir(home), ["notes"])
        boxes = os.path.join(self.folder, "ordered")
        self.assertIn("of another mailbox", self.twinpost("export", "cyd@example.org", "--mbox", boxes, expect=1))

    def test_9_the_first_login_subscribes_nothing_that_an_import_did_not(self):
        maildir = os.path.join(self.folder, "unsubscribed")
        for folder in (".", ".Sent", ".Trash"):
            for part in ("cur", "new", "tmp"):
                os.makedirs(os.path.join(maildir, folder, part))
        with open(os.path.join(maildir, "subscriptions"), "w", encoding="ascii") as file:
            file.write("Trash\n")
        self.twinpost("import", "dan@example.org", "--maildir", maildir, "--quiet")
        imap = logged_in(self.server.imap, "dan@example.org", PASSWORD)
        names = {line.decode().rsplit(" ", 1)[1].strip('"') for line in asked(imap.lsub())}
        self.assertEqual(names, {"INBOX", "Trash", "Drafts", "Junk", "Archive"})
        self.assertTrue(any(b"\\Sent" in line for line in asked(imap.list())))
        imap.logout()

    def test_9_two_imports_at_once_bring_every_message_once(self):
        path = os.path.join(self.folder, "many")
        with open(path, "wb") as file:
            for i in range(3000):
                text = message(f"many {i}").replace(b"\r\n", b"\n")
                file.write(b"From sam@example.net Thu Nov 23 19:00:00 2023\n" + text + b"\n")
        command = [program("TWINPOST", "twinpost"), "--config", self.server.config_path, "import", "fay@example.org", "--mbox", path,
                   "--json"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        reports = [json.loads(process.communicate(timeout=120)[0]) for process in both]
        self.assertEqual([report["failed"] for report in reports], [0, 0])
        self.assertEqual(sum(report["stored"] for report in reports), 3000)
        imap = logged_in(self.server.imap, "fay@example.org", PASSWORD)
        self.assertEqual(asked(imap.select(readonly=True)), [b"3000"])
        imap.logout()


if __name__ == "__main__":
    need_dovecot()
    if not os.path.exists("/usr/lib/dovecot/pop3"):
        skip("Dovecot's POP3 is not installed (package dovecot-pop3d)")
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
