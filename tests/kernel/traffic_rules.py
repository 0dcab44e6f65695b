# SPDX-License-Identifier: BSD-2-Clause
"""Random rule sets for packets of traffic_packets.py: every match and target that is judged, with
values that are near those of the traffic, so that both answers occur."""
import os
from datetime import datetime, timezone

HEAD = {"raw": ("PREROUTING",), "mangle": ("PREROUTING", "INPUT", "FORWARD", "POSTROUTING"),
        "filter": ("INPUT", "FORWARD")}
IN, OUT = ("PREROUTING", "INPUT", "FORWARD"), ("FORWARD", "POSTROUTING")
STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
PORTS = ("22", "25", "80", "443", "8080", "53", "1024:1030", "40000:65000", "5000:5003")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def is_answer(packet):
    """True for what the router itself says: errors, and the resets of REJECT."""
    if packet[0] >> 4 == 4:
        return packet[9] == 1 and packet[packet[0] % 16 * 4] in (3, 11) \
            and packet[12:16] in (b"\x0a\x01\0\x01", b"\x0a\x02\0\x01")
    return packet[6] == 58 and packet[40] in (1, 2, 3, 4, 133, 134, 135, 136, 143)


class Rules:
    """A rule set as text, and what a test must know of it."""

    def __init__(self, chance, family, number):
        self.chance, self.family, self.number = chance, family, number
        self.has_answers = False
        # Within a jiffy nf_conncount takes each packet for another connection.
        self.needs_pause = False
        self.extra = []
        self.names = 0
        self.text = "".join(self.table(t) for t in ("raw", "mangle", "filter"))

    # Words

    def pick(self, *of):
        return self.chance.choice(of)

    def no(self):
        return self.pick("", "", "", "! ")

    def some(self, words, least=1):
        return ",".join(self.chance.sample(words, self.chance.randint(least, len(words))))

    def name(self):
        self.names += 1
        return f"ctt{self.number}x{self.names}"

    def net(self):
        if self.family == 6:
            return self.pick("2001:db8:1::/64", "2001:db8:2::/64", "2001:db8:1::2",
                             "2001:db8:2::4", "2001:db8::/32", "2001:db8:9::7", "::/0",
                             "::2/0:0:0:0:0:0:0:ff")
        return self.pick("10.1.0.0/16", "10.2.0.0/16", "10.1.0.2", "10.2.0.4", "10.0.0.0/8",
                         "10.1.0.2/31", "198.51.100.7", "0.0.0.3/0.0.0.255", "0.0.0.0/0")

    def prefix(self):
        """A network whose mask iptables can write."""
        while ":ff" in (net := self.net()) or "0.0.3/" in net:
            pass
        return net

    def range(self):
        if self.family == 6:
            return self.pick("2001:db8:1::2-2001:db8:1::4", "2001:db8:2::3-2001:db8:2::ffff")
        return self.pick("10.1.0.2-10.1.0.4", "10.2.0.3-10.2.0.200")

    def mark(self):
        return self.pick("0x1", "0x2/0x3", "0x0/0xff", "7", "0x10/0xf0")

    # Matches: each gives text, with the protocol it needs or None, and the hooks where it may stand

    def m_state(self, hook):
        return f"-m state {self.no()}--state {self.some(STATES)}"

    def m_conntrack(self, hook):
        return "-m conntrack " + self.pick(
            f"{self.no()}--ctstate {self.some(STATES)}",
            f"{self.no()}--ctproto {self.pick(6, 17, 1, 132)}",
            f"{self.no()}--ctorigsrc {self.prefix()}", f"{self.no()}--ctrepldst {self.prefix()}",
            f"{self.no()}--ctorigdstport {self.pick('80', '22:53', '443')}",
            f"{self.no()}--ctstatus {self.some(('SEEN_REPLY', 'ASSURED', 'CONFIRMED'))}",
            f"--ctdir {self.pick('ORIGINAL', 'REPLY')}",
            f"{self.no()}--ctexpire {self.pick('0:30', '100:200', '500:')}",
            f"--ctstate {self.some(STATES)} {self.no()}--ctorigsrc {self.prefix()}")

    def m_mark(self, hook):
        return f"-m mark {self.no()}--mark {self.mark()}"

    def m_connmark(self, hook):
        return f"-m connmark {self.no()}--mark {self.mark()}"

    def m_connbytes(self, hook):
        return f"-m connbytes {self.no()}--connbytes {self.pick('2:4', '500:', '60:100', '1')} " \
            f"--connbytes-mode {self.pick('packets', 'bytes', 'avgpkt')} " \
            f"--connbytes-dir {self.pick('original', 'reply', 'both')}"

    def m_connlimit(self, hook):
        self.needs_pause = True
        bits = self.chance.choice((8, 16, 24, 31, 32) if self.family == 4 else (32, 64, 127, 128))
        return f"-m connlimit --connlimit-{self.pick('above', 'upto')} {self.pick(0, 1, 2, 3)} " \
            f"--connlimit-mask {bits} --connlimit-{self.pick('saddr', 'daddr')}"

    def m_helper(self, hook):
        return f"-m helper {self.no()}--helper ftp"

    def m_limit(self, hook):
        return f"-m limit --limit {self.pick('1/hour', '2/hour', '1/min')} " \
            f"--limit-burst {self.pick(1, 3, 10)}"

    def m_hashlimit(self, hook):
        modes = self.some(("srcip", "srcport", "dstip", "dstport"))
        text = f"-m hashlimit --hashlimit-{self.pick('upto', 'above')} " \
            f"{self.pick('1/hour', '3/day', '1/min')} --hashlimit-burst {self.pick(1, 2, 8)} " \
            f"--hashlimit-name {self.name()} --hashlimit-mode {modes}"
        if "srcip" in modes and self.chance.random() < 0.5:
            bits = self.chance.choice((8, 16, 31) if self.family == 4 else (48, 64, 127))
            text += f" --hashlimit-srcmask {bits}"
        return text

    def m_hashlimit_bytes(self, hook):
        return f"-m hashlimit --hashlimit-{self.pick('upto', 'above')} {self.pick(1, 2)}kb/s " \
            f"--hashlimit-burst {self.pick(4, 20)}kb " \
            f"--hashlimit-name {self.name()} --hashlimit-mode {self.pick('srcip', 'dstip')}"

    def m_hashlimit_rate(self, hook):
        return f"-m hashlimit --hashlimit-{self.pick('upto', 'above')} {self.pick(2, 5)}/s " \
            f"--hashlimit-burst {self.pick(3, 6)} --hashlimit-rate-match " \
            f"--hashlimit-rate-interval 3600 " \
            f"--hashlimit-name {self.name()} --hashlimit-mode {self.pick('srcip', 'dstip')}"

    def m_recent(self, hook):
        name = f"ctt{self.number}r{self.pick(1, 2)}"
        return f"-m recent --name {name} " + self.pick(
            "--set", "--set --rdest", f"{self.no()}--rcheck --seconds 600 --hitcount "
            f"{self.pick(1, 2, 4)}", f"{self.no()}--update --seconds 600 --hitcount 2",
            f"{self.no()}--rcheck", f"{self.no()}--remove", "--update --seconds 600 --rttl",
            "--rcheck --seconds 600 --reap")

    def m_statistic(self, hook):
        every = self.pick(1, 2, 3, 7)
        return f"-m statistic --mode nth {self.no()}--every {every} " \
            f"--packet {self.chance.randrange(every)}"

    def m_quota(self, hook):
        return f"-m quota {self.no()}--quota {self.pick(100, 1000, 5000, 20000)}"

    def m_length(self, hook):
        return f"-m length {self.no()}--length {self.pick('0:60', '40:100', '1000:', '48')}"

    def m_ttl(self, hook):
        name = "ttl" if self.family == 4 else "hl"
        how = self.pick("eq", "lt", "gt")
        no = self.no() if how == "eq" else ""
        return f"-m {name} {no}--{name}-{how} {self.pick(1, 4, 63, 64, 200)}"

    def m_tos(self, hook):
        return f"-m tos {self.no()}--tos {self.pick('0x10', '0x00/0xf0', '0x28/0x3f')}"

    def m_dscp(self, hook):
        return f"-m dscp {self.no()}--dscp {self.pick('0x2e', '0', '10')}"

    def m_ecn(self, hook):
        return f"-m ecn {self.no()}--ecn-ip-ect {self.pick(0, 1, 2, 3)}"

    def m_ecn_tcp(self, hook):
        return "tcp", f"-m ecn {self.no()}--ecn-tcp-{self.pick('ece', 'cwr')}"

    def m_addrtype(self, hook):
        kinds = self.some(("UNICAST", "LOCAL", "BROADCAST", "MULTICAST")) if self.family == 4 \
            else self.pick("LOCAL", "UNICAST", "MULTICAST")
        return f"-m addrtype {self.no()}--{self.pick('src', 'dst')}-type {kinds}"

    def m_addrtype_in(self, hook):
        if hook not in ("PREROUTING", "INPUT", "FORWARD") or self.family == 6:
            return ""
        return f"-m addrtype --{self.pick('src', 'dst')}-type LOCAL --limit-iface-in"

    def m_iprange(self, hook):
        return f"-m iprange {self.no()}--{self.pick('src', 'dst')}-range {self.range()}"

    def m_multiport(self, hook):
        kind = self.pick("sports", "dports", "ports")
        return self.pick("tcp", "udp", "sctp", "dccp"), \
            f"-m multiport {self.no()}--{kind} {self.pick('22,80', '53,1024:2000', '443', '5000')}"

    def m_string(self, hook):
        text = self.pick('--string needle', '--string "GET /"', '--hex-string "|00 01 02|"',
                         '--string NEEDLE --icase', '--hex-string "HTTP/1|2e|1"')
        limits = self.pick("", "", "--from 40", "--to 70", "--from 20 --to 60")
        return f"-m string {self.no()}{text} --algo {self.pick('bm', 'kmp')} {limits}"

    def m_u32(self, hook):
        tests = ("0>>22&0x3C@0>>16=1024:1030,80", "6&0xFF=6", "4&0x1FFF=0", "0&0xFFFF=40:100",
                 "0>>22&0x3C@12>>26&0x3C@0=0x47455420", "16=0x0A020004", "900=0", "8=0:0xFFFFFFFF",
                 "0>>22&0x3C@4&0xFF=0:200&&6&0xFF=17,6")
        return f'-m u32 {self.no()}--u32 "{self.chance.choice(tests)}"'

    def m_time(self, hook):
        now = datetime.now(timezone.utc)
        return "-m time " + self.pick(
            f"--timestart {(now.hour + 1) % 24:02}:00 --timestop {(now.hour + 3) % 24:02}:00",
            f"--timestart {(now.hour - 2) % 24:02}:00 --timestop {(now.hour + 2) % 24:02}:00",
            f"--timestart {(now.minute + 30) // 60 % 2 + 22:02}:30 --timestop {now.hour % 22:02}:59 "
            f"--contiguous --weekdays {self.some(DAYS)}",
            f"{self.no()}--weekdays {self.some(DAYS)}",
            f"{self.no()}--monthdays {self.some(tuple(map(str, range(1, 32))), 20)}",
            f"--datestart {now.year}-{now.month:02}-01", "--datestop 2020-01-01T00:00:00",
            f"--weekdays {now:%a} --kerneltz")

    def m_pkttype(self, hook):
        return f"-m pkttype {self.no()}--pkt-type {self.pick('unicast', 'broadcast', 'multicast')}"

    def m_mac(self, hook):
        return f"-m mac {self.no()}--mac-source 02:00:00:00:00:01" if hook in IN else ""

    def m_physdev(self, hook):
        return f"-m physdev {self.no()}--physdev-is-in" if hook in IN else ""

    def m_policy(self, hook):
        if hook == "PREROUTING":
            return f"-m policy --dir in --pol {self.pick('none', 'ipsec')}"
        return f"-m policy --dir in --pol {self.pick('none', 'ipsec')}" if hook == "INPUT" else ""

    def m_owner(self, hook):
        if hook != "POSTROUTING":
            return ""
        return "-m owner " + self.pick("--uid-owner 0", "! --uid-owner 5", "--socket-exists",
                                       "! --socket-exists")

    def m_rpfilter(self, hook):
        return "-m rpfilter " + self.pick("", "--invert", "--loose", "--accept-local") \
            if hook == "PREROUTING" else ""

    def m_comment(self, hook):
        return '-m comment --comment "of no meaning"'

    def m_tcp(self, hook):
        return "tcp", "-m tcp " + self.pick(
            f"{self.no()}--dport {self.pick(*PORTS)}", f"{self.no()}--sport {self.pick(*PORTS)}",
            f"{self.no()}--tcp-flags {self.some(FLAGS)} {self.pick('NONE', self.some(FLAGS))}",
            f"{self.no()}--syn", f"{self.no()}--tcp-option {self.pick(2, 4, 8, 3)}")

    def m_udp(self, hook):
        return "udp", f"-m udp {self.no()}--{self.pick('s', 'd')}port {self.pick(*PORTS)}"

    def m_sctp(self, hook):
        kinds = self.some(("DATA", "INIT", "INIT_ACK", "SACK", "HEARTBEAT", "ABORT:t", "DATA:Be",
                           "SHUTDOWN", "COOKIE_ECHO", "SHUTDOWN_COMPLETE:T", "I_DATA"))
        if kinds.count("DATA:") and kinds.startswith("DATA,"):
            kinds = "DATA"
        return "sctp", "-m sctp " + self.pick(
            f"{self.no()}--dport {self.pick('80', '22:443')}",
            f"{self.no()}--chunk-types {self.pick('all', 'any', 'only')} {kinds}",
            f"--chunk-types {self.pick('any', 'only')} ALL")

    def m_dccp(self, hook):
        return "dccp", "-m dccp " + self.pick(
            f"{self.no()}--dport {self.pick('80', '22:443')}",
            f"{self.no()}--dccp-types {self.some(('REQUEST', 'RESPONSE', 'ACK', 'CLOSE', 'RESET'))}",
            f"{self.no()}--dccp-option {self.pick(1, 32, 2)}")

    def m_tcpmss(self, hook):
        return "tcp", f"-m tcpmss {self.no()}--mss {self.pick('536', '1000:1460', '0:65535')}"

    def m_icmp(self, hook):
        if self.family == 6:
            return "icmpv6", f"-m icmp6 {self.no()}--icmpv6-type " \
                f"{self.pick('echo-request', 'echo-reply', '130', '128/0')}"
        return "icmp", f"-m icmp {self.no()}--icmp-type {self.pick('8', '0', 'any', '13', '3/1')}"

    def m_esp(self, hook):
        return "esp", f"-m esp {self.no()}--espspi {self.pick('256', '256:257', '0:100')}"

    def m_ah(self, hook):
        # To ip6tables AH is a header on the way to a protocol, to nft it is one.
        text = f"-m ah {self.no()}--ahspi {self.pick('512', '512:513', '0:100')}"
        return ("ah", text) if self.family == 4 else text

    def m_ipcomp(self, hook):
        return "108", f"-m ipcomp {self.no()}--ipcompspi {self.pick('768', '768:769', '0:5')}"

    def m_hbh(self, hook):
        if self.family == 4:
            return ""
        return self.pick("-m hbh", f"-m hbh {self.no()}--hbh-len 8", "-m hbh --hbh-opts 5:2",
                         "-m hbh --hbh-opts 5,1:4", f"-m dst {self.no()}--dst-len 8",
                         "-m dst --dst-opts 1:4", "-m dst --dst-opts 1:3")

    def m_rt(self, hook):
        if self.family == 4:
            return ""
        return "-m rt " + self.pick(f"{self.no()}--rt-type 2", "--rt-type 0",
                                    f"{self.no()}--rt-segsleft 0:2", f"{self.no()}--rt-len 8")

    def m_ipv6header(self, hook):
        if self.family == 4:
            return ""
        kinds = self.some(("hop", "dst", "route", "prot"))
        return f"-m ipv6header {self.no()}--header {kinds}{self.pick('', ' --soft')}"

    def m_frag(self, hook):
        return "-m frag --fragid 0:100" if self.family == 6 else ""

    # Targets

    def target(self, table, users):
        kinds = ["ACCEPT", "DROP", "RETURN", "MARK", "MARK", "LOGLESS", "", "CONNMARK", "CONNMARK"]
        if users:
            kinds += ["user"] * 3
        if table == "mangle":
            kinds += ["TTL", "TOS", "DSCP", "TCPMSS", "STRIP", "CLASSIFY", "ECN", "CHECKSUM"] * 2
        if table == "raw":
            kinds += ["NOTRACK", "CT", "CT"]
        if table == "filter":
            kinds += ["REJECT", "ACCEPT", "DROP"]
        return getattr(self, "t_" + kind.lower(), lambda u, k=kind: f"-j {k}")(users) \
            if (kind := self.chance.choice(kinds)) else ""

    def t_user(self, users):
        return f"-{self.pick('j', 'j', 'g')} {self.chance.choice(users)}"

    def t_logless(self, users):
        return "-j NFLOG --nflog-group 9"

    def t_mark(self, users):
        return "-j MARK " + self.pick("--set-mark 1", "--set-xmark 0x2/0x3", "--or-mark 0x10",
                                      "--and-mark 0xf0", "--xor-mark 0xff", "--set-mark 7")

    def t_connmark(self, users):
        return "-j CONNMARK " + self.pick("--set-mark 1", "--save-mark", "--restore-mark",
                                          "--set-xmark 0x10/0xf0", "--save-mark --mask 0xf",
                                          "--restore-mark --nfmask 0xff --ctmask 0xf0")

    def t_ttl(self, users):
        self.has_answers = True
        name, option = ("TTL", "ttl") if self.family == 4 else ("HL", "hl")
        return f"-j {name} --{option}-{self.pick('set', 'inc', 'dec')} {self.pick(1, 3, 200)}"

    def t_tos(self, users):
        return "-j TOS " + self.pick("--set-tos 0x10", "--set-tos 0x08/0x1c", "--or-tos 0x03",
                                     "--and-tos 0xf0", "--xor-tos 0xff")

    def t_dscp(self, users):
        return "-j DSCP " + self.pick("--set-dscp 46", "--set-dscp-class AF11", "--set-dscp 0")

    def t_classify(self, users):
        return ""

    def t_ecn(self, users):
        return ("tcp", "-j ECN --ecn-tcp-remove") if self.family == 4 else ""

    def t_checksum(self, users):
        return "-j CHECKSUM --checksum-fill"

    def t_tcpmss(self, users):
        return "tcp --syn", "-j TCPMSS --set-mss " + self.pick("536", "1300", "1460", "40")

    def t_strip(self, users):
        return "tcp", "-j TCPOPTSTRIP --strip-options " + self.pick("timestamp", "sack-permitted",
                                                                    "2,3,4", "mss,timestamp", "8")

    def t_reject(self, users):
        self.has_answers = True
        if self.family == 6:
            return "-j REJECT --reject-with " + self.pick("icmp6-port-unreachable", "adm-prohibited")
        return "-j REJECT --reject-with " + self.pick("icmp-port-unreachable", "icmp-net-prohibited")

    def t_notrack(self, users):
        return "-j NOTRACK"

    def t_ct(self, users):
        return "-j CT " + self.pick("--notrack", "--zone 7", "--zone-orig 3", "--zone mark", "--zone 0",
                                    "--ctevents new,destroy", "--zone-reply 4")

    # Rules

    def rule(self, table, chain, hooks, users):
        # What connlimit counts hangs on jiffies: only when it is asked for.
        matches = [m for m in dir(self) if m.startswith("m_") and
                   (m != "m_connlimit" or os.environ.get("CTT_CONNLIMIT"))]
        words, proto = [], None
        for _ in range(self.pick(0, 1, 1, 2, 3)):
            found = getattr(self, self.chance.choice(matches))
            text = found(hooks[0]) if len(hooks) == 1 else self.everywhere(found, hooks)
            if isinstance(text, tuple):
                if proto:
                    continue
                proto, text = text
            if text:
                words.append(text)
        target = self.target(table, users)
        if isinstance(target, tuple):
            if proto and proto != "tcp":
                target = "-j ACCEPT"
            else:
                syn = " -m tcp --syn" if "--syn" in target[0] else ""
                proto, target = "tcp", target[1]
                words = [w for w in words if not w.startswith("-m tcp ")] + [syn]
        text = f"-A {chain}"
        if proto:
            text += f" -p {proto}"
        elif self.chance.random() < 0.3:
            icmp = "icmp" if self.family == 4 else "icmpv6"
            text += f" {self.no()}-p {self.pick('tcp', 'udp', icmp, 'sctp', '47')}"
        for option in ("-s", "-d"):
            if self.chance.random() < 0.25:
                text += f" {option} {self.net()}"
        if set(hooks) <= set(IN) and self.chance.random() < 0.2:
            text += f" {self.no()}-i {self.pick('lan0', 'wan0', 'lan+', 'eth0')}"
        if set(hooks) <= set(OUT) and self.chance.random() < 0.2:
            text += f" {self.no()}-o {self.pick('lan0', 'wan0', 'w+')}"
        return " ".join(w for w in (text, *words, target) if w) + "\n"

    def everywhere(self, found, hooks):
        """A match for chains that are reached from several hooks: none that is for one only."""
        if found.__name__ in ("m_mac", "m_physdev", "m_policy", "m_owner", "m_rpfilter",
                              "m_addrtype_in"):
            return ""
        return found(hooks[0])

    def table(self, table):
        hooks = HEAD[table]
        users = [f"u{i}" for i in range(self.chance.randint(0, 2))]
        text = f"*{table}\n"
        for h in hooks:
            policy = "DROP" if table == "filter" and self.chance.random() < 0.2 else "ACCEPT"
            text += f":{h} {policy} [0:0]\n"
        text += "".join(f":{u} - [0:0]\n" for u in users)
        if table == "mangle":
            text += "-A PREROUTING -m conntrack --ctstate INVALID -j MARK --or-mark 0x20\n"
        for h in hooks:
            for _ in range(self.chance.randint(0, 6)):
                text += self.rule(table, h, (h,), users)
        for i, u in enumerate(users):
            for _ in range(self.chance.randint(1, 4)):
                text += self.rule(table, u, hooks if len(hooks) > 1 else ("PREROUTING",), users[i + 1:])
        return text + "COMMIT\n"


def random_set(chance, family, number):
    return Rules(chance, family, number)
