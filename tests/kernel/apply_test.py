# SPDX-License-Identifier: BSD-2-Clause
"""conntune apply, confirm, undo, recover, history: on the running kernel, killed in every place."""
import json
import os
import time

import apply
import kernel as k

k.need("unshare", "nsenter")

UDP, CLOSE = "nf_conntrack_udp_timeout", "nf_conntrack_tcp_timeout_close"
OLD, NEW = (30, 10), (25, 7)
SETS = ["--set", f"{UDP}={NEW[0]}", "--set", f"{CLOSE}={NEW[1]}"]


def values(ns):
    return ns.sysctl("udp_timeout"), ns.sysctl("tcp_timeout_close")


def change(m, ns, *argv):
    return m.conntune("apply", "--netns", ns.name, "-y", *SETS, *argv)


def test_dry_run_is_the_default():
    """without a terminal and without -y nothing is changed, and the change is shown"""
    with k.Netns("apply-dry") as ns, apply.Machine() as m:
        for argv in ([], ["--dry-run", "-y"]):
            told = k.as_json(m.conntune("apply", "--json", "--netns", ns.name, *SETS, *argv))
            assert [(c["from"], c["to"]) for c in told["changes"]] == [("30", "25"), ("10", "7")]
            assert told["state"] == "planned"
        assert values(ns) == OLD
        assert m.history() == []


def test_apply_and_undo():
    """a change is made, shown in the history, and taken back"""
    with k.Netns("apply-undo") as ns, apply.Machine() as m:
        assert change(m, ns).returncode == 0
        assert values(ns) == NEW and m.state() == "kept"
        m.without_watcher()
        assert m.conntune("undo").returncode == 0
        assert values(ns) == OLD and m.state() == "undone"
        assert m.conntune("undo").returncode == 1  # there is none left
        assert change(m, ns).returncode == 0
        told = k.as_json(change(m, ns, "--json"))
        assert told["state"] == "nothing" and told["changes"] == []


def test_unconfirmed():
    """what nobody confirms in time is taken back by the watcher, alone"""
    with k.Netns("apply-late") as ns, apply.Machine() as m:
        assert change(m, ns, "--confirm-within", "6s").returncode == 0
        assert values(ns) == NEW and m.state() == "waiting" and m.watchers()
        again = m.conntune("apply", "--netns", ns.name, "-y", "--set", f"{UDP}=24")
        assert again.returncode == 1 and "waits to be confirmed" in again.stderr
        m.without_watcher()
        assert values(ns) == OLD
        assert m.history()[0]["why"] == "it was not confirmed in time"
        late = m.conntune("confirm")
        assert late.returncode == 1 and "no change waits" in late.stderr


def test_confirmed():
    """what is confirmed in time stays"""
    with k.Netns("apply-confirm") as ns, apply.Machine() as m:
        assert change(m, ns, "--confirm-within", "2s").returncode == 0
        assert m.conntune("confirm").returncode == 0
        m.without_watcher()
        time.sleep(2)
        assert values(ns) == NEW and m.state() == "kept"


def test_undo_while_waiting():
    """a change that waits can be taken back at once, and the watcher ends"""
    with k.Netns("apply-back") as ns, apply.Machine() as m:
        assert change(m, ns, "--confirm-within", "1h").returncode == 0
        assert m.conntune("undo", "1").returncode == 0
        assert values(ns) == OLD
        m.without_watcher()


def test_watcher_killed():
    """when the watcher is killed, the next command takes back what is overdue"""
    with k.Netns("apply-kill") as ns, apply.Machine() as m:
        assert change(m, ns, "--confirm-within", "1s").returncode == 0
        for pid in m.watchers():
            os.kill(pid, 9)
        time.sleep(1.2)
        assert values(ns) == NEW
        done = m.conntune("confirm")
        assert done.returncode == 1 and "not confirmed in time" in done.stdout
        assert values(ns) == OLD


def test_watcher_survives():
    """the watcher is in a session of its own, with nothing of the terminal open"""
    with k.Netns("apply-session") as ns, apply.Machine() as m:
        assert change(m, ns, "--confirm-within", "1h").returncode == 0
        (pid,) = m.watchers()
        assert os.getsid(pid) == pid
        # init, or whoever collects orphans in its stead, is its parent
        files = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert not any("pts" in f or "pipe:" in f or "socket:" in f for f in files), files
        m.conntune("undo")
        m.without_watcher()


