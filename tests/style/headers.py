# SPDX-License-Identifier: BSD-2-Clause
"""Headers: each compiles alone, and twice in one source.

    headers.py COMPILER...
"""

import subprocess
import sys

import style

WARN = ["-Wall", "-Wextra", "-Werror", "-Wno-unused", "-Wno-unused-parameter"]


def compile_twice(compiler, path, *flags):
    text = f'#include "{path}"\n#include "{path}"\n'
    done = subprocess.run(
        [*compiler, "-x", "c", "-fsyntax-only", *WARN, *flags,
         f"-I{style.TOP}/include", "-"],
        input=text, text=True, capture_output=True, check=False)
    return [line for line in done.stderr.splitlines() if "error" in line][:5] or (
        [] if done.returncode == 0 else [f"the compiler ended with {done.returncode}"])


def main(compiler):
    tap = style.Tap()
    for path in style.files(".h", under=("include", "src", "tests")):
        if path.parts[-2] == "conntune":
            flags = ["-std=c17", "-pedantic"]
        else:
            flags = ["-std=gnu17", "-D_GNU_SOURCE", f"-I{style.TOP}/src"]
        tap.test(f"{style.name(path)} compiles alone and twice",
                 compile_twice(compiler, path, *flags))
    tap.end()


main(sys.argv[1:])
