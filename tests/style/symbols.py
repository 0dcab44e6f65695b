# SPDX-License-Identifier: BSD-2-Clause
"""Symbols: the shared library exports what its headers declare, the library computes and nothing
else, operator code does not talk, and neither keeps changeable globals.

    symbols.py SHARED LIB_ARCHIVE OPS_ARCHIVE
"""

import re
import subprocess
import sys

import style

# All that the library may ask of libc: memory, bytes, formatting into a buffer, sorting, floating
# point. No clock, no chance, no files, no sockets: these are arguments.
LIB_IMPORTS = re.compile(
    r"""malloc|calloc|realloc|free|aligned_alloc|posix_memalign|madvise
    |mem(cpy|move|set|cmp|chr|rchr|mem|pcpy)|explicit_bzero
    |str(len|nlen|cpy|cmp|ncmp|casecmp|ncasecmp|chr|chrnul|rchr|str|spn|cspn|dup|ndup|pbrk)
    |strerror|strerrorname_np|strerrordesc_np|__xpg_strerror_r|strerror_r
    |v?snprintf|v?asprintf
    |qsort|qsort_r|bsearch|__errno_location|__assert_fail|__ctype_(b|tolower|toupper)_loc
    |exp|log|log2|log10|log1p|expm1|pow|sqrt|floor|ceil|fmin|fmax|round|lround|llround|fabs""",
    re.VERBOSE)

# What no code below src/app may ask for: it does not talk, end the process or read the environment.
TALK = re.compile(
    r"""v?printf|puts|putchar|perror|stdout|stderr|stdin|getchar|getline_stdin
    |exit|_exit|_Exit|quick_exit|abort|atexit|getenv|secure_getenv|environ|setlocale
    |v?warnx?|v?errx?|error""", re.VERBOSE)

# Exceptions, each with its reason.
OPS_EXCEPTIONS = {
    ("host_visit.c", "abort"): "a process that cannot get back into its own namespace would go on to "
                          "judge, or change, the wrong machine",
}

COMPILER_OWN = re.compile(
    r"__(asan|ubsan|tsan|msan|sanitizer|sancov|gcov|llvm|stack_chk|cyg_profile|start|stop)_?.*"
    r"|_GLOBAL_OFFSET_TABLE_|__tls_get_addr|__popcountdi2|__afl.*")


def nm(*args):
    done = subprocess.run(["nm", *args], text=True, capture_output=True, check=True)
    return done.stdout.splitlines()


def bare(symbol):
    """Without version, and without what fortification and C standards put around a name."""
    symbol = symbol.split("@")[0]
    fortified = re.fullmatch(r"__(\w+)_chk", symbol)
    c99 = re.fullmatch(r"__isoc(?:99|23)_(\w+)", symbol)
    return fortified.group(1) if fortified else c99.group(1) if c99 else symbol


def imports(archive):
    """(object, symbol) for all that an archive needs and does not itself define."""
    defined = {line.split()[-1] for line in nm("-g", "--defined-only", archive)
               if len(line.split()) == 3}
    found, member = [], ""
    for line in nm("-u", archive):
        if line.endswith(":"):
            member = re.sub(r".*?([^/]*\.c)\.o.*", r"\1", line)  # folder_file.c
        elif line.split():
            symbol = line.split()[-1]
            if symbol not in defined and not COMPILER_OWN.fullmatch(symbol):
                found.append((member, bare(symbol)))
    return sorted(set(found))


def changeable(archive):
    """Objects in writable sections; tables of pointers that the loader fills do not count."""
    for line in nm("-f", "sysv", archive):
        field = [part.strip() for part in line.split("|")]
        if len(field) == 7 and field[3] in ("OBJECT", "TLS", "COMMON") and re.match(
                r"\.(data|bss|tdata|tbss)(?!\.rel\.ro)|\*COM\*", field[6]):
            if not re.match(r"__|\.L", field[0]):
                yield f"{field[0]} in {field[6]}"


def declared():
    """The functions that the installed headers declare."""
    names = set()
    for path in style.files(".h", under=("include",)):
        text = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"^\s*#.*(\\\n.*)*$", " ", text, flags=re.MULTILINE)
        text = re.sub(r"static inline[^{;]*\{.*?\n\}", " ", text, flags=re.DOTALL)
        text = re.sub(r"__attribute__\s*\(\(.*?\)\)+", " ", text)
        text = re.sub(r"typedef[^;{]*;", " ", text)
        text = re.sub(r"\{[^{}]*\}", " ", re.sub(r"\{[^{}]*\}", " ", text))
        names |= set(re.findall(r"\b(ct_\w+)\s*\([^;]*\)\s*;", text))
    return names


def main(shared, lib, ops):
    tap = style.Tap()
    text = (style.TOP / "src/lib/libconntune.map").read_text(encoding="utf-8")
    mapped = set(re.findall(r"^\s*(ct_\w+);", text, re.MULTILINE))
    exported = {bare(line.split()[-1]) for line in nm("-D", "--defined-only", shared)}
    exported = {name for name in exported if not name.startswith("CONNTUNE_")}
    headers = declared()

    tap.test("the map names what the headers declare",
             [f"declared, not in the map: {n}" for n in sorted(headers - mapped)] +
             [f"in the map, not declared: {n}" for n in sorted(mapped - headers)])
    tap.test("the shared library exports its map",
             [f"in the map, not exported: {n}" for n in sorted(mapped - exported)] +
             [f"exported, not in the map: {n}" for n in sorted(exported - mapped)])
    tap.test("the library imports nothing but computing",
             [f"{o}: {s}" for o, s in imports(lib) if not LIB_IMPORTS.fullmatch(s)])
    tap.test("operator code does not talk, exit or read the environment",
             [f"{o}: {s}" for o, s in imports(ops)
              if TALK.fullmatch(s) and (o, s) not in OPS_EXCEPTIONS])
    tap.test("the library has no changeable globals", changeable(lib))
    tap.test("operator code has no changeable globals", changeable(ops))
    tap.end()


main(*sys.argv[1:4])
