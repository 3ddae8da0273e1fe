#pragma once

#include <string>
#include <string_view>

#include "server/resp/reply.h"

namespace tandem {

// The values of a reply one after another, without their structure.
struct RecordingReply final : Reply {
  void integer(int64_t value) override { text += std::to_string(value) + ' '; }
  void bulk(std::string_view bytes) override { text.append(bytes).append(" "); }
  void simple(std::string_view status) override { text.append(status).append(" "); }
  void error(std::string_view error) override { text.append(error).append(" "); }
  void null() override { text += "nil "; }
  void null_array() override { null(); }
  void array(size_t) override {}
  void map(size_t) override {}
  void set(size_t) override {}
  void push(size_t) override {}
  void real(double) override {}
  void boolean(bool) override {}
  void big_number(std::string_view) override {}
  void verbatim(std::string_view, std::string_view) override {}
  int protocol() const override { return 2; }
  std::string text;
};

}  // namespace tandem
