"""Python's imaplib: every method that it has, over IMAP, STARTTLS and IMAPS."""

import contextlib
import imaplib
import re
import socket
import threading
import time
import unittest

import imap_support
from imap_support import PASSWORD, ImapTest, numbered, parse, subject_of, with_attachment
from twinpost_server import message, need

# What imaplib can ask for and no server is bound to know: other protocols' extensions, and a form that RFC 2060 withdrew.
UNKNOWN_HERE = {
    "getacl": ("INBOX",),
    "setacl": ("INBOX", "bob", "lr"), "deleteacl": ("INBOX", "bob"), "myrights": ("INBOX",),
    "getannotation": ("INBOX", '"/comment"', '"value.priv"'), "setannotation": ("INBOX", '"/comment"', '("value.priv" "x")'),
    "partial": ("1", "RFC822", "1", "10"), "sort": ("(DATE)", "UTF-8", "ALL"),
    "thread": ("REFERENCES", "UTF-8", "ALL"),
}
# What the tests below do not name: imaplib's own layer below, and its exceptions.
NOT_CALLED = {"open", "read", "readline", "send", "print_log", "abort", "error", "readonly"}


class Imaplib(ImapTest):
    called = set()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        everything = {name for name in dir(imaplib.IMAP4) if not name.startswith("_") and name.islower()
                      and callable(getattr(imaplib.IMAP4, name))}
        missed = everything - cls.called - NOT_CALLED
        if missed:
            raise AssertionError(f"imaplib has methods that no test calls: {sorted(missed)}")

    def connect(self, security="tls"):
        if security == "tls":
            box = imaplib.IMAP4_SSL("localhost", self.server.imaps[1], ssl_context=self.context, timeout=20)
        else:
            box = imaplib.IMAP4("localhost", self.server.imap[1], timeout=20)
        noted = self.called

        class Noting:
            """Notes which methods were called, for tearDownClass."""

            def __getattr__(self, name):
                noted.add(name)
                return getattr(box, name)

            def __setattr__(self, name, value):
                setattr(box, name, value)

        noting = Noting()
        self.addCleanup(end, noting)
        if security == "starttls":
            self.assertEqual(noting.starttls(self.context)[0], "OK")
        return noting

    def session(self, security="tls"):
        box = self.connect(security)
        self.ok(box.login(self.user, PASSWORD))
        return box

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def no(self, answer):
        self.assertEqual(answer[0], "NO", answer)
        return answer[1]

    def test_a_whole_session_over_every_kind_of_connection(self):
        originals = numbered(3)
        self.deliver(*originals)
        for security in ("none", "starttls", "tls"):
            with self.subTest(security):
                box = self.session(security)
                self.assertEqual(box.PROTOCOL_VERSION, "IMAP4REV1")
                self.assertEqual(self.ok(box.select("INBOX", readonly=True)), [b"3"])
                uids = self.ok(box.uid("SEARCH", "ALL"))[0].split()
                self.assertEqual(len(uids), 3)
                for uid, original in zip(uids, originals):
                    (_, octets), _ = self.ok(box.uid("FETCH", uid, "(BODY.PEEK[])"))
                    self.assertTrue(octets.endswith(original))
                self.ok(box.close())
                self.assertEqual(box.logout()[0], "BYE")
        self.assertEqual(self.octets_of(), self.maildrop(), "IMAP and POP3 show the same octets")

    def test_before_the_login(self):
        plain = self.connect("none")
        self.assertIn("STARTTLS", plain.capabilities)
        self.assertIn("AUTH=PLAIN", self.connect("tls").capabilities)
        self.assertNotIn("STARTTLS", self.connect("tls").capabilities)
        plain.starttls(self.context)
        self.assertNotIn("STARTTLS", plain.capability()[1][0].decode().split())
        with self.assertRaisesRegex(imaplib.IMAP4.error, r"AUTHENTICATIONFAILED"):
            plain.login(self.user, "wrong")
        with self.assertRaises(imaplib.IMAP4.error):
            plain.login_cram_md5(self.user, PASSWORD)  # not offered: it would need passwords that can be read
        with self.assertRaises(imaplib.IMAP4.error):
            plain.authenticate("PLAIN", lambda _: b"\0nobody@example.org\0x")
        answer = plain.authenticate("PLAIN", lambda _: b"\0%b\0%b" % (self.user.encode(), PASSWORD.encode()))
        self.assertEqual(answer[0], "OK")
        self.assertEqual(plain.state, "AUTH")
        self.assertIsInstance(plain.socket(), socket.socket)
        self.assertIsInstance(plain.fileno() if hasattr(plain, "fileno") else plain.socket().fileno(), int)

    def test_mailboxes(self):
        box = self.session()
        listed = self.ok(box.list())
        self.assertEqual({line.split(b' "/" ')[1].strip(b'"') for line in listed},
                         {b"INBOX", b"Sent", b"Drafts", b"Trash", b"Junk", b"Archive"})
        self.assertTrue(any(b"\\Sent" in line for line in listed))
        self.ok(box.create("Plans"))
        self.ok(box.create('"Plans/2026"'))
        self.assertIn(b"ALREADYEXISTS", self.no(box.create("Plans"))[0])
        self.assertEqual(len(self.ok(box.list('""', '"Plans*"'))), 2)
        self.assertEqual(len(self.ok(box.list('""', '"Plans/%"'))), 1)
        self.ok(box.subscribe('"Plans/2026"'))
        self.assertEqual(len(self.ok(box.lsub('""', '"Plans/*"'))), 1)
        self.ok(box.unsubscribe('"Plans/2026"'))
        self.assertEqual(self.ok(box.lsub('""', '"Plans/*"')), [None])
        self.ok(box.rename("Plans", "Schemes"))
        self.assertEqual(self.ok(box.list('""', '"Plans*"')), [None])
        self.assertEqual(len(self.ok(box.list('""', '"Schemes*"'))), 2, "children move along")
        words, _ = parse(self.ok(box.status("Schemes", "(MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)"))[0])
        self.assertEqual(words[0], b"Schemes")
        self.assertEqual(words[1][:2], [b"MESSAGES", b"0"])
        self.ok(box.delete('"Schemes/2026"'))
        self.ok(box.delete("Schemes"))
        self.assertIn(b"NONEXISTENT", self.no(box.delete("Schemes"))[0])
        self.no(box.delete("INBOX"))
        self.no(box.select("Schemes"))
        name, = self.ok(box.namespace())
        self.assertEqual(parse(name)[0], [[[b"", b"/"]], None, None])

    def test_names_in_modified_utf_7(self):
        box = self.session()
        self.ok(box.create('"Entw&APw-rfe"'))
        self.assertIn(b'"Entw&APw-rfe"', b" ".join(self.ok(box.list())).replace(b' Entw&APw-rfe', b' "Entw&APw-rfe"'))
        self.ok(box.append('"Entw&APw-rfe"', None, None, message("Kept")))
        self.assertEqual(self.ok(box.select('"Entw&APw-rfe"')), [b"1"])

    def test_append_keeps_octets_flags_and_date(self):
        box = self.session()
        octets = with_attachment(bytes(range(256)) * 500)
        when = time.strptime("2024-02-29 12:34:56", "%Y-%m-%d %H:%M:%S")
        answer = self.ok(box.append("Sent", r"(\Seen \Flagged $Forwarded)", imaplib.Time2Internaldate(time.mktime(when)), octets))
        self.assertRegex(answer[0], rb"APPENDUID \d+ \d+")
        self.ok(box.append("Sent", None, None, b"Subject: 8-bit\r\n\r\nGr\xfc\xdfe\r\n"))
        self.assertIn(b"TRYCREATE", self.no(box.append("Nowhere", None, None, octets))[0])
        self.ok(box.select("Sent"))
        (answer, fetched), _ = self.ok(box.fetch("1", "(FLAGS INTERNALDATE BODY.PEEK[])"))
        self.assertEqual(fetched, octets)
        self.assertEqual(set(imaplib.ParseFlags(answer)), {b"\\Seen", b"\\Flagged", b"$Forwarded"} | {
            flag for flag in imaplib.ParseFlags(answer) if flag == b"\\Recent"})
        self.assertEqual(imaplib.Internaldate2tuple(answer)[:6], when[:6])
        (_, fetched), *_ = self.ok(box.fetch("2", "(RFC822)"))
        self.assertEqual(fetched, b"Subject: 8-bit\r\n\r\nGr\xfc\xdfe\r\n")
        self.assertEqual([octets for _, octets in self.truth("Sent").values()], [octets, fetched])

    def test_fetch(self):
        attachment = bytes(range(256)) * 100
        self.deliver(with_attachment(attachment), message("Plain", "short\r\n"))
        box = self.session()
        self.ok(box.select())
        (answer, header), _ = self.ok(box.fetch("1", "(UID RFC822.SIZE ENVELOPE BODYSTRUCTURE RFC822.HEADER)"))
        self.assertIn(b'"An attachment"', answer)
        self.assertIn(b'"figures.bin"', answer)
        self.assertTrue(header.endswith(b"\r\n\r\n"))
        self.assertEqual(int(re.search(rb"RFC822.SIZE (\d+)", answer)[1]), len(self.maildrop()[0]))
        (_, part), _ = self.ok(box.fetch("1", "(BODY.PEEK[2])"))
        self.assertEqual(imap_support.base64.b64decode(part), attachment)
        (_, binary), _ = self.ok(box.fetch("1", "(BINARY.PEEK[2])"))
        self.assertEqual(binary, attachment)
        (_, piece), _ = self.ok(box.fetch("1", "(BODY.PEEK[TEXT]<5.10>)"))
        self.assertEqual(piece, self.maildrop()[0].partition(b"\r\n\r\n")[2][5:15])
        (_, fields), _ = self.ok(box.fetch("2", "(BODY.PEEK[HEADER.FIELDS (Subject TO)])"))
        self.assertEqual(set(fields.split(b"\r\n")), {b"Subject: Plain", b"To: ann@example.org", b""})
        self.assertNotIn(b"\\Seen", self.ok(box.fetch("1", "(FLAGS)"))[0])
        self.ok(box.fetch("1", "(BODY[TEXT])"))
        self.assertIn(b"\\Seen", self.ok(box.fetch("1", "(FLAGS)"))[0])
        self.assertEqual(self.ok(box.uid("FETCH", "4000000000", "(FLAGS)")), [None])
        self.assertEqual(len(self.ok(box.fetch("1:*", "ALL"))), 2)
        self.assertEqual(len(self.ok(box.fetch("1:*", "FULL"))), 2)
        self.assertEqual(len(self.ok(box.fetch("1:*", "FAST"))), 2)

    def test_search(self):
        self.deliver(*numbered(5), message("=?utf-8?q?=C3=84pfel?=", "Obst: Äpfel\r\n", sender="eve@example.net"))
        box = self.session()
        self.ok(box.select())
        self.ok(box.store("2", "+FLAGS", r"(\Flagged Important)"))
        for keys, expected in ((("ALL",), b"1 2 3 4 5 6"), (("FLAGGED",), b"2"), (("UNKEYWORD", "Important"), b"1 3 4 5 6"),
                               (("FROM", "eve"), b"6"), (("SUBJECT", '"Message 3"'), b"4"), (("NOT", "1:5"), b"6"),
                               (("OR", "1", "(2 FLAGGED)"), b"1 2"), (("BODY", '"From here on"'), b"1 2 3 4 5"), (("SEEN",), b""),
                               (("LARGER", "1000000"), b""), (("SENTSINCE", "1-Jan-2026", "SENTBEFORE", "6-Jan-2026"), b"1 2 3 4 5 6")):
            self.assertEqual(self.ok(box.search(None, *keys)), [expected], keys)
        box.literal = "äpfel".encode()
        self.assertEqual(self.ok(box.search("UTF-8", "SUBJECT")), [b"6"])
        box.literal = "ÄPFEL".encode()
        self.assertEqual(self.ok(box.uid("SEARCH", "CHARSET", "UTF-8", "BODY"))[0].split(), [b"6"])
        self.assertIn(b"BADCHARSET", self.no(box.search("X-UNKNOWN", "ALL"))[0])

    def test_store_copy_move_and_expunge(self):
        originals = numbered(6)
        self.deliver(*originals)
        box = self.session()
        self.ok(box.select())
        self.assertEqual(len(self.ok(box.store("1:3", "FLAGS", r"(\Answered)"))), 3)
        self.ok(box.store("1", "+FLAGS.SILENT", r"(\Deleted)"))
        self.ok(box.store("2", "-FLAGS", r"(\Answered)"))
        self.ok(box.copy("1:2", "Archive"))
        self.assertIn(b"TRYCREATE", self.no(box.copy("1", "Nowhere"))[0])
        self.ok(box.uid("MOVE", "4", "Junk"))
        self.ok(box.uid("STORE", "5", "+FLAGS", r"(\Deleted)"))
        self.ok(box.uid("EXPUNGE", "5"))
        box.response("EXPUNGE")  # those before are forgotten
        self.assertEqual(self.ok(box.expunge()), [b"1"])
        self.ok(box.check())
        self.ok(box.noop())
        self.assertEqual(set(self.flags_by_subject()), {"Message 1", "Message 2", "Message 5"})
        self.assertEqual(self.flags_by_subject()["Message 1"], frozenset())
        self.assertEqual(self.flags_by_subject()["Message 2"], {"\\Answered"})
        self.assertEqual(self.flags_by_subject("Archive"), {"Message 0": {"\\Answered", "\\Deleted"}, "Message 1": frozenset()})
        self.assertTrue(self.octets_of("Junk")[0].endswith(originals[3]))
        self.assertEqual([subject_of(m) for m in self.maildrop()], ["Message 1", "Message 2", "Message 5"])
        # CLOSE removes what is \Deleted and tells nothing, UNSELECT removes nothing.
        self.ok(box.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(box.unselect())
        self.assertEqual(len(self.maildrop()), 3)
        self.ok(box.select())
        self.ok(box.close())
        self.assertEqual([subject_of(m) for m in self.maildrop()], ["Message 2", "Message 5"])

    def test_read_only(self):
        self.deliver(message("Stays"))
        box = self.session()
        self.ok(box.select(readonly=True))
        self.assertEqual(box.store("1", "+FLAGS", r"(\Deleted)")[0], "NO")
        self.assertEqual(box.expunge()[0], "NO")
        self.ok(box.fetch("1", "(BODY[])"))
        self.ok(box.close())
        self.assertEqual(self.flags_by_subject(), {"Stays": frozenset()})

    def test_news_come_with_noop_and_recent(self):
        box = self.session()
        self.assertEqual(self.ok(box.select()), [b"0"])
        box.response("EXISTS")  # the one of SELECT is forgotten
        self.deliver(message("New"))
        self.ok(box.noop())
        self.assertEqual(box.response("EXISTS"), ("EXISTS", [b"1"]))
        box.response("RECENT")
        self.deliver(message("Newer"))
        self.assertRegex(self.ok(box.recent())[-1], rb"^\d+$")
        self.assertEqual(self.ok(box.fetch("1:*", "(UID)")), [b"1 (UID 1)", b"2 (UID 2)"])

    def test_enable_and_extensions(self):
        box = self.session()
        self.assertIn("ENABLE", box.capabilities)
        self.ok(box.enable("CONDSTORE"))
        self.ok(box.enable("UTF8=ACCEPT"))
        self.assertTrue(box.utf8_enabled)
        self.ok(box.create('"Entwürfe"'))
        # imaplib's APPEND is not good after that: it puts RFC 6855's `UTF8 (...)` into the literal.
        self.deliver("Subject: Grüße\r\n\r\nText\r\n".encode())
        self.ok(box.select())
        self.ok(box.copy("1", '"Entwürfe"'))
        self.assertEqual(self.ok(box.select('"Entwürfe"')), [b"1"])
        self.assertIn(b"MODSEQ", self.ok(box.fetch("1", "(MODSEQ)"))[0])
        self.assertIn('"Grüße"'.encode(), self.ok(box.fetch("1", "(ENVELOPE)"))[0])
        self.assertTrue(self.octets_of("Entw&APw-rfe")[0].endswith("Subject: Grüße\r\n\r\nText\r\n".encode()))
        self.ok(box.xatom("ID", "NIL"))
        self.assertIn(b"Twinpost", box.response("ID")[1][0])

    def test_quota_of_an_account_without_limits(self):
        box = self.session()
        self.assertIn("QUOTA", self.ok(box.capability())[0].decode().split())
        self.assertEqual(self.ok(box.getquotaroot("INBOX")), [[b'INBOX "User quota"'], [b'"User quota" ()']])
        self.assertEqual(self.ok(box.getquota('"User quota"')), [b'"User quota" ()'])
        self.assertEqual(box.getquota("other")[0], "NO")
        self.assertEqual(box.setquota('"User quota"', "(STORAGE 512)")[0], "NO")

    def test_what_is_unknown_here_is_refused_and_the_session_goes_on(self):
        self.deliver(message("Stays"))
        box = self.session()
        with self.assertRaisesRegex(imaplib.IMAP4.error, "BAD"):
            box.proxyauth("bob@example.org")
        self.ok(box.select())
        for name, arguments in UNKNOWN_HERE.items():
            with self.subTest(name):
                try:
                    self.assertEqual(getattr(box, name)(*arguments)[0], "NO")
                except imaplib.IMAP4.error as refused:
                    self.assertRegex(str(refused), "BAD")
                self.ok(box.noop())
        self.assertEqual(self.ok(box.search(None, "ALL")), [b"1"])

    def test_two_sessions_at_once(self):
        self.deliver(*numbered(40))
        failures = []

        def work(first):
            try:
                box = self.session()
                self.ok(box.select())
                for uid in range(first, 41, 2):
                    self.ok(box.uid("STORE", str(uid), "+FLAGS", f"(Worker{first})"))
                    self.ok(box.uid("MOVE" if uid % 3 == 0 else "FETCH", str(uid), "Archive" if uid % 3 == 0 else "(BODY[])"))
                self.ok(box.close())
            except Exception as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(first,)) for first in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        inbox, archive = self.flags_by_subject(), self.flags_by_subject("Archive")
        self.assertEqual(len(archive), 13)
        self.assertEqual(len(inbox), 27)
        for uid in range(1, 41):
            flags = (archive if uid % 3 == 0 else inbox)[f"Message {uid - 1}"]
            self.assertIn(f"Worker{2 - uid % 2}", flags)


def end(box):
    with contextlib.suppress(OSError):  # it is closed already after a LOGOUT
        box.shutdown()


if __name__ == "__main__":
    need("openssl")
    imap_support.main()
