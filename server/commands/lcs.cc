#include "server/commands/lcs.h"

#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "server/base/config.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

// lengths(i, j): of the longest common subsequence of the first i bytes of `a` and the first j of
// `b`. The textbook table, in O(|a| * |b|) time and memory.
class SubsequenceTable {
 public:
  // False when memory does not suffice.
  bool build(std::string_view a, std::string_view b) {
    row_ = b.size() + 1;
    cells_.reset(new (std::nothrow) uint32_t[(a.size() + 1) * row_]);
    if (cells_ == nullptr) return false;
    std::fill_n(cells_.get(), row_, 0);
    for (size_t i = 1; i <= a.size(); ++i) {
      const uint32_t* above = &cells_[(i - 1) * row_];
      uint32_t* row = &cells_[i * row_];
      row[0] = 0;
      for (size_t j = 1; j <= b.size(); ++j) {
        row[j] = a[i - 1] == b[j - 1] ? above[j - 1] + 1 : std::max(above[j], row[j - 1]);
      }
    }
    return true;
  }
  uint32_t at(size_t i, size_t j) const { return cells_[i * row_ + j]; }

 private:
  size_t row_ = 0;
  std::unique_ptr<uint32_t[]> cells_;
};

// A run of bytes common to both strings.
struct Match {
  size_t a, b, length;
};

// The runs that make up the subsequence, the last one first.
std::vector<Match> trace_back(const SubsequenceTable& table, std::string_view a,
                              std::string_view b) {
  std::vector<Match> matches;
  bool in_run = false;
  for (size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
    if (a[i - 1] == b[j - 1]) {
      --i, --j;
      if (in_run) {
        matches.back() = {i, j, matches.back().length + 1};
      } else {
        matches.push_back({i, j, 1});
      }
      in_run = true;
      continue;
    }
    in_run = false;
    if (table.at(i - 1, j) > table.at(i, j - 1)) {
      --i;
    } else {
      --j;
    }
  }
  return matches;
}

struct LcsOptions {
  bool length_only = false;
  bool indexes = false;
  bool with_match_length = false;
  int64_t min_match_length = 0;
};

bool read_lcs_options(Call& call, LcsOptions* options) {
  const Args args = call.args;
  for (size_t i = 3; i < args.size(); ++i) {
    if (equals_ignore_case(args[i], "idx")) {
      options->indexes = true;
    } else if (equals_ignore_case(args[i], "len")) {
      options->length_only = true;
    } else if (equals_ignore_case(args[i], "withmatchlen")) {
      options->with_match_length = true;
    } else if (equals_ignore_case(args[i], "minmatchlen") && i + 1 < args.size()) {
      const auto length = read_integer(call, args[++i]);
      if (!length) return false;
      options->min_match_length = std::max<int64_t>(0, *length);
    } else {
      call.syntax_error();
      return false;
    }
  }
  if (options->length_only && options->indexes) {
    call.reply.error("ERR If you want both the length and indexes, please just use IDX.");
    return false;
  }
  return true;
}

void reply_range(Reply& reply, size_t start, size_t length) {
  reply.array(2);
  reply.integer(static_cast<int64_t>(start));
  reply.integer(static_cast<int64_t>(start + length - 1));
}

void reply_matches(Reply& reply, std::vector<Match> matches, uint32_t total,
                   const LcsOptions& options) {
  std::erase_if(matches, [&](const Match& match) {
    return match.length < static_cast<size_t>(options.min_match_length);
  });
  reply.map(2);
  reply.bulk("matches");
  reply.array(matches.size());
  for (const Match& match : matches) {
    reply.array(options.with_match_length ? 3 : 2);
    reply_range(reply, match.a, match.length);
    reply_range(reply, match.b, match.length);
    if (options.with_match_length) reply.integer(static_cast<int64_t>(match.length));
  }
  reply.bulk("len");
  reply.integer(total);
}

// Whether the table of two such strings may be made; replies when not.
bool check_table_size(Call& call, std::string_view a, std::string_view b) {
  if (a.size() >= UINT32_MAX - 1 || b.size() >= UINT32_MAX - 1) {
    call.reply.error("ERR String too long for LCS");
    return false;
  }
  uint64_t bytes = 0;
  const bool overflow =
      __builtin_mul_overflow((uint64_t{a.size()} + 1) * (b.size() + 1), sizeof(uint32_t), &bytes);
  const auto limit = static_cast<uint64_t>(call.executor.config().settings().proto_max_bulk_len);
  if (overflow || bytes > limit) {
    call.reply.error(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    return false;
  }
  return true;
}

}  // namespace

void lcs_command(Call& call) {
  char scratch[2][kMaxInt64Digits];
  std::string_view text[2];
  for (size_t i = 0; i < 2; ++i) {
    const Entry* entry = call.db().find(call.args[i + 1]);
    if (entry == nullptr) continue;
    if (entry->type() != ValueType::kString) {
      call.reply.error("ERR The specified keys must contain string values");
      return;
    }
    text[i] = entry->string(scratch[i]);
  }
  LcsOptions options;
  if (!read_lcs_options(call, &options)) return;
  const auto [a, b] = text;
  if (!check_table_size(call, a, b)) return;
  SubsequenceTable table;
  if (!table.build(a, b)) {
    call.reply.error("ERR Insufficient memory, failed allocating transient memory for LCS");
    return;
  }
  const uint32_t total = table.at(a.size(), b.size());
  if (options.length_only) {
    call.reply.integer(total);
    return;
  }
  const std::vector<Match> matches = trace_back(table, a, b);
  if (options.indexes) {
    reply_matches(call.reply, matches, total, options);
    return;
  }
  std::string common;
  common.reserve(total);
  for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
    common.append(a.substr(match->a, match->length));
  }
  call.reply.bulk(common);
}

}  // namespace tandem
