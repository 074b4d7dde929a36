#!/usr/bin/env python3
"""No library that brings OpenSSL along may be linked into our programs: its symbols have BoringSSL's names.

    tests/includes/check_linkage.py PROGRAM...
"""

import re
import subprocess
import sys

# Debian's OpenSSL has a version in its library's name; BoringSSL's is .so.0 or none (static).
OPENSSL = re.compile(r"^\s*(lib(?:ssl|crypto)\.so\.[1-9]\S*)")


def openssl_libraries(ldd_output):
    return [match.group(1) for line in ldd_output.splitlines() if (match := OPENSSL.match(line))]


def main():
    example = "\tlibssl.so.3 => /lib/libssl.so.3 (0x1)\n\tlibcrypto.so.0 => /x (0x2)\n\tlibcrypto.so.1.1 => /y (0x3)\n"
    assert openssl_libraries(example) == ["libssl.so.3", "libcrypto.so.1.1"], "this check cannot fail"
    if not sys.argv[1:]:
        sys.exit("usage: check_linkage.py PROGRAM...")
    for program in sys.argv[1:]:
        output = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        if "not found" in output:
            sys.exit(f"{program}: a library is missing:\n{output}")
        if found := openssl_libraries(output):
            sys.exit(f"{program} is linked with {', '.join(found)}")
        print(f"{program}: no OpenSSL among {len(output.splitlines())} libraries")


if __name__ == "__main__":
    main()
