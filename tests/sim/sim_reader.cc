#include "tests/sim/sim_reader.h"

#include <cstdlib>
#include <iterator>

namespace tandem {

Words read_request(int client) {
  const std::string prefix = client_prefix(client);
  Words words = {"FCALL_RO", "get" + std::to_string(client), std::to_string(std::size(kReadNames))};
  for (const char* name : kReadNames) words.push_back(prefix + name);
  return words;
}

SimReader::SimReader(SimWorld* world, SimNetwork* network, int clients)
    : world_(*world), clients_(clients), connection_(network, "reader", "") {
  connection_.on_connected = [this] {
    waiting_ = false;
    think();
  };
  connection_.on_reply = [this](const ReplyValue& value) {
    check(value);
    think();
  };
  connection_.on_lost = [this] {
    constexpr int64_t kLongestPauseUs = 200'000;
    connection_.loop().post(world_.between(0, kLongestPauseUs), [this] { connect(); });
  };
}

void SimReader::start(int64_t pace_ms) {
  pace_ms_ = pace_ms;
  connect();
}

void SimReader::resume() {
  stopped_ = false;
  if (connection_.connected()) think();
}

void SimReader::connect() {
  connection_.set_server(choose_server());
  connection_.connect();
}

void SimReader::think() {
  connection_.loop().post(world_.between(0, 2 * pace_ms_ * 1000), [this] {
    if (connection_.connected() && !waiting_ && !stopped_) ask();
  });
}

void SimReader::ask() {
  constexpr uint64_t kElsewhereIn = 30;
  if (world_.one_in(kElsewhereIn)) {
    connection_.abandon();
    return connect();
  }
  waiting_ = true;
  asked_replica_ = is_replica(connection_.server());
  const int client = static_cast<int>(world_.between(0, clients_ - 1));
  const int64_t choice = world_.between(0, 99);
  asked_ = choice < 90 ? Asked::kRead : choice < 96 ? Asked::kWrite : Asked::kOther;
  if (asked_ == Asked::kRead) {
    connection_.send({read_request(client)});
  } else if (asked_ == Asked::kWrite) {
    connection_.send({{"FCALL", "nothing" + std::to_string(client), "0"}});
  } else {
    connection_.send({{choice % 2 == 0 ? "BGREWRITEAOF" : "BGSAVE"}});
  }
}

void SimReader::check(const ReplyValue& reply) {
  waiting_ = false;
  const std::string text = reply_text(reply);
  world_.trace(connection_.host(), "is answered " + text.substr(0, 40));
  if (asked_ == Asked::kOther) return;
  if (asked_ == Asked::kWrite) {
    if (!reply.is_error() && asked_replica_ && is_replica(connection_.server())) {
      throw SimViolation{"a replica has run a function that may write: " + text};
    }
    return;
  }
  if (reply.is_error()) {
    if (!text.starts_with("-ERR Function not found") && !text.starts_with("-LOADING") &&
        !text.starts_with("-MASTERDOWN")) {
      throw SimViolation{"a replica refuses a function that reads: " + text};
    }
    return;
  }
  const std::vector<ReplyValue>& values = reply.elements;
  if (values.size() != std::size(kReadNames)) throw SimViolation{"a strange answer: " + text};
  for (size_t i = kFirstTogether; i <= kLastTogether; ++i) {
    if (reply_text(values[i]) != reply_text(values[kFirstTogether])) {
      throw SimViolation{"a function's writes are seen in part: " + text};
    }
  }
  const auto number = [](const ReplyValue& value) {
    return std::strtoll(value.text.c_str(), nullptr, 10);
  };
  if (number(values[kDebit]) + number(values[kCredit]) != 0 ||
      number(values[0]) < number(values[kFirstTogether])) {
    throw SimViolation{"a function's writes are seen in part: " + text};
  }
  ++values_seen_;
}

}  // namespace tandem
