#!/usr/bin/env python3
"""kill -9 of the daemon at random moments while mail comes in and goes out.

    tests/crash/crash_test.py [--rounds N] [--seed N] [--patience FACTOR]

Each round: eight LMTP connections deliver without a pause, POP3 sessions remove messages, an IMAP session of each account appends,
changes flags, copies, moves and expunges (imap_load.py), and after a random time the daemon is killed. It must start again, and then
  - every message that LMTP acknowledged for a recipient is in that recipient's maildrop, once, unless POP3 or IMAP took it out;
  - a message that was not acknowledged is there once or not at all;
  - every message is whole: octet for octet what was sent;
  - what a POP3 QUIT answered with +OK is gone for ever; what a QUIT that had no answer removed is gone all together or not
    at all;
  - no UIDL has changed, and none has come to stand for another message;
  - the mailboxes that only IMAP changes are exactly as acknowledged, to the UID and the flag; the command that had no answer was
    done wholly or not at all; no UID and no UIDVALIDITY comes again for anything else;
  - `twinpost check` finds nothing.
"""

import argparse
import functools
import hashlib
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))

import imap_load  # noqa: E402
import wire  # noqa: E402
from store_check import can_check, check_store  # noqa: E402
from twinpost_server import Server  # noqa: E402

PASSWORD = "secret"
RECIPIENTS = [f"user{i}@example.org" for i in range(4)]
CONNECTIONS = 8


@functools.lru_cache(maxsize=4000)
def make_message(identity):
    """The one message that has this identity; its size varies as in real mail, up to more than the spool's memory."""
    chance = random.Random(identity)
    size = chance.choice([200, 2_000, 8_000, 8_000, 20_000, 70_000, 300_000])
    if chance.random() < 0.01:
        size = 1_500_000
    text = chance.randbytes(size // 2).hex()
    lines = "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    return f"Subject: {identity}\r\nX-Identity: {identity}\r\n\r\n{lines}\r\n.dot\r\nend of {identity}\r\n".encode()


class Ledger:
    """What was promised. Shared by the delivering threads; kept over all rounds."""

    def __init__(self):
        self.lock = threading.Lock()
        self.offered = {r: set() for r in RECIPIENTS}       # identities
        self.acknowledged = {r: set() for r in RECIPIENTS}
        self.known = {r: {} for r in RECIPIENTS}            # uidl -> identity, as seen in earlier rounds
        self.removed = {r: set() for r in RECIPIENTS}       # identities whose removal was acknowledged
        self.unsure = []                                    # (recipient, identities) of QUITs without an answer
        self.imap = {r: imap_load.Account(r, make_message) for r in RECIPIENTS}


def deliver_until_the_end(address, ledger, worker, round_number, seed):
    chance = random.Random(f"{seed}-{round_number}-{worker}")
    number = 0
    try:
        lmtp = wire.Lmtp(address, timeout=30)
        while True:
            number += 1
            identity = f"{seed}-{round_number}-{worker}-{number}"
            recipients = chance.sample(RECIPIENTS, chance.choice([1, 1, 1, 2, 4]))
            octets = make_message(identity)
            with ledger.lock:
                for recipient in recipients:
                    ledger.offered[recipient].add(identity)
            replies = Acknowledging(lmtp, ledger, recipients, identity)
            replies.deliver(octets, chance.random() < 0.5)
    except (OSError, wire.Closed):
        return  # killed


class Acknowledging:
    """One transaction; each recipient's 250 is noted the moment it is read, so that a kill between two replies counts right."""

    def __init__(self, lmtp, ledger, recipients, identity):
        self.lmtp = lmtp
        self.ledger = ledger
        self.recipients = recipients
        self.identity = identity

    def deliver(self, octets, by_bdat):
        for code, text in self.lmtp.envelope("sam@example.net", self.recipients):
            if code != 250:
                raise AssertionError(f"RCPT: {code} {text}")
        if by_bdat:
            self.lmtp.send(f"BDAT {len(octets)} LAST\r\n".encode() + octets)
        else:
            code, text = self.lmtp.command("DATA")
            if code != 354:
                raise AssertionError(f"DATA: {code} {text}")
            self.lmtp.send(wire.dot_stuffed(octets))
        for recipient in self.recipients:
            code, text = self.lmtp.reply()
            if code != 250:
                raise AssertionError(f"delivery to {recipient}: {code} {text}")
            with self.ledger.lock:
                self.ledger.acknowledged[recipient].add(self.identity)


def remove_until_the_end(address, ledger, chance):
    """POP3 sessions that remove a few messages each."""
    try:
        while True:
            recipient = chance.choice(RECIPIENTS)
            pop3 = wire.Pop3(address, timeout=30)
            pop3.login(recipient, PASSWORD)
            uidls = pop3.uidls()
            known = {n: ledger.known[recipient][u] for n, u in uidls.items() if u in ledger.known[recipient]}
            chosen = chance.sample(sorted(known), min(len(known), 5))
            for number in chosen:
                pop3.command(f"DELE {number}")
            identities = {known[n] for n in chosen}
            if identities:
                ledger.unsure.append((recipient, identities))
            pop3.quit()
            if identities:
                ledger.unsure.pop()
                ledger.removed[recipient] |= identities
            time.sleep(0.01)
    except (OSError, wire.Closed):
        return  # killed


def run_round(server, ledger, round_number, seed, chance, patience):
    failures = []

    def guarded(work, *arguments):
        try:
            work(*arguments)
        except Exception as failure:  # a thread's failure is the round's
            failures.append(failure)

    addresses = [server.lmtp, server.lmtp_socket]
    threads = [threading.Thread(target=guarded, args=(deliver_until_the_end, addresses[i % 2], ledger, i, round_number, seed))
               for i in range(CONNECTIONS)]
    threads.append(threading.Thread(target=guarded, args=(remove_until_the_end, server.pop3, ledger,
                                                          random.Random(f"{seed}-{round_number}-remove"))))
    threads += [threading.Thread(target=guarded, args=(account.run, server.imap, seed, round_number,
                                                       random.Random(f"{seed}-{round_number}-{recipient}")))
                for recipient, account in ledger.imap.items()]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(0.02, 0.8) * patience)
    if not server.alive():
        raise AssertionError(f"the daemon ended by itself\n{server.log_tail()}")
    server.kill()
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            raise AssertionError("a client did not notice that the server is gone")
    if failures:
        raise failures[0]
    server.start()


