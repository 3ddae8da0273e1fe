// LOLWUT: a drawing that is different each time, and the version.

#include <algorithm>
#include <string>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/base/version.h"
#include "server/commands/families.h"
#include "server/exec/call.h"

namespace tandem {
namespace {

constexpr int64_t kDefaultColumns = 40, kDefaultRows = 12;
constexpr int64_t kMostColumns = 1000, kMostRows = 100;

// Diagonals thrown at random: a maze, after a program of one line that home computers were sold
// with.
std::string maze(Random& random, int64_t columns, int64_t rows) {
  constexpr std::string_view kDiagonals[] = {"\u2571", "\u2572"};
  std::string picture;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) picture += kDiagonals[random.below(2)];
    picture += '\n';
  }
  return picture;
}

// LOLWUT [VERSION version] [columns] [rows]. There is one drawing, whatever the version.
void lolwut_command(Call& call) {
  size_t next = 1;
  if (call.args.size() >= 3 && equals_ignore_case(call.args[1], "version")) {
    if (!parse_int64(call.args[2])) return call.not_an_integer();
    next = 3;
  }
  int64_t sizes[] = {kDefaultColumns, kDefaultRows};
  for (int64_t& size : sizes) {
    if (next >= call.args.size()) break;
    const auto given = parse_int64(call.args[next++]);
    if (!given) return call.not_an_integer();
    size = *given;
  }
  const int64_t columns = std::clamp<int64_t>(sizes[0], 1, kMostColumns);
  const int64_t rows = std::clamp<int64_t>(sizes[1], 1, kMostRows);
  std::string text = maze(call.keyspace.random(), columns, rows);
  text.append("\nTandem ver. ").append(kTandemVersion).append("\n");
  call.reply.verbatim("txt", text);
}

constexpr CommandRow kRows[] = {
    {.name = "lolwut",
     .handler = lolwut_command,
     .arity = -1,
     .flags = "fast,readonly",
     .categories = "@fast,@read",
     .summary = "Draws something, and tells the version.",
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(N) where N is the size of the drawing"},
};

}  // namespace

std::span<const CommandRow> lolwut_commands() { return kRows; }

}  // namespace tandem
