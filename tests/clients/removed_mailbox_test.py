"""The mailbox of removed messages (`removed.mailbox`) as imaplib sees it: what IMAP expunged and what POP3 deleted is read and
copied back there, and leaves it when the admin brings it back."""

import contextlib
import imaplib
import json
import unittest

import wire
from twinpost_server import Server, message, program, run

ANN = "ann@example.org"
SECRET = "secret"
NAME = "Removed messages"
QUOTED = f'"{NAME}"'


class RemovedMailboxTest(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.server = stack.enter_context(
            Server({ANN: {"password": "{PLAIN}" + SECRET, "quota_messages": 10, "quota_mailboxes": 10}},
                   {"removed": {"mailbox": NAME}}, tls=False))

    def imap(self):
        box = imaplib.IMAP4("localhost", self.server.imap[1], timeout=20)
        self.addCleanup(box.shutdown)
        box.login(ANN, SECRET)
        return box

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def refused(self, answer, code):
        self.assertEqual(answer[0], "NO", answer)
        if code is not None:
            self.assertIn(f"[{code}]".encode(), answer[1][0])

    def twinpost(self, *arguments, expect=0):
        return run([program("TWINPOST", "twinpost"), "--config", self.server.config_path, *arguments], timeout=120, expect=expect)

    def is_sound(self):
        self.twinpost("check", "--quiet")

    def subjects(self, box, mailbox):
        """{UID: subject} of what is in it now."""
        self.ok(box.select(mailbox, readonly=True))
        found = self.ok(box.uid("SEARCH", "ALL"))[0].split()
        subjects = {}
        for uid in found:
            header = self.ok(box.uid("FETCH", uid.decode(), "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0][1]
            subjects[int(uid)] = header.decode().partition(":")[2].strip()
        return subjects

    def remove_one_by_each_protocol(self):
        self.server.deliver(ANN, *(message(subject) for subject in ("By POP3", "By IMAP", "Kept")))
        pop3 = wire.Pop3(self.server.pop3)
        pop3.login(ANN, SECRET)
        pop3.command("DELE 1")
        pop3.quit()
        box = self.imap()
        self.ok(box.select("INBOX"))
        self.ok(box.store("1", "+FLAGS", r"(\Deleted \Flagged)"))
        self.ok(box.expunge())
        return box

    def reload(self, settings):
        start = len(self.server.log())
        self.server.settings = settings
        self.server.write_config()
        self.server.reload()
        self.server.wait_for_log("event=reloaded", start=start)

    def test_what_both_protocols_removed_is_read_copied_back_and_undeleted(self):
        box = self.imap()
        listed = [line.decode() for line in self.ok(box.lsub())]
        self.assertTrue(any(NAME in line for line in listed), listed)
        box = self.remove_one_by_each_protocol()
        self.assertEqual(self.subjects(box, QUOTED), {1: "By POP3", 2: "By IMAP"})
        with self.assertRaises(imaplib.IMAP4.readonly):  # what imaplib makes of a SELECT that gives READ-ONLY
            box.select(QUOTED)
        self.ok(box.select(QUOTED, readonly=True))
        self.refused(box.store("2", "+FLAGS", r"(\Seen)"), None)
        whole = self.ok(box.fetch("2", "(FLAGS RFC822)"))
        self.assertIn(rb"\Flagged", whole[0][0] + whole[-1])
        self.assertNotIn(rb"\Deleted", whole[0][0] + whole[-1])
        self.assertTrue(whole[0][1].endswith(message("By IMAP")))
        quota = self.ok(box.getquotaroot(QUOTED))[1][0].decode()
        self.assertIn("MESSAGE 1 10", quota)
        self.assertIn("MAILBOX 6 10", quota)
        self.refused(box.append(QUOTED, None, None, message("x")), "CANNOT")
        self.refused(box.delete(QUOTED), "CANNOT")
        # By hand.
        self.ok(box.copy("1", "INBOX"))
        self.assertEqual(self.subjects(box, "INBOX"), {3: "Kept", 4: "By POP3"})
        self.assertEqual(self.subjects(box, QUOTED), {1: "By POP3", 2: "By IMAP"})
        # By the admin; the session hears of it.
        removed = json.loads(self.twinpost("removed", "list", ANN, "--json"))
        self.assertEqual([entry["subject"] for entry in removed], ["By POP3", "By IMAP"])
        self.assertIn("INBOX", json.dumps(removed))
        self.ok(box.noop())
        self.twinpost("undelete", ANN, removed[1]["id"])
        self.ok(box.noop())
        self.assertEqual(box.response("EXPUNGE")[1], [b"2"])
        self.assertEqual(self.subjects(box, QUOTED), {1: "By POP3"})
        self.assertEqual(self.subjects(box, "INBOX"), {3: "Kept", 4: "By POP3", 5: "By IMAP"})
        self.twinpost("undelete", ANN, "--to", NAME, removed[0]["id"], expect=1)
        self.twinpost("removed", "forget", ANN, removed[0]["id"])
        self.assertEqual(self.subjects(box, QUOTED), {})
        self.assertEqual(len(self.server.maildrop(ANN, SECRET)), 3)
        self.is_sound()

    def test_it_comes_and_goes_with_the_configuration(self):
        self.reload({})
        box = self.remove_one_by_each_protocol()
        self.refused(box.select(QUOTED), "NONEXISTENT")
        self.reload({"removed": {"mailbox": NAME}})
        box = self.imap()
        self.assertEqual(set(self.subjects(box, QUOTED).values()), {"By POP3", "By IMAP"})
        self.reload({"removed": {"mailbox": "Mail/Bin"}})
        box = self.imap()
        self.assertEqual(len(self.subjects(box, "Mail/Bin")), 2)
        self.reload({})
        box = self.imap()
        self.refused(box.select("Mail/Bin"), "NONEXISTENT")
        self.assertEqual(len(json.loads(self.twinpost("removed", "list", ANN, "--json"))), 2)
        self.is_sound()

    def test_an_own_mailbox_of_that_name_stays_and_the_log_says_so(self):
        self.reload({})
        box = self.imap()
        self.ok(box.create(QUOTED))
        self.reload({"removed": {"mailbox": NAME}})
        box = self.remove_one_by_each_protocol()
        self.ok(box.append(QUOTED, None, None, message("Mine")))
        self.assertEqual(set(self.subjects(box, QUOTED).values()), {"Mine"})
        self.assertIn("event=removed-mailbox", self.server.log())
        self.is_sound()

    def test_backup_and_export_leave_it_out_and_nothing_comes_into_it(self):
        self.remove_one_by_each_protocol()
        backup = self.server.folder + "/backup"
        self.twinpost("backup", backup)
        export = self.server.folder + "/export"
        self.twinpost("export", ANN, "--mbox", export)
        listed = run(["find", export])
        self.assertNotIn(NAME, listed)
        # A backup in which the name is an ordinary mailbox.
        self.reload({})
        box = self.imap()
        self.ok(box.create(QUOTED))
        self.ok(box.append(QUOTED, None, None, message("Mine")))
        other = self.server.folder + "/other"
        self.twinpost("backup", other)
        self.ok(box.delete(QUOTED))
        self.reload({"removed": {"mailbox": NAME}})
        box = self.imap()
        self.assertEqual(len(self.subjects(box, QUOTED)), 3)
        said = self.twinpost("restore", other, "--account", ANN, expect=1)
        self.assertIn("shows removed messages", said)
        self.assertEqual(len(self.subjects(box, QUOTED)), 3)
        said = self.twinpost("restore", backup, "--account", ANN)
        self.assertNotIn("shows removed messages", said)
        self.is_sound()


if __name__ == "__main__":
    unittest.main()
