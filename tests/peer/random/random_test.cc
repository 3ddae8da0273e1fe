// Seeded random commands to Tandem and redis-server 7.0.15: every reply must agree, and so must
// what they leave behind. generator.h says how a family of commands joins.
//
//   TANDEM_PEER_SEED=n       runs one sequence
//   TANDEM_PEER_FAMILIES=a,b only these families
//   TANDEM_PEER_COMMANDS=n   how many commands in all (a million)
//   TANDEM_PEER_SECONDS=n    runs for so long instead, from a seed of its own

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "server/base/numbers.h"
#include "tests/peer/random/comparison.h"

namespace tandem::peer {
namespace {

constexpr size_t kCommandsPerSequence = 3000;
constexpr int kMaxFailures = 5;

std::optional<uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? parse_uint64(text) : std::nullopt;
}

std::vector<std::string> families_from_environment() {
  std::vector<std::string> names;
  const char* text = std::getenv("TANDEM_PEER_FAMILIES");
  std::istringstream words(text != nullptr ? text : "");
  for (std::string name; std::getline(words, name, ',');) names.push_back(name);
  return names;
}

// Makes a sequence that differs shorter, as long as it still differs.
class Shrinker {
 public:
  Shrinker(Comparison* comparison, Sequence* sequence, std::string difference)
      : comparison_(*comparison), sequence_(*sequence), difference_(std::move(difference)) {}

  // Returns the difference that the shortest sequence found makes.
  std::string run() {
    leave_out_steps();
    for (size_t i = 0; i < sequence_.steps.size(); ++i) simplify_step(i);
    leave_out_steps();
    return difference_;
  }

 private:
  // Pieces are left out, ever smaller ones.
  void leave_out_steps() {
    for (size_t piece = (sequence_.steps.size() + 1) / 2; piece > 0; piece /= 2) {
      for (size_t from = 0; from < sequence_.steps.size();) {
        Sequence shorter = sequence_;
        const auto begin = shorter.steps.begin() + static_cast<ptrdiff_t>(from);
        const size_t count = std::min(piece, shorter.steps.size() - from);
        shorter.steps.erase(begin, begin + static_cast<ptrdiff_t>(count));
        if (!accept(std::move(shorter))) from += piece;
      }
    }
  }

  // The commands of a transaction or a function each in a transaction of its own, where those that
  // would block still do not, or else only some of them.
  void simplify_step(size_t index) {
    if (sequence_.steps[index].commands.size() > 1) {
      Sequence apart = sequence_;
      apart.steps.erase(apart.steps.begin() + static_cast<ptrdiff_t>(index));
      size_t at = index;
      for (const Words& words : sequence_.steps[index].commands) {
        apart.steps.insert(apart.steps.begin() + static_cast<ptrdiff_t>(at++),
                           {Step::Kind::kTransaction, {words}});
      }
      if (accept(std::move(apart))) return;
    }
    for (size_t i = 0; sequence_.steps[index].commands.size() > 1 &&
                       i < sequence_.steps[index].commands.size();) {
      Sequence shorter = sequence_;
      auto& commands = shorter.steps[index].commands;
      commands.erase(commands.begin() + static_cast<ptrdiff_t>(i));
      if (!accept(std::move(shorter))) ++i;
    }
  }

  bool accept(Sequence shorter) {
    auto still = comparison_.run(shorter);
    if (!still) return false;
    sequence_ = std::move(shorter);
    difference_ = *std::move(still);
    return true;
  }

  Comparison& comparison_;
  Sequence& sequence_;
  std::string difference_;
};

std::string report(const Sequence& sequence, const std::string& first,
                   const std::string& shortest) {
  std::string text = "seed " + std::to_string(sequence.seed) + ", " + first +
                     "\n  replay: TANDEM_PEER_SEED=" + std::to_string(sequence.seed) +
                     " peer_random\n  with RESP" + (sequence.resp3 ? "3" : "2");
  for (const auto& [directive, value] : sequence.settings) text += ", " + directive + " " + value;
  text += ", it comes down to";
  for (const Step& step : sequence.steps) text += "\n    " + step_text(step);
  return text + "\n  " + shortest;
}

class RandomCommands : public ::testing::Test {
 protected:
  // Runs the sequence of a seed and returns how many commands it has.
  size_t run(uint64_t seed) {
    Sequence sequence = make_sequence(seed, kCommandsPerSequence, families_);
    const size_t count = sequence.command_count();
    try {
      const auto difference = comparison_.run(sequence);
      if (!difference) return count;
      ++failures_;
      const std::string shortest = Shrinker(&comparison_, &sequence, *difference).run();
      ADD_FAILURE() << report(sequence, *difference, shortest);
    } catch (const std::exception& error) {
      failures_ = kMaxFailures;
      ADD_FAILURE() << "TANDEM_PEER_SEED=" << seed << ": " << error.what();
    }
    return count;
  }

  bool enough_failures() const { return failures_ >= kMaxFailures; }

  const std::vector<std::string> families_ = families_from_environment();
  Comparison comparison_;
  int failures_ = 0;
};

TEST_F(RandomCommands, AgreeWithRedisServer) {
  if (const auto seed = number_from_environment("TANDEM_PEER_SEED")) {
    run(*seed);
    return;
  }
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto seconds = number_from_environment("TANDEM_PEER_SECONDS");
  const uint64_t wanted = number_from_environment("TANDEM_PEER_COMMANDS").value_or(1'000'000);
  uint64_t seed = seconds ? random_seed() >> 16 : 1;
  uint64_t commands = 0;
  const auto going_on = [&] {
    return seconds ? Clock::now() - began < std::chrono::seconds(*seconds) : commands < wanted;
  };
  for (; going_on() && !enough_failures(); ++seed) commands += run(seed);
  std::cout << commands << " commands compared in "
            << std::chrono::duration<double>(Clock::now() - began).count() << " s\n";
}

}  // namespace
}  // namespace tandem::peer
