"""mbsync keeps a Maildir tree and an account the same, both ways: messages, flags, removals, folders."""

import os
import re
import unittest

import imap_support
import wire
from imap_support import PASSWORD, ImapTest, clean_environment, numbered, quoted, subject_of
from maildir import Maildir
from twinpost_server import make_certificate, message, need, run

MANY = 1100
FOLDERS = ("INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive")
# What mbsync writes into a message that it copies, to find it again.
TUID = re.compile(rb"^X-TUID: .{12}\n", re.M)


def with_lf(octets):
    return octets.replace(b"\r\n", b"\n")


def comparable(flags, octets):
    """A message as both sides must show it: with LF, as a Maildir has it."""
    return TUID.sub(b"", with_lf(octets), count=1), flags


class Mbsync(ImapTest):
    def setUp(self):
        super().setUp()
        self.tree = os.path.join(self.home, "mail")
        os.mkdir(self.tree)
        # Not in the local folders: mbsync knows by its state that a folder was there before and has gone.
        os.mkdir(os.path.join(self.home, "state"))

    def configure(self, security):
        kind = {"none": "None", "starttls": "STARTTLS", "tls": "IMAPS"}[security]
        path = os.path.join(self.home, "mbsyncrc")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""FSync no

IMAPAccount twinpost
Host localhost
Port {self.address(security)[1]}
User {self.user}
PassCmd "printf %s '{PASSWORD.replace(chr(92), chr(92) * 2).replace('"', chr(92) + '"')}'"
AuthMechs LOGIN
SSLType {kind}
SystemCertificates no
CertificateFile {self.server.certificate}
Timeout 30

IMAPStore remote
Account twinpost

