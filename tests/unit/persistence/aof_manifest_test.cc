#include "persistence/aof_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tandem {
namespace {

using ::testing::HasSubstr;

TEST(AofManifest, IsWrittenAsItIsRead) {
  const std::string text =
      "file appendonly.aof.2.base.rdb seq 2 type b\n"
      "file appendonly.aof.1.incr.aof seq 1 type h\n"
      "file appendonly.aof.2.incr.aof seq 2 type i\n"
      "file \"with space.3.incr.aof\" seq 3 type i\n";
  Result<AofManifest> manifest = AofManifest::parse(text);
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(manifest.value().format(), text);
  EXPECT_EQ(manifest.value().incremental[1].name, "with space.3.incr.aof");
}

TEST(AofManifest, RefusesWhatItCannotTrust) {
  const auto error = [](std::string_view text) {
    Result<AofManifest> manifest = AofManifest::parse(text);
    return manifest.ok() ? "" : manifest.error().message;
  };
  EXPECT_EQ(error("# a comment\nfile a seq 1 type b newpair x\n"), "");
  EXPECT_THAT(error(""), HasSubstr("empty"));
  EXPECT_THAT(error("file a seq 1 type b"), HasSubstr("cut short"));
  EXPECT_THAT(error("file a seq 1 type q\n"), HasSubstr("line 1"));
  EXPECT_THAT(error("file ../a seq 1 type b\n"), HasSubstr("not be a path"));
  EXPECT_THAT(error("file a seq x type b\n"), HasSubstr("expected"));
  EXPECT_THAT(error("file a seq 1\n"), HasSubstr("expected"));
  EXPECT_THAT(error("file a seq 1 type b\nfile b seq 2 type b\n"), HasSubstr("line 2"));
  EXPECT_THAT(error("file a seq 2 type i\nfile b seq 1 type i\n"), HasSubstr("ascending"));
  EXPECT_THAT(error("file \"a\\x00b\" seq 1 type b\n"), HasSubstr("a NUL in the file name"));
  EXPECT_THAT(error("file " + std::string(970, 'a') + " seq 1 type b\n"), HasSubstr("too long"));
  EXPECT_THAT(error("file \"a seq 1 type b\n"), HasSubstr("quotes"));
}

// Files of the history are still to be deleted: their names are not free.
TEST(AofManifest, NewFilesAreNotNamedAsTheHistory) {
  Result<AofManifest> manifest = AofManifest::parse(
      "file appendonly.aof.4.base.aof seq 4 type h\n"
      "file appendonly.aof.9.incr.aof seq 9 type h\n");
  ASSERT_TRUE(manifest.ok());
  EXPECT_EQ(manifest.value().next_base_name("appendonly.aof", false), "appendonly.aof.5.base.aof");
  EXPECT_EQ(manifest.value().add_incremental("appendonly.aof").name, "appendonly.aof.10.incr.aof");
}

TEST(AofManifest, NewFilesFollowThoseInUse) {
  Result<AofManifest> manifest = AofManifest::parse(
      "file appendonly.aof.5.base.rdb seq 5 type b\n"
      "file appendonly.aof.4.base.rdb seq 4 type h\n"
      "file appendonly.aof.1.incr.aof seq 1 type h\n"
      "file appendonly.aof.2.incr.aof seq 2 type i\n");
  ASSERT_TRUE(manifest.ok());
  EXPECT_EQ(manifest.value().next_base_name("appendonly.aof", true), "appendonly.aof.6.base.rdb");
  EXPECT_EQ(manifest.value().add_incremental("appendonly.aof").name, "appendonly.aof.3.incr.aof");
}

}  // namespace
}  // namespace tandem