def verify(server, ledger):
    """Compares the maildrops with the ledger. Returns how many messages they hold."""
    total = 0
    for recipient in RECIPIENTS:
        known = ledger.known[recipient]
        pop3 = wire.Pop3(server.pop3, timeout=60)
        pop3.login(recipient, PASSWORD)
        uidls = pop3.uidls()
        if len(set(uidls.values())) != len(uidls):
            raise AssertionError(f"{recipient}: a UIDL twice")
        present = {known[u] for u in uidls.values() if u in known}
        for number, octets in pop3.retrieve_all(n for n, u in uidls.items() if u not in known):
            identity = check_whole(recipient, octets)
            if identity in present:
                raise AssertionError(f"{recipient}: {identity} is there twice")
            if identity not in ledger.offered[recipient]:
                raise AssertionError(f"{recipient}: {identity} was never sent to it")
            present.add(identity)
            known[uidls[number]] = identity
        # Some of those seen before, again: they must not have changed.
        for number, octets in pop3.retrieve_all([n for n in uidls if uidls[n] in known][:20]):
            if check_whole(recipient, octets) != known[uidls[number]]:
                raise AssertionError(f"{recipient}: the UIDL {uidls[number]} stands for another message now")
        pop3.quit()

        imap = ledger.imap[recipient]
        unsure = [identities for who, identities in ledger.unsure if who == recipient]
        imap.verify(server.imap, present, ledger.removed[recipient].union(*unsure), identity_of)
        settle_removals(ledger, recipient, present)
        lost = ledger.acknowledged[recipient] - ledger.removed[recipient] - imap.moved - present
        if lost:
            raise AssertionError(f"{recipient}: {len(lost)} acknowledged messages are lost, one is {min(lost)}")
        back = ledger.removed[recipient] & present
        if back:
            raise AssertionError(f"{recipient}: {len(back)} removed messages are back, one is {min(back)}")
        total += len(present)
    ledger.unsure.clear()
    return total


def settle_removals(ledger, recipient, present):
    for who, identities in ledger.unsure:
        if who != recipient:
            continue
        # A message that IMAP moved away was no longer there to be removed.
        identities -= ledger.imap[recipient].moved
        still = identities & present
        if still and still != identities:
            raise AssertionError(f"{recipient}: half of a QUIT was done: {len(still)} of {len(identities)} are left")
        if not still:
            ledger.removed[recipient] |= identities


def identity_of(octets):
    """The identity of a whole message, whatever is before it; None where it is not whole."""
    marker = b"\r\nX-Identity: "
    start = octets.find(marker)
    if start < 0:
        return None
    identity = octets[start + len(marker) : octets.index(b"\r\n", start + 2)].decode()
    return identity if octets.endswith(make_message(identity)) else None


def check_whole(recipient, octets):
    identity = identity_of(octets)
    if identity is None:
        raise AssertionError(f"{recipient}: a message is not whole: {len(octets)} octets, SHA-256 {hashlib.sha256(octets).hexdigest()}, "
                             f"it begins with {octets[:200]!r}")
    above = octets[: len(octets) - len(make_message(identity))].decode()
    if above != f"Return-Path: <sam@example.net>\r\nDelivered-To: {recipient}\r\n":
        raise AssertionError(f"{recipient}: {identity} has a wrong prefix: {above!r}")
    return identity


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--patience", type=float, default=1.0, help="factor on the time before the kill")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.rounds} rounds{'' if can_check() else ', without twinpost check'}", flush=True)
    chance = random.Random(options.seed)
    ledger = Ledger()
    began = time.monotonic()
    # Either way of keeping bodies must hold.
    server = Server({r: PASSWORD for r in RECIPIENTS}, {"storage": {"compression": options.seed % 2 == 0}})
    try:
        for round_number in range(1, options.rounds + 1):
            run_round(server, ledger, round_number, options.seed, chance, options.patience)
            total = verify(server, ledger)
            check_store(server)
            if round_number % 10 == 0 or round_number == options.rounds:
                acknowledged = sum(map(len, ledger.acknowledged.values()))
                removed = sum(map(len, ledger.removed.values()))
                commands = sum(account.commands for account in ledger.imap.values())
                print(f"round {round_number}: {acknowledged} acknowledged, {removed} removed, {commands} IMAP commands, {total} in "
                      f"INBOX, all whole, {time.monotonic() - began:.0f} s", flush=True)
        if not any(ledger.acknowledged.values()):
            raise AssertionError("no message was acknowledged in any round: nothing was tested")
        if any(account.commands == 0 or not account.moved for account in ledger.imap.values()):
            raise AssertionError("an IMAP session got nothing done in any round")
        server.stop()
    except Exception:
        print(f"failed with seed {options.seed}\n{server.log_tail()}", file=sys.stderr, flush=True)
        raise
    finally:
        server.remove()


if __name__ == "__main__":
    main()
