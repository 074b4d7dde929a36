#!/usr/bin/env python3
"""twinpost backup and restore beside running servers, as clients see it.

A backup that is taken while mail is delivered has every message that was acknowledged before it began. What is restored into
another server, whole or by the mailbox, is what IMAP and POP3 showed before: UIDVALIDITY, UIDs, flags, UIDLs, octets. mbsync,
which has kept its state over the loss of the server, finds nothing to do; fetchmail, which remembers UIDLs, fetches nothing.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import imap_support
import wire
from imap_support import Imap, clean_environment, numbered, subject_of
from twinpost_server import Server, message, program, run

ANN, BOB = "ann@example.org", "bob@example.org"
PASSWORD = "a secret"
ACCOUNTS = {ANN: PASSWORD, BOB: PASSWORD}


def start(accounts=None, **limits):
    """A server with an admin socket."""
    server = Server(accounts or ACCOUNTS, {"limits": limits}, start=False)
    server.settings["listen"] = {"admin": ["unix:" + os.path.join(server.folder, "admin.sock")]}
    server.write_config()
    server.start()
    return server


def twinpost(server, *arguments, expect=0):
    return run([program("TWINPOST", "twinpost"), "--config", server.config_path, *arguments], timeout=120, expect=expect)


def session(server, user):
    return Imap(server.imap).login(user, PASSWORD)


def mailbox_state(imap, name):
    status = imap.status(name, "UIDVALIDITY", "MAILBOXID")
    dates = {}
    if imap.select(name, read_only=True):
        dates = {uid: values["INTERNALDATE"] for uid, values in imap.fetch("1:*", "INTERNALDATE").items()}
    return {"status": status, "messages": imap.messages(name), "dates": dates}


def what_clients_see(server, user):
    """Everything of an account that must survive."""
    imap = session(server, user)
    names = imap.mailboxes()
    state = {name: mailbox_state(imap, name) for name in names}
    subscribed = sorted(line.split(b" ")[-1] for line in imap.untagged_of('LSUB "" "*"'))
    imap.logout()
    pop3 = wire.Pop3(server.pop3)
    pop3.login(user, PASSWORD)
    maildrop = {uidl: pop3.retrieve(number) for number, uidl in pop3.uidls().items()}
    pop3.quit()
    return {"mailboxes": state, "names": names, "subscribed": subscribed, "maildrop": maildrop}


class Backup(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="twinpost-backup-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.backup = os.path.join(self.folder, "backup")

    def serve(self, *arguments, **options):
        server = start(*arguments, **options)
        self.addCleanup(server.remove)
        return server

    def office(self):
        """A server that has been lived in."""
        server = self.serve()
        server.deliver(ANN, *numbered(60))
        server.deliver(BOB, message("For Bob"))
        session(server, BOB).logout()  # the first one makes the mailboxes that everybody has
        imap = session(server, ANN)
        imap.command("CREATE Work/Deep")
        imap.command("SUBSCRIBE Work/Deep")
        imap.select("INBOX")
        imap.command(r"STORE 1:10 +FLAGS (\Seen $Work)")
        imap.command(r"STORE 20 +FLAGS (\Flagged)")
        imap.command("UID MOVE 30:35 Work/Deep")
        imap.command(r"UID STORE 40:42 +FLAGS (\Deleted)")
        imap.command("EXPUNGE")
        imap.append("Work/Deep", message("Appended"), r"\Draft", "05-Jan-2020 10:00:00 +0530")
        imap.logout()
        pop3 = wire.Pop3(server.pop3)
        pop3.login(ANN, PASSWORD)
        pop3.command("DELE 3")
        pop3.quit()
        return server

    def test_a_whole_server_comes_back_on_another_one(self):
        server = self.office()
        twinpost(server, "backup", self.backup)
        # A second generation, with changes of every kind; it is the one that is restored.
        imap = session(server, ANN)
        imap.select("INBOX")
        imap.command(r"UID STORE 50 +FLAGS (\Answered)")
        imap.command("UID MOVE 51 Work")
        imap.logout()
        server.deliver(ANN, message("Later"))
        twinpost(server, "backup", self.backup)
        self.assertIn("all good", twinpost(server, "backup", "verify", self.backup))
        self.assertEqual(len(twinpost(server, "backup", "list", self.backup).splitlines()), 3)
        before = {user: what_clients_see(server, user) for user in ACCOUNTS}
        server.stop()

        other = self.serve()
        twinpost(other, "restore", "--all", self.backup)
        for user in ACCOUNTS:
            self.assertEqual(what_clients_see(other, user), before[user])
        self.assertIn("0 messages restored", twinpost(other, "restore", "--all", self.backup))
        for user in ACCOUNTS:
            self.assertEqual(what_clients_see(other, user), before[user])
        # What arrives then gets a UID that no mail lost after the backup can have had.
        other.deliver(ANN, message("New"))
        imap = session(other, ANN)
        self.assertGreater(max(imap.messages("INBOX")), 1_000_000)
        imap.logout()
        other.stop()

    def test_without_a_running_server(self):
        server = self.office()
        before = what_clients_see(server, ANN)
        server.stop()
        twinpost(server, "backup", self.backup)
        shutil.rmtree(server.data)
        os.mkdir(server.data, 0o700)
        twinpost(server, "restore", "--all", self.backup)
        server.start()
        self.assertEqual(what_clients_see(server, ANN), before)
        server.stop()

    def test_one_account_and_one_mailbox_into_the_running_server(self):
        server = self.office()
        twinpost(server, "backup", self.backup)
        before = what_clients_see(server, ANN)
        bob = what_clients_see(server, BOB)
        imap = session(server, ANN)
        imap.command("UNSUBSCRIBE Work/Deep")
        imap.command("DELETE Work/Deep")
        # Another session, idle all the while, must hear of what comes into its mailbox.
        watching = session(server, ANN)
        watching.select("INBOX")
        twinpost(server, "restore", "--account", ANN, "--mailbox", "Work/Deep", self.backup)
        self.assertEqual(what_clients_see(server, ANN), before)

        imap.select("INBOX")
        imap.command(r"UID STORE 11:14 +FLAGS (\Deleted)")
        imap.command("EXPUNGE")
        twinpost(server, "restore", "--account", ANN, "--dry-run", self.backup)
        self.assertEqual(len(what_clients_see(server, ANN)["maildrop"]), len(before["maildrop"]) - 4)
        twinpost(server, "restore", "--account", ANN, self.backup)
        after = what_clients_see(server, ANN)
        self.assertEqual(after["maildrop"], before["maildrop"])  # every UIDL, too
        old, new = (state["mailboxes"]["INBOX"]["messages"] for state in (before, after))
        self.assertEqual(set(new) - set(old), {max(old) + i for i in range(1, 5)})
        self.assertEqual({uid: new[uid] for uid in set(new) & set(old)},
                         {uid: old[uid] for uid in old if uid not in range(11, 15)})
        watching.command("NOOP")
        self.assertTrue(any(line.endswith(b" EXISTS") for line in watching.untagged))
        watching.logout()
        imap.logout()

        twinpost(server, "restore", "--account", ANN, "--as", BOB, "--to", "Ann", "--mailbox", "Work/Deep", self.backup)
        now = what_clients_see(server, BOB)
        self.assertEqual(now["maildrop"], bob["maildrop"])
        self.assertEqual(now["mailboxes"]["Ann/Work/Deep"]["messages"], before["mailboxes"]["Work/Deep"]["messages"])
        server.stop()

    def test_a_backup_while_mail_is_delivered_is_of_one_moment(self):
        server = self.serve()
        acknowledged = []
        stop = threading.Event()

        def deliver(number):
            lmtp = wire.Lmtp(server.lmtp)
            count = 0
            while not stop.is_set():
                subject = f"{number} {count}"
                for code, text in lmtp.deliver("sam@example.net", [ANN, BOB], message(subject, "x" * (count % 7 * 700) + "\r\n")):
                    assert code == 250, text
                acknowledged.append(subject)
                count += 1
            lmtp.quit()

        threads = [threading.Thread(target=deliver, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        promised = []
        try:
            for _ in range(4):
                time.sleep(0.4)
                promised.append(list(acknowledged))
                twinpost(server, "backup", "-q", self.backup)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertGreater(len(acknowledged), 20)
        self.assertIn("all good", twinpost(server, "backup", "verify", self.backup))
        generations = [line.split()[0] for line in twinpost(server, "backup", "list", self.backup).splitlines()[1:]]
        self.assertEqual(len(generations), 4)
        server.stop()
        for generation, subjects in zip(generations[::3], promised[::3]):
            other = self.serve()
            twinpost(other, "restore", "--all", "--generation", generation, self.backup)
            found = {}
            for user in ACCOUNTS:
                imap = session(other, user)
                found[user] = {subject_of(octets) for _, octets in imap.messages("INBOX").values()}
                imap.logout()
            # One transaction brought each message to both of them: they have the very same ones.
            self.assertEqual(found[ANN], found[BOB])
            self.assertLessEqual(set(subjects), found[ANN])
            other.stop()

    def test_a_killed_backup_leaves_nothing_half(self):
        server = self.serve()
        server.deliver(ANN, *[message(f"Big {i}", f"{i:05}{'x' * 72}\r\n" * 400) for i in range(150)])
        before = what_clients_see(server, ANN)
        command = [program("TWINPOST", "twinpost"), "--config", server.config_path, "backup", "--rate", "1", self.backup]
        for seconds in (0.2, 0.5, 0.9):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(seconds)
            process.kill()
            process.wait()
        generations = os.path.join(self.backup, "generations")
        finished = [name for name in os.listdir(generations) if not name.startswith(".")] if os.path.isdir(generations) else []
        self.assertEqual(finished, [])
        twinpost(server, "backup", self.backup)
        self.assertIn("all good", twinpost(server, "backup", "verify", self.backup))
        self.assertEqual([name for name in os.listdir(generations) if name.startswith(".")], [])
        server.stop()
        other = self.serve()
        twinpost(other, "restore", "--all", self.backup)
        self.assertEqual(what_clients_see(other, ANN), before)
        other.stop()

    def test_an_encrypted_store_has_an_encrypted_backup(self):
        server = self.serve()
        key_file = os.path.join(server.folder, "store.key")
        server.stop()
        shutil.rmtree(server.data)
        twinpost(server, "key", "new", key_file)
        server.settings["storage"] = {"key_file": key_file}
        server.write_config()
        server.start()
        server.deliver(ANN, message("Confidential", "Nobody may read this.\r\n"))
        before = what_clients_see(server, ANN)
        twinpost(server, "backup", self.backup)
        self.assertIn("all good", twinpost(server, "backup", "verify", self.backup))
        self.assertNotIn("--plain", twinpost(server, "backup", "list", self.backup))
        self.assertIn("encrypted", twinpost(server, "backup", "--plain", self.backup, expect=1))
        for place, _, names in os.walk(self.backup):
            for name in names:
                with open(os.path.join(place, name), "rb") as file:
                    octets = file.read()
                for secret in (b"Confidential", b"example.org", b"INBOX", b"Nobody"):
                    self.assertNotIn(secret, octets, name)
        server.stop()

        other = self.serve()
        self.assertIn("--key-file", twinpost(other, "restore", "--all", self.backup, expect=2))
        twinpost(other, "restore", "--all", "--key-file", key_file, self.backup)
        self.assertEqual(what_clients_see(other, ANN), before)
        other.stop()

    def test_exit_codes_say_how_it_went(self):
        server = self.office()
        twinpost(server, "backup", self.backup)
        self.assertIn("--all", twinpost(server, "restore", self.backup, expect=2))
        self.assertIn("no account", twinpost(server, "restore", "--account", "eve@example.org", self.backup, expect=2))
        self.assertIn("no generation", twinpost(server, "restore", "--all", "--generation", "20200101T000000Z-1", self.backup, expect=2))
        twinpost(server, "backup", "prune", self.backup, expect=1)
        pack = os.path.join(self.backup, "packs", "000001.pack")
        with open(pack, "r+b") as file:
            file.seek(-3, os.SEEK_END)
            file.write(b"???")
        self.assertIn("does not match its checksum", twinpost(server, "backup", "verify", self.backup, expect=1))
        server.stop()
        other = self.serve({ANN: PASSWORD})
        output = twinpost(other, "restore", "--all", self.backup, expect=1)
        self.assertIn("1 failed", output)
        self.assertIn("twinpost account add bob@example.org", output)
        other.stop()

    @unittest.skipUnless(shutil.which("mbsync"), "mbsync is not installed")
    def test_mbsync_that_kept_its_state_has_nothing_to_do(self):
        server = self.office()
        tree, state = os.path.join(self.folder, "mail"), os.path.join(self.folder, "state")
        os.mkdir(tree)
        os.mkdir(state)

        def sync(of):
            path = os.path.join(self.folder, "mbsyncrc")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"""FSync no
