"""imapflow (npm): mailboxes, messages, IDLE, CONDSTORE, QRESYNC and parts, with and without COMPRESS, over STARTTLS and IMAPS."""

import hashlib
import random
import unittest

import imap_support
from imap_support import NodeTest, need_npm, numbered, with_attachment
from twinpost_server import need

ATTACHMENT_OCTETS = 20_000_000


class Imapflow(NodeTest):
    script = "imapflow_client.js"

    def test_mailboxes(self):
        self.deliver(*numbered(3))
        self.play("mailboxes", "tls", COMPRESS="0")

    def test_mailboxes_compressed(self):
        self.deliver(*numbered(3))
        self.play("mailboxes", "tls", COMPRESS="1")

    def test_messages(self):
        self.deliver(*numbered(3))
        self.play("messages", "tls", COMPRESS="0")

    def test_messages_compressed_after_starttls(self):
        self.deliver(*numbered(3))
        self.play("messages", "starttls", COMPRESS="1")

    def test_idle(self):
        self.deliver(*numbered(3))
        self.play("idle", "tls", COMPRESS="0")

    def test_idle_compressed_with_qresync(self):
        self.deliver(*numbered(3))
        self.play("idle", "tls", COMPRESS="1", QRESYNC="1")

    def test_condstore(self):
        self.deliver(*numbered(3))
        self.play("condstore", "tls", COMPRESS="1")

    def test_qresync(self):
        self.deliver(*numbered(3))
        self.play("qresync", "tls", COMPRESS="0")

    def parts(self, **options):
        attachment = random.Random(20).randbytes(ATTACHMENT_OCTETS)
        self.deliver(with_attachment(attachment))
        self.play("parts", "tls", ATTACHMENT_OCTETS=str(ATTACHMENT_OCTETS), ATTACHMENT_SHA256=hashlib.sha256(attachment).hexdigest(),
                  **options)

    def test_a_large_attachment_in_pieces(self):
        self.parts(COMPRESS="0")

    def test_a_large_attachment_in_pieces_compressed(self):
        self.parts(COMPRESS="1")

    def test_what_is_refused(self):
        self.play("refused", "tls", COMPRESS="0")


if __name__ == "__main__":
    need("node", "openssl")
    Imapflow.modules = need_npm("imapflow")
    imap_support.main()
