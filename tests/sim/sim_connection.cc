#include <string_view>
#include <utility>

#include "tests/sim/sim_client.h"

namespace tandem {

class SimConnection::Handler final : public LinkHandler {
 public:
  explicit Handler(SimConnection* owner) : owner_(owner) {}
  void forget() { owner_ = nullptr; }

  size_t on_input(std::string_view input) override {
    reader_.feed(input);
    while (owner_ != nullptr) {
      const Result<std::optional<ReplyValue>> next = reader_.next();
      if (!next.ok()) {
        throw SimViolation{owner_->host() + " cannot read a reply: " + next.error().to_string()};
      }
      if (!next.value().has_value()) break;
      owner_->on_reply(*next.value());
    }
    return input.size();
  }

  void on_closed(std::string_view) override {
    if (owner_ == nullptr) return;
    SimConnection* owner = std::exchange(owner_, nullptr);
    owner->link_ = nullptr;
    owner->on_lost();
  }

 private:
  SimConnection* owner_;
  ReplyReader reader_;
};

SimConnection::SimConnection(SimNetwork* network, const std::string& host, std::string server)
    : network_(*network), loop_(network, host), server_(std::move(server)) {}

SimConnection::~SimConnection() = default;

void SimConnection::connect() {
  constexpr int kPort = 6379;
  loop_.connect(server_, kPort, [this, server = server_](Result<std::unique_ptr<Link>> link) {
    if (link.ok() && server == server_) {
      begin(std::move(link).value());
    } else {
      on_lost();
    }
  });
}

void SimConnection::begin(std::unique_ptr<Link> link) {
  link_ = static_cast<SimLink*>(link.get());
  link_id_ = link_->id();
  handlers_.push_back(std::make_unique<Handler>(this));
  loop_.attach(std::move(link), handlers_.back().get());
  on_connected();
}

void SimConnection::send(const std::vector<Words>& requests) {
  OutputBuffer& output = link_->output();
  for (const Words& words : requests) {
    output.append("*" + std::to_string(words.size()) + "\r\n");
    for (const std::string& word : words) {
      output.append("$" + std::to_string(word.size()) + "\r\n" + word + "\r\n");
    }
  }
  link_->schedule_flush();
}

void SimConnection::forsake() {
  network_.discard(link_id_);
  abandon();
}

void SimConnection::abandon() {
  if (link_ == nullptr) return;
  handlers_.back()->forget();
  link_->close_now();
  link_ = nullptr;
}

}  // namespace tandem
