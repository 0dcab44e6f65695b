# SPDX-License-Identifier: BSD-2-Clause
"""Translation against the running kernel: random conversations through random rules on a router.

Both sides get the same packets; answers are made of what each side let through, so that a port that
the kernel chose by chance does no harm. What leaves must be equal byte for byte, but for such ports.
CTT_SEED repeats a run, CTT_SETS makes it longer.
"""
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "oracle"))
import canon  # noqa: E402
import oracle  # noqa: E402

k.need("iptables-legacy-restore", "ip6tables-legacy-restore")

PEER = os.environ.get("CTT_NAT_PEER", "build/tests/kernel/nat_peer")
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))
SETS = int(os.environ.get("CTT_SETS", 15))
STEPS = 400
ADDRS = {"4": [("lan0", "10.0.1.1", 24), ("lan0", "10.0.9.1", 24), ("wan0", "192.0.2.1", 24),
               ("wan0", "192.0.2.2", 24), ("wan0", "203.0.113.1", 28)],
         "6": [("lan0", "2001:db8:1::1", 64), ("wan0", "2001:db8:2::1", 64)]}
ROUTES = {"4": [("wan0", "0.0.0.0", 0), ("lan0", "10.0.1.0", 24), ("lan0", "10.0.9.0", 24),
                ("wan0", "192.0.2.0", 24), ("wan0", "203.0.113.0", 28)],
          "6": [("wan0", "::", 0), ("lan0", "2001:db8:1::", 64), ("wan0", "2001:db8:2::", 64)]}
INSIDE = {"4": [f"10.0.1.{n}" for n in range(10, 14)], "6": [f"2001:db8:1::{n}" for n in range(10, 13)]}
OUTSIDE = {"4": ["198.51.100.7", "198.51.100.8", "192.0.2.77", "203.0.113.5"],
           "6": ["2001:db8:9::7", "2001:db8:9::8", "2001:db8:2::77"]}
OWN = {"4": ["192.0.2.1", "192.0.2.2", "203.0.113.1", "10.0.1.1"], "6": ["2001:db8:2::1", "2001:db8:1::1"]}
PORTS = [53, 80, 443, 700, 5000, 5001, 5042]
SELF = "-"  # where the machine's own packets come from
TCP, UDP, ICMP, ICMPV6, SCTP, GRE = 6, 17, 1, 58, 132, 47


# Packets

def add(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


CRC32C = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ (0x82f63b78 if i & 1 else 0)
    CRC32C.append(i)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xff]
    return struct.pack("<I", crc ^ 0xffffffff)


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def ip(src, dst, proto, l4, ttl=64):
    """An IP packet of raw addresses."""
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, len(l4), proto, ttl) + src + dst + l4
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), 7, 0, ttl, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", ~add(head) & 0xffff) + head[12:] + l4


SUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}


def summed(src, dst, proto, l4, has_sum=True):
    """Layer 4 with its checksum."""
    if proto == SCTP:
        return l4[:8] + crc32c(l4[:8] + bytes(4) + l4[12:]) + l4[12:]
    if proto == GRE or not has_sum:
        return l4
    at = SUM_AT[proto]
    l4 = l4[:at] + b"\0\0" + l4[at + 2:]
    pseudo = b"" if proto == ICMP else src + dst + struct.pack("!II", len(l4), proto)
    total = ~add(pseudo + l4) & 0xffff
    if proto == UDP:
        total = total or 0xffff
    return l4[:at] + struct.pack("!H", total) + l4[at + 2:]


def split(packet):
    """Source, destination, protocol, layer 4."""
    if packet[0] >> 4 == 6:
        return packet[8:24], packet[24:40], packet[6], packet[40:]
    return packet[12:16], packet[16:20], packet[9], packet[20:]


# Conversations

class End:
    """One end of a TCP connection, which knows of it what it has heard."""

    def __init__(self, dev, address, port, seq):
        self.dev, self.address, self.port, self.seq = dev, packed(address), port, seq
        self.far = self.far_port = None
        self.ack = 0

    def say(self, flags, payload=b"", options=b"", old=0):
        """A segment; @old: one that was said before, so many bytes ago."""
        l4 = struct.pack("!HHIIBBHHH", self.port, self.far_port, (self.seq - old) & 0xffffffff,
                         self.ack if flags & 16 else 0, (20 + len(options)) << 2, flags, 65535, 0,
                         0) + options + payload
        if not old:
            self.seq += len(payload) + bool(flags & 3)
        return self.dev, ip(self.address, self.far, TCP,
                            summed(self.address, self.far, TCP, l4))

    def hear(self, packet):
        self.far, _, _, l4 = split(packet)
        self.far_port, _, seq = struct.unpack_from("!HHI", l4)
        size = len(l4) - (l4[12] >> 2) + bool(l4[13] & 3)
        if size and (not self.ack or seq == self.ack):
            self.ack = (seq + size) & 0xffffffff


