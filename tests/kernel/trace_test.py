# SPDX-License-Identifier: BSD-2-Clause
"""Conversations step by step, with the running kernel's word on each packet; and the rules, addresses
and routes of a namespace by looking."""
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import kernel as k

k.need("ip", "iptables-restore", "ip6tables-restore")

RULESETS = Path(__file__).resolve().parent.parent / "rulesets"
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))
WEB = """*nat
-A PREROUTING -i wan0 -p tcp --dport 8080 -j DNAT --to-destination 10.0.0.5:80
-A POSTROUTING -o wan0 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p tcp --dport 80 -j ACCEPT
-A FORWARD -i lan0 -j ACCEPT
COMMIT
"""
ROUTES = """address 192.0.2.1/24 dev wan0
address 10.0.0.1/24 dev lan0
route default via 192.0.2.254 dev wan0
"""


def trace(*argv):
    done = k.conntune("trace", "--json", *argv)
    return done.returncode, k.as_json(done)


def verified(tmp, rules, routes, *talk, family="4"):
    (tmp / "rules").write_text(rules, encoding="utf-8")
    (tmp / "routes").write_text(routes, encoding="utf-8")
    return trace("--verify", "--rules" + ("6" if family == "6" else ""), tmp / "rules", "--route",
                 tmp / "routes", *talk)


def agrees(answer):
    code, told = answer
    assert code == 0 and told["different"] == 0, json.dumps(
        [p for p in told["packets"] if not p["kernel"]["agrees"]], indent=1)
    return told["packets"]


def test_forwarded_port():
    """a forwarded port, an answer, an error, a masqueraded client: the kernel agrees"""
    with tempfile.TemporaryDirectory(prefix="ctt-trace-") as tmp:
        packets = agrees(verified(
            Path(tmp), WEB, ROUTES, "tcp 198.51.100.7:40000 > 192.0.2.1:8080 S", "< SA; > A",
            "> PA len 100; error host-unreachable", "udp 10.0.0.9:5353 > 198.51.100.53:53 len 20",
            "< len 90", "icmp 10.0.0.9 > 198.51.100.53 id 9; <", "1< R",
            "tcp 198.51.100.9:1 > 10.0.0.5:22 S"))
        assert packets[0]["left_as"] == "tcp:198.51.100.7:40000>10.0.0.5:80,S"
        assert packets[0]["kernel"]["left_as"] == packets[0]["left_as"]
        assert packets[-1]["fate"] == packets[-1]["kernel"]["fate"] == "gone"


def test_every_protocol():
    """packets of every protocol, to the machine, through it and from it: the kernel agrees"""
    with tempfile.TemporaryDirectory(prefix="ctt-trace-") as tmp:
        routes = ROUTES + "address 2001:db8:1::1/64 dev wan0\nroute 2001:db8:2::/48 dev lan0\n" \
                          "route default6 dev wan0\nroute blackhole 203.0.113.0/24\n"
        agrees(verified(
            Path(tmp), WEB, routes, "sctp 198.51.100.7:2905 > 192.0.2.1:2905; < init-ack",
            "> cookie-echo; < cookie-ack; > chunk-data len 8; < shutdown; > shutdown-ack",
            "gre 198.51.100.7 > 192.0.2.1 key 7; <", "proto 89 198.51.100.7 > 192.0.2.1",
            "udplite 198.51.100.7:1 > 192.0.2.1:2", "icmp6 2001:db8:1::7 > 2001:db8:1::1; <",
            "udp [2001:db8:1::7]:53 > [2001:db8:2::7]:53; <; error port-unreachable",
            "udp 198.51.100.7:1 > 10.0.0.7:2 ttl 1", "udp 198.51.100.7:1 > 203.0.113.7:2",
            "tcp 192.0.2.1:5000 > 198.51.100.80:443 S; < RA; > S +0.1",
            "udp 198.51.100.7:1 > 192.0.2.255:9"))