def test_foreign_value():
    """a value that somebody else wrote since is left, and said; --force takes it"""
    with k.Netns("apply-foreign") as ns, apply.Machine() as m:
        change(m, ns)
        ns.sysctl("udp_timeout", 99)
        done = m.conntune("undo")
        assert done.returncode == 1 and "99, which is not ours" in done.stdout
        assert values(ns) == (99, OLD[1])
        assert m.conntune("undo", "1", "--force").returncode == 0
        assert values(ns) == OLD


def test_plan():
    """a plan file is applied; one made of other values is refused unless forced"""
    def plan(value):
        return json.dumps({"schema": "conntune.plan", "version": 1, "changes": [
            {"target": UDP, "from": value, "to": 25, "scope": "namespace", "reason": "DNS"},
            {"target": CLOSE, "to": 7}]})
    with k.Netns("apply-plan") as ns, apply.Machine() as m:
        stale = m.conntune("apply", "--netns", ns.name, "-y", "-", input=plan(31))
        assert stale.returncode == 1 and "somebody changed it meanwhile" in stale.stderr, stale
        assert values(ns) == OLD
        assert m.conntune("apply", "--netns", ns.name, "-y", "-", input=plan(30)).returncode == 0
        assert values(ns) == NEW
        m.conntune("undo")
        assert m.conntune("apply", "--netns", ns.name, "-y", "--force", "-",
                          input=plan(31)).returncode == 0
        assert values(ns) == NEW


def test_bad_plans():
    """a plan that is not understood whole is refused whole"""
    good = {"schema": "conntune.plan", "version": 1, "changes": [{"target": UDP, "to": 25}]}
    bad = [
        ("not JSON", "line 1"), ("[]", "schema"), (json.dumps({**good, "version": 2}), "version"),
        (json.dumps({**good, "shell": "rm"}), "'shell'"),
        (json.dumps({**good, "changes": [{"target": "nonsense", "to": 1}]}), "nonsense"),
        (json.dumps({**good, "changes": [{"target": UDP, "to": "25; reboot"}]}), "no number"),
        (json.dumps({**good, "changes": [{"target": UDP, "to": 10 ** 15}]}), UDP),
        (json.dumps({**good, "changes": [{"target": UDP, "to": 1}] * 2}), "twice"),
        (json.dumps({**good, "changes": [{"target": "hashsize ", "to": 1}]}), "hashsize"),
        ("[" * 100000, "line 1"), ("{" + " " * (1 << 20) + "}", "too large"),
    ]
    with k.Netns("apply-bad") as ns, apply.Machine() as m:
        for text, word in bad:
            done = m.conntune("apply", "--netns", ns.name, "-y", "-", input=text)
            assert done.returncode == 1 and word.lower() in done.stderr.lower(), (text[:60], done.stderr)
        assert values(ns) == OLD and m.history() == []


def test_refusals():
    """a copy is not written to; a value of the whole machine not from within a namespace"""
    with k.Netns("apply-refuse") as ns, apply.Machine() as m:
        done = m.conntune("apply", "--root", "/tmp", "-y", *SETS)
        assert done.returncode == 1 and "never written to" in done.stderr
        done = m.conntune("apply", "--netns", ns.name, "-y", "--set", "nf_conntrack_max=1000000")
        assert done.returncode == 1 and "leave out --netns" in done.stderr, done.stderr
        done = ns.run(*m.enter(k.CONNTUNE, "apply", "-y", "--set", "nf_conntrack_max=1000000"),
                      check=False)
        assert done.returncode == 1 and "on the machine itself" in done.stderr, done.stderr
        done = m.conntune("apply", "--netns", ns.name, "-y", "--set", "nf_conntrack_count=3")
        assert done.returncode == 2 and "read-only" in done.stderr, done.stderr


def test_only_one_at_a_time():
    """while a change is being made no other one begins"""
    with k.Netns("apply-lock") as ns, apply.Machine() as m:
        m.run("mkdir", "-p", "/var/lib/conntune/changes")
        done = k.run(*m.enter("flock", "/var/lib/conntune/lock", k.CONNTUNE, "apply", "--netns",
                              ns.name, "-y", *SETS), check=False)
        assert done.returncode == 1 and "under way" in done.stderr
        assert values(ns) == OLD


