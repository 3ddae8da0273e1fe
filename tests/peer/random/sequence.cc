#include "tests/peer/random/sequence.h"

#include <algorithm>

#include "server/base/strings.h"
#include "tests/peer/random/differences.h"

namespace tandem::peer {
namespace {

// Chooses makers by their weights, among the families of one sequence.
class Chooser {
 public:
  Chooser(const Catalog& catalog, const std::vector<bool>& wanted) : catalog_(catalog) {
    for (const Catalog::Maker& maker : catalog.makers()) {
      if (!wanted[maker.family]) continue;
      add(&maker, &inside_, &inside_weight_);
      if (!maker.inside_only) add(&maker, &plain_, &plain_weight_);
    }
  }

  Words command(Generator& generator, bool inside) const {
    while (true) {
      Words words = make(generator, inside);
      disturb(generator, &words);
      if (!is_avoided(canonical_words(words))) return words;
    }
  }

 private:
  struct Choice {
    uint64_t below;  // of the numbers up to the total weight, those under it and not taken before
    const Catalog::Maker* maker;
  };

  static void add(const Catalog::Maker* maker, std::vector<Choice>* to, uint64_t* weight) {
    *weight += maker->weight;
    to->push_back({*weight, maker});
  }

  Words make(Generator& generator, bool inside) const {
    const std::vector<Choice>& choices = inside ? inside_ : plain_;
    const uint64_t dice = generator.below(inside ? inside_weight_ : plain_weight_);
    const auto chosen =
        std::upper_bound(choices.begin(), choices.end(), dice,
                         [](uint64_t value, const Choice& choice) { return value < choice.below; });
    generator.use_pool(catalog_.families()[chosen->maker->family].pool);
    return chosen->maker->make(generator);
  }

  static void disturb(Generator& generator, Words* words) {
    const uint64_t dice = generator.below(100);
    if (dice < 1) {
      words->resize(1 + generator.below(words->size()));
    } else if (dice < 2) {
      words->push_back(generator.value());
    } else if (dice < 3) {
      if (words->size() > 1) (*words)[1 + generator.below(words->size() - 1)] = generator.value();
    } else if (dice < 8) {
      words->front() = to_lower(words->front());
    }
  }

  const Catalog& catalog_;
  std::vector<Choice> plain_, inside_;
  uint64_t plain_weight_ = 0, inside_weight_ = 0;
};

// One sequence in three has all families. The others have three, so that they go deeper.
std::vector<bool> choose_families(Generator& generator, const std::vector<std::string>& names) {
  const auto& families = catalog().families();
  std::vector<bool> wanted(families.size());
  std::vector<size_t> possible;
  for (size_t i = 0; i < families.size(); ++i) {
    if (names.empty() || std::count(names.begin(), names.end(), families[i].name) > 0) {
      possible.push_back(i);
    }
  }
  const bool all = generator.chance(33) || possible.size() <= 3;
  for (size_t i = 0; i < possible.size(); ++i) {
    wanted[all ? possible[i] : possible[generator.below(possible.size())]] = true;
    if (!all && i == 2) break;
  }
  return wanted;
}

std::string pools_of(const std::vector<bool>& wanted) {
  std::string pools;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i]) pools += catalog().families()[i].pool;
  }
  return pools;
}

Step make_step(Generator& generator, const Chooser& chooser) {
  const uint64_t dice = generator.below(2000);
  if (dice == 0) return {Step::Kind::kReload, {}};
  if (dice < 10) return {Step::Kind::kRestore, {{"DUMP", generator.any_key()}}};
  if (dice >= 200) return {Step::Kind::kCommand, {chooser.command(generator, false)}};
  Step step{dice < 100 ? Step::Kind::kTransaction : Step::Kind::kFunction, {}};
  for (uint64_t count = 1 + generator.below(6); count > 0; --count) {
    step.commands.push_back(chooser.command(generator, step.kind == Step::Kind::kTransaction));
  }
  return step;
}

void encode(const Words& words, std::string* out) {
  *out += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    *out += "$" + std::to_string(word.size()) + "\r\n";
    *out += word;
    *out += "\r\n";
  }
}

std::string command_text(const Words& words) {
  std::string text;
  for (const std::string& word : words) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return c > ' ' && c < 127 && c != '"' && c != '\\' && c != '\'';
    });
    if (!text.empty()) text += ' ';
    text += plain ? word : quote(word);
  }
  return text;
}

}  // namespace

const char* const kReplayFunction = "replay";
const char* const kReplayLibrary =
    "#!lua name=peer\n"
    "redis.register_function('replay', function(keys, args)\n"
    "  local replies, at = {}, 1\n"
    "  while at <= #args do\n"
    "    local count = tonumber(args[at])\n"
    "    replies[#replies + 1] = redis.pcall(unpack(args, at + 1, at + count))\n"
    "    at = at + 1 + count\n"
    "  end\n"
    "  return replies\n"
    "end)\n";

size_t Sequence::command_count() const {
  size_t count = 0;
  for (const Step& step : steps) count += std::max<size_t>(1, step.commands.size());
  return count;
}

Sequence make_sequence(uint64_t seed, size_t commands, const std::vector<std::string>& families) {
  Generator generator(seed);
  const std::vector<bool> wanted = choose_families(generator, families);
  generator.use_pools(pools_of(wanted));
  const Chooser chooser(catalog(), wanted);
  Sequence sequence{.seed = seed, .resp3 = seed % 2 == 1, .events = seed % 4 < 2};
  for (const Catalog::Setting& setting : catalog().settings()) {
    sequence.settings.emplace_back(setting.directive,
                                   setting.values[generator.below(setting.values.size())]);
  }
  for (size_t made = 0; made < commands;) {
    sequence.steps.push_back(make_step(generator, chooser));
    made += std::max<size_t>(1, sequence.steps.back().commands.size());
  }
  return sequence;
}

size_t encode_step(const Step& step, std::string* out) {
  switch (step.kind) {
    case Step::Kind::kCommand:
      encode(step.commands.front(), out);
      return 1;
    case Step::Kind::kTransaction:
      encode({"MULTI"}, out);
      for (const Words& words : step.commands) encode(words, out);
      encode({"EXEC"}, out);
      return step.commands.size() + 2;
    case Step::Kind::kFunction: {
      Words call = {"FCALL", kReplayFunction, "0"};
      for (const Words& words : step.commands) {
        call.push_back(std::to_string(words.size()));
        call.insert(call.end(), words.begin(), words.end());
      }
      encode(call, out);
      return 1;
    }
    case Step::Kind::kReload:
    case Step::Kind::kRestore:
      return 0;
  }
  return 0;
}

Words canonical_words(const Words& command) {
  Words words = command;
  for (char& c : words.front()) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return words;
}

std::string step_text(const Step& step) {
  std::string text;
  for (const Words& words : step.commands) {
    if (!text.empty()) text += "; ";
    text += command_text(words);
  }
  switch (step.kind) {
    case Step::Kind::kCommand:
      return text;
    case Step::Kind::kTransaction:
      return "MULTI; " + text + "; EXEC";
    case Step::Kind::kFunction:
      return "a function calling: " + text;
    case Step::Kind::kReload:
      return "DEBUG RELOAD";
    case Step::Kind::kRestore:
      return text + " of redis-server, restored on both";
  }
  return text;
}

}  // namespace tandem::peer
