"""mpop fetches over POP3, STLS and POP3S, keeping and removing."""

import os
import unittest

from fetching import PASSWORD, USER, EverySecurity, FetchingTest, read_folder
from twinpost_server import need, run


class Mpop(EverySecurity, FetchingTest):
    def fetch(self, security, keep):
        maildir = os.path.join(self.state, "maildir")
        for name in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(maildir, name), exist_ok=True)
        port = self.server.pop3s[1] if security == "tls" else self.server.pop3[1]
        tls = {"none": "tls off", "stls": "tls on\ntls_starttls on", "tls": "tls on\ntls_starttls off"}[security]
        rc = os.path.join(self.state, "mpoprc")
        with open(rc, "w", encoding="utf-8") as file:
            file.write(f"""account twinpost
host localhost
port {port}
timeout 20
{tls}
tls_trust_file {self.server.certificate}
tls_crl_file
auth {"user" if security == "none" else "plain"}
user {USER}
password {PASSWORD}
keep {"on" if keep else "off"}
uidls_file {self.state}/uidls
delivery maildir {maildir}
received_header off
""")
        os.chmod(rc, 0o600)
        output = run(["mpop", "--file", rc, "--debug", "twinpost"])
        if security == "stls":
            self.assertIn("STLS", output)
        return read_folder(os.path.join(maildir, "new"))


if __name__ == "__main__":
    need("mpop", "openssl")
    unittest.main(verbosity=2)
