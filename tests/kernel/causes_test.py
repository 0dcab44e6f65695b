# SPDX-License-Identifier: BSD-2-Clause
"""The causes of causes.md that need nothing but a namespace: each really happens, with traffic or
with entries put in where real ones take days, and the doctor must report it by its id."""
import random

import kernel as k

k.need()

# What a report about one namespace also says about the machine around it: its boot, its log, its
# other namespaces, the size of its table. Not the business of the tests that expect silence.
ELSEWHERE = {"RC12", "RC13", "RC14", "RC16", "RC22", "RC23", "RC26", "B5"}


def unexpected(report):
    """What a report says to a namespace where nothing is wrong. RC10, that a plain firewall could
    do without states, is a remark for every such one; so are the facts, unless they warn."""
    loud = set(k.ids(report, "warning", "critical"))
    return sorted((loud | {i for i in k.ids(report) if i[0] == "R"} - {"RC10"}) - ELSEWHERE)


# Below the limit a cause is a note, from 75 % of it on a warning.
SAID = ("note", "warning", "critical")


def test_healthy():
    """a healthy namespace: silent, status 0"""
    with k.Netns("healthy") as ns, k.Netns("healthyc") as client:
        ns.join(client)
        ns.track()
        with k.Server(ns, 8080, hold=True):
            client.call(lambda: bool(k.hold("10.97.0.1", 8080, 30, 0)))
            report = k.doctor(ns)
    assert not unexpected(report), unexpected(report)
    assert report["status"] == (3 if k.ids(report, "warning", "critical") else 0), report["status"]


def test_rc2_churn():
    """RC2: a connection for every command leaves TIME_WAIT behind; the port is named"""
    with k.Netns("churn") as ns, k.Netns("churnc") as client:
        ns.join(client)
        ns.track()
        with k.Server(ns, 6379):
            made = client.call(k.churn, "10.97.0.1", 6379, 3000)
        assert made == 3000, made
        f = k.finding(k.doctor(ns), "RC2", *SAID)
    assert "6379" in f["sentence"] and "3000 of 3000" in f["sentence"], f


def test_rc2_not_from_few():
    """RC2 stays silent about forty closed connections"""
    with k.Netns("few") as ns:
        ns.track()
        with k.Server(ns, 6379):
            assert ns.call(k.churn, "127.0.0.1", 6379, 40) == 40
        report = k.doctor(ns)
    assert "RC2" not in k.ids(report), k.ids(report)


def test_rc3_corpses():
    """RC3: ESTABLISHED entries idle for days, without a socket on this machine"""
    day = 86400
    with k.Netns("corpses") as ns:
        ns.track()
        ns.ip("addr", "add", "192.0.2.1/32", "dev", "lo")
        entries = [dict(src=f"198.51.100.{i % 250 + 1}", dst="192.0.2.1", sport=1024 + i,
                        dport=5432, timeout=432000 - 2 * day - i) for i in range(4000)]
        assert ns.call(k.insert, entries) == 4000
        f = k.finding(k.doctor(ns), "RC3", *SAID)
    assert f["evidence"], f


def test_rc3_not_live():
    """RC3 stays silent about connections that carried a packet lately"""
    with k.Netns("live") as ns:
        ns.track()
        entries = [dict(src=f"198.51.100.{i % 250 + 1}", dst="192.0.2.1", sport=1024 + i,
                        dport=5432, timeout=432000 - i % 600) for i in range(4000)]
        assert ns.call(k.insert, entries) == 4000
        report = k.doctor(ns)
    assert "RC3" not in k.ids(report), k.ids(report)


def test_rc4_syn_flood():
    """RC4: SYNs from forged sources that never complete the handshake"""
    chance = random.Random(4)
    with k.Netns("flood") as ns, k.Netns("floodc") as attacker:
        ns.join(attacker)
        ns.track()
        ns.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
        packets = [k.tcp_packet(f"{chance.randrange(11, 100)}.{chance.randrange(256)}."
                                f"{chance.randrange(256)}.{chance.randrange(1, 255)}",
                                "10.97.0.1", chance.randrange(1024, 65536), 80, 2)
                   for _ in range(4000)]
        with k.Server(ns, 80):
            assert attacker.call(k.send_raw, packets) == 4000
            assert ns.count() > 3000, ns.count()
            f = k.finding(k.doctor(ns), "RC4", *SAID)
    assert f["evidence"], f


def test_rc5_udp_storm():
    """RC5: thousands of one-question UDP entries to port 53"""
    with k.Netns("dns") as ns, k.Netns("dnsc") as client:
        ns.join(client)
        ns.track()
        with k.Server(ns, 53, udp=True):
            client.call(k.udp_burst, "10.97.0.1", 53, 4000, 4000)
            assert ns.count() > 3500, ns.count()
            f = k.finding(k.doctor(ns), "RC5", *SAID)
    assert "53" in f["sentence"], f


