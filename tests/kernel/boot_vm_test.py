# SPDX-License-Identifier: BSD-2-Clause
"""conntune boot against real boots: a small virtual machine with Debian's kernel, its systemd as the first
process, and files arranged in ways that hold and in ways that are lost. What is predicted from the files
must be what the machine then shows.

Needs qemu-system-x86_64 and an unpacked linux-image package: CTT_VM_KERNEL names its folder (with boot/
and lib/modules/ in it); without it the package is fetched with apt-get for the length of the test.
"""
import glob
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

import kernel as k

PROGRAMS = ["/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd-modules-load",
            "/usr/lib/systemd/systemd-sysctl", "/usr/lib/systemd/systemd-udevd",
            "/usr/lib/systemd/systemd-journald", "/usr/lib/systemd/systemd-executor",
            "/usr/bin/udevadm", "/usr/bin/kmod", "/usr/sbin/nft", "/usr/bin/busybox"]
MODULES = ["crc32c_generic", "nf_conntrack", "nf_tables", "nft_ct", "nfnetlink"]
UNITS = ["sysinit.target", "basic.target", "sockets.target", "shutdown.target", "local-fs.target",
         "local-fs-pre.target", "umount.target", "final.target", "systemd-modules-load.service",
         "systemd-sysctl.service", "systemd-udevd.service", "systemd-udev-trigger.service",
         "systemd-udevd-kernel.socket", "systemd-udevd-control.socket", "network-pre.target",
         "paths.target", "timers.target", "slices.target", "system.slice", "-.slice", "emergency.target",
         "sys-kernel-config.mount", "sys-kernel-debug.mount", "proc-sys-fs-binfmt_misc.automount",
         "multi-user.target"]
MAX, BUCKETS, IDLE = ("nf_conntrack_max", "nf_conntrack_buckets",
                      "nf_conntrack_tcp_timeout_established")
SYSCTL = "net.netfilter.nf_conntrack_max = 300000\nnet.netfilter.%s = 7777\n" % IDLE
LATE = {"/etc/nftables.conf": "table inet f { chain i { type filter hook input priority 0;\n"
                              "ct state established accept\n}\n}\n",
        "/etc/systemd/system/multi-user.target.wants/nftables.service":
        "-> /etc/systemd/system/nftables.service"}
EARLY = {"/etc/modules-load.d/ct.conf": "nf_conntrack\n"}
RULE = ('ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", '
        'RUN+="/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter"\n')

# Each arrangement of files, and what the machine shows after a boot with them. None: the default.
CASES = {
    "lost: the module comes after the files": (
        {"/etc/sysctl.d/50-ct.conf": SYSCTL, **LATE}, None, None, None),
    "holds: the module is loaded before": (
        {"/etc/sysctl.d/50-ct.conf": SYSCTL, **EARLY}, 300000, None, 7777),
    "lost: nobody reads sysctl.conf": (
        {"/etc/sysctl.conf": SYSCTL, **EARLY}, None, None, None),
    "holds: a link brings sysctl.conf in": (
        {"/etc/sysctl.conf": SYSCTL, "/etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf", **EARLY},
        300000, None, 7777),
    "a module option makes the limit eight times as much": (
        {"/etc/modprobe.d/ct.conf": "options nf_conntrack hashsize=16384\n", **EARLY},
        131072, 16384, None),
    "option and file": (
        {"/etc/modprobe.d/ct.conf": "options nf_conntrack hashsize=16384\n",
         "/etc/sysctl.d/50-ct.conf": SYSCTL, **EARLY}, 300000, 16384, 7777),
    "holds: a udev rule applies the file when the module comes": (
        {"/etc/sysctl.d/50-ct.conf": SYSCTL, "/etc/udev/rules.d/91-ct.rules": RULE, **LATE},
        300000, None, 7777),
    "the last name wins, and /etc hides /usr/lib": (
        {"/usr/lib/sysctl.d/60-a.conf": "net.netfilter.nf_conntrack_max = 5000\n",
         "/etc/sysctl.d/60-a.conf": "net.netfilter.nf_conntrack_max = 6000\n",
         "/usr/lib/sysctl.d/70-b.conf": "net.netfilter.nf_conntrack_buckets = 8192\n",
         "/usr/lib/sysctl.d/80-c.conf": SYSCTL, "/etc/sysctl.d/80-c.conf": "-> /dev/null",
         **EARLY}, 6000, 8192, None),
    "lost: a blacklist keeps modules-load from it": (
        {"/etc/sysctl.d/50-ct.conf": SYSCTL, "/etc/modprobe.d/no.conf": "blacklist nf_conntrack\n",
         **EARLY, **LATE}, None, None, None),
}

