"""The admin's commands where something is not as it should be: keys that the server does not have yet, a store that is not there,
outputs that can't be written; and what sessions still read of messages that an admin brought back."""

import contextlib
import imaplib
import json
import os
import poplib
import re
import shutil
import struct
import time
import unittest

from fetching import PASSWORD, USER
from twinpost_server import Server, message, program, run

BOB = "bob@example.net"
NAME = "Removed messages"
QUOTED = f'"{NAME}"'
NOTHING_DONE = 2  # of salvage


class StoreCommands(unittest.TestCase):
    def serve(self, settings=None, start=True):
        self.server = Server({USER: PASSWORD, BOB: PASSWORD}, settings, tls=False, start=start)
        self.addCleanup(self.server.remove)
        self.addCleanup(self.server.stop)
        return self.server

    def twinpost(self, *arguments, expect=0):
        return run([program("TWINPOST", "twinpost"), "--config", self.server.config_path, *arguments], expect=expect)

    def reconfigure(self, settings):
        self.server.settings = settings
        self.server.write_config()

    def reload(self, settings):
        start = len(self.server.log())
        self.reconfigure(settings)
        self.server.reload()
        self.server.wait_for_log("event=reloaded", start=start)

    def path(self, name):
        return os.path.join(self.server.folder, name)

    def removed(self, *arguments):
        return json.loads(self.twinpost("removed", "list", USER, "--json", *arguments))

    def imap(self, mailbox="INBOX", readonly=False):
        box = imaplib.IMAP4(*self.server.imap, timeout=20)
        self.addCleanup(lambda: self.quietly(box.shutdown))
        box.login(USER, PASSWORD)
        kind, answer = box.select(mailbox, readonly=readonly)
        self.assertEqual(kind, "OK", answer)
        return box

    def pop3(self):
        box = poplib.POP3(*self.server.pop3, timeout=20)
        self.addCleanup(lambda: self.quietly(box.close))
        box.user(USER)
        box.pass_(PASSWORD)
        return box

    @staticmethod
    def quietly(function):
        with contextlib.suppress(Exception):
            function()

    def expunge(self, numbers="1:*"):
        box = self.imap()
        box.store(numbers, "+FLAGS", r"(\Deleted)")
        self.assertEqual(box.expunge()[0], "OK")
        box.logout()

    def fetched(self, box, uid):
        kind, answer = box.uid("FETCH", str(uid), "(BODY.PEEK[])")
        self.assertEqual(kind, "OK", answer)
        return answer[0][1]


