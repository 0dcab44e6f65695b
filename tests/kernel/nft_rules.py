# SPDX-License-Identifier: BSD-2-Clause
"""Random rule sets in nft's text, of what the library judges and about the packets of
nft_judge_test.py: few addresses, few ports, so that rules meet packets."""
import re

V4 = ["10.97.0.2", "10.97.0.3", "10.98.0.2", "10.98.0.3", "198.51.100.7", "10.97.0.1"]
V4_NETS = ["10.97.0.0/24", "10.98.0.2/31", "198.51.100.0/24", "10.96.0.0/14", "0.0.0.0/0"]
V4_RANGES = ["10.97.0.2-10.97.0.9", "10.98.0.3-10.98.0.200"]
V6 = ["fd97::2", "fd97::3", "fd98::2", "fd98::3", "2001:db8::7", "fd97::1"]
V6_NETS = ["fd97::/64", "fd98::2/127", "2001:db8::/32"]
PORTS = ["22", "53", "80", "443", "1024-2000", "2001", "3000"]
STATES = ["new", "established", "related", "invalid", "untracked"]
FLAGS = ["fin", "syn", "rst", "psh", "ack", "urg"]
HOOKS = {"prerouting": (-310, -300, -160, -150, 5), "input": (-150, -1, 0, 10),
         "forward": (-150, -1, 0, 10), "postrouting": (-150, 0, 50)}


def apart(values):
    """Values of which none lies within another, so that they make a set of intervals."""
    return [v for v in values if "-" not in v and "/" not in v]


