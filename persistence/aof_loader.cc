#include "persistence/aof_loader.h"

#include <array>
#include <utility>

#include "persistence/aof_reader.h"
#include "persistence/file_streams.h"
#include "persistence/lz4_envelope.h"
#include "server/base/log.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr size_t kShownBytes = 64;
constexpr uint64_t kLoggedErrors = 10;

// Discards replies but the errors among them, which mean that the file and the dataset disagree.
class ErrorCatcher final : public Reply {
 public:
  void integer(int64_t) override {}
  void bulk(std::string_view) override {}
  void simple(std::string_view) override {}
  void error(std::string_view text) override { error_ = text; }
  void null() override {}
  void null_array() override {}
  void array(size_t) override {}
  void map(size_t) override {}
  void set(size_t) override {}
  void push(size_t) override {}
  void real(double) override {}
  void boolean(bool) override {}
  void big_number(std::string_view) override {}
  void verbatim(std::string_view, std::string_view) override {}
  int protocol() const override { return 2; }

  const std::string& text() const { return error_; }

 private:
  std::string error_;
};

std::string shown(std::string_view text) { return quote(text.substr(0, kShownBytes)); }

Result<bool> begins_with_snapshot(ReadableFile& file) {
  std::array<char, 6> first;
  Result<size_t> count = file.read(0, first.data(), first.size());
  if (!count.ok()) return count.error();
  const std::string_view bytes(first.data(), count.value());
  return bytes.starts_with("REDIS") || bytes == "VALKEY" || bytes.starts_with(kEnvelopeMagic);
}

std::string repair_advice(const std::string& path) {
  return ". Make a backup of " + path +
         ", then cut it at that offset or repair it with tandem-cli aof check --fix";
}

}  // namespace

AofLoader::AofLoader(Env& env, Executor& executor, Options options)
    : env_(env),
      executor_(executor),
      options_(std::move(options)),
      client_(executor.make_internal_client(ClientKind::kInternal)) {}

Status AofLoader::load_file(const std::string& path, bool last) {
  Result<std::unique_ptr<ReadableFile>> file = env_.open_read(path);
  if (!file.ok()) return file.error();
  Result<bool> has_snapshot = begins_with_snapshot(*file.value());
  if (!has_snapshot.ok()) return has_snapshot.error();
  uint64_t offset = 0;
  Status status;
  if (has_snapshot.value()) status = load_snapshot(*file.value(), &offset);
  if (status.ok()) status = load_commands(*file.value(), offset, path, last);
  if (status.ok()) return {};
  Error error = status.error();
  error.message = "Can't load the AOF file " + path + ": " + error.message;
  // Only damage is worth a repair: what is merely unknown here would be lost by it.
  if (error.kind == ErrorKind::kCorrupt && error.offset) {
    error.message += " at offset " + std::to_string(*error.offset) + repair_advice(path);
    error.offset.reset();
  }
  return error;
}

Status AofLoader::load_snapshot(ReadableFile& file, uint64_t* end) {
  // A key that has expired may be given a new life by a command further on.
  KeyspaceLoader loader(&executor_.keyspace(), {.now_ms = executor_.clock().wall_ms(),
                                                .drop_expired = false,
                                                .access = options_.access,
                                                .key_delay_us = options_.key_delay_us,
                                                .watch = options_.watch});
  FileSource source(&file, 0, options_.watch);
  Result<RdbEnd> result = read_snapshot(&source, options_.rdb, &loader);
  if (!result.ok()) return result.error();
  *end = result.value().offset;
  counts_.keys_loaded += loader.counts().keys_loaded;
  return options_.load_libraries(loader.libraries());
}