def test_killed_at_every_write():
    """killed by SIGKILL at each write, the watcher too, it leaves what the next command finishes"""
    apply.need_strace()
    seen, kills = set(), 0
    with k.Netns("apply-kill9") as ns, apply.Machine() as m:
        for where in m.kill_everywhere("apply", "--netns", ns.name, "-y", *SETS):
            left = values(ns)
            seen.add(left)
            kills += where[2]
            done = m.conntune("recover")
            assert done.returncode == 0, done.stderr
            kept = bool(m.history()) and m.state() == "kept"
            assert values(ns) == (NEW if kept else OLD), (where, left, m.history())
            assert where[2] or kept, where
            if left != OLD and not kept:
                assert "interrupted" in done.stdout and UDP in done.stdout, done.stdout
            if kept:
                assert m.conntune("undo").returncode == 0
            assert values(ns) == OLD
    assert kills > 60 and (NEW[0], OLD[1]) in seen, (kills, seen)  # a mixture was really left


def test_killed_alone():
    """killed at each write, the watcher puts the old state back at once"""
    apply.need_strace()
    kills = 0
    with k.Netns("apply-kill9w") as ns, apply.Machine() as m:
        for where in m.kill_everywhere("apply", "--netns", ns.name, "-y", *SETS, alone=True):
            kills += where[2]
            m.without_watcher()
            kept = bool(m.history()) and m.state() == "kept"
            # before the watcher stood nothing was written; afterwards it took all back
            assert values(ns) == (NEW if kept else OLD), (where, m.history())
            m.conntune("recover")
            if kept:
                m.conntune("undo")
            assert values(ns) == OLD
    assert kills > 60, kills


def test_undo_killed_at_every_write():
    """an undo killed at each write is finished by the next command"""
    apply.need_strace()
    kills = 0
    with k.Netns("apply-kill9u") as ns, apply.Machine() as m:
        assert change(m, ns).returncode == 0
        for where in m.kill_everywhere("undo"):
            kills += where[2]
            done = m.conntune("recover")
            assert done.returncode == 0, done.stderr
            if m.state() == "kept":
                assert values(ns) == NEW
                m.conntune("undo")
            assert values(ns) == OLD and m.state() == "undone", where
            assert change(m, ns).returncode == 0
    assert kills > 30, kills


def test_after_a_boot():
    """what was changed before this boot is not taken back out of the kernel of now"""
    with k.Netns("apply-boot") as ns, apply.Machine() as m:
        change(m, ns, "--confirm-within", "1h")
        for pid in m.watchers():
            os.kill(pid, 9)
        path = f"{apply.STATE}/changes/1/journal.json"
        m.run("sed", "-i", 's/"boot": "[^"]*"/"boot": "another"/', path)
        done = m.conntune("recover")
        assert done.returncode == 0 and "ended with its namespace or boot" in done.stdout
        assert values(ns) == NEW and m.state() == "undone"
        assert "started again" in m.history()[0]["why"]


def test_namespace_gone():
    """a change of a namespace that is no more is over"""
    with apply.Machine() as m:
        with k.Netns("apply-gone") as ns:
            change(m, ns)
        done = m.conntune("undo")
        assert done.returncode == 0 and "gone" in done.stdout, done.stdout
        assert m.state() == "undone"


def test_rise():
    """INVALID packets beyond the bound take the change back at once"""
    with k.Netns("apply-rise") as ns, apply.Machine() as m:
        ns.track()
        done = change(m, ns, "--confirm-within", "1h", "--bound", "invalid=5")
        assert done.returncode == 0, done.stderr

        def storm():
            """Answers to nothing: ICMP echo replies from a raw socket."""
            import socket
            import struct
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            body = struct.pack("!BBHHH", 0, 0, 0, 7, 7)
            packet = struct.pack("!BBHHH", 0, 0, k.checksum(body), 7, 7)
            end = time.monotonic() + 6
            while time.monotonic() < end:
                s.sendto(packet, ("127.0.0.1", 0))
                time.sleep(0.005)
        inside = ns.call(storm, wait=False)
        try:
            m.without_watcher()
        finally:
            inside.stop()
        assert values(ns) == OLD
        assert "INVALID packets rose to" in m.history()[0]["why"], m.history()


k.main(globals())
