#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/byte_stream.h"
#include "server/base/result.h"

namespace tandem {

// Writes commands to a sink, as the RESP arrays that an AOF is made of. The first failure of the
// sink sticks: later calls do nothing, and flush() reports it.
class CommandWriter {
 public:
  // Elements that one command should add to a collection at most, so that none gets too large to
  // load.
  static constexpr size_t kItemsPerCommand = 64;

  // The sink outlives the writer.
  explicit CommandWriter(ByteSink* sink) : sink_(sink) {}

  void command(std::span<const std::string_view> args);
  void command(std::initializer_list<std::string_view> args) {
    command(std::span<const std::string_view>(args.begin(), args.size()));
  }
  Status flush();
  const Status& status() const { return status_; }

 private:
  void header(char mark, size_t number);

  ByteSink* sink_;
  std::string buffer_;
  Status status_;
};

// Gathers the elements of one collection into commands of CommandWriter::kItemsPerCommand items.
class ItemCommands {
 public:
  // Each command is `name key item item …`; an item is `words` arguments (a field and its value:
  // 2). `name` and `key` outlive this.
  ItemCommands(CommandWriter* out, std::string_view name, std::string_view key, size_t words)
      : out_(out), name_(name), key_(key), words_(words) {}
  // One argument of an item, copied.
  void add(std::string_view word);
  // Writes what is left.
  void finish();

 private:
  CommandWriter* out_;
  std::string_view name_, key_;
  size_t words_;
  std::vector<std::string> pending_;
};

}  // namespace tandem
