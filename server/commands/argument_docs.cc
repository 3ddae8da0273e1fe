#include "server/commands/argument_docs.h"

#include <cassert>

namespace tandem {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view syntax) : rest_(syntax) {}

  // Arguments up to `end`, or to the end of the text for '\0'.
  std::vector<ArgumentDoc> list(char separator, char end) {
    std::vector<ArgumentDoc> arguments;
    while (!rest_.empty()) {
      arguments.push_back(argument());
      if (end != '\0' && take(end)) return arguments;
      if (!rest_.empty() && !take(separator)) assert(false);
    }
    assert(end == '\0');
    return arguments;
  }

 private:
  static constexpr std::string_view kEndsName = " :!=<>()|?*+@";

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view until(std::string_view stops, size_t from = 0) {
    const size_t length = std::min(rest_.find_first_of(stops, from), rest_.size());
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return text;
  }

  ArgumentDoc argument() {
    ArgumentDoc doc;
    std::string_view name = until(kEndsName);
    if (take('=')) {
      doc.token = name;
      name = until(kEndsName);
    }
    doc.name = name;
    if (take('!')) {
      read_word(&doc);
    } else {
      read_type(&doc);
    }
    read_flags(&doc);
    return doc;
  }

  // A word may be any character by itself, such as * or =.
  void read_word(ArgumentDoc* doc) {
    doc->type = "pure-token";
    doc->token = until(kEndsName, 1);
    if (*doc->token == "\"\"") doc->token = "";
    if (doc->name.empty()) doc->name = *doc->token;
  }

  void read_type(ArgumentDoc* doc) {
    doc->type = "string";
    if (!take(':')) return;
    if (take('<')) {
      doc->type = "oneof";
      doc->arguments = list('|', '>');
    } else if (take('(')) {
      doc->type = "block";
      doc->arguments = list(' ', ')');
    } else {
      const char letter = rest_.front();
      rest_.remove_prefix(1);
      doc->type = type_of(letter);
      if (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
        doc->key_spec = rest_.front() - '0';
        rest_.remove_prefix(1);
      }
    }
  }

  static std::string_view type_of(char letter) {
    switch (letter) {
      case 'k':
        return "key";
      case 'i':
        return "integer";
      case 'd':
        return "double";
      case 'p':
        return "pattern";
      default:
        assert(letter == 'u');
        return "unix-time";
    }
  }

  void read_flags(ArgumentDoc* doc) {
    doc->optional = take('?');
    doc->multiple_token = take('+');
    doc->multiple = take('*') || doc->multiple_token;
    if (take('@')) doc->since = until(kEndsName);
  }

  std::string_view rest_;
};

bool is_container(const ArgumentDoc& doc) { return doc.type == "oneof" || doc.type == "block"; }

// The name of a word that has none of its own is that word in small letters.
void reply_name(Reply& reply, const ArgumentDoc& doc) {
  char lower[32];
  size_t length = 0;
  for (char c : doc.name.substr(0, sizeof lower)) {
    lower[length++] =
        doc.type == "pure-token" && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  reply.bulk({lower, length});
}

void reply_flags(Reply& reply, const ArgumentDoc& doc) {
  reply.bulk("flags");
  reply.set(static_cast<size_t>(doc.optional) + static_cast<size_t>(doc.multiple) +
            static_cast<size_t>(doc.multiple_token));
  if (doc.optional) reply.simple("optional");
  if (doc.multiple) reply.simple("multiple");
  if (doc.multiple_token) reply.simple("multiple_token");
}

void reply_argument(Reply& reply, const ArgumentDoc& doc) {
  const bool flags = doc.optional || doc.multiple;
  size_t pairs = 3;  // name, type, and display_text or arguments
  pairs += (doc.key_spec >= 0 ? 1 : 0) + (doc.token ? 1 : 0) + (doc.since.empty() ? 0 : 1) +
           (flags ? 1 : 0);
  reply.map(pairs);
  reply.bulk("name");
  reply_name(reply, doc);
  reply.bulk("type");
  reply.bulk(doc.type);
  if (!is_container(doc)) {
    reply.bulk("display_text");
    reply_name(reply, doc);
  }
  if (doc.key_spec >= 0) {
    reply.bulk("key_spec_index");
    reply.integer(doc.key_spec);
  }
  if (doc.token) {
    reply.bulk("token");
    reply.bulk(*doc.token);
  }
  if (!doc.since.empty()) {
    reply.bulk("since");
    reply.bulk(doc.since);
  }
  if (flags) reply_flags(reply, doc);
  if (!is_container(doc)) return;
  reply.bulk("arguments");
  reply_arguments(reply, doc.arguments);
}

}  // namespace

std::vector<ArgumentDoc> parse_arguments(std::string_view syntax) {
  return Parser(syntax).list(' ', '\0');
}

void reply_arguments(Reply& reply, const std::vector<ArgumentDoc>& arguments) {
  reply.array(arguments.size());
  for (const ArgumentDoc& doc : arguments) reply_argument(reply, doc);
}

}  // namespace tandem