class Flow:
    """One conversation; each side of the comparison has its own."""

    def __init__(self, chance, family):
        self.family = family
        self.is_from_inside = chance.random() < 0.7
        near, far = (INSIDE, OUTSIDE) if self.is_from_inside else (OUTSIDE, OWN)
        self.src = packed(chance.choice(near[family]))
        self.dst = packed(chance.choice(far[family] + (OWN[family] if chance.random() < .2 else [])))
        icmp = ICMP if family == "4" else ICMPV6
        self.proto = chance.choice([TCP, TCP, TCP, UDP, UDP, UDP, icmp, icmp, SCTP, GRE])
        self.sport = chance.choice([100, 300, 700, 1000, 5000, 5000, 6000, 40000, 40001])
        self.dport = chance.choice(PORTS)
        self.seq = chance.randrange(1 << 32)
        self.ack = chance.randrange(1 << 32)
        self.n = 0
        self.has_sum = chance.random() < 0.9
        self.dev = "lan0" if self.is_from_inside else "wan0"
        self.heard = None    # by the far end: its device, the packet as it came out there

    def l4(self, is_reply, sport, dport, payload):
        """What a step carries: @sport and @dport as the sender knows them."""
        if self.proto == TCP:
            flags = [2, 0x12, 0x10, 0x18][min(self.n, 3)]
            seq, ack = (self.ack, self.seq) if is_reply else (self.seq, self.ack)
            return struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, 0x50,
                               flags, 65535, 0, 0) + (payload if flags == 0x18 else b"")
        if self.proto == UDP:
            return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
        if self.proto == SCTP:
            kind = 2 if is_reply else 1
            return struct.pack("!HHIIBBHIIHHI", sport, dport, 0 if kind == 1 else 7, 0, kind, 0, 20,
                               7, 65535, 1, 1, 1)
        if self.proto == GRE:
            return struct.pack("!HH", 0, 0x800) + payload
        kind = (0 if is_reply else 8) if self.proto == ICMP else (129 if is_reply else 128)
        return struct.pack("!BBHHH", kind, 0, 0, sport, self.n) + payload

    def opening(self, payload):
        l4 = summed(self.src, self.dst, self.proto,
                    self.l4(False, self.sport, self.dport, payload), self.has_sum or self.proto != UDP)
        return self.dev, ip(self.src, self.dst, self.proto, l4)

    def answer(self, payload):
        """By the far end, to what it heard."""
        dev, heard = self.heard
        src, dst, _, l4 = split(heard)
        if self.proto in (ICMP, ICMPV6):
            ports = struct.unpack_from("!H", l4, 4) * 2
        else:
            ports = struct.unpack_from("!HH", l4)
        l4 = summed(dst, src, self.proto, self.l4(True, ports[1], ports[0], payload))
        return dev, ip(dst, src, self.proto, l4)

    def error(self, size):
        """By a router behind the far end, about what was heard."""
        dev, heard = self.heard
        src = split(heard)[0]
        by = packed("198.51.100.254" if self.family == "4" else "2001:db8:9::ffff")
        if self.family == "4":
            l4 = struct.pack("!BBHI", 3, 3, 0, 0) + heard[:20 + size]
            return dev, ip(by, src, ICMP, summed(by, src, ICMP, l4))
        l4 = struct.pack("!BBHI", 1, 4, 0, 0) + heard[:40 + size]
        return dev, ip(by, src, ICMPV6, summed(by, src, ICMPV6, l4))


class OwnFlow(Flow):
    """One that the machine in the middle begins, or that is for it."""

    def __init__(self, chance, family):
        super().__init__(chance, family)
        own = [packed(a) for a in OWN[family]]
        self.is_own = chance.random() < 0.7
        far = packed(chance.choice(OUTSIDE[family]))
        self.src = chance.choice(own) if self.is_own else far
        self.dst = far if self.is_own and chance.random() < 0.5 else chance.choice(own)
        self.dev = SELF if self.is_own else "wan0"


