# SPDX-License-Identifier: BSD-2-Clause
"""Causes that show only at a small limit or with few buckets. Both belong to the whole machine:
each test holds the lock, changes them for a second or two, and puts them back."""
import os
import random

import kernel as k

k.need()


def forged_udp(n, dst, dport):
    """@n datagrams from different sources, none answered."""
    chance = random.Random(n)
    for _ in range(n):
        src = f"{chance.randrange(11, 100)}.{chance.randrange(256)}.1.{chance.randrange(1, 255)}"
        yield k.udp_packet(src, dst, chance.randrange(1024, 65536), dport, b"x")


def test_rc1_too_small():
    """RC1: a full table of live connections, and the kernel drops"""
    with k.Netns("small") as ns, k.Netns("smallc") as client:
        ns.join(client)
        ns.track()
        with k.Limits(max=2048), k.Server(ns, 8080, hold=True):
            holder = client.call(k.hold, "10.97.0.1", 8080, 2060, 60, wait=False)
            drops = k.wait_for(lambda: k.counters(ns)["drop"])
            report = k.doctor(ns)
            check = k.conntune("doctor", "--netns", ns.name, "--check")
            holder.stop()
    assert drops > 0
    f = k.finding(report, "F2", "critical")
    assert any(e["value"] == "2048" for e in f["evidence"]), f
    f = k.finding(report, "RC1", "warning")
    assert "2048" in f["sentence"], f
    assert not {"RC2", "RC3", "RC4", "RC5"} & set(k.ids(report)), k.ids(report)
    assert report["status"] == 3
    assert check.returncode == 2 and len(check.stdout.splitlines()[0]) > 0, check.stdout


def test_churn_when_full():
    """RC2 when the table is full of TIME_WAIT: churn is the cause, not the limit"""
    with k.Netns("burst") as ns:
        ns.track()
        with k.Limits(max=2048), k.Server(ns, 6379):
            made = ns.call(k.churn, "127.0.0.1", 6379, 2500)
            report = k.doctor(ns)
            drops = k.counters(ns)["drop"]
    assert drops > 0 and made < 2500, (drops, made)
    f = k.finding(report, "F2", "critical")
    assert any(str(drops) in e["value"] for e in f["evidence"]), (drops, f)
    f = k.finding(report, "RC2", "warning")
    assert "6379" in f["sentence"], f
    assert "RC1" not in k.ids(report), k.ids(report)


def test_rc11_few_buckets():
    """RC11: max raised without buckets; chains so long that insertion fails"""
    with k.Netns("chains") as ns, k.Netns("chainsc") as client:
        ns.join(client)
        ns.track()
        ns.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
        with k.Limits(max=20000, buckets=512):
            client.call(k.send_raw, list(forged_udp(16000, "10.97.0.1", 5000)))
            report = k.doctor(ns)
            counters = k.counters(ns)
            count = ns.count()
    assert counters["chaintoolong"] > 0, (counters, count)
    f = k.finding(report, "RC11", "critical")
    assert any(str(counters["chaintoolong"]) in e["value"] for e in f["evidence"]), f


def test_rc11_by_settings():
    """RC11: the ratio alone, with an empty table, is a warning"""
    with k.Netns("ratio") as ns:
        ns.track()
        with k.Limits(max=20480, buckets=2048):
            k.finding(k.doctor(ns), "RC11", "warning")


def test_rc12_many_buckets():
    """RC12: far more buckets than entries may ever fill"""
    with k.Netns("buckets") as ns:
        ns.track()
        with k.Limits(max=16384, buckets=65536):
            k.finding(k.doctor(ns), "RC12", "note", "warning")


def test_ratio_in_order():
    """RC11 and RC12 stay silent when max equals the buckets"""
    with k.Netns("equal") as ns:
        ns.track()
        with k.Limits(max=16384, buckets=16384):
            report = k.doctor(ns)
    assert not {"RC11", "RC12"} & set(k.ids(report)), k.ids(report)


def test_rc16_another():
    """RC16: the kernel says full, but it is another namespace; it is named by its inode"""
    with k.Netns("tenant") as ns, k.Netns("quiet") as quiet:
        ns.track()
        quiet.track()
        with k.Limits(max=1024):
            ns.call(k.udp_burst, "127.0.0.1", 9, 100)
            entries = [dict(src=f"198.51.100.{i % 250 + 1}", dst="192.0.2.1", sport=1024 + i,
                            dport=443, timeout=432000) for i in range(1024)]
            ns.call(k.insert, entries)
            ns.call(k.udp_burst, "127.0.0.2", 9, 400)
            drops = k.counters(ns)["drop"]
            report = k.doctor(None)
            other = k.doctor(quiet)
    assert drops > 0
    for r in (report, other):
        # Others on this machine may be full as well; a finding of its own is about ours.
        found = [f.get("netns", "") for f in k.findings(r, "warning", "critical")
                 if f["id"] == "RC16"]
        assert [n for n in found if str(ns.inode) in n or ns.name in n], found


def test_refuses_what_hurts():
    """tools/limits changes nothing where a namespace could feel it, even one without a process"""
    with k.Netns("held") as ns:
        ns.call(k.insert, [dict(src="198.51.100.1", dst="192.0.2.1", sport=i + 1, dport=443)
                           for i in range(900)])
        before = k.get(k.SYSCTL + "max")
        done = k.run(f"{k.TOOLS}/limits", "--for", os.getpid(), "--max", 1024, "--wait", 60,
                     check=False, timeout=90)
        after = k.get(k.SYSCTL + "max")
    if "is held" in done.stderr:
        k.skip(done.stderr.strip())
    assert done.returncode == 1 and "nothing was changed" in done.stderr, done
    assert before == after, (before, after)


def test_log_told_apart():
    """the kernel's log: lines about one namespace are not held against another"""
    with k.Netns("noisy") as ns, k.Netns("calm") as calm:
        for n in (ns, calm):
            n.track()
        with k.Limits(max=1024):
            ns.call(k.insert, [dict(src="198.51.100.1", dst="192.0.2.1", sport=i, dport=443)
                               for i in range(1, 1025)])
            # The kernel's rate limit may keep lines back for some seconds after another test.
            k.wait_for(lambda: ns.call(k.udp_burst, "127.0.0.2", 9, 1) and
                       f"table full in netns {ns.inode}" in k.run("dmesg"))
            noisy, report = k.doctor(ns), k.doctor(calm)
        if f"table full in netns {ns.inode}" not in k.run("dmesg"):
            k.skip("the log does not name the namespace: an older kernel, or its rate limit")
        told = k.as_json(k.conntune("status", "--netns", calm.name, "--json"))
    assert "F2" in k.ids(noisy, "critical"), k.ids(noisy)
    assert not {"F2", "RC24"} & set(k.ids(report)), k.ids(report)
    assert told["log"]["table_full"] == 0 < told["log"]["table_full_anywhere"], told["log"]


def test_service_of_another():
    """a port is not said to be served by the program that listens there in another namespace"""
    with k.Netns("has") as ns, k.Netns("hasnot") as other:
        for n in (ns, other):
            n.track()
        with k.Limits(max=1024), k.Server(ns, 6379, hold=True):
            other.call(k.insert, [dict(src="198.51.100.1", dst="192.0.2.1", sport=i, dport=6379)
                                  for i in range(1, 1025)])
            report = k.doctor(ns)
    f = next(f for f in k.findings(report, "critical")
             if f["id"] == "RC16" and f["netns"].startswith(other.name))
    text = k.json.dumps(f["evidence"])
    assert "6379 (redis)" in text and "python" not in text, text


k.main(globals())
