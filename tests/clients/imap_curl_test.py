"""curl lists, fetches, searches, uploads and changes over IMAP, STARTTLS and IMAPS."""

import base64
import os
import re
import unittest

import imap_support
from imap_support import PASSWORD, ImapTest, clean_environment, numbered, with_attachment
from twinpost_server import message, need, run

# curl(1), EXIT CODES
LOGIN_DENIED = 67
REMOTE_ACCESS_DENIED = 9
QUOTE_ERROR = 21
CERTIFICATE_REFUSED = 60
REMOTE_FILE_NOT_FOUND = 78
UPLOAD_FAILED = 25


class Curl(ImapTest):
    def curl(self, security, path, *arguments, expect=0, trusted=None):
        scheme, port = ("imaps" if security == "tls" else "imap"), self.address(security)[1]
        options = ["--ssl-reqd"] if security == "starttls" else []
        config = os.path.join(self.home, "curlrc")
        with open(config, "w", encoding="utf-8") as file:
            secret = f"{self.user}:{PASSWORD}".replace("\\", "\\\\").replace('"', '\\"')
            file.write(f'user = "{secret}"\n')
        return run(["curl", "--config", config, "--silent", "--show-error", "--max-time", "30", "--cacert",
                    trusted or self.server.certificate, *options, *arguments, f"{scheme}://localhost:{port}/{path}"],
                   expect=expect, env=clean_environment(self.home))

    def fetched(self, security, path):
        """The octets that curl writes into a file."""
        target = os.path.join(self.home, "fetched")
        self.curl(security, path, "--output", target)
        with open(target, "rb") as file:
            octets = file.read()
        os.unlink(target)
        return octets

    def test_list_fetch_and_upload_over_every_kind_of_connection(self):
        self.deliver(*numbered(4))
        truth = self.truth()
        upload = os.path.join(self.home, "upload.eml")
        sent = with_attachment(bytes(range(256)) * 4000)
        with open(upload, "wb") as file:
            file.write(sent)
        for count, security in enumerate(("none", "starttls", "tls"), 1):
            with self.subTest(security):
                listed = set(re.findall(r'\* LIST \([^)]*\) "/" "?([^"\r]*)"?\r', self.curl(security, "")))
                self.assertEqual(listed, {"INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive"})
                for uid, (_, octets) in truth.items():
                    self.assertEqual(self.fetched(security, f"INBOX;UID={uid}"), octets)
                self.curl(security, "Sent", "--upload-file", upload)
                self.assertEqual(self.octets_of("Sent"), [sent] * count)
                self.assertEqual(set(self.flags_by_subject("Sent").values()), {frozenset({"\\Seen"})})

    def test_sections_and_parts(self):
        attachment = os.urandom(300_000)
        self.deliver(message("First", "1\r\n"), with_attachment(attachment))
        whole = self.maildrop()[1]
        self.assertEqual(self.fetched("tls", "INBOX;MAILINDEX=2"), whole)
        self.assertEqual(self.fetched("tls", "INBOX;MAILINDEX=2;SECTION=HEADER"), whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        self.assertEqual(self.fetched("tls", "INBOX;MAILINDEX=2;SECTION=TEXT"), whole.partition(b"\r\n\r\n")[2])
        self.assertEqual(base64.b64decode(self.fetched("tls", "INBOX;UID=2;SECTION=2")), attachment)
        self.assertEqual(self.fetched("tls", "INBOX;UID=2;SECTION=1"), "Die Übersicht.\r\n\r\n"[:-2].encode())
        self.assertEqual(self.fetched("tls", "INBOX;UID=2;SECTION=HEADER.FIELDS%20(Subject)"), b"Subject: An attachment\r\n\r\n")
        self.assertIn(b"name=", self.fetched("tls", "INBOX;UID=2;SECTION=2.MIME"))
        # curl gives the URL's PARTIAL to the server as BODY[...]<offset.count>.
        self.assertEqual(self.fetched("tls", "INBOX;UID=2;PARTIAL=100.1000"), whole[100:1100])

    def test_search_and_custom_commands(self):
        self.deliver(*numbered(5))
        self.assertEqual(self.curl("tls", "INBOX?SUBJECT%20%22Message%203%22").strip(), "* SEARCH 4")
        self.assertEqual(self.curl("tls", "INBOX", "--request", "UID SEARCH 2:3").strip(), "* SEARCH 2 3")
        self.assertEqual(self.curl("tls", "INBOX?NEW%20DELETED").strip(), "* SEARCH")
        self.assertRegex(self.curl("tls", "", "--request", "STATUS INBOX (MESSAGES UNSEEN)"),
                         r"\* STATUS \"?INBOX\"? \(MESSAGES 5 UNSEEN 5\)")
        self.curl("tls", "", "--request", 'CREATE "Work/curl"')
        self.assertIn('Work/curl', self.curl("starttls", "", "--request", 'LIST "" "Work/*"'))
        self.assertRegex(self.curl("tls", "INBOX", "--request", r"STORE 2 +FLAGS (\Flagged)"), r"\* 2 FETCH \(.*\\Flagged.*\)")
        self.curl("tls", "INBOX", "--request", 'COPY 2 "Work/curl"')
        self.curl("tls", "INBOX", "--request", 'MOVE 3 "Work/curl"')
        self.assertEqual(self.flags_by_subject("Work/curl"), {"Message 1": {"\\Flagged"}, "Message 2": frozenset()})
        self.curl("tls", "INBOX", "--request", r"STORE 1 +FLAGS.SILENT (\Deleted)")
        self.assertIn("* 1 EXPUNGE", self.curl("tls", "INBOX", "--request", "EXPUNGE"))
        self.assertEqual(set(self.flags_by_subject()), {"Message 1", "Message 3", "Message 4"})
        self.assertEqual(len(self.maildrop()), 3)
        self.assertIn("* CAPABILITY IMAP4rev1", self.curl("tls", "", "--request", "CAPABILITY"))

    def test_auth_plain_with_and_without_initial_response(self):
        for options in (["--login-options", "AUTH=PLAIN", "--sasl-ir"], ["--login-options", "AUTH=PLAIN"]):
            self.assertIn("INBOX", self.curl("tls", "", *options))

    def test_what_is_refused(self):
        self.curl("tls", "Nowhere;UID=1", expect=(REMOTE_FILE_NOT_FOUND, LOGIN_DENIED))
        self.curl("tls", "INBOX;UID=77", expect=REMOTE_FILE_NOT_FOUND)
        self.curl("tls", "", "--request", "FROB", expect=QUOTE_ERROR)
        upload = os.path.join(self.home, "upload.eml")
        with open(upload, "wb") as file:
            file.write(message("Nowhere to go"))
        self.curl("tls", "Nowhere", "--upload-file", upload, expect=UPLOAD_FAILED)
        self.curl("tls", "", "--user", f"{self.user}:wrong", expect=LOGIN_DENIED)
        self.curl("tls", "", trusted="/dev/null", expect=(CERTIFICATE_REFUSED, 77))


if __name__ == "__main__":
    need("curl", "openssl")
    imap_support.main()
