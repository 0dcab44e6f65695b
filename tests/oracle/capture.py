# SPDX-License-Identifier: BSD-2-Clause
"""Read pcap / pcapng files and reduce every frame to its network-layer packet.

Pure standard library.  Nothing here interprets transport state: the module
only finds the IPv4/IPv6 packet inside a captured frame, and can pick the
addresses and ports out of it for display.
"""
import gzip
import ipaddress
import struct

LINK_NAMES = {
    0: "NULL", 1: "ETHERNET", 9: "PPP", 12: "RAW(12)", 14: "RAW(14)", 50: "PPP_HDLC",
    51: "PPP_ETHER", 101: "RAW", 104: "C_HDLC", 108: "LOOP", 113: "LINUX_SLL",
    105: "IEEE802_11", 127: "RADIOTAP", 166: "PPP_PPPD", 228: "IPV4", 229: "IPV6",
    239: "NFLOG", 276: "LINUX_SLL2",
}


class Frame:
    __slots__ = ("ts_ns", "data", "wirelen", "link", "ifname")

    def __init__(self, ts_ns, data, wirelen, link, ifname=None):
        self.ts_ns = ts_ns
        self.data = data
        self.wirelen = wirelen
        self.link = link
        self.ifname = ifname


def _open(path):
    f = open(path, "rb")
    if f.read(2) == b"\x1f\x8b":
        f.close()
        return gzip.open(path, "rb")
    f.seek(0)
    return f


