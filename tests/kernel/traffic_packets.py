# SPDX-License-Identifier: BSD-2-Clause
"""Random packets for tests of rule sets: conversations between a few hosts on both sides of a router
and datagrams to the router itself, TCP with options, UDP, UDP-Lite, ICMP, SCTP, DCCP, ESP, AH, GRE,
headers of IPv6, and some that are broken."""
import socket
import struct

from kernel import checksum

TCP, UDP, SCTP, DCCP, ESP, AH, GRE, UDPLITE, IPCOMP = 6, 17, 132, 33, 50, 51, 47, 136, 108
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << i for i in range(8))
WORDS = (b"GET / HTTP/1.1", b"needle", b"NeeDLe", b"\x00\x01\x02\x03", b"USER anonymous", b"")
SIDES = {4: ("10.1.0", "10.2.0"), 6: ("2001:db8:1:", "2001:db8:2:")}
OWN = {4: ("10.1.0.1", "10.2.0.1"), 6: ("2001:db8:1::1", "2001:db8:2::1")}


def pack_addr(family, text):
    return socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, text)


def host(family, side, n):
    return f"{SIDES[family][side]}{'.' if family == 4 else ':'}{n}"


class Flow:
    """Two ends that talk; the first is on the side where the first packet comes in."""

    def __init__(self, chance, family, proto):
        self.proto, self.side = proto, chance.randrange(2)
        self.ports = [chance.choice((1024, 1030, 40000, 40001)),
                      chance.choice((22, 25, 80, 443, 8080, 53))]
        ends = [host(family, self.side, chance.randint(2, 6)),
                host(family, 1 - self.side, chance.randint(2, 6))]
        self.is_local = proto == UDP and chance.random() < 0.35
        if self.is_local:
            ends[1] = chance.choice(OWN[family])
            self.ports[1] = chance.randint(5000, 5005)
        elif chance.random() < 0.1:
            ends[1 if self.side == 0 else 0] = "198.51.100.7" if family == 4 else "2001:db8:9::7"
        self.addrs = [pack_addr(family, e) for e in ends]
        self.seq = [chance.randrange(1 << 32), chance.randrange(1 << 32)]
        self.step = 0


