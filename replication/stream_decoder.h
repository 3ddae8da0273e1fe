#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/result.h"

struct LZ4F_dctx_s;

namespace tandem {

// The stream as it comes from a primary: plain, or compressed, which its first bytes tell. Trusts
// nothing, and unpacks no more at a time than a few blocks.
class StreamDecoder {
 public:
  StreamDecoder() = default;
  ~StreamDecoder();
  StreamDecoder(const StreamDecoder&) = delete;
  StreamDecoder& operator=(const StreamDecoder&) = delete;

  // A stream begins, on a new link.
  void begin();
  // Looks at the beginning of a stream. Returns how many of its bytes are done with; the rest is to
  // be shown again, with what comes next while it is undecided(), or as the stream.
  Result<size_t> look(std::string_view input);
  bool undecided() const { return form_ == Form::kUndecided; }
  bool compressed() const { return form_ == Form::kLz4; }
  // Of a compressed stream: unpacks some of the front of `input`, appends that to `out`, and
  // returns how much was taken. To be called until nothing is taken and nothing comes: it may have
  // more to give for what it took before. An error ends the stream.
  Result<size_t> unpack(std::string_view input, std::string* out);

 private:
  enum class Form : uint8_t { kUndecided, kPlain, kLz4 };

  Form form_ = Form::kUndecided;
  LZ4F_dctx_s* context_ = nullptr;
};

}  // namespace tandem