def converse(seed, family, send, kind_of_flow=Flow):
    """Carries the conversations of a seed by @send(device, packet), which says what left."""
    chance = random.Random(seed)
    flows, log = [], []
    for _ in range(STEPS):
        kind = chance.choice(["open", "more", "answer", "answer", "error"])
        payload = chance.randbytes(chance.randrange(0, 40))
        size = chance.choice([8, 8, 20, 60])
        pick = chance.randrange(1 << 30)
        if kind == "open" or not flows:
            flows.append(kind_of_flow(chance, family))
            f, kind = flows[-1], "more"
        else:
            f = flows[-1 - pick % min(len(flows), 12)]
        if kind != "more" and not f.heard:
            log.append(("nothing", b"", []))
            continue
        dev, packet = (f.opening(payload) if kind == "more" else
                       f.answer(payload) if kind == "answer" else f.error(size))
        out = send(dev, packet)
        log.append((kind, packet, out))
        if kind == "more" and out:
            f.heard = out[0]
        if kind != "error" and out:
            f.n += 1
    return log


def speak(seed, family, send):
    """The same of a host."""
    return converse(seed, family, send, OwnFlow)


def announced(address, port, form):
    """How FTP writes an address and a port."""
    if form == "six":
        return ",".join(address.split(".") + [str(port >> 8), str(port & 255)])
    return f"|{2 if ':' in address else 1}|{address}|{port}|"


def ftp(seed, family, send):
    """A control connection, its commands and answers, and the data connections they announce."""
    chance, log = random.Random(seed), []
    client = End("lan0", INSIDE[family][0], 40000 + chance.randrange(1000), chance.randrange(1 << 32))
    server = End("wan0", OUTSIDE[family][0], 21, chance.randrange(1 << 32))

    def pass_on(sender, receiver, *what, **how):
        dev, packet = sender.say(*what, **how)
        out = send(dev, packet)
        log.append(("ftp", packet, out))
        if len(out) == 1 and out[0][0] == receiver.dev:
            receiver.hear(out[0][1])
            return split(out[0][1])[3]
        return b""

    def data(from_, to, address, port):
        """A data connection to what was announced as the other end knows it."""
        opener = End(from_.dev, socket.inet_ntop(socket.AF_INET6 if family == "6" else
                                                 socket.AF_INET, from_.address),
                     chance.randrange(20000, 30000), 1)
        taker = End(to.dev, "::" if family == "6" else "0.0.0.0", port, 1)
        opener.far, opener.far_port = packed(address), port
        pass_on(opener, taker, 2)
        if taker.far:
            taker.address = split(log[-1][2][0][1])[1]
            taker.port = struct.unpack_from("!HH", split(log[-1][2][0][1])[3])[1]
            pass_on(taker, opener, 0x12)
            pass_on(opener, taker, 0x10)

    client.far, client.far_port = server.address, 21
    pass_on(client, server, 2, options=b"\4\2\1\1")
    pass_on(server, client, 0x12, options=b"\4\2\1\1")
    pass_on(client, server, 0x10)
    pass_on(server, client, 0x18, b"220 ready\r\n")
    pass_on(client, server, 0x18, b"USER x\r\n")
    pass_on(server, client, 0x18, b"230 in\r\n")
    own = INSIDE[family][0]
    for _ in range(8):
        port = chance.randrange(1024, 65536)
        form = chance.choice(["six"] if family == "4" else ["eprt"]) if chance.random() < .7 else "eprt"
        if chance.random() < 0.5:
            word = "PORT" if form == "six" else "EPRT"
            heard = pass_on(client, server, 0x18,
                            f"{word} {announced(own, port, form)}\r\n".encode())
            pass_on(server, client, 0x18, b"200 fine\r\n")
            if heard and form == "six":
                six = heard[20:].decode().split()[1].split(",")
                data(server, client, ".".join(six[:4]), int(six[4]) << 8 | int(six[5]))
            elif heard:
                _, _, address, there, _ = heard[20:].decode().split()[1].split("|")
                data(server, client, address, int(there))
        else:
            pass_on(client, server, 0x18, b"PASV\r\n")
            far = OUTSIDE[family][0]
            text = (f"227 go ({announced(far, port, 'six')}).\r\n" if form == "six" else
                    f"229 go (|||{port}|)\r\n")
            if pass_on(server, client, 0x18, text.encode()):
                data(client, server, far, port)
        if chance.random() < 0.4:
            # Said again, and acknowledged in pieces.
            pass_on(client, server, 0x10, b"x" * 4, old=chance.randrange(1, 40))
            edge = struct.pack("!II", server.ack, server.ack + 10)
            pass_on(server, client, 0x10, options=b"\1\1\5\x0a" + edge)
            edge = struct.pack("!II", client.ack, client.ack + 10)
            pass_on(client, server, 0x10, options=b"\1\1\5\x0a" + edge)
    pass_on(client, server, 0x11)
    pass_on(server, client, 0x11)
    pass_on(client, server, 0x10)
    return log


