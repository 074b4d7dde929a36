#!/usr/bin/env python3
"""A disk that is full: no loss, clear replies, and mail again as soon as there is room, without a restart.

    tests/clients/disk_full_test.py [--seed N]

The daemon's data is on a small file system of its own, in a private mount namespace: a tmpfs, and an ext4 image where loop devices can be
had. On each, once with a reserve and once without one, mail comes by LMTP and by IMAP APPEND until it is refused. Then
  - LMTP says 452 4.3.1, APPEND says NO [UNAVAILABLE], and both go on answering;
  - with the reserve, POP3 DELE and QUIT, IMAP flags and EXPUNGE work, and room that they make takes mail again;
  - without one the disk itself says no: what can't be written is refused clearly, and once somebody else has made room
    everything works again;
  - every acknowledged message is there, octet for octet, then and after a restart, and `twinpost check` finds nothing.
"""

import argparse
import errno
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import wire
from imap_support import Imap, No
from store_check import check_store
from twinpost_server import Server, need, run, skip

ANN, BOB, PASSWORD = "ann@example.org", "bob@example.org", "secret"
DISK_MIB = 64
INSIDE = "TWINPOST_DISK_FULL_INSIDE"  # set in the private namespace


def enter_namespace():
    """Runs this script again where mounts are its own; ends the process."""
    need("unshare")
    options = ["-m"] if os.geteuid() == 0 else ["-rm"]
    probe = subprocess.run(["unshare", *options, "mount", "--make-rprivate", "/"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        skip(f"no private mount namespace: {probe.stderr.strip()}")
    os.execvpe("unshare", ["unshare", *options, sys.executable, "-B", *sys.argv], {**os.environ, INSIDE: "1"})


def mount_tmpfs(folder):
    run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=755", "none", folder])


def mount_ext4(folder):
    image = folder + ".image"
    with open(image, "wb") as file:
        file.truncate(DISK_MIB * 1024 * 1024)
    # Without the blocks that only root gets: df and the daemon then mean the same by "full".
    run(["mkfs.ext4", "-q", "-F", "-m", "0", image])
    run(["mount", "-o", "loop", image, folder])


class Refused(Exception):
    """The right reply to mail that finds no room."""


class Disk:
    """One daemon on one small disk, and what it acknowledged."""

    def __init__(self, folder, reserve, chance):
        self.folder = folder
        self.chance = chance
        self.number = 0
        self.delivered = {}   # identity: octets, of ann
        self.appended = {}    # uid: octets, of bob
        self.filler = os.path.join(folder, "filler")
        with open(self.filler, "wb") as file:
            file.write(b"\0" * 8 * 1024 * 1024)
        accounts = {ANN: PASSWORD, BOB: PASSWORD}
        self.server = Server(accounts, {"data": os.path.join(folder, "data"),
                                        "limits": {"disk_reserve": reserve, "retention_days": 0, "message_size": "20 MiB"}})
        self.lmtp = wire.Lmtp(self.server.lmtp)
        self.imap = Imap(self.server.imap).login(BOB, PASSWORD)

    def make_message(self):
        self.number += 1
        # Some are spooled to the disk before they are stored.
        size = self.chance.choice([500, 4000, 30_000, 60_000, 100_000, 1_500_000 if self.number % 8 == 0 else 60_000])
        text = self.chance.randbytes(size // 2).hex()
        lines = "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76))
        return f"Subject: number {self.number}\r\nX-Identity: {self.number}\r\n\r\n{lines}\r\n".encode()

    def deliver(self):
        octets = self.make_message()
        identity = self.number
        (code, text), = self.lmtp.deliver("sam@example.net", [ANN], octets)
        if code == 250:
            self.delivered[identity] = octets
        elif code == 452 and text.startswith("4.3.1 "):
            raise Refused
        else:
            raise AssertionError(f"LMTP on a full disk: {code} {text}")

    def append(self):
        octets = self.make_message()
        try:
            uid = self.imap.append("INBOX", octets)
        except No as refusal:
            if not str(refusal).startswith("NO [UNAVAILABLE] The server's disk is full"):
                raise AssertionError(f"APPEND on a full disk: {refusal}") from None
            raise Refused from None
        self.appended[uid] = octets

    def fill(self):
        """Until both entrances refuse several times in a row. Returns how often each did."""
        refusals = {"LMTP": 0, "APPEND": 0}
        in_a_row = 0
        while in_a_row < 12:
            if self.number > 20_000:
                raise AssertionError(f"{DISK_MIB} MiB took {self.number} messages and are not full")
            for name, bring in (("LMTP", self.deliver), ("APPEND", self.append)):
                try:
                    bring()
                    in_a_row = 0
                except Refused:
                    refusals[name] += 1
                    in_a_row += 1
        return refusals

    def pop3(self):
        session = wire.Pop3(self.server.pop3, timeout=60)
        session.login(ANN, PASSWORD)
        return session

    def take_the_rest(self):
        """Another program writes until the disk has nothing left."""
        with open(self.filler + ".more", "wb", buffering=0) as file:
            for piece in (65536, 512):
                try:
                    while file.write(b"\0" * piece) == piece:
                        pass
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise

    def verify(self):
        """Everything acknowledged is there, whole, and nothing that is not."""
        pop3 = self.pop3()
        found = {}
        for number, octets in pop3.retrieve_all(sorted(pop3.sizes())):
            identity = int(re.search(rb"^X-Identity: (\d+)\r$", octets, re.M)[1])
            expected = self.delivered.get(identity)
            if expected is None or not octets.endswith(expected) or identity in found:
                raise AssertionError(f"message {number} (identity {identity}) of ann is not one that was acknowledged, or not whole")
            found[identity] = number
        pop3.quit()
        if set(found) != set(self.delivered):
            raise AssertionError(f"{len(set(self.delivered) - set(found))} of {len(self.delivered)} delivered messages are lost")
        session = Imap(self.server.imap, timeout=60).login(BOB, PASSWORD)
        there = {uid: octets for uid, (_, octets) in session.messages("INBOX").items()}
        session.logout()
        if there != self.appended:
            lost = [uid for uid in self.appended if there.get(uid) != self.appended[uid]]
            raise AssertionError(f"of {len(self.appended)} appended messages {len(lost)} are lost or changed, {len(there)} are there")
        return found

    def remove_by_pop3(self, count):
        found = self.verify()
        pop3 = self.pop3()
        chosen = self.chance.sample(sorted(found), min(count, len(found)))
        for identity in chosen:
            pop3.command(f"DELE {found[identity]}")
        pop3.quit()
        for identity in chosen:
            del self.delivered[identity]

    def remove_by_imap(self, count):
        chosen = self.chance.sample(sorted(self.appended), min(count, len(self.appended)))
        self.imap.select("INBOX")
        uids = ",".join(map(str, chosen))
        self.imap.command(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted \\Seen $Junk)")
        self.imap.command("EXPUNGE")
        for uid in chosen:
            del self.appended[uid]

    def takes_mail_again(self, seconds=60):
        """Freed pages come back in the background."""
        deadline = time.monotonic() + seconds
        for bring in (self.deliver, self.append):
            while True:
                try:
                    bring()
                    break
                except Refused:
                    if time.monotonic() > deadline:
                        raise AssertionError(f"{seconds} s after room was made {bring.__name__} is still refused\n"
                                             f"{self.server.log_tail()}") from None
                    time.sleep(0.2)

    def end(self):
        """All is well now and after a restart."""
        self.verify()
        check_store(self.server)
        self.lmtp.quit()
        self.imap.logout()
        self.server.restart()
        self.verify()
        self.server.stop()
        check_store(self.server)
        self.server.remove()


def with_reserve(disk, folder):
    refusals = disk.fill()
    free = os.statvfs(folder)
    free_mib = free.f_bavail * free.f_frsize / 1024 / 1024
    if free_mib < 1:
        raise AssertionError(f"{free_mib:.1f} MiB of a reserve of 12 MiB are left when mail is refused")
    disk.verify()
    disk.remove_by_pop3(5)
    disk.remove_by_imap(5)
    try:
        disk.imap.command("CREATE Filed")
        disk.imap.command("SUBSCRIBE Filed")
    except No as refusal:
        raise AssertionError(f"a mailbox can't be made from the reserve: {refusal}") from None
    disk.verify()
    disk.remove_by_pop3(len(disk.delivered) // 2)
    disk.remove_by_imap(len(disk.appended) // 2)
    disk.takes_mail_again()
    disk.fill()
    disk.end()
    print(f"  with a reserve: refused {refusals} with {free_mib:.0f} MiB left, {disk.number} messages offered", flush=True)


def without_reserve(disk, _):
    refusals = disk.fill()
    disk.take_the_rest()
    disk.verify()
    # What changes or removes needs pages too: it works while free ones are left, and is refused clearly where not.
    outcomes = {"OK": 0, "NO": 0}
    for round_number in range(40):
        uid = disk.chance.choice(sorted(disk.appended))
        disk.imap.select("INBOX")
        try:
            disk.imap.command(f"UID STORE {uid} +FLAGS (\\Flagged keyword{round_number % 30})")
            if round_number % 4 == 0:
                disk.imap.command(f"UID STORE {uid} +FLAGS (\\Deleted)")
                disk.imap.command(f"UID EXPUNGE {uid}")
                del disk.appended[uid]
            outcomes["OK"] += 1
        except No as refusal:
            if not str(refusal).startswith("NO [UNAVAILABLE] The server's disk is full"):
                raise AssertionError(f"a change on a full disk: {refusal}") from None
            outcomes["NO"] += 1
        for bring in (disk.deliver, disk.append):
            try:
                bring()
            except Refused:
                pass
    disk.verify()
    os.unlink(disk.filler)
    disk.takes_mail_again()
    disk.remove_by_pop3(3)
    disk.remove_by_imap(3)
    disk.fill()
    disk.end()
    print(f"  without: refused {refusals}; of 40 changes on the full disk {outcomes['OK']} done and {outcomes['NO']} refused; "
          f"{disk.number} messages offered", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    if INSIDE not in os.environ:
        enter_namespace()
    print(f"seed {options.seed}", flush=True)
    ran = 0
    with tempfile.TemporaryDirectory(prefix="twinpost-disk-") as top:
        for name, mount in (("tmpfs", mount_tmpfs), ("ext4", mount_ext4)):
            for scenario, reserve in ((with_reserve, "12 MiB"), (without_reserve, 0)):
                folder = os.path.join(top, f"{name}-{scenario.__name__}")
                os.mkdir(folder)
                try:
                    mount(folder)
                except (AssertionError, OSError) as trouble:
                    print(f"{name}: not here: {str(trouble).splitlines()[-1]}", flush=True)
                    break
                print(name, flush=True)
                try:
                    disk = Disk(folder, reserve, random.Random(options.seed))
                    try:
                        scenario(disk, folder)
                    except Exception:
                        print(disk.server.log_tail(), file=sys.stderr, flush=True)
                        raise
                    ran += 1
                finally:
                    subprocess.run(["umount", "-l", folder], check=True)
    if ran == 0:
        skip("no small file system can be mounted here")


if __name__ == "__main__":
    main()
