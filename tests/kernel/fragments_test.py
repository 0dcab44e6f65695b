# SPDX-License-Identifier: BSD-2-Clause
"""Reassembly against the running kernel: random fragments go to both, and what comes out whole is
compared byte for byte, with its tracking state.

Packets enter through a TUN device; a rule behind reassembly reports those that get there, one
behind tracking reports their state and drops them. CTT_SEED repeats a run, CTT_TRAINS makes it
longer.
"""
import fcntl
import os
import random
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import kernel as k

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "oracle"))
import capture  # noqa: E402
import netlink  # noqa: E402

PEER = os.environ.get("CTT_DEFRAG_PEER", "build/tests/kernel/defrag_peer")
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))
TRAINS = int(os.environ.get("CTT_TRAINS", 8000))
ROUND = 500
GROUP = 7
PASS, WHOLE = 0, 1
STATES = {"new": 2, "invalid": 8, "untracked": 7, "established": 0, "related": 1}
NO_LIMIT = 1 << 30
# By TTL: zone, its direction, flags (UNTRACKED is 2), device, hook (OUTPUT is 1).
WAYS = {64: (0, 0, 0, 1, 0), 65: (0, 0, 2, 1, 0), 66: (7, 3, 0, 1, 0), 67: (7, 1, 0, 1, 0),
        68: (9, 2, 0, 1, 0), 69: (0, 0, 0, 2, 0), 70: (0, 0, 0, 0, 1)}
RULES = """
table inet probe {
  chain way { type filter hook prerouting priority -450; policy accept;
    ip ttl 65 notrack
    ip6 hoplimit 65 notrack
    ip ttl 66 ct zone set 7
    ip6 hoplimit 66 ct zone set 7
    ip ttl 67 ct original zone set 7
    ip6 hoplimit 67 ct original zone set 7
    ip ttl 68 ct reply zone set 9
    ip6 hoplimit 68 ct reply zone set 9
  }
  chain sent { type filter hook output priority -350; policy accept;
    log prefix "whole" group 7 queue-threshold 1
  }
  chain sent_state { type filter hook output priority -195; policy accept; jump states; drop; }
  chain whole { type filter hook prerouting priority -350; policy accept;
    log prefix "whole" group 7 queue-threshold 1
  }
  chain state { type filter hook prerouting priority -195; policy drop; jump states; }
  chain states {
    ct state invalid log prefix "invalid" group 7 queue-threshold 1 drop
    ct state untracked log prefix "untracked" group 7 queue-threshold 1 drop
    ct state new log prefix "new" group 7 queue-threshold 1 drop
    ct state related log prefix "related" group 7 queue-threshold 1 drop
    ct state established log prefix "established" group 7 queue-threshold 1 drop
  }
}
"""


# What is sent

