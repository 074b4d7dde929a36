"""A Maildir as mail clients use it, looked at and changed from outside."""

import os
import shutil
import time

FLAGS = {"D": "\\Draft", "F": "\\Flagged", "P": "$Forwarded", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}
LETTERS = {flag: letter for letter, flag in FLAGS.items()}


class Maildir:
    def __init__(self, folder):
        self.folder = folder

    def make(self):
        for name in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.folder, name))
        return self

    def exists(self):
        return os.path.isdir(os.path.join(self.folder, "cur"))

    def files(self):
        """Paths, in no order."""
        return [os.path.join(self.folder, kind, name) for kind in ("cur", "new")
                for name in os.listdir(os.path.join(self.folder, kind))]

    def messages(self):
        """[(path, flags as IMAP names them, octets as in the file)]"""
        found = []
        for path in self.files():
            letters = os.path.basename(path).partition(":2,")[2]
            with open(path, "rb") as file:
                found.append((path, frozenset(FLAGS[letter] for letter in letters if letter in FLAGS), file.read()))
        return found

    def add(self, name, octets, flags=()):
        """`octets` with LF line ends. With flags, or without any and seen by the client before, in cur."""
        kind = "cur" if flags else "new"
        ending = ":2," + letters_of(flags) if flags else ""
        temporary = os.path.join(self.folder, "tmp", name)
        with open(temporary, "wb") as file:
            file.write(octets)
        os.rename(temporary, os.path.join(self.folder, kind, name + ending))

    def set_flags(self, path, flags):
        base = os.path.basename(path).partition(":2,")[0]
        os.rename(path, os.path.join(self.folder, "cur", f"{base}:2,{letters_of(flags)}"))

    def settle(self):
        """As if nothing had changed for a while."""
        for name in ("cur", "new"):
            before = time.time() - 60
            os.utime(os.path.join(self.folder, name), (before, before))

    def remove(self):
        shutil.rmtree(self.folder)


def letters_of(flags):
    return "".join(sorted(LETTERS[flag] for flag in flags))
