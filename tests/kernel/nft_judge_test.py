# SPDX-License-Identifier: BSD-2-Clause
"""Rule sets of nft judged, against the running kernel: random rules on a router, random packets. Each
packet's fate must be the same, byte for byte where it leaves, and in the end every counter, quota
and element of a set. CTT_SEED repeats a run, CTT_SETS makes it longer."""
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kernel as k
import nft_rules

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "oracle"))
import oracle  # noqa: E402

k.need()

PEER = os.environ.get("CTT_NAT_PEER", "build/tests/kernel/nat_peer")
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))
SETS = int(os.environ.get("CTT_SETS", 40))
STEPS = 150
ADDRS = [("eth0", "10.97.0.1", 24), ("eth0", "fd97::1", 64),
         ("eth1", "10.98.0.1", 24), ("eth1", "fd98::1", 64)]
ROUTES = [("eth0", "10.97.0.0", 24), ("eth1", "10.98.0.0", 24),
          ("eth0", "fd97::", 64), ("eth1", "fd98::", 64)]
NEAR = {4: ["10.97.0.2", "10.97.0.3", "198.51.100.7"], 6: ["fd97::2", "fd97::3", "2001:db8:0:1::7"]}
FAR = {4: ["10.98.0.2", "10.98.0.3", "10.97.0.1"], 6: ["fd98::2", "fd98::3", "fd97::1"]}
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
QUIET = "table inet quiet { chain out { type filter hook output priority -450; drop; }; }\n"


def add(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def ip(src, dst, proto, l4, tos, ttl):
    """An IP packet with the checksum of layer 4 in it."""
    at = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}[proto]
    pseudo = b"" if proto == ICMP else src + dst + struct.pack("!II", len(l4), proto)
    total = ~add(pseudo + l4) & 0xffff
    l4 = l4[:at] + struct.pack("!H", total or 0xffff) + l4[at + 2:]
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, len(l4), proto, ttl) + src + dst + l4
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(l4), 7, 0, ttl, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", ~add(head) & 0xffff) + head[12:] + l4


class Flow:
    """One conversation through the router, or with it."""

    def __init__(self, chance):
        version = chance.choice([4, 4, 6])
        self.src, self.dst = chance.choice(NEAR[version]), chance.choice(FAR[version])
        self.proto = chance.choice([TCP, TCP, UDP, UDP, ICMP if version == 4 else ICMPV6])
        self.sport = chance.choice([1024, 1500, 2001, 3000, 53])
        self.dport = chance.choice([22, 53, 80, 443, 2001])
        self.is_local = self.dst in ("10.97.0.1", "fd97::1")
        self.step = 0

    def tcp(self, chance, is_reply, ports, payload):
        flags = chance.choice([[2, 0x12, 0x10, 0x18, 0x18, 0x11][min(self.step, 5)],
                               chance.randrange(64)] if chance.random() < 0.3 else
                              [[2, 0x12, 0x10, 0x18, 0x18, 0x11][min(self.step, 5)]])
        options = b""
        if flags & 2:
            options = chance.choice([b"", b"\2\4\5\xb4", b"\2\4\1\xf4\4\2\1\1", b"\1\1\4\2"])
        seq, ack = (2000, 1001) if is_reply else (1001 if self.step else 1000, 2001)
        return struct.pack("!HHIIBBHHH", *ports, seq, ack if flags & 0x10 else 0,
                           (20 + len(options)) << 2, flags, chance.choice([500, 65535]), 0, 0) + \
            options + (payload if flags & 8 else b"")

    def next(self, chance):
        """The device that the next packet comes in by, and the packet."""
        is_reply = self.step % 2 == 1 and not self.is_local
        src, dst = (self.dst, self.src) if is_reply else (self.src, self.dst)
        ports = (self.dport, self.sport) if is_reply else (self.sport, self.dport)
        payload = chance.randbytes(chance.randrange(0, 30))
        if self.proto == TCP:
            l4 = self.tcp(chance, is_reply, ports, payload)
        elif self.proto == UDP:
            l4 = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
        else:
            kind = (8, 0) if self.proto == ICMP else (128, 129)
            l4 = struct.pack("!BBHHH", kind[is_reply], 0, 0, self.sport, self.step) + payload
        self.step += 1
        tos = chance.choice([0, 0, 0x20, 0x28])
        return "eth1" if is_reply else "eth0", ip(packed(src), packed(dst), self.proto, l4, tos,
                                                  chance.choice([64, 64, 5]))


def traffic(seed):
    """Packets with their devices."""
    chance = random.Random(seed)
    flows, found = [], []
    for _ in range(STEPS):
        if not flows or chance.random() < 0.25:
            flows.append(Flow(chance))
        found.append(chance.choice(flows[-8:]).next(chance))
    return found


def openings(seed):
    """First packets of connections through the router or to it, each from a port of its own, so
    that no translation has to give way to another."""
    chance = random.Random(seed)
    found = []
    for n in range(100):
        proto = chance.choice([TCP, UDP])
        ports = (10000 + n, chance.choice([22, 53, 80]))
        l4 = (struct.pack("!HHIIBBHHH", *ports, 1, 0, 0x50, 2, 500, 0, 0) if proto == TCP else
              struct.pack("!HHHH", *ports, 8, 0))
        found.append(("eth0", ip(packed(chance.choice(NEAR[4][:2])), packed(chance.choice(FAR[4])),
                                 proto, l4, 0, 64)))
    return found


