"""The IMAP side of the crash test: one session an account that never stops changing things, and what it was promised.

The account's mailboxes but INBOX have no other writer: what they should hold is known to the UID and the flag. Of the one command
that was running when the daemon was killed it is not known whether it was done; but it was done wholly or not at all.
"""

import re
import time

import imap_support
import wire

PASSWORD = "secret"
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Forwarded", "Important", "NonJunk"]
MOST_MESSAGES = 40  # of a mailbox, before it is thinned out
OWN = ["Work", "Filed", "Temp"]
IDENTITY = re.compile(rb"^X-Identity: (.*?)\r$", re.M | re.I)


class Box:
    def __init__(self, validity):
        self.validity = validity
        self.messages = {}  # uid: (identity, frozenset of flags)

    def copy(self):
        box = Box(self.validity)
        box.messages = dict(self.messages)
        return box


class State:
    """Mailboxes by name (INBOX is not among them), and flags that were set in INBOX. In a state that may be, messages whose UID nobody
    knows yet are in `new`: [(mailbox, identity, flags)]."""

    def __init__(self):
        self.boxes = {}
        self.inbox_flags = {}  # uid: flags
        self.new = []

    def copy(self):
        state = State()
        state.boxes = {name: box.copy() for name, box in self.boxes.items()}
        state.inbox_flags = dict(self.inbox_flags)
        return state