class Keys(StoreCommands):
    def key_new(self, path):
        return re.search(r"key ([0-9a-f]{8}) added", self.twinpost("key", "new", path))[1]

    def test_reencrypt_says_that_the_server_has_not_the_newest_key_yet(self):
        server = self.serve(start=False)
        keys = self.path("keys")
        self.reconfigure({"storage": {"key_file": keys}})
        first = self.key_new(keys)
        server.start()
        server.deliver(USER, message("One"), message("Two"))
        self.assertIn("as storage in the configuration says", self.twinpost("reencrypt", "-q"))
        second = self.key_new(keys)
        said = self.twinpost("reencrypt", "-q", expect=1)
        self.assertIn(f"the server still uses key {first}; the newest in {keys} is {second}: restart it first", said)
        self.assertEqual(len(said.splitlines()), 1, said)
        server.restart()
        self.assertIn("2 message bodies were written anew", self.twinpost("reencrypt", "-q"))
        # Without a server, what is on the disk is what counts.
        server.stop()
        self.key_new(keys)
        self.assertIn("2 message bodies were written anew", self.twinpost("reencrypt", "-q"))

    def test_reencrypt_says_that_the_server_has_not_the_new_settings_yet(self):
        server = self.serve()
        server.deliver(USER, message("One", "the same line\r\n" * 2000))
        keys = self.path("keys")
        first = self.key_new(keys)
        # The tool reads the file by itself: the server need not have seen it yet.
        self.reconfigure({"storage": {"key_file": keys}})
        self.assertIn(f"the server does not encrypt yet; the newest key in {keys} is {first}: restart it first",
                      self.twinpost("reencrypt", "-q", expect=1))
        server.restart()
        self.assertIn("1 message bodies were written anew", self.twinpost("reencrypt", "-q"))
        self.reconfigure({})
        self.assertIn(f"the server still encrypts, with key {first}, and storage.key_file is not set: restart it first",
                      self.twinpost("reencrypt", "-q", expect=1))
        self.reconfigure({"storage": {"key_file": keys, "compression": True}})
        self.assertIn("the server still has storage.compression off: restart it first",
                      self.twinpost("reencrypt", "-q", expect=1))
        server.restart()
        self.assertIn("1 message bodies were written anew", self.twinpost("reencrypt", "-q"))
        self.reconfigure({"storage": {"key_file": keys}})
        self.assertIn("the server still has storage.compression on: restart it first",
                      self.twinpost("reencrypt", "-q", expect=1))

    def test_both_checks_read_the_key_file_as_the_server_does_at_its_start(self):
        server = self.serve(start=False)
        keys = self.path("keys")
        self.reconfigure({"storage": {"key_file": keys}})

        def refused(reason):
            said = self.twinpost("config", "check", expect=1)
            self.assertIn(f"storage.key_file: {keys}: ", said)
            self.assertIn(reason, said)
            checked = run([program("TWINPOSTD", "twinpostd"), "--config", server.config_path, "--check"], expect=1)
            self.assertEqual(said.replace("twinpost: ", ""), checked.replace("twinpostd: ", ""))
            started = run([program("TWINPOSTD", "twinpostd"), "--config", server.config_path], expect=1)
            self.assertEqual(started.splitlines()[-1], checked.strip())

        refused("No such file")
        self.key_new(keys)
        self.assertIn("good", self.twinpost("config", "check"))
        run([program("TWINPOSTD", "twinpostd"), "--config", server.config_path, "--check"])
        os.chmod(keys, 0o644)
        refused("chmod 600")
        os.chmod(keys, 0o600)
        with open(keys, "a", encoding="utf-8") as file:
            file.write("twinpost-key-1 0102030x nonsense\n")
        refused("a key's id is eight hexadecimal digits")
        with open(keys, "w", encoding="utf-8") as file:
            file.write("# none\n")
        refused("there is no key in it")
        os.unlink(keys)
        os.mkdir(keys)
        refused("not a regular file")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_a_key_file_that_the_daemon_s_user_can_t_read_is_told_to_root(self):
        self.serve(start=False)
        keys = self.path("keys")
        self.key_new(keys)  # root's
        os.mkdir(self.server.data, 0o700)
        os.chown(self.server.data, 65534, 65534)
        self.reconfigure({"storage": {"key_file": keys}})
        self.assertIn(f"storage.key_file: {keys}: Permission denied", self.twinpost("config", "check", expect=1))
        os.chown(keys, 65534, 65534)
        self.assertIn("good", self.twinpost("config", "check"))


class NoStore(StoreCommands):
    def refused_and_nothing_made(self, *arguments, code=1):
        said = self.twinpost(*arguments, expect=code)
        self.assertIn(f"there is no store in {self.server.data}", said, arguments)
        self.assertEqual(len(said.splitlines()), 1, said)
        if os.path.exists(self.server.data):
            self.assertEqual(os.listdir(self.server.data), [])

    def test_no_command_but_one_that_brings_mail_makes_a_store(self):
        server = self.serve()
        server.deliver(USER, message("One"))
        backup = self.path("backup")
        self.twinpost("backup", backup, "-q")
        server.stop()
        source = self.path("mbox")
        with open(source, "wb") as file:
            file.write(b"From sam@example.net Mon Jan  5 10:00:00 2026\n" + message("One").replace(b"\r\n", b"\n") + b"\n")
        shutil.rmtree(server.data)
        restore = ("restore", backup, "--all")
        imported = ("import", USER, "--mbox", source)
        for folder_is_there in (False, True):
            if folder_is_there:
                os.mkdir(server.data, 0o700)
            for arguments in (("compact",), ("reencrypt",), ("store", "compact"), ("store", "reencrypt"), ("store", "space"),
                              ("undelete", USER, "--all"), ("removed", "list", USER),
                              ("removed", "forget", USER, "--all", "--yes"), ("quota",),
                              ("backup", self.path("backup2")), ("export", USER, "--mbox", self.path("mbox2")),
                              imported + ("--dry-run",)):
                with self.subTest(arguments=arguments, folder_is_there=folder_is_there):
                    self.refused_and_nothing_made(*arguments)
            for arguments in (("check",), ("check", "--repair"), restore + ("--dry-run",)):
                with self.subTest(arguments=arguments, folder_is_there=folder_is_there):
                    self.refused_and_nothing_made(*arguments, code=2)
            self.assertEqual(os.path.exists(server.data), folder_is_there)
        self.twinpost(*restore, "-q")
        self.assertIn("1 messages", self.twinpost("check", "-q"))
        shutil.rmtree(server.data)
        self.twinpost(*imported, "-q")
        self.assertIn("1 messages", self.twinpost("check", "-q"))


