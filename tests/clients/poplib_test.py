"""Python's poplib: every command of RFC 1939, and UIDLs that stay what they were."""

import poplib
import unittest

import wire
from fetching import PASSWORD, USER
from twinpost_server import ServerTest, message, need

BODIES = ["one\r\n", "two\r\n.dot\r\n", "three\r\n3\r\n3\r\n"]


class Poplib(ServerTest):
    def setUp(self):
        self.empty(USER)
        self.server.deliver(USER, *(message(f"Message {i + 1}", body) for i, body in enumerate(BODIES)))

    def session(self, security="none"):
        context = wire.trusting_context(self.server.certificate)
        if security == "tls":
            pop = poplib.POP3_SSL("localhost", self.server.pop3s[1], context=context, timeout=20)
        else:
            pop = poplib.POP3("localhost", self.server.pop3[1], timeout=20)
        if security == "stls":
            pop.stls(context)
        self.addCleanup(pop.close)
        pop.user(USER)
        pop.pass_(PASSWORD)
        return pop

    def uidls(self):
        pop = self.session()
        lines = pop.uidl()[1]
        pop.quit()
        return [line.split(b" ")[1] for line in lines]

    def test_every_command(self):
        for security in ("none", "stls", "tls"):
            with self.subTest(security):
                pop = self.session(security)
                count, octets = pop.stat()
                self.assertEqual(count, 3)
                sizes = [int(line.split(b" ")[1]) for line in pop.list()[1]]
                self.assertEqual(sum(sizes), octets)
                self.assertEqual(pop.list(2).split(b" ")[1:3], [b"2", b"%d" % sizes[1]])
                uidls = [line.split(b" ") for line in pop.uidl()[1]]
                self.assertEqual([number for number, _ in uidls], [b"1", b"2", b"3"])
                self.assertEqual(len({uidl for _, uidl in uidls}), 3)
                self.assertEqual(pop.uidl(3).split(b" ")[1:3], uidls[2])
                for number, body in enumerate(BODIES, 1):
                    _, lines, _ = pop.retr(number)
                    text = b"\r\n".join(lines) + b"\r\n"
                    self.assertTrue(text.endswith(f"\r\n\r\n{body}".encode()), text)
                    self.assertEqual(len(text), sizes[number - 1])
                _, top, _ = pop.top(3, 1)
                self.assertEqual(top[-2:], [b"", b"three"])
                _, top, _ = pop.top(3, 0)
                self.assertEqual(top[-1], b"")
                pop.noop()
                capabilities = pop.capa()
                for name in ("TOP", "UIDL", "USER", "SASL", "PIPELINING", "RESP-CODES"):
                    self.assertIn(name, capabilities)
                self.assertEqual("STLS" in capabilities, False, "not after a login, and not under TLS")
                pop.dele(2)
                with self.assertRaises(poplib.error_proto):
                    pop.retr(2)
                self.assertEqual(pop.stat(), (2, octets - sizes[1]))
                self.assertEqual([line.split(b" ")[0] for line in pop.list()[1]], [b"1", b"3"])
                pop.rset()
                self.assertEqual(pop.stat(), (3, octets))
                pop.quit()

    def test_apop_where_the_password_is_stored_plainly(self):
        pop = poplib.POP3("localhost", self.server.pop3[1], timeout=20)
        self.addCleanup(pop.close)
        pop.apop(USER, PASSWORD)
        self.assertEqual(pop.stat()[0], 3)
        pop.quit()

    def test_a_number_that_is_not_there_is_refused(self):
        pop = self.session()
        for call in (pop.retr, pop.dele, pop.list, pop.uidl):
            for number in (0, 4, 99999999999999999999):
                with self.assertRaises(poplib.error_proto):
                    call(number)
        self.assertEqual(pop.stat()[0], 3)
        pop.quit()

    def test_deletes_count_at_quit_only(self):
        pop = self.session()
        pop.dele(1)
        pop.close()
        self.assertEqual(len(self.uidls()), 3)
        pop = self.session()
        pop.dele(1)
        pop.quit()
        self.assertEqual(len(self.uidls()), 2)

    def test_a_second_session_is_told_that_the_maildrop_is_in_use(self):
        pop = self.session()
        with self.assertRaisesRegex(poplib.error_proto, r"\[IN-USE\]"):
            self.session()
        pop.quit()
        self.session().quit()

    def test_uidls_stay_over_restarts_and_removals(self):
        before = self.uidls()
        self.server.restart()
        self.assertEqual(self.uidls(), before)
        pop = self.session()
        pop.dele(2)
        pop.quit()
        self.server.restart()
        self.server.deliver(USER, message("Message 4"))
        after = self.uidls()
        self.assertEqual(after[:2], [before[0], before[2]])
        self.assertEqual(len(after), 3)
        self.assertNotIn(after[2], before)

    def test_the_snapshot_does_not_see_later_mail(self):
        pop = self.session()
        self.server.deliver(USER, message("While the session runs"))
        self.assertEqual(pop.stat()[0], 3)
        pop.quit()
        self.assertEqual(len(self.uidls()), 4)


if __name__ == "__main__":
    need("openssl")
    unittest.main(verbosity=2)
