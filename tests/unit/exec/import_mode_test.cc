#include <string>

#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

class ImportModeTest : public ExecFixture {
 protected:
  ImportModeTest() : source_(connect()), other_(connect()) {}

  Peer& source_;
  Peer& other_;
};

TEST_F(ImportModeTest, NoKeyHasExpiredToTheSource) {
  EXPECT_EQ(run(source_, "CLIENT IMPORT-SOURCE ON"), "-ERR Server is not in import mode|");
  EXPECT_EQ(run(source_, "CLIENT IMPORT-SOURCE OFF"), "+OK|");
  configure("import-mode", "yes");
  keyspace_.set_expiry_policy(ExpiryPolicy::kHide);  // what the role follows from the setting
  EXPECT_EQ(run(source_, "CLIENT IMPORT-SOURCE ON"), "+OK|");
  EXPECT_EQ(run(source_, "CLIENT IMPORT-SOURCE MAYBE"), "-ERR syntax error|");
  EXPECT_NE(run(source_, "CLIENT INFO").find(" flags=I "), std::string::npos);
  run(source_, "SET k v PX 100");
  advance_ms(200);
  EXPECT_EQ(run(other_, "GET k"), "$-1|");
  EXPECT_EQ(run(source_, "GET k"), "$1|v|");
  EXPECT_EQ(run(other_, "GET k"), "$-1|");
  EXPECT_EQ(run(other_, "DBSIZE"), ":1|");
  EXPECT_EQ(run(source_, "DEL k"), ":1|");
  EXPECT_EQ(run(other_, "DBSIZE"), ":0|");
}

}  // namespace
}  // namespace tandem