class Account:
    """One recipient's ledger; `run` in a thread of its own, everything else between rounds."""

    def __init__(self, recipient, make_message):
        self.recipient = recipient
        self.make_message = make_message
        self.state = State()
        self.running = None      # the state after the command that has no answer yet
        self.moving = None       # its identities, where it is a MOVE out of INBOX
        self.moved = set()       # identities that were moved out of INBOX
        self.inbox = {}          # uid: identity, as far as it was seen
        self.by_uid = {}         # (mailbox, UIDVALIDITY, UID): identity, for ever
        self.validities = {}     # name: the largest UIDVALIDITY
        self.commands = 0
        self.number = 0

    # The load.

    def run(self, address, seed, round_number, chance):
        try:
            Commands(self, address, f"{seed}-{round_number}", chance).run_until_the_end()
        except (OSError, wire.Closed):
            return  # killed

    def acknowledge(self, state):
        """What was running is done."""
        self.state = state
        self.running = self.moving = None
        self.commands += 1

    def remember(self, mailbox, validity, uid, identity):
        """A UID stands for one message for ever."""
        known = self.by_uid.setdefault((mailbox, validity, uid), identity)
        if known != identity:
            raise AssertionError(f"{self.recipient}: UID {uid} of {mailbox} ({validity}) is {identity} now and was {known}")

    # The verification.

    def verify(self, address, present, gone_by_pop3, expected_octets):
        """Compares with a session of its own. `present` is what POP3 sees of INBOX; `gone_by_pop3` what POP3 removed, or may have."""
        session = imap_support.Imap(address, timeout=60).login(self.recipient, PASSWORD)
        found = {name: self.read_box(session, name, expected_octets) for name in session.mailboxes()}
        session.logout()
        # Those that every account is given are left alone here.
        for name in set(found) - {"INBOX", *OWN}:
            if found.pop(name).messages:
                raise AssertionError(f"{self.recipient}: {name} has messages")
        inbox = found.pop("INBOX")
        identities = [identity for identity, _ in inbox.messages.values()]
        if sorted(identities) != sorted(present):
            raise AssertionError(f"{self.recipient}: IMAP and POP3 see different messages in INBOX")
        self.settle(found, inbox, gone_by_pop3)
        self.inbox = {uid: identity for uid, (identity, _) in inbox.messages.items()}
        self.state.inbox_flags = {uid: flags for uid, (_, flags) in inbox.messages.items()}

    def read_box(self, session, name, expected_octets):
        status = session.status(name, "UIDVALIDITY", "UIDNEXT", "MESSAGES")
        box = Box(int(status["UIDVALIDITY"]))
        newest = self.validities.setdefault(name, box.validity)
        if box.validity < newest:
            raise AssertionError(f"{self.recipient}: {name} went back to UIDVALIDITY {box.validity} from {newest}")
        self.validities[name] = box.validity
        count = session.select(name, read_only=True)
        if count != int(status["MESSAGES"]):
            raise AssertionError(f"{self.recipient}: {name}: STATUS says {status['MESSAGES']!r}, EXAMINE {count}")
        messages = session.fetch("1:*", "FLAGS BODY.PEEK[HEADER.FIELDS (X-Identity)]") if count > 0 else {}
        if len(messages) != count:
            raise AssertionError(f"{self.recipient}: {name}: {len(messages)} UIDs, {count} messages")
        unseen = []
        for uid, values in messages.items():
            header = next(value for item, value in values.items() if item.startswith("BODY["))
            identity = IDENTITY.search(header)[1].decode()
            if (name, box.validity, uid) not in self.by_uid:
                unseen.append(uid)
            self.remember(name, box.validity, uid, identity)
            box.messages[uid] = (identity, frozenset(flag.decode() for flag in values["FLAGS"]) - {"\\Recent"})
        largest = max((uid for mailbox, validity, uid in self.by_uid if (mailbox, validity) == (name, box.validity)), default=0)
        if int(status["UIDNEXT"]) <= largest:
            raise AssertionError(f"{self.recipient}: {name}: UIDNEXT {int(status['UIDNEXT'])}, but UID {largest} was given")
        # The octets of INBOX are read by POP3.
        for uid, values in (session.fetch(",".join(map(str, unseen)), "BODY.PEEK[]") if unseen and name != "INBOX" else {}).items():
            if expected_octets(values["BODY[]"]) != box.messages[uid][0]:
                raise AssertionError(f"{self.recipient}: {name}: UID {uid} is not whole")
        return box

    def settle(self, found, inbox, gone_by_pop3):
        """The mailboxes are as they were acknowledged, or as the command that had no answer would leave them."""
        there = {identity for identity, _ in inbox.messages.values()}
        complaint = self.difference(self.state, found, inbox)
        if complaint is not None and self.running is not None:
            candidate = self.running
            if self.moving is not None:
                # What POP3 took first did not move.
                arrived = {identity for box in found.values() for identity, _ in box.messages.values()}
                if any(identity not in arrived and identity not in gone_by_pop3 for identity in self.moving):
                    raise AssertionError(f"{self.recipient}: half of a MOVE was done")
                candidate.new = [new for new in candidate.new if new[1] in arrived]
            second = self.difference(candidate, found, inbox)
            if second is not None:
                raise AssertionError(f"{self.recipient}: neither as acknowledged ({complaint}) nor with the command that was running "
                                     f"({second})")
            if self.moving is not None:
                self.moved |= {identity for _, identity, _ in candidate.new}
        elif complaint is not None:
            raise AssertionError(f"{self.recipient}: not as acknowledged: {complaint}")
        back = self.moved & there
        if back:
            raise AssertionError(f"{self.recipient}: {len(back)} messages are in INBOX that were moved out of it, one is {min(back)}")
        self.state.boxes = found
        self.running = self.moving = None

    @staticmethod
    def difference(state, found, inbox):
        """None where `found` is the state; else what differs."""
        if set(found) != set(state.boxes):
            return f"mailboxes {sorted(found)}, expected were {sorted(state.boxes)}"
        for name, box in state.boxes.items():
            if box.validity not in (None, found[name].validity):
                return f"{name}: UIDVALIDITY {found[name].validity}, expected was {box.validity}"
            rest = dict(found[name].messages)
            for uid, message in box.messages.items():
                if rest.pop(uid, None) != message:
                    return f"{name}: UID {uid} is {found[name].messages.get(uid)}, expected was {message}"
            new = sorted((identity, sorted(flags)) for mailbox, identity, flags in state.new if mailbox == name)
            if sorted((identity, sorted(flags)) for identity, flags in rest.values()) != new:
                return f"{name}: also UIDs {sorted(rest)}: {len(rest)} messages, expected were {len(new)}"
        for uid, flags in state.inbox_flags.items():
            if uid in inbox.messages and inbox.messages[uid][1] != flags:
                return f"INBOX: UID {uid} has {sorted(inbox.messages[uid][1])}, expected were {sorted(flags)}"
        return None


