#include "server/commands/debug_protocol.h"

#include <string_view>

#include "server/base/strings.h"
#include "server/exec/call.h"

namespace tandem {
namespace {

void reply_map(Call& call) {
  call.reply.map(3);
  for (int64_t i = 0; i < 3; ++i) {
    call.reply.integer(i);
    call.reply.boolean(i == 1);
  }
}

// No command but this one speaks of a reply before it gives it.
void reply_attribute(Call& call) {
  RespEncoder* const encoder = call.client.encoder();
  if (&call.reply == encoder && encoder->protocol() > 2) {
    encoder->output().append("|1\r\n");
    encoder->bulk("key-popularity");
    encoder->array(2);
    encoder->bulk("key:123");
    encoder->integer(90);
  }
  call.reply.bulk("Some real reply following the attribute");
}

void reply_push(Call& call) {
  if (call.reply.protocol() < 3) {
    return call.reply.error("ERR RESP2 is not supported by this command");
  }
  call.reply.push(2);
  call.reply.bulk("server-cpu-usage");
  call.reply.integer(42);
  call.reply.bulk("Some real reply following the push reply");
}

void reply_sequence(Call& call) {
  for (int64_t i = 0; i < 3; ++i) call.reply.integer(i);
}

struct TypedReply {
  std::string_view type;
  void (*reply)(Call&);
};

// The values are those that the tests of client libraries know.
constexpr TypedReply kReplies[] = {
    {"string", [](Call& call) { call.reply.bulk("Hello World"); }},
    {"integer", [](Call& call) { call.reply.integer(12345); }},
    {"double", [](Call& call) { call.reply.real(3.141); }},
    {"bignum", [](Call& call) { call.reply.big_number("1234567999999999999999999999999999999"); }},
    {"null", [](Call& call) { call.reply.null(); }},
    {"array", [](Call& call) { call.reply.array(3), reply_sequence(call); }},
    {"set", [](Call& call) { call.reply.set(3), reply_sequence(call); }},
    {"map", reply_map},
    {"attrib", reply_attribute},
    {"push", reply_push},
    {"verbatim", [](Call& call) { call.reply.verbatim("txt", "This is a verbatim\nstring"); }},
    {"true", [](Call& call) { call.reply.boolean(true); }},
    {"false", [](Call& call) { call.reply.boolean(false); }},
};

}  // namespace

void debug_protocol(Call& call) {
  for (const TypedReply& each : kReplies) {
    if (equals_ignore_case(call.args[2], each.type)) return each.reply(call);
  }
  call.reply.error(
      "ERR Wrong protocol type name. Please use one of the following: "
      "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

}  // namespace tandem
