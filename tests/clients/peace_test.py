"""Peace: mbsync both ways, fetchmail by POP3, an imaplib session and an idling one, all on one account while LMTP delivers.

    tests/clients/peace_test.py [--seconds 15] [--mode client | delete] [--seed N]

--mode is the account's POP3 mode: with `client` fetchmail removes what it has fetched, with `delete` the server does it.

At the end they stop, mbsync runs once more, and then its local copy, POP3's listing and IMAP must agree message by message; each
message that was delivered or written offline must be in the mailbox, in the folder it was moved to, or with fetchmail, and none
twice, but for those that a client meant to remove.
"""

import argparse
import collections
import imaplib
import os
import random
import re
import threading
import time

import wire
from fetching import read_folder
from imap_support import Imap, clean_environment, watchdog
from maildir import Maildir
from mbsync_test import comparable, with_lf
from twinpost_server import Server, message, need, run

USER = "ann@example.org"
PASSWORD = "peace"
FOLDER = "Done"
ID = re.compile(rb"^Message-ID: <(peace-[a-z]+-\d+)@", re.M)
FETCHED, NOTHING_NEW = 0, 1  # fetchmail(1), EXIT CODES
DELIVERIES_A_SECOND = 60


def identified(kind, number, chance):
    """A message whose Message-ID says which one it is."""
    text = "".join(f"{chance.getrandbits(200):x}\r\n.\r\n" for _ in range(chance.randrange(60)))
    octets = message(f"{kind} {number}", f"Grüße {number}\r\n{text}")
    return re.sub(rb"^Message-ID: <[^>]*>", b"Message-ID: <peace-%b-%d@example.net>" % (kind.encode(), number), octets, flags=re.M)


def id_of(octets):
    return ID.search(octets)[1].decode()


class Party(threading.Thread):
    """One of those that are at work. A failure of one ends the test."""

    def __init__(self, peace, seed):
        super().__init__(name=type(self).__name__, daemon=True)
        self.peace = peace
        self.chance = random.Random(f"{seed} {self.name}")
        self.failure = None
        self.rounds = 0

    def run(self):
        try:
            self.begin()
            while not self.peace.over.is_set():
                self.work()
                self.rounds += 1
            self.finish()
        except Exception as failure:
            self.failure = failure
            self.peace.over.set()

    def begin(self):
        pass

    def work(self):
        raise NotImplementedError

    def finish(self):
        pass


class Deliveries(Party):
    def begin(self):
        self.lmtp = wire.Lmtp(self.peace.server.lmtp)
        self.began = time.monotonic()

    def work(self):
        number = self.rounds
        octets = identified("lmtp", number, self.chance)
        (code, text), = self.lmtp.deliver("sam@example.net", [USER], octets)
        if code != 250:
            raise AssertionError(f"delivery refused: {code} {text}")
        self.peace.sent[id_of(octets)] = octets
        time.sleep(max(0.0, self.began + number / DELIVERIES_A_SECOND - time.monotonic()))

    def finish(self):
        self.lmtp.quit()


class Fetchmail(Party):
    """Takes the oldest messages away by POP3, some at a time, and looks at the listing in between."""

    def begin(self):
        self.home = os.path.join(self.peace.server.folder, "fetchmail")
        self.new = os.path.join(self.home, "new")
        os.makedirs(self.new, 0o700)
        self.rc = os.path.join(self.home, "rc")
        with open(self.rc, "w", encoding="utf-8") as file:
            file.write(f"""poll localhost protocol pop3 port {self.peace.server.pop3[1]} auth password uidl no dns
  user "{USER}" password "{PASSWORD}" {"keep" if self.peace.mode == "delete" else "no keep"} fetchlimit 10 no rewrite sslproto ''
  mda "/bin/sh -c 'cat > {self.new}/$$.{self.home.count('/')}.$(date +%s%N)'"
""")
        os.chmod(self.rc, 0o600)
        self.fetched = collections.Counter()
        self.uidls = {}

    def work(self):
        run(["fetchmail", "--fetchmailrc", self.rc, "--nodetach", "--nosyslog", "--timeout", "20", "--pidfile",
             os.path.join(self.home, "pid"), "--idfile", os.path.join(self.home, "ids")],
            expect=(FETCHED, NOTHING_NEW, 13), env=clean_environment(self.home, FETCHMAILHOME=self.home))  # 13: its fetchlimit was met
        for octets in read_folder(self.new):
            self.fetched[id_of(octets)] += 1
        self.peace.look_at_uidls(self.uidls)
        time.sleep(self.chance.uniform(0, 0.8))


