"""fetchmail fetches over POP3, STLS and POP3S, keeping and removing."""

import os
import unittest

from fetching import PASSWORD, USER, EverySecurity, FetchingTest, read_folder
from twinpost_server import need, run

# fetchmail(1), EXIT CODES
FETCHED = 0
NOTHING_NEW = 1


class Fetchmail(EverySecurity, FetchingTest):
    def fetch(self, security, keep):
        new = os.path.join(self.state, "new")
        os.makedirs(new, exist_ok=True)
        port = self.server.pop3s[1] if security == "tls" else self.server.pop3[1]
        tls = {"none": "sslproto ''",
               "stls": f"sslproto 'TLS1.2+' sslcertck sslcertfile '{self.server.certificate}'",
               "tls": f"ssl sslproto 'TLS1.2+' sslcertck sslcertfile '{self.server.certificate}'"}[security]
        rc = os.path.join(self.state, "fetchmailrc")
        with open(rc, "w", encoding="utf-8") as file:
            file.write(f"""poll localhost protocol pop3 port {port} auth password uidl no dns
  user "{USER}" password "{PASSWORD}" {"keep" if keep else "no keep"} no rewrite {tls}
  mda "/bin/sh -c 'cat > {new}/$$'"
""")
        os.chmod(rc, 0o600)
        output = run(["fetchmail", "--fetchmailrc", rc, "--nodetach", "--nosyslog", "--verbose", "--timeout", "20",
                      "--pidfile", os.path.join(self.state, "pid"), "--idfile", os.path.join(self.state, "ids")],
                     expect=(FETCHED, NOTHING_NEW), env={**os.environ, "FETCHMAILHOME": self.state, "LC_ALL": "C"})
        if security == "stls":
            self.assertIn("STLS", output)
        return read_folder(new)


if __name__ == "__main__":
    need("fetchmail", "openssl")
    unittest.main(verbosity=2)
