# SPDX-License-Identifier: BSD-2-Clause
"""Steady traffic with a mix of lifetimes, what conntune foresees of a change to it, and what the
kernel then counts."""
import collections
import mmap
import socket
import struct
import time

import kernel as k

UDP_PORT, CHURN_PORT, TALK_PORT = 9, 7001, 7002
TALKS_S = (0, 1, 2, 3, 5, 8)  # how long connections talk before they fall silent for good


class Traffic:
    """Packets at even rates inside @ns until the block ends: datagrams nobody answers, connections
    that are opened and closed, connections that talk each half second for a while and then never
    again. rate(x) makes it x times as much."""

    def __init__(self, ns, udp, churn, talk):
        self.ns, self.rates = ns, (udp, churn, talk)
        self.shared = mmap.mmap(-1, 8)
        self.rate(1)

    def rate(self, factor):
        self.shared[:8] = struct.pack("d", factor)

    def __enter__(self):
        self.servers = [k.Server(self.ns, CHURN_PORT, "127.0.0.1"),
                        k.Server(self.ns, TALK_PORT, "127.0.0.1", hold=True)]
        self.inside = self.ns.call(self.run, wait=False)
        return self

    def __exit__(self, *_):
        self.inside.stop()
        for server in self.servers:
            server.inside.stop()

    @staticmethod
    def churn(n):
        """One connection, of one of 250 clients: a single one would soon take a port again whose
        entry waits in TIME_WAIT, and so end that entry early."""
        with socket.create_connection(("127.0.0.1", CHURN_PORT), timeout=1,
                                      source_address=(f"127.2.{n % 250}.1", 0)) as s:
            s.shutdown(socket.SHUT_WR)
            s.recv(1)

    def run(self):
        k.more_files()
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        talking = collections.deque()  # (next word, last word, socket)
        silent = []
        done = [0, 0, 0]
        due = [0.0, 0.0, 0.0]
        last = time.monotonic()
        while True:
            now = time.monotonic()
            factor = struct.unpack("d", self.shared[:8])[0]
            for i, rate in enumerate(self.rates):
                due[i] += (now - last) * rate * factor
            last = now
            while done[0] < due[0]:
                # 60,000 source ports at each of many destinations: no entry is met twice
                to = f"127.1.{done[0] // 60000 % 256}.1"
                raw.sendto(k.udp_packet("127.0.0.1", to, 2000 + done[0] % 60000, UDP_PORT, b"x"),
                           (to, 0))
                done[0] += 1
            while done[1] < due[1]:
                self.churn(done[1])
                done[1] += 1
            while done[2] < due[2]:
                s = socket.create_connection(("127.0.0.1", TALK_PORT))
                until = now + TALKS_S[done[2] % len(TALKS_S)]
                talking.append((now + 0.5, until, s))
                done[2] += 1
            while talking and talking[0][0] <= now:
                at, until, s = talking.popleft()
                if at > until:
                    silent.append(s)
                    continue
                s.send(b"x")
                talking.append((at + 0.5, until, s))
            time.sleep(0.005)


KINDS = ("udp", "tcp TIME_WAIT", "tcp ESTABLISHED")


def count(ns, looks=5, apart_s=0.7):
    """Entries by kind as the kernel shows them, not by conntune: the mean of several looks, as a
    busy machine sends our packets in little bursts."""
    found = collections.Counter()
    for _ in range(looks):
        text = ns.call(lambda: open("/proc/net/nf_conntrack", encoding="ascii").read())
        for line in text.splitlines():
            words = line.split()
            found["udp" if words[2] == "udp" else f"tcp {words[5]}"] += 1
        time.sleep(apart_s)
    return {kind: round(n / looks) for kind, n in found.items()}


def foresee(ns, *argv):
    """{kind: (then, low, high)} and the whole document."""
    done = k.conntune("whatif", "--netns", ns.name, "--json", *argv)
    assert done.returncode == 0, done.stderr
    told = k.as_json(done)
    return {row["kind"]: (row["then"], row["low"], row["high"]) for row in told["states"]}, told


def timeouts(ns, values):
    for name, value in values.items():
        ns.sysctl(name, value)


def options(values):
    return [word for name, value in values.items()
            for word in ("--set", f"nf_conntrack_{name}={value}")]


def table(ns, base):
    """Tracking with @base timeouts, in a way that lets rules of notrack be added."""
    ns.track()
    ns.nft("table inet raw { chain prerouting { type filter hook prerouting priority raw; }"
           " chain output { type filter hook output priority raw; } }")
    timeouts(ns, base)


def compare(what, foreseen, measured, tolerance, kinds=KINDS):
    """Each kind and all of them together; prints the lines of docs/accuracy.md."""
    wrong = []
    rows = [(kind, foreseen.get(kind, (0,))[0], measured.get(kind, 0)) for kind in kinds]
    rows.append(("together", sum(r[1] for r in rows), sum(r[2] for r in rows)))
    for kind, then, got in rows:
        off = (then - got) / got if got else float(then > 0)
        print(f"# | {what} | {kind} | {then} | {got} | {100 * off:+.1f} % |", flush=True)
        if abs(off) > tolerance:
            wrong.append(f"{what}: {kind}: {then} foreseen, {got} counted")
    assert not wrong, "\n".join(wrong)


def notrack(ns, proto, port):
    """Rules that keep @port of @proto from being tracked, both ways."""
    ns.nft("".join(f"add rule inet raw {chain} {proto} {side} {port} notrack\n"
                   for chain in ("prerouting", "output") for side in ("dport", "sport")))


def track_again(ns):
    ns.nft("flush table inet raw")
