# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of changes share: a machine of its own to write to.

    with Machine() as m:            # /var/lib and, if asked, /etc are this test's own
        m.conntune("apply", "--set", ...)

The command sees a private mount namespace, so nothing of this machine's state or files is touched.
"""
import os
import shutil
import signal
import subprocess

import kernel as k

STRACE = shutil.which("strace")
# Every call by which a state can become another one, and what surrounds them.
WRITES = ("write", "fsync", "rename", "unlink", "mkdir", "fchmod", "openat", "flock", "clone3")
STATE = "/var/lib/conntune"


class Machine:
    """A mount namespace with an empty /var/lib; @script may prepare more of it."""

    def __init__(self, script="true"):
        self.script = script

    def __enter__(self):
        self.keeper = subprocess.Popen(
            ["unshare", "-m", "--propagation", "slave", "sh", "-c",
             f"mount -t tmpfs none /var/lib && {self.script} && echo ready && exec sleep 1000"],
            stdout=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        for pid in self.watchers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()

    def enter(self, *argv):
        return ["nsenter", "-m", "-t", str(self.keeper.pid), "--", *map(str, argv)]

    def run(self, *argv, **kw):
        return k.run(*self.enter(*argv), **kw)

    def conntune(self, *argv, **kw):
        done = k.run(*self.enter(k.CONNTUNE, *argv), check=False, **kw)
        k.is_alive(done, argv)
        return done

    def read(self, path):
        """A file as this machine sees it; None when there is none."""
        done = self.run("cat", path, check=False)
        return done.stdout if done.returncode == 0 else None

    def history(self):
        return k.as_json(self.conntune("history", "--json"))["changes"]

    def state(self, number=None):
        changes = self.history()
        return changes[-1]["state"] if number is None else changes[number - 1]["state"]

    def watchers(self):
        """Processes of ours in this mount namespace that watch a change."""
        own = os.readlink(f"/proc/{self.keeper.pid}/ns/mnt")
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/mnt") != own:
                    continue
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if b"--watch" in f.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def without_watcher(self):
        """Waits until no watcher is left."""
        assert k.wait_for(lambda: not self.watchers(), 10), "the watcher stays"

    def kill_at(self, call, n, *argv, alone=False, within=None):
        """Runs conntune and kills it by SIGKILL as it enters its @n-th @call; unless @alone it is
        the first process of a namespace, with which all that it started is killed in the same
        moment. True when it was killed; False when it ended before."""
        others = [] if alone else ["-f"]
        first = [] if alone else ["unshare", "--pid", "--fork"]
        where = ["ip", "netns", "exec", within.name] if within else []
        done = k.run(*where, *self.enter(STRACE, *others, "-qq", "-o", "/dev/null", "-e",
                                 f"inject={call}:signal=KILL:when={n}", *first, k.CONNTUNE, *argv),
                     check=False)
        # unshare dies oddly of a killed child; a sentence of ours would be another failure
        assert done.returncode == 0 or "conntune:" not in done.stderr, done
        return done.returncode != 0

    def kill_everywhere(self, *argv, **kw):
        """Kills conntune in each place, one after the other: yields (call, n, was killed) and
        ends each row with the run that was not killed. Reading (openat) is sampled."""
        for call in WRITES:
            n, killed = 0, True
            while killed:
                n += 1 if call != "openat" else 1 + n // 8
                killed = self.kill_at(call, n, *argv, **kw)
                yield call, n, killed


def need_strace():
    if not STRACE:
        k.skip("strace is not installed")

