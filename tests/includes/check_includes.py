#!/usr/bin/env python3
"""Includes point down the list of folders only.

    tests/includes/check_includes.py [FOLDER]      checks a source tree (this one)
    tests/includes/check_includes.py --self-test   checks that the check can fail
"""

import os
import re
import sys
import tempfile

# folder -> the other folders whose headers it may include. The longest matching folder counts.
ALLOWED = {
    "core/base": [],
    "core/mail": ["core/base"],
    "core/net": ["core/base"],
    "core/config": ["core/base"],
    "core/auth": ["core/base", "core/config"],
    "store/engine": ["core/base"],
    "store": ["core/base", "core/mail", "store/engine"],
    "pop3": ["core/base", "core/mail", "core/net", "core/config", "core/auth", "store"],
    "imap": ["core/base", "core/mail", "core/net", "core/config", "core/auth", "store"],
    "lmtp": ["core/base", "core/mail", "core/net", "core/config", "core/auth", "store"],
    "core/server": ["core", "store", "pop3", "imap", "lmtp"],
    "tools": ["core", "store", "pop3", "imap", "lmtp"],
    "tests": ["core", "store", "pop3", "imap", "lmtp", "tools"],
}

# Headers of libraries and of the system -> the folders that may include them.
SYSTEM = [
    (r"lmdb\.h", ["store/engine", "tests/store"]),
    (r"uv\.h", ["core/net", "tests/net"]),
    (r"openssl/ssl\.h", ["core/net", "tests", "tools"]),
    # The store and the frontends know no socket.
    (r"(sys/(socket|un|epoll)|netinet/.*|arpa/inet|netdb)\.h", ["core/net", "core/config", "core/server", "tests", "tools"]),
    (r"nlohmann/.*", ["core/config", "core/server", "tools", "tests"]),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
# Above the engine's seam nothing names LMDB.
LMDB_NAME = re.compile(r"\b(mdb_[a-z]\w*|MDB_\w+)\b")


def folder_of(path, folders):
    """The longest of `folders` that holds `path`, or None."""
    holding = [f for f in folders if path == f or path.startswith(f + "/")]
    return max(holding, key=len, default=None)


def within(path, folders):
    return folder_of(path, folders) is not None


def source_files(top):
    for folder in sorted({f.split("/")[0] for f in ALLOWED}):
        for place, _, names in os.walk(os.path.join(top, folder)):
            for name in sorted(names):
                if name.endswith((".h", ".cc")):
                    yield os.path.relpath(os.path.join(place, name), top)


def check_file(top, path):
    """The faults of one file, one line each."""
    with open(os.path.join(top, path), encoding="utf-8") as file:
        text = file.read()
    here = folder_of(path, ALLOWED)
    if here is None:
        return [f"{path}: in a folder that has no rule"]
    faults = []
    for kind, name in INCLUDE.findall(text):
        if kind == "<":
            faults += [f"{path}: <{name}> belongs to {', '.join(places)}"
                       for pattern, places in SYSTEM if re.fullmatch(pattern, name) and not within(path, places)]
            if os.path.exists(os.path.join(top, name)):
                faults.append(f'{path}: <{name}> is a file of this project: "{name}"')
            continue
        if not os.path.isfile(os.path.join(top, name)):
            faults.append(f'{path}: "{name}" is no path from the top of the project')
            continue
        there = folder_of(name, ALLOWED)
        if there != here and not (there and within(there, ALLOWED[here])):
            faults.append(f'{path}: {here} may not include "{name}"')
        if there == "core/server" and here not in ("core/server", "tools", "tests"):
            faults.append(f'{path}: only programs may include "{name}"')
    if not within(path, ["store/engine", "tests/store"]):
        faults += [f"{path}: names LMDB ({name})" for name in LMDB_NAME.findall(text)]
    return faults


def check_tree(top):
    files = list(source_files(top))
    return files, [fault for path in files for fault in check_file(top, path)]


# path, its text, what the fault must mention (None: no fault)
CASES = [
    ("core/base/error.h", "#pragma once\n", None),
    ("core/mail/message.h", '#include "core/base/error.h"\n', None),
    ("core/mail/bad.cc", '#include "store/store.h"\n', "core/mail may not include"),
    ("core/base/bad.cc", '  #  include "core/net/connection.h"\n', "core/base may not include"),
    ("core/net/connection.h", "#include <uv.h>\n#include <sys/socket.h>\n", None),
    ("core/auth/bad.cc", '#include "core/net/connection.h"\n', "core/auth may not include"),
    ("core/server/server.h", '#include "pop3/pop3.h"\n#include "store/store.h"\n', None),
    ("store/store.h", '#include "store/engine/engine.h"\n#include "core/mail/message.h"\n', None),
    ("store/engine/engine.h", '#include "core/base/error.h"\n', None),
    ("store/engine/lmdb_engine.cc", '#include <lmdb.h>\n#include "store/engine/engine.h"\nint x = MDB_NEXT;\n', None),
    ("store/engine/bad.cc", '#include "store/store.h"\n', "store/engine may not include"),
    ("store/bad_lmdb.cc", "#include <lmdb.h>\n", "<lmdb.h> belongs to store/engine"),
    ("store/bad_name.cc", "int x = mdb_get(0);\n", "names LMDB (mdb_get)"),
    ("store/bad_net.cc", '#include "core/net/connection.h"\n', "store may not include"),
    ("store/bad_socket.cc", "#include <sys/socket.h>\n", "<sys/socket.h> belongs to"),
    ("pop3/pop3.h", '#include "store/store.h"\n#include "core/net/connection.h"\n', None),
    ("pop3/bad.cc", '#include "lmtp/lmtp.h"\n', "pop3 may not include"),
    ("pop3/bad_server.cc", '#include "core/server/server.h"\n', "pop3 may not include"),
    ("pop3/bad_uv.cc", "#include <uv.h>\n", "<uv.h> belongs to core/net"),
    ("lmtp/lmtp.h", '#include "core/base/error.h"\n', None),
    ("lmtp/bad_path.cc", '#include "lmtp.h"\n', "no path from the top"),
    ("lmtp/bad_brackets.cc", "#include <lmtp/lmtp.h>\n", "is a file of this project"),
    ("tools/twinpostd/main.cc", '#include "core/server/server.h"\n', None),
]


def self_test():
    with tempfile.TemporaryDirectory() as top:
        for path, text, _ in CASES:
            os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
            with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                file.write(text)
        _, faults = check_tree(top)
        for path, _, mention in CASES:
            found = [fault for fault in faults if fault.startswith(path + ": ")]
            if mention is None and found:
                sys.exit(f"self-test: a fault in a good file: {found}")
            if mention is not None and not any(mention in fault for fault in found):
                sys.exit(f"self-test: {path} was let through: {found}")
        broken = sum(mention is not None for _, _, mention in CASES)
        print(f"self-test: {broken} forbidden includes found, {len(CASES) - broken} good files let through")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    files, faults = check_tree(top)
    if not files:
        sys.exit(f"{top}: no source files")
    if faults:
        sys.exit("\n".join(faults))
    print(f"{len(files)} files: every include points down")


if __name__ == "__main__":
    main()
