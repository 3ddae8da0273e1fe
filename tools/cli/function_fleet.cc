#include "tools/cli/function_fleet.h"

#include <cstdio>

namespace tandem::cli {
namespace {

// A server on its way through a change.
struct Member {
  FunctionServer& server;
  Libraries before;
  std::string dump_before;
  LibraryChange change;
};

void tell(FILE* stream, const FunctionServer& server, const std::string& text) {
  std::fprintf(stream, "%s: %s\n", server.name().c_str(), text.c_str());
}

Status prepare(Member* member, const PlanChange& plan) {
  if (Status connected = member->server.connect(); !connected) return connected;
  Result<Libraries> libraries = member->server.libraries();
  if (!libraries) return libraries.error();
  Result<std::string> dump = member->server.dump();
  if (!dump) return dump.error();
  Result<LibraryChange> change = plan(libraries.value());
  if (!change) return change.error();
  member->before = std::move(libraries).value();
  member->dump_before = std::move(dump).value();
  member->change = std::move(change).value();
  return {};
}

// What became of a server whose change is to be undone. A signal ends the waiting for one that does
// not answer.
Result<std::string> put_back(Member* member, InterruptWatch* watch) {
  FunctionServer& server = member->server;
  // After a broken connection or an interrupted reply nothing is known: ask anew.
  if (Status connected = server.connect(); !connected) return connected.error();
  server.session().connection().watch(watch);
  Result<Libraries> now = server.libraries();
  if (!now) return now.error();
  if (now.value() == member->before) return std::string("not changed");
  Status restored = server.run({{"FUNCTION", "RESTORE", member->dump_before, "FLUSH"}});
  if (!restored) return restored.error();
  return std::string("put back as it was");
}

int put_back_all(std::vector<Member>& members, size_t touched, InterruptWatch* watch) {
  for (size_t i = 0; i < members.size(); ++i) {
    if (i >= touched) {
      tell(stderr, members[i].server, "not changed");
      continue;
    }
    Result<std::string> outcome = put_back(&members[i], watch);
    tell(stderr, members[i].server,
         outcome ? outcome.value()
                 : "COULD NOT BE PUT BACK and may hold the change: " + outcome.error().message);
  }
  return 1;
}

}  // namespace

int change_all(std::vector<FunctionServer>& servers, const PlanChange& plan) {
  std::vector<Member> members;
  for (FunctionServer& server : servers) members.push_back({server, {}, {}, {}});
  for (Member& member : members) {
    Status prepared = prepare(&member, plan);
    if (prepared) continue;
    tell(stderr, member.server, prepared.error().message);
    std::fputs("Nothing was changed.\n", stderr);
    return 1;
  }
  InterruptWatch watch(true);
  for (size_t i = 0; i < members.size(); ++i) {
    FunctionServer& server = members[i].server;
    server.session().connection().watch(&watch);
    Status applied = server.run(members[i].change.commands);
    if (applied) continue;
    tell(stderr, server, applied.error().message);
    return put_back_all(members, i + 1, &watch);
  }
  for (const Member& member : members) tell(stdout, member.server, member.change.done);
  return 0;
}

}  // namespace tandem::cli
