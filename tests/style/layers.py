# SPDX-License-Identifier: BSD-2-Clause
"""Layers: every #include of the project points down an allowed edge.

A folder may include itself, the folders its line names, and what these may. A new edge is a new
word here, and so a visible decision.
"""

import re

import style

EDGES = {
    "bpf": "",
    "lib/base": "",
    "lib/ct": "lib/base",
    "lib/packet": "lib/ct",
    "lib/engine": "lib/packet",
    "lib/ruleset": "lib/packet",
    "lib/proof": "lib/ruleset",
    "lib/nat": "lib/engine",
    "lib/hooks": "lib/nat lib/ruleset",
    "lib/traffic": "lib/packet",
    "ops/host": "lib/base",
    "ops/netlink": "lib/ct",
    "ops/report": "lib/base",
    "ops/bundle": "ops/host ops/netlink",
    "ops/table": "bpf lib/engine ops/host ops/netlink",
    "ops/settings": "ops/host",
    "ops/capture": "lib/traffic ops/host",
    "ops/events": "ops/table ops/settings",
    "ops/rules": "lib/ruleset",
    "ops/facts": "ops/table ops/settings lib/ruleset",
    "ops/metrics": "ops/table ops/settings",
    "ops/diagnose": "ops/facts ops/report",
    "ops/whatif": "ops/facts",
    "ops/lint": "lib/proof ops/report",
    "ops/notrack": "lib/proof",
    "ops/advice": "ops/diagnose ops/whatif",
    "ops/sim": "lib/hooks lib/traffic ops/capture ops/facts ops/rules",
    "ops/sweep": "ops/sim ops/events ops/whatif",
    "ops/rehearse": "ops/sim ops/host",
    "ops/plan": "ops/diagnose ops/sim",
    "ops/apply": "lib/proof ops/plan ops/host ops/settings",
    "app/watch": "ops/facts ops/metrics",
    "app/serve": "ops/metrics ops/facts ops/diagnose",
    "app/cmd": "app/watch app/serve ops/apply ops/capture ops/bundle ops/whatif ops/lint ops/rules "
               "ops/notrack ops/rehearse ops/advice ops/sweep lib/hooks",
}

# The layer of each installed header is that of its noun.
PUBLIC = {
    "err.h": "lib/base",
    "memory.h": "lib/base",
    "text.h": "lib/base",
    "time.h": "lib/base",
    "entry.h": "lib/ct",
    "memory.h": "lib/base",
    "packet.h": "lib/packet",
    "defrag.h": "lib/packet",
    "defrag_setting.def": "lib/packet",
    "engine.h": "lib/engine",
    "engine_setting.def": "lib/engine",
    "engine_stat.def": "lib/engine",
    "helper.def": "lib/engine",
    "hooks.h": "lib/hooks",
    "route.h": "lib/hooks",
    "nat.h": "lib/nat",
    "nat_range.h": "lib/ct",
    "ruleset.h": "lib/ruleset",
    "tuple.h": "lib/ct",
    "status.def": "lib/ct",
    "tcp_state.def": "lib/ct",
    "sctp_state.def": "lib/ct",
    "dccp_state.def": "lib/ct",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:<(conntune/[^>]+)>|"([^"]+)")', re.MULTILINE)


def reachable(folder):
    """The folder and everything below it."""
    seen, todo = set(), [folder]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += EDGES[at].split()
    return seen


def layer_of(path):
    """The layer of a header as it is written in an #include; None when it has none."""
    if path.startswith("conntune/"):
        return PUBLIC.get(path[len("conntune/"):])
    return "bpf" if path.startswith("bpf/") else "/".join(path.split("/")[:2])


def faults(path):
    rel = path.relative_to(style.TOP)
    if rel.parts[0] == "include":
        own = PUBLIC.get(path.name)
    else:
        own = layer_of("/".join(rel.parts[1:]))
    if own not in EDGES:
        yield f"{rel}: belongs to no layer; tests/style/layers.py lists them"
        return
    allowed = reachable(own)
    for public, private in INCLUDE.findall(path.read_text(encoding="utf-8")):
        target = "conntune/" + public[len("conntune/"):] if public else private
        if target.endswith(".c"):
            yield f"{rel}: includes a .c file, {target}"
        elif layer_of(target) not in allowed:
            yield f"{rel}: {own} may not include {target}"
        elif rel.parts[0] == "include" and not public:
            yield f"{rel}: an installed header includes {target}, which is not installed"


def main():
    tap = style.Tap()
    for folder in EDGES:
        tap.test(
            f"{folder} includes only what lies below",
            (fault for path in style.files(".c", ".h", ".def", under=("src/" + folder,))
             for fault in faults(path)))
    tap.test("only ops/apply changes a machine",
             (style.name(p) for p in style.files(".c", ".h", under=("src",))
              if '"ops/host/write.h"' in p.read_text(encoding="utf-8")
              and not style.name(p).startswith(("src/ops/apply/", "src/ops/host/"))))
    tap.test("installed headers keep to their layers",
             (fault for path in style.files(".h", ".def", under=("include",))
              for fault in faults(path)))
    known = {style.TOP / "src" / folder for folder in EDGES}
    tap.test("every source stands in a layer",
             (style.name(p) for p in style.files(".c", ".h", ".def", under=("src",))
              if not known & set(p.parents)))
    tap.test("no test includes a .c file",
             (style.name(p) for p in style.files(".c", ".h", under=("tests", "bench"))
              if re.search(r'#\s*include\s+["<][^">]*\.c[">]', p.read_text(encoding="utf-8"))))
    tap.end()


main()
