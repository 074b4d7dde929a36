"""imapfilter marks, copies, moves and deletes by rules, over IMAP, STARTTLS and IMAPS."""

import os
import unittest

import imap_support
from imap_support import ImapTest, clean_environment, numbered, subject_of
from twinpost_server import message, need, run

RULES = r"""
account.INBOX:check_status()
mailboxes, folders = account:list_all()
table.sort(mailboxes)
print("mailboxes: " .. table.concat(mailboxes, " "))
if not account:create_mailbox("Lists/Ärger") then error("create") end
account:subscribe_mailbox("Lists/Ärger")

inbox = account.INBOX
all = inbox:select_all()
print("all: " .. #all)
eve = inbox:contain_from("eve@example.net")
print("eve: " .. #eve)
eve:mark_flagged()
odd = inbox:contain_subject("Odd") * inbox:is_unseen()
odd:move_messages(account["Lists/Ärger"])
large = inbox:is_larger(3000)
print("large: " .. #large)
large:copy_messages(account.Archive)
found = inbox:contain_body("From here on") - large - eve
print("body: " .. #found)
found:mark_seen()
found:add_flags({ "Filtered" })
either = inbox:match_subject("^Message [01]$") + inbox:contain_field("X-Unknown", "x")
either:delete_messages()
mine = inbox:send_query('KEYWORD Filtered UNDELETED')
print("query: " .. #mine)
for _, message in ipairs(inbox:contain_subject("Structure")) do
  mailbox, uid = table.unpack(message)
  structure = mailbox[uid]:fetch_structure()
  print("size: " .. mailbox[uid]:fetch_size())
  print("part: " .. structure["2"]["type"] .. " " .. structure["2"]["name"])
  print("subject: " .. mailbox[uid]:fetch_field("Subject"))
end
"""


class Imapfilter(ImapTest):
    password = "a plain secret"  # imapfilter puts it between quotes as it is

    def filter(self, security, rules):
        rc = os.path.join(self.home, "config.lua")
        tls = "" if security == "none" else 'ssl = "auto",'
        with open(rc, "w", encoding="utf-8") as file:
            file.write(f"""options.timeout = 20
options.starttls = {"true" if security == "starttls" else "false"}
options.certificates = true
options.hostnames = true
options.info = false
options.charset = "UTF-8"
account = IMAP {{ server = "localhost", port = {self.address(security)[1]}, username = "{self.user}", password = "{self.password}", {
    tls if security == "tls" else ""} }}
""" + rules)
        os.chmod(rc, 0o600)
        return run(["imapfilter", "-v", "-c", rc, "-l", os.path.join(self.home, "errors"), "-t", self.server.certificate],
                   env=clean_environment(self.home, IMAPFILTER_HOME=self.home))

    def apply_rules(self, security):
        mail = [*numbered(4, sizes=(0,)), message("From Eve", "From here on\r\n", sender="eve@example.net"), message("Odd 1"),
                message("Odd 2"), message("Large", "x" * 70 + "\r\n" + "a line of text\r\n" * 300),
                imap_support.with_attachment(b"12345", "Structure")]
        self.deliver(*mail)
        popped = self.maildrop()
        output = self.filter(security, RULES)
        for line in ("mailboxes: Archive Drafts INBOX Junk Sent Trash", "all: 9", "eve: 1", "large: 1", "body: 4", "query: 2",
                     f"size: {len(popped[8])}", "part: application/octet-stream figures.bin", "subject: Subject: Structure"):
            self.assertIn(line, output)
        inbox = self.flags_by_subject()
        self.assertEqual(inbox, {"Message 2": {"\\Seen", "Filtered"}, "Message 3": {"\\Seen", "Filtered"}, "From Eve": {"\\Flagged"},
                                 "Large": frozenset(), "Structure": frozenset()})
        self.assertEqual(set(self.flags_by_subject("Lists/&AMQ-rger")), {"Odd 1", "Odd 2"})
        self.assertEqual([subject_of(octets) for octets in self.octets_of("Archive")], ["Large"])
        self.assertEqual(self.octets_of("Archive"), [popped[7]])
        self.assertEqual([subject_of(octets) for octets in self.maildrop()], ["Message 2", "Message 3", "From Eve", "Large", "Structure"])

    def test_rules_without_tls(self):
        self.apply_rules("none")

    def test_rules_over_starttls(self):
        self.apply_rules("starttls")

    def test_rules_over_imaps(self):
        self.apply_rules("tls")

    def test_idle_wakes_it(self):
        rc_rules = """
account.INBOX:check_status()
print("waiting")
io.stdout:flush()
woken, event = account.INBOX:enter_idle()
print("woken: " .. tostring(woken) .. " " .. tostring(event))
account.INBOX:is_unseen():move_messages(account.Archive)
"""
        self.filter("tls", "")  # writes the configuration
        rc = os.path.join(self.home, "config.lua")
        with open(rc, "a", encoding="utf-8") as file:
            file.write(rc_rules)
        client = self.start_client(["imapfilter", "-v", "-c", rc, "-t", self.server.certificate],
                                   env=clean_environment(self.home, IMAPFILTER_HOME=self.home))
        self.wait_until(lambda: "waiting" in self.client_output(), "it waits")
        self.deliver(message("Wakes it"))
        self.wait_until(lambda: client.poll() is not None, "it ends")
        self.assertEqual(client.returncode, 0, self.client_output())
        self.assertIn("woken: true EXISTS", self.client_output())
        self.assertEqual(list(self.flags_by_subject("Archive")), ["Wakes it"])


if __name__ == "__main__":
    need("imapfilter", "openssl")
    imap_support.main()