class Undo(StoreCommands):
    def test_what_an_undelete_brought_back_is_read_on_by_who_was_not_told(self):
        server = self.serve()
        server.deliver(USER, message("One"), message("Two"))
        told_late, other = self.imap(), self.imap()
        whole = self.fetched(told_late, 1)
        pop3 = self.pop3()
        popped = b"\r\n".join(pop3.retr(1)[1]) + b"\r\n"
        self.assertEqual(popped, whole)
        other.store("1", "+FLAGS", r"(\Deleted)")
        other.expunge()
        self.twinpost("undelete", USER, "--all")
        # FETCH of a sequence number can't be told of an EXPUNGE: both still have the message.
        kind, answer = told_late.fetch("1", "(UID FLAGS BODY.PEEK[])")
        self.assertEqual((kind, answer[0][1]), ("OK", whole), answer)
        self.assertIn(b"UID 1 ", answer[0][0])
        self.assertEqual(b"\r\n".join(pop3.retr(1)[1]) + b"\r\n", whole)
        self.assertEqual(b"\r\n".join(pop3.top(2, 100)[1]) + b"\r\n", self.fetched(other, 2))
        # Removed once more, and given up: those who look at it still have it.
        self.expunge("2")
        self.twinpost("removed", "forget", USER, "--all", "--yes")
        self.assertEqual(b"\r\n".join(pop3.retr(1)[1]) + b"\r\n", whole)
        pop3.dele(1)
        pop3.quit()
        told_late.noop()
        # The one that came back, as number 3, has gone again too.
        self.assertEqual(told_late.response("EXPUNGE")[1], [b"1", b"2"])
        kind, answer = told_late.uid("FETCH", "1:*", "(UID)")
        self.assertEqual(answer, [b"1 (UID 2)"])
        self.twinpost("check", "-q")

    def test_without_retention_what_a_session_holds_is_read_but_never_comes_back(self):
        server = self.serve({"limits": {"retention_days": 0}, "removed": {"mailbox": NAME}})
        server.deliver(USER, message("One"), message("Two"))
        told_late, box = self.imap(), self.imap()
        self.assertNotIn(NAME.encode(), b" ".join(box.list()[1]))
        whole = self.fetched(told_late, 1)
        box.store("1", "+FLAGS", r"(\Deleted)")
        box.expunge()
        removed_at = int(time.time())
        pop3 = self.pop3()
        kept = b"\r\n".join(pop3.retr(1)[1]) + b"\r\n"
        self.expunge("1")
        time.sleep(1.2)
        self.assertEqual(self.removed("--moved"), [])
        for second in range(removed_at - 3, removed_at + 2):
            self.assertIn("is not there", self.twinpost("undelete", USER, f"{second}-1-1", expect=1))
        self.assertIn("nothing that was removed", self.twinpost("undelete", USER, "--all", expect=1))
        # A session that has it still reads it.
        self.assertEqual(told_late.fetch("1", "(BODY.PEEK[])")[1][0][1], whole)
        self.assertEqual(b"\r\n".join(pop3.retr(1)[1]) + b"\r\n", kept)
        # What was kept before is given up too.
        self.reload({"removed": {"mailbox": NAME}})
        self.assertIn(NAME.encode(), b" ".join(self.imap().list()[1]))
        self.reload({"limits": {"retention_days": 0}, "removed": {"mailbox": NAME}})
        self.assertNotIn(NAME.encode(), b" ".join(self.imap().list()[1]))
        self.twinpost("check", "-q")

    def test_an_account_of_which_the_store_does_not_know_has_removed_nothing(self):
        self.serve().wait_for_log("event=ready")
        self.assertEqual(self.removed(), [])
        listed = self.twinpost("removed", "list", USER.upper())
        self.assertEqual(len(listed.splitlines()), 1, listed)
        self.assertIn("SUBJECT", listed)
        self.assertIn("nothing that was removed", self.twinpost("undelete", USER, "--all", expect=1))
        self.assertIn("nothing to forget", self.twinpost("removed", "forget", USER, "--all", "--yes"))
        for command in (("list",), ("forget", "--all", "--yes")):
            self.assertIn(f"no account named nobody@example.org, neither in {self.server.accounts_path} nor in the store",
                          self.twinpost("removed", command[0], "nobody@example.org", *command[1:], expect=1))


