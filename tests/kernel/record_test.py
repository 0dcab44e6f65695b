# SPDX-License-Identifier: BSD-2-Clause
"""conntune record in a namespace with known traffic: what is begun and ended is counted, each once;
gaps are told of; what stood before and what stands afterwards is in the file."""
import os
import signal
import socket
import subprocess
import tempfile
import time

import kernel as k

k.need()


class Recording:
    """conntune record on @ns while the block runs; .told is what it said afterwards."""

    def __init__(self, ns, *argv, keep=False):
        self.keep = keep
        handle, self.path = tempfile.mkstemp(prefix="ctt-record-")
        os.close(handle)
        self.argv = [k.CONNTUNE, "record", "--netns", ns.name, "--json", "--quiet", *argv, self.path]

    def __enter__(self):
        size = os.path.getsize(self.path)
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        assert k.wait_for(lambda: os.path.getsize(self.path) > size, 20), "nothing is recorded"
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.process.poll() is None:
            time.sleep(0.3)  # what was sent last has been delivered
            self.process.send_signal(signal.SIGINT)
        elif kind is not None:
            self.process.kill()
        out, err = self.process.communicate(timeout=60)
        if not self.keep:
            os.unlink(self.path)
        if kind is None:
            assert self.process.returncode == 0, err
            self.told = k.as_json(subprocess.CompletedProcess([], 0, out, err))


def datagrams(first, n):
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for i in range(first, first + n):
        raw.sendto(k.udp_packet("127.0.0.1", "127.1.0.1", 2000 + i, 9, b"x"), ("127.1.0.1", 0))
        if i % 200 == 199:
            time.sleep(0.01)


def collected(ns):
    """True when no entry is left; a look into /proc removes those whose time is over."""
    ns.call(lambda: open("/proc/net/nf_conntrack", encoding="ascii").read())
    return ns.count() == 0


def test_each_is_counted_once():
    """connections begun and ended while it listens: as many of each as were made"""
    with k.Netns("record") as ns:
        ns.track()
        ns.sysctl("udp_timeout", 1)
        ns.sysctl("udp_timeout_stream", 1)
        with Recording(ns) as r:
            ns.call(datagrams, 0, 3000)
            assert k.wait_for(lambda: collected(ns), 30), ns.count()
        assert (r.told["new"], r.told["destroyed"], r.told["gaps"]) == (3000, 3000, 0), r.told
        assert (r.told["standing"], r.told["still"]) == (0, 0), r.told
        assert r.told["bytes"] < 2000 + 6000 * 40, r.told


def test_what_stood_and_stands():
    """entries older than the recording are in it, and those that outlive it are looked up again"""
    with k.Netns("record") as ns:
        ns.track()
        ns.sysctl("udp_timeout", 600)
        ns.call(datagrams, 0, 500)
        with Recording(ns) as r:
            ns.call(datagrams, 500, 250)
        assert (r.told["standing"], r.told["new"], r.told["still"]) == (500, 250, 750), r.told


def test_a_recording_is_swept():
    """what was recorded, replayed under other limits: the peak is what was made, the rest gave way"""
    with k.Netns("record") as ns:
        ns.track()
        ns.sysctl("udp_timeout", 600)
        ns.call(datagrams, 0, 500)
        with Recording(ns, keep=True) as r:
            ns.call(datagrams, 500, 250)
        try:
            done = k.conntune("whatif", "--traffic", r.path, "--sweep", "max=100000,400",
                              "--notrack", "udp dport 9", "--json")
        finally:
            os.unlink(r.path)
        assert done.returncode == 0 and not done.stderr, done.stderr
        wide, narrow, *untracked = k.as_json(done)["runs"]
        assert (wide["peak"], wide["drops"], wide["early_drops"]) == (750, 0, 0), wide
        assert narrow["peak"] == 400 and narrow["early_drops"] > 0, narrow
        assert [u["peak"] for u in untracked] == [0, 0], untracked


def test_gaps_are_told():
    """a buffer too small for a burst: what was lost is told of, and the rest is there"""
    with k.Netns("record") as ns:
        ns.track()
        with Recording(ns, "--buffer", "4k") as r:
            r.process.send_signal(signal.SIGSTOP)
            ns.call(datagrams, 0, 2000)
            r.process.send_signal(signal.SIGCONT)
            time.sleep(0.5)
        assert r.told["gaps"] >= 1, r.told
        assert 0 < r.told["new"] < 2000, r.told


def test_it_stops():
    """after its time, and when the file is large enough"""
    with k.Netns("record") as ns:
        ns.track()
        began = time.monotonic()
        with Recording(ns, "--for", "1s") as r:
            r.process.wait(20)
        assert r.told["stopped"] == "the time is over" and time.monotonic() - began >= 1, r.told
        with Recording(ns, "--size", "10k") as r:
            ns.call(datagrams, 0, 2000)
            r.process.wait(20)
        assert r.told["stopped"] == "the file is full" and 10240 <= r.told["bytes"] < 11000, r.told


def test_refusals():
    """a kernel that makes no events, a place that cannot be written, a copy"""
    with k.Netns("record") as ns:
        ns.track()
        ns.sysctl("events", 0)
        done = k.conntune("record", "--netns", ns.name, "/dev/null")
        assert done.returncode == 1 and "nf_conntrack_events is 0" in done.stderr, done.stderr
        done = k.conntune("record", "--netns", ns.name, "/nonexistent/file")
        assert done.returncode == 1 and "No such file" in done.stderr, done.stderr
        ns.sysctl("events", 1)
        done = k.conntune("record", "--netns", ns.name, "--for", "1s", "/dev/full")
        assert done.returncode == 1 and "No space left" in done.stderr, done.stderr


k.main(globals())
