# SPDX-License-Identifier: BSD-2-Clause
"""conntune lab --tour tells a true story: what it shows is what happened. And it leaves nothing."""
import glob
import os
import re
import signal
import subprocess
import time

import kernel as k

k.need("iptables-restore", "nft", "nginx", "redis-server", "redis-cli", "setsid", "unshare")

MAX = k.SYSCTL + "max"
STATE = "/var/lib/conntune/changes"


def changes():
    """The changes of this machine, which are not the tour's."""
    return sorted(os.listdir(STATE)) if os.path.isdir(STATE) else []


def left(pid):
    """What the tour with this process id left behind: namespaces, folders, processes."""
    found = glob.glob(f"/run/netns/ctlab-*-{pid}") + glob.glob(f"/tmp/conntune-lab.{pid}.*")
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/mountinfo"):
        try:
            with open(path, encoding="latin-1") as f:
                if f"conntune-lab.{pid}." in f.read():
                    found.append(path)
        except OSError:
            pass
    return found


def start(*argv):
    # conntune becomes the script, so the process id is the lab's.
    return subprocess.Popen([k.CONNTUNE, "lab", *argv], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "CONNTUNE_LAB": os.path.join(k.TOOLS, "lab")})


def skip_when_busy(text):
    if "is held by another test" in text or "too close" in text:
        k.skip(text.splitlines()[-1])


def chapters(text):
    """{number: text} of the transcript."""
    parts = re.split(r"^== (\d+)\. ", text, flags=re.M)
    return dict(zip(map(int, parts[1::2]), parts[2::2]))


def drops(chapter):
    return int(re.search(r"dropped (\d+) packets", chapter).group(1))


def test_story():
    """drops, their cause, a change, no drops, the way back, and one that comes back by itself"""
    before, own = k.get(MAX), changes()
    p = start("--tour", "--yes-change-max")
    text = p.communicate(timeout=200)[0]
    skip_when_busy(text)
    assert p.returncode == 0 and "UNTRUE" not in text, text[-6000:]
    told = chapters(text)
    assert drops(told[5]) > 0 and "timed out" in told[5], told[5]
    assert "CRITICAL  F2 full" in told[6] and "tcp port 6379" in told[6], told[6]
    assert "NOTRACK  lo" in told[7] and "nf_conntrack_max  4096" not in told[7], told[7]
    assert "127.0.0.0/8" in told[8], told[8]
    assert "is kept" in told[9] and re.search(r"entries +\d+ removed", told[9]), told[9]
    assert drops(told[10]) == 0 and "timed out" not in told[10], told[10]
    assert "taken back" in told[11], told[11]
    assert "LN2 dropped" in told[12] and "True: the service is gone" in told[12], told[12]
    assert "it was not confirmed in time" in told[13], told[13]
    assert "True: the service is gone, so nobody confirms" in told[13], told[13]
    assert "took itself back, and the service is reachable" in told[13], told[13]
    assert k.get(MAX) == before and changes() == own
    assert k.wait_for(lambda: not left(p.pid)), left(p.pid)


def test_killed_while_a_change_waits():
    """killed by SIGKILL before the confirmation: nothing stays, the watcher neither"""
    before, own, lines = k.get(MAX), changes(), []
    p = start("--tour", "--yes-change-max")
    for line in p.stdout:
        lines.append(line)
        if line.startswith("Change 1 is made"):
            break
    skip_when_busy("".join(lines))
    assert p.poll() is None and k.get(MAX) != before, "".join(lines[-20:])
    os.kill(p.pid, signal.SIGKILL)
    p.wait()
    assert k.wait_for(lambda: not left(p.pid), 20), left(p.pid)
    assert k.wait_for(lambda: k.get(MAX) == before), k.get(MAX)
    time.sleep(1)  # nobody comes later and writes the limit again
    assert k.get(MAX) == before and changes() == own


def test_misuse():
    """without a word of consent the limit is not lowered; what cannot be is said"""
    before = k.get(MAX)
    for argv, word in ((["--tour"], "--yes-change-max allows it"), (["--tour", "--keep"], "--keep"),
                       (["--netns", "x"], "machine of its own"), (["now"], "no operand")):
        p = start(*argv)
        text = p.communicate(timeout=20)[0]
        assert p.returncode == 2 and word in text, (argv, text)
    assert k.get(MAX) == before


def test_what_is_missing():
    """a program that is not there, and scripts that are not installed, are named"""
    done = k.run(k.CONNTUNE, "lab", "--tour", check=False,
                 env={**os.environ, "CONNTUNE_LAB": "/nonexistent"})
    assert done.returncode == 1 and "/nonexistent/tour" in done.stderr, done
    done = k.run("unshare", "-m", "sh", "-c",
                 'mount --bind /dev/null "$(command -v nginx)" && exec "$@"', "sh", k.CONNTUNE, "lab", check=False,
                 env={**os.environ, "CONNTUNE_LAB": os.path.join(k.TOOLS, "lab")})
    assert done.returncode == 1 and "nginx is missing" in done.stderr, done


k.main(globals())
