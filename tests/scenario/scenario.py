# SPDX-License-Identifier: BSD-2-Clause
"""Reads scenarios, makes packets of them, and checks what an executor made of the packets.

An executor is a function of (pcap, n, settings): it feeds the first n packets and returns the table
as text and the state of packet n.
"""

import struct
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))
import canon  # noqa: E402
import traffic  # noqa: E402

START = 1700000000
FLAGS = {"S": 2, "A": 16, "F": 1, "R": 4, "P": 8, "U": 32}
CHUNKS = {"DATA": 0, "INIT": 1, "INIT_ACK": 2, "SACK": 3, "HEARTBEAT": 4, "HEARTBEAT_ACK": 5,
          "ABORT": 6, "SHUTDOWN": 7, "SHUTDOWN_ACK": 8, "ERROR": 9, "COOKIE_ECHO": 10,
          "COOKIE_ACK": 11, "SHUTDOWN_COMPLETE": 14}


class Fault(Exception):
    pass


def endpoint(text):
    """ADDR:PORT, [ADDR]:PORT, or ADDR."""
    if text.startswith("["):
        addr, port = text[1:].split("]:")
        return addr, int(port)
    if text.count(":") == 1:
        addr, port = text.split(":")
        return addr, int(port)
    return text, 0


def options(words):
    """NAME NUMBER pairs and lone words."""
    found = {}
    while words:
        word = words.pop(0)
        if word == "from":
            found[word] = words.pop(0)
        elif words and words[0].lstrip("-").isdigit():
            found[word] = int(words.pop(0))
        else:
            found[word] = True
    return found


