#!/usr/bin/python3
"""Builds small trees, sound and unsound, and checks what check_includes.py says of them."""

import pathlib
import tempfile
import unittest

import check_includes


class CheckIncludes(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.write("CMakeLists.txt", "")
        for library in check_includes.BELOW:
            if not library.endswith(".cc"):
                self.write(f"{library}/api.h", "#include <vector>\n")

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def violations(self):
        return list(check_includes.violations(self.root))

    def assert_refused(self, includer, line, complaint):
        self.write(includer, f"#include <string>\n{line}\n")
        self.assertEqual([f"{includer}:2: {complaint}"], self.violations())

    def assert_not_below(self, includer, line, library, target):
        owner = target.rpartition("/")[0]
        self.assert_refused(includer, line, f"{library} includes {target}, but {owner} does not stand below {library}")

    def test_downward_and_own_includes_are_sound(self):
        self.write("server/store/a.cc", '#include "server/store/api.h"\n#include "api.h"\n')
        self.write("server/exec/a.cc", '#include "server/base/api.h"\n#include "server/resp/api.h"\n')
        self.write("replication/a.cc", '#include "persistence/api.h"\n#include "server/base/api.h"\n')
        self.write("server/commands/a.cc", '#include "functions/api.h"\n#include "server/exec/api.h"\n')
        self.write("server/server.cc", '#include "server/commands/api.h"\n#include "server/api.h"\n')
        self.write("server/main.cc", '#include "server/net/api.h"\n#include "server/api.h"\n')
        self.assertEqual([], self.violations())

    def test_upward(self):
        self.assert_not_below("server/base/a.h", '#include "server/store/api.h"', "server/base", "server/store/api.h")

    def test_upward_out_of_a_nested_folder(self):
        self.assert_not_below("functions/lua/a.cc", '  #  include "server/commands/api.h"', "functions", "server/commands/api.h")

    def test_upward_by_a_relative_path(self):
        self.assert_not_below("server/store/a.cc", '#include "../exec/api.h"', "server/store", "server/exec/api.h")

    def test_upward_in_angle_brackets(self):
        self.assert_not_below("server/base/a.cc", "#include <server/exec/api.h>", "server/base", "server/exec/api.h")

    def test_sideways(self):
        self.assert_not_below("server/resp/a.cc", '#include "server/store/api.h"', "server/resp", "server/store/api.h")
        (self.root / "server/resp/a.cc").unlink()
        self.assert_not_below("persistence/a.cc", '#include "replication/api.h"', "persistence", "replication/api.h")
        (self.root / "persistence/a.cc").unlink()
        self.assert_not_below("functions/a.cc", '#include "persistence/api.h"', "functions", "persistence/api.h")

    def test_only_main_brings_the_sockets_in(self):
        self.assert_not_below("server/server.cc", '#include "server/net/api.h"', "server", "server/net/api.h")

    def test_into_the_tests(self):
        self.write("tests/helper.h", "")
        self.assert_refused("server/exec/a.cc", '#include "tests/helper.h"',
                            "server/exec includes tests/helper.h, which belongs to no library of the house")

    def test_a_file_that_is_not_there(self):
        self.assert_refused("server/exec/a.cc", '#include "lua.h"',
                            '"lua.h" is no file of this project (system headers take <>)')

    def test_links(self):
        self.write("CMakeLists.txt", "tandem_library(tandem_base server/base Threads::Threads)\n"
                                     "tandem_library(tandem_store server/store tandem_base)\n")
        self.assertEqual([], self.violations())
        self.write("CMakeLists.txt", "tandem_library(tandem_base server/base\n  tandem_store)\n"
                                     "tandem_library(tandem_store server/store tandem_base)\n"
                                     "tandem_library(tandem_cellar server/cellar)\n")
        self.assertEqual(["CMakeLists.txt: tandem_base links tandem_store, which does not stand below it",
                          "CMakeLists.txt: tandem_cellar is built from server/cellar, which has no floor"],
                         self.violations())


if __name__ == "__main__":
    unittest.main()