def kernel_side(seed, packets, make):
    """Runs inside a namespace: rules before, what left of each packet, rules afterwards."""
    for name in ("all", "default"):
        for key, value in (("rp_filter", 0), ("accept_local", 1), ("send_redirects", 0)):
            oracle.sysctl_write(f"net.ipv4.conf.{name}.{key}", value)
        for key in ("accept_dad", "accept_ra", "autoconf"):
            oracle.sysctl_write(f"net.ipv6.conf.{name}.{key}", 0, False)
    oracle.sysctl_write("net.ipv4.ip_forward", 1)
    oracle.sysctl_write("net.ipv6.conf.all.forwarding", 1)
    nft("-f", "-", text=QUIET)
    devices = {name: oracle.Tun(name) for name in ("eth0", "eth1")}
    for dev, address, size in ADDRS:
        oracle.sh("ip", "addr", "add", f"{address}/{size}", "dev", dev,
                  *(["nodad"] if ":" in address else []))
    time.sleep(0.3)  # until the addresses are at work
    nft_rules.load(lambda text: nft("-f", "-", text=text), random.Random(seed), make=make)
    # nft lists "meta l4proto tcp counter tcp dport 22" without its beginning: what counts is what
    # the listing says.
    listed = nft("list", "ruleset").stdout
    if nft("-f", "-", text="flush ruleset\n" + listed).returncode != 0:
        return None
    before = nft("-j", "list", "ruleset").stdout
    for device in devices.values():
        device.read()
    left = []
    for dev, packet in packets:
        devices[dev].send(packet)
        left.append([(name, p) for name, d in devices.items() for p in d.read()])
    return before, left, nft("-j", "list", "ruleset").stdout


def nft(*argv, text=None):
    return subprocess.run(["nft", *argv], input=text, text=True, capture_output=True, check=False)


def our_side(packets, before):
    with tempfile.NamedTemporaryFile("w", prefix="ctt-nft-") as f:
        f.write(before)
        f.flush()
        lines = [f"nft {f.name}", "lend"]
        lines += [f"addr {dev} {address} {size}" for dev, address, size in ADDRS]
        lines += [f"route {dev} {address} {size}" for dev, address, size in ROUTES]
        lines += [f"p {dev} {10**18 + n * 100000} {packet.hex()}"
                  for n, (dev, packet) in enumerate(packets)]
        done = subprocess.run([PEER], input="\n".join(lines + ["savenft"]) + "\n", text=True,
                              capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    left = []
    for line in said[:len(packets)]:
        fate, _, out, data, *doubt = line.split(" ")
        assert not doubt, f"depends on {doubt}"
        left.append([(out, bytes.fromhex(data))] if fate == "F" else [])
    return left, said[len(packets)]


def objects(listing):
    """By kind and handle, without the table that keeps the kernel quiet. Elements in order, moments
    of expiry as far as they must agree."""
    found = {}
    for o in json.loads(listing)["nftables"]:
        (kind, body), = o.items()
        if "quiet" in (body.get("table"), body.get("name")):
            continue
        if kind in ("set", "map"):
            for e in body.get("elem", []):
                if isinstance(e, dict) and "elem" in e:
                    e["elem"]["expires"] = (e["elem"].get("expires", 0) + 300) // 600
            body["elem"] = sorted(body.get("elem", []), key=json.dumps)
        found[kind, body.get("family"), body.get("table"), body.get("name"), body.get("handle")] = body
    return found


def compare(seed, packets, make=None):
    with k.Netns("nft") as ns:
        told = ns.call(kernel_side, seed, packets, make)
    if not told:
        return 0  # nft does not understand its own listing
    before, theirs, after = told
    ours, own_after = our_side(packets, before)
    what = f"CTT_SEED={seed}"
    for n, (a, b) in enumerate(zip(theirs, ours)):
        assert a == b, (f"{what} packet {n} {packets[n][1].hex()}\n"
                        f"theirs {[(d, p.hex()) for d, p in a]}\nours   {[(d, p.hex()) for d, p in b]}")
    a, b = objects(after), objects(own_after)
    for key, body in a.items():
        assert b.get(key) == body, f"{what}\ntheirs {json.dumps(body)}\nours   {json.dumps(b.get(key))}"
    return sum(1 for out in theirs if out)


def test_judge():
    """packets through random rules of nft: fates, counters and sets as the kernel's"""
    print(f"# CTT_SEED={SEED}")
    through = sum(compare(SEED + n, traffic(SEED + n)) for n in range(SETS))
    print(f"# {SETS} rule sets, {SETS * STEPS} packets, {through} came through")
    assert through > SETS * STEPS / 25, "hardly anything comes through"


def test_translations():
    """first packets through random chains of NAT of nft: where they go, and counters"""
    through = sum(compare(SEED + n, openings(SEED + n), nft_rules.translations)
                  for n in range(SETS // 2))
    print(f"# {SETS // 2} rule sets, {SETS // 2 * 100} packets, {through} came through")


k.main(globals())
