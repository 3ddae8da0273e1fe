#include "tools/cli/library_source.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace tandem::cli {
namespace {

TEST(LibrarySourceTest, ADirectoryStandsForItsLibrariesNotForTheirTests) {
  const TempDir dir;
  write_whole(dir.file("a.lua"), "#!lua name=a\n");
  write_whole(dir.file("a_test.lua"), "test('a', function() end)\n");
  write_whole(dir.file("notes.txt"), "none\n");
  const std::unique_ptr<Env> env = make_tool_env();
  const Result<Libraries> found = read_libraries(*env, {dir.path()});
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(names_of(found.value()), "a");
}

}  // namespace
}  // namespace tandem::cli
