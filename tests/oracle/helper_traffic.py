# SPDX-License-Identifier: BSD-2-Clause
"""Random dialogues that connection tracking helpers read, from a seed: FTP, TFTP, PPTP and SIP,
right, odd and damaged, and the connections they announce, or nearly so."""

import struct

import traffic
from traffic import ACK, FIN, PSH, RST, SYN

RULES = """*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 21 -j CT --helper ftp
-A PREROUTING -p udp -m udp --dport 69 -j CT --helper tftp
-A PREROUTING -p udp -m udp --dport 5060 -j CT --helper sip
-A PREROUTING -p tcp -m tcp --dport 5060 -j CT --helper sip
COMMIT
"""
RULES4 = RULES.replace("COMMIT", "-A PREROUTING -p tcp -m tcp --dport 1723 -j CT --helper pptp\nCOMMIT")
HELPERS = ("ftp:21", "tftp:69", "sip:5060", "pptp:1723")
WEIGHTS = {"pptp": 4, "gre_call": 4, "sip": 8, "media": 4, "ftp": 4, "data": 2, "tftp": 1}
# Message number: its sender, the bytes behind its prefix.
PPTP = {1: (0, 144), 2: (1, 144), 3: (0, 4), 4: (1, 4), 5: (0, 4), 6: (1, 8), 7: (0, 156),
        8: (1, 20), 9: (1, 208), 10: (0, 12), 11: (1, 16), 12: (0, 4), 13: (1, 136), 14: (1, 28),
        15: (0, 12)}
PPTP_SCRIPTS = [(1, 2, 7, 8), (1, 2, 7, 8, 8, 15, 12, 13), (1, 2, 9, 10, 11, 13, 3, 4)]
METHODS = ("INVITE", "INVITE", "REGISTER", "REGISTER", "ACK", "BYE", "UPDATE", "PRACK", "OPTIONS",
           "invite", "REGISTERED")


