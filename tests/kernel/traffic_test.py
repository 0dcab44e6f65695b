# SPDX-License-Identifier: BSD-2-Clause
"""Packets through random rule sets: the kernel and the library must agree on the fate of each one, on
every byte of those that come out, and on the counters of every rule. A router of one namespace
between two tunnels, lan0 and wan0, whose other ends are this program: a packet written into one is
carried through before the call returns, and stands at the other when it came out.

CTT_SEED repeats a run, CTT_SETS makes it longer, CTT_ONE runs a single set and shows it, CTT_CONNLIMIT
has connlimit among the matches."""
import errno
import fcntl
import os
import random
import re
import socket
import struct
import subprocess
import tempfile
import time

import kernel as k
import traffic_rules
from traffic_packets import Traffic

k.need("iptables-legacy-restore", "iptables-nft-restore", "ip6tables-legacy-restore", "conntrack")

PEER = os.environ.get("CTT_TRAFFIC_PEER", "build/tests/kernel/traffic_peer")
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))
SETS = int(os.environ.get("CTT_SETS", 100))
ONE = os.environ.get("CTT_ONE")
PACKETS = 120
JIFFY_S = 0.012
SAVED = []  # the kernel's counters after each packet, with CTT_ONE
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
UDP_PORTS = range(5000, 5006)


def tunnel(name):
    """The file of a new tunnel; it never blocks."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def write_file(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


class Router:
    """Inside the namespace: the tunnels, and ports that take datagrams without an answer."""

    def __init__(self):
        write_file("/proc/sys/net/ipv4/ip_forward", "1")
        for family, values in (("ipv4", {"rp_filter": "0"}),
                               ("ipv6", {"forwarding": "1", "accept_dad": "0", "accept_ra": "0",
                                         "addr_gen_mode": "1"})):
            for name, value in values.items():
                for which in ("all", "default"):
                    path = f"/proc/sys/net/{family}/conf/{which}/{name}"
                    if os.path.exists(path):
                        write_file(path, value)
        write_file("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1")
        write_file("/proc/sys/net/ipv6/icmp/echo_ignore_all", "1")
        write_file("/proc/sys/net/netfilter/nf_conntrack_acct", "1")
        self.tun = [tunnel(name) for name in ("lan0", "wan0")]
        for i, name in enumerate(("lan0", "wan0"), 1):
            k.run("ip", "addr", "add", f"10.{i}.0.1/16", "dev", name)
            k.run("ip", "addr", "add", f"2001:db8:{i}::1/64", "dev", name, "nodad")
            k.run("ip", "link", "set", name, "up")
        k.run("ip", "route", "add", "default", "dev", "wan0")
        k.run("ip", "-6", "route", "add", "default", "dev", "wan0")
        self.sockets = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in UDP_PORTS]
        for port, s in zip(UDP_PORTS, self.sockets):
            s.bind(("::", port))
        self.quiet()

    def quiet(self):
        """Waits until the kernel has told its neighbours of its groups."""
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            self.read()
            time.sleep(0.05)

    def read(self):
        """What came out: (interface, packet)."""
        found = []
        for i, fd in enumerate(self.tun):
            while True:
                try:
                    found.append((i, os.read(fd, 65536)))
                except OSError as e:
                    if e.errno != errno.EAGAIN:
                        raise
                    break
        return found

    def received(self):
        """How many datagrams came to a socket."""
        n = 0
        for s in self.sockets:
            while True:
                try:
                    s.recv(65536, socket.MSG_DONTWAIT)
                    n += 1
                except BlockingIOError:
                    break
        return n

    def carry(self, iface, packet):
        """Sends a packet in; the time, what came out, whether it was received."""
        now = time.time_ns()
        os.write(self.tun[iface], packet)
        return now, self.read(), self.received()


def restore(rules, backend):
    """Loads rules of one family in place of all there are; says why not, or None."""
    done = k.run(*tool(rules, backend, "restore"), check=False, input=rules.text)
    return done.stderr if done.returncode else None


def tool(rules, backend, verb):
    name = "ip6tables" if rules.family == 6 else "iptables"
    return ["env", f"XTABLES_LOCKFILE=/run/ctt-traffic-{os.getpid()}.lock",
            f"{name}-{backend}-{verb}"] + (["-c"] if verb == "save" else [])


def clean(rules, backend):
    empty = "".join(f"*{t}\n" + "".join(f":{c} ACCEPT\n" for c in chains) + "COMMIT\n"
                    for t, chains in traffic_rules.HEAD.items())
    k.run(*tool(rules, backend, "restore"), input=empty)
    k.run("conntrack", "-F", check=False)


def as_kernel(router, rules, backend, chance):
    """What the kernel does: (time, interface, packet, outputs, received) each, and the rules."""
    traffic = Traffic(chance, rules.family)
    told = []
    for _ in range(PACKETS // 3 if rules.needs_pause else PACKETS):
        iface, packet = traffic.next()
        if rules.needs_pause:
            time.sleep(JIFFY_S)
        told.append((iface, packet, *router.carry(iface, packet)))
        if ONE:
            SAVED.append(k.run(*tool(rules, backend, "save")))
    return told, k.run(*tool(rules, backend, "save"))


def show(rules, told):
    """The set, and the first packet after which the counters differ."""
    print(rules.text)
    for n, saved in enumerate(SAVED):
        lines, library = as_library(rules, told[:n + 1])
        ours, theirs = counted(library, rules), counted(saved, rules)
        if ours != theirs:
            print(f"packet {n} from {told[n][0]}: {told[n][1].hex()}\n{lines[n]}")
            print(*(f"ours   {line}" for line in ours if line not in theirs), sep="\n")
            print(*(f"theirs {line}" for line in theirs if line not in ours), sep="\n")
            break


def as_library(rules, told):
    """The same packets through the library: its lines, and the rules with their counters."""
    with tempfile.NamedTemporaryFile("w", suffix=".rules") as f:
        f.write(rules.text)
        f.flush()
        data = b"".join(struct.pack("<qBH", now, iface, len(packet)) + packet
                        for iface, packet, now, _, _ in told)
        done = subprocess.run([PEER, str(rules.family), f.name, *rules.extra], input=data,
                              capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() + rules.text
    lines, _, saved = done.stdout.decode().partition("--\n")
    return lines.splitlines(), saved


def counted(saved, rules):
    """The lines of chains and rules that count, without the host's own packets."""
    found, table = [], None
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line
        if line.startswith("#") or re.match(r":(OUTPUT|POSTROUTING) ", line):
            continue
        if rules.has_answers and table == "*mangle" and re.match(r".*-A (POSTROUTING|u\d)\b", line):
            continue
        if table in ("*raw", "*mangle", "*filter") and line not in ("COMMIT", table):
            found.append(f"{table[1:]} {line}")
    return sorted(found)


