#include "server/base/directive_table.h"

#include <algorithm>
#include <cassert>
#include <unordered_map>

#include "server/base/strings.h"

namespace tandem {

namespace {

std::vector<const Directive*> collect() {
  std::vector<const Directive*> all;
  for (auto part : {network_directives(), process_directives(), memory_directives(),
                    persistence_directives(), replication_directives(), unused_directives()}) {
    for (const Directive& directive : part) all.push_back(&directive);
  }
  return all;
}

using Index = std::unordered_map<std::string_view, const Directive*>;

Index index_names() {
  Index index;
  for (const Directive* directive : all_directives()) {
    [[maybe_unused]] bool fresh = index.emplace(directive->name, directive).second;
    assert(fresh);
    if (directive->alias.empty()) continue;
    fresh = index.emplace(directive->alias, directive).second;
    assert(fresh);
  }
  return index;
}

const Index& names() {
  static const Index index = index_names();
  return index;
}

// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    before.swap(previous);
    previous.swap(current);
  }
  return previous[b.size()];
}

}  // namespace

const std::vector<const Directive*>& all_directives() {
  static const std::vector<const Directive*> all = collect();
  return all;
}

const Directive* find_directive(std::string_view name) {
  const auto found = names().find(to_lower(name));
  return found == names().end() ? nullptr : found->second;
}

std::string nearest_directive(std::string_view name) {
  constexpr size_t kLongestName = 64;
  if (name.size() > kLongestName) return "";
  const std::string wanted = to_lower(name);
  std::string_view nearest;
  size_t least = std::max<size_t>(2, name.size() / 3) + 1;
  for (const auto& [known, directive] : names()) {
    const size_t distance = edit_distance(wanted, known);
    // By name among equals, so that the answer does not depend on the index.
    if (distance < least || (distance == least && !nearest.empty() && known < nearest)) {
      least = distance;
      nearest = known;
    }
  }
  return std::string(nearest);
}

}  // namespace tandem
