#include "persistence/aof_manifest.h"

#include <algorithm>
#include <utility>

#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr std::string_view kIncrementalSuffix = ".incr.aof";
constexpr size_t kMaxLineBytes = 1024;
constexpr size_t kMaxNameBytes = kMaxLineBytes - 64;

Error bad_line(size_t number, std::string_view line, const std::string& reason) {
  return make_error(ErrorKind::kCorrupt,
                    "line " + std::to_string(number) + " (" + quote(line) + "): " + reason);
}

// Names with spaces or unusual characters are quoted, as its reader splits words.
std::string quote_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\';
  });
  return plain ? name : quote(name);
}

struct ParsedLine {
  AofFile file;
  char type = 0;
};

// Null when the words are not `file NAME seq N type T`, in any order; unknown pairs are ignored.
std::optional<ParsedLine> parse_words(const std::vector<std::string>& words) {
  if (words.size() < 6 || words.size() % 2 != 0) return std::nullopt;
  ParsedLine parsed;
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    if (equals_ignore_case(words[i], "file")) {
      parsed.file.name = value;
    } else if (equals_ignore_case(words[i], "seq")) {
      parsed.file.sequence = parse_uint64(value).value_or(0);
    } else if (equals_ignore_case(words[i], "type")) {
      parsed.type = value.size() == 1 ? value[0] : '\0';
    }
  }
  return parsed;
}

std::string check_line(const std::optional<ParsedLine>& line, const AofManifest& manifest) {
  if (!line || line->file.name.empty() || line->file.sequence == 0) {
    return "expected: file NAME seq NUMBER type b|i|h";
  }
  if (line->file.name.find('/') != std::string::npos) {
    return "the file name must not be a path";
  }
  // A name in C ends there: another file would be opened.
  if (line->file.name.find('\0') != std::string::npos) return "a NUL in the file name";
  // So that the line can be written again.
  if (quote_name(line->file.name).size() > kMaxNameBytes) return "the file name is too long";
  switch (line->type) {
    case 'b':
      return manifest.base ? "a second base file" : "";
    case 'i':
      return line->file.sequence <= manifest.incremental_sequence
                 ? "incremental files must be in ascending order"
                 : "";
    case 'h':
      return "";
    default:
      return "unknown AOF file type";
  }
}

void add(AofManifest& manifest, ParsedLine line) {
  if (line.type == 'b') {
    manifest.base_sequence = line.file.sequence;
    manifest.base = std::move(line.file);
  } else if (line.type == 'i') {
    manifest.incremental_sequence = line.file.sequence;
    manifest.incremental.push_back(std::move(line.file));
  } else {
    manifest.history.push_back(std::move(line.file));
  }
}

void append_line(std::string& out, const AofFile& file, char type) {
  out += "file " + quote_name(file.name) + " seq " + std::to_string(file.sequence) + " type " +
         type + '\n';
}

// The history is still to be deleted, by its names: new files get others.
void pass_over_history(AofManifest* manifest) {
  for (const AofFile& file : manifest->history) {
    const bool incremental = file.name.ends_with(kIncrementalSuffix);
    uint64_t& last = incremental ? manifest->incremental_sequence : manifest->base_sequence;
    last = std::max(last, file.sequence);
  }
}

}  // namespace

Result<AofManifest> AofManifest::parse(std::string_view text) {
  AofManifest manifest;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return bad_line(number, text, "no line end: cut short");
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.size() > kMaxLineBytes) return bad_line(number, line.substr(0, 64), "too long");
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) continue;
    std::vector<std::string> words;
    if (!split_words(line, &words)) return bad_line(number, line, "unbalanced quotes");
    std::optional<ParsedLine> parsed = parse_words(words);
    const std::string wrong = check_line(parsed, manifest);
    if (!wrong.empty()) return bad_line(number, line, wrong);
    add(manifest, *std::move(parsed));
  }
  if (number == 0) return make_error(ErrorKind::kCorrupt, "the file is empty");
  pass_over_history(&manifest);
  return manifest;
}

std::string AofManifest::format() const {
  std::string out;
  if (base) append_line(out, *base, 'b');
  for (const AofFile& file : history) append_line(out, file, 'h');
  for (const AofFile& file : incremental) append_line(out, file, 'i');
  return out;
}

const AofFile& AofManifest::add_incremental(const std::string& stem) {
  ++incremental_sequence;
  std::string name = stem + "." + std::to_string(incremental_sequence);
  name += kIncrementalSuffix;
  return incremental.emplace_back(AofFile{std::move(name), incremental_sequence});
}

std::string AofManifest::next_base_name(const std::string& stem, bool rdb) const {
  return stem + "." + std::to_string(base_sequence + 1) + (rdb ? ".base.rdb" : ".base.aof");
}

void AofManifest::replace_base(const std::string& name, size_t keep_from) {
  if (base) history.push_back(*std::move(base));
  base = AofFile{name, ++base_sequence};
  const auto kept = incremental.begin() + static_cast<ptrdiff_t>(keep_from);
  history.insert(history.end(), std::make_move_iterator(incremental.begin()),
                 std::make_move_iterator(kept));
  incremental.erase(incremental.begin(), kept);
}

}  // namespace tandem