class Salvage(StoreCommands):
    def stopped(self):
        server = self.serve()
        server.deliver(USER, message("One"))
        server.stop()
        return server

    def salvage(self, out, *arguments, expect=NOTHING_DONE, **options):
        return run([program("TWINPOST", "twinpost"), "salvage", self.server.data, out, "-q", *arguments], expect=expect, **options)

    def test_an_output_that_can_t_be_written_is_named_with_the_reason(self):
        self.stopped()
        file, taken = self.path("file"), self.path("taken")
        with open(file, "w", encoding="utf-8"):
            pass
        os.makedirs(os.path.join(taken, "report.txt"))
        for style in ("maildir", "store"):
            for out, reason in ((file, f"{file}: Not a directory"), (file + "/a/b", f"{file}: Not a directory"),
                                ("/proc/none/out", "/proc/none: No such file or directory"),
                                ("/proc", "/proc/report.txt: No such file or directory"),
                                (taken, f"{taken}/report.txt: Is a directory")):
                with self.subTest(style=style, out=out):
                    said = self.salvage(out, "--format", style)
                    self.assertEqual(said, f"twinpost: can't write to OUT, {out}: {reason}\n")
            self.assertIn("OUT must name a folder", self.salvage("", "--format", style))

    def test_a_damaged_store_that_is_not_there_is_what_is_named(self):
        self.serve(start=False)
        said = run([program("TWINPOST", "twinpost"), "salvage", "nowhere", "out", "-q"], cwd=self.server.folder, expect=NOTHING_DONE)
        self.assertEqual(said, "twinpost: nowhere: No such file or directory\n")
        self.assertFalse(os.path.exists(self.path("out")))

    def test_an_output_in_the_damaged_store_s_folder_is_refused_by_whatever_name(self):
        self.stopped()
        for damaged, out in (("data.mdb", "out"), (".", "out"), ("data.mdb", "./a/../out"), (self.server.data, "out")):
            said = run([program("TWINPOST", "twinpost"), "salvage", damaged, out, "-q"], cwd=self.server.data, expect=NOTHING_DONE)
            self.assertIn("OUT lies in the damaged store's folder", said)
        self.assertFalse(os.path.exists(os.path.join(self.server.data, "out")))

    def subjects_below(self, folder):
        found = []
        for path, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(path, name), encoding="utf-8") as file:
                    found += re.findall(r"^Subject: (\S+)$", file.read(), re.M)
        return sorted(found)

    def test_removed_mail_is_left_out_where_its_removal_can_be_read(self):
        for settings in ({}, {"removed": {"mailbox": NAME}}):
            server = self.serve(settings)
            server.deliver(USER, message("Kept"), message("Removed", "gone\r\n"))
            self.expunge("2")
            self.assertEqual([entry["subject"] for entry in self.removed()], ["Removed"])
            server.stop()
            for style in ("maildir", "store"):
                out = self.path("out-" + style)
                self.assertIn("1 messages salvaged, 0 lost or damaged", self.salvage(out, "--format", style, expect=0))
                self.assertFalse(os.path.exists(os.path.join(out, "unclaimed")))
            self.assertEqual(self.subjects_below(self.path("out-maildir")), ["Kept"])
        # Its removal damaged, in every copy: nothing says any more that its body is not mail.
        server = self.serve()
        server.deliver(USER, message("Kept"), message("Removed", "gone\r\n"))
        self.expunge("2")
        server.stop()
        path = os.path.join(server.data, "data.mdb")
        with open(path, "rb") as file:
            octets = file.read()
        self.assertIn(b"127.0.0.1", octets)
        with open(path, "wb") as file:
            file.write(octets.replace(b"127.0.0.1", b"127.0.0.9"))
        out = self.path("out")
        self.assertIn("1 bodies without a message are in", self.salvage(out, expect=1))
        self.assertEqual(self.subjects_below(os.path.join(out, USER)), ["Kept"])
        self.assertEqual(self.subjects_below(os.path.join(out, "unclaimed")), ["Removed"])

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_a_folder_that_is_there_keeps_its_mode_and_need_not_be_one_s_own(self):
        server = self.stopped()
        os.chmod(server.data, 0o755)
        os.chmod(os.path.join(server.data, "data.mdb"), 0o644)
        out = self.path("out")
        os.mkdir(out)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        said = self.salvage(out, **nobody)
        self.assertEqual(said, f"twinpost: can't write to OUT, {out}: {out}/report.txt: Permission denied\n")
        os.chown(out, 0, 65534)
        os.chmod(out, 0o775)
        self.salvage(out, expect=0, **nobody)
        self.assertEqual(os.stat(out).st_mode & 0o7777, 0o775)
        self.assertEqual(os.stat(os.path.join(out, USER)).st_mode & 0o7777, 0o700)

    def test_a_store_of_a_newer_format_is_told_and_what_is_known_of_it_is_read(self):
        server = self.stopped()
        path = os.path.join(server.data, "data.mdb")
        with open(path, "rb") as file:
            octets = file.read()
        known = re.search(rb"format(\0\0\0[\x01-\x20])", octets)[1]
        newer = struct.unpack(">I", known)[0] + 1
        with open(path, "wb") as file:
            file.write(octets.replace(b"format" + known, b"format" + struct.pack(">I", newer)))
        for style in ("maildir", "store"):
            out = self.path("out-" + style)
            said = self.salvage(out, "--format", style, expect=1)
            self.assertIn(f"the store has format {newer}, this version of Twinpost", said.splitlines()[0])
            self.assertIn("1 messages salvaged", said)
            with open(os.path.join(out, "report.txt"), encoding="utf-8") as file:
                self.assertEqual(file.read(), said)


