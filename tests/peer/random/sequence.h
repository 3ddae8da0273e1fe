#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/peer/random/generator.h"

namespace tandem::peer {

// What is sent at once, and how it travels.
struct Step {
  enum class Kind : uint8_t {
    kCommand,      // one command
    kTransaction,  // MULTI, the commands, EXEC
    kFunction,     // one FCALL that calls the commands
    kReload,       // both servers save their dataset and load it
    kRestore,      // commands[0][1] as redis-server dumps it, restored on both
  };

  Kind kind = Kind::kCommand;
  std::vector<Words> commands;
};

struct Sequence {
  uint64_t seed = 0;
  bool resp3 = false;
  bool events = false;                                        // keyspace events are compared too
  std::vector<std::pair<std::string, std::string>> settings;  // directives on both servers
  std::vector<Step> steps;

  size_t command_count() const;
};

// The sequence of a seed; `families` are the names of those wanted, all when empty.
Sequence make_sequence(uint64_t seed, size_t commands, const std::vector<std::string>& families);

// The name of the function that kFunction calls, and the library that has it, for both servers. Its
// arguments are the commands, each as its number of words and these.
extern const char* const kReplayFunction;
extern const char* const kReplayLibrary;

// Appends the requests of a step (nothing for a reload or a restore) and returns how many replies
// will come.
size_t encode_step(const Step& step, std::string* out);

// The command with its name in upper case.
Words canonical_words(const Words& command);

// On one line, as one would type it.
std::string step_text(const Step& step);

}  // namespace tandem::peer
