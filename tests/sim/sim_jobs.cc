#include "tests/sim/sim_jobs.h"

#include <algorithm>
#include <cstdlib>

#include "tests/sim/sim_plan.h"

namespace tandem {

namespace {

constexpr const char* kList = "jobs";
constexpr const char* kKept = "jobs:kept";
constexpr const char* kCounter = "jobs:pushed";
constexpr int64_t kLongestPauseUs = 100'000;

std::vector<uint64_t> numbers_in(const Inspection& dataset, const char* key) {
  std::vector<uint64_t> numbers;
  const auto list = dataset.keys.find({0, key});
  if (list == dataset.keys.end()) return numbers;
  for (const std::string& element : list->second.elements) {
    numbers.push_back(std::strtoull(element.c_str(), nullptr, 10));
  }
  return numbers;
}

std::string text_of(const std::vector<uint64_t>& numbers) {
  std::string text;
  for (const uint64_t number : numbers) text += " " + std::to_string(number);
  return text;
}

// "$7", "[$jobs $7 ]" or "[$jobs [$7 ] ]".
uint64_t number_in(const std::string& reply) {
  return std::strtoull(reply.c_str() + reply.rfind('$') + 1, nullptr, 10);
}

}  // namespace

void SimJobs::Side::take(uint64_t number, int64_t now_us, bool acknowledged) {
  last = number;
  steps.push_back({number, now_us, acknowledged});
}

uint64_t SimJobs::Side::promised(const Promise& promise) const {
  if (promise.nothing_lost) return last;
  uint64_t highest = durable;
  for (const Step& step : steps) {
    if (step.known_us <= promise.known_until_us ||
        (step.acknowledged && step.known_us <= promise.acknowledged_until_us)) {
      highest = std::max(highest, step.number);
    }
  }
  return highest;
}

void SimJobs::Side::adopt(uint64_t number, int64_t now_us) {
  std::erase_if(steps, [number](const Step& step) { return step.number > number; });
  if (number > last) {
    take(number, now_us, false);
  } else {
    last = number;
  }
}

SimJobs::SimJobs(SimWorld* world, SimNetwork* network, const std::string& server)
    : world_(*world),
      producer_(network, "producer", server),
      consumer_(network, "consumer", server) {
  producer_.on_connected = [this] {
    dialling_.erase(&producer_);
    think_of_push();
  };
  consumer_.on_connected = [this] {
    dialling_.erase(&consumer_);
    think_of_pop();
  };
  producer_.on_reply = [this](const ReplyValue& reply) { pushed(reply); };
  consumer_.on_reply = [this](const ReplyValue& reply) { popped(reply); };
  producer_.on_lost = [this] { lost(producer_); };
  consumer_.on_lost = [this] { lost(consumer_); };
}

SimJobs::~SimJobs() { world_.drop_events(this); }

bool SimJobs::owns(const std::string& key) { return key.starts_with(kList); }

void SimJobs::start(int64_t pace_ms) {
  pace_ms_ = pace_ms;
  connect();
}

void SimJobs::connect() {
  for (SimConnection* connection : {&producer_, &consumer_}) {
    if (connection->connected() || !dialling_.insert(connection).second) continue;
    connection->connect();
  }
}

void SimJobs::resume() {
  stopped_ = false;
  if (producer_.connected()) think_of_push();
  if (consumer_.connected()) think_of_pop();
}

void SimJobs::think_of_push() {
  producer_.loop().post(world_.between(0, 4 * pace_ms_ * 1000), [this] {
    if (producer_.connected() && !push_sent_ && !stopped_) push();
  });
}

void SimJobs::think_of_pop() {
  consumer_.loop().post(world_.between(0, pace_ms_ * 1000), [this] {
    if (consumer_.connected() && !pop_sent_ && !stopped_) pop();
  });
}

void SimJobs::push() {
  const std::string number = std::to_string(pushes_.last + 1);
  push_sent_ = true;
  push_replies_ = 0;
  producer_.send({{"MULTI"}, {"INCR", kCounter}, {"RPUSH", kList, number}, {"EXEC"}});
}

void SimJobs::pop() {
  constexpr int64_t kShortMs = 20;
  constexpr int64_t kLongMs = 300;
  const int64_t timeout_ms = world_.one_in(4) ? kShortMs : kLongMs;
  const std::string timeout =
      "0." + std::string(timeout_ms < 100 ? "0" : "") + std::to_string(timeout_ms);
  const std::vector<Words> ways = {{"BLPOP", kList, timeout},
                                   {"BLMPOP", timeout, "1", kList, "LEFT"},
                                   {"BLMOVE", kList, kKept, "LEFT", "RIGHT", timeout}};
  const Words& request = pick(world_, ways);
  pop_sent_ = true;
  pop_keeps_ = request[0] == "BLMOVE";
  pop_sent_us_ = world_.now_us();
  pop_waits_until_us_ = pop_sent_us_ + 1000 * timeout_ms;
  consumer_.send({request});
}

void SimJobs::pushed(const ReplyValue& value) {
  constexpr size_t kReplies = 4;
  if (++push_replies_ < kReplies) return;
  push_sent_ = false;
  think_of_push();
  const std::string reply = reply_text(value);
  world_.trace("producer", "is answered " + reply.substr(0, 40));
  if (reply.starts_with("-")) return;
  const uint64_t number = pushes_.last + 1;
  if (!reply.starts_with("[:" + std::to_string(number) + " :")) {
    throw SimViolation{"the push of number " + std::to_string(number) + " is answered " + reply};
  }
  pushes_.take(number, world_.now_us(), true);
}

void SimJobs::popped(const ReplyValue& value) {
  constexpr int64_t kHasWaitedUs = 10'000;
  pop_sent_ = false;
  think_of_pop();
  const std::string reply = reply_text(value);
  world_.trace("consumer", "is answered " + reply.substr(0, 40));
  if (reply == "_") return check_that_nothing_came();
  if (reply.starts_with("-")) return;
  const uint64_t number = number_in(reply);
  const uint64_t highest = pushes_.last + (push_sent_ ? 1 : 0);
  if (number != pops_.last + 1 || number > highest) {
    throw SimViolation{"number " + std::to_string(pops_.last + 1) + " of " +
                       std::to_string(highest) + " is to be popped, but the answer is " + reply};
  }
  pops_.take(number, world_.now_us(), true);
  if (pop_keeps_) kept_.insert(number);
  if (world_.now_us() - pop_sent_us_ > kHasWaitedUs) ++handed_over_;
}

// What was pushed before its time was over had to wake it.
void SimJobs::check_that_nothing_came() const {
  for (const Step& step : pushes_.steps) {
    if (step.number != pops_.last + 1 || step.known_us >= pop_waits_until_us_) continue;
    throw SimViolation{"a pop has waited in vain, though number " + std::to_string(step.number) +
                       " was pushed"};
  }
}

// One connection is nothing without the other: what one has done tells what the other one's
// unanswered request has.
void SimJobs::lost(const SimConnection& connection) {
  dialling_.erase(&connection);
  begin_anew();
}

void SimJobs::begin_anew() {
  producer_.abandon();
  consumer_.abandon();
  find_out();
}

void SimJobs::connect_anew(const std::string& server) {
  producer_.set_server(server);
  consumer_.set_server(server);
  producer_.forsake();
  consumer_.forsake();
  begin_anew();
}

void SimJobs::find_out() {
  constexpr int64_t kLookAgainUs = 5'000;
  if (finding_out_) return;
  if (!idle() && !producer_.peer_lives() && !consumer_.peer_lives()) {
    if (const std::optional<Inspection> dataset = inspect_primary()) {
      resolve(*dataset, {.nothing_lost = true}, world_.now_us());
    }
  }
  finding_out_ = true;
  const bool known = idle();
  const int64_t pause_us = known ? world_.between(0, kLongestPauseUs) : kLookAgainUs;
  world_.schedule(this, pause_us, [this, known] {
    finding_out_ = false;
    if (!known) return find_out();
    connect();
  });
}

void SimJobs::resolve(const Inspection& dataset, const Promise& promise, int64_t now_us) {
  const std::vector<uint64_t> list = numbers_in(dataset, kList);
  const auto counter = dataset.keys.find({0, kCounter});
  const uint64_t pushed =
      counter == dataset.keys.end() ? 0 : std::strtoull(counter->second.text.c_str(), nullptr, 10);
  const uint64_t popped = pushed - std::min(pushed, uint64_t{list.size()});
  const auto fail = [&](const std::string& what) {
    throw SimViolation{what + ": " + std::to_string(pushed) + " numbers are pushed, of " +
                       std::to_string(pushes_.promised(promise)) + " to " +
                       std::to_string(pushes_.last) + ", and " + std::to_string(popped) +
                       " popped, of " + std::to_string(pops_.promised(promise)) + " to " +
                       std::to_string(pops_.last) + "; in the list:" + text_of(list)};
  };
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i] != popped + 1 + i) fail("a queue has lost its order");
  }
  if (pushed < pushes_.promised(promise) || pushed > pushes_.last + (push_sent_ ? 1 : 0)) {
    fail("a queue has lost a push");
  }
  if (popped < pops_.promised(promise) || popped > pops_.last + (pop_sent_ ? 1 : 0)) {
    fail("a queue has lost a pop");
  }
  if (popped > pops_.last && pop_keeps_) kept_.insert(popped);
  kept_.erase(kept_.upper_bound(popped), kept_.end());
  const std::vector<uint64_t> kept = numbers_in(dataset, kKept);
  if (!std::ranges::equal(kept, kept_))
    fail("a queue has not kept what it should:" + text_of(kept));
  pushes_.adopt(pushed, now_us);
  pops_.adopt(popped, now_us);
  push_sent_ = pop_sent_ = false;
}

void SimJobs::moved(int64_t now_us) {
  for (Side* side : {&pushes_, &pops_}) {
    for (Step& step : side->steps) {
      step.known_us = now_us;
      step.acknowledged = false;
    }
  }
}

void SimJobs::settled() {
  for (Side* side : {&pushes_, &pops_}) {
    side->durable = side->last;
    side->steps.clear();
  }
}

void SimJobs::flushed() {
  pushes_ = pops_ = {};
  kept_.clear();
}

}  // namespace tandem
