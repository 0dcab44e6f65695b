# SPDX-License-Identifier: BSD-2-Clause
"""The lab does what it says, names the cause, and leaves nothing behind: no namespace, no folder, no
process, no changed limit; not even when it is killed."""
import glob
import os
import signal
import subprocess
import time

import kernel as k

k.need("iptables-restore", "nginx", "redis-server", "redis-cli", "setsid")

LAB = os.path.join(k.TOOLS, "lab", "run")
MAX = k.SYSCTL + "max"


def left(pid):
    """What the lab with this process id left behind."""
    found = glob.glob(f"/run/netns/ctlab-*-{pid}") + glob.glob(f"/tmp/conntune-lab.{pid}.*")
    for cmdline in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(cmdline, encoding="latin-1") as f:
                if f"/tmp/conntune-lab.{pid}." in f.read():
                    found.append(cmdline)
        except OSError:
            pass
    return found


def lab(*argv, wait=True):
    p = subprocess.Popen([LAB, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, env={**os.environ,
                                                                   "CONNTUNE": k.CONNTUNE})
    if not wait:
        return p
    p.out = p.communicate(timeout=100)[0]
    return p


def test_full():
    """with --yes-change-max: the table fills, the kernel drops, the cause is named"""
    before = k.get(MAX)
    p = lab("--yes-change-max")
    if "is held by another test" in p.out or "too close" in p.out:
        k.skip(p.out.splitlines()[-1])
    assert p.returncode == 0, p.out[-3000:]
    assert "6379" in p.out and "ready max=" in p.out, p.out[-3000:]
    assert k.get(MAX) == before
    assert k.wait_for(lambda: not left(p.pid)), left(p.pid)


def test_not_full():
    """without it: the limit is not touched, the churn is named all the same"""
    before = k.get(MAX)
    p = lab("--requests", "1500")
    assert p.returncode == 0, p.out[-3000:]
    assert "6379" in p.out and "stays as it is" in p.out, p.out
    assert k.get(MAX) == before
    assert k.wait_for(lambda: not left(p.pid)), left(p.pid)


def test_killed():
    """killed by SIGKILL in the middle: all is put back and removed all the same"""
    before = k.get(MAX)
    p = lab("--yes-change-max", wait=False)
    lines = []
    for line in p.stdout:
        lines.append(line)
        if line.startswith("== 5"):
            break
    if p.poll() is not None and "too close" in "".join(lines):
        k.skip("".join(lines).splitlines()[-1])
    time.sleep(0.5)
    assert left(p.pid), "".join(lines)
    assert k.get(MAX) != before
    os.kill(p.pid, signal.SIGKILL)
    p.wait()
    assert k.wait_for(lambda: not left(p.pid)), left(p.pid)
    assert k.wait_for(lambda: k.get(MAX) == before), k.get(MAX)


def test_misuse():
    """options it does not know, numbers it does not take: status 2"""
    for argv in (["--max"], ["--requests", "0x"], ["--requests", "1000000"], ["--requests"]):
        p = lab(*argv)
        assert p.returncode == 2, (argv, p.returncode, p.out)


def test_limits_refuse():
    """a limit that a namespace with entries could feel is refused"""
    with k.Netns("busy") as ns:
        ns.track()
        entries = [dict(src="198.51.100.1", dst="192.0.2.1", sport=i, dport=443)
                   for i in range(1, 1001)]
        assert ns.call(k.insert, entries) == 1000
        sleeper = subprocess.Popen(["ip", "netns", "exec", ns.name, "sleep", "60"])
        try:
            k.wait_for(lambda: os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino == ns.inode)
            before = k.get(MAX)
            done = k.run(os.path.join(k.TOOLS, "limits"), "--for", os.getpid(), "--max", 1500,
                         check=False)
        finally:
            sleeper.kill()
            sleeper.wait()
    assert done.returncode == 1 and "1000 entries" in done.stderr, done.stderr
    assert k.get(MAX) == before


k.main(globals())
