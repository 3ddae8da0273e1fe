#pragma once

#include <string>
#include <vector>

#include "server/exec/call.h"

namespace tandem {

// The clients that MONITOR: each is sent a line for every command that runs. Loop thread only.
class Monitors {
 public:
  bool empty() const { return clients_.empty(); }
  void add(Client& client);
  void remove(Client& client);

  // Shows a call to all of them. What the handler has hidden is not shown.
  void feed(const Call& call);

 private:
  void encode(const Call& call);

  std::vector<Client*> clients_;
  std::string line_;  // encoded once for all
};

}  // namespace tandem
