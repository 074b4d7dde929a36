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


if __name__ == "__main__":
    unittest.main(verbosity=2)
