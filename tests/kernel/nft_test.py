# SPDX-License-Identifier: BSD-2-Clause
"""Rule sets of nft against nft itself: what the library writes is what nft -j list ruleset says, for
rule sets of the field, one with every kind of statement, what iptables-nft makes, and random ones.
CTT_SEED repeats a run, CTT_SETS makes it longer."""
import json
import os
import random
import subprocess
from pathlib import Path

import kernel as k
import nft_rules

k.need("iptables-nft-restore", "ip6tables-nft-restore")

PEER = os.environ.get("CTT_NFT_PEER", "build/tests/kernel/nft_peer")
DATA = Path(__file__).resolve().parent.parent / "rulesets"
SEED = int(os.environ.get("CTT_SEED", random.SystemRandom().randrange(1 << 32)))
SETS = int(os.environ.get("CTT_SETS", 30))


def ours(text):
    """The rule set as the library writes it."""
    done = subprocess.run([PEER], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def load(ns, text, *options):
    done = ns.run("nft", *options, "-f", "-", input=text, check=False)
    assert done.returncode == 0, done.stderr
    return listing(ns)


def listing(ns):
    done = subprocess.run(["ip", "netns", "exec", ns.name, "nft", "-j", "list", "ruleset"],
                          text=True, capture_output=True, check=True)
    return done.stdout


def bare(value):
    """A listing without what is new each time: handles, moments, the order of elements."""
    if isinstance(value, str):
        value = json.loads(value)
    if isinstance(value, list):
        return [bare(v) if isinstance(v, (list, dict)) else v for v in value]
    found = {}
    for key, v in value.items():
        if isinstance(v, (list, dict)):
            v = bare(v)
        if key in ("elem", "set") and isinstance(v, list):
            v = sorted(v, key=json.dumps)
        if key not in ("handle", "expires"):
            found[key] = v
    return found


def test_text():
    """rules in nft's text are read as nft lists them"""
    for path in sorted((DATA / "nft").glob("*.nft")):
        text = path.read_text(encoding="utf-8")
        with k.Netns("nft") as ns:
            assert bare(ours(text)) == bare(load(ns, text)), path.name


def test_listing():
    """a listing is written back byte for byte"""
    for path in sorted((DATA / "nft").glob("*.nft")):
        with k.Netns("nft") as ns:
            listed = load(ns, path.read_text(encoding="utf-8"))
        assert ours(listed) == listed, path.name


def test_iptables_nft():
    """what iptables-nft made is written back byte for byte, its extensions by name"""
    for path in sorted(DATA.glob("*.v[46]")):
        tool = "ip6tables" if path.suffix == ".v6" else "iptables"
        with k.Netns("nft") as ns:
            ns.run(tool + "-nft-restore", input=path.read_text(encoding="utf-8"))
            listed = listing(ns)
        assert ours(listed) == listed, path.name


def test_random():
    """random rule sets are written back, and nft takes what was written as it takes its own"""
    print(f"# CTT_SEED={SEED}")
    chance = random.Random(SEED)
    taken = 0
    for n in range(SETS):
        with k.Netns("nft") as ns:
            # Half without calls: nft lists maps before the chains that they jump to, and then
            # misses those.
            nft_rules.load(lambda text: ns.run("nft", "-f", "-", input=text, check=False), chance,
                           has_calls=n % 2 == 0)
            listed = listing(ns)
        written = ours(listed)
        assert written == listed, f"set {n}"
        with k.Netns("nft") as ns:
            # nft 1.0.6 leaves out of some listings what it then misses.
            if ns.run("nft", "-j", "-f", "-", input=written, check=False).returncode == 0:
                taken += bare(listing(ns)) == bare(listed)
    print(f"# nft made the same of {taken} of {SETS} of its own listings")
    assert taken


k.main(globals())
