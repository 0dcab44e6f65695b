# SPDX-License-Identifier: BSD-2-Clause
"""Random packets through rules that ask for random sets and change them: the kernel and the library
must count the same for every rule. CTT_SEED repeats a run, CTT_SETS makes it longer."""
import fcntl
import os
import random
import socket
import struct
import subprocess
import tempfile
import time

import kernel as k
from traffic_packets import Traffic

k.need("ipset", "iptables-legacy-restore", "ip6tables-legacy-restore")

PEER = os.environ.get("CTT_TRAFFIC_PEER", "build/tests/kernel/traffic_peer")
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))
SETS = int(os.environ.get("CTT_SETS", 30))
PACKETS, RULES = 100, 40
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
TYPES = ("bitmap:ip", "bitmap:port", "hash:ip", "hash:net", "hash:ip,port", "hash:net,port",
         "hash:ip,port,ip", "hash:ip,port,net", "hash:net,net", "hash:net,iface",
         "hash:net,port,net", "hash:ip,mark", "hash:mac", "hash:ip,mac", "bitmap:ip,mac")
PROTOS = ("tcp", "udp", "udplite", "sctp")


def tunnel(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


class Sets:
    """Random sets around the addresses of packets, as text for ipset restore."""

    def __init__(self, chance, family, types, packets):
        self.chance, self.family, self.names = chance, family, {}
        af, at, n = (socket.AF_INET, 12, 4) if family == 4 else (socket.AF_INET6, 8, 16)
        self.addrs = sorted({socket.inet_ntop(af, p[at + i:at + i + n]) for _, p in packets
                             for i in (0, n) if len(p) >= at + 2 * n})
        self.text = "".join(self.one(f"s{i}", chance.choice(types)) for i in range(8))
        members = chance.sample(sorted(self.names), 2)
        self.names["l"] = 3
        self.text += "create l list:set counters\n" + "".join(f"add l {m}\n" for m in members)

    def addr(self):
        return self.chance.choice(self.addrs)

    def net(self):
        lengths = (8, 15, 16, 24, 30, 32) if self.family == 4 else (16, 48, 64, 126, 128)
        return f"{self.addr()}/{self.chance.choice(lengths)}"

    def port(self):
        chance = self.chance
        if chance.random() < 0.15:
            return "icmp:8/0" if self.family == 4 else "icmpv6:128/0"
        if chance.random() < 0.1:
            return chance.choice(("esp", "gre", "ah")) + ":0"
        return f"{chance.choice(PROTOS)}:{chance.choice((1024, 1030, 40000, 22, 53, 80, 5001))}"

    def part(self, part):
        chance = self.chance
        return {"ip": self.addr, "net": self.net, "port": self.port,
                "mark": lambda: str(chance.randrange(3)),
                "mac": lambda: f"02:00:00:00:00:0{chance.randint(1, 3)}",
                "iface": lambda: chance.choice(("lan0", "wan0", "lo"))}[part]()

    def one(self, name, kind):
        chance = self.chance
        parts = kind.partition(":")[2].split(",")
        text = f"create {name} {kind}"
        if kind.startswith("bitmap"):
            text += " range " + ("0-65535" if kind == "bitmap:port" else "10.2.0.0/16"
                                 if kind == "bitmap:ip" and chance.random() < 0.5 else "10.1.0.0/16")
            if "10.2" in text:
                text = f"create {name} bitmap:ip range 10.0.0.0/12 netmask 28"
        elif kind != "hash:mac":
            text += f" family inet{'6' if self.family == 6 else ''}"
            if kind == "hash:ip" and chance.random() < 0.4:
                text += f" netmask {30 if self.family == 4 else 126}"
        has_counters = chance.random() < 0.4
        text += " counters" * has_counters + chance.choice(("", "", " timeout 600")) + "\n"
        self.names[name] = len(parts)
        for _ in range(chance.randint(1, 12)):
            element = ",".join(self.part(p) for p in parts)
            if kind == "bitmap:port":
                element = element.partition(":")[2].partition("/")[0]
            if kind.startswith("bitmap:ip") and not element.startswith("10.1."):
                continue
            nomatch = "net" in kind and chance.random() < 0.3
            text += f"add {name} {element}{' nomatch' if nomatch else ''}\n"
        return text

    def rules(self):
        """Rules of table raw that only count, and some that change sets."""
        chance, text = self.chance, "*raw\n"
        for _ in range(RULES):
            name = chance.choice(sorted(self.names))
            flags = ",".join(chance.choice(("src", "dst"))
                             for _ in range(self.names[name] + chance.choice((0, 0, 0, 1, -1)) or 1))
            if chance.random() < 0.2 and name != "l":
                verb = chance.choice(("add", "add", "del"))
                flags = flags.replace("dst", "src") if self.names[name] > 1 else flags
                text += (f"-A PREROUTING -m statistic --mode nth --every {chance.randint(2, 9)} --packet 0 "
                         f"-j SET --{verb}-set {name} {flags}{' --exist' * (verb == 'add')}\n")
                continue
            more = chance.choice(("", "", " --return-nomatch", " ! --update-counters",
                                  " ! --update-subcounters", " --packets-gt 3",
                                  " ! --packets-eq 2", " --bytes-lt 500"))
            text += (f"-A PREROUTING -m set {chance.choice(('', '', '! '))}--match-set {name} "
                     f"{flags}{more}\n")
        return text + "COMMIT\n*filter\n-A INPUT -m conntrack --ctstate NEW\nCOMMIT\n"


def counters(saved):
    return [line for line in saved.splitlines() if "-A PREROUTING" in line]


def set_up():
    """Two tunnels; what comes in is counted, whatever comes of it."""
    for name in ("all", "default"):
        with open(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "w", encoding="ascii") as f:
            f.write("0")
    fds = [tunnel("lan0"), tunnel("wan0")]
    for i, name in enumerate(("lan0", "wan0"), 1):
        k.run("ip", "addr", "add", f"10.{i}.0.1/16", "dev", name)
        k.run("ip", "addr", "add", f"2001:db8:{i}::1/64", "dev", name, "nodad")
        k.run("ip", "link", "set", name, "up")
    time.sleep(2.5)
    return fds


def as_kernel(fds, family, rules, sets, packets):
    tool = ("ip6tables" if family == 6 else "iptables") + "-legacy"
    lock = ["env", f"XTABLES_LOCKFILE=/run/ctt-ipset-{os.getpid()}.lock"]
    k.run("ipset", "restore", "-exist", input=sets)
    k.run(*lock, tool + "-restore", input=rules)
    times = []
    for iface, packet in packets:
        times.append(time.time_ns())
        os.write(fds[iface], packet)
    saved = k.run(*lock, tool + "-save", "-c", "-t", "raw")
    k.run(*lock, tool + "-restore", input="*raw\nCOMMIT\n*filter\nCOMMIT\n")
    k.run("ipset", "destroy", "l")
    k.run("ipset", "destroy")
    return counters(saved), times


def as_library(family, rules, sets, packets, times):
    with tempfile.NamedTemporaryFile("w") as r, tempfile.NamedTemporaryFile("w") as s:
        r.write(rules)
        r.flush()
        s.write(sets)
        s.flush()
        data = b"".join(struct.pack("<qBH", now, iface, len(packet)) + packet
                        for now, (iface, packet) in zip(times, packets))
        done = subprocess.run([PEER, str(family), r.name, s.name], input=data,
                              capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() + sets
    return counters(done.stdout.decode())


def supported():
    """The types that this kernel has."""
    found = []
    for kind in TYPES:
        extra = {"bitmap:port": ["range", "0-9"]}.get(
            kind, ["range", "10.0.0.0/24"] if kind.startswith("bitmap") else [])
        if k.run("ipset", "create", "try", kind, *extra, check=False).returncode == 0:
            k.run("ipset", "destroy", "try")
            found.append(kind)
    return found


def run_all():
    types = supported()
    if not types:
        return types, ["no types"]
    fds, wrong = set_up(), []
    for n in range(SETS):
        chance = random.Random(f"{SEED}/{n}")
        family = chance.choice((4, 4, 6))
        traffic = Traffic(chance, family)
        packets = [traffic.next() for _ in range(PACKETS)]
        fit = [t for t in types if family == 4 or not t.startswith("bitmap:ip")]
        made = Sets(chance, family, fit, packets)
        rules = made.rules()
        theirs, times = as_kernel(fds, family, rules, made.text, packets)
        ours = as_library(family, rules, made.text, packets, times)
        for a, b in zip(ours, theirs):
            if a != b:
                wrong.append(f"set {n}, IPv{family}:\nours   {a}\ntheirs {b}\n{made.text}{rules}")
                break
        assert len(ours) == len(theirs) == RULES
    return types, wrong


def test_random():
    """rules with random sets count as in the kernel"""
    print(f"# CTT_SEED={SEED}", flush=True)
    with k.Netns("ipset") as ns:
        if ns.run("ipset", "list", "-n", check=False).returncode != 0:
            k.skip("this kernel has no ip_set")
        types, wrong = ns.call(run_all)
    lock = f"/run/ctt-ipset-{os.getpid()}.lock"
    if os.path.exists(lock):
        os.unlink(lock)
    print(f"# {SETS} runs of {RULES} rules and {PACKETS} packets, {len(wrong)} differ; types: "
          + " ".join(types))
    assert not wrong, "\n".join(wrong[:3])


k.main(globals())
