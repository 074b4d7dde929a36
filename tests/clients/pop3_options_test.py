"""An account's choices for POP3, by poplib and imaplib at the same time: what is shown, kept, marked and removed; APOP; the alarm for
UIDLs that change."""

import imaplib
import poplib
import time
import unittest
import urllib.request

from twinpost_server import ServerTest, free_port, message

USER = "ann@example.org"
PASSWORD = "ann's secret"
HTTP = free_port()


def account(**pop3):
    return {USER: {"password": "{PLAIN}" + PASSWORD, "protocols": {"imap": True, "pop3": pop3}}}


class Pop3Options(ServerTest):
    settings = {"listen": {"http": [f"127.0.0.1:{HTTP}"]}}
    accounts = {USER: PASSWORD}

    def setUp(self):
        self.configure()
        self.server.maildrop(USER, PASSWORD, remove=True)

    def configure(self, **pop3):
        """Another choice for the account, in force when this returns."""
        start = len(self.server.log())
        self.server.write_accounts(account(**pop3))
        self.server.reload()
        self.server.wait_for_log("reloaded", start=start)

    def pop(self, apop=False):
        pop = poplib.POP3("127.0.0.1", self.server.pop3[1], timeout=20)
        self.addCleanup(pop.close)
        if apop:
            pop.apop(USER, PASSWORD)
        else:
            pop.user(USER)
            pop.pass_(PASSWORD)
        return pop

    def imap(self):
        imap = imaplib.IMAP4("127.0.0.1", self.server.imap[1], timeout=20)
        self.addCleanup(imap.shutdown)
        imap.login(USER, PASSWORD)
        imap.select("INBOX")
        return imap

    def deliver(self, *subjects):
        self.server.deliver(USER, *(message(subject, "text\r\n") for subject in subjects))

    def uidls(self):
        pop = self.pop()
        lines = [line.split(b" ")[1].decode() for line in pop.uidl()[1]]
        pop.quit()
        return lines

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{HTTP}/metrics", timeout=20) as page:
            for line in page.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(line.split(" ")[1])
        raise AssertionError(name + " is not among the metrics")

    def test_apop(self):
        self.deliver("one")
        pop = self.pop(apop=True)
        self.assertEqual(pop.stat()[0], 1)
        pop.quit()
        wrong = poplib.POP3("127.0.0.1", self.server.pop3[1], timeout=20)
        self.addCleanup(wrong.close)
        with self.assertRaisesRegex(poplib.error_proto, r"\[AUTH\]"):
            wrong.apop(USER, "wrong")

    def test_mark_seen_tells_imap_at_quit_only(self):
        self.configure(mark_seen=True)
        self.deliver("one", "two")
        imap = self.imap()
        pop = self.pop()
        pop.retr(1)
        imap.noop()
        self.assertEqual(imap.search(None, "UNSEEN")[1], [b"1 2"])
        pop.quit()
        imap.noop()
        self.assertEqual(imap.search(None, "UNSEEN")[1], [b"2"])

    def test_unseen_only(self):
        self.configure(show="unseen")
        self.deliver("one", "two", "three")
        self.imap().store("2", "+FLAGS", r"(\Seen)")
        pop = self.pop()
        self.assertEqual(pop.stat()[0], 2)
        self.assertIn(b"Subject: three", pop.retr(2)[1])
        pop.quit()

    def test_from_now_on_begins_with_the_configuration(self):
        self.deliver("before")
        time.sleep(1.1)  # the moment is kept in whole seconds
        self.configure(show="from now on")
        time.sleep(1.1)
        self.deliver("after")
        for _ in range(2):
            pop = self.pop()
            self.assertEqual(pop.stat()[0], 1)
            self.assertIn(b"Subject: after", pop.retr(1)[1])
            pop.quit()
        self.server.restart()
        self.assertEqual(len(self.uidls()), 1)
        self.configure()
        self.assertEqual(len(self.uidls()), 2)

    def test_another_mailbox(self):
        imap = self.imap()
        imap.create("Invoices")
        self.configure(maildrop="Invoices")
        self.deliver("stays", "filed")
        imap.noop()
        imap.copy("2", "Invoices")
        pop = self.pop()
        self.assertEqual(pop.stat()[0], 1)
        pop.dele(1)
        self.assertIn(b"1 message removed", pop.quit())
        imap.noop()
        self.assertEqual(imap.search(None, "ALL")[1], [b"1 2"])

    def test_uidls_of_a_template_stay_when_messages_move_and_when_it_goes(self):
        self.configure(uidl="courier")
        self.deliver("one", "two")
        before = self.uidls()
        self.assertRegex(before[0], r"\AUID\d+-\d+\Z")
        imap = self.imap()
        imap.create("Elsewhere")
        imap.copy("1", "Elsewhere")
        uid = imap.fetch("1", "(UID)")[1][0].split(b"UID ")[1].rstrip(b")").decode()
        self.assertEqual(imap.uid("MOVE", uid, "Elsewhere")[0], "OK")
        imap.select("Elsewhere")
        uids = imap.uid("SEARCH", "ALL")[1][0].split()
        self.assertEqual(imap.uid("MOVE", uids[-1].decode(), "INBOX")[0], "OK")
        self.configure()
        self.assertEqual(sorted(self.uidls()), sorted(before))

    def test_an_alarm_when_uidls_change(self):
        self.deliver("one", "two")
        self.uidls()
        before = self.metric("twinpost_pop3_uidls_changed_total")
        self.assertNotIn("pop3-uidls-changed", self.server.log())
        self.configure(uidl="dovecot")
        self.uidls()
        self.server.wait_for_log("pop3-uidls-changed")
        self.assertEqual(self.metric("twinpost_pop3_uidls_changed_total"), before + 2)
        self.uidls()
        self.assertEqual(self.metric("twinpost_pop3_uidls_changed_total"), before + 2)

    def test_switched_off_with_the_administrators_text(self):
        pop = self.pop()
        self.configure(enabled=False, disabled_text="Please use IMAP")
        with self.assertRaises((poplib.error_proto, OSError, EOFError)):
            while True:
                pop.noop()
        with self.assertRaisesRegex(poplib.error_proto, r"\[SYS/PERM\] Please use IMAP"):
            self.pop()
        self.configure()


if __name__ == "__main__":
    unittest.main()
