#!/usr/bin/env python3
"""Every source file is as clang-format 16 would write it.

    tests/includes/check_format.py [--fix]
"""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_includes  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SKIPPED = 77


def main():
    tool = shutil.which("clang-format-16")
    if tool is None:
        print("clang-format-16 is not installed (tools/install-dependencies --test)")
        sys.exit(1 if os.environ.get("CI") else SKIPPED)
    files = list(check_includes.source_files(TOP))
    mode = ["-i"] if sys.argv[1:] == ["--fix"] else ["--dry-run", "--Werror", "--ferror-limit=3"]
    done = subprocess.run([tool, "--style=file", *mode, *files], cwd=TOP, check=False)
    if done.returncode != 0:
        sys.exit("not formatted; `tests/includes/check_format.py --fix` mends it")
    print(f"{len(files)} files formatted")


if __name__ == "__main__":
    main()