def tcp(sport, dport, words):
    flags = sum(FLAGS[c] for c in words.pop(0))
    o = options(words)
    extra = b""
    if "wscale" in o:
        extra += b"\3\3" + bytes([o["wscale"]]) + b"\0"
    if "sack" in o:
        extra += b"\4\2\1\1"
    return 6, struct.pack(">HHIIBBHHH", sport, dport, o.get("seq", 0), o.get("ack", 0),
                          (5 + len(extra) // 4) << 4, flags, o.get("win", 64240), 0, 0) + (
                              extra + bytes(o.get("len", 0)))


def sctp(sport, dport, words):
    kind = CHUNKS[words.pop(0)]
    o = options(words)
    body = struct.pack(">IIHHI", o.get("init", 0), 1000, 1, 1, 1) if kind in (1, 2) else bytes(4)
    return 132, struct.pack(">HHII", sport, dport, o.get("tag", 0), 0) + struct.pack(
        ">BBH", kind, 0, 4 + len(body)) + body


class Scenario:
    def __init__(self, path):
        self.name = str(path.relative_to(HERE))[:-3]
        self.settings, self.packets, self.checks = {}, [], []
        self.flow = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = line.split("#")[0].split()
            try:
                if words:
                    self.read(words)
            except (Fault, KeyError, ValueError, IndexError) as fault:
                raise Fault(f"{path}:{number}: {line.strip()}: {fault!r}") from fault

    def read(self, words):
        if words[0] == "set":
            self.settings["nf_conntrack_" + words[1]] = words[2]
        elif words[0] == "=":
            self.checks.append((len(self.packets), self.flow, words[1:]))
        else:
            self.packets.append((float(words[0]), self.packet(words[1] == "<", words[2:])))

    def packet(self, is_reply, words):
        if words[0] not in ("tcp", "udp", "icmp", "sctp"):
            self.flow = (*endpoint(words[0]), *endpoint(words[1]), words[2])
            words = words[2:]
        src, sport, dst, dport, _ = self.flow
        if is_reply:
            src, sport, dst, dport = dst, dport, src, sport
        proto = words.pop(0)
        if proto == "tcp":
            return traffic.ip(src, dst, *tcp(sport, dport, words))
        if proto == "sctp":
            return traffic.ip(src, dst, *sctp(sport, dport, words))
        if proto == "udp":
            size = options(words).get("len", 4)
            return traffic.ip(src, dst, 17, struct.pack(">HHHH", sport, dport, 8 + size, 0)
                              + bytes(size))
        return self.icmp(src, dst, words)

    def icmp(self, src, dst, words):
        kind, o = words.pop(0), options(words)
        is_v6 = ":" in dst
        if kind == "unreachable":
            return traffic.ip(o["from"], dst, 58 if is_v6 else 1,
                              struct.pack(">BBHI", 1 if is_v6 else 3, 3, 0, 0)
                              + self.packets[-1][1])
        number = {"echo": (8, 128), "reply": (0, 129)}[kind][is_v6]
        return traffic.ip(src, dst, 58 if is_v6 else 1,
                          struct.pack(">BBHHH", number, 0, 0, o["id"], 1) + bytes(8))

    def write(self, path):
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
            for at, p in self.packets:
                f.write(struct.pack("<IIII", START + int(at), round(at % 1 * 1e6), len(p), len(p)) + p)

    def faults(self, execute):
        """What an executor's answers say against the scenario, as sentences."""
        found = []
        with tempfile.TemporaryDirectory(prefix="ctt-scenario-") as tmp:
            pcap = Path(tmp) / "in.pcap"
            self.write(pcap)
            for n, flow, words in self.checks:
                table, state = execute(pcap, n, self.settings)
                found += [f"after packet {n}: {fault}" for fault in judge(table, state, flow, words)]
        return found


def entry_of(table, flow):
    import ipaddress
    src, sport, dst, dport, proto = flow
    for e in canon.parse_table(table):
        o = e["orig"]
        if (ipaddress.ip_address(o["src"]), ipaddress.ip_address(o["dst"])) != (
                ipaddress.ip_address(src), ipaddress.ip_address(dst)):
            continue
        if proto == "icmp" or (o.get("sport"), o.get("dport")) == (sport, dport):
            return e
    return None


def judge(table, state, flow, words):
    e = entry_of(table, flow)
    if words == ["gone"]:
        return [f"an entry is left: {e['state']}"] if e else []
    if not e:
        return ["there is no entry"]
    words, found = list(words), []
    wanted = {"timeout": None, "class": None, "flags": set()}
    name = words.pop(0)
    while words:
        word = words.pop(0)
        if word in ("timeout", "class"):
            wanted[word] = words.pop(0)
        else:
            wanted["flags"].add(word)
    if (e["state"] or "-") != name:
        found.append(f"state {e['state'] or '-'}, not {name}")
    flags = set(e["flags"]) & {"UNREPLIED", "ASSURED"}
    if flags != wanted["flags"]:
        found.append(f"flags {sorted(flags)}, not {sorted(wanted['flags'])}")
    if wanted["timeout"] and abs(e["timeout"] - int(wanted["timeout"])) > 1:
        found.append(f"timeout {e['timeout']}, not {wanted['timeout']}")
    if wanted["class"] and state.split("/")[0] != wanted["class"]:
        found.append(f"the packet is {state}, not {wanted['class']}")
    return found


def state_of(packets, n):
    """The tracking state in line n of a trace."""
    head, *lines = packets.splitlines()
    column = head.split("\t").index("ct")
    return lines[n - 1].split("\t")[column]


def run(execute, title):
    """All scenarios through one executor, in TAP."""
    paths = sorted(HERE.glob("*/*.sc"))
    print(f"1..{len(paths)}")
    bad = 0
    for number, path in enumerate(paths, 1):
        scenario = Scenario(path)
        faults = scenario.faults(execute)
        bad += bool(faults)
        for fault in faults:
            print(f"# {fault}")
        print(f"{'not ok' if faults else 'ok'} {number} {scenario.name} ({title})")
        sys.stdout.flush()
    return 1 if bad else 0