class RemovedMailbox(StoreCommands):
    def mailboxes(self):
        return [line[:40].strip() for line in self.twinpost("mailbox", "list", USER).splitlines()[1:]]

    def test_it_goes_at_a_start_of_the_server_that_has_none_though_nobody_logs_in(self):
        server = self.serve({"removed": {"mailbox": NAME}})
        server.deliver(USER, *(message(f"Number {i}") for i in range(2500)))
        self.imap().logout()
        pop3 = self.pop3()
        for number in range(1, 2401):
            pop3.dele(number)
        pop3.quit()
        self.assertIn(NAME, self.mailboxes())
        self.reconfigure({})
        server.restart()
        server.wait_for_log("event=removed-mailboxes-gone accounts=1")
        self.assertNotIn(NAME, self.mailboxes())
        self.assertEqual(len(self.removed()), 2400)
        self.assertIn("2400 removed", self.twinpost("check", "-q"))
        # The name is as good as any other.
        source = self.path("mbox")
        with open(source, "w", encoding="utf-8") as file:
            file.write("From sam@example.net Mon Jan  5 10:00:00 2026\nSubject: Mine\n\nHello.\n\n")
        self.twinpost("import", USER, "--mbox", source, "--to", NAME, "-q")
        self.assertIn("(MESSAGES 1)", self.imap().status(QUOTED, "(MESSAGES)")[1][0].decode())
        # Once more there is nothing to do; nor where it is configured.
        self.reconfigure({"removed": {"mailbox": "Bin"}})
        server.restart()
        self.imap().logout()
        start = len(server.log())
        server.restart()
        self.assertIn("Bin", self.mailboxes())
        self.reconfigure({"removed": {"mailbox": "Bin"}, "limits": {"retention_days": 0}})
        server.restart()
        server.wait_for_log("event=removed-mailboxes-gone accounts=1", start=start)
        self.assertNotIn("Bin", self.mailboxes())
        self.assertIn(NAME, self.mailboxes())

    def test_a_stop_does_not_wait_for_it_to_end(self):
        server = self.serve({"removed": {"mailbox": NAME}})
        server.deliver(USER, *(message(f"Number {i}") for i in range(2500)))
        self.imap().logout()
        pop3 = self.pop3()
        for number in range(1, 2501):
            pop3.dele(number)
        pop3.quit()
        self.reconfigure({})
        for _ in range(3):
            server.restart()
        server.wait_for_log("event=removed-mailboxes-gone accounts=1")
        self.assertIn("2500 removed", self.twinpost("check", "-q"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