REPORT = """#!/bin/busybox sh
exec >/dev/ttyS0 2>&1
n=0; while [ ! -e /proc/sys/net/netfilter/nf_conntrack_max ] && [ $n -lt 30 ]; do sleep 0.1; n=$((n+1)); done
udevadm settle --timeout=20; sleep 1
[ -e /proc/sys/net/netfilter/nf_conntrack_max ] || modprobe nf_conntrack
echo REPORT-BEGIN
for f in %s; do echo "$f $(cat /proc/sys/net/netfilter/$f)"; done
echo "release $(cat /proc/sys/kernel/osrelease)"
sed 's/^/meminfo /' /proc/meminfo
echo REPORT-END
poweroff -f
""" % " ".join((MAX, BUCKETS, IDLE))

UNIT_FILES = {
    "/etc/systemd/system/nftables.service": (
        "[Unit]\nWants=network-pre.target\nBefore=network-pre.target shutdown.target\n"
        "Conflicts=shutdown.target\nDefaultDependencies=no\nAfter=sysinit.target\n[Service]\n"
        "Type=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\n"),
    "/etc/systemd/system/report.service": (
        "[Unit]\nAfter=multi-user.target nftables.service\n[Service]\nType=oneshot\nExecStart=/report\n"),
    "/etc/systemd/system/default.target": (
        "[Unit]\nRequires=multi-user.target\nWants=report.service\nAfter=multi-user.target\n"),
}


def find_kernel(scratch):
    """The folder of an unpacked linux-image package."""
    given = os.environ.get("CTT_VM_KERNEL")
    if given:
        return given
    depends = k.run("apt-cache", "depends", "linux-image-amd64", check=False).stdout
    name = re.search(r"Depends: (linux-image-6\S+)", depends)
    if not name:
        k.skip("no linux-image package is known to apt-get")
    done = k.run("apt-get", "download", name.group(1), check=False, cwd=scratch, timeout=300)
    found = glob.glob(f"{scratch}/linux-image-*.deb")
    if done.returncode != 0 or not found:
        k.skip("the linux-image package cannot be fetched")
    k.run("dpkg-deb", "-x", found[0], f"{scratch}/kernel", timeout=120)
    return f"{scratch}/kernel"


