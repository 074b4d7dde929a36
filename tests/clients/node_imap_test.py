"""node-imap (npm's `imap`): mailboxes, messages, IDLE, CONDSTORE and parts, over IMAP, STARTTLS and IMAPS."""

import hashlib
import random
import unittest

import imap_support
from imap_support import NodeTest, need_npm, numbered, with_attachment
from twinpost_server import need

ATTACHMENT_OCTETS = 20_000_000


class NodeImap(NodeTest):
    script = "node_imap_client.js"

    def test_mailboxes(self):
        self.deliver(*numbered(3))
        self.play("mailboxes", "none")

    def test_messages_over_starttls(self):
        self.deliver(*numbered(3))
        self.play("messages", "starttls")

    def test_messages(self):
        self.deliver(*numbered(3))
        self.play("messages", "tls")

    def test_idle(self):
        self.deliver(*numbered(3))
        self.play("idle", "tls")

    def test_condstore(self):
        self.deliver(*numbered(3))
        self.play("condstore", "tls")

    def test_a_large_attachment_streamed(self):
        attachment = random.Random(20).randbytes(ATTACHMENT_OCTETS)
        self.deliver(with_attachment(attachment))
        self.play("parts", "tls", ATTACHMENT_OCTETS=str(ATTACHMENT_OCTETS), ATTACHMENT_SHA256=hashlib.sha256(attachment).hexdigest())

    def test_what_is_refused(self):
        self.play("refused", "tls")


if __name__ == "__main__":
    need("node", "openssl")
    NodeImap.modules = need_npm("imap")
    imap_support.main()