Status AofLoader::load_commands(ReadableFile& file, uint64_t offset, const std::string& path,
                                bool last) {
  AofReader reader(&file, offset);
  uint64_t told = offset;  // bytes the watch has heard of
  client_->db = 0;
  multi_began_.reset();
  while (true) {
    Result<AofReader::Outcome> outcome = reader.next();
    if (!outcome.ok()) return outcome.error();
    const uint64_t began = multi_began_.value_or(reader.offset());
    if (outcome.value() == AofReader::Outcome::kTruncated ||
        (outcome.value() == AofReader::Outcome::kEnd && multi_began_)) {
      return finish_truncated(path, began, last);
    }
    if (outcome.value() == AofReader::Outcome::kEnd) return {};
    const bool opens_multi = equals_ignore_case(reader.args()[0], "multi");
    Status status = opens_multi && multi_began_
                        ? make_error(ErrorKind::kCorrupt, "a MULTI inside a MULTI")
                        : accept(reader.args());
    if (opens_multi) multi_began_ = reader.offset();
    pause_for_tests(options_.key_delay_us);
    if (status.ok() && options_.watch != nullptr) {
      status = options_.watch->loaded(reader.offset() - told);
      told = reader.offset();
    }
    if (status.ok()) continue;
    Error error = status.error();
    if (!error.offset) error.offset = reader.offset();
    return error;
  }
}

Status AofLoader::finish_truncated(const std::string& path, uint64_t size, bool last) {
  multi_.clear();
  multi_began_.reset();
  if (!last) {
    return make_error(ErrorKind::kCorrupt,
                      "unexpected end of a file that is not the last: a command is cut short",
                      size);
  }
  if (!options_.accept_truncated) {
    return make_error(ErrorKind::kCorrupt,
                      "unexpected end of the file, and aof-load-truncated is no: a command is cut "
                      "short",
                      size);
  }
  cut_ = Cut{path, size};
  return {};
}

// Runs a command, or keeps it until its transaction is whole.
Status AofLoader::accept(Args args) {
  if (equals_ignore_case(args[0], "multi")) return {};
  const bool is_exec = equals_ignore_case(args[0], "exec");
  if (!multi_began_) {
    return is_exec ? make_error(ErrorKind::kCorrupt, "an EXEC without a MULTI") : apply(args);
  }
  if (!is_exec) {
    // Checked now: a damaged EXEC must not seem to be one that is still to come.
    if (Result<Command*> command = resolve(args); !command.ok()) return command.error();
    multi_.emplace_back(args.begin(), args.end());
    return {};
  }
  multi_began_.reset();
  const auto transaction = std::exchange(multi_, {});
  std::vector<std::string_view> views;
  for (const auto& command : transaction) {
    views.assign(command.begin(), command.end());
    if (Status status = apply(views); !status.ok()) return status;
  }
  return {};
}

Result<Command*> AofLoader::resolve(Args args) {
  Command* command = executor_.commands().resolve(args);
  if (command == nullptr || command->handler == nullptr) {
    return make_error(ErrorKind::kUnsupported,
                      "the command " + shown(args[0]) + " is not supported by this server");
  }
  if (!command->accepts_arg_count(args.size())) {
    return make_error(ErrorKind::kCorrupt, "wrong number of arguments (" +
                                               std::to_string(args.size() - 1) + ") for " +
                                               shown(command->name));
  }
  // What changes the server and not its data has no business in a file of data.
  if (command->is(kAdmin)) {
    return make_error(ErrorKind::kCorrupt,
                      "the command " + shown(command->name) + " cannot be part of an AOF");
  }
  return command;
}

Status AofLoader::apply(Args args) {
  Result<Command*> resolved = resolve(args);
  if (!resolved.ok()) return resolved.error();
  Command* command = resolved.value();
  ErrorCatcher reply;
  executor_.call(*client_, *command, args, reply);
  ++counts_.commands_applied;
  if (!reply.text().empty() && ++counts_.commands_failed <= kLoggedErrors) {
    log_warning("A command of the AOF, " + shown(command->name) + ", failed: " + reply.text());
  }
  return {};
}

}  // namespace tandem
