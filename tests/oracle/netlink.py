# SPDX-License-Identifier: BSD-2-Clause
"""Just enough netlink: packet log (NFLOG), conntrack events, dump, ageing."""
import ipaddress
import os
import socket
import struct

NETFILTER = 12
ALIGN = lambda n: (n + 3) & ~3

TCP_STATES = ["NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT",
              "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"]
SCTP_STATES = ["NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT",
               "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT"]
PROTO = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 58: "icmpv6", 132: "sctp", 136: "udplite"}


def attr(t, data):
    return struct.pack("<HH", len(data) + 4, t) + data + b"\0" * (-len(data) % 4)


def attrs(buf):
    out, o = {}, 0
    while o + 4 <= len(buf):
        ln, t = struct.unpack_from("<HH", buf, o)
        if ln < 4:
            break
        out[t & 0x3FFF] = buf[o + 4:o + ln]
        o += ALIGN(ln)
    return out


def messages(buf):
    o = 0
    while o + 16 <= len(buf):
        ln, ty, fl, seq, pid = struct.unpack_from("<IHHII", buf, o)
        if ln < 16:
            break
        yield ty, fl, buf[o + 16:o + ln]
        o += ALIGN(ln)


class Nl:
    def __init__(self, rcv=32 << 20):
        self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
        self.s.bind((0, 0))
        self.s.setsockopt(socket.SOL_SOCKET, 33, rcv)      # SO_RCVBUFFORCE
        self.seq = 0

    def send(self, ty, flags, body, family=0, res=0):
        self.seq += 1
        p = struct.pack("<BBH", family, 0, socket.htons(res)) + body
        self.s.send(struct.pack("<IHHII", 16 + len(p), ty, flags | 1, self.seq, 0) + p)

    def ack(self):
        while True:
            for ty, fl, b in messages(self.s.recv(1 << 16)):
                if ty == 2:
                    return -struct.unpack_from("<i", b)[0]

    def drain(self):
        out = []
        while True:
            try:
                out.append(self.s.recv(1 << 17, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return out
            except OSError as e:
                if e.errno == 105:            # ENOBUFS: something was lost
                    out.append(None)
                    continue
                raise


class PacketLog(Nl):
    """One message per probe rule hit, delivered before the send call returns."""

    def __init__(self, group):
        super().__init__()
        self.send(0x401, 4, attr(1, b"\x01"), res=group)
        if self.ack():
            raise OSError("packet log group refused")
        self.send(0x401, 4, attr(2, struct.pack(">IBB", 0, 1, 0)), res=group)
        self.ack()
        self.lost = 0

    def read(self):
        out = []
        for buf in self.drain():
            if buf is None:
                self.lost += 1
                continue
            for ty, fl, b in messages(buf):
                if ty == 0x400:
                    a = attrs(b[4:])
                    mark = struct.unpack(">I", a[2])[0] if 2 in a else 0
                    out.append((a.get(10, b"").rstrip(b"\0").decode(), mark))
        return out


def _tuple(buf, l3):
    a = attrs(buf)
    ip, pr = attrs(a.get(1, b"")), attrs(a.get(2, b""))
    t = {}
    if 1 in ip:
        t["src"], t["dst"] = (str(ipaddress.IPv4Address(ip[i])) for i in (1, 2))
    elif 3 in ip:
        t["src"], t["dst"] = (str(ipaddress.IPv6Address(ip[i])) for i in (3, 4))
    num = pr[1][0] if 1 in pr else 0
    be = lambda i: struct.unpack(">H", pr[i])[0]
    if 5 in pr:
        t.update(type=pr[5][0], code=pr[6][0], id=be(4))
    elif 8 in pr:
        t.update(type=pr[8][0], code=pr[9][0], id=be(7))
    elif 2 in pr and num in (6, 17, 33, 132, 136):
        t.update(sport=be(2), dport=be(3))
    elif 2 in pr and num == 47:
        t.update(srckey=be(2), dstkey=be(3))
    return num, t


def decode_ct(body):
    """ctnetlink message body -> canonical entry (+ id, raw tuple for updates)."""
    fam = body[0]
    a = attrs(body[4:])
    num, o = _tuple(a[1], fam)
    _, r = _tuple(a[2], fam) if 2 in a else (0, {})
    st = struct.unpack(">I", a[3])[0] if 3 in a else 0
    e = {"family": "ipv4" if fam == 2 else "ipv6", "proto": PROTO.get(num, "unknown"), "l4num": num,
         "timeout": struct.unpack(">I", a[7])[0] if 7 in a else None, "state": None, "orig": o, "reply": r,
         "flags": [], "mark": struct.unpack(">I", a[8])[0] if 8 in a else 0,
         "zone": struct.unpack(">H", a[18])[0] if 18 in a else 0}
    for idx, side in ((9, o), (10, r)):
        if idx in a:
            c = attrs(a[idx])
            side["packets"] = struct.unpack(">Q", c[1])[0]
            side["bytes"] = struct.unpack(">Q", c[2])[0]
    if 4 in a:
        pi = attrs(a[4])
        if 1 in pi:
            s = attrs(pi[1]).get(1)
            if s:
                e["state"] = TCP_STATES[s[0]] if s[0] < len(TCP_STATES) else str(s[0])
        elif 3 in pi:
            s = attrs(pi[3]).get(1)
            if s:
                e["state"] = SCTP_STATES[s[0]] if s[0] < len(SCTP_STATES) else str(s[0])
    if not st & 2:
        e["flags"].append("UNREPLIED")
    if st & 4:
        e["flags"].append("ASSURED")
    e["flags"].sort()
    if 5 in a:
        n = attrs(a[5]).get(1)
        if n:
            e["helper"] = n.rstrip(b"\0").decode()
    return e, (struct.unpack(">I", a[12])[0] if 12 in a else 0), a.get(1), a.get(18), fam, st


class Events(Nl):
    def __init__(self):
        super().__init__(128 << 20)
        for g in (1, 2, 3):               # new, update, destroy
            self.s.setsockopt(270, 1, g)  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP
        self.lost = 0

    def read(self):
        out = []
        for buf in self.drain():
            if buf is None:
                self.lost += 1
                continue
            for ty, fl, b in messages(buf):
                if ty >> 8 != 1:
                    continue
                e, cid, _, _, _, st = decode_ct(b)
                kind = "D" if ty & 0xFF == 2 else ("N" if fl & 0x400 else "U")
                out.append((kind, e, cid, st))
        return out


class Table(Nl):
    def dump(self):
        self.send(0x101, 0x300, b"")
        out = []
        while True:
            for ty, fl, b in messages(self.s.recv(1 << 18)):
                if ty == 3:
                    return out
                if ty == 0x100:
                    out.append((decode_ct(b), b))

    def set_timeout(self, fam, tup, zone, secs):
        body = attr(0x8001, tup) + (attr(18, zone) if zone else b"") + attr(7, struct.pack(">I", secs))
        self.send(0x100, 4, body, family=fam)
        return self.ack()

    def delete(self, fam, tup, zone, cid):
        body = attr(0x8001, tup) + (attr(18, zone) if zone else b"") + attr(12, struct.pack(">I", cid))
        self.send(0x102, 4, body, family=fam)
        return self.ack()


class Ager:
    """Lets virtual time pass: every entry's remaining timeout is shortened by
    the skipped amount, entries that would have run out are deleted."""

    def __init__(self):
        self.t = Table()
        self.known = {}

    def skip(self, clock, target):
        """Age the table from clock() to the virtual time `target`.  Entries not
        refreshed since the last call keep their exact expiry; the others are
        known to the second.  -> number of entries that ran out."""
        gone, seen = 0, {}
        rows = self.t.dump()
        now = clock()
        for (e, cid, tup, zone, fam, st), _ in rows:
            r = e["timeout"]
            if r is None:
                continue
            end = now + r + 0.5
            k = self.known.get(cid)
            if k and abs(k[1] - end) <= 1.01:
                end = k[0]
            if end <= target:
                self.t.delete(fam, tup, zone, cid)
                gone += 1
                continue
            n = max(1, int(end - target + 0.999))
            if self.t.set_timeout(fam, tup, zone, n) == 0:
                seen[cid] = (end, target + n)
        self.known = seen
        return gone
