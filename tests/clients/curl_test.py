"""curl lists, fetches and removes over POP3, STLS and POP3S."""

import re
import unittest

from fetching import PASSWORD, USER, EverySecurity, FetchingTest, with_lf
from twinpost_server import message, need, run


class Curl(EverySecurity, FetchingTest):
    def curl(self, security, path, *arguments, expect=0):
        scheme, port = ("pop3s", self.server.pop3s[1]) if security == "tls" else ("pop3", self.server.pop3[1])
        options = ["--ssl-reqd"] if security == "stls" else []
        return run(["curl", "--silent", "--show-error", "--max-time", "30", "--user", f"{USER}:{PASSWORD}",
                    "--cacert", self.server.certificate, *options, *arguments, f"{scheme}://localhost:{port}/{path}"],
                   expect=expect)

    def listed(self, security, command):
        lines = self.curl(security, "", "--request", command).split("\r\n")
        return [line.split(" ") for line in lines if line]

    def fetch(self, security, keep):
        # curl remembers nothing; the memory of what was seen is this test's, by UIDL.
        seen = self.seen if keep else set()
        fetched = []
        for number, uidl in self.listed(security, "UIDL"):
            if uidl in seen:
                continue
            seen.add(uidl)
            fetched.append(with_lf(self.curl(security, number, "--output", "-").encode()))
        if not keep:
            # Messages are numbered anew in each session; the first one is removed until none is left.
            for _ in fetched:
                self.curl(security, "1", "--request", "DELE", "--list-only")
        return fetched

    def setUp(self):
        super().setUp()
        self.seen = set()

    def test_list_shows_what_retr_sends(self):
        self.server.deliver(USER, message("One", "1\r\n"), message("Two", "22\r\n"))
        for security in ("none", "stls", "tls"):
            for number, octets in self.listed(security, "LIST"):
                self.assertEqual(len(self.curl(security, number).encode()), int(octets))

    def test_top_sends_the_header_and_so_many_lines(self):
        self.server.deliver(USER, message("Top", "first\r\nsecond\r\nthird\r\n"))
        top = self.curl("tls", "", "--request", "TOP 1 2")
        self.assertRegex(top, re.compile(r"Subject: Top\r\n.*\r\n\r\nfirst\r\nsecond\r\n$", re.S))

    def test_auth_plain_with_and_without_initial_response(self):
        self.server.deliver(USER, message("Hello"))
        for options in (["--sasl-ir"], []):
            self.assertIn("Subject: Hello", self.curl("tls", "1", "--login-options", "AUTH=PLAIN", *options))

    def test_a_wrong_password_is_refused(self):
        refused = run(["curl", "--silent", "--show-error", "--max-time", "30", "--user", f"{USER}:wrong", "--cacert",
                       self.server.certificate, f"pop3s://localhost:{self.server.pop3s[1]}/"], expect=67)
        self.assertIn("denied", refused.lower())


if __name__ == "__main__":
    need("curl", "openssl")
    unittest.main(verbosity=2)
