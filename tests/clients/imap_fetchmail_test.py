"""fetchmail fetches over IMAP, STARTTLS and IMAPS: keeping, removing, from a folder, and waiting in IDLE."""

import os
import unittest

import imap_support
from fetching import read_folder, with_lf
from imap_support import PASSWORD, ImapTest, clean_environment, numbered, with_attachment
from twinpost_server import message, need, run

# fetchmail(1), EXIT CODES
FETCHED = 0
NOTHING_NEW = 1


class Fetchmail(ImapTest):
    def setUp(self):
        super().setUp()
        self.new = os.path.join(self.home, "new")
        os.mkdir(self.new)

    def command(self, security, options):
        tls = {"none": "sslproto ''",
               "starttls": f"sslproto 'TLS1.2+' sslcertck sslcertfile '{self.server.certificate}'",
               "tls": f"ssl sslproto 'TLS1.2+' sslcertck sslcertfile '{self.server.certificate}'"}[security]
        rc = os.path.join(self.home, "fetchmailrc")
        secret = PASSWORD.replace("\\", "\\\\")
        with open(rc, "w", encoding="utf-8") as file:
            file.write(f"""poll localhost protocol imap port {self.address(security)[1]} auth password no dns
  user "{self.user}" password '{secret}' {options} no rewrite {tls}
  mda "/bin/sh -c 'cat > {self.new}/.$$ && mv {self.new}/.$$ {self.new}/$$'"
""")
        os.chmod(rc, 0o600)
        self.environment = clean_environment(self.home, FETCHMAILHOME=self.home)
        return ["fetchmail", "--fetchmailrc", rc, "--nodetach", "--nosyslog", "--verbose", "--timeout", "20",
                "--pidfile", os.path.join(self.home, "pid")]

    def fetch(self, security, options):
        """Runs it once. What it has fetched, with LF line ends."""
        self.output = run(self.command(security, options), expect=(FETCHED, NOTHING_NEW), env=self.environment)
        if security == "starttls":
            self.assertIn("STARTTLS", self.output)
        return read_folder(self.new)

    def assert_fetched(self, fetched, originals):
        """Each exactly once. fetchmail adds a Received field above, nothing below."""
        self.assertEqual(len(fetched), len(originals), self.output)
        for original in originals:
            found = [f for f in fetched if f.rstrip(b"\n").endswith(with_lf(original).rstrip(b"\n"))]
            self.assertEqual(len(found), 1, f"not fetched as it was sent: {original[:200]!r}")

    def keep_then_remove(self, security):
        first = [*numbered(6), with_attachment(bytes(range(256)) * 600)]
        self.deliver(*first)
        before = self.maildrop()
        self.assert_fetched(self.fetch(security, "keep"), first)
        self.assertEqual(self.maildrop(), before)
        self.assertTrue(all("\\Seen" in flags for flags, _ in self.truth().values()), "what was fetched is seen")
        self.assertEqual(self.fetch(security, "keep"), [], "nothing is new")

        later = message("Later", "One more.\r\n")
        self.deliver(later)
        self.assert_fetched(self.fetch(security, "no keep"), [later])
        self.assertEqual(self.maildrop(), before, "only what was fetched goes")

        self.assert_fetched(self.fetch(security, "no keep fetchall"), first)
        self.assertEqual(self.maildrop(), [])
        self.assertEqual(self.truth(), {})

    def test_without_tls(self):
        self.keep_then_remove("none")

    def test_with_starttls(self):
        self.keep_then_remove("starttls")

    def test_over_imaps(self):
        self.keep_then_remove("tls")

    def test_from_a_folder(self):
        originals = numbered(4)
        session = self.imap()
        session.command("CREATE Lists")
        for octets in originals:
            session.append("Lists", octets)
        session.logout()
        self.deliver(message("In the INBOX"))
        self.assert_fetched(self.fetch("tls", "folder Lists no keep"), originals)
        self.assertEqual(self.truth("Lists"), {})
        self.assertEqual(len(self.maildrop()), 1)

    def test_waiting_in_idle(self):
        first = message("Before", "There before.\r\n")
        self.deliver(first)
        client = self.start_client(self.command("tls", "no keep idle"), env=self.environment)
        fetched = []

        def has(count):
            self.assertIsNone(client.poll(), self.client_output())
            fetched.extend(octets for octets in read_visible(self.new))
            return len(fetched) >= count

        self.wait_until(lambda: has(1), "the first message is fetched")
        self.wait_until(lambda: "IDLE" in self.client_output(), "fetchmail is in IDLE")
        later = numbered(5, "While it idles")
        for count, octets in enumerate(later, 2):
            self.deliver(octets)
            self.wait_until(lambda: has(count), f"message {count} is fetched as it arrives")  # noqa: B023
        self.output = self.client_output()
        self.assert_fetched(fetched, [first, *later])
        self.wait_until(lambda: self.truth() == {}, "what was fetched is removed")


def read_visible(folder):
    """The files that are whole, taken away as they are read."""
    messages = []
    for name in os.listdir(folder):
        if not name.startswith("."):
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                messages.append(with_lf(file.read()))
            os.unlink(path)
    return messages


if __name__ == "__main__":
    need("fetchmail", "openssl")
    imap_support.main()
