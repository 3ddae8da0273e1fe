// repl-digest-period among servers that know nothing of it.

#include <gtest/gtest.h>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

// Tandem, redis-server, Tandem: the one in the middle passes digests on, and has them in its log
// and its dataset nowhere.
TEST(DigestBesideRedis, IsNoNewsToARedisReplicaAndPassesThroughIt) {
  ServerProcess primary({"--repl-digest-period", "1"});
  populate(primary);
  ServerProcess::Options options = replica_of(primary);
  options.insert(options.end(), {"--appendonly", "yes"});
  ServerProcess middle(options, "redis-server");
  ASSERT_TRUE(eventually([&] { return middle.info("master_link_status") == "up"; }));
  ServerProcess last(replica_of(middle));
  ASSERT_TRUE(eventually([&] {
    const std::string checked = last.info("digest_slices_checked");
    return !checked.empty() && std::stoi(checked) >= 2;
  }));
  primary.run("FCALL", "put", "1", "late", "value");
  expect_same_dataset(primary, middle);
  expect_same_dataset(middle, last);
  EXPECT_EQ(last.info("digest_slices_mismatched"), "0");
  EXPECT_EQ(primary.info("sync_full"), "1");
  EXPECT_EQ(middle.info("sync_full"), "1");

  const Output status =
      run_program({tandem_cli_path(), "-p", last.port_text(), "pair", "status", "--once"});
  EXPECT_EQ(status.code, 0) << status.out << status.err;
}

}  // namespace
}  // namespace tandem
