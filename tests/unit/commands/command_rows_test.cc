#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/base/strings.h"
#include "server/commands/families.h"

namespace tandem {
namespace {

// Every row that is registered, subcommands included.
std::vector<const CommandRow*> all_rows(const CommandTable& table) {
  std::vector<const CommandRow*> rows;
  for (const auto& command : table.commands()) {
    rows.push_back(command->row);
    for (const auto& sub : command->subcommands) rows.push_back(sub->row);
  }
  return rows;
}

// Commands that came after 8.1, the version of the reference table.
bool is_newer(std::string_view name) {
  static constexpr std::string_view kNewer[] = {
      "delifeq",  // 9.0
      "msetex",   // 9.1
  };
  return std::find(std::begin(kNewer), std::end(kNewer), name) != std::end(kNewer);
}

// The rows of the reference table by name, each split at its tabs.
std::map<std::string, std::vector<std::string>, std::less<>> reference_rows() {
  std::map<std::string, std::vector<std::string>, std::less<>> rows;
  std::ifstream file(TANDEM_SHARED_DIR "/data/valkey81-commands.tsv");
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::vector<std::string> columns;
    size_t start = 0;
    for (size_t tab; (tab = line.find('\t', start)) != std::string::npos; start = tab + 1) {
      columns.push_back(line.substr(start, tab - start));
    }
    columns.push_back(line.substr(start));
    columns.resize(7);
    rows[columns[0]] = columns;
  }
  return rows;
}

// Commands that Valkey has since 9.0 or 9.1, after the reference table was made: the expiry of hash
// fields, and HGETDEL.
const std::set<std::string_view> kNewerCommands = {
    "hexpire",  "hexpireat",  "hexpiretime",  "hgetdel", "hgetex", "hpersist",
    "hpexpire", "hpexpireat", "hpexpiretime", "hpttl",   "hsetex", "httl"};

// What only Tandem has.
const std::set<std::string_view> kOwnCommands = {"function|copyfrom"};

TEST(CommandRowsTest, EqualTheReferenceTable) {
  const auto reference = reference_rows();
  if (reference.empty()) GTEST_SKIP() << "the reference table is not here";
  size_t compared = 0;
  CommandTable table;
  register_all_commands(table);
  for (const CommandRow* row : all_rows(table)) {
    if (is_newer(row->name)) continue;
    const auto found = reference.find(row->name);
    if (found == reference.end()) {
      if (kNewerCommands.contains(row->name) || kOwnCommands.contains(row->name)) continue;
      ADD_FAILURE() << "not a command of the reference: " << row->name;
      continue;
    }
    const std::vector<std::string>& columns = found->second;
    SCOPED_TRACE(std::string(row->name));
    EXPECT_EQ(std::to_string(row->arity), columns[1]);
    EXPECT_EQ(row->flags, columns[2]);
    EXPECT_EQ(row->keys, columns[3]);
    EXPECT_EQ(row->categories, columns[4]);
    EXPECT_EQ(row->tips, columns[5]);
    EXPECT_EQ(row->key_specs, columns[6]);
    ++compared;
  }
  EXPECT_GT(compared, 60u);
}

TEST(CommandRowsTest, StringsHashesAndSetsAreComplete) {
  CommandTable table;
  register_all_commands(table);
  for (const auto& [name, columns] : reference_rows()) {
    const std::string& categories = columns[4];
    const bool of_string = categories.find("@string") != std::string::npos;
    const bool of_hash = categories.find("@hash") != std::string::npos;
    // SORT is of several types, and a family of its own.
    const bool of_set = (categories + ",").find("@set,") != std::string::npos &&
                        categories.find("@list") == std::string::npos;
    if (of_string || of_hash || of_set) {
      EXPECT_NE(table.find(name), nullptr) << name;
    }
  }
}

TEST(CommandRowsTest, BitmapsAndHyperLogLogsAreComplete) {
  CommandTable table;
  register_all_commands(table);
  for (const auto& [name, columns] : reference_rows()) {
    const std::string& categories = columns[4];
    if (categories.find("@bitmap") != std::string::npos ||
        categories.find("@hyperloglog") != std::string::npos) {
      EXPECT_NE(table.find(name), nullptr) << name;
    }
  }
}

TEST(CommandRowsTest, AreDescribed) {
  CommandTable table;
  register_all_commands(table);
  for (const CommandRow* row : all_rows(table)) {
    SCOPED_TRACE(std::string(row->name));
    EXPECT_FALSE(row->summary.empty());
    EXPECT_FALSE(row->since.empty());
    EXPECT_FALSE(row->group.empty());
    EXPECT_FALSE(row->complexity.empty());
  }
}

}  // namespace
}  // namespace tandem
