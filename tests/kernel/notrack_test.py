# SPDX-License-Identifier: BSD-2-Clause
"""The outages of well-known write-ups, made, found beforehand, and repaired: a web server behind the
rules of an old distribution, exempted from tracking by hand, by half, and by conntune notrack."""
import os
import shlex
import socket
import tempfile

import kernel as k

k.need("iptables-restore", "iptables-save", "nginx")

# Other tests hold the machine's lock of iptables.
os.environ["XTABLES_LOCKFILE"] = f"/run/ctt-notrack-{os.getpid()}.lock"
FILTER = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 8080 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""
RAW = """*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
{}COMMIT
"""
IN = "-A PREROUTING -p tcp -m tcp --dport 8080 -j CT --notrack\n"
OUT = "-A OUTPUT -p tcp -m tcp --sport 8080 -j CT --notrack\n"


class Web:
    """nginx in a namespace, and a client in another."""

    def __init__(self, name):
        self.ns, self.client = k.Netns(name), k.Netns(name + "-c")
        self.dir = tempfile.TemporaryDirectory(prefix="ctt-")

    def __enter__(self):
        self.ns.__enter__()
        self.client.__enter__()
        self.ns.join(self.client)
        with open(self.path("nginx.conf"), "w", encoding="ascii") as f:
            f.write(f"pid {self.path('pid')}; error_log {self.path('log')}; events {{}}\n"
                    "http { access_log off; server { listen 8080; keepalive_timeout 0;"
                    " location / { return 200 hello; } } }\n")
        self.ns.run("nginx", "-p", self.dir.name, "-e", self.path("log"), "-c",
                    self.path("nginx.conf"))
        return self

    def __exit__(self, *_):
        try:
            with open(self.path("pid"), encoding="ascii") as f:
                os.kill(int(f.read()), 15)
        except (OSError, ValueError):
            pass
        self.client.__exit__(*_)
        self.ns.__exit__(*_)
        self.dir.cleanup()
        if os.path.exists(os.environ["XTABLES_LOCKFILE"]):
            os.unlink(os.environ["XTABLES_LOCKFILE"])

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def rules(self, text):
        self.ns.run("iptables-restore", input=text)

    def file(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)
        return self.path(name)

    def is_reached(self):
        def inside():
            try:
                return fetch()
            except OSError:
                return False
        return self.client.call(inside)

    def entries(self):
        def inside():
            with open("/proc/net/nf_conntrack", encoding="ascii") as f:
                return sum("dport=8080" in line or "sport=8080" in line for line in f)
        return self.ns.call(inside)

    def saved(self):
        return "".join(line for line in self.ns.run("iptables-save").splitlines(True)
                       if not line.startswith("#"))


def fetch():
    with socket.create_connection(("10.97.0.1", 8080), timeout=2) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        s.settimeout(2)
        answer = b""
        while True:
            more = s.recv(4096)
            if not more:
                return b"hello" in answer
            answer += more


def test_outage():
    """NOTRACK by hand cuts a web server off; lint and prove say so beforehand"""
    with Web("nt1") as web:
        web.rules(FILTER)
        assert web.is_reached()
        after = RAW.format(IN + OUT) + FILTER
        done = k.conntune("lint", "--json", web.file("after.v4", after))
        assert done.returncode == 3, done.stderr
        found = [f for f in k.as_json(done)["findings"] if f["severity"] == "critical"]
        assert [f["id"] for f in found] == ["LN2"], found
        done = k.conntune("prove", "--json", web.file("before.v4", FILTER),
                          web.file("after.v4", after))
        assert done.returncode == 3
        changes = k.as_json(done)["changes"]
        assert any(c["change"] == "no longer accepted" and c["way"] == "received"
                   for c in changes), changes
        web.rules(after)
        assert not web.is_reached(), "the outage did not come"


