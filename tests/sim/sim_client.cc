#include "tests/sim/sim_client.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tests/sim/sim_plan.h"
#include "tests/sim/sim_reader.h"

namespace tandem {

namespace {

constexpr int kSecondDatabases = 4;  // how far a client's second database is from its first

}  // namespace

SimClient::SimClient(SimWorld* world, SimNetwork* network, int number, std::string server,
                     PositionLedger* ledger)
    : world_(*world),
      number_(number),
      connection_(network, "client" + std::to_string(number), std::move(server)),
      model_(number, ledger) {
  connection_.on_connected = [this] {
    model_.connected();
    selected_db_ = 0;
    replies_ = 0;
    think();
  };
  connection_.on_reply = [this](const ReplyValue& value) { on_reply(value); };
  connection_.on_lost = [this] { find_out(); };
}

void SimClient::start(int64_t pace_ms) {
  pace_ms_ = pace_ms;
  connection_.connect();
}

void SimClient::resume() {
  stopped_ = false;
  if (connection_.connected()) think();
}

void SimClient::connect_anew(const std::string& server) {
  connection_.set_server(server);
  const bool was_connected = connection_.connected();
  connection_.forsake();
  if (was_connected) find_out();
}

// Learns what has become of unanswered operations, then connects again.
void SimClient::find_out() {
  constexpr int64_t kLookAgainUs = 5'000;
  constexpr int64_t kLongestPauseUs = 100'000;
  if (finding_out_) return;
  if (model_.outstanding() > 0 && !connection_.peer_lives()) {
    if (const std::optional<Inspection> dataset = inspect_primary()) {
      world_.trace(connection_.host(), "finds out", model_.outstanding());
      model_.resolve(*dataset, {.nothing_lost = true}, world_.now_us());
    }
  }
  finding_out_ = true;
  const bool known = model_.outstanding() == 0;
  connection_.loop().post(known ? world_.between(0, kLongestPauseUs) : kLookAgainUs, [this, known] {
    finding_out_ = false;
    if (known) {
      connection_.connect();
    } else {
      find_out();
    }
  });
}

void SimClient::think() {
  connection_.loop().post(world_.between(0, 2 * pace_ms_ * 1000), [this] {
    if (connection_.connected() && model_.outstanding() == 0) send_some();
  });
}

void SimClient::send_some() {
  constexpr int64_t kMostTogether = 5;
  if (stopped_) return;
  const int64_t count = world_.one_in(3) ? world_.between(2, kMostTogether) : 1;
  for (int64_t i = 0; i < count; ++i) {
    Operation operation = next_operation();
    operation.sent_us = world_.now_us();
    if (operation.db != selected_db_) {
      operation.requests.insert(operation.requests.begin(),
                                Words{"SELECT", std::to_string(operation.db)});
      selected_db_ = operation.db;
    }
    world_.trace(connection_.host(), operation.requests.back()[0], model_.next_number(),
                 operation.requests.size());
    connection_.send(operation.requests);
    model_.sent(std::move(operation));
  }
}

void SimClient::on_reply(const ReplyValue& value) {
  if (model_.outstanding() == 0) {
    throw SimViolation{connection_.host() + " got a reply to nothing: " + reply_text(value)};
  }
  const Operation& operation = model_.oldest_outstanding();
  if (++replies_ < operation.requests.size()) return;
  replies_ = 0;
  const std::string text = reply_text(value);
  world_.trace(connection_.host(), "is answered " + text.substr(0, 40), operation.number);
  if (operation.kind == Operation::Kind::kSave && text == "+OK") on_saved(operation.sent_us);
  model_.answered(text, world_.now_us());
  if (model_.outstanding() == 0) think();
}

// --- What clients do.

Operation SimClient::next_operation() {
  const int64_t choice = world_.between(0, 99);
  if (!model_.state().library && choice < 60) return housekeeping();
  if (choice < 50) return function();
  if (choice < 58) return transaction();
  if (choice < 68) return housekeeping();
  if (choice < 78) return list_command();
  if (choice < 80) return database_command();
  return plain_command();
}

Operation SimClient::function() {
  const std::string n = own_number();
  const std::string c = std::to_string(number_);
  const int64_t choice = world_.between(0, 9);
  Operation operation;
  if (choice < 2) {
    operation.kind = Operation::Kind::kRead;
    operation.requests = {read_request(number_)};
    for (const char* name : kReadNames) operation.steps.push_back({"GET", key(name)});
    return operation;
  }
  operation.kind = Operation::Kind::kFunction;
  operation.takes_position = true;
  operation.steps = {{"SET", key("last"), n + ":{p}:{v}"}};
  if (choice < 4) {
    const std::string amount = std::to_string(world_.between(1, 1000));
    operation.requests = {{"FCALL", "move" + c, "2", key("a"), key("b"), n, amount}};
    operation.steps.push_back({"DECRBY", key("a"), amount});
    operation.steps.push_back({"INCRBY", key("b"), amount});
    return operation;
  }
  const int64_t many = world_.one_in(20) ? world_.between(20, 200) : world_.between(0, 5);
  const int64_t pad = world_.one_in(20) ? world_.between(1, 4000) : 0;
  Words request = {"FCALL", "put" + c, "4"};
  for (size_t i = kFirstTogether; i <= kLastTogether; ++i) {
    request.push_back(key(kReadNames[i]));
    operation.steps.push_back({"SET", key(kReadNames[i]), n});
  }
  for (const std::string& word : {n, std::to_string(many), std::to_string(pad)}) {
    request.push_back(word);
  }
  for (int64_t i = 1; i <= many; ++i) {
    operation.steps.push_back({"HSET", key("big"), "f" + std::to_string(i), n});
  }
  if (pad > 0) {
    std::string text;
    for (int64_t i = 0; i < pad; ++i) text += n;
    operation.steps.push_back({"SET", key("pad"), text});
  }
  operation.requests = {std::move(request)};
  return operation;
}

Operation SimClient::plain_command() {
  constexpr int64_t kLongestLifeMs = 1'500;
  const std::string n = own_number();
  const std::string k = std::to_string(world_.between(0, 3));
  const std::string until = std::to_string(world_.now_ms() + world_.between(20, kLongestLifeMs));
  const std::vector<Words> commands = {
      {"SET", key("s" + k), n},
      {"GET", key("s" + k)},
      {"DEL", key("s" + k)},
      {"APPEND", key("s" + k), n + ","},
      {"INCR", key("count")},
      {"INCRBYFLOAT", key("float"), "0.5"},
      {"HSET", key("h"), "f" + k, n},
      {"HDEL", key("h"), "f" + k},
      {"HINCRBY", key("sums"), "f" + k, n},
      {"SET", key("e" + k), n, "PXAT", until},
      {"SET", key("e" + k), n, "PXAT", until},
      {"UNLINK", key("e" + k)},
  };
  Operation operation;
  operation.kind = Operation::Kind::kCommand;
  if (world_.one_in(3)) operation.db = number_ + 1 + (world_.one_in(2) ? kSecondDatabases : 0);
  operation.steps = {commands[world_.random().below(commands.size())]};
  operation.requests = operation.steps;
  return operation;
}

Operation SimClient::list_command() {
  const std::string n = own_number();
  const std::vector<Words> commands = {{"RPUSH", key("q"), n},
                                       {"RPUSH", key("q"), n + "a", n + "b", n + "c"},
                                       {"LPOP", key("q")},
                                       {"BLPOP", key("q"), "0.03"},
                                       {"BLPOP", key("q"), "0.3"}};
  Operation operation;
  operation.kind = Operation::Kind::kCommand;
  operation.steps = {pick(world_, commands)};
  operation.requests = operation.steps;
  return operation;
}

Operation SimClient::database_command() {
  const int first = number_ + 1;
  const int second = first + kSecondDatabases;
  Operation operation;
  operation.kind = Operation::Kind::kCommand;
  operation.db = world_.one_in(2) ? first : second;
  if (world_.one_in(2)) {
    operation.steps = {{"SWAPDB", std::to_string(first), std::to_string(second)}};
  } else {
    operation.steps = {{"FLUSHDB", world_.one_in(2) ? "ASYNC" : "SYNC"}};
  }
  operation.requests = operation.steps;
  return operation;
}

Operation SimClient::transaction() {
  Operation operation;
  operation.kind = Operation::Kind::kTransaction;
  operation.takes_position = true;
  operation.steps = {{"SET", key("tx"), own_number()},
                     {"APPEND", key("journal"), own_number() + ";"},
                     {"INCR", key("count")}};
  operation.requests = operation.steps;
  operation.requests.insert(operation.requests.begin(), {Words{"MULTI"}, Words{"INCR", "g"}});
  operation.requests.push_back({"EXEC"});
  return operation;
}

Operation SimClient::housekeeping() {
  Operation operation;
  const int64_t choice = world_.between(0, 15);
  if (!model_.state().library || choice < 4) {
    operation.kind = Operation::Kind::kLoad;
    operation.version = model_.next_number();
    operation.requests = {
        {"FUNCTION", "LOAD", "REPLACE", library_source(number_, operation.version)}};
  } else if (choice < 5) {
    operation.kind = Operation::Kind::kDelete;
    operation.requests = {{"FUNCTION", "DELETE", library_name(number_)}};
  } else if (choice < 6) {
    operation.kind = Operation::Kind::kSave;
    operation.requests = {{"SAVE"}};
  } else if (choice < 13) {
    const std::vector<Words> commands = {
        {"WAIT", "1", "100"},         {"WAIT", "2", "20"},          {"WAITAOF", "1", "0", "100"},
        {"WAITAOF", "0", "1", "100"}, {"WAITAOF", "1", "2", "100"}, {"WAITAOF", "0", "1", "300"}};
    operation.kind = Operation::Kind::kWait;
    operation.requests = {pick(world_, commands)};
  } else {
    const std::vector<Words> commands = {{"BGREWRITEAOF"}, {"BGSAVE"}};
    operation.requests = {pick(world_, commands)};
  }
  return operation;
}

}  // namespace tandem
