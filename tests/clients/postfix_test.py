"""Postfix relays to the LMTP socket: a known recipient's mail arrives, an unknown one's bounces to its sender.

Postfix runs with a configuration and a queue of its own in the test's folder; nothing of the system's is touched. Its master
must be started by root: elsewhere this test is skipped.
"""

import os
import pwd
import shutil
import smtplib
import subprocess
import time
import unittest

from fetching import with_lf
from twinpost_server import ServerTest, free_port, message, need, run, skip

MAIN_CF = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example.net
mydomain = example.net
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
relay_domains = example.org
relay_transport = lmtp:unix:{socket}
default_transport = error:this test sends nothing anywhere else
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = none
disable_dns_lookups = yes
smtputf8_enable = no
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
maillog_file_permissions = 0644
"""

MASTER_CF = """127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(ServerTest):
    umask = 0  # Postfix's own user must be allowed to connect to the socket

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = os.path.join(cls.server.folder, "postfix")
        cls.port = free_port()
        owner = pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data"):
            os.makedirs(os.path.join(cls.folder, name))
        os.chown(os.path.join(cls.folder, "data"), owner.pw_uid, owner.pw_gid)
        etc = os.path.join(cls.folder, "etc")
        for name, text in (("main.cf", MAIN_CF), ("master.cf", MASTER_CF)):
            with open(os.path.join(etc, name), "w", encoding="utf-8") as file:
                file.write(text.format(folder=cls.folder, socket=cls.server.lmtp_socket, port=cls.port))
        if os.path.exists("/etc/postfix/dynamicmaps.cf"):
            shutil.copy("/etc/postfix/dynamicmaps.cf", etc)
        try:
            cls.postfix("start")
            cls.wait_until_it_answers()
        except Exception:
            print(cls.mail_log())
            cls.postfix("abort", expect=None)
            super().tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.postfix("stop", expect=None)
        finally:
            super().tearDownClass()

    @classmethod
    def postfix(cls, command, expect=0):
        # `postfix start` leaves the master running with the output it was given, so that goes to a file.
        with open(os.path.join(cls.folder, "output"), "wb+") as output:
            done = subprocess.run(["/usr/sbin/postfix", "-c", os.path.join(cls.folder, "etc"), command], stdin=subprocess.DEVNULL,
                                  stdout=output, stderr=output, timeout=60, check=False)
            output.seek(0)
            if expect is not None and done.returncode != expect:
                raise AssertionError(f"postfix {command}: {done.returncode}\n{output.read().decode()}")

    @classmethod
    def wait_until_it_answers(cls):
        deadline = time.monotonic() + 30
        while True:
            try:
                smtplib.SMTP("127.0.0.1", cls.port, timeout=5).quit()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    @classmethod
    def mail_log(cls):
        try:
            with open(os.path.join(cls.folder, "maillog"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return "(no mail log)"

    def wait_for_mail(self, user, count, seconds=40):
        deadline = time.monotonic() + seconds
        while True:
            messages = self.server.maildrop(user, self.accounts[user])
            if len(messages) >= count:
                return messages
            if time.monotonic() > deadline:
                self.fail(f"{user} has {len(messages)} messages, not {count}\n{self.mail_log()}")
            time.sleep(0.2)

    def test_a_known_recipient_gets_the_mail_and_an_unknown_one_bounces(self):
        sent = message("By way of Postfix", "Schöne Grüße.\r\n.a dot\r\n", sender="bob@example.org")
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as smtp:
            refused = smtp.sendmail("bob@example.org", ["ann@example.org", "nobody@example.org"], sent, ["BODY=8BITMIME"])
            self.assertEqual(refused, {}, "Postfix itself knows no recipients here")
        delivered, = self.wait_for_mail("ann@example.org", 1)
        self.assertTrue(delivered.endswith(sent), delivered)
        self.assertIn(b"Return-Path: <bob@example.org>\r\n", delivered)
        self.assertIn(b"Delivered-To: ann@example.org\r\n", delivered)

        bounce, = self.wait_for_mail("bob@example.org", 1)
        bounce = with_lf(bounce)
        self.assertIn(b"Return-Path: <>\n", bounce, "a bounce has the null sender")
        self.assertRegex(bounce, rb"(?i)Final-Recipient: rfc822; *nobody@example\.org")
        self.assertIn(b"Status: 5.1.1", bounce)
        self.assertNotIn(b"Final-Recipient: rfc822; ann@", bounce)
        self.assertIn("relay=relay.example.net[" + self.server.lmtp_socket, self.mail_log())

    def test_fifty_messages_at_once_all_arrive(self):
        self.server.maildrop("ann@example.org", self.accounts["ann@example.org"], remove=True)
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as smtp:
            for i in range(50):
                smtp.sendmail("carl@example.net", ["ann@example.org"], message(f"Number {i}", f"{i}\r\n"))
        arrived = self.wait_for_mail("ann@example.org", 50)
        self.assertEqual(len(arrived), 50)
        for i in range(50):
            self.assertEqual(sum(f"\r\nSubject: Number {i}\r\n".encode() in m for m in arrived), 1)


if __name__ == "__main__":
    need("postfix", "openssl")
    if os.geteuid() != 0:
        skip("Postfix's master must be started by root")
    unittest.main(verbosity=2)