class Writer:
    def __init__(self, chance, has_calls):
        self.chance = chance
        self.has_calls = has_calls

    def some(self, values, most=4):
        n = self.chance.randint(1, min(most, len(values)))
        return self.chance.sample(values, n)

    def braces(self, values):
        return "{ " + ", ".join(self.some(values)) + " }"

    def compared(self, values, ranged=()):
        """What follows a key: a value, a range, a set, each perhaps denied."""
        negation = self.chance.choice(["", "", "!= "])
        what = self.chance.randint(0, 2)
        if what == 0 or (what == 1 and not ranged):
            return negation + self.chance.choice(values)
        if what == 1:
            return negation + self.chance.choice(ranged)
        return negation + self.braces(values)

    def address(self, family):
        v6 = family == "ip6" or (family == "inet" and self.chance.random() < 0.4)
        key = ("ip6 " if v6 else "ip ") + self.chance.choice(["saddr", "daddr"])
        if not v6 and self.chance.random() < 0.25:
            return f"{key} {self.chance.choice(['', '!= '])}@{self.chance.choice(['hosts', 'nets'])}"
        return f"{key} " + (self.compared(V6, V6_NETS) if v6
                            else self.compared(V4, V4_NETS + V4_RANGES))

    def ports(self):
        proto = self.chance.choice(["tcp", "udp", "th"])
        key = f"{proto} {self.chance.choice(['sport', 'dport'])}"
        if proto == "th":
            key = "meta l4proto { tcp, udp } " + key
        if self.chance.random() < 0.2:
            return f"{key} {self.chance.choice(['<', '>', '<=', '>='])} {self.chance.choice(['53', '1024'])}"
        if self.chance.random() < 0.2:
            return f"{key} @ports"
        return f"{key} " + self.compared(apart(PORTS), ["1024-2000", "50-500"])

    def flags(self):
        mask = self.some(FLAGS, 3)
        return self.chance.choice([
            f"tcp flags {','.join(mask)}",
            f"tcp flags & ({'|'.join(mask)}) == {mask[0]}",
            f"tcp flags & ({'|'.join(mask)}) != {mask[0]}",
            f"tcp flags != {mask[0]}",
            f"tcp flags {{ {', '.join(mask)} }}"])

    def state(self):
        return self.chance.choice([
            "ct state " + ",".join(self.some(STATES, 3)),
            "ct state != " + self.chance.choice(STATES),
            "ct state { " + ", ".join(self.some(STATES, 3)) + " }",
            "ct direction " + self.chance.choice(["original", "reply"]),
            "ct status " + self.chance.choice(["assured", "seen-reply", "confirmed"]),
            "ct mark " + self.chance.choice(["0", "!= 0", "1-20", "& 0x3 == 1"]),
            "ct original ip saddr " + self.chance.choice(V4),
            "ct protocol " + self.chance.choice(["tcp", "udp", "icmp"]),
            "ct l3proto " + self.chance.choice(["ipv4", "ipv6"]),
            "ct zone " + self.chance.choice(["0", "5"])])

    def header(self, family):
        either = [
            "meta l4proto " + self.compared(["tcp", "udp", "icmp", "ipv6-icmp"]),
            "meta length " + self.chance.choice(["> 60", "<= 48", "40-80"]),
            "meta mark " + self.chance.choice(["0", "!= 0", "& 0xf == 0x3", "1-20"]),
            "iifname " + self.compared(['"eth0"', '"eth1"', '"et*"', '"wlan0"']),
            "udp length " + self.chance.choice(["> 20", "8-30"]),
            "tcp window " + self.chance.choice(["< 1000", "!= 0"]),
            "tcp option maxseg size " + self.chance.choice(["1460", "1-1000"]),
            "tcp option sack-perm " + self.chance.choice(["exists", "missing"]),
            "fib saddr . iif oif " + self.chance.choice(["exists", "missing"]),
            "fib saddr oif " + self.chance.choice(["exists", "missing"]),
            "fib daddr . iif type " + self.chance.choice(["local", "!= local"]),
            "fib daddr type " + self.chance.choice(["local", "!= local"]),
            "meta l4proto . th dport { tcp . 22, udp . 53, tcp . 80 }",
            "numgen inc mod 3 " + self.chance.choice(["0", "1", "< 2"])]
        v4 = ["icmp type " + self.compared(["echo-request", "echo-reply", "destination-unreachable"]),
              "ip ttl " + self.chance.choice(["> 30", "< 10"]),
              "ip dscp " + self.chance.choice(["cs1", "0", "!= af11"]),
              "ip protocol " + self.compared(["tcp", "udp", "icmp"]),
              "ip length " + self.chance.choice(["> 60", "40"]),
              "ip saddr & 255.255.0.255 == 10.97.0.2",
              "ip saddr . tcp dport { 10.97.0.2 . 80, 10.98.0.2 . 22-443, 10.97.0.0/30 . 53 }",
              "ip saddr . ip daddr . meta l4proto { 10.97.0.2 . 10.98.0.2 . tcp }",
              "jhash ip saddr . tcp dport mod 4 seed 0x7 " + self.chance.choice(["1", "< 2"]),
              "@nh,72,8 6"]
        v6 = ["icmpv6 type " + self.compared(["echo-request", "echo-reply", "packet-too-big"]),
              "ip6 hoplimit " + self.chance.choice(["> 30", "< 10"]),
              "ip6 nexthdr " + self.compared(["tcp", "udp", "ipv6-icmp"]),
              "ip6 dscp cs1", "exthdr hbh missing"]
        return self.chance.choice(either + (v4 if family != "ip6" else []) * 2 +
                                  (v6 if family != "ip" else []) * 2)

    def doing(self, family, hook):
        """A statement that does something and lets the rule go on."""
        found = ["counter", "counter name c1", "counter name c2",
                 "meta mark set " + self.chance.choice(["3", "0x11", "meta mark | 0x4", "meta mark and 0xfffffff0",
                                                        "ct mark"]),
                 "ct mark set " + self.chance.choice(["7", "meta mark", "ct mark | 0x2"]),
                 "quota name q1", "quota until 2 kbytes", "quota over 1 kbytes",
                 "limit rate 1/hour burst 7 packets", "limit rate over 1/day burst 5 packets",
                 "limit rate 100 bytes/hour burst 900 bytes"]
        if family != "ip6":
            found += ["add @seen { ip saddr }", "update @seen { ip daddr timeout 1h counter }",
                      "delete @gone { ip daddr }", "add @few { ip saddr }", "add @few { ip daddr }",
                      "update @busy { ip saddr limit rate 1/hour burst 3 packets }",
                      "meta mark set ip daddr map { 10.98.0.2 : 1, 10.98.0.3 : 2, 10.97.0.0/24 : 9 }",
                      "counter name ip saddr map { 10.97.0.2 : \"c1\", 10.97.0.3 : \"c2\" }",
                      "meta mark set ip saddr map @marks"]
        if hook == "raw":
            found += ["ct zone set 5", "ct original zone set 5"]
        return self.chance.choice(found)

    def verdict(self, hook, users):
        found = ["accept", "drop", "return", "continue"]
        if users:
            found += ["jump " + self.chance.choice(users)] * 3 + ["goto " + self.chance.choice(users)]
            found += ["tcp dport vmap { 22 : jump " + self.chance.choice(users) + ", 80 : accept, 2001 : drop }",
                      "meta l4proto vmap @protos", "ct state vmap { established : accept, invalid : drop }"]
        if hook in ("raw", "prerouting"):
            found += ["notrack"]
        if hook == "input":
            found += ["reject"]
        return self.chance.choice(found)

    def rule(self, family, hook, users):
        parts = []
        for _ in range(self.chance.choice([0, 1, 1, 2, 2, 3])):
            parts.append(self.chance.choice([
                lambda: self.address(family), self.ports, self.flags, self.state,
                lambda: self.header(family)])())
        parts.append("counter")
        if self.chance.random() < 0.5:
            parts.append(self.doing(family, hook))
        if self.chance.random() < 0.6:
            parts.append(self.verdict(hook, users))
        return " ".join(parts)

    def table(self, family, name):
        users = [f"user{i}" for i in range(self.chance.randint(1, 4))] if self.has_calls else []
        text = f"table {family} {name} {{\n"
        text += "\tcounter c1 { }\n\tcounter c2 { }\n\tquota q1 { over 1500 bytes }\n"
        if family != "ip6":
            text += f"\tset hosts {{ type ipv4_addr; elements = {self.braces(V4)} }}\n"
            text += f"\tset nets {{ type ipv4_addr; flags interval; elements = {{ {self.chance.choice(V4_NETS[:3])} }} }}\n"
            text += "\tset seen { type ipv4_addr; flags dynamic,timeout; size 100; timeout 2h; }\n"
            # What is deleted makes room, and can come again, when the kernel has collected it.
            text += f"\tset gone {{ type ipv4_addr; flags dynamic; size 100; elements = {self.braces(V4)} }}\n"
            text += "\tset few { type ipv4_addr; flags dynamic; size 3; }\n"
            text += "\tset busy { type ipv4_addr; flags dynamic; size 100; }\n"
            text += "\tmap marks { type ipv4_addr : mark; elements = { 10.97.0.2 : 5, 10.98.0.2 : 6 } }\n"
        text += f"\tset ports {{ type inet_service; flags interval; elements = {self.braces(PORTS)} }}\n"
        for i, user in enumerate(users):
            later = users[i + 1:]
            text += f"\tchain {user} {{\n"
            text += "".join(f"\t\t{self.rule(family, '', later)}\n"
                            for _ in range(self.chance.randint(0, 4))) + "\t}\n"
        if users:
            text += "\tmap protos { type inet_proto : verdict; elements = { tcp : jump " + users[-1] + ", udp : accept } }\n"
        for hook in self.some(list(HOOKS), 4):
            priority = self.chance.choice(HOOKS[hook])
            policy = self.chance.choice(["accept", "accept", "accept", "drop"])
            text += f"\tchain {hook} {{\n\t\ttype filter hook {hook} priority {priority}; policy {policy};\n"
            place = "raw" if priority < -200 else hook
            text += "".join(f"\t\t{self.rule(family, place, users)}\n"
                            for _ in range(self.chance.randint(1, 12))) + "\t}\n"
        return text + "}\n"