# Rules

# What switches tracking on, when no rule of the nat table translates.
TRACKED = "\nCOMMIT\n*filter\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n"


def rules(chance, family):
    """A nat table of random rules."""
    def some(*choices):
        return chance.choice(choices)

    def ports():
        return some("", "", "-p tcp ", "-p udp ", f"-p tcp --dport {chance.choice(PORTS)} ",
                    f"-p udp --dport {chance.choice(PORTS)} ")

    def target(address, m):
        if family == "6" and ":" in m:
            return f"[{address}]{m}"
        return address + m

    lines = []
    inside, spread = (("10.0.1.50", "10.0.1.50-10.0.1.57") if family == "4" else
                      ("2001:db8:1::50", "2001:db8:1::50-2001:db8:1::57"))
    public, publics = (("192.0.2.9", "192.0.2.8-192.0.2.23") if family == "4" else
                       ("2001:db8:2::9", "2001:db8:2::8-2001:db8:2:0:1::23"))
    net, far = (("10.9.9.0/24", "172.20.5.0/24") if family == "4" else
                ("2001:db8:77::/64", "2001:db8:78::/64"))
    for _ in range(chance.randint(1, 4)):
        p = ports()
        moves = ["", "", ":8080", ":8000-8003", ":7000-7999/5000"] if p else [""]
        lines.append("-A PREROUTING " + some("", "-i lan0 ", "-i wan0 ") + p + some(
            "-j DNAT --to-destination " + target(some(inside, spread), chance.choice(moves)) +
            some("", "", " --persistent"),
            "-j REDIRECT" + (some("", " --to-ports 3128", " --to-ports 3128-3130") if p else ""),
            f"-j NETMAP --to {net}", "-j ACCEPT"))
    for _ in range(chance.randint(1, 4)):
        p = ports()
        moves = ["", "", ":2000", ":2000-2003", ":600-1000"] if p else [""]
        lines.append("-A POSTROUTING " + some("-o wan0 ", "-o wan0 ", "-o lan0 ", "") + p + some(
            "-j SNAT --to-source " + target(some(public, publics), chance.choice(moves)) +
            some("", "", " --persistent", " --random", " --random-fully"),
            "-j MASQUERADE" + (some("", " --to-ports 30000-30010") if p else "") +
            some("", "", " --random"),
            f"-j NETMAP --to {far}", "-j ACCEPT"))
    if chance.random() < 0.2:
        lines.append("-A INPUT -p udp -j SNAT --to-source " + public)
    return "*nat\n" + "\n".join(lines) + TRACKED


def ftp_rules(chance, family):
    """The helper, and some translation of the client."""
    public = chance.choice(["192.0.2.9", "192.0.2.123"] if family == "4" else
                           ["2001:db8:2::9", "2001:db8:2:1:2:3:4:5"])
    target = chance.choice(["MASQUERADE", f"SNAT --to-source {public}"])
    return ("*raw\n-A PREROUTING -p tcp --dport 21 -j CT --helper ftp\nCOMMIT\n"
            f"*nat\n-A POSTROUTING -o wan0 -j {target}\nCOMMIT\n")


def own_rules(chance, family):
    """Rules for what a host sends and gets."""
    inside = "10.0.1.50" if family == "4" else "2001:db8:1::50"
    far, own = OUTSIDE[family][1], OWN[family][1]
    lines = []
    for _ in range(chance.randint(1, 4)):
        p = chance.choice(["", "-p tcp ", "-p udp "])
        port = ":8080" if p else ""
        there = chance.choice([inside, far, own])
        lines.append("-A OUTPUT " + p + chance.choice([
            "-j DNAT --to-destination " + (f"[{there}]{port}" if ":" in there and port else
                                           there + port),
            "-j REDIRECT" + (" --to-ports 3128" if p else ""), "-j ACCEPT"]))
    lines.append("-A POSTROUTING " + chance.choice(["-o wan0 -j MASQUERADE", "-j SNAT --to-source " + own,
                                                    "-o lo -j SNAT --to-source " + own, "-j ACCEPT"]))
    lines.append("-A INPUT " + chance.choice(["-p udp ", "-i wan0 ", ""]) +
                 chance.choice(["-j SNAT --to-source " + far, "-j ACCEPT"]))
    lines.append("-A PREROUTING " + chance.choice(["-j REDIRECT", "-p tcp -j REDIRECT --to-ports 8000"]))
    return "*nat\n" + "\n".join(lines) + TRACKED


