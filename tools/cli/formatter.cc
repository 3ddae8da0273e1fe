#include "tools/cli/formatter.h"

#include <cstdio>

#include "server/base/strings.h"

namespace tandem::cli {
namespace {

using Type = ReplyValue::Type;

bool is_map_key_text(Type type) {
  return type == Type::kBulk || type == Type::kSimple || type == Type::kError ||
         type == Type::kVerbatim;
}

const char* empty_name(Type type) {
  switch (type) {
    case Type::kArray:
      return "(empty array)\n";
    case Type::kMap:
      return "(empty hash)\n";
    case Type::kSet:
      return "(empty set)\n";
    case Type::kPush:
      return "(empty push)\n";
    default:
      return "(empty aggregate type)\n";
  }
}

char index_mark(Type type) { return type == Type::kSet ? '~' : type == Type::kMap ? '#' : ')'; }

// Whether an aggregate lists more than one entry, itself or in an only entry.
bool has_several_entries(const ReplyValue& value) {
  size_t per_entry = value.type == Type::kMap ? 2 : 1;
  if (value.elements.size() > per_entry) return true;
  return !value.elements.empty() && has_several_entries(value.elements.back());
}

std::string typed(const ReplyValue& reply, const std::string& indent);

// Elements numbered from 1, the numbers right-aligned; what follows the first line of an element is
// indented to stand under it.
std::string typed_aggregate(const ReplyValue& reply, const std::string& indent) {
  if (reply.elements.empty()) return empty_name(reply.type);
  bool is_map = reply.type == Type::kMap;
  size_t step = is_map ? 2 : 1;
  size_t width = std::to_string(reply.elements.size() / step).size();
  std::string inner = indent + std::string(width + 2, ' ');
  std::string out;
  for (size_t i = 0; i + step <= reply.elements.size(); i += step) {
    std::string number = std::to_string(i / step + 1);
    if (i > 0) out += indent;
    out.append(width - number.size(), ' ').append(number);
    out += index_mark(reply.type);
    out += ' ';
    out += typed(reply.elements[i], inner);
    if (!is_map) continue;
    out.pop_back();  // the key's line end
    out += " => ";
    const ReplyValue& value = reply.elements[i + 1];
    if (has_several_entries(value)) out += "\n" + inner;
    out += typed(value, inner);
  }
  return out;
}

std::string typed(const ReplyValue& reply, const std::string& indent) {
  switch (reply.type) {
    case Type::kNull:
    case Type::kNullArray:
      return "(nil)\n";
    case Type::kError:
      return "(error) " + reply.text + "\n";
    case Type::kInteger:
      return "(integer) " + std::to_string(reply.integer) + "\n";
    case Type::kBulk:
      return quote(reply.text) + "\n";
    case Type::kDouble:
      return "(double) " + reply.text + "\n";
    case Type::kBoolean:
      return reply.integer != 0 ? "(true)\n" : "(false)\n";
    case Type::kBigNumber:
      return "(big number) " + reply.text + "\n";
    case Type::kSimple:
    case Type::kVerbatim:
      return reply.text + "\n";
    default:
      return typed_aggregate(reply, indent);
  }
}

void append_raw(const ReplyValue& reply, const std::string& delimiter, std::string* out) {
  switch (reply.type) {
    case Type::kNull:
    case Type::kNullArray:
      return;
    case Type::kError:
      *out += reply.text;
      *out += '\n';
      return;
    case Type::kInteger:
      *out += std::to_string(reply.integer);
      return;
    case Type::kBoolean:
      *out += reply.integer != 0 ? "(true)" : "(false)";
      return;
    case Type::kMap:
      for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
        if (i > 0) *out += delimiter;
        append_raw(reply.elements[i], delimiter, out);
        *out += ' ';
        append_raw(reply.elements[i + 1], delimiter, out);
      }
      return;
    case Type::kArray:
    case Type::kSet:
    case Type::kPush:
      for (size_t i = 0; i < reply.elements.size(); ++i) {
        if (i > 0) *out += delimiter;
        append_raw(reply.elements[i], delimiter, out);
      }
      return;
    default:
      *out += reply.text;
  }
}

void append_csv(const ReplyValue& reply, std::string* out) {
  switch (reply.type) {
    case Type::kNull:
    case Type::kNullArray:
      *out += "NULL";
      return;
    case Type::kError:
      *out += "ERROR," + quote(reply.text);
      return;
    case Type::kInteger:
      *out += std::to_string(reply.integer);
      return;
    case Type::kDouble:
    case Type::kBigNumber:
      *out += reply.text;
      return;
    case Type::kBoolean:
      *out += reply.integer != 0 ? "true" : "false";
      return;
    case Type::kSimple:
    case Type::kBulk:
    case Type::kVerbatim:
      *out += quote(reply.text);
      return;
    default:
      for (size_t i = 0; i < reply.elements.size(); ++i) {
        if (i > 0) *out += ',';
        append_csv(reply.elements[i], out);
      }
  }
}

std::string json_string(std::string_view text, OutputMode mode) {
  // Quoted JSON: the string is the text as the prompt would take it, its escapes and all.
  std::string quoted;
  if (mode == OutputMode::kQuotedJson) {
    quoted = quote(text);
    text = std::string_view(quoted).substr(1, quoted.size() - 2);
  }
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '\\':
      case '"':
        out += '\\', out += c;
        break;
      case '\n':
        out += "\\n";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escape[8];
          std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned char>(c));
          out += escape;
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

void append_json(const ReplyValue& reply, OutputMode mode, std::string* out) {
  switch (reply.type) {
    case Type::kNull:
    case Type::kNullArray:
      *out += "null";
      return;
    case Type::kError:
      *out += "error:" + json_string(reply.text, mode);
      return;
    case Type::kInteger:
      *out += std::to_string(reply.integer);
      return;
    case Type::kDouble:
    case Type::kBigNumber:
      *out += reply.text;
      return;
    case Type::kBoolean:
      *out += reply.integer != 0 ? "true" : "false";
      return;
    case Type::kSimple:
    case Type::kBulk:
    case Type::kVerbatim:
      *out += json_string(reply.text, mode);
      return;
    case Type::kMap:
      *out += '{';
      for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
        if (i > 0) *out += ',';
        const ReplyValue& key = reply.elements[i];
        std::string name;
        append_json(key, mode, &name);
        // A key that is not a string becomes the string of its JSON text.
        *out += is_map_key_text(key.type) ? name : json_string(name, mode);
        *out += ':';
        append_json(reply.elements[i + 1], mode, out);
      }
      *out += '}';
      return;
    default:
      *out += '[';
      for (size_t i = 0; i < reply.elements.size(); ++i) {
        if (i > 0) *out += ',';
        append_json(reply.elements[i], mode, out);
      }
      *out += ']';
  }
}

