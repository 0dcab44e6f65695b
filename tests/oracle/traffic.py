# SPDX-License-Identifier: BSD-2-Clause
"""Random traffic for the tracker: valid, odd and hostile packets of every protocol, from a seed.

Few addresses and ports, so that packets meet the entries of others; half of TCP and SCTP follows
a script and the rest breaks it.
"""

import ipaddress
import random
import struct

import capture

SYN, ACK, FIN, RST, PSH = 2, 16, 1, 4, 8
TCP_SCRIPT = [(0, SYN), (1, SYN | ACK), (0, ACK), (0, PSH | ACK), (1, ACK), (1, PSH | ACK),
              (0, ACK), (0, FIN | ACK), (1, ACK), (1, FIN | ACK), (0, ACK)]
TCP_FLAGS = [2, 2, 18, 16, 16, 16, 24, 17, 17, 4, 4, 20, 20, 1, 0, 3, 6, 5, 0x29, 0x30, 0x22, 0x31,
             0x32, 0x38, 0xc2, 0x50, 0x90]
TCP_OPTIONS = [b"\2\4\5\xb4\1\1\4\2", b"\2\4\5\xb4", b"\1\1\4\2", b"\3\3\5\0", b"\3\t\5\0",
               b"\0\0\0\0"]
SCTP_SCRIPT = [(0, 1), (1, 2), (0, 10), (1, 11), (0, 0), (1, 3), (0, 4), (1, 5), (0, 7), (1, 8),
               (0, 14)]
SCTP_CHUNKS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 63, 192, 255]
ICMP_TYPES = [8, 8, 8, 0, 0, 13, 14, 15, 16, 17, 18, 9, 10, 30]
ICMPV6_TYPES = [128, 128, 129, 129, 139, 140, 130, 133, 135, 143, 151, 153, 137]
WEIGHTS = {"tcp": 60, "udp": 8, "icmp": 8, "icmp_error": 8, "sctp": 14, "gre": 2, "other": 2,
           "extension": 2, "fragments": 2, "ip_options": 1, "odd_address": 1,
           "jumbogram": .5}


def word(value):
    return value & 0xffffffff


def ip(src, dst, proto, payload):
    if ":" in src:
        head = struct.pack(">IHBB16s16s", 6 << 28, len(payload), proto, 64,
                           ipaddress.IPv6Address(src).packed, ipaddress.IPv6Address(dst).packed)
    else:
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, proto, 0,
                           ipaddress.IPv4Address(src).packed, ipaddress.IPv4Address(dst).packed)
    return capture.fix_transport(head + payload)


