// What a full sync leaves on the disk of a replica.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

bool leaves_a_file(const ServerProcess::Options& options, const ServerProcess& primary) {
  ServerProcess::Options all = replica_of(primary);
  all.insert(all.end(), options.begin(), options.end());
  ServerProcess replica(all);
  expect_same_dataset(primary, replica);
  return std::filesystem::exists(replica.file("dump.rdb"));
}

TEST(SyncFiles, AreDeletedOnlyWhenAskedToAndWhereNothingIsToBeKept) {
  ServerProcess primary({"--repl-diskless-sync", "no"});
  populate(primary);
  EXPECT_TRUE(leaves_a_file({}, primary));
  EXPECT_FALSE(leaves_a_file({"--rdb-del-sync-files", "yes"}, primary));
  EXPECT_TRUE(leaves_a_file({"--rdb-del-sync-files", "yes", "--save", "100 1"}, primary));
  // The primary's own file was for its replicas alone.
  for (const auto& entry : std::filesystem::directory_iterator(primary.dir())) {
    EXPECT_NE(entry.path().extension(), ".rdb");
  }
}

}  // namespace
}  // namespace tandem
