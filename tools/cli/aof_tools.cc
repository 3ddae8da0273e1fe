#include "tools/cli/aof_tools.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "persistence/aof_changes.h"
#include "persistence/rdb_file.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/families.h"
#include "tools/cli/aof_walk.h"
#include "tools/cli/rdb_summary.h"
#include "tools/cli/snapshot_file.h"
#include "tools/cli/tool_arguments.h"

namespace tandem::cli {
namespace {

constexpr const char* kUsage =
    "Usage: tandem-cli aof check [--fix] [--to-timestamp N] PATH\n"
    "\n"
    "Reads a whole append-only file: PATH is its directory, its manifest, or a single file. Says\n"
    "where it is damaged and what before it is not.\n"
    "\n"
    "  --fix             Replace the damaged last file by a copy of what is sound in it. The file "
    "as\n"
    "                    it was is kept beside it, as NAME.before-fix\n"
    "  --to-timestamp N  Look for commands later than N, in Unix seconds, by the annotations of\n"
    "                    aof-timestamp-enabled; with --fix, cut there\n";

constexpr size_t kCopyBytes = 1 << 20;
constexpr int kMaxKeptNames = 100;

int fail(const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", message.c_str());
  return 1;
}

// Counts what an AOF holds and refuses commands that a server would not load.
class AofContents final : public RdbSummary {
 public:
  AofContents() { register_all_commands(commands_); }

  Status on_command(std::span<const std::string_view> args, uint64_t) override {
    const Command* command = commands_.resolve(args);
    if (command == nullptr || command->handler == nullptr) {
      return make_error(ErrorKind::kUnsupported, "expected a command, found " +
                                                     quote(args[0].substr(0, kShownBytes)) +
                                                     ", which is not known");
    }
    if (!command->accepts_arg_count(args.size())) {
      return make_error(ErrorKind::kCorrupt, "expected another number of arguments than " +
                                                 std::to_string(args.size() - 1) + " for " +
                                                 std::string(command->name));
    }
    return {};
  }

 private:
  static constexpr size_t kShownBytes = 64;

  CommandTable commands_;
};

struct Request {
  std::string path;
  bool fix = false;
  std::optional<int64_t> until_s;
};

// Where the check ended, in which file.
struct Place {
  std::string path;
  bool last = false;
  AofWalk walk;
};

std::string sound_part(const AofWalk& walk, const RdbSummary& contents) {
  const std::string commands = counted(walk.commands, "command", "commands");
  if (!walk.has_snapshot) return commands;
  const std::string snapshot = "a snapshot of " + contents.counts();
  return walk.commands == 0 ? snapshot : snapshot + ", " + commands;
}

// Walks the files in order as far as they are sound, and wanted. Nothing when that is the end.
Result<std::optional<Place>> walk_all(Env& env, const AofFiles& files, const Request& request) {
  const size_t last = last_used(env, files.paths);
  for (size_t i = 0; i < files.paths.size(); ++i) {
    const std::string& path = files.paths[i];
    AofContents contents;
    Result<AofWalk> walk = walk_data_file(env, path, &contents, request.until_s);
    if (!walk) return walk.error();
    const AofWalk& walked = walk.value();
    if (!walked.damage && !walked.later) {
      std::printf("%s: sound: %s\n", path.c_str(), sound_part(walked, contents).c_str());
      continue;
    }
    if (walked.damage) {
      fail(path + ": " + walked.damage->to_string());
    } else {
      std::printf("%s: later than %lld from offset %llu on\n", path.c_str(),
                  static_cast<long long>(*request.until_s),
                  static_cast<unsigned long long>(walked.sound_bytes));
    }
    std::fprintf(walked.damage ? stderr : stdout, "Sound before it: %s, %s of %llu\n",
                 sound_part(walked, contents).c_str(),
                 counted(walked.sound_bytes, "byte", "bytes").c_str(),
                 static_cast<unsigned long long>(walked.size));
    return std::optional(Place{path, i >= last, walked});
  }
  return std::optional<Place>();
}

// Why cutting the file there would not repair the AOF; empty when it would.
std::string obstacle(const Place& place) {
  if (!place.last) {
    return "It is not the last file of the AOF: what stands in the later ones would be applied to "
           "a "
           "dataset that it does not belong to";
  }
  if (!place.walk.damage) return "";
  if (place.walk.damage->kind != ErrorKind::kCorrupt) {
    return "A server that knows the command may be able to load the file";
  }
  if (place.walk.has_snapshot && place.walk.sound_bytes == 0) {
    return "It is the snapshot that is damaged: no part of it can stand for the whole";
  }
  return "";
}

Status copy_front(Env& env, const std::string& path, uint64_t bytes, SnapshotFile* copy) {
  Result<std::unique_ptr<ReadableFile>> file = env.open_read(path);
  if (!file) return file.error();
  std::string buffer(kCopyBytes, '\0');
  for (uint64_t at = 0; at < bytes;) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(kCopyBytes, bytes - at));
    Result<size_t> count = file.value()->read(at, buffer.data(), wanted);
    if (!count) return count.error();
    if (count.value() == 0) return make_error(ErrorKind::kIo, path + " has become shorter", at);
    Status written = copy->write(std::string_view(buffer).substr(0, count.value()));
    if (!written) return written;
    at += count.value();
  }
  return {};
}