class Trains:
    """Datagrams in pieces, whole or not, in any order, some spoiled, several at a time."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def chance(self, p):
        return self.r.random() < p

    def pick(self, *of):
        return self.r.choice(of)

    def way(self):
        """A TTL, by which a rule before reassembly tells zones."""
        return self.pick(*WAYS) if self.chance(.03) else 64

    def payload(self, v6, src, dst):
        """A transport protocol and its bytes, checksum right more often than not."""
        size = self.pick(1, 7, 8, 20, 33, 64, 100, 300, 1000, 1473, 3000, self.r.randrange(1, 9000))
        if self.chance(.02):
            size = self.pick(65535 - 20, 65535 - 28, 65507, 65000, 65535)
        proto = self.pick(17, 17, 17, 6, 58 if v6 else 1, 132, 47, 50, 59)
        data = bytearray(self.r.randbytes(size))
        if proto == 17 and size >= 8:
            data[4:8] = struct.pack("!HH", size & 0xffff, 0)
        if proto == 6 and size >= 20:
            data[12:14] = b"\x50\x02"
        if proto in (1, 58) and size >= 8:
            data[0:2] = bytes([128 if v6 else 8, 0])
        if self.chance(.8):
            self.checksum(proto, src, dst, data)
        return proto, bytes(data)

    @staticmethod
    def checksum(proto, src, dst, data):
        at = {6: 16, 17: 6, 1: 2, 58: 2}.get(proto)
        if at is None or len(data) < at + 2:
            return
        data[at:at + 2] = b"\0\0"
        pseudo = b"" if proto == 1 else src + dst + struct.pack("!II", len(data), proto)
        total = capture.csum(pseudo + bytes(data)) & 0xffff
        data[at:at + 2] = struct.pack("!H", total ^ 0xffff or 0xffff)

    def pieces(self, data):
        """[offset, bytes, more fragments] of a datagram, spoiled now and then."""
        unit = self.pick(8, 16, 24, 64, 104, 256, 800, 1448)
        if len(data) > 200 * unit:
            unit = self.pick(1448, 8000, 16384, 65528)
        cuts = [0]
        while cuts[-1] + unit < len(data):
            cuts.append(cuts[-1] + (unit if self.chance(.7) else self.r.randrange(8, unit + 1, 8)))
        cuts.append(len(data))
        out = [[a, data[a:b], b < len(data)] for a, b in zip(cuts, cuts[1:])]
        if self.chance(.5):
            self.pick(self.r.shuffle, list.reverse)(out)
        for _ in range(self.pick(0, 0, 0, 1, 1, 2, 4)):
            self.spoil(out, data)
        return out

    def spoil(self, out, data):
        at, part, more = self.pick(*out) if out else (0, data[:8], True)
        where = self.r.randrange(len(out) + 1)
        what = self.r.randrange(12)
        if what == 0 and out:
            out.pop(self.r.randrange(len(out)))
        elif what in (1, 2):
            out.insert(where, [at, part, more])
        elif what in (3, 4):
            a = self.r.randrange(0, len(data) + 1, 8)
            b = min(len(data), a + self.r.randrange(0, 400, 8))
            out.insert(where, [a, data[a:b], b < len(data)])
        elif what == 5:
            out.insert(where, [at, part, not more])
        elif what == 6:
            out.insert(where, [at, part[:-self.r.randrange(1, 8)], more])
        elif what == 7:
            out.insert(where, [at, b"", more])
        elif what == 8:
            out.insert(where, [self.pick(65528, 65520, 65000, 8 * self.r.randrange(8192)),
                               self.r.randbytes(self.pick(1, 8, 16, 600)), self.chance(.5)])
        elif what == 9:
            out.insert(where, [at, part + bytes(self.pick(1, 8, 16)), more])
        elif what == 10 and at >= 8:
            out.insert(where, [at - 8, data[at - 8:at] + part, more])
        else:
            self.r.shuffle(out)

    def ipv4(self):
        src = socket.inet_aton(f"192.168.1.{self.r.randrange(1, 6)}")
        dst = socket.inet_aton(f"198.51.100.{self.r.randrange(1, 4)}")
        # A sender's 0 is replaced by the kernel.
        ident = self.r.randrange(1, 5 if self.chance(.2) else 65536)
        proto, data = self.payload(False, src, dst)
        tos, df = self.pick(0, 0, 1, 2, 3, 0xb8), self.pick(0, 0, 0x4000)
        options = self.pick(b"", b"", b"", bytes([1] * 4), b"\x94\4\0\0", bytes([1] * 40))
        for at, part, more in self.pieces(data):
            own = options if at == 0 or self.chance(.2) else b""
            ecn = self.r.randrange(4) if self.chance(.03) else tos & 3
            bit = df if self.chance(.9) else df ^ 0x4000
            number = proto if self.chance(.995) else 17
            total, ttl = 20 + len(own) + len(part), self.way()
            if total > 65535:
                continue
            head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(own) // 4, tos & 0xfc | ecn, total, ident,
                               at >> 3 | bit | (0x2000 if more else 0), ttl, number, 0, src, dst)
            packet = capture.fix_v4_header(head + own + part)
            yield packet + (bytes(self.pick(0, 0, 0, 3)) if total < 60000 else b"")

    def extensions(self, last):
        """Headers before the fragment header: bytes, and the first one's number."""
        kinds = [self.pick(60, 60, 43, 51) for _ in range(self.pick(0, 0, 0, 0, 0, 1, 1, 2, 3))]
        out, following = b"", last
        for kind in reversed(kinds):
            long = self.pick(0, 0, 1, 3, 15, 31) if self.chance(.6) else 0
            if kind == 51:
                body = bytes([following, 4 + 2 * long]) + bytes(22 + 8 * long)
            else:
                body = bytes([following, long]) + bytes(6 + 8 * long)
            out, following = body + out, kind
        return following, out

    def ipv6(self):
        src = socket.inet_pton(socket.AF_INET6, f"2001:db8:1::{self.r.randrange(1, 6)}")
        net = self.pick("2001:db8:2", "2001:db8:2", "2001:db8:2", "fe80", "ff02")
        dst = socket.inet_pton(socket.AF_INET6, f"{net}::{self.r.randrange(1, 4)}")
        ident = self.r.randrange(4) if self.chance(.2) else self.r.randrange(1 << 32)
        proto, data = self.payload(True, src, dst)
        if self.chance(.1):
            data, proto = bytes([proto, 0, 1, 4, 0, 0, 0, 0]) + data, 60
        if self.chance(.02):
            data, proto = struct.pack("!BBHI", proto, 0, self.pick(0, 1, 8), 5) + data, 44
        traffic = self.pick(0, 0, 1, 2, 3, 0xb8)
        first, before = self.extensions(44)
        for at, part, more in self.pieces(data[:65535]):
            if self.chance(.05):
                first, before = self.extensions(44)
            ecn = self.r.randrange(4) if self.chance(.03) else traffic & 3
            number = proto if self.chance(.99) else self.pick(6, 17, 58, 59, 60)
            body = before + struct.pack("!BBHI", number, 0, at & 0xfff8 | more, ident) + part
            if len(body) > 65535:
                continue
            if self.chance(.005):
                body = body[:self.r.randrange(len(body) + 1)]
            word = 6 << 28 | (traffic & 0xfc | ecn) << 20
            packet = struct.pack("!IHBB", word, len(body), first, self.way()) + src + dst + body
            yield packet + (bytes(self.pick(0, 0, 0, 3)) if len(body) < 60000 else b"")

    def make(self, n):
        """The packets of @n datagrams, some of which travel together."""
        todo, out = n, []
        while todo > 0:
            together = min(todo, self.pick(1, 1, 2, 3, 8))
            todo -= together
            trains = [list(self.pick(self.ipv4, self.ipv6)()) for _ in range(together)]
            while trains := [t for t in trains if t]:
                packet = self.pick(*trains).pop(0)
                out.append(cut(packet) if way_of(packet)[4] else packet)
        return out