def test_repair():
    """conntune notrack: reachable and no longer in the table; taken back, all is as before"""
    with Web("nt2") as web:
        web.rules(FILTER)
        assert web.is_reached()
        assert web.entries() > 0
        before = web.saved()
        done = web.ns.run(k.CONNTUNE, "notrack", "tcp dport 8080")
        commands = [line for line in done.splitlines() if line.startswith("iptables ")]
        undo = [line[1:] for line in done.splitlines() if line.startswith("#iptables ")]
        assert len(commands) == 4 and len(undo) == 4, done
        web.ns.run("conntrack", "-F", check=False)
        for command in commands:
            web.ns.run("sh", "-ec", command)
            assert web.is_reached(), f"cut off after {command}"
        web.ns.run("conntrack", "-F", check=False)
        assert web.is_reached()
        assert web.entries() == 0, "it is still tracked"
        lint = web.ns.run(k.CONNTUNE, "lint", "--json", "--live", check=False)
        assert not [f for f in k.as_json(lint)["findings"]
                    if f["severity"] in ("warning", "critical")], lint.stdout
        for command in undo:
            web.ns.run("sh", "-ec", command)
        after = web.saved().replace("*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
                                    "COMMIT\n", "")
        assert k.re.sub(r"\[.*\]", "", after) == k.re.sub(r"\[.*\]", "", before), after


def test_half():
    """half a NOTRACK: the table fills with the answers, as lint says"""
    half = RAW.format(IN) + FILTER.replace(
        "-A INPUT -p tcp -m state --state NEW -m tcp --dport 8080",
        "-A INPUT -p tcp -m tcp --dport 8080")
    with Web("nt3") as web:
        done = k.conntune("lint", "--json", web.file("half.v4", half))
        found = [f for f in k.as_json(done)["findings"] if f["id"] == "LN1"]
        assert done.returncode == 3 and found, done.stdout
        assert "-A OUTPUT" in found[0]["remedy"] and "--sport 8080" in found[0]["remedy"], found
        web.rules(half)
        assert web.is_reached()
        assert web.entries() > 0, "the answers should be tracked"
        web.rules(half.replace(IN, IN + OUT))
        web.ns.run("conntrack", "-F", check=False)
        assert web.is_reached()
        assert web.entries() == 0


def checked(web_dir, before, after):
    """Runs the check of each class that changes; how many the kernel was asked about."""
    names = []
    for name, text in (("before.v4", before), ("after.v4", after)):
        names.append(os.path.join(web_dir, name))
        with open(names[-1], "w", encoding="ascii") as f:
            f.write(text)
    done = k.conntune("prove", "--json", *names)
    n = 0
    for change in k.as_json(done)["changes"]:
        if "check" not in change:
            continue
        argv = shlex.split(change["check"])
        told = k.as_json(k.conntune(*argv[1:], "--json"))
        assert told["different"] == 0, (change, told)
        is_gone = told["packets"][-1]["fate"] == "gone"
        want = {"no longer accepted": True, "accepted now": False}.get(change["change"], is_gone)
        assert is_gone == want, (change, told["packets"][-1])
        n += 1
    return n


def test_witness():
    """the kernel confirms the witness of every class that changes its fate"""
    half = FILTER.replace(":OUTPUT ACCEPT", ":OUTPUT DROP").replace(
        "COMMIT", "-A OUTPUT -m state --state ESTABLISHED -j ACCEPT\nCOMMIT")
    pairs = [(FILTER, RAW.format(IN + OUT) + FILTER), (half, RAW.format(IN) + half),
             (FILTER, FILTER.replace("--dport 22", "--dport 23")),
             (FILTER, FILTER.replace("-A INPUT -p icmp -j ACCEPT\n", "")),
             (FILTER, FILTER.replace("RELATED,ESTABLISHED", "RELATED")),
             (FILTER, FILTER.replace("-A INPUT -i lo -j ACCEPT\n", "")),
             (FILTER, FILTER.replace("--state NEW ", "! --state ESTABLISHED "))]
    with tempfile.TemporaryDirectory(prefix="ctt-") as place:
        n = [checked(place, before, after) for before, after in pairs]
    assert all(n), n


k.main(globals())