def random_set(chance, has_calls=True):
    """Some tables of the families of IP; with chains that rules call, or without."""
    families = chance.sample(["ip", "ip6", "inet", "inet"], chance.randint(1, 3))
    return "".join(Writer(chance, has_calls).table(family, f"t{i}") for i, family in enumerate(families))


def translations(chance):
    """Chains of NAT at several priorities, each rule with one address and port to choose."""
    def target(verb, side):
        net = "10.98.0" if verb == "dnat" else "192.0.2"
        key = "ip daddr" if verb == "dnat" else "ip saddr"
        near = "10.98.0" if verb == "dnat" else "10.97.0"
        return chance.choice([
            f"ip protocol {chance.choice(['tcp', 'udp'])} {verb} to {net}.{chance.randint(20, 29)}:{chance.randint(2000, 2009)}",
            f"{verb} to {net}.{chance.randint(20, 29)}",
            f"{verb} to {key} map {{ {near}.2 : {net}.40, {near}.3 : {net}.41 }}",
            f"{verb} to {key} map @moved{side}",
            f"{verb} ip prefix to {key} map {{ {near}.0/24 : {net}.0/24 }}",
            f"tcp dport 80 {verb} ip addr . port to {key} map @both{side}",
            f"meta l4proto {{ tcp, udp }} {verb} ip addr . port to {key} map {{ {near}.2 : {net}.9 . 81 }}",
            f"{verb} to numgen inc mod 2 map {{ 0 : {net}.50, 1 : {net}.51 }}",
            f"{verb} to jhash ip saddr . th dport mod 2 seed 0x5 map {{ 0 : {net}.60, 1 : {net}.61 }}"
            if side == "" else f"{verb} to {net}.77"])

    text = ""
    for n, family in enumerate(chance.choices(["ip", "inet"], k=2)):
        text += f"table {family} nat{n} {{\n"
        text += "\tmap moved_dnat { type ipv4_addr : ipv4_addr; elements = { 10.98.0.2 : 10.98.0.99 } }\n"
        text += "\tmap moved_snat { type ipv4_addr : ipv4_addr; elements = { 10.97.0.2 : 192.0.2.99 } }\n"
        text += "\tmap both_dnat { type ipv4_addr : ipv4_addr . inet_service; elements = { 10.98.0.2 : 10.98.0.9 . 81, 10.98.0.3 : 10.98.0.8 . 82 } }\n"
        text += "\tmap both_snat { type ipv4_addr : ipv4_addr . inet_service; elements = { 10.97.0.2 : 192.0.2.9 . 5001 } }\n"
        for verb, hook, places in (("dnat", "prerouting", (-110, -100, -90)),
                                   ("snat", "postrouting", (90, 100, 110))):
            text += (f"\tchain {hook} {{\n\t\ttype nat hook {hook} priority "
                     f"{chance.choice(places)}; policy accept;\n")
            for _ in range(chance.randint(1, 5)):
                match = chance.choice(["", "tcp dport 80 ", "udp dport 53 ", "ip saddr 10.97.0.2 ",
                                       'iifname "eth0" ', "meta l4proto udp ",
                                       "ip daddr { 10.98.0.2, 10.97.0.1 } "])
                what = target(verb, "_" + verb)
                if chance.random() < 0.25:
                    what = ("tcp dport 22 redirect to :2222" if verb == "dnat" else
                            "masquerade")
                if chance.random() < 0.1:
                    what = "accept"
                text += f"\t\t{match}counter {what}\n"
            text += "\t}\n"
        text += "}\n"
    return text


def load(run, chance, has_calls=True, make=None):
    """Loads a random rule set by @run(text), less the rules that nft refuses: those that ask for two
    protocols at once, and the like. What was loaded."""
    lines = (make(chance) if make else random_set(chance, has_calls)).splitlines()
    while True:
        text = "\n".join(lines) + "\n"
        done = run(text)
        if done.returncode == 0:
            return text
        refused = {int(n) for n in re.findall(r"^/dev/stdin:(\d+):", done.stderr, re.MULTILINE)}
        assert refused and all("counter" in lines[n - 1] for n in refused), done.stderr
        lines = [line for n, line in enumerate(lines, 1) if n not in refused]
