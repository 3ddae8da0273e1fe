#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace tandem {

enum class ErrorKind : uint8_t {
  kInvalid,      // the caller's input is wrong
  kCorrupt,      // bytes from outside do not follow their format
  kIo,           // the operating system refused
  kNotFound,     // the thing named does not exist
  kUnsupported,  // well-formed, but of a version or kind this server does not read
  kLimit,        // a configured or built-in bound was passed
  kTimeout,
};

// What went wrong, in words an operator can act on. `offset` is the byte position in the file or
// stream where a reader stopped, when there is one.
struct Error {
  ErrorKind kind = ErrorKind::kInvalid;
  std::string message;
  std::optional<uint64_t> offset;

  std::string to_string() const {
    return offset ? message + " at offset " + std::to_string(*offset) : message;
  }
};

// A value or an Error. Check with ok() before value(); asking for the other one is a programming
// error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

// Success or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    assert(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

inline Error make_error(ErrorKind kind, std::string message) {
  return Error{kind, std::move(message), std::nullopt};
}
inline Error make_error(ErrorKind kind, std::string message, uint64_t offset) {
  return Error{kind, std::move(message), offset};
}

}  // namespace tandem