def way_of(packet):
    return WAYS[packet[8] if packet[0] >> 4 == 4 else packet[7]]


# Both answers

class Log(netlink.PacketLog):
    """Reports with the packet's bytes, as many as fit into an attribute."""

    def __init__(self):
        super().__init__(GROUP)
        for part in (netlink.attr(2, struct.pack(">IBB", 0xffff, 2, 0)),
                     netlink.attr(3, struct.pack(">I", 1 << 17))):
            self.send(0x401, 4, part, res=GROUP)
            assert self.ack() == 0, "the packet log refuses its settings"

    def read(self):
        out = []
        for buf in self.drain():
            if buf is None:
                self.lost += 1
                continue
            for kind, _, body in netlink.messages(buf):
                if kind == 0x400:
                    a = netlink.attrs(body[4:])
                    out.append((a.get(10, b"").rstrip(b"\0").decode(), a.get(9, b"")))
        return out


class Tun:
    """A device by which packets come in."""

    def __init__(self, name):
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.fd, 0x400454ca, struct.pack("16sH22x", name.encode(), 0x1001))
        k.run("ip", "link", "set", name, "addrgenmode", "none")
        k.run("ip", "link", "set", name, "mtu", "65535", "up")

    def send(self, packet):
        os.write(self.fd, packet)


