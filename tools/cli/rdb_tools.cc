#include "tools/cli/rdb_tools.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "persistence/file_streams.h"
#include "persistence/keyspace_loader.h"
#include "server/base/numbers.h"
#include "tools/cli/rdb_summary.h"
#include "tools/cli/snapshot_file.h"
#include "tools/cli/tool_arguments.h"

namespace tandem::cli {
namespace {

using Option = ToolArguments::Option;
using Arguments = std::span<const std::string>;

constexpr const char* kUsage =
    "Usage: tandem-cli rdb SUBCOMMAND [ARGUMENT ...]\n"
    "\n"
    "  check FILE            Read the whole file; say where it is damaged and what before it is "
    "not\n"
    "  inspect FILE [--json] [--biggest N]\n"
    "                        Show its version, auxiliary fields, libraries, keys by type, and the "
    "N\n"
    "                        (10) keys that take most memory\n"
    "  convert FILE NEWFILE [--rdb-version 10|11|80] [--compression yes|no|lz4]\n"
    "          [--functions-only|--keys-only]\n"
    "                        Write what it holds anew; version 10 is what Redis 7.0 reads\n";

constexpr int64_t kDefaultBiggest = 10;
constexpr int64_t kMaxBiggest = 100'000;
// Beyond what anybody configures; each costs memory.
constexpr int kMaxDatabases = 100'000;

int fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.to_string().c_str());
  return 1;
}

int fail_with_usage(const std::string& message) {
  std::fprintf(stderr, "%s\n%s", message.c_str(), kUsage);
  return 1;
}

int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Reads the snapshot into `target`; an error names the file.
Result<RdbFileFacts> read_file_into(Env& env, const std::string& path, RdbTarget* target) {
  Result<std::unique_ptr<ReadableFile>> file = env.open_read(path);
  if (!file) return file.error();
  FileSource source(file.value().get());
  Result<RdbEnd> end = read_snapshot(&source, RdbReadOptions{}, target);
  if (end) return RdbFileFacts{path, file.value()->size(), end.value()};
  Error error = end.error();
  error.message = path + ": " + error.message;
  return error;
}

// The same, and says on standard error what is wrong and how much before it is not.
Result<RdbFileFacts> examine(Env& env, const std::string& path, RdbSummary* summary) {
  Result<RdbFileFacts> facts = read_file_into(env, path, summary);
  if (facts) return facts;
  std::fprintf(stderr, "%s\n", facts.error().to_string().c_str());
  if (facts.error().offset) {
    std::fprintf(stderr, "Sound before it: %s\n", summary->counts().c_str());
  }
  return facts;
}

int check(Arguments arguments) {
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, {});
  if (!parsed) return fail_with_usage(parsed.error().message);
  if (parsed.value().words().size() != 1) return fail_with_usage("rdb check takes one file");
  std::unique_ptr<Env> env = make_tool_env();
  RdbSummary summary;
  Result<RdbFileFacts> facts = examine(*env, parsed.value().words()[0], &summary);
  if (!facts) return 1;
  const RdbFileFacts& file = facts.value();
  std::printf("%s: sound: %s, %s\n", file.path.c_str(), format_name(file.end).c_str(),
              summary.counts().c_str());
  if (file.end.offset < file.bytes) {
    std::printf("%s follow the snapshot\n",
                counted(file.bytes - file.end.offset, "byte", "bytes").c_str());
  }
  return 0;
}

int inspect(const Options& options, Arguments arguments) {
  constexpr Option kKnown[] = {{"--json"}, {"--biggest", true}};
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, kKnown);
  if (!parsed) return fail_with_usage(parsed.error().message);
  if (parsed.value().words().size() != 1) return fail_with_usage("rdb inspect takes one file");
  std::optional<int64_t> biggest = kDefaultBiggest;
  if (auto text = parsed.value().value("--biggest")) biggest = parse_int64(*text);
  if (!biggest || *biggest < 0 || *biggest > kMaxBiggest) {
    return fail_with_usage("--biggest takes a number up to " + std::to_string(kMaxBiggest));
  }
  std::unique_ptr<Env> env = make_tool_env();
  RdbSummary summary(static_cast<size_t>(*biggest));
  Result<RdbFileFacts> facts = examine(*env, parsed.value().words()[0], &summary);
  if (!facts) return 1;
  const bool json = parsed.value().has("--json") || options.style.mode == OutputMode::kJson;
  const std::string report =
      json ? format_reply(inspection_json(facts.value(), summary), {.mode = OutputMode::kJson})
           : inspection_text(facts.value(), summary);
  std::fwrite(report.data(), 1, report.size(), stdout);
  return 0;
}

// What convert is to do.
struct Conversion {
  std::string from, to;
  std::optional<int> version;
  SnapshotOptions options;
  bool functions = true;
  bool keys = true;
};