IMAPAccount twinpost
Host 127.0.0.1
Port {of.imap[1]}
User {ANN}
Pass "{PASSWORD}"
AuthMechs LOGIN
SSLType None
Timeout 30

IMAPStore remote
Account twinpost

MaildirStore local
Path {tree}/
Inbox {tree}/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState {state}/
""")
            return run(["mbsync", "--config", path, "all"], timeout=90, env=clean_environment(self.folder))

        def files():
            return sorted((os.path.relpath(os.path.join(place, name), tree), os.stat(os.path.join(place, name)).st_ino)
                          for place, _, names in os.walk(tree) for name in names if not name.startswith(".uid"))

        sync(server)
        sync(server)
        local = files()
        self.assertGreater(len(local), 50)
        twinpost(server, "backup", self.backup)
        before = what_clients_see(server, ANN)
        server.stop()
        other = self.serve()
        twinpost(other, "restore", "--all", self.backup)
        sync(other)
        self.assertEqual(files(), local)
        self.assertEqual(what_clients_see(other, ANN), before)
        other.stop()

    @unittest.skipUnless(shutil.which("fetchmail"), "fetchmail is not installed")
    def test_fetchmail_that_remembers_uidls_fetches_nothing(self):
        server = self.office()

        def fetch(of):
            path = os.path.join(self.folder, "fetchmailrc")
            fetched = os.path.join(self.folder, "fetched")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"poll localhost via 127.0.0.1 with protocol POP3 service {of.pop3[1]} uidl:\n"
                           f'  user "{ANN}" password "{PASSWORD}" keep sslproto ""\n'
                           f"  mda \"tee -a {fetched}\"\n")
            os.chmod(path, 0o600)
            run(["fetchmail", "--fetchmailrc", path, "--idfile", os.path.join(self.folder, "ids"), "--pidfile",
                 os.path.join(self.folder, "pid"), "--nosyslog"], timeout=90, expect=(0, 1), env=clean_environment(self.folder))
            return os.path.getsize(fetched) if os.path.exists(fetched) else 0

        first = fetch(server)
        self.assertGreater(first, 1000)
        self.assertEqual(fetch(server), first)
        twinpost(server, "backup", self.backup)
        server.stop()
        other = self.serve()
        twinpost(other, "restore", "--all", self.backup)
        self.assertEqual(fetch(other), first)
        other.deliver(ANN, message("New"))
        self.assertGreater(fetch(other), first)
        other.stop()


if __name__ == "__main__":
    imap_support.main(280)