class Dialogues(traffic.Traffic):
    def __init__(self, seed):
        super().__init__(seed)
        self.streams = {}
        self.announced = []

    # ---------------------------------------------------------------- TCP

    def stream(self, client, server, sport, dport):
        key = (client, server, sport, dport)
        if key not in self.streams:
            self.streams[key] = [self.below(1 << 32), self.below(1 << 32)]
            for direction, flags in (0, SYN), (1, SYN | ACK), (0, ACK):
                self.say(key, direction, flags)
        return key

    def say(self, key, direction, flags, payload=b""):
        client, server, sport, dport = key
        seq = self.streams[key]
        src, dst, a, b = (client, server, sport, dport) if direction == 0 else (
            server, client, dport, sport)
        segment = struct.pack(">HHIIBBHHH", a, b, seq[direction],
                              seq[1 - direction] if flags & ACK else 0, 5 << 4, flags, 60000, 0, 0)
        self.emit(src, dst, 6, segment + payload)
        seq[direction] = traffic.word(seq[direction] + len(payload) + bool(flags & (SYN | FIN)))

    def close(self, key):
        if self.chance(.5):
            self.say(key, self.below(2), RST | ACK)
        else:
            for direction, flags in (0, FIN | ACK), (1, FIN | ACK), (0, ACK):
                self.say(key, direction, flags)
        del self.streams[key]

    def damaged(self, data, p=.1):
        """Some bytes of it changed, lost or doubled."""
        if not self.chance(p) or not data:
            return data
        at = self.below(len(data))
        return self.pick(data[:at], data[:at] + data[at + 1:], data[:at] + data[at:at + 9] + data[at:],
                         data[:at] + bytes([self.below(256)]) + data[at + 1:],
                         data[:at] + self.pick(b"\r\n", b"\n", b" ", b":", b",", b"0") + data[at:])

    # ---------------------------------------------------------------- PPTP

    def pptp_pair(self):
        return f"192.168.1.{10 + self.below(2)}", f"198.51.100.{20 + self.below(2)}"

    def pptp_message(self, kind, mine, theirs):
        size = PPTP.get(kind, (0, 8))[1]
        body = bytearray(size)
        result = 1 if self.chance(.9) else self.below(3)
        if kind == 2:
            body[2] = result
        elif kind == 4:
            body[0] = result
        elif kind in (8, 10):
            struct.pack_into(">HHB", body, 0, mine, theirs, result)
        elif kind == 11:
            struct.pack_into(">H", body, 0, theirs)
        elif size >= 2:
            struct.pack_into(">H", body, 0, mine)
        if self.chance(.05):
            body = body[:self.below(len(body) + 1)]
        return struct.pack(">HHIHH", 12 + size, 1 if self.chance(.98) else 2,
                           0x1a2b3c4d if self.chance(.98) else 1, kind, 0) + bytes(body)

    def pptp(self):
        client, server = self.pptp_pair()
        key = self.stream(client, server, 41000 + self.below(2), 1723)
        calls = [self.below(4), self.below(4)]
        script = self.pick(*PPTP_SCRIPTS) if self.chance(.8) else [
            self.below(18) for _ in range(self.below(4))]
        for kind in script:
            sender = PPTP.get(kind, (self.below(2), 0))[0]
            if self.chance(.04):
                sender = 1 - sender
            if self.chance(.05):
                calls[sender] = self.below(4)
            self.say(key, sender, PSH | ACK,
                     self.pptp_message(kind, calls[sender], calls[1 - sender]))
            if self.chance(.2):
                self.gre_call(client, server)
        if self.chance(.3):
            self.close(key)

    def gre_call(self, client=None, server=None):
        if client is None:
            client, server = self.pptp_pair()
        for _ in range(self.below(4) + 1):
            src, dst = (client, server) if self.chance(.5) else (server, client)
            self.emit(src, dst, 47, struct.pack(">HHHH", 0x3001 if self.chance(.9) else 0, 0x880b, 4,
                                                self.below(4)) + bytes(8))

    # ---------------------------------------------------------------- SIP

    def sip_address(self, own):
        return own if self.chance(.85) else self.pick(
            "192.168.1.10", "203.0.113.9", "2001:db8:1::10", "example.org", "10.0.0.300")

    def uri(self, own):
        host = self.sip_address(own)
        host = f"[{host}]" if ":" in host and self.chance(.95) else host
        port = self.pick("", ":5060", ":5061", ":80", ":70000", ":5062")
        name = self.pick("sip:", "sip:alice@", "SIP:bob@", "sips:x@", '"A, B" <sip:alice@')
        return name + host + port + self.pick("", "", ";transport=udp", ";transport=TCP",
                                              ";expires=0", ";expires=300", ">;expires=60")

    def sdp(self, own):
        family = "IP6" if ":" in own else "IP4"
        connection = f"c=IN {family} {self.sip_address(own)}\r\n"
        media = ""
        for _ in range(self.pick(0, 1, 1, 1, 2, 3, 4)):
            kind, port = self.pick("audio", "audio", "video", "image", "text"), self.pick(
                4000, 4000, 4002, 4004, 4005, 0, 1000, 70000)
            self.announced.append((own, port))
            media += f"m={kind} {port} RTP/AVP 0\r\n"
            if self.chance(.2):
                media += f"c=IN {family} {self.sip_address(own)}\r\n"
        return "v=0\r\no=- 1 1 IN %s %s\r\ns=-\r\n%st=0 0\r\n%s" % (
            family, own, connection if self.chance(.9) else "", media)

    def sip_text(self, own):
        method, cseq = self.pick(*METHODS), self.pick(1, 2, 3, 3, 0)
        if self.chance(.5):
            first = f"SIP/2.0 {self.pick(200, 200, 200, 180, 183, 100, 404, 486, 'x')} OK"
        else:
            first = f"{method} sip:{own} SIP/2.0"
        lines = [first, f"{self.pick('CSeq', 'cseq', 'CSEQ ')}: {cseq} {method}"]
        if self.chance(.6):
            lines.append("%s: %s" % (self.pick("Contact", "m", "Contact "),
                                     ",".join(self.uri(own) for _ in range(self.below(3) + 1))))
        if self.chance(.1):
            lines.append("Contact: <%s>" % self.uri(own))
        if self.chance(.4):
            lines.append(f"Expires: {self.pick(0, 1, 3600)}")
        if self.chance(.1):
            lines.append("X-Long: a\r\n\tb, c")
        self.random.shuffle(lines[1:])
        body = self.sdp(own) if self.chance(.5) else ""
        lines.append(f"{self.pick('Content-Length', 'l')}: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def sip_ends(self):
        return self.pick(("192.168.1.10", "198.51.100.20"), ("192.168.1.11", "198.51.100.20"),
                         ("2001:db8:1::10", "2001:db8:2::20"))

    def sip(self):
        client, server = self.sip_ends()
        direction = self.below(2)
        if self.chance(.2):
            key = self.stream(client, server, 42000, 5060)
            text = b"".join(self.sip_text(key[direction]) for _ in range(self.pick(1, 1, 2)))
            self.say(key, direction, PSH | ACK, self.damaged(text))
            if self.chance(.05):
                self.close(key)
            return
        ends = ((client, self.pick(5060, 5060, 5062)), (server, 5060))
        (src, a), (dst, b) = ends if direction == 0 else ends[::-1]
        text = self.damaged(self.sip_text(src))
        if self.chance(.02):
            text = text[:self.below(16)]
        self.emit(src, dst, 17, struct.pack(">HHHH", a, b, 8 + len(text), 0) + text)

    def media(self):
        """RTP to a port that was announced, or beside it; a call to one that was registered."""
        client, server = self.sip_ends()
        src, dst = (client, server) if self.chance(.5) else (server, client)
        port = self.pick(4000, 4001, 4002, 4003, 4004, 4005, 5060, 5061, 5062)
        if self.announced and self.chance(.5):
            dst, port = self.pick(*self.announced[-8:])
            src = server if dst != server else client
            port = (port + self.pick(0, 0, 1)) & 0xffff
            if (":" in src) != (":" in dst):
                return
        text = self.sip_text(src) if port in (5060, 5061, 5062) else bytes(12)
        self.emit(src, dst, 17, struct.pack(">HHHH", 6000 + self.below(2), port, 8 + len(text), 0)
                  + text)

    # ---------------------------------------------------------------- FTP, TFTP

    def ftp_line(self, direction, own):
        high, low = self.below(2) + 7, self.below(4)
        port = high * 256 + low
        self.announced.append((own, port))
        comma = own.replace(".", ",") if ":" not in own else "0,0,0,0"
        kind = "2" if ":" in own else "1"
        if direction == 0:
            return self.pick(f"PORT {comma},{high},{low}\r\n", f"EPRT |{kind}|{own}|{port}|\r\n",
                             f"port {comma},{high},{low}\r\n", "USER x\r\n", "PASV\r\n", "P")
        return self.pick(f"227 Entering Passive Mode ({comma},{high},{low}).\r\n",
                         f"229 Entering Extended Passive Mode (|||{port}|)\r\n", "220 hello\r\n")

    def ftp(self):
        client, server = self.pair()
        key = self.stream(client, server, 43000 + self.below(2), 21)
        for _ in range(self.below(4) + 1):
            direction = self.below(2)
            line = self.ftp_line(direction, key[direction]).encode()
            self.say(key, direction, PSH | ACK, self.damaged(line))
        if self.chance(.05):
            self.close(key)

    def data(self):
        """A connection to where FTP or SIP announced one."""
        if not self.announced:
            return
        dst, port = self.pick(*self.announced[-6:])
        src = self.pick("192.168.1.10", "192.168.1.11", "198.51.100.20", "198.51.100.21",
                        "2001:db8:1::10", "2001:db8:2::20")
        if (":" in src) == (":" in dst) and src != dst and 0 < port < 65536:
            self.emit(src, dst, 6, struct.pack(">HHIIBBHHH", 20, port, self.below(1 << 32), 0,
                                               5 << 4, SYN, 60000, 0, 0))

    def tftp(self):
        client, server = self.pair()
        port = 44000 + self.below(3)
        self.emit(client, server, 17, struct.pack(">HHHHH", port, 69, 14, 0, self.pick(1, 2, 3))
                  + b"a\0b\0")
        if self.chance(.7):
            self.emit(server, client, 17, struct.pack(">HHHHH", 45000 + self.below(3), port, 12, 0, 3)
                      + b"ab")