// Gives the file a second name, under which it stays when the first is given to another one.
Result<std::string> keep_original(const std::string& path) {
  std::error_code error;
  for (int i = 0; i < kMaxKeptNames; ++i) {
    std::string kept = path + ".before-fix" + (i == 0 ? "" : "-" + std::to_string(i));
    std::filesystem::create_hard_link(path, kept, error);
    if (!error) return kept;
    if (error != std::errc::file_exists) break;
  }
  return make_error(ErrorKind::kIo,
                    "Can't keep " + path + " under a second name: " + error.message());
}

Status cut(Env& env, const std::string& path, uint64_t bytes) {
  SnapshotFile copy;
  Status status = copy.open(path);
  if (status) status = copy_front(env, path, bytes, &copy);
  if (status) status = copy.sync();
  if (!status) return status;
  Result<std::string> kept = keep_original(path);
  if (!kept) return kept.error();
  if (Status committed = copy.commit(); !committed) return committed;
  std::printf("%s: cut to %s; as it was it is kept as %s\n", path.c_str(),
              counted(bytes, "byte", "bytes").c_str(), kept.value().c_str());
  return {};
}

// A Tandem server holds this lock as long as it writes the AOF. Null when none ever has.
Result<std::unique_ptr<FileLock>> lock(Env& env, const AofFiles& files) {
  constexpr std::string_view kSuffix = ".manifest";
  if (files.manifest_name.empty()) return std::unique_ptr<FileLock>();
  std::string name = files.manifest_name;
  name.resize(name.size() - kSuffix.size());
  const std::string path = join_path(files.directory, name + ".lock");
  if (!env.exists(path)) return std::unique_ptr<FileLock>();
  Result<std::unique_ptr<FileLock>> held = env.lock(path);
  if (held) return held;
  return make_error(ErrorKind::kIo, "A running server uses this AOF: " + held.error().message);
}

Result<Request> parse_request(std::span<const std::string> arguments) {
  constexpr ToolArguments::Option kKnown[] = {{"--fix"}, {"--to-timestamp", true}};
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, kKnown);
  if (!parsed) return parsed.error();
  if (parsed.value().words().size() != 1) {
    return make_error(ErrorKind::kInvalid, "aof check takes one path");
  }
  Request request{.path = parsed.value().words()[0], .fix = parsed.value().has("--fix")};
  if (auto text = parsed.value().value("--to-timestamp")) {
    request.until_s = parse_int64(*text);
    if (!request.until_s) {
      return make_error(ErrorKind::kInvalid, "--to-timestamp takes Unix seconds");
    }
  }
  return request;
}

int check(const Request& request) {
  std::unique_ptr<Env> env = make_tool_env();
  Result<AofFiles> files = find_aof(*env, request.path);
  if (!files) return fail(files.error().to_string());
  std::unique_ptr<FileLock> held;
  if (request.fix) {
    Result<std::unique_ptr<FileLock>> locked = lock(*env, files.value());
    if (!locked) return fail(locked.error().message);
    held = std::move(locked).value();
  }
  Result<std::optional<Place>> found = walk_all(*env, files.value(), request);
  if (!found) return fail(found.error().to_string());
  if (!found.value()) return 0;
  const Place& place = *found.value();
  const std::string why_not = obstacle(place);
  if (!why_not.empty()) return fail("It cannot be repaired by cutting the file. " + why_not + ".");
  if (!request.fix) {
    if (!place.walk.damage) return 0;
    return fail("--fix cuts the file there, and keeps it as it was beside it.");
  }
  Status done = cut(*env, place.path, place.walk.sound_bytes);
  return done ? 0 : fail(done.error().to_string());
}

}  // namespace

int run_aof(const Options& options) {
  const std::span<const std::string> words = std::span(options.command).subspan(1);
  if (words.empty() || words[0] != "check") {
    const bool asked = !words.empty() && (words[0] == "help" || words[0] == "--help");
    std::fputs(kUsage, asked ? stdout : stderr);
    return asked ? 0 : 1;
  }
  Result<Request> request = parse_request(words.subspan(1));
  if (request) return check(request.value());
  fail(request.error().message);
  std::fputs(kUsage, stderr);
  return 1;
}

}  // namespace tandem::cli