class Commands:
    """One session's commands, each announced in account.running before it is sent."""

    def __init__(self, account, address, prefix, chance):
        self.account = account
        self.prefix = prefix
        self.chance = chance
        self.session = imap_support.Imap(address, timeout=30).login(account.recipient, PASSWORD)
        self.selected = None

    def run_until_the_end(self):
        for name in ("Work", "Filed"):
            if name not in self.account.state.boxes:
                self.create(name)
        chooser = [self.append] * 5 + [self.store] * 5 + [self.copy] * 2 + [self.move] * 2 + [self.move_from_inbox] * 3 + \
            [self.expunge] * 2 + [self.make_or_delete]
        while True:
            self.chance.choice(chooser)()
            time.sleep(self.chance.choice([0, 0.001, 0.003]))

    def select(self, name):
        if self.selected != name:
            self.session.select(name)
            self.selected = name

    def begin(self, state):
        self.account.running = state
        return state

    def some(self, name, most=4):
        uids = sorted(self.account.state.boxes[name].messages)
        return self.chance.sample(uids, min(len(uids), self.chance.randint(1, most)))

    def some_flags(self):
        return frozenset(self.chance.sample(FLAGS, self.chance.randint(0, 3)))

    def append(self):
        account = self.account
        name = self.chance.choice(sorted(account.state.boxes))
        account.number += 1
        identity = f"{self.prefix}-imap-{account.recipient.split('@')[0]}-{account.number}"
        flags = self.some_flags()
        state = self.begin(account.state.copy())
        state.new = [(name, identity, flags)]
        text, _ = self.session.command([b"APPEND ", imap_support.quoted(name), f" ({' '.join(sorted(flags))}) ",
                                        (account.make_message(identity),)])
        validity, uid = map(int, re.search(rb"\[APPENDUID (\d+) (\d+)\]", text).groups())
        self.added(state, name, validity, {uid: (identity, flags)})
        account.acknowledge(state)

    def added(self, state, name, validity, messages):
        box = state.boxes[name]
        if box.validity != validity:
            raise AssertionError(f"{name}: UIDVALIDITY {validity} in a response code, it is {box.validity}")
        for uid, (identity, flags) in messages.items():
            if uid in box.messages or uid <= max(box.messages, default=0):
                raise AssertionError(f"{name}: the new UID {uid} is not above the others")
            self.account.remember(name, validity, uid, identity)
            box.messages[uid] = (identity, flags)
        state.new = []

    def store(self, name=None, uids=None, change=None):
        account = self.account
        if name is None and self.chance.random() < 0.25:
            return self.store_in_inbox()
        name = name or self.chance.choice(sorted(account.state.boxes))
        uids = uids or self.some(name)
        if not uids:
            return None
        self.select(name)
        sign, flags = change or (self.chance.choice(["+", "-", ""]), self.some_flags())
        state = self.begin(account.state.copy())
        messages = state.boxes[name].messages
        for uid in uids:
            messages[uid] = (messages[uid][0], changed(messages[uid][1], sign, flags))
        self.send_store(uids, sign, flags)
        return account.acknowledge(state)

    def store_in_inbox(self):
        account = self.account
        uids = self.inbox_uids()
        sign, flags = self.chance.choice(["+", "-", ""]), self.some_flags()
        state = self.begin(account.state.copy())
        for uid in uids:
            state.inbox_flags[uid] = changed(state.inbox_flags.get(uid, frozenset()), sign, flags)
        if uids:
            self.send_store(uids, sign, flags)
        account.acknowledge(state)

    def send_store(self, uids, sign, flags):
        silent = self.chance.choice(["", ".SILENT"])
        self.session.command(f"UID STORE {','.join(map(str, uids))} {sign}FLAGS{silent} ({' '.join(sorted(flags))})")

    def copied(self, text):
        """{source: target} and the target's UIDVALIDITY of a COPYUID code (RFC 4315); None where there is none."""
        code = re.search(rb"\[COPYUID (\d+) ([\d,:]+) ([\d,:]+)\]", text)
        if code is None:
            return {}, None
        return dict(zip(numbers(code[2]), numbers(code[3]), strict=True)), int(code[1])

    def copy(self, moving=False, source=None):
        account = self.account
        source = source or self.chance.choice(["Work", "Filed"])
        target = "Filed" if source == "Work" else "Work"
        uids = self.some(source)
        if not uids:
            return
        self.select(source)
        state = self.begin(account.state.copy())
        messages = account.state.boxes[source].messages
        state.new = [(target, *messages[uid]) for uid in uids]
        if moving:
            for uid in uids:
                del state.boxes[source].messages[uid]
        text, untagged = self.session.command(f"UID {'MOVE' if moving else 'COPY'} {','.join(map(str, uids))} {target}")
        # RFC 6851 section 4.3: MOVE's COPYUID is in an untagged OK.
        pairs, validity = self.copied(b"\r\n".join([text, *untagged]))
        if set(pairs) != set(uids):
            raise AssertionError(f"{sorted(uids)} were to go from {source} to {target}, and {sorted(pairs)} did")
        self.added(state, target, validity, {new: messages[old] for old, new in sorted(pairs.items(), key=lambda pair: pair[1])})
        account.acknowledge(state)

    def move(self):
        self.copy(moving=True)

    def inbox_uids(self):
        """Some that are there now, their identities and flags known."""
        account = self.account
        self.selected = None
        count = self.session.select("INBOX")
        self.selected = "INBOX"
        if count == 0:
            return []
        first = self.chance.randint(1, count)
        found = self.session.fetch(f"{first}:{min(first + 2, count)}", "FLAGS BODY.PEEK[HEADER.FIELDS (X-Identity)]", uid=False)
        for uid, values in found.items():
            header = next(value for item, value in values.items() if item.startswith("BODY["))
            account.inbox[uid] = IDENTITY.search(header)[1].decode()
            flags = frozenset(flag.decode() for flag in values["FLAGS"]) - {"\\Recent"}
            if account.state.inbox_flags.setdefault(uid, flags) != flags:
                raise AssertionError(f"{account.recipient}: INBOX: UID {uid} has {sorted(flags)}")
        return sorted(found)

    def move_from_inbox(self):
        account = self.account
        uids = self.inbox_uids()
        if not uids:
            return
        state = self.begin(account.state.copy())
        state.new = [("Filed", account.inbox[uid], state.inbox_flags[uid]) for uid in uids]
        account.moving = [account.inbox[uid] for uid in uids]
        text, untagged = self.session.command(f"UID MOVE {','.join(map(str, uids))} Filed")
        # POP3 may have removed some meanwhile.
        pairs, validity = self.copied(b"\r\n".join([text, *untagged]))
        arrived = {new: (account.inbox[old], state.inbox_flags[old]) for old, new in sorted(pairs.items(), key=lambda pair: pair[1])}
        if arrived:
            self.added(state, "Filed", validity, arrived)
        state.new = []
        account.moved |= {account.inbox[uid] for uid in pairs}
        account.acknowledge(state)

    def expunge(self):
        account = self.account
        name = self.chance.choice(["Work", "Filed"])
        crowded = len(account.state.boxes[name].messages) > MOST_MESSAGES
        uids = self.some(name, most=20 if crowded else 3)
        if not uids:
            return
        self.store(name, uids, ("+", frozenset(["\\Deleted"])))
        state = self.begin(account.state.copy())
        for uid in uids:
            del state.boxes[name].messages[uid]
        self.session.command(f"UID EXPUNGE {','.join(map(str, uids))}")
        account.acknowledge(state)

    def create(self, name):
        state = self.begin(self.account.state.copy())
        state.boxes[name] = Box(None)
        self.session.command(f"CREATE {name}")
        validity = int(self.session.status(name, "UIDVALIDITY")["UIDVALIDITY"])
        if validity <= self.account.validities.get(name, 0):
            raise AssertionError(f"{self.account.recipient}: the new {name} has UIDVALIDITY {validity}")
        state.boxes[name].validity = self.account.validities[name] = validity
        self.account.acknowledge(state)

    def make_or_delete(self):
        if "Temp" not in self.account.state.boxes:
            return self.create("Temp")
        state = self.begin(self.account.state.copy())
        del state.boxes["Temp"]
        self.select("Work")
        self.session.command("DELETE Temp")
        return self.account.acknowledge(state)


def changed(flags, sign, change):
    return flags | change if sign == "+" else flags - change if sign == "-" else change


def numbers(octets):
    found = []
    for piece in octets.split(b","):
        first, _, last = piece.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found
