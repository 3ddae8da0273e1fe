#include "tests/support/reply_text.h"

#include <vector>

#include "server/base/strings.h"

namespace tandem {

namespace {

std::string joined(const std::vector<ReplyValue>& elements, bool pairs) {
  std::string text;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) text += pairs && i % 2 == 1 ? ": " : ", ";
    text += reply_text(elements[i]);
  }
  return text;
}

}  // namespace

std::string reply_text(const ReplyValue& value) {
  using Type = ReplyValue::Type;
  switch (value.type) {
    case Type::kNull:
      return "(nil)";
    case Type::kNullArray:
      return "(nil array)";
    case Type::kSimple:
      return value.text;
    case Type::kError:
      return "(error) " + value.text;
    case Type::kInteger:
      return "(integer) " + std::to_string(value.integer);
    case Type::kBulk:
      return quote(value.text);
    case Type::kDouble:
      return "(double) " + value.text;
    case Type::kBoolean:
      return value.integer != 0 ? "(true)" : "(false)";
    case Type::kBigNumber:
      return "(big number) " + value.text;
    case Type::kVerbatim:
      return value.format + ":" + quote(value.text);
    case Type::kArray:
      return "[" + joined(value.elements, false) + "]";
    case Type::kMap:
      return "{" + joined(value.elements, true) + "}";
    case Type::kSet:
      return "~[" + joined(value.elements, false) + "]";
    case Type::kPush:
      return ">[" + joined(value.elements, false) + "]";
  }
  return "?";
}

}  // namespace tandem
