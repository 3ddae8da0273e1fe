#include "tests/peer/random/comparison.h"

#include <algorithm>
#include <stdexcept>

#include "server/base/strings.h"
#include "tests/peer/random/differences.h"
#include "tests/support/reply_text.h"

namespace tandem::peer {
namespace {

constexpr size_t kBatchBytes = 256 << 10;

ReplyValue parse(std::string_view bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  Result<std::optional<ReplyValue>> value = reader.next();
  if (!value.ok()) throw std::runtime_error("malformed reply: " + value.error().to_string());
  if (!value.value() || !reader.idle()) throw std::runtime_error("not one reply");
  return *std::move(value).value();
}

std::string describe(const ReplyValue& ours, const ReplyValue& theirs) {
  return "\n    tandem: " + reply_text(ours) + "\n    redis:  " + reply_text(theirs);
}

// Nothing when the replies agree, by the command's rule or by a known difference.
std::optional<std::string> compare(const Words& words, ReplyValue ours, ReplyValue theirs) {
  if (reply_text(ours) == reply_text(theirs)) return std::nullopt;
  if (is_excused(words, ours, theirs)) return std::nullopt;
  const Canonical rule = catalog().rule(words.front());
  if (rule != nullptr && !ours.is_error() && !theirs.is_error()) {
    ReplyValue our_canonical = ours, their_canonical = theirs;
    rule(words, our_canonical);
    rule(words, their_canonical);
    if (reply_text(our_canonical) == reply_text(their_canonical)) return std::nullopt;
  }
  return step_text({Step::Kind::kCommand, {words}}) + describe(ours, theirs);
}

// The replies of several commands within one reply.
std::optional<std::string> compare_inner(const std::vector<Words>& commands, const ReplyValue& ours,
                                         const ReplyValue& theirs, const std::string& name) {
  if (ours.elements.size() != commands.size() || theirs.elements.size() != commands.size()) {
    if (reply_text(ours) == reply_text(theirs)) return std::nullopt;
    return name + describe(ours, theirs);
  }
  for (size_t i = 0; i < commands.size(); ++i) {
    auto difference = compare(canonical_words(commands[i]), ours.elements[i], theirs.elements[i]);
    if (difference) return name + ", command " + std::to_string(i + 1) + ": " + *difference;
  }
  return std::nullopt;
}

std::vector<std::string> sorted_texts(std::string_view reply) {
  std::vector<std::string> texts;
  for (ReplyValue& element : parse(reply).elements) texts.push_back(std::move(element.text));
  std::sort(texts.begin(), texts.end());
  return texts;
}

constexpr const char* kEndOfEvents = "end of events";

// What a subscriber has been told since the last time, each message on one line.
std::vector<std::string> take_events(RespClient* subscriber) {
  std::vector<std::string> events;
  while (true) {
    const ReplyValue message = subscriber->read();
    // pmessage, the pattern, the channel, the message.
    if (message.elements.size() != 4) throw std::runtime_error("no message of a pattern");
    const std::string& channel = message.elements[2].text;
    if (channel == kEndOfEvents) return events;
    std::string event = channel + " " + quote(message.elements[3].text);
    if (!is_event_excused(event)) events.push_back(std::move(event));
  }
}

}  // namespace

Comparison::Comparison()
    : tandem_({"--enable-debug-command", "yes"}),
      redis_({"--enable-debug-command", "yes"}, "redis-server"),
      ours_(tandem_.port()),
      theirs_(redis_.port()),
      our_events_(tandem_.connect()),
      their_events_(redis_.connect()) {
  our_events_.call("PSUBSCRIBE", "*");
  their_events_.call("PSUBSCRIBE", "*");
  for (Pipeline* one : {&ours_, &theirs_}) {
    const std::string loaded = one->call({"FUNCTION", "LOAD", "REPLACE", kReplayLibrary});
    if (loaded.find("peer") == std::string::npos) throw std::runtime_error(loaded);
    // What has expired goes when it is looked at, on both at the same command.
    one->call({"DEBUG", "SET-ACTIVE-EXPIRE", "0"});
  }
}

void Comparison::exchange(const std::string& requests, size_t replies) {
  ours_.send(requests, replies);
  theirs_.send(requests, replies);
  Pipeline::exchange(ours_, theirs_);
}

void Comparison::prepare(const Sequence& sequence) {
  for (Pipeline* one : {&ours_, &theirs_}) {
    one->call({"RESET"});
    one->call({"HELLO", sequence.resp3 ? "3" : "2"});
    one->call({"FLUSHALL"});
    one->call({"CONFIG", "SET", "notify-keyspace-events", sequence.events ? "KEA" : ""});
    for (const auto& [directive, value] : sequence.settings) {
      const std::string reply = one->call({"CONFIG", "SET", directive, value});
      if (!reply.starts_with("+OK")) {
        throw std::runtime_error("CONFIG SET " + directive + " " + value + ": " + reply);
      }
    }
  }
}

std::optional<std::string> Comparison::run(const Sequence& sequence) {
  prepare(sequence);
  (void)compare_events();  // those of the sequence before
  for (size_t begin = 0; begin < sequence.steps.size();) {
    size_t end = begin, bytes = 0;
    std::optional<std::string> difference;
    switch (sequence.steps[begin].kind) {
      case Step::Kind::kReload:
        difference = reload();
        ++end;
        break;
      case Step::Kind::kRestore:
        difference = restore(sequence.steps[begin]);
        ++end;
        break;
      default:
        while (end < sequence.steps.size() && bytes < kBatchBytes &&
               sequence.steps[end].kind < Step::Kind::kReload) {
          for (const Words& words : sequence.steps[end].commands) {
            for (const std::string& word : words) bytes += word.size() + 16;
          }
          ++end;
        }
        difference = run_batch(sequence, begin, end);
    }
    if (difference) return difference;
    begin = end;
  }
  return compare_datasets();
}

std::optional<std::string> Comparison::run_batch(const Sequence& sequence, size_t begin,
                                                 size_t end) {
  std::string requests;
  std::vector<size_t> firsts;
  size_t replies = 0;
  for (size_t i = begin; i < end; ++i) {
    firsts.push_back(replies);
    replies += encode_step(sequence.steps[i], &requests);
  }
  exchange(requests, replies);
  for (size_t i = begin; i < end; ++i) {
    const auto difference = compare_step(sequence.steps[i], firsts[i - begin]);
    if (difference) return "step " + std::to_string(i) + ": " + *difference;
  }
  if (!sequence.events) return std::nullopt;
  if (auto difference = compare_events()) {
    return "steps " + std::to_string(begin) + " to " + std::to_string(end - 1) + ": " + *difference;
  }
  return std::nullopt;
}

std::optional<std::string> Comparison::compare_events() {
  std::string requests;
  const size_t replies =
      encode_step({Step::Kind::kCommand, {{"PUBLISH", kEndOfEvents, ""}}}, &requests);
  exchange(requests, replies);
  std::vector<std::string> ours = take_events(&our_events_), theirs = take_events(&their_events_);
  if (ours == theirs) return std::nullopt;
  const auto [our, their] = std::mismatch(ours.begin(), ours.end(), theirs.begin(), theirs.end());
  return "event " + std::to_string(our - ours.begin()) +
         "\n    tandem: " + (our == ours.end() ? "none" : *our) +
         "\n    redis:  " + (their == theirs.end() ? "none" : *their);
}

std::optional<std::string> Comparison::compare_step(const Step& step, size_t first) {
  switch (step.kind) {
    case Step::Kind::kCommand:
      return compare_reply(step.commands.front(), first);
    case Step::Kind::kFunction:
      if (ours_.reply(first) == theirs_.reply(first)) return std::nullopt;
      return compare_inner(step.commands, parse(ours_.reply(first)), parse(theirs_.reply(first)),
                           "function");
    default:
      break;
  }
  // Those that were refused do not count among the replies of EXEC.
  std::vector<Words> queued;
  for (size_t i = 0; i < step.commands.size(); ++i) {
    if (auto difference = compare_reply(step.commands[i], first + 1 + i)) return difference;
    if (ours_.reply(first + 1 + i).starts_with("+QUEUED")) queued.push_back(step.commands[i]);
  }
  const size_t exec = first + 1 + step.commands.size();
  if (ours_.reply(exec) == theirs_.reply(exec)) return std::nullopt;
  return compare_inner(queued, parse(ours_.reply(exec)), parse(theirs_.reply(exec)), "EXEC");
}

std::optional<std::string> Comparison::compare_reply(const Words& command, size_t index) {
  if (ours_.reply(index) == theirs_.reply(index)) return std::nullopt;
  return compare(canonical_words(command), parse(ours_.reply(index)), parse(theirs_.reply(index)));
}

std::optional<std::string> Comparison::reload() {
  exchange("*2\r\n$5\r\nDEBUG\r\n$6\r\nRELOAD\r\n", 1);
  if (ours_.reply(0) == theirs_.reply(0)) return std::nullopt;
  return "DEBUG RELOAD" + describe(parse(ours_.reply(0)), parse(theirs_.reply(0)));
}

std::optional<std::string> Comparison::restore(const Step& step) {
  const ReplyValue payload = parse(theirs_.call(step.commands.front()));
  if (payload.is_null()) return std::nullopt;
  const Words words = {"RESTORE", step.commands.front()[1], "0", payload.text, "REPLACE"};
  std::string requests;
  const size_t replies = encode_step({Step::Kind::kCommand, {words}}, &requests);
  exchange(requests, replies);
  return compare_reply(words, 0);
}

std::optional<std::string> Comparison::compare_datasets() {
  std::string requests;
  const size_t replies = encode_step({Step::Kind::kCommand, {{"DEBUG", "DIGEST"}}}, &requests);
  exchange(requests, replies);
  const bool differs = ours_.reply(0) != theirs_.reply(0);
  for (const char* database : {"0", "1", "2"}) {
    if (auto difference = compare_database(database, differs)) return difference;
  }
  if (!differs) return std::nullopt;
  return "DEBUG DIGEST" + describe(parse(ours_.reply(0)), parse(theirs_.reply(0)));
}

std::optional<std::string> Comparison::compare_database(const std::string& database,
                                                        bool digest_differs) {
  for (Pipeline* one : {&ours_, &theirs_}) one->call({"SELECT", database});
  const auto our_keys = sorted_texts(ours_.call({"KEYS", "*"}));
  const auto their_keys = sorted_texts(theirs_.call({"KEYS", "*"}));
  const std::string where = "at the end, database " + database;
  if (our_keys != their_keys) {
    std::string text = where + " has the keys\n    tandem:";
    for (const std::string& key : our_keys) text += " \"" + key + "\"";
    text += "\n    redis: ";
    for (const std::string& key : their_keys) text += " \"" + key + "\"";
    return text;
  }
  std::string requests;
  std::vector<Words> commands;
  for (const std::string& key : our_keys) {
    if (digest_differs) commands.push_back({"DEBUG", "DIGEST-VALUE", key});
    commands.push_back({"OBJECT", "ENCODING", key});
    commands.push_back({"PEXPIRETIME", key});
  }
  for (const Words& words : commands) encode_step({Step::Kind::kCommand, {words}}, &requests);
  exchange(requests, commands.size());
  for (size_t i = 0; i < commands.size(); ++i) {
    if (auto difference = compare_reply(commands[i], i)) return where + ": " + *difference;
  }
  return std::nullopt;
}

}  // namespace tandem::peer