class Sender:
    """Packets of the host itself."""

    def __init__(self):
        for family in "-4", "-6":
            k.run("ip", family, "route", "add", "default", "dev", "t1")
        self.sockets = {}
        for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            s = self.sockets[version] = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def send(self, packet):
        if packet[0] >> 4 == 4:
            self.sockets[4].sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        else:
            where = socket.inet_ntop(socket.AF_INET6, packet[24:40])
            self.sockets[6].sendto(packet, (where, 0, 0, 0))


def reassembly_counters():
    rows = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines()]
    ip = dict(zip(*[row for row in rows if row[0] == "Ip:"]))
    return [int(ip["Reasm" + name]) for name in ("Reqds", "OKs", "Fails")]


def ask_kernel(packets, settings, pause_at, pause_s):
    """In a namespace: for each packet, what was logged about it; counters; milliseconds."""
    for name, value in settings.items():
        Path("/proc/sys/" + name.replace(".", "/")).write_text(str(value))
    doors = {(1, 0): Tun("t1"), (2, 0): Tun("t2"), (0, 1): Sender()}
    subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
    log, out, times = Log(), [], []
    begun = time.monotonic()
    log.read()
    for n, p in enumerate(packets):
        if n == pause_at:
            time.sleep(pause_s)
            log.read()  # ICMP errors about what has waited too long
        times.append(int((time.monotonic() - begun) * 1000))
        try:
            doors[way_of(p)[3:]].send(p)
        except PermissionError:
            pass  # a rule dropped it, as all of the host's own
        except OSError:
            out.append(None)  # never got as far as reassembly
            continue
        out.append(log.read())
    memory = int(next(line for line in Path("/proc/net/sockstat").read_text().splitlines()
                      if line.startswith("FRAG")).split()[-1])
    return out, reassembly_counters() + [memory], times, log.lost


def ask_library(packets, times, settings):
    feed = b"".join(struct.pack("<IIHBBBBxx", len(p), t, *way_of(p)) + p
                    for p, t in zip(packets, times))
    done = subprocess.run([PEER, *(f"{n}={v}" for n, v in settings.items())], input=feed,
                          stdout=subprocess.PIPE, check=True).stdout
    out, at = [], 0
    for _ in packets:
        result, info, size = struct.unpack_from("<BBI", done, at)
        out.append((result, info, done[at + 6:at + 6 + size]))
        at += 6 + size
    values = struct.unpack_from("<12Q", done, at)
    return out, list(values[:3]) + [values[5]]


def describe(packet):
    if packet[0] >> 4 == 4:
        header, frag = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 6)[0]
        total = struct.unpack_from("!H", packet, 2)[0]
        return (f"ip {socket.inet_ntoa(packet[12:16])} id {packet[4:6].hex()} proto {packet[9]} "
                f"{(frag & 0x1fff) * 8}+{total - header}{'+' if frag & 0x2000 else ''} tos {packet[1]}")
    return f"ipv6 {packet[:80].hex()} of {len(packet)}"


def judge(packet, logged, mine):
    """What differs, or None."""
    result, info, data = mine
    whole = [d for prefix, d in logged if prefix == "whole"]
    if bool(whole) != (result in (PASS, WHOLE)):
        return f"kernel {'goes on' if whole else 'keeps it'}, library {result}"
    if not whole:
        return None
    if len(whole[0]) < 65500 and whole[0] != data or whole[0] != data[:len(whole[0])]:
        first = next((i for i, (a, b) in enumerate(zip(whole[0], data)) if a != b), "end")
        return f"kernel {len(whole[0])} bytes, library {len(data)}, first difference at {first}"
    states = [STATES[prefix] for prefix, _ in logged if prefix != "whole"]
    return None if states == [info] else f"kernel state {states}, library {info}"