class Mbsync(Party):
    """Syncs, and changes the local copy between two syncs: new messages, flags, removals."""

    def begin(self):
        self.home = os.path.join(self.peace.server.folder, "mbsync")
        self.tree = os.path.join(self.home, "mail")
        os.makedirs(self.tree, 0o700)
        os.mkdir(os.path.join(self.home, "state"))
        self.rc = os.path.join(self.home, "rc")
        with open(self.rc, "w", encoding="utf-8") as file:
            file.write(f"""IMAPAccount twinpost
Host localhost
Port {self.peace.server.imaps[1]}
User {USER}
Pass {PASSWORD}
AuthMechs LOGIN
SSLType IMAPS
SystemCertificates no
CertificateFile {self.peace.server.certificate}

IMAPStore remote
Account twinpost

MaildirStore local
Path {self.tree}/
Inbox {self.tree}/INBOX

Channel all
Far :remote:
Near :local:
Patterns INBOX {FOLDER}
Create Both
Expunge Both
SyncState {self.home}/state/
""")
        self.written = 0

    def sync(self):
        run(["mbsync", "--config", self.rc, "all"], timeout=90, env=clean_environment(self.home))

    def local(self, name):
        return Maildir(os.path.join(self.tree, name))

    def work(self):
        self.sync()
        messages = self.local("INBOX").messages()
        for path, flags, octets in self.chance.sample(messages, min(10, len(messages))):
            if self.chance.random() < 0.2:
                self.peace.meant_to_remove.add(id_of(octets))
                os.unlink(path)
            elif "\\Deleted" not in flags:
                self.local("INBOX").set_flags(path, flags ^ {self.chance.choice(["\\Seen", "\\Flagged", "\\Answered"])})
        for _ in range(3):
            octets = identified("offline", self.written, self.chance)
            self.peace.sent[id_of(octets)] = octets
            self.local("INBOX").add(f"offline.{self.written}.here", with_lf(octets), ("\\Seen",))
            self.written += 1


class Imaplib(Party):
    """Flags, moves and expunges."""

    def begin(self):
        self.box = imaplib.IMAP4_SSL("localhost", self.peace.server.imaps[1], ssl_context=wire.trusting_context(
            self.peace.server.certificate), timeout=30)
        self.ok(self.box.login(USER, PASSWORD))
        self.ok(self.box.select("INBOX"))

    def ok(self, answer):
        if answer[0] != "OK":
            raise AssertionError(f"imaplib: {answer}")
        return answer[1]

    def work(self):
        uids = self.ok(self.box.uid("SEARCH", "UNDELETED"))[0].split()
        if len(uids) < 20:
            time.sleep(0.1)
            return
        some = b",".join(self.chance.sample(uids, 5)).decode()
        act = self.chance.random()
        if act < 0.5:
            flags = self.chance.choice([r"\Flagged", r"\Seen", r"\Answered"])
            # NO EXPUNGEISSUED, where fetchmail or mbsync was faster, is an answer too.
            self.box.uid("STORE", some, self.chance.choice("+-") + "FLAGS", f"({flags})")
        elif act < 0.8:
            self.box.uid("MOVE", some, FOLDER)
        else:
            for item in self.ok(self.box.uid("FETCH", some, "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")):
                if isinstance(item, tuple) and ID.search(item[1]):
                    self.peace.meant_to_remove.add(id_of(item[1]))
            # What was not shown is not marked either: it is gone.
            self.box.uid("STORE", some, "+FLAGS.SILENT", r"(\Deleted)")
            self.ok(self.box.uid("EXPUNGE", some))
        time.sleep(self.chance.uniform(0, 0.1))

    def finish(self):
        self.box.logout()


class Idler(Party):
    """Keeps a view of the mailbox by what IDLE tells and nothing else."""

    def begin(self):
        self.imap = Imap(self.peace.server.imap, timeout=30).login(USER, PASSWORD)
        self.uids = [None] * self.imap.select("INBOX")
        self.fill()
        self.imap.untagged.clear()

    def apply(self, response):
        words = response.split(b" ")
        if words[1:2] == [b"EXISTS"]:
            count = int(words[0])
            if count < len(self.uids):
                raise AssertionError(f"{count} EXISTS, but {len(self.uids)} are there")
            self.uids += [None] * (count - len(self.uids))
        elif words[1:2] == [b"EXPUNGE"]:
            del self.uids[int(words[0]) - 1]
        elif words[1:2] == [b"FETCH"]:
            number = int(words[0])
            if number > len(self.uids):
                raise AssertionError(f"{response!r}, but {len(self.uids)} are there")
            if uid := re.search(rb"UID (\d+)", response):
                known = self.uids[number - 1]
                if known not in (None, int(uid[1])):
                    raise AssertionError(f"{number} is UID {known}, but: {response!r}")
                self.uids[number - 1] = int(uid[1])

    def fill(self):
        """Asks for the UIDs of those that are new."""
        if None in self.uids:
            first = self.uids.index(None) + 1
            for response in self.imap.untagged_of(f"FETCH {first}:{len(self.uids)} (UID)"):
                self.apply(response)

    def work(self):
        tag = self.imap.idle()
        for response in self.imap.untagged:
            self.apply(response)
        self.imap.untagged.clear()
        time.sleep(self.chance.uniform(0.05, 0.8))
        for response in self.imap.done(tag):
            self.apply(response)
        self.imap.untagged.clear()
        self.fill()
        self.imap.untagged.clear()


