#include "tests/support/load_client.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace tandem {
namespace {

// Units in one pipeline, at most.
constexpr uint64_t kMaxBatch = 24;

constexpr std::string_view kFunctions = R"lua(#!lua name=load
server.register_function('load_write', function(keys, args)
  server.call('SET', keys[1], args[1])
  server.call('SET', keys[2], args[1])
  return args[1]
end)
server.register_function('load_push', function(keys, args)
  server.call('RPUSH', keys[2], args[1])
  server.call('LTRIM', keys[2], '-' .. args[2], '-1')
  server.call('SET', keys[1], args[1])
  return args[1]
end)
)lua";

}  // namespace

LoadClient::LoadClient(int number, uint64_t seed)
    : prefix_("load" + std::to_string(number)), random_(seed) {}

LoadClient::~LoadClient() {
  if (thread_.joinable()) thread_.join();
}

void LoadClient::prepare(const ServerProcess& server) {
  const ReplyValue reply = server.connect().call("FUNCTION", "LOAD", "REPLACE", kFunctions);
  if (reply.is_error()) throw std::runtime_error(reply.text);
}

void LoadClient::begin(const ServerProcess& server, std::chrono::milliseconds pause) {
  connection_ = std::make_unique<RespClient>(server.connect());
  thread_ = std::thread([this, pause] { run(pause); });
}

void LoadClient::end() {
  thread_.join();
  if (!surprise_.empty()) throw std::runtime_error(prefix_ + " was answered " + surprise_);
}

void LoadClient::run(std::chrono::milliseconds pause) {
  try {
    while (surprise_.empty()) {
      run_batch();
      std::this_thread::sleep_for(pause);
    }
  } catch (const std::exception&) {
    // The server is gone, as was to come.
  }
}

void LoadClient::run_batch() {
  const size_t first = units_.size();
  std::string requests;
  for (uint64_t left = 1 + random_() % kMaxBatch; left > 0; --left) {
    const auto kind = static_cast<Kind>(random_() % 4);
    units_.push_back({random_() % 64 == 0 ? Kind::kLibrary : kind, next_number_++});
    requests += request(units_.back());
  }
  batches_.push_back({units_.size(), std::chrono::steady_clock::now()});
  connection_->send_raw(requests);
  for (size_t unit = first; unit < units_.size(); ++unit) {
    for (int left = replies(units_[unit]); left > 0; --left) {
      const ReplyValue reply = connection_->read();
      if (reply.is_error() && surprise_.empty()) surprise_ = reply.text;
    }
    ++acknowledged_;
  }
  batches_.back().acknowledged = std::chrono::steady_clock::now();
}

int LoadClient::replies(const Unit& unit) { return unit.kind == Kind::kTransaction ? 4 : 1; }

std::string LoadClient::slot_key(uint64_t number) const {
  return key("slot" + std::to_string(number % kSlots));
}

std::string LoadClient::request(const Unit& unit) const {
  const std::string number = std::to_string(unit.number);
  const std::string last = key("last");
  const std::string slot = slot_key(unit.number);
  switch (unit.kind) {
    case Kind::kCommand:
      return encode_request({"MSET", last, number, slot, number});
    case Kind::kTransaction:
      return encode_request({"MULTI"}) + encode_request({"SET", slot, number}) +
             encode_request({"SET", last, number}) + encode_request({"EXEC"});
    case Kind::kFunction:
      return encode_request({"FCALL", "load_write", "2", last, slot, number});
    case Kind::kPush:
      return encode_request(
          {"FCALL", "load_push", "2", last, key("list"), number, std::to_string(kListLength)});
    case Kind::kLibrary:
      return encode_request(
          {"FUNCTION", "LOAD", "REPLACE",
           "#!lua name=" + prefix_ + "\nserver.register_function{function_name='" + prefix_ +
               "_version', flags={'no-writes'}, callback=function() return '" + number + "' end}"});
  }
  return {};
}

void LoadClient::apply(const Unit& unit, State* state) const {
  const std::string number = std::to_string(unit.number);
  if (unit.kind == Kind::kLibrary) {
    state->version = number;
    return;
  }
  state->last = number;
  if (unit.kind == Kind::kPush) {
    state->list.push_back(number);
    if (state->list.size() > kListLength) state->list.pop_front();
  } else {
    state->slots[unit.number % kSlots] = number;
  }
}

std::string LoadClient::State::text() const {
  std::string out = "last " + last + ", version " + version + ", slots";
  for (const std::string& slot : slots) out += " " + slot;
  out += ", list";
  for (const std::string& number : list) out += " " + number;
  return out;
}

LoadClient::State LoadClient::read_state(const ServerProcess& server) const {
  RespClient client = server.connect();
  std::string requests = encode_request({"GET", key("last")}) +
                         encode_request({"FCALL_RO", prefix_ + "_version", "0"}) +
                         encode_request({"LRANGE", key("list"), "0", "-1"});
  for (size_t slot = 0; slot < kSlots; ++slot) requests += encode_request({"GET", slot_key(slot)});
  client.send_raw(requests);
  State state;
  state.last = client.read().text;
  const ReplyValue version = client.read();
  if (!version.is_error()) state.version = version.text;
  for (const ReplyValue& number : client.read().elements) state.list.push_back(number.text);
  for (std::string& slot : state.slots) slot = client.read().text;
  return state;
}

size_t LoadClient::find(const ServerProcess& server, size_t required) {
  const State found = read_state(server);
  State state = state_;
  size_t count = 0;
  for (const size_t least = std::min(required, units_.size()); count < least; ++count) {
    apply(units_[count], &state);
  }
  const State least = state;
  while (state != found && count < units_.size()) apply(units_[count++], &state);
  if (state != found) {
    throw std::runtime_error(prefix_ + " finds what it never wrote, or too little.\nfound: " +
                             found.text() + "\nat least: " + least.text() +
                             "\nat most: " + state.text() + "\nat the beginning: " + state_.text());
  }
  state_ = found;
  units_.clear();
  earlier_batches_ = std::exchange(batches_, {});
  acknowledged_ = 0;
  return count;
}

size_t LoadClient::acknowledged_before_the_end(std::chrono::milliseconds age) const {
  Time last_answered = Time::min();
  for (const Batch& batch : batches_) {
    if (batch.acknowledged != kNever) last_answered = batch.sent;
  }
  size_t count = 0;
  for (const Batch& batch : batches_) {
    if (batch.acknowledged == kNever || batch.acknowledged + age > last_answered) break;
    count = batch.end;
  }
  return count;
}

const LoadClient::Batch* LoadClient::batch_of(size_t unit) const {
  const auto found = std::find_if(earlier_batches_.begin(), earlier_batches_.end(),
                                  [&](const Batch& batch) { return batch.end > unit; });
  return found == earlier_batches_.end() ? nullptr : &*found;
}

LoadClient::Time LoadClient::sent_at(size_t unit) const {
  const Batch* batch = batch_of(unit);
  return batch == nullptr ? kNever : batch->sent;
}

LoadClient::Time LoadClient::acknowledged_at(size_t unit) const {
  const Batch* batch = batch_of(unit);
  return batch == nullptr ? kNever : batch->acknowledged;
}

}  // namespace tandem
