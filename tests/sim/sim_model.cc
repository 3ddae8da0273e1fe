#include "tests/sim/sim_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <initializer_list>

#include "server/base/numbers.h"
#include "server/store/hash_value.h"
#include "server/store/list_value.h"
#include "tests/sim/sim_world.h"

namespace tandem {

namespace {

std::string with(std::string text, const std::string& mark, const std::string& value) {
  if (const size_t at = text.find(mark); at != std::string::npos) {
    text.replace(at, mark.size(), value);
  }
  return text;
}

bool may_be_gone(const ModelValue& value, int64_t latest_ms) {
  return value.expires_ms != 0 && value.expires_ms <= latest_ms;
}

// "17:?:3" stands for "17:40:3"; the position that was found, or nothing when they differ.
std::optional<uint64_t> position_in(const std::string& pattern, const std::string& text) {
  const size_t at = pattern.find(kUnknownPosition);
  if (at == std::string::npos) return std::nullopt;
  const std::string tail = pattern.substr(at + 1);
  if (text.size() < pattern.size() || text.substr(0, at) != pattern.substr(0, at) ||
      !text.ends_with(tail)) {
    return std::nullopt;
  }
  const std::string digits = text.substr(at, text.size() - at - tail.size());
  const auto number = parse_int64(digits);
  if (!number || *number <= 0) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

std::string shortened(const std::string& text) {
  return text.size() <= 60 ? text : text.substr(0, 60) + "…(" + std::to_string(text.size()) + ")";
}

std::string describe(const ModelValue& value) {
  std::string text = shortened(value.text);
  for (const auto& [field, content] : value.fields) text += field + "=" + shortened(content) + " ";
  for (const std::string& element : value.elements) text += element + " ";
  return text;
}

std::string describe(const Operation& operation) {
  std::string text = "operation " + std::to_string(operation.number) + ":";
  for (const Words& request : operation.requests) {
    for (const std::string& word : request) text += " " + shortened(word);
    text += ";";
  }
  return text;
}

}  // namespace

std::string client_prefix(int client) { return "c" + std::to_string(client) + ":"; }

std::string library_name(int client) { return "lib" + std::to_string(client); }

std::string library_source(int client, uint64_t version) {
  const std::string c = std::to_string(client);
  const std::string p = client_prefix(client);
  return "#!lua name=" + library_name(client) + "\n-- version " + std::to_string(version) + R"(
local function put(keys, args)
  local n, many, pad = args[1], tonumber(args[2]), tonumber(args[3])
  local p = server.call('INCR', 'g')
  server.call('SET', ')" +
         p + R"(last', n .. ':' .. p .. ':)" + std::to_string(version) + R"(')
  for i, key in ipairs(keys) do server.call('SET', key, n) end
  for i = 1, many do server.call('HSET', ')" +
         p + R"(big', 'f' .. i, n) end
  if pad > 0 then server.call('SET', ')" +
         p + R"(pad', string.rep(n, pad)) end
  server.call('SET', 'shared', 'c)" +
         c + R"(:' .. n)
  return p
end
local function move(keys, args)
  server.call('DECRBY', keys[1], args[2])
  server.call('INCRBY', keys[2], args[2])
  local p = server.call('INCR', 'g')
  server.call('SET', ')" +
         p + R"(last', args[1] .. ':' .. p .. ':)" + std::to_string(version) +
         R"(')
  server.call('SET', 'shared', 'c)" +
         c + R"(:' .. args[1])
  return p
end
local function nothing()
end
local function get(keys)
  local values = {}
  for i, key in ipairs(keys) do values[i] = server.call('GET', key) end
  return values
end
server.register_function('put)" +
         c + R"(', put)
server.register_function('move)" +
         c + R"(', move)
server.register_function('nothing)" +
         c + R"(', nothing)
server.register_function{function_name='get)" +
         c + R"(', callback=get, flags={'no-writes'}}
)";
}

std::string reply_text(const ReplyValue& value) {
  using Type = ReplyValue::Type;
  switch (value.type) {
    case Type::kNull:
    case Type::kNullArray:
      return "_";
    case Type::kSimple:
      return "+" + value.text;
    case Type::kError:
      return "-" + value.text;
    case Type::kInteger:
      return ":" + std::to_string(value.integer);
    default:
      break;
  }
  if (!value.is_aggregate()) return "$" + value.text;
  std::string text = "[";
  for (const ReplyValue& element : value.elements) text += reply_text(element) + " ";
  return text + "]";
}

bool is_refusal(const std::string& reply) {
  return reply.starts_with("-MISCONF") || reply.starts_with("-LOADING") ||
         reply.starts_with("-READONLY") || reply.starts_with("-UNBLOCKED") ||
         reply.starts_with("-EXECABORT Transaction discarded because of: ") ||
         reply.starts_with("-EXECABORT Transaction discarded because of previous errors");
}

// --- The model's own commands.

std::string ModelState::run(int db, const Words& command) {
  const std::string& name = command[0];
  const auto number = [](const std::string& text) {
    return std::strtoll(text.c_str(), nullptr, 10);
  };
  if (name == "FLUSHDB") {
    std::erase_if(keys, [db](const auto& entry) { return entry.first.first == db; });
    return "+OK";
  }
  if (name == "SWAPDB") {
    swap_databases(static_cast<int>(number(command[1])), static_cast<int>(number(command[2])));
    return "+OK";
  }
  const std::pair<int, std::string> key{db, command[1]};
  if (name == "SET") {
    keys[key] = {.text = command[2], .fields = {}, .expires_ms = 0};
    if (command.size() == 5) keys[key].expires_ms = number(command[4]);  // PXAT
    return "+OK";
  }
  if (name == "GET") return keys.contains(key) ? "$" + keys[key].text : "_";
  if (name == "DEL") return ":" + std::to_string(keys.erase(key));
  if (name == "UNLINK") {  // of keys that expire
    keys.erase(key);
    return "?";
  }
  if (name == "LPOP" || name == "BLPOP") {
    const auto list = keys.find(key);
    if (list == keys.end()) return "_";
    const std::string element = list->second.elements.front();
    list->second.elements.pop_front();
    if (list->second.elements.empty()) keys.erase(list);
    return name == "LPOP" ? "$" + element : "[$" + key.second + " $" + element + " ]";
  }
  ModelValue& value = keys[key];
  if (name == "RPUSH") {
    value.elements.insert(value.elements.end(), command.begin() + 2, command.end());
    return ":" + std::to_string(value.elements.size());
  }
  if (name == "INCR" || name == "INCRBY" || name == "DECRBY") {
    const int64_t by = name == "INCR" ? 1 : number(command[2]) * (name == "DECRBY" ? -1 : 1);
    value.text = std::to_string(number(value.text) + by);
    return ":" + value.text;
  }
  if (name == "INCRBYFLOAT") {  // always by 0.5
    const int64_t halves = std::llround(std::strtod(value.text.c_str(), nullptr) * 2) + 1;
    value.text = std::to_string(halves / 2) + (halves % 2 != 0 ? ".5" : "");
    return "$" + value.text;
  }
  if (name == "APPEND") {
    value.text += command[2];
    return ":" + std::to_string(value.text.size());
  }
  if (name == "HSET") {
    const bool added = !value.fields.contains(command[2]);
    value.fields[command[2]] = command[3];
    return added ? ":1" : ":0";
  }
  if (name == "HINCRBY") {
    std::string& field = value.fields[command[2]];
    field = std::to_string(number(field) + number(command[3]));
    return ":" + field;
  }
  if (name == "HDEL") {
    const size_t removed = value.fields.erase(command[2]);
    if (value.fields.empty()) keys.erase(key);
    return ":" + std::to_string(removed);
  }
  std::abort();
}

void ModelState::swap_databases(int one, int other) {
  ModelKeys swapped;
  while (!keys.empty()) {
    auto entry = keys.extract(keys.begin());
    int& db = entry.key().first;
    db = db == one ? other : db == other ? one : db;
    swapped.insert(std::move(entry));
  }
  keys = std::move(swapped);
}

void PositionLedger::take(uint64_t position, uint64_t above) {
  if (position <= above) {
    throw SimViolation{"position " + std::to_string(position) + " is not above " +
                       std::to_string(above) + ", which was taken before the request was sent"};
  }
  if (!taken_.insert(position).second) {
    throw SimViolation{"position " + std::to_string(position) + " is taken twice"};
  }
}

Inspection inspect(Server& server, int64_t latest_ms) {
  Inspection found;
  found.latest_ms = latest_ms;
  Keyspace& keyspace = server.keyspace();
  for (int i = 0; i < keyspace.database_count(); ++i) {
    keyspace.database(i).for_each([&](const Entry* entry) {
      ModelValue value;
      if (entry->has_expiry()) value.expires_ms = entry->expires_at_ms();
      if (entry->type() == ValueType::kString) {
        std::array<char, kMaxInt64Digits> scratch;
        value.text = entry->string(scratch.data());
      } else if (entry->type() == ValueType::kHash) {
        static_cast<const HashValue*>(entry->value())
            ->for_each([&](std::string_view field, std::string_view content) {
              value.fields.emplace(field, content);
            });
      } else {
        const auto& list = *static_cast<const ListValue*>(entry->value());
        std::array<char, kMaxInt64Digits> scratch;
        list.visit([&](const ListValue::Element& element) {
          value.elements.emplace_back(element.text(scratch));
          return true;
        });
      }
      found.keys.emplace(std::make_pair(i, std::string(entry->key())), std::move(value));
    });
  }
  if (const auto counter = found.keys.find({0, "g"}); counter != found.keys.end()) {
    found.positions = std::strtoull(counter->second.text.c_str(), nullptr, 10);
  }
  server.functions().for_each_library([&](std::string_view name, std::string_view source) {
    found.libraries.emplace(name, source);
  });
  return found;
}

// --- One client.

// ":1" of WAIT, "[:1 :0 ]" of WAITAOF. What is on the disk of a replica is also there.
void ClientModel::read_reach(const std::string& reply, Operation* operation) {
  if (reply.starts_with(":")) {
    operation->on_replicas = std::strtoll(reply.c_str() + 1, nullptr, 10);
  } else if (reply.starts_with("[:")) {
    operation->on_disk = reply.starts_with("[:1");
    operation->on_replica_disks = std::strtoll(reply.c_str() + reply.rfind(':') + 1, nullptr, 10);
    operation->on_replicas = operation->on_replica_disks;
  }
}

void ClientModel::sent(Operation operation) {
  operation.number = next_number_++;
  operation.position_above = ledger_.highest();
  outstanding_.push_back(std::move(operation));
}

// Returns the reply that is due.
std::string ClientModel::apply(Operation* operation, ModelState* state) const {
  using Kind = Operation::Kind;
  switch (operation->kind) {
    case Kind::kSave:
    case Kind::kWait:
    case Kind::kOther:
      return "?";
    case Kind::kLoad:
      state->library = operation->version;
      return "+" + library_name(client_);
    case Kind::kDelete:
      if (!state->library) return "-ERR Library not found";
      state->library.reset();
      return "+OK";
    case Kind::kFunction:
    case Kind::kRead:
      if (!state->library) return "-ERR Function not found";
      break;
    case Kind::kCommand:
    case Kind::kTransaction:
      break;
  }
  const std::string position =
      operation->position == 0 ? kUnknownPosition : std::to_string(operation->position);
  std::string replies;
  for (const Words& step : operation->steps) {
    const bool fixed = step.back().find('{') == std::string::npos;
    Words words = fixed ? Words() : step;
    if (!fixed) {
      words.back() = with(with(step.back(), "{p}", position), "{v}",
                          std::to_string(state->library.value_or(0)));
    }
    const std::string reply = state->run(operation->db, fixed ? step : words);
    replies += operation->kind == Kind::kCommand ? reply : reply + " ";
  }
  if (operation->takes_position) ++state->positions;
  if (operation->kind == Kind::kFunction) return ":" + position;
  if (operation->kind == Kind::kRead) return "[" + replies + "]";
  if (operation->kind == Kind::kTransaction) return "[:" + position + " " + replies + "]";
  return replies;
}

void ClientModel::answered(const std::string& reply, int64_t now_us) {
  Operation operation = std::move(outstanding_.front());
  outstanding_.pop_front();
  if (is_refusal(reply)) return;
  if (operation.takes_position && !reply.starts_with("-")) {
    const size_t digits = reply.starts_with("[:") ? 2 : 1;
    operation.position = std::strtoull(reply.c_str() + digits, nullptr, 10);
    ledger_.take(operation.position, operation.position_above);
  }
  operation.known_us = now_us;
  // While it refuses writes a server tells, and saves, what it has, be it in the AOF or not.
  using Kind = Operation::Kind;
  operation.acknowledged = operation.kind != Kind::kRead && operation.kind != Kind::kWait &&
                           operation.kind != Kind::kSave && operation.kind != Kind::kOther &&
                           operation.requests.back()[0] != "GET" && !reply.starts_with("-");
  if (operation.kind == Kind::kWait && wrote_since_connected_) read_reach(reply, &operation);
  if (operation.acknowledged && (operation.takes_position || operation.kind == Kind::kLoad)) {
    wrote_since_connected_ = true;
  }
  const std::string due = apply(&operation, &state_);
  if (due.find('?') == std::string::npos && due != reply) {
    throw SimViolation{"client " + std::to_string(client_) + " got the reply " + shortened(reply) +
                       " where " + shortened(due) + " was due, " + describe(operation)};
  }
  run_.push_back(std::move(operation));
}

ModelState ClientModel::own_part(const Inspection& actual) const {
  ModelState part;
  const std::string prefix = client_prefix(client_);
  for (const auto& [key, value] : actual.keys) {
    if (key.second.starts_with(prefix)) part.keys.emplace(key, value);
  }
  if (const auto found = actual.libraries.find(library_name(client_));
      found != actual.libraries.end()) {
    const std::string mark = "-- version ";
    const size_t at = found->second.find(mark);
    const uint64_t version = std::strtoull(found->second.c_str() + at + mark.size(), nullptr, 10);
    if (found->second != library_source(client_, version)) {
      throw SimViolation{"the source of library " + found->first + " has changed"};
    }
    part.library = version;
  }
  return part;
}

bool ClientModel::matches(const ModelState& expected, const ModelState& actual, int64_t latest_ms) {
  if (expected.library != actual.library) return false;
  size_t there = 0;
  for (const auto& [key, value] : expected.keys) {
    const auto found = actual.keys.find(key);
    if (found == actual.keys.end()) {
      if (!may_be_gone(value, latest_ms)) return false;
      continue;
    }
    ++there;
    if (found->second != value && !position_in(value.text, found->second.text)) return false;
  }
  return there == actual.keys.size();
}

size_t ClientModel::count_promised(const Promise& promise) const {
  if (promise.nothing_lost) return run_.size();
  const auto is_promised = [&promise](const Operation& operation) {
    if (operation.known_us <= promise.known_until_us) return true;
    if (operation.acknowledged && operation.known_us <= promise.acknowledged_until_us) return true;
    if (operation.on_disk && promise.what_is_on_disk) return true;
    if (operation.on_replica_disks >= promise.replicas &&
        operation.sent_us > promise.on_replica_disks_since_us) {
      return true;
    }
    return operation.on_replicas >= promise.replicas &&
           operation.sent_us > promise.replicated_since_us;
  };
  const auto last = std::find_if(run_.rbegin(), run_.rend(), is_promised);
  return static_cast<size_t>(std::distance(last, run_.rend()));
}

void ClientModel::resolve(const Inspection& inspection, const Promise& promise, int64_t now_us) {
  const ModelState actual = own_part(inspection);
  const size_t promised = count_promised(promise);
  const size_t known = run_.size();
  run_.insert(run_.end(), std::make_move_iterator(outstanding_.begin()),
              std::make_move_iterator(outstanding_.end()));
  outstanding_.clear();

  ModelState state = base_;
  for (size_t i = 0; i < promised; ++i) apply(&run_[i], &state);
  const ModelState floor = state;
  size_t survived = promised;
  while (!matches(state, actual, inspection.latest_ms)) {
    if (survived == run_.size()) {
      std::string text =
          "client " + std::to_string(client_) + ": of " + std::to_string(run_.size()) +
          " operations " + std::to_string(promised) + " are promised and " + std::to_string(known) +
          " known to have been run, but the dataset is what no number of them makes.";
      if (promised > 0) text += "\nThe last promised one: " + describe(run_[promised - 1]);
      text += "\nAgainst the promised state:" + difference(floor, actual, inspection.latest_ms);
      throw SimViolation{
          text + "\nAgainst the last one:" + difference(state, actual, inspection.latest_ms)};
    }
    apply(&run_[survived++], &state);
  }
  check_positions(survived, inspection.positions);
  run_.resize(survived);
  for (size_t i = known; i < survived; ++i) run_[i].known_us = now_us;
  state_ = std::move(state);
  learn_positions(actual);
}

void ClientModel::moved(int64_t now_us) {
  for (Operation& operation : run_) {
    operation.known_us = now_us;
    operation.acknowledged = operation.on_disk = false;
    operation.on_replicas = operation.on_replica_disks = 0;
  }
}

void ClientModel::settled() {
  for (const Operation& operation : run_) {
    base_position_ = std::max(base_position_, operation.position);
  }
  base_ = state_;
  run_.clear();
}

void ClientModel::flushed(bool keys, bool libraries) {
  run_.clear();
  if (libraries) state_.library.reset();
  if (keys) {
    state_.keys.clear();
    state_.positions = base_position_ = 0;
  }
  base_ = state_;
}

// The order in which the server ran things says what was lost: all behind some position.
void ClientModel::check_positions(size_t survived, uint64_t highest) const {
  if (base_position_ > highest) {
    throw SimViolation{"position " + std::to_string(base_position_) +
                       " has survived, but the counter stands at " + std::to_string(highest)};
  }
  for (size_t i = 0; i < run_.size(); ++i) {
    const uint64_t position = run_[i].position;
    if (position == 0 || (i < survived) == (position <= highest)) continue;
    throw SimViolation{"position " + std::to_string(position) + " of client " +
                       std::to_string(client_) + (i < survived ? " has" : " has not") +
                       " survived, but the counter stands at " + std::to_string(highest)};
  }
}

// A position that was not known stands in the dataset now.
void ClientModel::learn_positions(const ModelState& actual) {
  for (auto& [key, value] : state_.keys) {
    const auto found = actual.keys.find(key);
    if (found == actual.keys.end()) continue;
    const auto position = position_in(value.text, found->second.text);
    if (!position) continue;
    value = found->second;
    for (Operation& operation : run_) {
      if (operation.kind != Operation::Kind::kFunction || operation.position != 0) continue;
      if (!value.text.starts_with(std::to_string(operation.number) + ":")) continue;
      operation.position = *position;
      ledger_.take(*position, operation.position_above);
    }
  }
}

std::string ClientModel::difference(const ModelState& expected, const ModelState& actual,
                                    int64_t latest_ms) {
  std::string text;
  const auto name = [](const auto& key) {
    return "\n  " + std::to_string(key.first) + "/" + key.second + ": ";
  };
  for (const auto& [key, value] : expected.keys) {
    const auto found = actual.keys.find(key);
    if (found == actual.keys.end()) {
      if (may_be_gone(value, latest_ms)) continue;
      text += name(key) + "missing, expected " + describe(value);
    } else if (found->second != value && !position_in(value.text, found->second.text)) {
      text += name(key) + describe(found->second) + ", expected " + describe(value);
    }
  }
  for (const auto& [key, value] : actual.keys) {
    const auto found = expected.keys.find(key);
    if (found == expected.keys.end()) {
      text += name(key) + describe(value) + ", expected none";
    }
  }
  if (expected.library != actual.library) {
    text += "\n  library version " + std::to_string(actual.library.value_or(0)) + ", expected " +
            std::to_string(expected.library.value_or(0));
  }
  return text.empty() ? " none" : text;
}

}  // namespace tandem
