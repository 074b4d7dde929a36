#!/usr/bin/env python3
"""How many messages a second LMTP takes in, each one on disk before its 250.

    tools/bench/lmtp_load.py [--seconds 10] [--connections 32] [--size mix | OCTETS] [--accounts 16]

Starts a twinpostd of its own (TWINPOSTD, else build/release/tools/twinpostd) in a temporary folder (TMPDIR says on which disk).
Every connection delivers one message after another to one account at a time; `mix` is 70 % of 4-16 KB, 25 % of 16-100 KB and
5 % of 1 MB. Every message has a body of its own, so that none is stored once for many.
"""

import argparse
import multiprocessing
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "clients"))

import wire  # noqa: E402
from twinpost_server import Server  # noqa: E402

PASSWORD = "secret"
PROCESSES = 2


def user(i):
    return f"user{i}@example.org"


def sizes(size, chance):
    while True:
        if size != "mix":
            yield int(size)
            continue
        kind = chance.random()
        yield (chance.randint(4_000, 16_000) if kind < 0.70 else chance.randint(16_000, 100_000) if kind < 0.95 else 1_000_000)


def deliver(address, options, seed, end, results):
    """One connection. Appends (messages, octets, latencies) to `results`."""
    chance = random.Random(seed)
    text = (b"The quick brown fox jumps over the lazy dog, and it does so again and again.\r\n" * 13_000)[:1_000_000]
    lmtp = wire.Lmtp(address, timeout=60)
    latencies = []
    octets = 0
    for number, size in enumerate(sizes(options.size, chance)):
        recipient = user(chance.randrange(options.accounts))
        header = (f"From: sam@example.net\r\nTo: {recipient}\r\nSubject: load {seed} {number}\r\n"
                  f"Message-ID: <{seed}.{number}.{chance.getrandbits(64):x}@example.net>\r\n\r\n").encode()
        began = time.perf_counter()
        lmtp.send(f"MAIL FROM:<sam@example.net>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        replies = [lmtp.reply() for _ in range(3)]
        body = header + text[: max(0, size - len(header) - 2)] + b"\r\n"
        lmtp.send(body + b".\r\n")
        replies.append(lmtp.reply())
        if [code for code, _ in replies] != [250, 250, 354, 250]:
            raise AssertionError(f"refused: {replies}")
        now = time.perf_counter()
        latencies.append(now - began)
        octets += len(body)
        if time.time() > end:
            break
    lmtp.quit()
    results.append((latencies, octets))


def process(address, options, seeds, end, queue):
    results = []
    failures = []

    def guarded(seed):
        try:
            deliver(address, options, seed, end, results)
        except Exception as failure:
            failures.append(str(failure))

    threads = [threading.Thread(target=guarded, args=(seed,)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put((results, failures))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--size", default="mix")
    parser.add_argument("--accounts", type=int, default=16)
    options = parser.parse_args()
    with Server({user(i): PASSWORD for i in range(options.accounts)}, {"log": {"level": "warning"}}, tls=False) as server:
        queue = multiprocessing.Queue()
        began = time.time()
        end = began + options.seconds
        workers = [multiprocessing.Process(target=process, args=(server.lmtp_socket, options, range(i, options.connections, PROCESSES),
                                                                 end, queue)) for i in range(PROCESSES)]
        for worker in workers:
            worker.start()
        answers = [queue.get(timeout=options.seconds + 90) for _ in workers]
        took = time.time() - began
        for worker in workers:
            worker.join(10)
        failures = [failure for _, failed in answers for failure in failed]
        if failures:
            raise AssertionError(f"{len(failures)} connections failed: {failures[0]}")
        latencies = sorted(latency for results, _ in answers for some, _ in results for latency in some)
        octets = sum(size for results, _ in answers for _, size in results)
        stored = 0
        for i in range(options.accounts):
            pop3 = wire.Pop3(server.pop3, timeout=60)
            pop3.login(user(i), PASSWORD)
            stored += pop3.stat()[0]
            pop3.quit()
        if stored != len(latencies):
            raise AssertionError(f"{len(latencies)} acknowledged, {stored} stored")
        print(f"{options.connections} LMTP connections, {took:.1f} s, size {options.size}: {len(latencies)} messages, "
              f"{len(latencies) / took:.0f} a second, {octets / took / 1e6:.1f} MB/s, latency median "
              f"{latencies[len(latencies) // 2] * 1000:.1f} ms, 99 % {latencies[len(latencies) * 99 // 100] * 1000:.1f} ms")


if __name__ == "__main__":
    main()