def test_rc8_loopback():
    """RC8: a machine that tracks its own loopback traffic"""
    with k.Netns("loop") as ns:
        ns.track()
        with k.Server(ns, 8000, hold=True):
            ns.call(lambda: len(k.hold("127.0.0.1", 8000, 1500, 0)))
            ns.call(k.udp_burst, "127.0.0.1", 9, 1500)
            report = k.doctor(ns)
    k.finding(report, "RC8", *SAID)


def test_rc8_not_when_exempt():
    """RC8 stays silent when loopback is exempted from tracking"""
    with k.Netns("exempt") as ns:
        ns.track()
        ns.nft("table inet raw { chain pre { type filter hook prerouting priority -300; iif lo"
               " notrack; } chain out { type filter hook output priority -300; oif lo notrack; } }")
        with k.Server(ns, 8000):
            assert ns.call(k.churn, "127.0.0.1", 8000, 500) == 500
        assert ns.count() == 0
        report = k.doctor(ns)
    assert "RC8" not in k.ids(report), k.ids(report)


def test_rc19_invalid():
    """RC19: packets the tracker calls INVALID, and a rule that drops them"""
    uptime = float(k.get("/proc/uptime").split()[0])
    n = int(max(3000, uptime * 1.3))
    if n > 300000:
        k.skip(f"reckoned per second since boot, {n} packets are too many for a test")
    with k.Netns("invalid") as ns, k.Netns("invalidc") as client:
        ns.join(client)
        ns.nft("table inet filter { chain input { type filter hook input priority 0;"
               " ct state invalid counter drop; ct state established,related accept; } }")
        packets = [k.tcp_packet("10.97.0.2", "10.97.0.1", 1024 + i, 80, 3) for i in range(1000)]
        for _ in range(0, n, 1000):
            assert client.call(k.send_raw, packets) == 1000
        report = k.doctor(ns)
        counted = k.counters(ns)["invalid"]
    assert counted >= n
    f = k.finding(report, "RC19", "warning")
    assert any(str(counted) in e["value"] for e in f["evidence"]), f


def test_rc22_expectations():
    """RC22: the expectation table is full (a TFTP request each)"""
    if not k.os.path.exists(k.SYSCTL + "expect_max"):
        k.skip("this kernel has no expectation limit to read")
    limit = int(k.get(k.SYSCTL + "expect_max"))
    if limit > 20000:
        k.skip(f"nf_conntrack_expect_max is {limit}: too many requests for a test")
    with k.Netns("expect") as ns:
        try:
            ns.nft("""table inet filter {
	ct helper tftp {
		type "tftp" protocol udp
	}
	chain output {
		type filter hook output priority 0;
		udp dport 69 ct helper set "tftp"
	}
}
""")
        except AssertionError as e:
            k.skip(f"no TFTP helper in this kernel: {e}"[:120])
        requests = (k.udp_packet("127.0.0.1", f"127.0.{i >> 8}.{i & 255}", 1024 + i % 60000, 69,
                               b"\0\1boot\0octet\0")
                    for i in range(1, limit + 200))
        ns.call(k.send_raw, list(requests))
        report = k.doctor(ns)
    k.finding(report, "RC22", "warning", "critical")


def with_sysctl_d(content):
    """The doctor's report when /etc/sysctl.d holds one file with this content."""
    setup = ("mount -t tmpfs none /etc/sysctl.d && printf '%s' \"$1\" >/etc/sysctl.d/50-ct.conf &&"
             f" exec {k.CONNTUNE} doctor --json")
    done = k.run("unshare", "-m", "sh", "-c", setup, "sh", content, check=False)
    assert done.returncode in (0, 3), done.stderr
    return k.as_json(done)


def test_rc13_lost_at_boot():
    """RC13: a file sets another limit than the one in force; the file and line are cited"""
    f = k.finding(with_sysctl_d("# ours\nnet.netfilter.nf_conntrack_max = 1999872\n"), "RC13",
                  *SAID)
    assert "50-ct.conf" in k.json.dumps(f) and "1999872" in k.json.dumps(f), f


def test_rc13_not_when_kept():
    """RC13 stays silent when the file says what is in force"""
    limit = k.get(k.SYSCTL + "max")
    report = with_sysctl_d(f"net.netfilter.nf_conntrack_max = {limit}\n")
    if not k.os.path.isdir(f"/lib/modules/{k.os.uname().release}/kernel/net/netfilter"):
        assert "RC13" not in k.ids(report), k.ids(report)
    else:
        k.skip("conntrack is a module here; whether it loads before the file is read depends")


def test_tracking_off():
    """a namespace without rules: tracking is off, and nothing is wrong"""
    with k.Netns("off") as ns:
        with k.Server(ns, 80):
            assert ns.call(k.churn, "127.0.0.1", 80, 50) == 50
        assert ns.count() == 0
        report = k.doctor(ns)
        status = k.conntune("status", "--netns", ns.name)
    assert not unexpected(report), unexpected(report)
    assert status.returncode == 0, status.stderr
    assert "off" in status.stdout.lower(), status.stdout


k.main(globals())
