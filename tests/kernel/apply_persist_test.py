# SPDX-License-Identifier: BSD-2-Clause
"""conntune apply --persist and forget: files of this machine's own format, in a /etc of the test's own,
read afterwards by the real systemd-sysctl; killed at every write."""
import os
import shutil

import apply
import kernel as k

k.need("unshare", "nsenter")

# A machine of systemd with somebody's settings in it; what /etc holds besides is kept.
PREPARE = ("mkdir /var/lib/etc && cp -a /etc/. /var/lib/etc/ && mount --bind /var/lib/etc /etc && "
           "mkdir -p /etc/sysctl.d && rm -f /etc/sysctl.d/*conntune* && "
           "echo 'net.ipv4.ip_forward = 0' >/etc/sysctl.d/10-other.conf")
FILE = "/etc/sysctl.d/90-conntune.conf"
UDP = "nf_conntrack_udp_timeout"
SYSCTL = shutil.which("systemd-sysctl", path="/usr/lib/systemd:/lib/systemd")


def machine():
    return apply.Machine(PREPARE)


def inside(m, ns, *argv):
    """conntune as if the machine's own namespace were @ns."""
    done = ns.run(*m.enter(k.CONNTUNE, *argv), check=False)
    k.is_alive(done, argv)
    return done


def set_udp(m, ns, value, *argv):
    return inside(m, ns, "apply", "--persist", "-y", "--set", f"{UDP}={value}", *argv)


def test_written_and_taken_back():
    """the file is written, marked, and is gone with undo; a later change replaces its line"""
    with k.Netns("persist") as ns, machine() as m:
        shown = inside(m, ns, "apply", "--persist", "--set", f"{UDP}=25")
        assert f"+ net.netfilter.{UDP} = 25" in shown.stdout, shown
        assert m.read(FILE) is None
        done = set_udp(m, ns, 25)
        assert done.returncode == 0, done.stderr
        text = m.read(FILE)
        assert text.startswith("# Written by conntune") and f"\nnet.netfilter.{UDP} = 25\n" in text
        assert ns.sysctl("udp_timeout") == 25
        assert m.run("stat", "-c", "%a", FILE) == "644\n"
        set_udp(m, ns, 26)
        assert m.read(FILE).count(UDP) == 1 and f"{UDP} = 26" in m.read(FILE)
        m.conntune("undo")
        assert m.read(FILE) == text and ns.sysctl("udp_timeout") == 25
        m.conntune("undo")
        assert m.read(FILE) is None and ns.sysctl("udp_timeout") == 30


def test_the_real_reader():
    """systemd-sysctl applies what was written, and conntune boot tells the same"""
    if not SYSCTL:
        k.skip("systemd-sysctl is not installed")
    with k.Netns("persist-read") as ns, machine() as m:
        assert set_udp(m, ns, 25).returncode == 0
        ns.sysctl("udp_timeout", 30)
        told = k.as_json(m.conntune("boot", "--json"))
        row = next(v for v in told["values"] if v["name"] == UDP)
        assert row["after_boot"] == 25 and row["origin"].startswith(FILE), row
        ns.run(*m.enter(SYSCTL, "--prefix=/net/netfilter"), check=False)
        assert ns.sysctl("udp_timeout") == 25


def test_rights_are_kept():
    """mode, owner and attributes of a file that is replaced stay"""
    with k.Netns("persist-mode") as ns, machine() as m:
        set_udp(m, ns, 25)
        m.run("chmod", "640", FILE)
        m.run("chown", "1:2", FILE)
        has_attr = m.run("setfattr", "-n", "user.test", "-v", "x", FILE, check=False,
                         ).returncode == 0 if shutil.which("setfattr") else False
        set_udp(m, ns, 26)
        assert m.run("stat", "-c", "%a %u %g", FILE) == "640 1 2\n"
        if has_attr:
            assert "user.test" in m.run("getfattr", FILE)
        m.conntune("undo")
        assert m.run("stat", "-c", "%a %u %g", FILE) == "640 1 2\n"


def test_forget():
    """forget shows, then removes every file of ours, and can itself be taken back"""
    with k.Netns("persist-forget") as ns, machine() as m:
        before = m.run("sh", "-c", "cd /etc && find . -type f | sort | xargs -d '\\n' cksum")
        set_udp(m, ns, 25)
        text = m.read(FILE)
        assert FILE in m.conntune("forget").stdout and m.read(FILE) == text
        assert m.conntune("forget", "-y").returncode == 0
        assert m.read(FILE) is None
        after = m.run("sh", "-c", "cd /etc && find . -type f | sort | xargs -d '\\n' cksum")
        assert before == after
        assert ns.sysctl("udp_timeout") == 25  # what holds now holds until the next boot
        m.conntune("undo")
        assert m.read(FILE) == text


def test_file_of_somebody_else():
    """a file that somebody edited since is left by undo; one under our name is never taken"""
    with k.Netns("persist-other") as ns, machine() as m:
        set_udp(m, ns, 25)
        m.run("sh", "-c", f"echo '# mine' >>{FILE}")
        done = m.conntune("undo")
        assert done.returncode == 1 and "not ours" in done.stdout
        assert "# mine" in m.read(FILE) and ns.sysctl("udp_timeout") == 30
        m.run("sh", "-c", f"echo '# all mine' >{FILE}")
        done = set_udp(m, ns, 26)
        assert done.returncode == 1 and "not written by conntune" in done.stderr
        assert ns.sysctl("udp_timeout") == 30


def test_not_for_namespaces():
    """what is not there after a boot is not made to last"""
    with k.Netns("persist-ns") as ns, machine() as m:
        done = m.conntune("apply", "--netns", ns.name, "--persist", "-y", "--set", f"{UDP}=25")
        assert done.returncode == 1 and "not there after a boot" in done.stderr
        assert ns.sysctl("udp_timeout") == 30


def test_killed_at_every_write():
    """killed at each write, value and file are both old or both new in the end"""
    apply.need_strace()
    kills, mixed = 0, False
    with k.Netns("persist-kill") as ns, machine() as m:
        argv = ["apply", "--persist", "-y", "--set", f"{UDP}=25"]
        for where in m.kill_everywhere(*argv, within=ns):
            kills += where[2]
            mixed |= ns.sysctl("udp_timeout") == 25 and m.read(FILE) is None
            assert inside(m, ns, "recover").returncode == 0
            kept = bool(m.history()) and m.state() == "kept"
            assert (ns.sysctl("udp_timeout"), m.read(FILE) is not None) == (
                (25, True) if kept else (30, False)), (where, m.history())
            left = m.run("find", "/etc", "-name", ".*.conntune")
            assert not left, left
            if kept:
                m.conntune("undo")
    assert kills > 60 and mixed, kills


def test_after_a_boot():
    """files of a change that nobody confirmed before the machine went down are put back at boot"""
    with k.Netns("persist-boot") as ns, machine() as m:
        set_udp(m, ns, 25, "--confirm-within", "1h")
        for pid in m.watchers():
            os.kill(pid, 9)
        m.run("sed", "-i", 's/"boot": "[^"]*"/"boot": "another"/',
              f"{apply.STATE}/changes/1/journal.json")
        assert m.read(FILE)
        assert m.conntune("recover").returncode == 0
        assert m.read(FILE) is None and m.state() == "undone"


k.main(globals())
