#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients of the lab's server: a new connection for every request, as many browsers would.

    client.py ADDRESS REQUESTS SECONDS

Sends REQUESTS at most and stops after SECONDS in any case. Prints what became of them.
"""
import collections
import socket
import sys
import threading
import time

THREADS = 16
PATIENCE_S = 1.5  # a person waits longer; a load balancer's health check does not


def request(address):
    try:
        with socket.create_connection((address, 80), timeout=PATIENCE_S) as s:
            s.sendall(b"GET / HTTP/1.0\r\nHost: lab\r\n\r\n")
            words = s.recv(4096).split(None, 2)
            return "answered " + words[1].decode() if len(words) > 1 else "cut off"
    except socket.timeout:
        return "timed out"
    except OSError as e:
        return e.strerror or str(e)


def main():
    address, n, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    left, outcome = iter(range(n)), collections.Counter()
    lock, end = threading.Lock(), time.monotonic() + seconds

    def work():
        while time.monotonic() < end:
            with lock:
                if next(left, None) is None:
                    return
            what = request(address)
            with lock:
                outcome[what] += 1

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"{sum(outcome.values())} requests sent:")
    for what, count in outcome.most_common():
        print(f"  {count:6} {what}")


if __name__ == "__main__":
    main()