Result<Conversion> parse_conversion(Arguments arguments) {
  constexpr Option kKnown[] = {
      {"--rdb-version", true}, {"--compression", true}, {"--functions-only"}, {"--keys-only"}};
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, kKnown);
  if (!parsed) return parsed.error();
  const ToolArguments& given = parsed.value();
  const auto invalid = [](std::string message) {
    return make_error(ErrorKind::kInvalid, std::move(message));
  };
  if (given.words().size() != 2) return invalid("rdb convert takes two files");
  Conversion conversion{.from = given.words()[0], .to = given.words()[1]};
  conversion.functions = !given.has("--keys-only");
  conversion.keys = !given.has("--functions-only");
  if (!conversion.functions && !conversion.keys) {
    return invalid("--functions-only and --keys-only leave nothing");
  }
  if (auto text = given.value("--rdb-version")) {
    if (*text != "10" && *text != "11" && *text != "80") {
      return invalid("--rdb-version is 10, 11 or 80");
    }
    conversion.version = static_cast<int>(*parse_int64(*text));
  }
  const std::string compression = given.value("--compression").value_or("yes");
  if (compression == "lz4") {
    conversion.options.compression = RdbCompression::kLz4;
  } else if (compression == "no") {
    conversion.options.compression = RdbCompression::kNone;
  } else if (compression != "yes") {
    return invalid("--compression is yes, no or lz4");
  }
  return conversion;
}

// The version to write: the one asked for, or the oldest from 11 on that loses nothing.
int version_of(const Conversion& conversion, const RdbSummary& summary) {
  const uint64_t expiring = conversion.keys ? summary.hashes_with_expiring_fields() : 0;
  if (!conversion.version) return expiring > 0 ? rdb::kVersionWithFieldExpiry : rdb::kVersion;
  if (expiring > 0 && *conversion.version < rdb::kVersionWithFieldExpiry) {
    std::fprintf(stderr,
                 "Warning: version %d cannot hold when fields expire; those of %s never will\n",
                 *conversion.version, counted(expiring, "hash", "hashes").c_str());
  }
  return *conversion.version;
}

Status write_converted(const Conversion& conversion, const SnapshotSource& source) {
  SnapshotFile file;
  if (Status opened = file.open(conversion.to); !opened) return opened;
  SnapshotFileSink sink(&file);
  Status written = write_snapshot(&sink, source, conversion.options);
  return written ? file.commit() : written;
}

int convert(Arguments arguments) {
  Result<Conversion> parsed = parse_conversion(arguments);
  if (!parsed) return fail_with_usage(parsed.error().message);
  Conversion conversion = std::move(parsed).value();
  std::unique_ptr<Env> env = make_tool_env();
  // The first reading finds damage and what the second one needs to know.
  RdbSummary summary;
  if (!examine(*env, conversion.from, &summary)) return 1;
  const int databases = summary.databases().empty() ? 1 : summary.databases().rbegin()->first + 1;
  if (databases > kMaxDatabases) {
    return fail(make_error(ErrorKind::kLimit,
                           conversion.from + ": the number of a database is too large to convert"));
  }
  conversion.options.version = version_of(conversion, summary);
  Keyspace keyspace(databases);
  SnapshotSource source{.now_ms = now_ms(), .access = summary.access()};
  KeyspaceLoader loader(&keyspace,
                        {.now_ms = source.now_ms, .drop_expired = false, .access = source.access});
  if (conversion.keys) {
    Result<RdbFileFacts> loaded = read_file_into(*env, conversion.from, &loader);
    if (!loaded) return fail(loaded.error());
    source.keyspace = &keyspace;
    // A part of the data is no point of the replication history.
    if (conversion.functions && loader.position()) source.position = *loader.position();
  }
  if (conversion.functions) {
    for (const auto& [name, code] : summary.libraries()) source.libraries.push_back(code);
  }
  Status written = write_converted(conversion, source);
  if (!written) return fail(written.error());
  std::fprintf(stderr, "RDB version %d written to '%s'\n", conversion.options.version,
               conversion.to.c_str());
  return 0;
}

}  // namespace

int run_rdb(const Options& options) {
  const Arguments words = std::span(options.command).subspan(1);
  if (!words.empty() && words[0] == "check") return check(words.subspan(1));
  if (!words.empty() && words[0] == "inspect") return inspect(options, words.subspan(1));
  if (!words.empty() && words[0] == "convert") return convert(words.subspan(1));
  const bool asked = !words.empty() && (words[0] == "help" || words[0] == "--help");
  std::fputs(kUsage, asked ? stdout : stderr);
  return asked ? 0 : 1;
}

}  // namespace tandem::cli
