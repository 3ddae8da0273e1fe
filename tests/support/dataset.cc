#include "tests/support/dataset.h"

#include <stdexcept>

namespace tandem {

std::string example_library(std::string_view name) {
  return "#!lua name=" + std::string(name) + R"lua(
redis.register_function('put', function(keys, args)
  redis.call('SET', keys[1], args[1])
  return args[1]
end)
redis.register_function{
  function_name='take',
  callback=function(keys) return redis.call('GET', keys[1]) end,
  flags={'no-writes'},
  description='the value of a key'
}
)lua";
}

void populate(const ServerProcess& server) {
  constexpr int kBigHash = 600;  // above hash-max-listpack-entries
  RespClient client = server.connect();
  std::string batch = encode_request({"FUNCTION", "LOAD", "REPLACE", example_library()});
  int requests = 1;
  const auto add = [&](const std::vector<std::string_view>& words) {
    batch += encode_request(words);
    ++requests;
  };
  for (int i = 0; i < 300; ++i) {
    const std::string number = std::to_string(i);
    add({"SET", "key:" + number, "value of " + number});
    add({"SET", "number:" + number, number});
  }
  add({"SET", "long", std::string(100'000, 'x') + std::string("\0\r\n\xff", 4)});
  add({"SET", "", "the empty key"});
  add({"HSET", "small", "one", "1", "two", "zwei"});
  for (int i = 0; i < kBigHash; ++i) {
    const std::string number = std::to_string(i);
    add({"HSET", "big", "field:" + number, number});
  }
  add({"PEXPIREAT", "key:1", "4102444800000"});
  add({"PEXPIREAT", "small", "4102444800001"});
  add({"SELECT", "9"});
  add({"SET", "elsewhere", "in another database"});
  add({"FCALL", "put", "1", "by function", "written"});
  client.send_raw(batch);
  for (int i = 0; i < requests; ++i) {
    if (const ReplyValue reply = client.read(); reply.is_error())
      throw std::runtime_error("populate: " + reply.text);
  }
}

}  // namespace tandem