bool is_invalidation(const ReplyValue& push) {
  return push.type == Type::kPush && push.elements.size() == 2 &&
         push.elements[0].is_text("invalidate") && push.elements[1].type == Type::kArray;
}

}  // namespace

std::string format_reply(const ReplyValue& reply, const OutputStyle& style) {
  std::string out;
  switch (style.mode) {
    case OutputMode::kTyped:
      return typed(reply, "");
    case OutputMode::kRaw:
      append_raw(reply, style.element_delimiter, &out);
      return out + style.reply_delimiter;
    case OutputMode::kCsv:
      append_csv(reply, &out);
      return out + "\n";
    case OutputMode::kJson:
    case OutputMode::kQuotedJson:
      append_json(reply, style.mode, &out);
      return out + "\n";
  }
  return out;
}

std::string format_verbatim(const ReplyValue& reply, const OutputStyle& style) {
  std::string out;
  append_raw(reply, style.element_delimiter, &out);
  return out;
}

std::string format_push(const ReplyValue& push, const OutputStyle& style) {
  if (style.mode != OutputMode::kTyped || !is_invalidation(push)) {
    return format_reply(push, style);
  }
  std::string out = "-> invalidate: ";
  const std::vector<ReplyValue>& keys = push.elements[1].elements;
  for (size_t i = 0; i < keys.size(); ++i) {
    out += (i == 0 ? "'" : ", '") + keys[i].text + "'";
  }
  return out + "\n";
}

}  // namespace tandem::cli
