#pragma once

#include <string_view>

#include "server/base/output_buffer.h"
#include "server/resp/reply.h"

namespace tandem {

// Told of every error reply, for the statistics.
class ErrorListener {
 public:
  virtual ~ErrorListener() = default;
  virtual void on_error_reply(std::string_view text) = 0;
};

// Encodes replies as RESP2 or RESP3 into a connection's output. The buffer outlives the encoder.
class RespEncoder final : public Reply {
 public:
  explicit RespEncoder(OutputBuffer* output) : output_(output) {}

  void set_protocol(int version) { protocol_ = version; }
  OutputBuffer& output() { return *output_; }
  void set_error_listener(ErrorListener* listener) { listener_ = listener; }

  void integer(int64_t value) override;
  void bulk(std::string_view bytes) override;
  void simple(std::string_view text) override;
  void error(std::string_view text) override;
  void null() override;
  void null_array() override;
  void array(size_t length) override;
  void map(size_t pairs) override;
  void set(size_t length) override;
  void push(size_t length) override;
  void real(double value) override;
  void fixed_point(double value) override;
  void boolean(bool value) override;
  void big_number(std::string_view digits) override;
  void verbatim(std::string_view format, std::string_view text) override;
  int protocol() const override { return protocol_; }

 private:
  void number(std::string_view text);
  void header(char type, uint64_t length);

  OutputBuffer* output_;
  int protocol_ = 2;
  ErrorListener* listener_ = nullptr;
};

}  // namespace tandem
