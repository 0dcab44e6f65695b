# SPDX-License-Identifier: BSD-2-Clause
"""A machine that does not answer as it should: no rights, no netlink, no tracking, links that lead
out, lines without end, an output that nobody reads. Always a clear sentence, the right exit
status, the rest still shown, never a crash."""
import ctypes
import os
import resource
import shutil
import struct
import subprocess
import tempfile

import kernel as k

k.need("setpriv", "unshare")

VERBS = ("status", "doctor", "list", "top")
LINE = ("ipv4     2 tcp      6 119 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=42901 dport=6379 "
        "src=127.0.0.1 dst=127.0.0.1 sport=6379 dport=42901 [ASSURED] mark=0 secmark=0 use=2\n")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
          "--inh-caps=-all", "--bounding-set=-all")


class Folder:
    """A copied machine in the making: files by path, removed at the end of the block."""

    def __init__(self, files=()):
        self.files = dict(files)

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="ctt-root-")
        os.chmod(self.path, 0o755)
        for name, content in self.files.items():
            self.put(name, content)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def at(self, name):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def put(self, name, content):
        with open(self.at(name), "w", encoding="latin-1") as f:
            f.write(content)


def visible():
    """The command where an unprivileged user can run it: a build folder may be closed to him."""
    if not hasattr(visible, "path"):
        folder = tempfile.mkdtemp(prefix="ctt-bin-")
        os.chmod(folder, 0o755)
        visible.path = shutil.copy(k.CONNTUNE, folder)
    return visible.path


def one_sentence(done, *words):
    """The command said on stderr what is wrong, to people, in short."""
    lines = [l for l in done.stderr.splitlines() if l]
    assert lines, f"nothing said; stdout {done.stdout[-200:]!r}"
    assert all(l.startswith("conntune") for l in lines), done.stderr
    assert max(map(len, lines)) < 400, "a sentence without end"
    for word in words:
        assert word.lower() in done.stderr.lower(), f"no word of '{word}': {done.stderr}"


def test_no_rights():
    """an unprivileged user: status and doctor show what can be seen and say what not"""
    for verb in ("status", "doctor"):
        done = k.run(*NOBODY, visible(), verb, check=False)
        k.is_alive(done, verb)
        assert done.returncode in (0, 3), (verb, done.returncode, done.stderr)
        assert len(done.stdout.splitlines()) > 3, (verb, done.stdout)
        assert "needs root" in done.stdout or "As root" in done.stdout, (verb, done.stdout)
        why = [l for l in done.stdout.splitlines() if "CAP_NET_ADMIN is needed" in l]
        assert len(why) <= 1, "the same reason again and again:\n" + done.stdout
    for verb in ("list", "top"):
        done = k.run(*NOBODY, visible(), verb, check=False)
        k.is_alive(done, verb)
        assert done.returncode == 1, (verb, done.returncode, done.stdout[:300])
        one_sentence(done)


def test_no_rights_netns():
    """an unprivileged user asks for a namespace he may not enter"""
    with k.Netns("closed") as ns:
        for verb in VERBS:
            done = k.run(*NOBODY, visible(), verb, "--netns", ns.name, check=False)
            k.is_alive(done, verb)
            assert done.returncode == 1, (verb, done.returncode)
            one_sentence(done)


def test_own_userns():
    """root of a user namespace of its own, without rights on the machine"""
    for verb in VERBS:
        done = k.run(*NOBODY[:4], "unshare", "-Ur", visible(), verb, check=False)
        if "Operation not permitted" in done.stderr and "unshare" in done.stderr:
            k.skip("user namespaces are not allowed here")
        k.is_alive(done, verb)


def for_x86():
    if os.uname().machine != "x86_64":
        k.skip("the system call filter of this test is for x86_64")


REFUSE, KILL = 0x00050000 | 97, 0x80000000


