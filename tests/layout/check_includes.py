#!/usr/bin/python3
"""Checks that the floors of the house hold: no file includes, and no library links, upward or sideways.

usage: check_includes.py ROOT

ROOT is the project's root. A source file under the libraries' folders may include files of its own library and of those
that stand below it, and a tandem_library() line of CMakeLists.txt may link only what stands below. Prints one line a
violation and exits 1 if there is any.
"""

import pathlib
import re
import sys

# Each library with those directly below it; what those stand on is allowed as well (ARCHITECTURE.md).
BELOW = {
    "server/base": [],
    "server/resp": ["server/base"],
    "server/store": ["server/base"],
    "server/exec": ["server/resp", "server/store"],
    "server/net": ["server/resp", "server/store"],
    "functions": ["server/exec"],
    "persistence": ["server/exec"],
    "replication": ["server/exec", "persistence"],
    "server/commands": ["functions", "persistence", "replication"],
    "server": ["server/commands"],
    # The one file of `server` that is not in the core library: it alone brings the sockets in.
    "server/main.cc": ["server", "server/net"],
}
SOURCE_SUFFIXES = {".cc", ".h", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
LIBRARY = re.compile(r"^\s*tandem_library\((.*?)\)", re.MULTILINE | re.DOTALL)


def allowed_for(library):
    """The library itself and everything that stands below it."""
    allowed, pending = set(), [library]
    while pending:
        name = pending.pop()
        if name not in allowed:
            allowed.add(name)
            pending += BELOW[name]
    return allowed


def library_of(path):
    """The library that owns a path relative to the root: the longest entry of BELOW that contains it, or None."""
    for candidate in (path, *path.parents):
        if candidate.as_posix() in BELOW:
            return candidate.as_posix()
    return None


def resolve(root, search, target):
    """The included project file as the compiler finds it in the folders of `search`, relative to the root."""
    for base in search:
        found = (base / target).resolve()
        if found.is_file() and found.is_relative_to(root):
            return found.relative_to(root)
    return None


def check_file(root, path):
    library = library_of(path.relative_to(root))
    allowed = allowed_for(library)
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        match = INCLUDE.match(line)
        if not match:
            continue
        place = f"{path.relative_to(root)}:{number}"
        quoted = match[1] == '"'
        target = resolve(root, (path.parent, root) if quoted else (root,), match[2])
        if target is None and not quoted:
            continue
        if target is None:
            yield f'{place}: "{match[2]}" is no file of this project (system headers take <>)'
            continue
        owner = library_of(target)
        if owner is None:
            yield f"{place}: {library} includes {target}, which belongs to no library of the house"
        elif owner not in allowed:
            yield f"{place}: {library} includes {target}, but {owner} does not stand below {library}"


def check_links(root):
    """tandem_library(name folder dependency...) lines: the folder's floor must allow each dependency's."""
    lines = [match.split() for match in LIBRARY.findall((root / "CMakeLists.txt").read_text())]
    folder_of = {name: folder for name, folder, *_ in lines}
    for name, folder, *dependencies in lines:
        if folder not in BELOW:
            yield f"CMakeLists.txt: {name} is built from {folder}, which has no floor"
            continue
        for dependency in dependencies:
            if dependency.startswith("tandem_") and folder_of.get(dependency) not in allowed_for(folder):
                yield f"CMakeLists.txt: {name} links {dependency}, which does not stand below it"


def violations(root):
    root = root.resolve()
    for top in sorted({name.split("/")[0] for name in BELOW}):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SOURCE_SUFFIXES:
                yield from check_file(root, path)
    yield from check_links(root)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1])
    if not (root / "CMakeLists.txt").is_file():
        sys.exit(f"check_includes: {root} is not the project's root: it has no CMakeLists.txt")
    found = list(violations(root))
    print("\n".join(found) or "every include and every link goes down")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