def compare(rules, told, lines, kernel, library):
    """The differences, in words."""
    found, doubts = [], {}
    for n, ((iface, packet, _, outputs, received), line) in enumerate(zip(told, lines)):
        fate, way, doubt, data = (line.split(" ") + [""])[:4]
        forwarded = [p for i, p in outputs if i != iface and not traffic_rules.is_answer(p)]
        theirs = "out" if forwarded else "in" if received else "ended"
        if doubt != "-":
            doubts[doubt] = doubts.get(doubt, 0) + 1
        elif way == "in" and theirs == "ended":
            continue  # nobody listens, or its checksum is wrong
        elif way != theirs:
            found.append(f"packet {n} {packet.hex()} from {iface}: ours {fate} {way}, "
                         f"theirs {theirs}")
        elif forwarded and data != forwarded[0].hex():
            found.append(f"packet {n} {packet.hex()} comes out as\n  ours   {data}\n  theirs "
                         f"{forwarded[0].hex()}")
    ours, theirs = counted(library, rules), counted(kernel, rules)
    found += [f"ours   {line}" for line in ours if line not in theirs]
    found += [f"theirs {line}" for line in theirs if line not in ours]
    return found + [f"{n} packets depend on {what}" for what, n in doubts.items()]


def run_sets(backends):
    """Inside the namespace: every set, and what differs; how many loaded."""
    # Connections that connlimit cannot find are forgotten on the processor that counted them.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    router, loaded, wrong = Router(), 0, []
    for n in range(SETS):
        if ONE and int(ONE) != n:
            continue
        chance = random.Random(SEED * 1000003 + n)
        family, backend = chance.choice((4, 4, 6)), chance.choice(backends)
        rules = traffic_rules.random_set(chance, family, n)
        why = restore(rules, backend)
        if why:
            wrong.append(f"set {n} does not load ({backend}): {why}\n{rules.text}")
        else:
            loaded += 1
            router.read()
            told, kernel = as_kernel(router, rules, backend, chance)
            lines, library = as_library(rules, told)
            found = compare(rules, told, lines, kernel, library)
            if ONE:
                show(rules, told)
            if found:
                wrong.append(f"set {n} (IPv{family}, {backend}):\n  " + "\n  ".join(found))
        clean(rules, backend)
    return loaded, wrong


def test_random():
    """random packets through random rule sets go as in the kernel"""
    print(f"# CTT_SEED={SEED}", flush=True)
    with k.Netns("traffic") as ns:
        loaded, wrong = ns.call(run_sets, ("legacy", "legacy", "nft"))
    lock = f"/run/ctt-traffic-{os.getpid()}.lock"
    if os.path.exists(lock):
        os.unlink(lock)
    print(f"# {loaded} rule sets of {PACKETS} packets each, {len(wrong)} differ")
    assert not wrong, "\n".join(wrong[:5])
    assert ONE or loaded == SETS


k.main(globals())
