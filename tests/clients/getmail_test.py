"""getmail6 fetches over POP3 and POP3S, keeping and removing. (Its POP3 retrievers know no STLS.)"""

import os
import pwd
import unittest

from fetching import PASSWORD, USER, FetchingTest, read_folder
from twinpost_server import need, run


class Getmail(FetchingTest):
    def test_over_pop3_without_tls(self):
        self.keep_then_remove("none")

    def test_over_pop3s(self):
        self.keep_then_remove("tls")

    def fetch(self, security, keep):
        maildir = os.path.join(self.state, "maildir")
        for folder in (maildir, *(os.path.join(maildir, name) for name in ("cur", "new", "tmp"))):
            os.makedirs(folder, exist_ok=True)
        user = ""
        if os.geteuid() == 0:
            # getmail refuses to write mail as root.
            nobody = pwd.getpwnam("nobody")
            os.chmod(self.state, 0o755)
            for folder in (maildir, *(os.path.join(maildir, name) for name in ("cur", "new", "tmp"))):
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            user = "user = nobody"
        kind, port = ("SimplePOP3SSLRetriever", self.server.pop3s[1]) if security == "tls" else (
            "SimplePOP3Retriever", self.server.pop3[1])
        certificates = f"ca_certs = {self.server.certificate}" if security == "tls" else ""
        rc = os.path.join(self.state, "getmailrc")
        with open(rc, "w", encoding="utf-8") as file:
            file.write(f"""[retriever]
type = {kind}
server = localhost
port = {port}
username = {USER}
password = {PASSWORD}
timeout = 20
{certificates}
[destination]
type = Maildir
path = {maildir}/
{user}
[options]
read_all = false
delete = {"false" if keep else "true"}
delivered_to = false
received = false
verbose = 2
""")
        os.chmod(rc, 0o600)
        run(["getmail", "--getmaildir", self.state, "--rcfile", rc])
        return read_folder(os.path.join(maildir, "new"))


if __name__ == "__main__":
    need("getmail", "openssl")
    unittest.main(verbosity=2)