class Traffic:
    """Packets for one rule set."""
    protos = (TCP, TCP, TCP, TCP, UDP, UDP, UDP, "icmp", "icmp", UDPLITE, SCTP, DCCP, ESP, AH, GRE,
              IPCOMP)

    def __init__(self, chance, family):
        self.chance, self.family = chance, family
        self.flows = [Flow(chance, family, chance.choice(self.protos)) for _ in range(10)]

    def next(self):
        """(interface it comes in by, packet)"""
        chance = self.chance
        flow = chance.choice(self.flows)
        back = 0 if flow.is_local or flow.step == 0 else chance.choice((0, 0, 1))
        payload = self.payload()
        make = {TCP: self.tcp, UDP: self.udp, UDPLITE: self.udp, "icmp": self.icmp,
                SCTP: self.sctp, DCCP: self.dccp, ESP: self.esp, AH: self.ah, GRE: self.gre,
                IPCOMP: self.ipcomp}[flow.proto]
        proto, data = make(flow, back, payload)
        flow.step += 1
        return flow.side ^ back, self.ip(flow, back, proto, data)

    def payload(self):
        chance = self.chance
        text = chance.choice(WORDS) + bytes(chance.randrange(256)
                                            for _ in range(chance.choice((0, 0, 3, 40))))
        return text + bytes(chance.choice((0, 0, 0, 200, 900)))

    def ends(self, flow, back):
        return flow.addrs[back], flow.addrs[1 - back], flow.ports[back], flow.ports[1 - back]

    def pseudo(self, flow, back, proto, size):
        src, dst, _, _ = self.ends(flow, back)
        if self.family == 4:
            return src + dst + struct.pack("!BBH", 0, proto, size)
        return src + dst + struct.pack("!IBBBB", size, 0, 0, 0, proto)

    # Headers of layer 3

    def ip(self, flow, back, proto, data):
        chance = self.chance
        src, dst, _, _ = self.ends(flow, back)
        tos = chance.choice((0, 0, 0, 0x10, 0xb8, 0x02, 0x03, 0x28, 0xff))
        hops = chance.choice((64, 64, 64, 2, 5, 128, 255))
        if self.family == 6:
            proto, data = self.extensions(proto, data)
            return struct.pack("!IHBB", 6 << 28 | tos << 20 | chance.randrange(1 << 20),
                               len(data), proto, hops) + src + dst + data
        options = chance.choice((b"",) * 9 + (b"\x01\x01\x01\x00",))
        size = 20 + len(options)
        head = struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, tos, size + len(data),
                           chance.randrange(65536), chance.choice((0, 0x4000)), hops, proto, 0,
                           src, dst) + options
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data

    def extensions(self, proto, data):
        """Sometimes a header or two of IPv6 before the rest."""
        chance = self.chance
        for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
            kind = chance.choice((60, 60, 43))
            if kind == 60:
                data = struct.pack("!BB", proto, 0) + bytes((1, 4, 0, 0, 0, 0)) + data
            else:
                data = struct.pack("!BBBBI", proto, 0, 2, 0, 0) + data
            proto = kind
        if chance.random() < 0.08:
            data = struct.pack("!BB", proto, 0) + bytes((5, 2, 0, 0, 1, 0)) + data
            proto = 0
        return proto, data

    # Headers of layer 4

    def maybe_broken(self, sum_):
        return sum_ ^ (0x5555 if self.chance.random() < 0.03 else 0)

    def tcp_options(self, flags):
        chance = self.chance
        options = b""
        if flags & SYN or chance.random() < 0.1:
            parts = [b"\x02\x04" + struct.pack("!H", chance.choice((536, 1220, 1400, 1460, 8960))),
                     b"\x04\x02", b"\x01", b"\x03\x03\x07", b"\x08\x0a" + bytes(8)]
            chance.shuffle(parts)
            options = b"".join(parts[:chance.randint(0, 5)])
        elif chance.random() < 0.3:
            options = b"\x01\x01\x08\x0a" + bytes(8)
        return options + bytes(-len(options) % 4)

    def tcp_flags(self, flow, back):
        """What a handshake needs, mostly; then anything."""
        chance = self.chance
        if chance.random() < 0.15:
            return chance.choice((SYN, ACK, RST, FIN | ACK, SYN | FIN, 0, FIN | PSH | URG, PSH | ACK))
        if flow.step == 0:
            return SYN | (ECE | CWR if chance.random() < 0.2 else 0)
        if back:
            return SYN | ACK if flow.step < 3 else ACK
        if flow.step < 2:
            return SYN
        return chance.choice((ACK, PSH | ACK, ACK, FIN | ACK, RST | ACK, ACK | ECE, ACK | CWR))

    def tcp(self, flow, back, payload):
        flags = self.tcp_flags(flow, back)
        if flags & SYN:
            payload = b""
        options = self.tcp_options(flags)
        size = 20 + len(options)
        ack = flow.seq[1 - back] if flags & ACK else 0
        _, _, sport, dport = self.ends(flow, back)
        head = struct.pack("!HHIIBBHHH", sport, dport, flow.seq[back], ack, size // 4 << 4, flags,
                           65535, 0, 0) + options
        flow.seq[back] = (flow.seq[back] + len(payload) + bool(flags & (SYN | FIN))) % (1 << 32)
        total = checksum(self.pseudo(flow, back, TCP, size + len(payload)) + head + payload)
        return TCP, (head[:16] + struct.pack("!H", self.maybe_broken(total)) + head[18:] + payload)

    def udp(self, flow, back, payload):
        _, _, sport, dport = self.ends(flow, back)
        size = 8 + len(payload)
        head = struct.pack("!HHHH", sport, dport, size if flow.proto == UDP else 0, 0)
        total = checksum(self.pseudo(flow, back, flow.proto, size) + head + payload) or 0xffff
        return flow.proto, head[:6] + struct.pack("!H", self.maybe_broken(total)) + payload

    def icmp(self, flow, back, payload):
        chance = self.chance
        request, answer = (8, 0) if self.family == 4 else (128, 129)
        kind = answer if back else request
        code = 0
        if chance.random() < 0.1:
            kind, code = (13, 0) if self.family == 4 else (chance.choice((130, 140)), 0)
        head = struct.pack("!BBHHH", kind, code, 0, flow.ports[0], flow.step)
        proto = 1 if self.family == 4 else 58
        pseudo = b"" if self.family == 4 else self.pseudo(flow, back, proto, 8 + len(payload))
        total = checksum(pseudo + head + payload)
        return proto, head[:2] + struct.pack("!H", self.maybe_broken(total)) + head[4:] + payload

    def sctp(self, flow, back, payload):
        chance = self.chance
        _, _, sport, dport = self.ends(flow, back)
        chunks = b""
        for _ in range(chance.randint(1, 3)):
            kind = chance.choice((0, 1, 2, 3, 4, 6, 7, 10, 14, 64))
            body = bytes(chance.choice((0, 4, 13, 16)))
            chunks += struct.pack("!BBH", kind, chance.choice((0, 1, 3, 7)), 4 + len(body)) + body
            chunks += bytes(-len(chunks) % 4)
        head = struct.pack("!HHI", sport, dport, 1)
        return SCTP, head + struct.pack("<I", crc32c(head + bytes(4) + chunks)) + chunks

    def dccp(self, flow, back, payload):
        _, _, sport, dport = self.ends(flow, back)
        kind = self.chance.choice((0, 1, 3, 4, 6, 7, 9))
        rest = {0: 4, 1: 12, 7: 12}.get(kind, 8)
        options = self.chance.choice((b"", b"\x00\x00\x00\x00", b"\x01\x20\x03\x00"))
        size = 16 + rest + len(options)
        head = struct.pack("!HHBBHBBHI", sport, dport, size // 4, 0, 0, kind << 1 | 1, 0, 0, 1)
        head += bytes(rest) + options
        total = checksum(self.pseudo(flow, back, DCCP, len(head)) + head)
        return DCCP, head[:6] + struct.pack("!H", total) + head[8:]

    def esp(self, flow, back, payload):
        return ESP, struct.pack("!II", 0x100 + flow.ports[0] % 4, flow.step) + payload + bytes(8)

    def ah(self, flow, back, payload):
        return AH, struct.pack("!BBHII", 59, 4, 0, 0x200 + flow.ports[0] % 4, flow.step) + bytes(12)

    def gre(self, flow, back, payload):
        return GRE, struct.pack("!HH", 0, 0x0800) + payload + bytes(4)

    def ipcomp(self, flow, back, payload):
        return IPCOMP, struct.pack("!BBH", 6, 0, 0x300 + flow.ports[0] % 4) + payload + bytes(4)


CRC = [0] * 256
for _i in range(256):
    _v = _i
    for _ in range(8):
        _v = _v >> 1 ^ (0x82f63b78 if _v & 1 else 0)
    CRC[_i] = _v


def crc32c(data):
    v = 0xffffffff
    for b in data:
        v = v >> 8 ^ CRC[(v ^ b) & 255]
    return v ^ 0xffffffff