def read_frames(path):
    """Yield Frame objects; stops quietly at a file cut short (notes it in .cut)."""
    with _open(path) as f:
        blob = f.read()
    if len(blob) < 24:
        return
    magic = blob[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from _read_pcapng(blob)
        return
    kinds = {
        b"\xd4\xc3\xb2\xa1": ("<", 1000, 16), b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
        b"\x4d\x3c\xb2\xa1": ("<", 1, 16), b"\xa1\xb2\x3c\x4d": (">", 1, 16),
        b"\x34\xcd\xb2\xa1": ("<", 1000, 24), b"\xa1\xb2\xcd\x34": (">", 1000, 24),
    }
    if magic not in kinds:
        raise ValueError("not a pcap/pcapng file: %s" % path)
    e, mul, hlen = kinds[magic]
    link = struct.unpack_from(e + "I", blob, 20)[0] & 0xFFFF
    off = 24
    while off + hlen <= len(blob):
        sec, frac, cap, wire = struct.unpack_from(e + "IIII", blob, off)
        off += hlen
        if cap > 0x4000000 or off + cap > len(blob):
            return
        yield Frame(sec * 1000000000 + frac * mul, blob[off:off + cap], wire, link)
        off += cap


def _read_pcapng(blob):
    e = "<"
    off = 0
    ifs = []
    while off + 12 <= len(blob):
        btype = struct.unpack_from(e + "I", blob, off)[0]
        if blob[off:off + 4] == b"\x0a\x0d\x0d\x0a":
            e = "<" if blob[off + 8:off + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            ifs = []
        blen = struct.unpack_from(e + "I", blob, off + 4)[0]
        if blen < 12 or off + blen > len(blob):
            return
        body = blob[off + 8:off + blen - 4]
        btype = struct.unpack_from(e + "I", blob, off)[0]
        if btype == 1:
            link = struct.unpack_from(e + "H", body, 0)[0]
            tick, name, tsoff = 1000, None, 0
            o = 8
            while o + 4 <= len(body):
                code, ln = struct.unpack_from(e + "HH", body, o)
                val = body[o + 4:o + 4 + ln]
                if code == 0:
                    break
                if code == 9 and ln >= 1:
                    r = val[0]
                    tick = (1e9 / (1 << (r & 0x7F))) if r & 0x80 else 10 ** (9 - (r & 0x7F))
                elif code == 2:
                    name = val.rstrip(b"\0").decode("utf-8", "replace")
                elif code == 14 and ln == 8:
                    tsoff = struct.unpack(e + "q", val)[0]
                o += 4 + ((ln + 3) & ~3)
            snap = struct.unpack_from(e + "I", body, 4)[0]
            ifs.append((link, tick, name, tsoff, snap))
        elif btype == 6 and len(body) >= 20:
            ifn, hi, lo, cap, wire = struct.unpack_from(e + "IIIII", body, 0)
            if ifn < len(ifs):
                link, tick, name, tsoff, _ = ifs[ifn]
                ts = int(((hi << 32) | lo) * tick) + tsoff * 1000000000
                yield Frame(ts, body[20:20 + cap], wire, link, name)
        elif btype == 3 and ifs:
            wire = struct.unpack_from(e + "I", body, 0)[0]
            cap = min(wire, len(body) - 4, ifs[0][4] or wire)
            yield Frame(0, body[4:4 + cap], wire, ifs[0][0], ifs[0][2])
        elif btype == 2 and len(body) >= 20:
            ifn, _, hi, lo, cap, wire = struct.unpack_from(e + "HHIIII", body, 0)
            if ifn < len(ifs):
                link, tick, name, tsoff, _ = ifs[ifn]
                ts = int(((hi << 32) | lo) * tick) + tsoff * 1000000000
                yield Frame(ts, body[20:20 + cap], wire, link, name)
        off += blen


# ---------------------------------------------------------------- link layer

def _by_version(d):
    if d and d[0] >> 4 == 4:
        return d, 4
    if d and d[0] >> 4 == 6:
        return d, 6
    return None, "not-ip"


def _by_ethertype(t, d, depth=0):
    while t in (0x8100, 0x88A8, 0x9100, 0x9200) and len(d) >= 4:
        t = struct.unpack_from(">H", d, 2)[0]
        d = d[4:]
    if t == 0x0800:
        return d, 4
    if t == 0x86DD:
        return d, 6
    if t == 0x8864 and len(d) >= 8:
        return _by_ppp(d[6:])
    if t in (0x8847, 0x8848):
        while len(d) >= 4:
            bottom = d[2] & 1
            d = d[4:]
            if bottom:
                return _by_version(d)
        return None, "mpls-cut"
    if t <= 1500:
        if d[:6] == b"\xaa\xaa\x03\x00\x00\x00" and len(d) >= 8 and depth == 0:
            return _by_ethertype(struct.unpack_from(">H", d, 6)[0], d[8:], 1)
        return None, "llc"
    return None, "ethertype-0x%04x" % t


def _by_ppp(d):
    if d[:2] == b"\xff\x03":
        d = d[2:]
    if len(d) < 2:
        return None, "ppp-cut"
    if d[0] & 1:
        p, d = d[0], d[1:]
    else:
        p, d = struct.unpack_from(">H", d)[0], d[2:]
    if p == 0x0021:
        return d, 4
    if p == 0x0057:
        return d, 6
    return None, "ppp-0x%04x" % p


def to_l3(fr):
    """-> (l3 bytes, 4 or 6, l2 header length) or (None, reason, 0)"""
    d, link = fr.data, fr.link
    if link == 1:
        if len(d) < 14:
            return None, "short-frame", 0
        r = _by_ethertype(struct.unpack_from(">H", d, 12)[0], d[14:])
    elif link in (101, 12, 14):
        r = _by_version(d)
    elif link == 228:
        r = (d, 4)
    elif link == 229:
        r = (d, 6)
    elif link == 113:
        r = _by_ethertype(struct.unpack_from(">H", d, 14)[0], d[16:]) if len(d) >= 16 else (None, "short-frame")
    elif link == 276:
        r = _by_ethertype(struct.unpack_from(">H", d, 0)[0], d[20:]) if len(d) >= 20 else (None, "short-frame")
    elif link in (0, 108):
        r = _by_version(d[4:])
    elif link in (9, 50, 166):
        r = _by_ppp(d[1:] if link == 166 else d)
    elif link == 51:
        r = _by_ppp(d[6:])
    elif link == 104:
        r = _by_ethertype(struct.unpack_from(">H", d, 2)[0], d[4:]) if len(d) >= 4 else (None, "short-frame")
    elif link == 239:
        o, pay = 4, None
        while o + 4 <= len(d):
            ln, ty = struct.unpack_from("<HH", d, o)
            if ln < 4:
                break
            if ty == 9:
                pay = d[o + 4:o + ln]
            o += (ln + 3) & ~3
        r = _by_version(pay) if pay else (None, "nflog-no-payload")
    else:
        return None, "link-%s" % LINK_NAMES.get(link, link), 0
    if r[0] is None:
        return None, r[1], 0
    return r[0], r[1], len(d) - len(r[0])


# ---------------------------------------------------------------- addresses

PROTO_NAMES = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 33: "dccp", 41: "ipv6", 47: "gre",
               50: "esp", 51: "ah", 58: "icmpv6", 89: "ospf", 132: "sctp", 136: "udplite"}


def addresses(d):
    """(src, dst) as strings, or None if the header is not even that long."""
    try:
        if d[0] >> 4 == 4 and len(d) >= 20:
            return str(ipaddress.IPv4Address(d[12:16])), str(ipaddress.IPv4Address(d[16:20]))
        if d[0] >> 4 == 6 and len(d) >= 40:
            return str(ipaddress.IPv6Address(d[8:24])), str(ipaddress.IPv6Address(d[24:40]))
    except (IndexError, ValueError):
        pass
    return None


def brief(d):
    """One-token description of an L3 packet: proto:src[:port]>dst[:port][,note]"""
    a = addresses(d)
    if a is None:
        return "short"
    note = ""
    if d[0] >> 4 == 4:
        p, off = d[9], (d[0] & 15) * 4
        fo = struct.unpack_from(">H", d, 6)[0]
        frag = fo & 0x1FFF
        if fo & 0x3FFF:
            note = ",frag@%d%s" % (frag * 8, "+" if fo & 0x2000 else "")
    else:
        p, off, frag = d[6], 40, 0
        for _ in range(12):
            if p in (0, 43, 60, 135) and len(d) >= off + 8:
                p, off = d[off], off + 8 + 8 * d[off + 1]
            elif p == 51 and len(d) >= off + 8:
                p, off = d[off], off + 8 + 4 * d[off + 1]
            elif p == 44 and len(d) >= off + 8:
                fo = struct.unpack_from(">H", d, off + 2)[0]
                frag = fo >> 3
                note = ",frag@%d%s" % (fo & 0xFFF8, "+" if fo & 1 else "")
                p, off = d[off], off + 8
                if frag:
                    break
            else:
                break
    name = PROTO_NAMES.get(p, str(p))
    s, t = a
    if not frag and len(d) >= off + 4 and p in (6, 17, 33, 132, 136):
        sp, dp = struct.unpack_from(">HH", d, off)
        if ":" in s:
            s, t = "[%s]" % s, "[%s]" % t
        s, t = "%s:%d" % (s, sp), "%s:%d" % (t, dp)
        if p == 6 and len(d) >= off + 14:
            fl = d[off + 13]
            note += "," + ("".join(c for b, c in ((2, "S"), (1, "F"), (4, "R"), (8, "P"), (16, "A"),
                                                  (32, "U"), (64, "E"), (128, "C")) if fl & b) or "-")
    elif not frag and len(d) >= off + 2 and p in (1, 58):
        note += ",type=%d,code=%d" % (d[off], d[off + 1])
        if len(d) >= off + 6 and (p, d[off]) in ((1, 0), (1, 8), (58, 128), (58, 129)):
            note += ",id=%d" % struct.unpack_from(">H", d, off + 4)[0]
    return "%s:%s>%s%s" % (name, s, t, note)


def flow(d, embedded=False):
    """(proto, src, dst, a, b, offset) of an unfragmented packet, or None.
    a, b: ports; for echo messages the identifier twice."""
    try:
        if d[0] >> 4 == 4:
            off, p = (d[0] & 15) * 4, d[9]
            if struct.unpack_from(">H", d, 6)[0] & 0x1FFF:
                return None
            s, t = d[12:16], d[16:20]
        elif d[0] >> 4 == 6:
            off, p = 40, d[6]
            s, t = d[8:24], d[24:40]
            while p in (0, 43, 60, 135):
                p, off = d[off], off + 8 + 8 * d[off + 1]
        else:
            return None
        if p in (6, 17, 132, 136):
            a, b = struct.unpack_from(">HH", d, off)
        elif (p == 1 and d[off] in (0, 8)) or (p == 58 and d[off] in (128, 129)):
            a = b = struct.unpack_from(">H", d, off + 4)[0]
        elif p in (1, 58):
            return None
        else:
            a = b = 0
        if len(t) not in (4, 16):
            return None
        return p, bytes(s), bytes(t), a, b, off
    except (IndexError, struct.error):
        return None


def rewrite(d, f):
    """Copy of d with the addresses and ports of f = (proto, src, dst, a, b)."""
    p, s, t, a, b = f
    off = flow(d)[5]
    d = bytearray(d)
    if d[0] >> 4 == 4:
        d[12:16], d[16:20] = s, t
    else:
        d[8:24], d[24:40] = s, t
    if p in (6, 17, 132, 136):
        d[off:off + 4] = struct.pack(">HH", a, b)
    elif p in (1, 58):
        d[off + 4:off + 6] = struct.pack(">H", a)
    return bytes(d)


def icmp_error_offset(d):
    """Offset of the packet quoted by an ICMP/ICMPv6 error, or None."""
    try:
        if d[0] >> 4 == 4 and d[9] == 1:
            off = (d[0] & 15) * 4
            if d[off] in (3, 4, 5, 11, 12):
                return off + 8
        if d[0] >> 4 == 6 and d[6] == 58 and d[40] in (1, 2, 3, 4):
            return 48
    except IndexError:
        pass
    return None


class FollowNat:
    """Peers behind the translator answer to the translated address.

    Watches what goes in and what comes out; later packets of the other
    direction are readdressed the way a real peer would have sent them."""

    def __init__(self):
        self.back = {}
        self.count = 0

    def learn(self, sent, outs):
        """outs: [(interface name, packet)]"""
        f = flow(sent)
        if not f or len(outs) != 1:
            return
        g = flow(outs[0][1])
        if not g or g[0] != f[0]:
            return
        rf = (f[0], f[2], f[1], f[4], f[3])
        if f[:5] != g[:5]:
            self.back[rf] = (g[0], g[2], g[1], g[4], g[3], outs[0][0])
        elif rf in self.back:
            del self.back[rf]

    def apply(self, d):
        """-> (packet as a real peer would send it, interface it comes from or None)"""
        f = flow(d)
        if f and f[:5] in self.back:
            self.count += 1
            m = self.back[f[:5]]
            return fix_transport(rewrite(d, m[:5])), m[5]
        o = icmp_error_offset(d)
        if o is not None:
            q = flow(d[o:])
            if q:
                m = self.back.get((q[0], q[2], q[1], q[4], q[3]))
                if m:
                    inner = rewrite(d[o:], (m[0], m[2], m[1], m[4], m[3]))
                    if inner[0] >> 4 == 4:
                        inner = fix_v4_header(inner)
                    d = bytearray(d[:o] + inner)
                    if d[0] >> 4 == 4 and bytes(d[16:20]) == q[1]:
                        d[16:20] = m[2]
                    elif d[0] >> 4 == 6 and bytes(d[24:40]) == q[1]:
                        d[24:40] = m[2]
                    self.count += 1
                    return fix_transport(bytes(d)), m[5]
        return d, None


# ---------------------------------------------------------------- checksums

def csum(b, start=0):
    if len(b) & 1:
        b += b"\0"
    s = start + sum(struct.unpack(">%dH" % (len(b) // 2), b))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return s


def fix_v4_header(d):
    h = (d[0] & 15) * 4
    d = bytearray(d)
    d[10:12] = b"\0\0"
    d[10:12] = struct.pack(">H", 0xFFFF ^ csum(bytes(d[:h])))
    return bytes(d)


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def fix_transport(d):
    """Recompute header and transport checksums of an unfragmented packet."""
    if d[0] >> 4 == 4:
        h = (d[0] & 15) * 4
        if len(d) < 20 or len(d) < h:
            return d
        d = fix_v4_header(d)
        if struct.unpack_from(">H", d, 6)[0] & 0x3FFF:
            return d
        p, off = d[9], h
        tot = struct.unpack_from(">H", d, 2)[0]
        pay = d[off:tot]
        pseudo = d[12:20] + struct.pack(">BBH", 0, p, len(pay))
    elif d[0] >> 4 == 6 and len(d) >= 40:
        p, off = d[6], 40
        while p in (0, 43, 60, 135) and len(d) >= off + 8:
            p, off = d[off], off + 8 + 8 * d[off + 1]
        if p in (44, 51):
            return d
        tot = 40 + struct.unpack_from(">H", d, 4)[0]
        pay = d[off:tot]
        pseudo = d[8:40] + struct.pack(">IHBB", len(pay), 0, 0, p)
    else:
        return d
    pos = {6: 16, 17: 6, 1: 2, 58: 2, 33: 6, 136: 6}.get(p)
    if p == 132 and len(pay) >= 12:
        pay = pay[:8] + b"\0\0\0\0" + pay[12:]
        pay = pay[:8] + struct.pack("<I", crc32c(pay)) + pay[12:]
        return d[:off] + pay + d[tot:]
    if pos is None or len(pay) < pos + 2 or len(d) < tot:
        return d
    if p == 17 and pay[6:8] == b"\0\0" and d[0] >> 4 == 4:
        return d
    z = pay[:pos] + b"\0\0" + pay[pos + 2:]
    c = 0xFFFF ^ csum(z, 0 if p == 1 else csum(pseudo))
    if c == 0 and p in (17, 136):
        c = 0xFFFF
    return d[:off] + pay[:pos] + struct.pack(">H", c) + pay[pos + 2:] + d[tot:]


# ---------------------------------------------------------------- pcapng out

class PcapngWriter:
    """Raw-IP pcapng with one named interface per ingress side, ns stamps."""

    def __init__(self, path, names):
        self.f = open(path, "wb")
        self.ids = {}
        self._block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        for n in names:
            self.ids[n] = len(self.ids)
            nb = n.encode()
            opt = struct.pack("<HH", 2, len(nb)) + nb + b"\0" * (-len(nb) % 4)
            opt += struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HH", 0, 0)
            self._block(1, struct.pack("<HHI", 101, 0, 0) + opt)

    def _block(self, t, body):
        n = len(body) + 12
        self.f.write(struct.pack("<II", t, n) + body + struct.pack("<I", n))

    def packet(self, ifname, ts_ns, data):
        self._block(6, struct.pack("<IIIII", self.ids[ifname], ts_ns >> 32, ts_ns & 0xFFFFFFFF,
                                   len(data), len(data)) + data + b"\0" * (-len(data) % 4))

    def close(self):
        self.f.close()
