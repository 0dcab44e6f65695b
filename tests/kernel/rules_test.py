# SPDX-License-Identifier: BSD-2-Clause
"""Rule sets against iptables itself: what the library writes is what iptables-save writes after a
restore, with both back ends, for rule sets of the field and for random ones. CTT_SEED repeats a run,
CTT_SETS makes it longer."""
import os
import random
import re
import subprocess
from pathlib import Path

import kernel as k

k.need("iptables-legacy-restore", "iptables-nft-restore", "ip6tables-legacy-restore",
       "ip6tables-nft-restore")

PEER = os.environ.get("CTT_RULES_PEER", "build/tests/kernel/rules_peer")
DATA = Path(__file__).resolve().parent.parent / "rulesets"
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))
SETS = int(os.environ.get("CTT_SETS", 50))


def ours(text, family):
    """The rule set as the library writes it."""
    done = subprocess.run([PEER, family, "strict"], input=text, text=True, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def theirs(text, family, backend):
    """The same from iptables-save after a restore into an empty namespace, its tables in the order
    of the text."""
    tool = ("ip6tables" if family == "6" else "iptables") + "-" + backend
    lock = f"/run/ctt-rules-{os.getpid()}.lock"
    with k.Netns("rules") as ns:
        inside = ["env", "XTABLES_LOCKFILE=" + lock]
        ns.run(*inside, tool + "-restore", input=text)
        saved = "".join(ns.run(*inside, tool + "-save", "-t", table)
                        for table in re.findall(r"^\*(\w+)", text, re.MULTILINE))
    if os.path.exists(lock):
        os.unlink(lock)
    return "".join(line for line in saved.splitlines(True) if not line.startswith("#"))


def differing(got, want):
    """The lines of which only one side has."""
    got, want = got.splitlines(), want.splitlines()
    return "\n".join([f"ours   {line}" for line in got if line not in want] +
                     [f"theirs {line}" for line in want if line not in got])


def test_field():
    """rule sets of the field come out as after a restore, and restore to the same again"""
    for path in sorted(DATA.glob("*.v[46]")):
        text, family = path.read_text(encoding="utf-8"), path.suffix[-1]
        got = ours(text, family)
        for backend in ("legacy", "nft"):
            want = theirs(text, family, backend)
            assert got == want, f"{path.name}, {backend}:\n{differing(got, want)}"
        assert theirs(got, family, "legacy") == got, path.name


def typed(family):
    """Rules that iptables accepts, by table."""
    found = {}
    for name in ("spelling.tsv", "extensions4.tsv") if family == "4" else ("extensions6.tsv",):
        for line in (DATA / name).read_text(encoding="utf-8").splitlines()[1:]:
            table, rule, is_accepted, _ = line.split("\t")
            # A lasting object of one name cannot be made twice with other options.
            if is_accepted == "yes" and not re.search("recent|hashlimit|RATEEST|IDLETIMER", rule):
                found.setdefault(table, []).append(rule)
    return found


def random_set(chance, rules):
    """A rule set of some tables, user chains and rules in no order."""
    text = ""
    for table in chance.sample(sorted(rules), chance.randint(1, len(rules))):
        chosen = chance.choices(rules[table], k=chance.randint(1, 60))
        hooks = sorted({r.split()[1] for r in chosen if r.startswith("-A ")})
        users = [f"{chance.choice('zaM')}-{i}" for i in range(chance.randint(0, 5))]
        text += f"*{table}\n" + "".join(f":{u} - [0:0]\n" for u in users)
        jumps = [f"-A {h} {chance.choice(['-j', '-g', '--jump'])} {u}" for u in users
                 for h in hooks]
        jumps += [f"-A {u} -s 10.{i}.0.0/16 -j RETURN" if rules is typed4 else
                  f"-A {u} -s 2001:db8:{i}::/48 -j RETURN" for i, u in enumerate(users)]
        lines = chosen + jumps
        chance.shuffle(lines)
        text += "\n".join(lines) + "\nCOMMIT\n"
    return text


typed4, typed6 = typed("4"), typed("6")


def test_random():
    """random rule sets come out as after a restore"""
    print(f"# CTT_SEED={SEED}")
    chance = random.Random(SEED)
    for n in range(SETS):
        for family, rules in (("4", typed4), ("6", typed6)):
            text = random_set(chance, rules)
            got, want = ours(text, family), theirs(text, family, "legacy")
            assert got == want, f"set {n}, IPv{family}:\n{differing(got, want)}"


k.main(globals())
