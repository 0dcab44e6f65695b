# SPDX-License-Identifier: BSD-2-Clause
"""The list of settings against the running kernel: that it is whole, that defaults and bounds are
the kernel's, and that files are read as systemd and procps read them."""
import os
import shutil

import kernel as k

k.need("unshare")

DIR = "/proc/sys/net/netfilter"


def settings(*argv):
    """{name: row} of `conntune settings --all`."""
    told = k.as_json(k.conntune("settings", "--json", "--all", *argv))
    return {row["name"]: row for row in told["settings"]}


def files():
    """Every file below net.netfilter as this process sees it: {name: value}."""
    found = {}
    for folder, _, names in os.walk(DIR):
        for name in names:
            path = os.path.join(folder, name)
            try:
                found[os.path.relpath(path, DIR)] = k.get(path)
            except OSError:
                found[os.path.relpath(path, DIR)] = None
    return found


def test_every_file():
    """Every file of /proc/sys/net/netfilter is in the list, in the first namespace and in others"""
    listed = settings()
    with k.Netns("whole") as ns:
        missing = (set(files()) | set(ns.call(files))) - set(listed)
        inside = settings("--netns", ns.name)
        shown = ns.call(files)
    assert not missing, f"not in settings.def: {sorted(missing)}"
    for name, value in shown.items():
        assert str(inside[name].get("now")) == value, (name, inside[name], value)
    for name, row in listed.items():
        exists = os.path.exists(row.get("path", "/nowhere"))
        assert not exists or "now" in row, f"{name} is there and was not read"


def test_defaults():
    """The default of each setting is what a fresh namespace shows"""
    with k.Netns("fresh") as ns:
        shown = ns.call(files)
        listed = settings("--netns", ns.name)
    judged = 0
    for name, value in shown.items():
        # limits belong to the machine, whose administrator may have set them
        if "default" not in listed[name] or listed[name]["scope"] != "namespace":
            continue
        if name in ("nf_conntrack_acct", "nf_conntrack_timestamp"):
            continue  # by the module's parameters
        assert str(listed[name]["default"]) == value, (name, listed[name]["default"], value)
        judged += 1
    assert judged >= 30, judged


def accepts(name, value):
    """Whether the kernel takes a value; the former one is put back."""
    path = os.path.join(DIR, name)
    old = k.get(path)
    try:
        with open(path, "w", encoding="ascii") as f:
            f.write(str(value))
    except OSError:
        return False
    with open(path, "w", encoding="ascii") as f:
        f.write(old)
    return True


def bounds(name):
    done = k.as_json(k.conntune("settings", "--json", name))
    return done["setting"]["bounds"], done["setting"]["unit"]


def test_bounds():
    """Stated bounds are those the kernel keeps: it takes both ends and nothing beyond"""
    with k.Netns("bounds") as ns:
        names = [n for n in ns.call(files) if n.startswith("nf_conntrack_")]
        judged = 0
        for name in names:
            text, unit = bounds(name)
            mode = ns.call(lambda: os.stat(os.path.join(DIR, name)).st_mode)
            if not mode & 0o200 or unit == "bytes":
                continue  # fragment thresholds bound each other
            if unit == "seconds":
                most = [v for v in (21474836, 8589934, 7158278, 2147483)
                        if ns.call(accepts, name, v) and not ns.call(accepts, name, v + 1)]
                assert len(most) == 1, (name, most)  # one of them is INT_MAX / HZ
                assert ns.call(accepts, name, 0), name
            else:
                low, high = (int(x) for x in text.split(" to "))
                for value, is_taken in ((low, True), (high, True), (low - 1, False),
                                        (high + 1, False)):
                    assert ns.call(accepts, name, value) == is_taken, (name, text, value)
            judged += 1
    assert judged >= 30, judged


def test_child_cannot_write():
    """A child namespace shows the limits as read-only, the timeouts as writable"""
    with k.Netns("modes") as ns:
        listed = settings("--netns", ns.name)
    for name in ("nf_conntrack_max", "nf_conntrack_buckets", "nf_conntrack_expect_max"):
        assert not listed[name]["is_writable"], name
    assert listed["nf_conntrack_udp_timeout"]["is_writable"]


# sysctl.d, as the programs of the distribution read it

TREE = {
    "/usr/lib/sysctl.d/10-vendor.conf": "net.netfilter.nf_conntrack_udp_timeout = 11\n"
                                        "net.netfilter.nf_conntrack_tcp_timeout_last_ack = 12\n",
    "/usr/lib/sysctl.d/50-same.conf": "net.netfilter.nf_conntrack_icmp_timeout = 13\n",
    "/etc/sysctl.d/50-same.conf": "# hides the vendor's\n"
                                  "net/netfilter/nf_conntrack_gre_timeout = 14\n",
    "/usr/lib/sysctl.d/60-masked.conf": "net.netfilter.nf_conntrack_icmpv6_timeout = 15\n",
    "/etc/sysctl.d/60-masked.conf": None,  # a link to /dev/null
    "/run/sysctl.d/70-run.conf": "-net.netfilter.nf_conntrack_none = 1\n"
                                 "net.netfilter.nf_conntrack_tcp_timeout_* = 16\n"
                                 "-net.netfilter.nf_conntrack_tcp_timeout_close\n"
                                 "net.netfilter.nf_conntrack_udp_timeout = 17\n",
    "/usr/local/lib/sysctl.d/65-local.conf": "net.netfilter.nf_conntrack_udp_timeout=18\n"
                                             "; a comment\nnonsense\n"
                                             "net.netfilter.nf_conntrack_acct\t=\t1\n",
    "/etc/sysctl.d/80-early.conf": "net.netfilter.nf_conntrack_tcp_timeout_syn_sent = 19\n"
                                   "net.netfilter.nf_conntrack_tcp_timeout_syn_recv = 99999999\n",
    "/etc/sysctl.d/README": "net.netfilter.nf_conntrack_udp_timeout = 20\n",
    "/etc/sysctl.conf": "net.netfilter.nf_conntrack_generic_timeout = 21\n",
}
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
# Many machines lack these; nothing else in the folders above them is read by the programs below.
MAY_LACK = ("/run/sysctl.d", "/usr/local/lib/sysctl.d")