# The two sides

def drain(device):
    """What comes out of a TUN device, but for what the kernel says by itself."""
    return [p for p in device.read() if not (p[0] >> 4 == 6 and p[6] == ICMPV6 and p[40] >= 130 and
                                             p[40] <= 143)]


def listing():
    """The kernel's table. Another test may change the number of buckets at this moment, which cuts
    a listing short or shows entries twice: so the one that was seen twice."""
    seen = []
    while len(seen) < 50:
        lines = k.get("/proc/self/net/nf_conntrack").splitlines()
        table = canon.parse_table("".join(sorted(line + "\n" for line in lines)))
        names = [canon.ident(e) for e in table]
        if names in seen:
            return table
        seen.append(names)
        time.sleep(0.01)
    raise AssertionError("the kernel's table never lists the same twice")


def kernel_side(talk, seed, family, text):
    """Runs inside a namespace."""
    for name in ("all", "default"):
        for key, value in (("rp_filter", 0), ("accept_local", 1), ("send_redirects", 0)):
            oracle.sysctl_write(f"net.ipv4.conf.{name}.{key}", value)
        for key in ("accept_dad", "accept_ra", "autoconf"):
            oracle.sysctl_write(f"net.ipv6.conf.{name}.{key}", 0, False)
    oracle.sysctl_write("net.ipv4.ip_forward", 1)
    oracle.sysctl_write("net.ipv6.conf.all.forwarding", 1)
    devices = {name: oracle.Tun(name) for name in ("lan0", "wan0")}
    for dev, address, size in ADDRS[family]:
        oracle.sh("ip", "addr", "add", f"{address}/{size}", "dev", dev,
                  *(["nodad"] if family == "6" else []))
    oracle.sh("ip", f"-{family}", "route", "replace", "default", "dev", "wan0")
    oracle.sh("ip6tables-legacy-restore" if family == "6" else "iptables-legacy-restore", stdin=text)
    # The kernel itself keeps silent: nobody listens, and no error is to be told.
    oracle.sh("nft", "-f", "-", stdin="table inet quiet { chain out { type filter hook output "
              "priority -450; meta skuid 0 accept; drop; }; }\n")
    for device in devices.values():
        drain(device)
    time.sleep(0.3)  # until the addresses are at work
    for device in devices.values():
        device.read()

    devices[SELF] = oracle.Raw()

    def send(dev, packet):
        devices[dev].send(packet)
        return [(name, p) for name, d in devices.items() if name != SELF for p in drain(d)]
    log = talk(seed, family, send)
    return log, listing()


