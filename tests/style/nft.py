# SPDX-License-Identifier: BSD-2-Clause
"""What docs/nft.md says is judged is what the lists of src/lib/ruleset/nft hold."""
import re

import style

FOLDER = style.TOP / "src/lib/ruleset/nft"


def names(file, macro, group=r'"([^"]+)"'):
    text = (FOLDER / file).read_text(encoding="utf-8")
    return set(re.findall(rf"^\s*{macro}\({group}", text, re.MULTILINE))


def statements():
    text = (FOLDER / "stmt.def").read_text(encoding="utf-8")
    return {("effect:" if reader == "effect" else "") + name
            for name, reader in re.findall(r'^STMT\("([^"]+)", (\w+)', text, re.MULTILINE)}


def within(file, start, end, pattern):
    """What a table inside a source file names."""
    text = (FOLDER / file).read_text(encoding="utf-8")
    part = text[text.index(start):]
    return set(re.findall(pattern, part[:part.index(end)]))


WANT = {
    "statements": statements(),
    "verdicts": within("stmt.c", "} codes[] =", "};", r'\{ "(\w+)"'),
    "expressions": within("expr.c", "} kinds[] =", "};", r'\{ "([\w ]+)"') | {"map"} |
    within("expr.c", "operators[] =", ";", r'"([^"]+)"'),
    "meta": names("key.def", "META"),
    "ct": names("key.def", "CT"),
    "headers": names("field.def", "HEADER"),
    "extension headers": names("exthdr.def", "EXTHDR"),
    "tcp options": names("exthdr.def", "TCP_OPTION"),
    "types of sets": names("type.def", "TYPE", r'\w+, "([^"]+)"'),
}


def said():
    text = (style.TOP / "docs/nft.md").read_text(encoding="utf-8")
    part = text[text.index("<!-- nft:"):text.index("<!-- /nft -->")]
    return dict(re.findall(r"^\| ([\w ]+) \| (.*) \|$", part, re.MULTILINE))


def faults():
    told = said()
    for what, want in WANT.items():
        line = " ".join(sorted(want)).replace("|", r"\|")
        if sorted(told.get(what, "").split()) != sorted(line.split()):
            yield f"docs/nft.md: {what} should be: {line}"


def main():
    tap = style.Tap()
    tap.test("docs/nft.md lists what is judged", faults())
    tap.end()


main()
