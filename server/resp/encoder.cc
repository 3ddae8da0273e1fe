#include "server/resp/encoder.h"

#include <cstring>

#include "server/base/numbers.h"
#include "server/resp/resp_format.h"

namespace tandem {

void RespEncoder::header(char type, uint64_t length) {
  char* out = output_->reserve(kRespHeaderBytes);
  output_->commit(static_cast<size_t>(write_resp_header(out, type, length) - out));
}

void RespEncoder::integer(int64_t value) {
  char* out = output_->reserve(kRespHeaderBytes);
  out[0] = ':';
  size_t end = 1 + format_int64(value, out + 1);
  out[end++] = '\r';
  out[end++] = '\n';
  output_->commit(end);
}

void RespEncoder::bulk(std::string_view bytes) {
  char* out = output_->reserve(kRespHeaderBytes + bytes.size() + 2);
  output_->commit(static_cast<size_t>(write_resp_bulk(out, bytes) - out));
}

void RespEncoder::simple(std::string_view text) {
  char* out = output_->reserve(text.size() + 3);
  out[0] = '+';
  std::memcpy(out + 1, text.data(), text.size());
  out[text.size() + 1] = '\r';
  out[text.size() + 2] = '\n';
  output_->commit(text.size() + 3);
}

void RespEncoder::error(std::string_view text) {
  if (listener_ != nullptr) listener_->on_error_reply(text);
  // A line break inside would end the reply early: clients would read the rest as another one.
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  char* out = output_->reserve(text.size() + 3);
  out[0] = '-';
  for (size_t i = 0; i < text.size(); ++i) {
    out[i + 1] = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
  }
  out[text.size() + 1] = '\r';
  out[text.size() + 2] = '\n';
  output_->commit(text.size() + 3);
}

void RespEncoder::null() { output_->append(protocol_ == 2 ? "$-1\r\n" : "_\r\n"); }

void RespEncoder::null_array() { output_->append(protocol_ == 2 ? "*-1\r\n" : "_\r\n"); }

void RespEncoder::array(size_t length) { header('*', length); }

void RespEncoder::map(size_t pairs) {
  if (protocol_ == 2) {
    header('*', pairs * 2);
  } else {
    header('%', pairs);
  }
}

void RespEncoder::set(size_t length) { header(protocol_ == 2 ? '*' : '~', length); }

void RespEncoder::push(size_t length) { header(protocol_ == 2 ? '*' : '>', length); }

void RespEncoder::real(double value) { number(format_double(value)); }

void RespEncoder::fixed_point(double value) { number(format_long_double_human(value)); }

void RespEncoder::number(std::string_view text) {
  if (protocol_ == 2) {
    bulk(text);
    return;
  }
  output_->append(',');
  output_->append(text);
  output_->append("\r\n");
}

void RespEncoder::boolean(bool value) {
  if (protocol_ == 2) {
    integer(value ? 1 : 0);
  } else {
    output_->append(value ? "#t\r\n" : "#f\r\n");
  }
}

void RespEncoder::big_number(std::string_view digits) {
  if (protocol_ == 2) {
    bulk(digits);
    return;
  }
  output_->append('(');
  output_->append(digits);
  output_->append("\r\n");
}

void RespEncoder::verbatim(std::string_view format, std::string_view text) {
  if (protocol_ == 2) {
    bulk(text);
    return;
  }
  header('=', text.size() + 4);
  char tag[4] = {'t', 'x', 't', ':'};
  for (size_t i = 0; i < 3 && i < format.size(); ++i) tag[i] = format[i];
  output_->append({tag, sizeof tag});
  output_->append(text);
  output_->append("\r\n");
}

}  // namespace tandem
