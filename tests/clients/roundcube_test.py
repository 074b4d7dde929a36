"""Roundcube in headless Chromium: log in, list, read, search, flag, move, delete, and see what is new.

    tests/clients/roundcube_test.py --roundcube        (or with TWINPOST_ROUNDCUBE=1 in the environment)

Needs Debian's packages of Roundcube, PHP and Chromium (tools/install-dependencies --roundcube). Roundcube runs on PHP's own web
server with a configuration and an SQLite database in the test's folder; nothing of the system's is touched.
"""

import atexit
import glob
import os
import shutil
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import imap_support
from imap_support import ImapTest, end, numbered, subject_of
from twinpost_server import free_port, message, need, skip
from webdriver import Browser

ROOT = "/var/lib/roundcube"
SYSTEM_CONFIG = "/etc/roundcube"

CONFIG = """<?php
$config = [];
$config['db_dsnw'] = 'sqlite:///{folder}/roundcube.db?mode=0600';
$config['imap_host'] = '{scheme}localhost:{port}';
$config['imap_conn_options'] = ['ssl' => ['verify_peer' => true, 'verify_peer_name' => true, 'cafile' => '{certificate}']];
$config['smtp_host'] = 'localhost:1';
$config['des_key'] = 'a key of 24 octets here.';
$config['log_dir'] = '{folder}/logs/';
$config['temp_dir'] = '{folder}/temp/';
$config['imap_log_session'] = false;
$config['imap_debug'] = false;
$config['skin'] = 'elastic';
$config['language'] = 'en_US';
$config['plugins'] = [];
$config['drafts_mbox'] = 'Drafts';
$config['sent_mbox'] = 'Sent';
$config['trash_mbox'] = 'Trash';
$config['junk_mbox'] = 'Junk';
$config['mail_pagesize'] = 50;
$config['layout'] = 'list';
$config['imap_cache'] = {cache};
$config['messages_cache'] = {cache};
"""

ROW = "#messagelist tbody tr.message"


