# SPDX-License-Identifier: BSD-2-Clause
"""conntune apply --notrack on the running kernel, with both back ends of iptables: the service stays
reachable, its connections are no longer in the table, and all of it can be taken back."""
import re
import socket
import time

import apply
import kernel as k

k.need("unshare", "nsenter", "iptables-legacy", "iptables-nft")

PORT = 8080
# What a write-up's author had: a state rule lets the service in, the last rule rejects.
FILTER = f"""*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
:svc - [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -j svc
-A INPUT -j REJECT
-A OUTPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A svc -s 10.97.0.0/24 -p tcp -m tcp --dport {PORT} --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -m comment --comment "the \\"shop\\"" -j ACCEPT
-A svc -p tcp -m multiport --dports 22,80 -m state --state NEW -j ACCEPT
COMMIT
"""


def rules(ns, backend):
    """The rule set as it is, without what changes by itself."""
    text = ns.run(f"iptables-{backend}-save")
    return re.sub(r"^#.*\n|\*raw\n(:.*\n)*COMMIT\n", "", re.sub(r"\[\d+:\d+\]", "", text), flags=re.M)


def entries(ns):
    def inside():
        with open("/proc/net/nf_conntrack", encoding="ascii") as f:
            return sum(f"dport={PORT}" in line for line in f)
    return ns.call(inside)


def is_reached(client):
    """Whether a whole conversation with the service works."""
    def inside():
        try:
            with socket.create_connection(("10.97.0.1", PORT), timeout=0.5) as s:
                s.shutdown(socket.SHUT_WR)
                return s.recv(1) == b""
        except OSError:
            return False
    return client.call(inside)


class Shop:
    """A server behind its rules, and a client."""

    def __init__(self, backend, text=FILTER):
        self.backend, self.text = backend, text
        self.ns, self.client = k.Netns(f"nt-{backend}"), k.Netns(f"nt-{backend}-c")
        self.m = apply.Machine()

    def __enter__(self):
        for part in (self.ns, self.client, self.m):
            part.__enter__()
        self.ns.join(self.client)
        self.ns.run(f"iptables-{self.backend}-restore", input=self.text)
        self.server = k.Server(self.ns, PORT)
        return self

    def __exit__(self, *_):
        self.server.inside.stop()
        for part in (self.m, self.client, self.ns):
            part.__exit__()

    def apply(self, *argv, what=f"tcp dport {PORT}"):
        return self.m.conntune("apply", "--netns", self.ns.name, "--notrack", what, *argv)


def each_backend(test):
    for backend in ("legacy", "nft"):
        with Shop(backend) as s:
            test(s)


def test_untracked_and_reachable():
    """the service is reached as before, leaves no entries, and undo brings the rules back"""
    def test(s):
        before = rules(s.ns, s.backend)
        assert is_reached(s.client) and entries(s.ns)
        done = s.apply("-y")
        assert done.returncode == 0, done.stderr
        assert "Proved for all packets of IPv4" in done.stdout, done.stdout
        assert "removed" in done.stdout and entries(s.ns) == 0, done.stdout
        assert is_reached(s.client) and entries(s.ns) == 0
        assert s.m.conntune("undo").returncode == 0
        assert rules(s.ns, s.backend) == before
        assert is_reached(s.client) and entries(s.ns)
    each_backend(test)


def test_nothing_else_is_opened():
    """who was kept out stays out: the source condition of the rule is kept"""
    def test(s):
        assert s.apply("-y").returncode == 0
        s.client.ip("addr", "add", "10.98.0.2/24", "dev", "eth0")
        s.ns.ip("addr", "add", "10.98.0.1/24", "dev", "eth0")

        def other():
            with socket.socket() as c:
                c.settimeout(0.5)
                c.bind(("10.98.0.2", 0))
                return c.connect_ex(("10.98.0.1", PORT))
        assert is_reached(s.client)
        assert s.client.call(other) != 0
    each_backend(test)


def test_open_connection_lives_on():
    """a connection that is open when its packets stop being tracked goes on"""
    def inside(address):
        c = socket.create_connection((address, PORT), timeout=3)
        time.sleep(1.5)
        c.shutdown(socket.SHUT_WR)
        return c.recv(1) == b""

    def test(s):
        talk = s.client.call(inside, "10.97.0.1", wait=False)
        time.sleep(0.3)
        assert s.apply("-y").returncode == 0
        assert talk.result()
    each_backend(test)


def test_entries_stay_until_confirmed():
    """entries leave the table when the change is kept, not before: it could be taken back"""
    with Shop("nft") as s:
        assert is_reached(s.client) and entries(s.ns) == 1
        assert s.apply("-y", "--confirm-within", "1m").returncode == 0
        assert entries(s.ns) == 1
        done = s.m.conntune("confirm")
        assert done.returncode == 0 and "1 removed" in done.stdout, done.stdout
        assert entries(s.ns) == 0