def put(root, path, text, mode=0o644):
    full = root + path
    os.makedirs(os.path.dirname(full), exist_ok=True)
    if text.startswith("-> "):
        os.symlink(text[3:], full)
        return
    with open(full, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(full, mode)


def copy_program(root, path):
    if not os.path.exists(path):
        return
    real = os.path.realpath(path)
    for file in [real, *re.findall(r"(/\S+) \(0x", k.run("ldd", real, check=False).stdout)]:
        target = root + file
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            shutil.copy(file, target)
    if real != path and not os.path.lexists(root + path):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        os.symlink(real, root + path)


def needed_modules(modules):
    """The files of MODULES and all they need, by modules.dep or the modules themselves."""
    names, todo = {}, list(MODULES)
    while todo:
        name = todo.pop()
        found = [p for p in glob.glob(f"{modules}/kernel/**/{name.replace('_', '[-_]')}.ko*",
                                      recursive=True)]
        if name in names or not found:
            continue
        names[name] = found[0]
        todo += filter(None, k.run("modinfo", "-F", "depends", found[0]).strip().split(","))
        todo += [w for w in k.run("modinfo", "-F", "softdep", found[0]).split() if ":" not in w]
    return names.values()


def build_base(root, kernel):
    """What every arrangement has: programs, modules, units, users."""
    for folder in ("proc", "sys", "dev", "run", "tmp", "var/log", "sbin", "usr/lib", "usr/bin",
                   "usr/sbin"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    for link, target in (("lib", "usr/lib"), ("lib64", "usr/lib64"), ("bin", "usr/bin")):
        os.makedirs(f"{root}/{target}", exist_ok=True)
        os.symlink(target, f"{root}/{link}")
    for program in PROGRAMS:
        copy_program(root, program)
    for name in ("sh", "sed", "cat", "sleep", "poweroff", "echo"):
        os.symlink("busybox", f"{root}/usr/bin/{name}")
    os.symlink("/usr/bin/kmod", f"{root}/sbin/modprobe")
    os.symlink("/usr/bin/kmod", f"{root}/usr/sbin/modprobe")
    os.symlink("/usr/bin/kmod", f"{root}/usr/bin/modprobe")
    os.symlink("/usr/lib/systemd/systemd", f"{root}/init")
    os.symlink("/usr/lib/systemd/systemd", f"{root}/sbin/init")
    (modules,) = glob.glob(f"{kernel}/lib/modules/*")
    release = os.path.basename(modules)
    for file in needed_modules(modules):
        target = f"{root}/usr/lib/modules/{release}/{os.path.relpath(file, modules)}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(file, target)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(f"{modules}/{name}", f"{root}/usr/lib/modules/{release}/{name}")
    k.run("depmod", "-b", f"{root}/usr", release, check=False)
    k.run("depmod", "-b", root, release)
    for unit in UNITS:
        for path in (f"/usr/lib/systemd/system/{unit}", f"/lib/systemd/system/{unit}"):
            if os.path.exists(path):
                os.makedirs(f"{root}/usr/lib/systemd/system", exist_ok=True)
                shutil.copy(path, f"{root}/usr/lib/systemd/system/{unit}")
                break
    wants = f"{root}/usr/lib/systemd/system/sysinit.target.wants"
    os.makedirs(wants)
    for unit in ("systemd-modules-load.service", "systemd-sysctl.service", "systemd-udevd.service",
                 "systemd-udev-trigger.service"):
        os.symlink(f"../{unit}", f"{wants}/{unit}")
    put(root, "/etc/passwd", "root:x:0:0::/:/bin/sh\n")
    put(root, "/etc/group", "root:x:0:\n")
    put(root, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    put(root, "/etc/os-release", "ID=test\n")
    put(root, "/report", REPORT, 0o755)
    for path, text in UNIT_FILES.items():
        put(root, path, text)
    return f"{kernel}/boot/vmlinuz-{release}"


def cpio(root, out):
    """The tree as a newc archive, owned by root."""
    def member(name, mode, data, inode, rdev=(0, 0)):
        head = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(name) + 1, 0]
        text = b"070701" + b"".join(b"%08x" % v for v in head) + name.encode() + b"\0"
        out.write(text + b"\0" * (-len(text) % 4) + data + b"\0" * (-len(data) % 4))
    inode = 1
    member("dev/console", stat.S_IFCHR | 0o600, b"", inode, (5, 1))
    for folder, dirs, files in os.walk(root):
        for name in [".", *dirs, *files] if folder == root else [*dirs, *files]:
            path = os.path.join(folder, name)
            info, inode = os.lstat(path), inode + 1
            data = b""
            if stat.S_ISLNK(info.st_mode):
                data = os.readlink(path).encode()
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as f:
                    data = f.read()
            member(os.path.relpath(path, root), info.st_mode, data, inode)
    member("TRAILER!!!", 0, b"", 0)


def boot(root, vmlinuz):
    """Boots the tree; what its report says."""
    with tempfile.NamedTemporaryFile(suffix=".cpio") as archive:
        cpio(root, archive)
        archive.flush()
        done = subprocess.run(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64", "-m", "768", "-nographic", "-no-reboot", "-nic", "none",
             "-kernel", vmlinuz, "-initrd", archive.name, "-append",
             "console=ttyS0 panic=-1 quiet systemd.show_status=0 systemd.log_target=console"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=240, check=False)
    text = done.stdout.decode(errors="replace").replace("\r", "")
    found = re.search(r"REPORT-BEGIN\n(.*)REPORT-END", text, re.DOTALL)
    assert found, text[-3000:]
    return found.group(1)


def predict(root, report):
    """What conntune boot tells of the tree, on a machine with that memory and release."""
    put(root, "/proc/meminfo", "".join(f"{l[8:]}\n" for l in report.splitlines()
                                       if l.startswith("meminfo ")))
    put(root, "/proc/sys/kernel/osrelease", re.search(r"release (.*)", report).group(1) + "\n")
    told = k.as_json(k.conntune("boot", "--json", "--root", root))
    values = {v["name"]: v for v in told["values"]}
    defaults = k.as_json(k.conntune("settings", "--json", "--all", "--root", root))
    for row in defaults["settings"]:
        values.setdefault(row["name"], row)
    return {name: values[name].get("after_boot") for name in (MAX, BUCKETS, IDLE)}, told


def run_case(title, base, vmlinuz, scratch):
    files, *wanted = CASES[title]
    root = tempfile.mkdtemp(dir=scratch)
    shutil.rmtree(root)
    shutil.copytree(base, root, symlinks=True)
    for path, text in files.items():
        put(root, path, text)
    report = boot(root, vmlinuz)
    found = {name: int(re.search(rf"{name} (\d+)", report).group(1))
             for name in (MAX, BUCKETS, IDLE)}
    told, whole = predict(root, report)
    shutil.rmtree(root)
    assert told == found, (title, told, found, whole["steps"])
    for name, value in zip((MAX, BUCKETS, IDLE), wanted):
        assert value is None or found[name] == value, (title, name, value, found)
    return found


def test_predicted_is_found():
    """what conntune boot predicts is what the machine shows, for each arrangement of files"""
    with tempfile.TemporaryDirectory(prefix="ctt-vm-") as scratch:
        kernel = find_kernel(scratch)
        base = f"{scratch}/base"
        os.makedirs(base)
        vmlinuz = build_base(base, kernel)
        seen, failed = {}, []
        for title in CASES:
            try:
                seen[title] = run_case(title, base, vmlinuz, scratch)
                print(f"# {title}: {seen[title]}", flush=True)
            except AssertionError as e:
                failed.append(f"{title}: {e}")
    assert not failed, "\n".join(failed)
    assert len({tuple(v.values()) for v in seen.values()}) >= 5  # the arrangements do differ


missing = [p for p in ("qemu-system-x86_64", "depmod", "modinfo", "busybox", "nft")
           if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
if missing or os.geteuid() != 0:
    print(f"1..0 # SKIP {', '.join(missing) or 'root'} is missing")
    sys.exit(0)
os.environ["PATH"] += ":/usr/sbin:/sbin"
k.main(globals())