class Peace:
    def __init__(self, server, mode):
        self.server = server
        self.mode = mode
        self.over = threading.Event()
        self.sent = {}  # id -> octets
        self.meant_to_remove = set()

    def look_at_uidls(self, known):
        """The maildrop's {id: UIDL} of the oldest; one that was seen before must be the same."""
        pop3 = wire.Pop3(self.server.pop3, timeout=30)
        try:
            pop3.login(USER, PASSWORD)
            uidls = pop3.uidls()
            if len(set(uidls.values())) != len(uidls):
                raise AssertionError("two messages have one UIDL")
            for number in sorted(uidls)[:30]:
                pop3.command(f"TOP {number} 0")
                name = id_of(pop3.read_dotted())
                if known.setdefault(name, uidls[number]) != uidls[number]:
                    raise AssertionError(f"the UIDL of {name} was {known[name]} and is {uidls[number]}")
            pop3.quit()
        finally:
            pop3.close()


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def compare(peace, parties):
    """When all is quiet."""
    mbsync, fetchmail, idler = parties["Mbsync"], parties["Fetchmail"], parties["Idler"]
    session = Imap(peace.server.imap, timeout=30).login(USER, PASSWORD)
    # What mbsync marked but another session's EXPUNGE did not take must not stay half removed.
    session.select("INBOX")
    session.command("EXPUNGE")
    mbsync.sync()
    mbsync.sync()
    store = {name: session.messages(name) for name in ("INBOX", FOLDER)}
    session.logout()

    for name, messages in store.items():
        there = sorted((comparable(sorted(flags), octets) for flags, octets in messages.values()), key=repr)
        here = sorted((comparable(sorted(flags), octets) for _, flags, octets in mbsync.local(name).messages()), key=repr)
        check(there == here, f"{name}: IMAP has {len(there)} messages, mbsync's copy {len(here)}; different: "
                             f"{[item for item in there if item not in here][:2]} {[item for item in here if item not in there][:2]}")
    inbox = [octets for _, (_, octets) in sorted(store["INBOX"].items())]
    peace.look_at_uidls(fetchmail.uidls)
    idler.work()
    check(idler.uids == sorted(store["INBOX"]), f"the idling session's view differs: {len(idler.uids)}, {len(inbox)}")
    idler.imap.logout()
    check(peace.server.maildrop(USER, PASSWORD) == inbox, "POP3 and IMAP do not show the same messages")

    found = collections.Counter(id_of(octets) for messages in store.values() for _, octets in messages.values())
    doubled = {name for counter in (found, fetchmail.fetched) for name, count in counter.items() if count > 1}
    check(not doubled, f"there twice: {sorted(doubled)[:10]}")
    lost = set(peace.sent) - peace.meant_to_remove - set(found) - set(fetchmail.fetched)
    check(not lost, f"{len(lost)} lost: {sorted(lost)[:10]}")
    for messages in store.values():
        for _, octets in messages.values():
            # mbsync writes a line of its own into what it uploads.
            plain = comparable(None, octets)[0]
            check(plain.endswith(with_lf(peace.sent[id_of(octets)])), f"not as it was sent: {id_of(octets)}")
    kept = {name for name in peace.meant_to_remove if name in {id_of(octets) for octets in inbox}}
    check(not kept, f"meant to be removed and still in INBOX: {sorted(kept)[:10]}")
    return {"sent": len(peace.sent), "in INBOX": len(inbox), "in " + FOLDER: len(store[FOLDER]), "fetched": len(fetchmail.fetched),
            "meant to be removed": len(peace.meant_to_remove)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--mode", choices=("client", "delete"), default="client")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    need("mbsync", "fetchmail", "openssl")
    print(f"seed {options.seed}", flush=True)
    watchdog(options.seconds + 130)
    account = {"password": "{PLAIN}" + PASSWORD, "protocols": {"pop3": {"enabled": True, "mode": options.mode}}}
    with Server({USER: account}) as server:
        peace = Peace(server, options.mode)
        first = Imap(server.imap).login(USER, PASSWORD)
        first.command(f"CREATE {FOLDER}")
        first.logout()
        parties = {kind.__name__: kind(peace, options.seed) for kind in (Deliveries, Fetchmail, Mbsync, Imaplib, Idler)}
        for party in parties.values():
            party.start()
        peace.over.wait(options.seconds)
        peace.over.set()
        for party in parties.values():
            party.join(120)
            if party.is_alive():
                raise AssertionError(f"{party.name} does not come to its end")
        failures = [f"{party.name}: {party.failure}" for party in parties.values() if party.failure is not None]
        check(not failures, "\n".join(failures))
        figures = compare(peace, parties)
        bad = [line for line in server.log().splitlines()
               if re.search(r"level=(error|critical|warning)", line) and "event=running-as-root" not in line]
        check(not bad, "the server's log has:\n" + "\n".join(bad[:20]))
        print(", ".join(f"{name} {count}" for name, count in figures.items()))
        print("rounds: " + ", ".join(f"{party.name} {party.rounds}" for party in parties.values()))
        for name, party in parties.items():
            check(party.rounds >= 2, f"{name} did next to nothing")


if __name__ == "__main__":
    main()
