#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "persistence/persistence.h"
#include "server/base/result.h"
#include "server/exec/executor.h"
#include "server/resp/request_parser.h"

namespace tandem {

// Runs a primary's stream on a replica. Bytes count as applied, and are passed on, in whole units:
// a command, or all from MULTI to EXEC. A unit cut off by the end of a link leaves no trace.
class StreamApplier {
 public:
  // `pass_on` gets the bytes of applied units, unchanged and in order.
  StreamApplier(Executor* executor, Persistence* persistence,
                std::function<void(std::string_view bytes)> pass_on)
      : executor_(*executor), persistence_(*persistence), pass_on_(std::move(pass_on)) {}

  // The stream goes on at a unit's boundary, on a new link. `client` runs its commands.
  void begin(Client* client);
  // The database that is selected where the next unit begins.
  int db() const { return db_; }
  void set_db(int db) { db_ = db; }

  // Applies what is whole at the front of `input` and returns how much was taken.
  Result<size_t> apply(std::string_view input);
  // Bytes taken that belong to a unit that is not whole yet.
  size_t held_bytes() const { return open_unit_.size(); }
  // As LinkHandler::input_wanted().
  size_t input_wanted() const { return parser_.wanted(); }

 private:
  Result<size_t> run_all(std::string_view input);
  void run(Args args);
  void end_of_unit(bool for_log);

  Executor& executor_;
  Persistence& persistence_;
  std::function<void(std::string_view)> pass_on_;
  Client* client_ = nullptr;
  RequestParser parser_;
  std::string open_unit_;
  // What one apply() has applied: for replicas, and for the AOF from database log_db_ on.
  std::string applied_;
  std::string log_;
  int log_db_ = 0;
  int db_ = 0;
};

}  // namespace tandem
