"""`twinpost check` and `twinpost salvage`: beside a running server under load, of damaged copies, and their exit codes."""

import json
import mailbox
import os
import poplib
import random
import shutil
import subprocess
import threading
import unittest

import wire
from fetching import PASSWORD, USER
from twinpost_server import Server, message, program

CLEAN, PROBLEMS, FAILED = 0, 1, 2
ROUNDS = 12


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Check(unittest.TestCase):
    def setUp(self):
        self.socket = None
        self.server = Server({USER: PASSWORD, "bob@example.net": PASSWORD}, start=False)
        self.socket = os.path.join(self.server.folder, "admin.sock")
        self.server.settings = {"listen": {"admin": ["unix:" + self.socket]}}
        self.server.write_config()
        self.server.start()
        self.addCleanup(self.server.remove)
        self.addCleanup(self.server.stop)

    def run_tool(self, *arguments, expect=(CLEAN,), config=None):
        done = subprocess.run([program("TWINPOST", "twinpost"), "--config", config or self.server.config_path, *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        output = done.stdout.decode("utf-8", "replace")
        self.assertIn(done.returncode, expect, f"{arguments}: {output}{done.stderr.decode('utf-8', 'replace')}")
        return done.returncode, output, done.stderr.decode("utf-8", "replace")

    def fill(self, count=30):
        for number in range(count):
            body = f"message {number}\r\n" + "x" * 70 + "\r\n"
            body *= 1 + (number % 7) * 40
            self.server.deliver(USER, message(f"number {number}", body))
            if number % 3 == 0:
                self.server.deliver("bob@example.net", message(f"for bob {number}", body))

    def test_a_check_beside_load_is_clean(self):
        self.fill(5)
        stop = threading.Event()
        failures = []

        def deliver():
            try:
                lmtp = wire.Lmtp(self.server.lmtp)
                self.addCleanup(lmtp.close)
                number = 0
                while not stop.is_set():
                    number += 1
                    replies = lmtp.deliver("sam@example.net", [USER], message(f"load {number}", "y\r\n" * (number % 500)))
                    if replies[0][0] != 250:
                        failures.append(replies)
                        return
            except Exception as error:  # shown by the test
                failures.append(error)

        loader = threading.Thread(target=deliver)
        loader.start()
        try:
            for arguments in (["check"], ["check", "--no-bodies"], ["check", "--account", USER], ["check", "--repair"],
                              ["check", "--repair", "--json"]):
                _, output, _ = self.run_tool(*arguments, "--quiet")
                self.assertIn("problems", output)
        finally:
            stop.set()
            loader.join(30)
        self.assertEqual(failures, [])
        report = json.loads(output)
        self.assertEqual(report["problems"], 0)
        self.assertGreaterEqual(report["messages"], 5)
        self.assertGreater(report["body_octets"], 0)
        _, _, error = self.run_tool("check", "--account", "nobody@example.org", "--quiet", expect=(FAILED,))
        self.assertIn("nobody@example.org", error)

    def other_config(self, data):
        """A configuration for a copy of the data, of which no server knows."""
        path = os.path.join(self.server.folder, "other.json")
        config = self.server.config()
        config["data"] = data
        config["listen"]["admin"] = []
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path

    def copy(self, name):
        target = os.path.join(self.server.folder, name)
        shutil.rmtree(target, ignore_errors=True)
        os.mkdir(target, 0o700)
        shutil.copy(os.path.join(self.server.data, "data.mdb"), target)
        shutil.copy(os.path.join(self.server.data, "writer.lock"), target)
        os.mkdir(os.path.join(target, "spool"))
        return target

    def test_salvage_of_a_sound_store_gives_all_of_it(self):
        self.fill()
        uidls = self.uidls()
        self.server.stop()
        before = read(os.path.join(self.server.data, "data.mdb"))
        out = os.path.join(self.server.folder, "out")
        _, output, _ = self.run_tool("salvage", self.server.data, out, "--quiet")
        self.assertIn("0 lost or damaged", output)
        self.assertEqual(output, read(os.path.join(out, "report.txt")).decode())
        self.assertEqual(before, read(os.path.join(self.server.data, "data.mdb")))
        self.assertEqual(len(mailbox.Maildir(os.path.join(out, USER, "Maildir"), create=False)), 30)
        self.assertEqual(len(mailbox.Maildir(os.path.join(out, "bob@example.net", "Maildir"), create=False)), 10)
        uidlist = read(os.path.join(out, USER, "Maildir", "dovecot-uidlist")).decode()
        for uidl in uidls:
            self.assertIn("P" + uidl, uidlist)
        # As a new store: clean, and with the same UIDLs.
        new = os.path.join(self.server.folder, "new")
        self.run_tool("salvage", os.path.join(self.server.data, "data.mdb"), new, "--format", "store", "--quiet")
        code, output, _ = self.run_tool("check", "--quiet", config=self.other_config(new))
        self.assertIn("40 messages", output)
        self.run_tool("salvage", self.server.data, new, "--format", "store", "--quiet", expect=(FAILED,))
        shutil.rmtree(self.server.data)
        os.rename(new, self.server.data)
        self.server.start()
        self.assertEqual(self.uidls(), uidls)

    def uidls(self):
        session = poplib.POP3(*self.server.pop3, timeout=20)
        session.user(USER)
        session.pass_(PASSWORD)
        listed = session.uidl()[1]
        session.quit()
        return [line.split()[1].decode() for line in listed]

    def test_salvage_never_writes_beside_the_damaged_store(self):
        self.fill(2)
        self.server.stop()
        for out in (self.server.data, os.path.join(self.server.data, "out")):
            _, _, error = self.run_tool("salvage", self.server.data, out, "--quiet", expect=(FAILED,))
            self.assertIn("OUT", error)
        self.assertFalse(os.path.exists(os.path.join(self.server.data, "out")))
        self.run_tool("salvage", os.path.join(self.server.folder, "nowhere"), os.path.join(self.server.folder, "o"), "--quiet",
                      expect=(FAILED,))

    def test_damaged_copies_are_checked_and_salvaged(self):
        self.fill()
        self.server.stop()
        original = read(os.path.join(self.server.data, "data.mdb"))
        seed = int(os.environ.get("TWINPOST_SEED", random.randrange(1 << 30)))
        print(f"TWINPOST_SEED={seed}")
        for number in range(ROUNDS):
            dice = random.Random(seed + number)
            data = self.copy("damaged")
            octets = bytearray(original)
            for _ in range(dice.randint(1, 60)):
                octets[dice.randrange(len(octets))] ^= 1 << dice.randrange(8)
            if number % 3 == 2:
                del octets[dice.randrange(len(octets)):]
            with open(os.path.join(data, "data.mdb"), "wb") as file:
                file.write(octets)
            with self.subTest(seed=seed + number):
                config = self.other_config(data)
                code, output, error = self.run_tool("check", "--quiet", expect=(CLEAN, PROBLEMS, FAILED), config=config)
                if code == CLEAN:
                    self.assertIn("no problems", output)
                self.assertEqual(bytes(octets), read(os.path.join(data, "data.mdb")), "a check changes nothing")
                out = os.path.join(self.server.folder, f"out{number}")
                self.run_tool("salvage", data, out, "--quiet", expect=(CLEAN, PROBLEMS, FAILED))
                self.assertEqual(bytes(octets), read(os.path.join(data, "data.mdb")), "a salvage changes nothing")
                shutil.rmtree(out, ignore_errors=True)

    def test_a_damaged_body_is_told_and_the_rest_is_salvaged(self):
        self.server.settings["storage"] = {"compression": False}
        self.server.write_config()
        self.server.restart()
        self.server.deliver(USER, message("first", "sound\r\n"))
        marker = "MARKER-" + "z" * 60
        self.server.deliver(USER, message("second", (marker + "\r\n") * 100))
        self.server.deliver(USER, message("third", "sound too\r\n"))
        self.server.stop()
        path = os.path.join(self.server.data, "data.mdb")
        octets = bytearray(read(path))
        # Every copy of it, of whatever commit.
        at, damaged = octets.find(marker.encode()), 0
        while at >= 0:
            octets[at] ^= 1
            damaged += 1
            at = octets.find(marker.encode(), at + 1)
        self.assertGreaterEqual(damaged, 90)
        with open(path, "wb") as file:
            file.write(octets)
        _, output, _ = self.run_tool("check", "--quiet", expect=(PROBLEMS,))
        self.assertIn(f"{USER}/INBOX UID 2: its body", output)
        self.assertNotIn("UID 1:", output)
        self.assertIn("1 messages can't be read", output)
        self.run_tool("check", "--repair", "--quiet", expect=(PROBLEMS,))
        out = os.path.join(self.server.folder, "out")
        _, output, _ = self.run_tool("salvage", self.server.data, out, "--quiet", expect=(PROBLEMS,))
        self.assertIn("INBOX UID 2", output)
        self.assertEqual(len(mailbox.Maildir(os.path.join(out, USER, "Maildir"), create=False)), 2)
        with open(os.path.join(out, "damaged", USER, "INBOX-2.eml"), "rb") as file:
            self.assertIn(b"Subject: second", file.read())


if __name__ == "__main__":
    unittest.main(verbosity=2)