def compare(packets, settings, pause_at=None, pause_s=0):
    with k.Netns("fragments") as ns:
        kernel, counted, times, lost = ns.call(ask_kernel, packets, settings, pause_at, pause_s)
    assert not lost, "reports were lost"
    if pause_at and max(times[pause_at - 1], times[-1] - times[pause_at]) > 1400:
        k.skip("the machine is too busy to tell what happens within two seconds")
    taken = [n for n, logged in enumerate(kernel) if logged is not None]
    assert len(taken) > len(packets) * .95, f"only {len(taken)} of {len(packets)} were taken"
    packets, kernel, times = ([of[n] for n in taken] for of in (packets, kernel, times))
    mine, own = ask_library(packets, times, settings)
    diffs = [f"packet {n}: {why} ({describe(p)})" for n, (p, a, b)
             in enumerate(zip(packets, kernel, mine)) if (why := judge(p, a, b))]
    if counted[:3] != own[:3]:
        diffs.append(f"Reqds, OKs, Fails: kernel {counted[:3]}, library {own[:3]}")
    return diffs, kernel, counted, own


def settings(**more):
    return {"net.ipv4.ipfrag_high_thresh": NO_LIMIT,
            "net.netfilter.nf_conntrack_frag6_high_thresh": NO_LIMIT, **more}


def test_random_trains():
    """what comes out whole is the same, byte for byte, and so is its state"""
    whole = 0
    for n in range(max(1, TRAINS // ROUND)):
        diffs, kernel, _, _ = compare(Trains(SEED + n).make(ROUND), settings())
        assert not diffs, f"CTT_SEED={SEED + n}: {len(diffs)} differences\n" + "\n".join(diffs[:10])
        whole += sum(bool(logged) for logged in kernel)
    assert whole > TRAINS / 4, f"only {whole} packets came out: the test says little"


def arriving(packets):
    """Those that come by a device, whose memory is known to the byte, each without what stands
    behind it on the wire."""
    return [cut(p) for p in packets if not way_of(p)[4]]


def cut(packet):
    """A packet without what stands behind it on the wire."""
    if packet[0] >> 4 == 4:
        return packet[:struct.unpack_from("!H", packet, 2)[0]]
    return packet[:40 + struct.unpack_from("!H", packet, 4)[0]]


def test_thresholds():
    """over a low threshold the same fragments are refused, and the same memory is charged"""
    for n in range(4):
        limit = (60000, 250000, 600000, 4000000)[n]
        packets = arriving(Trains(SEED ^ n).make(ROUND))
        diffs, kernel, counted, own = compare(packets, {
            "net.ipv4.ipfrag_low_thresh": 1000, "net.netfilter.nf_conntrack_frag6_low_thresh": 1000,
            "net.ipv4.ipfrag_high_thresh": limit,
            "net.netfilter.nf_conntrack_frag6_high_thresh": limit})
        assert not diffs, f"CTT_SEED={SEED ^ n}: {len(diffs)} differences\n" + "\n".join(diffs[:10])
        assert counted == own, f"CTT_SEED={SEED ^ n}: kernel {counted}, library {own}"


def test_times():
    """what has waited too long is gone, what has not is there"""
    short = {"net.ipv4.ipfrag_time": 2, "net.netfilter.nf_conntrack_frag6_timeout": 2}
    whole = []
    for pause_s in (0.2, 2.5):
        maker, trains = Trains(SEED), []
        while len(trains) < 150:
            trains.append(list((maker.ipv4 if len(trains) % 2 else maker.ipv6)()))
        first = arriving(p for t in trains for p in t[:len(t) // 2])
        rest = arriving(p for t in trains for p in t[len(t) // 2:])
        diffs, kernel, counted, own = compare(first + rest, settings(**short), len(first), pause_s)
        assert not diffs, f"CTT_SEED={SEED}: {len(diffs)} differences\n" + "\n".join(diffs[:10])
        assert counted == own, f"CTT_SEED={SEED}: kernel {counted}, library {own}"
        whole.append(sum(bool(logged) for logged in kernel))
    assert whole[0] > whole[1], f"{whole} came out: the test says little"


k.need("ip", "nft")
if not os.path.exists("/dev/net/tun"):
    print("1..0 # SKIP no TUN device")
    sys.exit(0)
k.main(globals())