class Traffic:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.flows = {}
        self.packets = []

    def make(self, n, weights=None):
        weights = weights or WEIGHTS
        while len(self.packets) < n:
            kind = self.random.choices(list(weights), weights.values())[0]
            getattr(self, kind)()
        return self.packets

    def chance(self, p):
        return self.random.random() < p

    def pick(self, *values):
        return self.random.choice(values)

    def below(self, n):
        return self.random.randrange(n)

    def pair(self):
        client, server = self.below(3), self.below(2)
        if self.chance(.15):
            return f"2001:db8:1::{10 + client}", f"2001:db8:2::{20 + server}"
        return f"192.168.1.{10 + client}", f"198.51.100.{20 + server}"

    def either(self):
        a, b = self.pair()
        return (a, b) if self.chance(.5) else (b, a)

    def emit(self, src, dst, proto, payload):
        self.packets.append(ip(src, dst, proto, payload))

    def damage(self, p):
        """Breaks the checksum of the packet made last, sometimes."""
        if self.chance(p):
            self.packets[-1] = self.packets[-1][:-1] + bytes([self.packets[-1][-1] ^ 1])

    # ---------------------------------------------------------------- TCP

    def tcp_flow(self):
        key = (*self.pair(), 40000 + self.below(6), self.pick(80, 443))
        flow = self.flows.setdefault(key, {"step": 0, "last": None, "seq": None})
        if flow["seq"] is None or self.chance(.02):
            flow["seq"] = [self.below(1 << 32), self.below(1 << 32)]
        return key, flow

    def tcp_scripted(self, flow):
        if self.chance(.9):
            direction, flags = TCP_SCRIPT[flow["step"] % len(TCP_SCRIPT)]
            flow["step"] += 0 if self.chance(.3) else 1
        else:
            direction, flags = self.below(2), self.pick(ACK, ACK | PSH, FIN | ACK, RST | ACK, RST)
        size = self.below(1400) + 1 if flags == PSH | ACK else 0
        return direction, flags, flow["seq"][direction], flow["seq"][1 - direction], size

    def tcp_odd(self, flow):
        direction, flags = self.below(2), self.pick(*TCP_FLAGS)
        size = self.pick(0, 0, 0, 1, 100, 1400)
        seq = word(flow["seq"][direction] + self.pick(
            0, 0, 0, 0, 1, -1, 100, -100, 1000, 8191, 8192, 8193, -8192, 65535, 66000, -66001,
            100000, 1 << 31, self.below(1 << 32)))
        ack = word(flow["seq"][1 - direction] + self.pick(
            0, 0, 0, 0, 1, -1, 100, -100, 1000, -66000, -66001, 70000, -70000, 1 << 30,
            self.below(1 << 32)))
        seq = 0 if self.chance(.05) else seq
        ack = 0 if self.chance(.05) else ack
        if flow["last"] and self.chance(.1):
            return flow["last"]
        if flow["last"] and self.chance(.15):
            was, its_flags, its_seq, its_ack, its_size = flow["last"]
            ends = its_size + bool(its_flags & SYN) + bool(its_flags & FIN)
            return 1 - was, flags, its_ack, word(its_seq + ends), size
        return direction, flags, seq, ack, size

    def tcp_options(self, flags, ack):
        if flags & SYN and self.chance(.7):
            if self.chance(.4):
                return b"\2\4\5\xb4\4\2\1\3\3" + bytes([self.pick(0, 2, 7, 14, 15)]) + b"\0\0"
            return self.pick(*TCP_OPTIONS)
        if self.chance(.1):
            n = self.below(3) + 1
            edges = [word(ack + self.pick(0, 100, 1000, -100, 5000)) for _ in range(n)]
            return b"\1\1\5" + bytes([2 + 8 * n]) + b"".join(
                struct.pack(">II", e, word(e + 500)) for e in edges)
        return b"\1\1\x08\x0a" + bytes(8) if self.chance(.1) else b""

    def tcp(self):
        (client, server, sport, dport), flow = self.tcp_flow()
        is_scripted = self.chance(.55)
        packet = self.tcp_scripted(flow) if is_scripted else self.tcp_odd(flow)
        direction, flags, seq, ack, size = flow["last"] = packet
        options = self.tcp_options(flags, ack)
        options += bytes(-len(options) % 4)
        words = 5 + len(options) // 4 if self.chance(.99) else self.below(16)
        src, dst, a, b = (client, server, sport, dport) if direction == 0 else (
            server, client, dport, sport)
        segment = struct.pack(">HHIIBBHHH", a, b, seq, ack, words << 4, flags,
                              self.pick(8192, 8192, 8192, 8192, 0, 1, 100, 65535), 0, 0)
        segment += options + bytes(size)
        if self.chance(.005):
            segment = segment[:self.below(len(segment))]
        if is_scripted or self.chance(.1):
            flow["seq"][direction] = word(seq + size + bool(flags & SYN) + bool(flags & FIN))
        self.emit(src, dst, 6, segment)

    # ---------------------------------------------------------------- datagrams

    def udp(self):
        src, dst = self.either()
        a, b = (5000 + self.below(4), 53) if self.chance(.5) else (53, 5000 + self.below(4))
        payload = bytes(self.below(40))
        length = 8 + len(payload)
        if self.chance(.15):
            coverage = self.pick(0, 8, length, 7, length + 1, 12)
            return self.emit(src, dst, 136, struct.pack(">HHHH", a, b, coverage, 0) + payload)
        if self.chance(.03):
            length = self.pick(0, 7, 8, length + 1, length - 1, 65535)
        datagram = struct.pack(">HHHH", a, b, length, 0) + payload
        self.emit(src, dst, 17, datagram[:self.below(8)] if self.chance(.02) else datagram)
        return self.damage(.03)

    def gre(self):
        src, dst = self.either()
        head = struct.pack(">HHHH", self.pick(0, 0x2000, 0x8000) | self.pick(0, 0, 1, 1, 2, 7),
                           self.pick(0x800, 0x880b, 0x880b), 8, self.below(3))
        self.emit(src, dst, 47, head[:self.pick(8, 8, 8, 8, 4, 6, 2)] + bytes(8))

    def other(self):
        src, dst = self.either()
        protos = (50, 89, 99, 33, 135, 139, 140, 59) if ":" in src else (
            33, 50, 89, 2, 4, 103, 255, 41, 99)
        self.emit(src, dst, self.pick(*protos), bytes(self.pick(0, 4, 12, 30)))

    def extension(self):
        proto, payload = 17, struct.pack(">HHHH", 5000, 53, 12, 0) + b"abcd"
        for _ in range(self.below(3) + 1):
            kind, longer = self.pick(0, 60, 43, 51, 60), self.below(2)
            if kind == 51:
                payload = struct.pack(">BB", proto, self.pick(1, 4)) + bytes(
                    2 + self.pick(8, 20)) + payload
            else:
                payload = struct.pack(">BB", proto, longer) + b"\1\4\0\0\0\0" + (
                    b"\1\6\0\0\0\0\0\0" if longer else b"") + payload
            proto = kind
        if self.chance(.1):
            payload = payload[:self.below(len(payload))]
        self.emit("2001:db8:1::10", "2001:db8:2::20", proto, payload)

    # ---------------------------------------------------------------- IP headers

    def ip_option(self):
        kind = self.pick(1, 7, 7, 68, 68, 130, 131, 134, 136, 137, 148, 25, self.below(256))
        if kind <= 1:
            return bytes([kind])
        size = self.pick(4, 4, 8, 11, 12, self.below(12))
        body = [self.pick(4, 5, 8, 9, self.below(16)), self.pick(0, 1, 3, 0xe0, self.below(256))]
        return bytes([kind, size] + body) + bytes(max(0, size - 4))

    def ip_options(self):
        """IPv4 options: right, broken, unknown, or asking for a route of their own."""
        packet = ip("192.168.1.10", "198.51.100.20", 17,
                    struct.pack(">HHHH", 5200 + self.below(3), 53, 12, 0) + b"abcd")
        options = b"".join(self.ip_option() for _ in range(self.below(3) + 1))
        options = (options + bytes(-len(options) % 4))[:40]
        head = bytes([0x45 + len(options) // 4]) + packet[1:2] + struct.pack(
            ">H", len(packet) + len(options)) + packet[4:20] + options
        self.packets.append(capture.fix_v4_header(head + packet[20:]))

    def odd_address(self):
        """Addresses that look as if they were nobody's."""
        src, dst = "192.168.1.10", "198.51.100.20"
        odd = self.pick("0.0.0.0", "0.0.0.1", "0.1.2.3", "240.0.0.1", "255.255.255.254",
                        "198.51.100.255", "224.0.0.1", "255.255.255.255")
        src, dst = self.pick((src, odd), (odd, dst), (odd, odd))
        self.emit(src, dst, 17, struct.pack(">HHHH", 5300 + self.below(3), 53, 12, 0) + b"abcd")

    def jumbogram(self):
        """IPv6 that says its length in an option, of which none is long enough."""
        payload = struct.pack(">BBBBI", 17, 0, 0xc2, 4, self.pick(0, 20, 65535, 65536, 1 << 31))
        payload += struct.pack(">HHHH", 5400, 53, 12, 0) + b"abcd"
        packet = ip("2001:db8:1::10", "2001:db8:2::20", 0, payload)
        length = self.pick(len(payload), 0, 0, 8)
        self.packets.append(packet[:4] + struct.pack(">H", length) + packet[6:])

    # ---------------------------------------------------------------- fragments

    def fragment(self, src, dst, ident, data, offset, more):
        if ":" in src:
            return self.emit(src, dst, 44, struct.pack(
                ">BBHI", 17, 0, offset | more, ident) + data)
        packet = bytearray(ip(src, dst, 17, data))
        struct.pack_into(">HH", packet, 4, ident & 0xffff, offset >> 3 | more << 13)
        return self.packets.append(capture.fix_v4_header(bytes(packet)))

    def fragments(self):
        """A datagram in pieces: complete or not, in any order, repeated, overlapping, odd."""
        src, dst = self.pair()
        ident = self.below(6) if self.chance(.4) else self.below(1 << 32)
        size = self.pick(40, 64, 200, 1000)
        whole = ip(src, dst, 17, struct.pack(">HHHH", 5100 + self.below(4), 53, 8 + size, 0)
                   + bytes(size))[-size - 8:]
        step = self.pick(16, 24, 64, 256)
        pieces = [(at, whole[at:at + step], at + step < len(whole))
                  for at in range(0, len(whole), step)]
        if self.chance(.4):
            self.random.shuffle(pieces)
        if self.chance(.3):
            pieces.insert(self.below(len(pieces) + 1), self.pick(*pieces))
        if self.chance(.2):
            at, data, more = self.pick(*pieces)
            odd = self.pick((at + 8, data, more), (max(0, at - 8), data, more), (at, data, not more),
                            (at, data[:-3], more), (at, data[:8], 1), (65528, data, 0), (at, b"", more))
            pieces.insert(self.below(len(pieces) + 1), odd)
        if self.chance(.2):
            pieces.pop(self.below(len(pieces)))
        for at, data, more in pieces:
            self.fragment(src, dst, ident, data, at, more)

    # ---------------------------------------------------------------- ICMP

    def icmp(self):
        src, dst = self.either()
        is_v6 = ":" in src
        kind = self.below(256) if self.chance(.1) else self.pick(
            *(ICMPV6_TYPES if is_v6 else ICMP_TYPES))
        message = struct.pack(">BBHHH", kind, self.pick(0, 0, 0, 1, self.below(256)), 0,
                              self.below(4), 1) + bytes(self.below(20))
        if self.chance(.03):
            message = message[:self.below(8)]
        self.emit(src, dst, 58 if is_v6 != self.chance(.02) else 1, message)

    def icmp_error(self):
        if not self.packets:
            return
        quoted = self.pick(*self.packets[-60:])
        ends = capture.addresses(quoted)
        if not ends:
            return
        is_v6 = quoted[0] >> 4 == 6
        dst = ends[0] if self.chance(.6) else self.pick(
            ends[1], "2001:db8:1::10" if is_v6 else "192.168.1.10")
        src = self.pick(ends[1], "2001:db8:9::1" if is_v6 else "203.0.113.7")
        cuts = (48, 60, 44, 40) if is_v6 else (28, 48, 24, 20, 60)
        quoted = quoted[:self.pick(len(quoted), *cuts)]
        kind = self.pick(1, 2, 3, 4, 5, 100, 137) if is_v6 else self.pick(3, 3, 3, 11, 4, 5, 12)
        self.emit(src, dst, 58 if is_v6 else 1,
                  struct.pack(">BBHI", kind, self.pick(0, 1, 3, 4), 0, 0) + quoted)

    # ---------------------------------------------------------------- SCTP

    def init_body(self, tag):
        return struct.pack(">IIHHI", tag, 1000, 1, 1, 1)

    @staticmethod
    def chunk(kind, flags=0, body=b"", length=None):
        length = 4 + len(body) if length is None else length
        return struct.pack(">BBH", kind, flags, length) + body + bytes(-len(body) % 4)

    def sctp_odd(self, tags, direction):
        body = b""
        for _ in range(self.pick(1, 1, 1, 1, 2, 3)):
            kind = self.pick(*SCTP_CHUNKS)
            if kind in (1, 2):
                body += self.chunk(kind, 0, self.init_body(self.pick(
                    tags[direction], tags[direction], self.below(9))))
            else:
                body += self.chunk(kind, self.pick(0, 0, 1), bytes(self.pick(0, 4, 12, 5)))
        if self.chance(.03):
            body = self.pick(b"", body[:self.below(len(body) + 1)], self.chunk(0, 0, b"", 0))
        return body, self.pick(0, tags[1 - direction], tags[1 - direction], tags[direction],
                               self.below(9))

    def sctp(self):
        client, server = self.pair()
        port, direction = 6000 + self.below(3), self.below(2)
        flow = self.flows.setdefault(("sctp", client, server, port), {"step": 0, "tags": None})
        if flow["tags"] is None or self.chance(.02):
            flow["tags"] = [self.below(8) + 1, self.below(8) + 1]
        if self.chance(.5):
            direction, kind = SCTP_SCRIPT[flow["step"] % len(SCTP_SCRIPT)]
            flow["step"] += 0 if self.chance(.15) else 1
            own = flow["tags"][direction]
            body = self.chunk(kind, 0, self.init_body(own) if kind in (1, 2) else bytes(12))
            tag = 0 if kind == 1 else flow["tags"][1 - direction]
        else:
            body, tag = self.sctp_odd(flow["tags"], direction)
        src, dst, a, b = (client, server, port, 3868) if direction == 0 else (
            server, client, 3868, port)
        self.emit(src, dst, 132, struct.pack(">HHII", a, b, tag, 0) + body)
        self.damage(.01)


def write(path, packets, late_s=0):
    """A pcap file of raw IP packets, all at one time but the last, which is that much later."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for n, p in enumerate(packets, 1):
            at = 1700000000 + (late_s if n == len(packets) else 0)
            f.write(struct.pack("<IIII", at, 0, len(p), len(p)) + p)