class Peer:
    """The library: one line each way."""

    def __init__(self, family, path):
        self.process = subprocess.Popen([PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.now = 0
        self.tell(f"rules{family} {path}")
        for dev, address, size in ADDRS[family]:
            self.tell(f"addr {dev} {address} {size}")
        for dev, address, size in ROUTES[family]:
            self.tell(f"route {dev} {address} {size}")

    def tell(self, line):
        self.process.stdin.write(line + "\n")

    def send(self, dev, packet):
        self.now += 100000
        self.tell(f"p {dev} {self.now} {packet.hex()}")
        self.process.stdin.flush()
        fate, _, out, data, *doubt = self.process.stdout.readline().rstrip("\n").split(" ")
        assert not doubt, f"depends on {doubt}"
        if fate not in "FO":
            return []
        return [(out, bytes.fromhex(data))]

    def table(self):
        self.tell("table")
        self.process.stdin.flush()
        return canon.parse_table("".join(iter(self.process.stdout.readline, ".\n")))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def with_part(packet, part):
    """The packet with another source port or identifier, its checksum made anew."""
    src, dst, proto, l4 = split(packet)
    at = 4 if proto in (ICMP, ICMPV6) else 0
    l4 = l4[:at] + part + l4[at + 2:]
    has_sum = proto != UDP or l4[6:8] != b"\0\0"
    return packet[:-len(l4)] + summed(src, dst, proto, l4, has_sum)


def part_of(packet):
    _, _, proto, l4 = split(packet)
    at = 4 if proto in (ICMP, ICMPV6) else 0
    return l4[at:at + 2]


def blank(packet):
    """An error without ports and checksums, its own and the quoted."""
    head = 40 if packet[0] >> 4 == 6 else 20
    l4 = bytearray(packet[head:])
    quoted = 8 + head
    at = quoted + SUM_AT.get(l4[8 + (6 if head == 40 else 9)], 8)
    l4[2:4] = bytes(2)
    for place, size in ((quoted, 4), (at, 4)):
        l4[place:place + size] = bytes(len(l4[place:place + size]))
    return packet[:head] + bytes(l4)


def is_same(kind, packet, theirs, ours, is_random):
    """True when equal; "chance" when both chose another port, but not the same. With @is_random the
    other port may be the one it was."""
    if theirs == ours:
        return True
    if len(theirs) != 1 or len(ours) != 1 or theirs[0][0] != ours[0][0]:
        return False
    a, b, was = theirs[0][1], ours[0][1], part_of(packet)
    if kind == "error":
        src, dst, proto, l4 = split(b)
        is_sound = b.endswith(summed(src, dst, proto, l4))
        return "chance" if is_sound and blank(a) == blank(b) else False
    if len(a) != len(b) or (not is_random and was in (part_of(a), part_of(b))):
        return False
    return "chance" if with_part(b, part_of(a)) == a else False


def compare(talk, seed, family, text):
    """Both sides' answers to one conversation: how many packets, how many came out, how many of
    these with ports chosen by chance, and how many entries were compared."""
    with k.Netns("nat") as ns:
        theirs, their_table = ns.call(kernel_side, talk, seed, family, text)
    with tempfile.NamedTemporaryFile("w", prefix="ctt-nat-") as f:
        f.write(text)
        f.flush()
        peer = Peer(family, f.name)
        ours = talk(seed, family, peer.send)
        our_table = peer.table()
        peer.close()
    by_chance = 0
    for n, ((kind, packet, a), (_, own, b)) in enumerate(zip(theirs, ours)):
        same = (is_same(kind, packet, a, b, "--random" in text) or
                is_same(kind, own, a, b, "--random" in text))
        assert same, (f"CTT_SEED={seed} IPv{family} step {n}, {kind}: {packet.hex()}\n"
                      f"theirs {[(d, p.hex()) for d, p in a]}\n"
                      f"ours   {[(d, p.hex()) for d, p in b]}\n{text}")
        by_chance += same == "chance"
    is_random = "--random" in text
    if not is_random:
        differing = canon.compare_tables(their_table, our_table, ports_free=True, acct=False)
        assert not differing, (f"CTT_SEED={seed} IPv{family}\n" + "\n".join(differing[:8]) + "\n" +
                               text)
    return (len(theirs), sum(1 for _, _, a in theirs if a), by_chance,
            0 if is_random else len(their_table))


def compare_thrice(*what):
    """A port that the kernel draws may be the one that another flow has: what differs for that reason
    will not do so again, and what differs for another will."""
    for _ in range(2):
        try:
            return compare(*what)
        except AssertionError:
            pass
    return compare(*what)


def differ(talk, family, make_rules, sets):
    total = [0, 0, 0, 0]
    for seed in range(SEED, SEED + sets):
        counts = compare_thrice(talk, seed, family, make_rules(random.Random(seed), family))
        total = [a + b for a, b in zip(total, counts)]
    packets, out, chance, entries = total
    print(f"# CTT_SEED={SEED}: {packets} packets, {out} came out, {chance} with ports by chance, "
          f"{entries} entries")
    assert out > packets / 20 and entries, "hardly anything is compared"


def test_ipv4():
    """random conversations over IPv4 are translated alike"""
    differ(converse, "4", rules, SETS)


def test_ipv6():
    """random conversations over IPv6 are translated alike"""
    differ(converse, "6", rules, SETS)


def test_host():
    """what a host sends, to others and itself, is translated alike"""
    for family in "46":
        differ(speak, family, own_rules, SETS)


def test_ftp():
    """what FTP announces is rewritten alike, and the lengths that follow from it"""
    for family in "46":
        differ(ftp, family, ftp_rules, SETS)


k.main(globals())