def test_failed_notrack_reverts():
    """rules beyond the proof make it fail: nobody confirms, and the service is reachable again"""
    with Shop("nft") as s:
        assert is_reached(s.client)
        s.ns.nft("table inet other { chain input { type filter hook input priority 10;"
                 " ct state untracked drop; } }")
        assert s.apply("-y", "--confirm-within", "2s").returncode == 0
        assert not is_reached(s.client)
        s.m.without_watcher()
        assert is_reached(s.client)
        assert s.m.history()[0]["why"] == "it was not confirmed in time"


def test_translations_are_refused():
    """what is redirected cannot be untracked, and this is said before anything is written"""
    nat = ("*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT "
           "--to-ports 80\nCOMMIT\n")
    for backend in ("legacy", "nft"):
        with Shop(backend, FILTER + nat) as s:
            before = rules(s.ns, backend)
            done = s.apply("-y")
            assert done.returncode == 1 and "translation" in done.stderr, done
            assert rules(s.ns, backend) == before and s.m.history() == []


def test_limits_are_refused():
    """a rule that limits new connections means nothing to packets without a state"""
    limited = FILTER.replace("-m conntrack --ctstate NEW", "-m limit --limit 5/sec -m conntrack "
                             "--ctstate NEW")
    with Shop("legacy", limited) as s:
        done = s.apply("-y")
        assert done.returncode == 1 and "by their rate" in done.stderr, done


def test_loopback():
    """the machine's talk with itself is left out of the table"""
    text = FILTER.replace("-A INPUT -j REJECT", "-A INPUT -i lo -m state --state NEW -j ACCEPT\n"
                          "-A INPUT -j REJECT")
    text = text.replace("-A OUTPUT -m", "-A OUTPUT -o lo -m state --state NEW -j ACCEPT\n-A OUTPUT -m")
    for backend in ("legacy", "nft"):
        with Shop(backend, text) as s:
            def talk():
                return k.churn("127.0.0.1", PORT, 3)
            assert s.ns.call(talk) == 3 and entries(s.ns) >= 3
            done = s.apply("-y", what="lo")
            assert done.returncode == 0, done.stderr
            assert entries(s.ns) == 0
            assert s.ns.call(talk) == 3 and entries(s.ns) == 0
            assert is_reached(s.client) and entries(s.ns) == 1


def test_service_that_is_used():
    """a service of another machine that this one uses"""
    text = FILTER.replace("-A OUTPUT -m", "-A OUTPUT -p udp -m state --state NEW -j ACCEPT\n-A OUTPUT -m")
    with Shop("nft", text) as s:
        def ask():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
                c.settimeout(1)
                c.sendto(b"x", ("10.97.0.2", 5300))
                try:
                    return c.recv(10) == b"x"
                except OSError:
                    return False
        with k.Server(s.client, 5300, udp=True):
            assert s.ns.call(ask) and s.ns.count() > 0
            done = s.apply("-y", what="udp dst 10.97.0.2 dport 5300")
            assert done.returncode == 0, done.stderr
            left = s.ns.count()
            assert s.ns.call(ask) and s.ns.count() == left, done.stdout


def test_lasting():
    """--persist puts the rules into the file that the boot restores; forget takes them out"""
    with Shop("nft") as s:
        s.m.run("sh", "-c", "mkdir -p /var/lib/etc/iptables && mount -t tmpfs none /etc && "
                "mkdir /etc/iptables && cp /proc/self/mounts /etc/mtab")
        s.m.run("sh", "-c", "cat >/etc/iptables/rules.v4", input=FILTER)
        done = s.ns.run(*s.m.enter(k.CONNTUNE, "apply", "-y", "--persist", "--notrack",
                                   f"tcp dport {PORT}"), check=False)
        assert done.returncode == 0, done.stderr
        text = s.m.read("/etc/iptables/rules.v4")
        assert text.count("conntune:") == rules(s.ns, "nft").count("conntune:") > 0, text
        s.ns.run("iptables-nft-restore", input=text)  # what the boot does
        assert is_reached(s.client) and entries(s.ns) == 0
        assert s.m.conntune("forget", "-y").returncode == 0
        left = s.m.read("/etc/iptables/rules.v4")
        assert "conntune:" not in left and left.startswith(FILTER), left


def test_killed_at_every_write():
    """killed at each write, iptables-restore too, the rules are all there or all gone in the end"""
    apply.need_strace()
    for backend in ("legacy", "nft"):
        kills, some = 0, False
        with Shop(backend) as s:
            before = rules(s.ns, backend)
            for where in s.m.kill_everywhere("apply", "-y", "--netns", s.ns.name, "--notrack",
                                             f"tcp dport {PORT}"):
                kills += where[2]
                some |= rules(s.ns, backend) != before
                done = s.m.conntune("recover")
                assert done.returncode == 0, done.stderr
                kept = bool(s.m.history()) and s.m.state() == "kept"
                n = rules(s.ns, backend).count("conntune:")
                assert (n > 0) == kept and (kept or rules(s.ns, backend) == before), (where, n)
                assert is_reached(s.client)
                if kept:
                    s.m.conntune("undo")
                assert rules(s.ns, backend) == before
        assert kills > 40 and some, (backend, kills)


k.main(globals())
