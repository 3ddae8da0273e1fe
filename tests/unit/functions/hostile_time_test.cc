// Library code that stays inside one call of a C function, or among few and slow ones, where the
// hook between Lua's instructions gets no turn for long: it must still be seen as busy and killed.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/functions/function_fixture.h"
#include "tests/unit/functions/recording_reply.h"

namespace tandem {
namespace {

class HostileTimeTest : public FunctionFixture {
 protected:
  HostileTimeTest() {
    configure("busy-reply-threshold", "100");
    configure("function-memory-limit", "64mb");
    other_ = executor_.make_internal_client(ClientKind::kNormal);
    clock_.step_us = 60'000;
    executor_.serve_while_busy = [this] {
      const std::vector<std::string_view> words = {"FUNCTION", "KILL"};
      RecordingReply reply;
      executor_.call(*other_, *executor_.commands().resolve(words), words, reply);
      killed_ = reply.text;
    };
  }

  std::unique_ptr<Client> other_;
  std::string killed_;
};

TEST_F(HostileTimeTest, SlowLibraryCallsAreKilled) {
  const std::string filled = "local t = {} for i = 1, 1e5 do t[i] = i end ";
  for (const std::string& body : {
           filled + "while true do table.insert(t, 1, 0) end",
           filled + "while true do table.sort(t) end",
           std::string("while true do server.call('PING') end"),
           std::string("while true do pcall(server.call, 'NOSUCH') end"),
           std::string("local s = ('x'):rep(1e6) while true do local _ = s:rep(10) end"),
           std::string("local t = 'x' for i = 1, 60 do t = {t, t} end "
                       "while true do pcall(cjson.encode, t) end"),
           std::string("local t = 'x' for i = 1, 15 do t = {t, t, t, t, t, t, t, t} end "
                       "while true do pcall(cmsgpack.pack, t) end"),
           std::string("local s = ('a'):rep(1e5) while true do s:find(('a*'):rep(50) .. 'b') end"),
           std::string("while true do load(function() while true do end end) end"),
       }) {
    killed_.clear();
    load_body(body);
    EXPECT_EQ(run("FCALL", "f", "0"), raised("ERR Script killed by user with SCRIPT KILL..."))
        << body;
    EXPECT_EQ(killed_, "OK ") << body;
  }
  executor_.serve_while_busy = {};
  EXPECT_EQ(eval("return 1"), "(integer) 1");
}

TEST_F(HostileTimeTest, WhatThePrimarySentIsNotKilled) {
  load_body("for i = 1, 1000000 do end return 'done'");
  client_->set_kind(ClientKind::kPrimary);
  executor_.execute(*client_, std::vector<std::string_view>{"FCALL", "f", "0"});
  EXPECT_EQ(killed_,
            "UNKILLABLE The busy script was sent by a primary instance in the context of "
            "replication and cannot be killed. ");
}

}  // namespace
}  // namespace tandem