def build(root):
    for path, text in TREE.items():
        full = root + path
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if text is None:
            os.symlink("/dev/null", full)
        else:
            with open(full, "w", encoding="ascii") as f:
                f.write(text)
    # what makes it a machine to conntune: this kernel, by its name and with its tracker
    for path in ("/proc/sys/kernel/osrelease", "/proc/meminfo"):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        with open(root + path, "w", encoding="ascii") as f:
            f.write(k.get(path) + "\n")


def need_folders():
    for d in FOLDERS:
        if not os.path.isdir(d) and d not in MAY_LACK:
            k.skip(f"{d} is not there to mount over")


def mounts(root):
    """Shell commands that put the tree over the folders of this machine; for a mount namespace."""
    made = [f"mount -t tmpfs none {os.path.dirname(d)} && mkdir {d}" for d in MAY_LACK
            if not os.path.isdir(d)]
    return " && ".join(made + [f"mount --bind {root}{d} {d}" for d in FOLDERS])


def real_values(ns, root, *program):
    """What a namespace holds after a real program applied the tree, which is mounted over the
    folders of this machine in a mount namespace that ends with it."""
    quiet = f"{mounts(root)} && {{ {' '.join(program)} >/dev/null 2>&1 || true; }}"
    if os.path.exists("/etc/sysctl.conf"):
        quiet = f"mount --bind {root}/etc/sysctl.conf /etc/sysctl.conf && " + quiet
    ns.run("unshare", "-m", "--propagation", "private", "sh", "-c", quiet)
    return ns.call(files)


def compare(root, ns, program, init_mark):
    """Applies the tree for real and by conntune's reading, and compares every setting."""
    need_folders()
    before = ns.call(files)
    after = real_values(ns, root, *program)
    os.makedirs(os.path.dirname(root + init_mark), exist_ok=True)
    with open(root + init_mark, "w", encoding="ascii"):
        pass
    os.makedirs(f"{root}/etc/modules-load.d", exist_ok=True)
    with open(f"{root}/etc/modules-load.d/ct.conf", "w", encoding="ascii") as f:
        f.write("nf_conntrack\n")
    told = settings("--root", root)
    for name, value in after.items():
        row = told[name]
        want = int(value) if value and value.isdigit() else value
        if row["fate"] == "applied":
            assert row["after_boot"] == want, (name, row, value)
        else:
            assert before[name] == value, f"{name} became {value}, but we say {row['fate']}"
    return told


def test_systemd_sysctl():
    """sysctl.d decides as the real systemd-sysctl does it"""
    program = shutil.which("systemd-sysctl", path="/usr/lib/systemd:/lib/systemd")
    if not program:
        k.skip("systemd-sysctl is not installed")
    root = f"/tmp/ctt-sysctl-{os.getpid()}"
    try:
        build(root)
        with k.Netns("systemd") as ns:
            told = compare(root, ns, [program], "/run/systemd/system/x")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    assert told["nf_conntrack_udp_timeout"]["after_boot"] == 17
    assert told["nf_conntrack_tcp_timeout_close"]["fate"] == "unset"
    assert told["nf_conntrack_generic_timeout"]["fate"] == "lost"


def test_procps_system():
    """sysctl --system decides as we say, /etc/sysctl.conf last"""
    if not shutil.which("sysctl"):
        k.skip("sysctl is not installed")
    root = f"/tmp/ctt-procps-{os.getpid()}"
    try:
        build(root)
        with k.Netns("procps") as ns:
            told = compare(root, ns, ["sysctl", "--system"], "/etc/rcS.d/S10procps")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    assert told["nf_conntrack_generic_timeout"]["after_boot"] == 21


def test_order_of_files():
    """The order of files is that of systemd-sysctl --cat-config"""
    program = shutil.which("systemd-sysctl", path="/usr/lib/systemd:/lib/systemd")
    if not program:
        k.skip("systemd-sysctl is not installed")
    need_folders()
    root = f"/tmp/ctt-order-{os.getpid()}"
    try:
        build(root)
        text = k.run("unshare", "-m", "--propagation", "private", "sh", "-c",
                     f"{mounts(root)} && {program} --cat-config")
        real = [line[2:] for line in text.splitlines()
                if line.startswith("# /") and line.endswith(".conf")]
        os.makedirs(f"{root}/run/systemd/system")
        told = k.as_json(k.conntune("settings", "--json", "--root", root))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    ours = []
    for a in told["assignments"]:
        path = a["origin"].rsplit(":", 1)[0]
        if path in real and path not in ours:
            ours.append(path)
    assert ours and ours == [p for p in real if p in ours], (ours, real)


k.main(globals())
