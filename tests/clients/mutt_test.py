"""mutt in a terminal of its own: lists, reads, flags, copies, moves, deletes, uploads, over STARTTLS and IMAPS."""

import atexit
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unittest

import imap_support
from imap_support import PASSWORD, ImapTest, clean_environment, end, numbered, subject_of, with_attachment
from twinpost_server import message, need

ROWS, COLUMNS = 50, 150
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])")


class Mutt(ImapTest):
    def configure(self, security):
        scheme = "imaps" if security == "tls" else "imap"
        self.url = f"{scheme}://localhost:{self.address(security)[1]}/"
        self.rc = os.path.join(self.home, "muttrc")
        secret = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
        with open(self.rc, "w", encoding="utf-8") as file:
            file.write(f"""set imap_user="{self.user}" imap_pass="{secret}" imap_authenticators="plain:login"
set folder="{self.url}" spoolfile="+INBOX" record="" postponed="+Drafts" mbox="+Archive" trash=""
set ssl_force_tls=yes ssl_starttls=yes ssl_ca_certificates_file="" ssl_verify_host=yes certificate_file="{self.server.certificate}"
set sort=mailbox-order sleep_time=0 wait_key=no confirmappend=no confirmcreate=no delete=yes quit=yes move=no beep=no
set pipe_decode=no mark_old=no header_cache="" imap_idle=no timeout=2 mail_check=1 imap_check_subscribed=no
set index_format="%4C %Z %s" pager_stop=yes pager="builtin" check_new=yes imap_condstore={self.condstore} imap_qresync={self.condstore}
""")

    condstore = "no"

    def mutt(self, mailbox, keys="", typed=(), seconds=30):
        """Starts mutt on the mailbox with `keys` pushed: it shows nothing before it has done them all. Then of `typed`, pairs of a
        text and keys, the keys are typed once the text came to the screen. Returns all that came to it."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(
            ["mutt", "-n", "-F", self.rc, "-f", self.url + mailbox, *(["-e", "push \"" + keys.replace('"', '\\"') + "\""] if keys else [])],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=clean_environment(self.home, TERM="vt100"))
        os.close(slave)
        atexit.register(end, process)
        screen = b""
        typed = list(typed)
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if not select.select([master], [], [], 0.2)[0]:
                    continue
                try:
                    piece = os.read(master, 65536)
                except OSError:  # the terminal's other side is closed
                    break
                if not piece:
                    break
                screen += piece
                if typed and typed[0][0] in shown(screen):
                    os.write(master, typed.pop(0)[1].encode())
            text = shown(screen)
            try:
                status = process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.fail(f"mutt did not end within {seconds} s; its screen:\n{text[-6000:]}")
            self.assertEqual(status, 0, text[-6000:])
            self.assertEqual(typed, [], text[-6000:])
            return text
        finally:
            end(process)
            os.close(master)

    def whole_visit(self, security):
        self.configure(security)
        self.deliver(*numbered(8), with_attachment(bytes(range(256)) * 200))
        popped = self.maildrop()
        read = os.path.join(self.home, "read")
        decoded = os.path.join(self.home, "decoded")
        # The index, and a message in the pager.
        screen = self.mutt("INBOX", typed=[("An attachment", "1\n\n"), ("..dots", "i"), ("An attachment", "q")])
        for i in range(8):
            self.assertIn(f"Message {i}", screen)
        self.mutt("INBOX", "".join([
            f"<search>~s \"Message 2\"<enter><display-message><exit><pipe-message>cat >{read}<enter>",
            "<search>~s \"Message 3\"<enter><flag-message>",
            "<search>~s \"Message 4\"<enter><copy-message>=Archive<enter>",
            "<search>~s \"Message 5\"<enter><save-message>=Kept/Here<enter>",
            "<tag-pattern>~s \"Message [01]\"<enter><tag-prefix><delete-message>",
            "<limit>~b \"From here on\"<enter><limit>all<enter>",
            f"<search>~s \"An attachment\"<enter><view-attachments><next-entry><save-entry>{decoded}-file<enter><exit>",
            "<sync-mailbox><quit>"]))
        with open(read, "rb") as file:
            self.assertEqual(file.read(), popped[2].replace(b"\r\n", b"\n"))
        with open(decoded + "-file", "rb") as file:
            self.assertEqual(file.read(), bytes(range(256)) * 200)
        inbox = self.flags_by_subject()
        self.assertEqual(set(inbox), {"Message 2", "Message 3", "Message 4", "Message 6", "Message 7", "An attachment"})
        self.assertEqual(inbox["Message 2"], {"\\Seen"})
        self.assertIn("\\Flagged", inbox["Message 3"])
        self.assertEqual(inbox["Message 7"], frozenset())
        self.assertEqual(self.octets_of("Archive"), [popped[4]])
        self.assertEqual(self.octets_of("Kept/Here"), [popped[5]])
        self.assertEqual([subject_of(octets) for octets in self.maildrop()],
                         ["Message 2", "Message 3", "Message 4", "Message 6", "Message 7", "An attachment"])

        # Again, from another folder: the browser's list, and a message that goes up from a file.
        upload = os.path.join(self.home, "upload")
        with open(upload, "wb") as file:
            file.write(b"From sam@example.net Mon Jan  5 10:00:00 2026\n" + message("From a file", "Grüße\r\n.\r\n").replace(b"\r\n", b"\n"))
        screen = self.mutt("Archive", typed=[("Message 4", "c?"), ("Trash", "q"), ("Message 4", "q")])
        for name in ("Drafts", "Junk", "Kept", "Trash"):
            self.assertIn(name, screen)
        self.mutt("Archive", f"<change-folder>{upload}<enter><copy-message>=Sent<enter><quit>")
        self.assertTrue(self.octets_of("Sent")[0].endswith(message("From a file", "Grüße\r\n.\r\n").partition(b"\r\n\r\n")[2]))

    def test_a_visit_over_starttls(self):
        self.whole_visit("starttls")

    def test_a_visit_over_imaps(self):
        self.whole_visit("tls")

    def test_a_visit_with_condstore_and_qresync(self):
        self.condstore = "yes"
        self.whole_visit("tls")


def shown(screen):
    return ESCAPES.sub("", screen.decode("utf-8", "replace"))


if __name__ == "__main__":
    need("mutt", "openssl")
    imap_support.main()