def conversation(chance, hosts):
    """A flow between two of the hosts, to a port that rule sets speak of."""
    src, dst = chance.sample(hosts, 2)
    port, sport = chance.choice([22, 53, 80, 443, 3306, 8080, 12345]), chance.randrange(1024, 65000)
    steps = {"tcp": ["S", "< SA", "> A", "> PA len 10", "< A", "error port-unreachable"],
             "udp": ["len 10", "< len 20", "> len 5", "error port-unreachable"]}
    proto = chance.choice(["tcp", "udp"])
    first, *rest = steps[proto]
    return [f"{proto} {src}:{sport} > {dst}:{port} {first}",
            *[step for step in rest[:chance.randrange(len(rest))] if step[0] != "e"]]


def test_rule_sets_of_the_field():
    """random conversations through rule sets of the field: the kernel agrees"""
    print(f"# CTT_SEED={SEED}")
    chance = random.Random(SEED)
    for case in sorted(RULESETS.glob("traffic/*/case.json")):
        told = json.loads(case.read_text())
        # A random choice among the rules of kube-proxy is another one there.
        if "rules" not in told or case.parent.name == "kube-proxy-local":
            continue
        addrs = [f"{told['out_dev']}={a}/24" for a in told.get("local", [])] + told.get("addr", [])
        routes = "".join("address {1} dev {0}\n".format(*a.split("=")) for a in addrs)
        routes += f"route default dev {told['out_dev']}\n"
        own = [a.split("=")[1].split("/")[0] for a in addrs]
        near = [a.rsplit(".", 1)[0] + ".77" for a in own]
        talk = sum((conversation(chance, [*own, *near, "198.51.100.77"]) for _ in range(12)), [])
        with tempfile.TemporaryDirectory(prefix="ctt-trace-") as tmp:
            answer = verified(Path(tmp), (case.parent / told["rules"]).read_text(), routes, *talk)
            wrong = [p for p in answer[1]["packets"]
                     if not p["kernel"]["agrees"] and "depends_on" not in p]
            assert not wrong, f"{case.parent.name}, CTT_SEED={SEED}:\n{talk}\n" + \
                json.dumps(wrong, indent=1)


def test_a_difference_is_told():
    """where the model cannot know, the outcome is called likely, and the kernel's is shown"""
    with tempfile.TemporaryDirectory(prefix="ctt-trace-") as tmp:
        code, told = verified(Path(tmp), "*filter\n-A INPUT -m cpu ! --cpu 9999 -j DROP\nCOMMIT\n",
                              "address 192.0.2.1/24 dev eth0\n", "udp 198.51.100.7:1 > 192.0.2.1:2")
        packet = told["packets"][0]
        assert code == 3 and told["different"] == 1
        assert packet["depends_on"] == "cpu" and packet["fate"] == "delivered"
        assert packet["kernel"]["fate"] == "gone" and not packet["kernel"]["agrees"]


def test_rules_of_nft():
    """rules of nft: the kernel agrees, and each that matched is named"""
    with tempfile.TemporaryDirectory(prefix="ctt-trace-") as tmp:
        packets = agrees(verified(
            Path(tmp), (RULESETS / "nft" / "dns-notrack.nft").read_text(),
            "address 192.0.2.1/24 dev eth0\n", "udp 198.51.100.7:5000 > 192.0.2.1:443; <",
            "tcp 198.51.100.7:5000 > 192.0.2.1:22 S", "tcp 198.51.100.7:5000 > 192.0.2.1:80 S"))
        assert [p["fate"] for p in packets] == ["delivered", "sent", "gone", "delivered"]
        assert packets[0]["steps"][0]["chain"] == "prerouting"
        assert "notrack" in packets[0]["steps"][0]["text"]