def without_netlink(answer=REFUSE):
    """Makes socket(AF_NETLINK) fail, or kill, in this process and its children (seccomp)."""
    load, jump, ret = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 0), (jump, 0, 3, 41),  # nr == socket on x86_64
               (load, 0, 0, 16), (jump, 0, 1, 16),  # its first argument == AF_NETLINK
               (ret, 0, 0, answer), (ret, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in program))
    head = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    k.libc.prctl(38, 1, 0, 0, 0)
    if k.libc.prctl(22, 2, ctypes.create_string_buffer(head), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def test_no_netlink():
    """no netlink at all: status and doctor fall back on /proc and say so"""
    for_x86()
    for verb in VERBS:
        done = k.run(k.CONNTUNE, verb, check=False, preexec_fn=without_netlink)
        k.is_alive(done, verb)
        if verb in ("status", "doctor"):
            assert done.returncode in (0, 3), (verb, done.returncode, done.stderr)
            assert len(done.stdout.splitlines()) > 3, (verb, done.stdout)
        elif done.returncode != 0:
            one_sentence(done)


def test_no_netlink_counts():
    """no netlink: the count of status is the one of /proc"""
    for_x86()
    with k.Netns("deaf") as ns:
        ns.track()
        ns.call(k.udp_burst, "127.0.0.1", 9, 25)
        done = k.run("nsenter", f"--net={ns.path}", k.CONNTUNE, "status", "--json", check=False,
                     preexec_fn=without_netlink)
        k.is_alive(done)
        assert k.number(k.as_json(done), "count") == 25, done.stdout


def test_no_proc():
    """an empty /proc, as in a careless container"""
    for verb in VERBS:
        done = k.run("unshare", "-m", "sh", "-c", f"mount -t tmpfs none /proc && {k.CONNTUNE} {verb}",
                     check=False)
        k.is_alive(done, verb)
        if done.returncode not in (0, 3):
            one_sentence(done)


def test_not_compiled_in():
    """tracking compiled out: no knobs, no netlink answer; status says so"""
    for_x86()
    hide = "mount -t tmpfs none /proc/sys/net && mount -t tmpfs none /sys/module"
    done = k.run("unshare", "-m", "sh", "-c", f"{hide} && exec {k.CONNTUNE} status", check=False,
                 preexec_fn=without_netlink)
    k.is_alive(done)
    assert done.returncode in (0, 1), done.returncode
    assert done.stdout or done.stderr


def test_module_not_loaded():
    """the tracker is a module that is not loaded: no question by netlink, which would load it"""
    for_x86()
    hide = ("mount -t tmpfs none /proc/sys/net && mount -t tmpfs none /sys/module"
            " && mkdir /sys/module/kernel && mount -t tmpfs none /proc/$$/net"
            " && mount -t tmpfs none /proc/$$/task/$$/net")
    for verb in VERBS:
        done = k.run("unshare", "-m", "sh", "-c", f"{hide} && exec {k.CONNTUNE} {verb}",
                     check=False, preexec_fn=lambda: without_netlink(KILL))
        k.is_alive(done, verb)
        assert "0 of" not in done.stdout, done.stdout


def test_empty_root():
    """a copy that holds nothing: everything unknown, no zero invented"""
    with Folder() as root:
        for verb in VERBS:
            done = k.conntune(verb, "--root", root.path)
            if verb in ("list", "top"):
                assert done.returncode == 1, (verb, done.returncode)
                one_sentence(done)
        done = k.conntune("status", "--root", root.path, "--json")
        if done.returncode == 0:
            assert k.number(k.as_json(done), "count") is None, done.stdout


def test_no_such_root():
    """a root that is not there, a root that is a file"""
    for path in ("/nonexistent-root", "/etc/hostname"):
        for verb in VERBS:
            done = k.conntune(verb, "--root", path)
            assert done.returncode == 1, (verb, done.returncode)
            one_sentence(done, path)


def test_links_out():
    """links in a copy that lead out of it are followed within it, so they lead nowhere"""
    with Folder({"proc/sys/net/netfilter/nf_conntrack_max": "1000\n"}) as root:
        os.symlink("/proc/sys/net/netfilter/nf_conntrack_count",
                   root.at("proc/sys/net/netfilter/nf_conntrack_count"))
        os.symlink("../../../../../../../../../proc/sys/net/netfilter/nf_conntrack_buckets",
                   root.at("proc/sys/net/netfilter/nf_conntrack_buckets"))
        os.symlink("/proc/self/net/nf_conntrack", root.at("proc/net/nf_conntrack"))
        done = k.conntune("status", "--root", root.path, "--json")
        assert done.returncode in (0, 1)
        if done.returncode == 0:
            told = k.as_json(done)
            assert k.number(told, "count") is None, done.stdout
            assert k.number(told, "buckets") is None, done.stdout
        done = k.conntune("list", "--root", root.path)
        assert done.returncode == 1, done.stdout
        one_sentence(done)


def copy_with(table):
    return Folder({
        "proc/sys/net/netfilter/nf_conntrack_max": "65536\n",
        "proc/sys/net/netfilter/nf_conntrack_count": "2\n",
        "proc/net/nf_conntrack": table,
    })


def test_half_line():
    """a listing cut in the middle of a line: the lines before it are shown, the cut is said"""
    with copy_with(LINE * 5 + LINE[:70]) as root:
        done = k.conntune("list", "--root", root.path, "--json")
        assert done.stdout.count("42901") >= 5, done.stdout[:400]
        one_sentence(done)
        done = k.conntune("top", "--by", "dport", "--root", root.path)
        assert "6379" in done.stdout, (done.stdout, done.stderr)


def test_foreign_lines():
    """lines that are no entries among those that are"""
    noise = "".join(chr(i) for i in range(1, 256) if i != 10)
    with copy_with(LINE + noise + "\n" + LINE + "\0\0\0\n" + LINE) as root:
        done = k.conntune("list", "--root", root.path)
        assert done.stdout.count("42901") >= 3, done.stdout
        one_sentence(done)


def test_numbers_out_of_range():
    """ports, zones, marks and times beyond what there is"""
    bad = [LINE.replace("sport=42901", "sport=70000"), LINE.replace("119", "9" * 40),
           LINE.replace("mark=0", "mark=99999999999"), LINE.replace("127.0.0.1", "127.0.0.256"),
           LINE.replace("use=2", "zone=70000 use=2"), LINE.replace("dport=6379", "dport=-1")]
    with copy_with(LINE + "".join(bad) + LINE) as root:
        done = k.conntune("list", "--root", root.path)
        assert done.stdout.count("6379") >= 2, done.stdout
        for nonsense in ("70000", "99999999999", "127.0.0.256", "=-1"):
            assert nonsense not in done.stdout, done.stdout


def test_settings_out_of_range():
    """knobs that hold no number, or one no kernel would take"""
    for value in ("", "abc\n", "-5\n", "9" * 60 + "\n", "1e9\n", "\0\0\0", "12 13\n"):
        with copy_with(LINE) as root:
            for knob in ("max", "buckets", "count", "tcp_timeout_established"):
                root.put(f"proc/sys/net/netfilter/nf_conntrack_{knob}", value)
            for verb in ("status", "doctor"):
                done = k.conntune(verb, "--root", root.path, "--json")
                assert done.returncode in (0, 1, 3), (value, done.returncode)
                k.as_json(done) if done.stdout else one_sentence(done)


def test_endless_line():
    """a line of 1 GiB through a pipe: bounded memory, a sentence"""
    limit = 64 << 20
    producer = subprocess.Popen(
        ["sh", "-c", f"printf '%s' '{LINE}'; head -c 1073741824 /dev/zero | tr '\\0' x;"
                     f" printf '\\n%s' '{LINE}'"], stdout=subprocess.PIPE)
    done = k.run(k.CONNTUNE, "list", "--from", "-", check=False, stdin=producer.stdout, timeout=120,
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    producer.stdout.close()
    producer.kill()
    producer.wait()
    k.is_alive(done)
    assert done.stdout.count("42901") >= 1, (done.stdout[:300], done.stderr[:300])
    one_sentence(done)


def test_output_full():
    """an output that takes nothing (/dev/full): a sentence, status 1"""
    for verb in VERBS:
        for form in ((), ("--json",)):
            with copy_with(LINE * 3) as root, open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([k.CONNTUNE, verb, "--root", root.path, *form], text=True,
                                      stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
            k.is_alive(done, verb)
            assert done.returncode == 1, (verb, form, done.returncode, done.stderr)
            one_sentence(done)


def test_reader_gone():
    """a reader that went away (conntune list | head -1): ended quietly"""
    with copy_with(LINE * 100000) as root:
        for verb in (["list"], ["list", "--json"]):
            p = subprocess.Popen([k.CONNTUNE, *verb, "--root", root.path], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
            assert p.stdout.read(10)
            p.stdout.close()
            talk = p.stderr.read()
            p.stderr.close()
            status = p.wait(60)
            assert status in (-13, 0, 1, 141), (status, talk)
            assert len(talk.splitlines()) <= 1 and "Sanitizer" not in talk, talk


def test_closed_output():
    """standard output closed before the start"""
    for verb in VERBS:
        with copy_with(LINE) as root:
            done = k.run("sh", "-c", f"exec {k.CONNTUNE} {verb} --root {root.path} >&-", check=False)
        k.is_alive(done, verb)
        assert done.returncode == 1, (verb, done.returncode, done.stderr)


try:
    k.main(globals())
finally:
    if hasattr(visible, "path"):
        shutil.rmtree(os.path.dirname(visible.path))
