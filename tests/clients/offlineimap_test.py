"""offlineimap keeps a Maildir tree and an account the same, both ways, over STARTTLS and IMAPS."""

import os
import unittest

import imap_support
from imap_support import PASSWORD, ImapTest, clean_environment, numbered, subject_of
from maildir import Maildir
from twinpost_server import need, run

# What it writes into a message that it uploads where it has to find it again (without UIDPLUS).
SEARCHED_HEADER = b"X-OfflineIMAP"


def with_lf(octets):
    return octets.replace(b"\r\n", b"\n")


class Offlineimap(ImapTest):
    def configure(self, security):
        self.tree = os.path.join(self.home, "mail")
        tls = {"starttls": "ssl = no\nstarttls = yes", "tls": "ssl = yes\nstarttls = no"}[security]
        self.rc = os.path.join(self.home, "offlineimaprc")
        password = os.path.join(self.home, "password")
        with open(password, "w", encoding="utf-8") as file:
            file.write(PASSWORD + "\n")
        os.chmod(password, 0o600)
        with open(self.rc, "w", encoding="utf-8") as file:
            file.write(f"""[general]
accounts = twinpost
metadata = {self.home}/state
ui = basic
socktimeout = 20

[Account twinpost]
localrepository = local
remoterepository = remote

[Repository local]
type = Maildir
localfolders = {self.tree}
sep = /

[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {self.address(security)[1]}
remoteuser = {self.user}
remotepassfile = {password}
auth_mechanisms = PLAIN, LOGIN
{tls}
sslcacertfile = {self.server.certificate}
tls_level = tls_compat
maxconnections = 2
""")

    def sync(self):
        output = run(["offlineimap", "-c", self.rc, "-o", "-u", "basic"], timeout=60, env=clean_environment(self.home))
        self.assertNotIn("ERROR", output)
        self.assertNotIn(SEARCHED_HEADER.decode(), output)

    def local(self, name):
        return Maildir(os.path.join(self.tree, name))

    def assert_same(self):
        session = self.imap()
        names = set(session.mailboxes())
        for name in names:
            there = sorted(((with_lf(octets), sorted(flags)) for flags, octets in session.messages(name).values()))
            here = sorted((octets, sorted(flags)) for _, flags, octets in self.local(name).messages())
            self.assertEqual(there, here, name)
        session.logout()
        self.assertEqual(sorted(with_lf(octets) for octets in self.maildrop()),
                         sorted(octets for _, _, octets in self.local("INBOX").messages()))
        return names

    def both_ways(self, security):
        self.configure(security)
        originals = numbered(60)
        self.deliver(*originals)
        session = self.imap()
        session.command("CREATE Work/Plans")
        session.select("INBOX")
        session.command("COPY 1:10 Work/Plans")
        session.command(r"STORE 5:15 +FLAGS.SILENT (\Flagged \Seen)")
        self.sync()
        self.assertEqual(self.assert_same(), {"INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive", "Work", "Work/Plans"})
        for octets, original in zip(self.octets_of(), originals):
            self.assertTrue(octets.endswith(original))

        before = self.state_of(["INBOX", "Work/Plans"])
        self.sync()
        self.assertEqual(self.state_of(["INBOX", "Work/Plans"]), before, "a second sync must change nothing")

        inbox = {subject_of(octets): path for path, _, octets in self.local("INBOX").messages()}
        self.local("INBOX").set_flags(inbox["Message 20"], ("\\Answered", "\\Seen"))
        os.unlink(inbox["Message 21"])
        session.command("NOOP")
        session.command(r"STORE 31 FLAGS (\Flagged)")
        session.command(r"STORE 32 +FLAGS (\Deleted)")
        session.command("EXPUNGE")
        self.deliver(*numbered(3, "Later"))
        for i, octets in enumerate(numbered(5, "Written offline")):
            self.local("Work/Plans").add(f"offline.{i}.here", with_lf(octets), ("\\Seen",))
        self.local("Made offline").make().add("made.0.here", with_lf(numbered(1, "In a new folder")[0]), ("\\Flagged",))
        self.sync()
        self.assertIn("Made offline", self.assert_same())
        flags = self.flags_by_subject()
        self.assertEqual(set(flags), {f"Message {i}" for i in range(60) if i not in (21, 31)} | {f"Later {i}" for i in range(3)})
        self.assertEqual(flags["Message 20"], {"\\Answered", "\\Seen"})
        self.assertEqual(flags["Message 30"], {"\\Flagged"})
        plans = sorted(with_lf(octets) for octets in self.octets_of("Work/Plans"))
        for octets in numbered(5, "Written offline"):
            self.assertIn(with_lf(octets), plans)
        after = self.state_of(["INBOX"])
        self.assertEqual(after["INBOX"]["UIDVALIDITY"], before["INBOX"]["UIDVALIDITY"])
        self.sync()
        self.assertEqual(self.state_of(["INBOX"]), after)

    def test_both_ways_over_starttls(self):
        self.both_ways("starttls")

    def test_both_ways_over_imaps(self):
        self.both_ways("tls")


if __name__ == "__main__":
    need("offlineimap", "openssl")
    imap_support.main()