class Roundcube(ImapTest):
    def setUp(self):
        super().setUp()
        # No @ may be in the path of a database for Roundcube.
        self.folder = os.path.join(self.server.folder, "roundcube-" + self._testMethodName)
        for name in ("config", "logs", "temp"):
            os.makedirs(os.path.join(self.folder, name))

    def start_web_server(self, security, cache):
        config = os.path.join(self.folder, "config")
        for name in ("defaults.inc.php", "mimetypes.php"):
            shutil.copy(os.path.join(SYSTEM_CONFIG, name), config)
        with open(os.path.join(config, "config.inc.php"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder=self.folder, scheme={"tls": "ssl://", "starttls": "tls://"}[security],
                                     port=self.address(security)[1], certificate=self.server.certificate, cache=cache))
        self.port = free_port()
        php = self.start_client(["php", "-S", f"127.0.0.1:{self.port}", "-t", ROOT], env={
            **os.environ, "ROUNDCUBE_CONFIG_DIR": config, "PHP_CLI_SERVER_WORKERS": "4"}, start_new_session=True)
        self.addCleanup(end_group, php)
        atexit.register(end_group, php)

        def answers():
            self.assertIsNone(php.poll(), self.client_output())
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
                    return answer.status == 200
            except urllib.error.HTTPError as refused:
                self.fail(f"Roundcube: {refused}\n{self.client_output()}\n{self.errors()}")
            except OSError:
                return False

        self.wait_until(answers, "the web server answers")

    def errors(self):
        found = ""
        for path in glob.glob(os.path.join(self.folder, "logs", "errors*")):
            with open(path, encoding="utf-8", errors="replace") as file:
                found += file.read()
        return found

    def subjects(self):
        # A row that has just left stays for a while, hidden: its text is empty.
        return [text.strip() for text in self.browser.texts(ROW + " td.subject span.subject a") if text.strip()]

    def idle(self):
        """When Roundcube has nothing under way."""
        self.browser.wait(lambda: self.browser.run("return !!window.rcmail && !rcmail.busy && jQuery.active === 0"), "Roundcube is idle")

    def row(self, subject):
        for element in self.browser.find_all(ROW):
            if subject in self.browser.text(element):
                return element
        self.fail(f"no message {subject} in the list: {self.subjects()}")

    def command(self, *words):
        """A command of a button or a menu."""
        self.browser.run("rcmail.command(...arguments)", *words)
        self.idle()

    def select(self, subject):
        self.browser.click(self.row(subject))
        self.idle()

    def visit(self, security, cache="null"):
        self.deliver(*numbered(6), message("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Schöne Grüße aus Köln.\r\n"),
                     imap_support.with_attachment(b"1,2,3\n" * 1000))
        self.start_web_server(security, cache)
        self.browser = Browser(self.home)
        atexit.register(self.browser.close)
        self.addCleanup(self.browser.close)
        browser = self.browser
        try:
            self.whole_visit(browser)
        except BaseException:
            picture = os.path.join(os.environ.get("TMPDIR", "/tmp"), "twinpost-roundcube.png")
            browser.screenshot(picture)
            print(f"the page: {browser.url()}, as a picture: {picture}\n{self.errors()}\n{self.client_output()[-3000:]}", file=sys.stderr)
            raise
        errors = [line for line in self.errors().splitlines() if "Wrong user name or password" not in line]
        self.assertEqual(errors, [])

    def whole_visit(self, browser):
        browser.open(f"http://127.0.0.1:{self.port}/")
        browser.type(browser.find("#rcmloginuser"), self.user)
        browser.type(browser.find("#rcmloginpwd"), "wrong")
        browser.click(browser.find("#rcmloginsubmit"))
        browser.wait(lambda: "Login failed" in browser.text(browser.find("body")), "a wrong password is refused")
        field = browser.find("#rcmloginuser")
        browser.command(f"element/{field}/clear")
        browser.type(field, self.user)
        browser.type(browser.find("#rcmloginpwd"), self.password)
        browser.click(browser.find("#rcmloginsubmit"))

        # The list, the newest first.
        browser.wait(lambda: len(self.subjects()) == 8, "the list of messages")
        self.idle()
        self.assertEqual(set(self.subjects()), {*(f"Message {i}" for i in range(6)), "Grüße", "An attachment"})
        folders = " ".join(browser.texts("#mailboxlist li > a"))
        for name in ("Inbox", "Drafts", "Sent", "Junk", "Trash", "Archive"):
            self.assertIn(name, folders)

        # Reading.
        browser.open(browser.run("return [...document.querySelectorAll(arguments[0])].find(link => link.textContent.trim() === arguments[1])"
                                 ".href", ROW + " td.subject span.subject a", "Grüße"))
        browser.wait(lambda: "Schöne Grüße aus Köln." in browser.text(browser.find("#messagebody")), "the message's text")
        self.assertIn("\\Seen", self.flags_by_subject()["=?utf-8?q?Gr=C3=BC=C3=9Fe?="])

        browser.open(f"http://127.0.0.1:{self.port}/?_task=mail&_mbox=INBOX")
        browser.wait(lambda: len(self.subjects()) == 8, "the list of messages")
        self.idle()
        self.change(browser)
        self.search(browser)

    def change(self, browser):
        self.select("Message 1")
        self.command("mark", "flagged")
        self.select("Message 2")
        self.command("mark", "read")
        self.select("Message 3")
        self.command("move", "Archive")
        browser.wait(lambda: len(self.subjects()) == 7, "the moved message leaves the list")
        self.select("Message 4")
        self.command("copy", "Sent")
        self.select("Message 5")
        self.command("delete")
        browser.wait(lambda: len(self.subjects()) == 6, "the deleted message leaves the list")
        flags = self.flags_by_subject()
        self.assertIn("\\Flagged", flags["Message 1"])
        self.assertIn("\\Seen", flags["Message 2"])
        self.assertNotIn("Message 3", flags)
        self.assertNotIn("Message 5", flags)
        for mailbox, subject in (("Archive", "Message 3"), ("Sent", "Message 4"), ("Trash", "Message 5")):
            self.assertEqual([subject_of(octets) for octets in self.octets_of(mailbox)], [subject])
        self.assertEqual(len(self.maildrop()), 6)

        # What others do.
        self.deliver(message("Just arrived"))
        session = self.imap()
        session.select("INBOX")
        session.command(r"STORE 1 +FLAGS.SILENT (\Deleted)")
        session.command("EXPUNGE")
        session.logout()
        self.command("checkmail")
        browser.wait(lambda: "Just arrived" in self.subjects() and "Message 0" not in self.subjects(), "what is new, and gone, shows")

    def search(self, browser):
        self.idle()
        browser.run("jQuery('#mailsearchform').val(arguments[0]); rcmail.command('search')", "attachment")
        browser.wait(lambda: self.subjects() == ["An attachment"], "the found message")
        self.idle()
        self.command("reset-search")
        browser.wait(lambda: len(self.subjects()) == 6, "the whole list again")

    def test_a_visit_over_imaps(self):
        self.visit("tls")

    def test_a_visit_over_starttls_with_caches(self):
        self.visit("starttls", "'db'")


def end_group(process):
    """PHP's web server has workers of its own, in the same process group."""
    if process.poll() is None:
        os.killpg(process.pid, 15)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


if __name__ == "__main__":
    if "--roundcube" in sys.argv:
        sys.argv.remove("--roundcube")
    elif os.environ.get("TWINPOST_ROUNDCUBE") != "1":
        skip("Roundcube is tried with --roundcube or TWINPOST_ROUNDCUBE=1 only")
    need("php", "chromium", "chromedriver", "openssl")
    if not os.path.exists(os.path.join(ROOT, "index.php")):
        skip(f"Roundcube is not in {ROOT} (tools/install-dependencies --roundcube)")
    imap_support.main(240)