MaildirStore local
Path {self.tree}/
Inbox {self.tree}/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState {self.home}/state/
""")
        self.rc = path

    def sync(self):
        # mbsync waits for a second or two where a folder has just changed; here all is quiet.
        for name in self.local_folders():
            self.local(name).settle()
        return run(["mbsync", "--config", self.rc, "--verbose", "all"], timeout=90, env=clean_environment(self.home))

    def local(self, name):
        return Maildir(os.path.join(self.tree, name))

    def local_folders(self):
        found = set()
        for folder, folders, _ in os.walk(self.tree):
            if "cur" in folders:
                found.add(os.path.relpath(folder, self.tree))
            folders[:] = [name for name in folders if name not in ("cur", "new", "tmp")]
        return found

    def assert_same(self):
        """Both sides have the same folders with the same messages and flags; POP3 shows the same INBOX. Returns the folders."""
        session = self.imap()
        names = set(session.mailboxes())
        self.assertEqual(names, self.local_folders())
        for name in names:
            there = sorted((comparable(flags, octets) for flags, octets in session.messages(name).values()), key=repr)
            here = sorted((comparable(flags, octets) for _, flags, octets in self.local(name).messages()), key=repr)
            self.assertEqual(len(there), len(here), name)
            for one, other in zip(there, here):
                self.assertEqual(one, other, name)
        session.logout()
        popped = sorted(comparable(frozenset(), octets)[0] for octets in self.maildrop())
        self.assertEqual(popped, sorted(comparable(frozenset(), octets)[0] for _, _, octets in self.local("INBOX").messages()))
        return names

    def both_ways(self, security):
        self.configure(security)
        originals = numbered(MANY)
        self.deliver(*originals)
        session = self.imap()
        session.command('CREATE "Work/Plans 2026"')
        session.select("INBOX")
        session.command('COPY 1:40 "Work/Plans 2026"')
        session.command(r"STORE 1:100 +FLAGS.SILENT (\Flagged)")
        session.command(r"STORE 50:150 +FLAGS.SILENT (\Seen \Answered)")
        # What is \Deleted before the first sync would never be copied; that comes below.
        session.command("CLOSE")

        offline = self.local("Written offline").make()
        written = [with_lf(octets) for octets in numbered(30, "Offline")]
        for i, octets in enumerate(written):
            offline.add(f"offline.{i}.here", octets, [(), ("\\Seen",), ("\\Flagged", "\\Seen"), ("\\Draft", "\\Answered")][i % 4])
        self.sync()
        names = self.assert_same()
        # A mailbox above one that is made is made too (RFC 9051 6.3.4).
        self.assertEqual(names, {*FOLDERS, "Work", "Work/Plans 2026", "Written offline"})
        # The first sync's truth, against what was sent and written, so that both sides can't be wrong together.
        inbox = self.octets_of()
        self.assertEqual(len(inbox), MANY)
        for octets, original in zip(inbox, originals):
            self.assertTrue(octets.endswith(original), f"not as it was delivered: {original[:100]!r}")
        self.assertEqual(sorted(comparable(frozenset(), octets)[0] for octets in self.octets_of("Written offline")), sorted(written))

        before = self.state_of(names)
        files = {name: sorted(self.local(name).files()) for name in names}
        self.sync()
        self.assertEqual(self.state_of(names), before, "a second sync must change nothing")
        self.assertEqual({name: sorted(self.local(name).files()) for name in names}, files)

        self.change_flags_on_both_sides()
        self.sync()
        self.assert_same()
        inbox = self.flags_by_subject()
        self.assertEqual([inbox[f"Message {i}"] for i in (200, 201, 300, 301, 60)],
                         [{"\\Seen"}, {"\\Flagged", "\\Seen", "\\Answered"}, {"\\Draft", "\\Answered"}, frozenset(),
                          {"\\Seen", "\\Answered"}])

        gone = self.remove_on_both_sides()
        self.sync()
        self.assert_same()
        self.assertEqual(set(self.flags_by_subject()), {f"Message {i}" for i in range(MANY)} - gone)

        self.deliver(*numbered(20, "Later"))
        for i, octets in enumerate(numbered(20, "Later, offline")):
            self.local("INBOX").add(f"later.{i}.here", with_lf(octets), ("\\Seen",))
        self.sync()
        self.assert_same()
        self.assertEqual(len(self.octets_of()), MANY - len(gone) + 40)

        self.folders_come_and_go()
        now = self.state_of(FOLDERS)
        self.assertEqual({name: state["UIDVALIDITY"] for name, state in now.items()},
                         {name: before[name]["UIDVALIDITY"] for name in FOLDERS})

    def change_flags_on_both_sides(self):
        by_subject = {subject_of(octets): path for path, _, octets in self.local("INBOX").messages()}
        self.local("INBOX").set_flags(by_subject["Message 200"], ("\\Seen",))
        self.local("INBOX").set_flags(by_subject["Message 201"], ("\\Flagged", "\\Seen", "\\Answered"))
        self.local("INBOX").set_flags(by_subject["Message 60"], ("\\Seen", "\\Answered"))
        for i in range(400, 500):
            self.local("INBOX").set_flags(by_subject[f"Message {i}"], ("\\Answered",))
        session = self.imap()
        session.select("INBOX")
        session.command(r"STORE 301 FLAGS (\Draft \Answered)")
        session.command(r"STORE 302 FLAGS ()")
        session.command(r"STORE 501:600 +FLAGS (\Flagged)")
        session.logout()

    def remove_on_both_sides(self):
        """Each way of removing a message. Returns the subjects."""
        by_subject = {subject_of(octets): path for path, _, octets in self.local("INBOX").messages()}
        for i in range(700, 720):
            os.unlink(by_subject[f"Message {i}"])
        for i in range(720, 730):
            self.local("INBOX").set_flags(by_subject[f"Message {i}"], ("\\Deleted",))
        session = self.imap()
        session.select("INBOX")
        session.command(r"STORE 801:820 +FLAGS.SILENT (\Deleted)")
        session.command("EXPUNGE")
        session.logout()
        pop3 = wire.Pop3(self.server.pop3)
        pop3.login(self.user, PASSWORD)
        for number in range(901 - 20, 911 - 20):  # twenty of the earlier ones are gone
            pop3.command(f"DELE {number}")
        pop3.quit()
        return {f"Message {i}" for i in [*range(700, 730), *range(800, 820), *range(900, 910)]}

    def folders_come_and_go(self):
        session = self.imap()
        session.command("CREATE Remote/Deep/Deeper")
        session.append("Remote/Deep/Deeper", message("In the deep"))
        self.local("Local/Deep").make().add("deep.here", with_lf(message("In the local deep")))
        self.sync()
        self.sync()  # the server has made Local above Local/Deep, which mbsync finds the next time
        names = self.assert_same()
        self.assertLessEqual({"Remote/Deep/Deeper", "Local/Deep"}, names)
        self.assertTrue(self.octets_of("Local/Deep")[0].endswith(b"Hello.\r\n"))

        # mbsync deletes no folder with mail in it, so that goes first.
        session.select("Remote/Deep/Deeper")
        session.command(r"STORE 1:* +FLAGS.SILENT (\Deleted)")
        session.command("CLOSE")
        for path in self.local("Local/Deep").files():
            os.unlink(path)
        self.sync()
        self.assert_same()
        session.command([b"DELETE ", quoted("Remote/Deep/Deeper")])
        self.local("Local/Deep").remove()
        self.sync()
        self.assertFalse(self.local("Remote/Deep/Deeper").exists())
        self.assertNotIn("Local/Deep", session.mailboxes())
        self.assert_same()
        session.logout()

    def test_both_ways_over_starttls(self):
        self.both_ways("starttls")

    def test_both_ways_over_imaps(self):
        self.both_ways("tls")

    def test_a_wrong_certificate_ends_it_before_the_password(self):
        self.configure("tls")
        with open(self.rc, encoding="utf-8") as file:
            text = file.read()
        other, _ = make_certificate(self.home, prefix="other")
        with open(self.rc, "w", encoding="utf-8") as file:
            file.write(text.replace(self.server.certificate, other))
        with self.assertRaisesRegex(AssertionError, "certificate"):
            self.sync()
        self.assertEqual(self.local_folders(), set())


if __name__ == "__main__":
    need("mbsync", "openssl")
    imap_support.main(150)
