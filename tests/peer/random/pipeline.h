#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem::peer {

// A connection to a server of 127.0.0.1 that sends many requests at once and finds where each reply
// ends without parsing it: most are equal byte for byte. What goes wrong on the connection throws
// std::runtime_error.
class Pipeline {
 public:
  explicit Pipeline(int port);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Begins an exchange: the views that reply() gave end here.
  void send(std::string requests, size_t replies);
  // Moves bytes until both exchanges are done.
  static void exchange(Pipeline& one, Pipeline& other);
  std::string_view reply(size_t index) const {
    return std::string_view(input_).substr(starts_[index], starts_[index + 1] - starts_[index]);
  }
  // One request on its own; its whole reply.
  std::string call(const std::vector<std::string>& words);

 private:
  bool done() const { return starts_.size() == expected_ + 1; }
  short wanted_events() const;
  void advance(short events);
  void find_replies();
  [[noreturn]] void give_up() const;

  const int port_;
  int fd_ = -1;
  std::string output_;
  size_t sent_ = 0;
  std::string input_;
  size_t expected_ = 0;
  std::vector<size_t> starts_ = {0};  // of the replies found, and of the one after them
};

}  // namespace tandem::peer