def test_rules_that_are_refused():
    """rules that the kernel refuses are told, and nothing is claimed"""
    with tempfile.TemporaryDirectory(prefix="ctt-trace-") as tmp:
        (Path(tmp) / "rules").write_text("*filter\n-A INPUT -m rpfilter -j DROP\nCOMMIT\n")
        done = k.conntune("trace", "--verify", "--rules", Path(tmp) / "rules",
                          "udp 198.51.100.7:1 > 192.0.2.1:2")
        assert done.returncode == 1 and "iptables-restore" in done.stderr, done.stderr


def test_a_namespace_by_looking():
    """--live takes rules, addresses, routes and settings of a namespace"""
    with k.Netns("trace") as ns:
        ns.run("ip", "tuntap", "add", "wan0", "mode", "tun")
        ns.run("ip", "addr", "add", "192.0.2.1/24", "dev", "wan0")
        ns.run("ip", "link", "set", "wan0", "up")
        ns.run("ip", "route", "add", "default", "via", "192.0.2.254")
        ns.run("iptables-restore", input="*filter\n:INPUT DROP [0:0]\n"
               "-A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n")
        ns.run("nft", "-f", "-", input="table inet own { chain early { type filter hook input "
               "priority -10; tcp dport 25 counter drop; }; }")
        ns.run("sysctl", "-w", "net.netfilter.nf_conntrack_tcp_timeout_syn_sent=77")
        code, told = trace("--live", "--netns", ns.name, "tcp 198.51.100.7:4000 > 192.0.2.1:22 S",
                           "tcp 198.51.100.7:4000 > 192.0.2.1:23 S", "tcp 198.51.100.7:4000 > 192.0.2.1:25 S")
        ssh, telnet, mail = told["packets"]
        assert code == 0 and ssh["fate"] == "delivered" and telnet["fate"] == "gone"
        assert ssh["in"] == "wan0"
        # What iptables keeps in nftables is judged once.
        assert [s["step"] for s in ssh["steps"]].count("filter") == 1, ssh["steps"]
        assert mail["fate"] == "gone" and mail["steps"][-1]["table"] == "own", mail
        steps = {s["step"]: s for s in ssh["steps"]}
        assert steps["filter"]["chain"] == "INPUT" and steps["filter"]["rule"] == 1
        assert " 77 SYN_SENT" in steps["tracker"]["entry"], steps["tracker"]["entry"]
        with tempfile.TemporaryDirectory(prefix="ctt-trace-") as tmp:
            ns.run(k.CONNTUNE, "collect", "--no-table", Path(tmp) / "copy")
            code, copied = trace("--root", Path(tmp) / "copy",
                                 "tcp 198.51.100.7:4000 > 192.0.2.1:22 S",
                                 "tcp 198.51.100.7:4000 > 192.0.2.1:23 S",
                                 "tcp 198.51.100.7:4000 > 192.0.2.1:25 S")
            assert code == 0 and copied == told


def test_nothing_stays_when_killed():
    """a rehearsal that is killed leaves neither interface nor namespace"""
    def namespaces():
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for task in Path(f"/proc/{pid}/task").glob("*"):
                try:
                    found.add(os.readlink(task / "ns/net"))
                except OSError:
                    pass
        return found
    with tempfile.TemporaryDirectory(prefix="ctt-trace-") as tmp:
        (Path(tmp) / "routes").write_text("address 192.0.2.1/24 dev ctt-killed\n")
        with subprocess.Popen([k.CONNTUNE, "trace", "--verify", "--route", Path(tmp) / "routes",
                               "udp 198.51.100.7:1 > 192.0.2.1:2", "> +4"],
                              stdout=subprocess.DEVNULL) as running:
            time.sleep(1.5)
            tasks = list(Path(f"/proc/{running.pid}/task").glob("*"))
            inside = {os.readlink(t / "ns/net") for t in tasks} - {os.readlink("/proc/self/ns/net")}
            running.send_signal(signal.SIGKILL)
            running.wait()
        assert len(inside) == 1, inside
        time.sleep(0.2)
        assert not inside & namespaces()
        assert "ctt-killed" not in k.run("ip", "link")


k.main(globals())
