#include "tests/support/pair.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/support/await.h"

namespace tandem {
namespace {

ServerProcess::Options replica_of_port(int port, const ServerProcess::Options& more) {
  ServerProcess::Options options = {"--replicaof", "127.0.0.1 " + std::to_string(port)};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

}  // namespace

ServerProcess::Options replica_of(const ServerProcess& primary) {
  return replica_of_port(primary.port(), {});
}

DistantReplica::DistantReplica(const ServerProcess& primary, const ServerProcess::Options& more)
    : proxy(primary.port()), server(replica_of_port(proxy.port(), more)) {}

bool caught_up(const ServerProcess& primary, const ServerProcess& replica) {
  return replica.info("master_link_status") == "up" &&
         replica.info("slave_repl_offset") == primary.info("master_repl_offset");
}

std::vector<std::string> libraries(const ServerProcess& server) {
  std::vector<std::string> texts;
  for (const ReplyValue& library : server.connect().call("FUNCTION", "LIST", "WITHCODE").elements) {
    std::string text;
    for (size_t i = 0; i + 1 < library.elements.size(); i += 2) {
      const std::string& field = library.elements[i].text;
      if (field == "library_name" || field == "library_code")
        text += reply_text(library.elements[i + 1]) + " ";
    }
    texts.push_back(text);
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

void expect_same_dataset(const ServerProcess& primary, const ServerProcess& replica) {
  EXPECT_TRUE(eventually([&] { return caught_up(primary, replica); }))
      << "primary " << primary.info("master_repl_offset") << ", replica "
      << replica.info("slave_repl_offset") << " " << replica.info("master_link_status");
  EXPECT_EQ(primary.run("DEBUG", "DIGEST"), replica.run("DEBUG", "DIGEST"));
  EXPECT_EQ(libraries(primary), libraries(replica));
}

Pair::Pair(const ServerProcess::Options& options) : primary(options), replica(replica_of(primary)) {
  if (!eventually([this] { return caught_up(primary, replica); }))
    throw std::runtime_error("the replica does not catch up");
}

}  // namespace tandem
