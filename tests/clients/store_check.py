"""`twinpost check` on a test server's store, for tests that ask at their end whether all is well."""

import functools
import os
import re

from twinpost_server import PROJECT, run


def tool():
    return os.environ.get("TWINPOST") or os.path.join(PROJECT, "build", "release", "tools", "twinpost")


@functools.cache
def can_check():
    return re.search(r"^ +check\b", run([tool(), "--help"]), re.M) is not None


def check_store(server, timeout=120):
    """Fails where anything is found, with what was found. The daemon may be running or not."""
    if can_check():
        run([tool(), "--config", server.config_path, "check"], timeout=timeout)
