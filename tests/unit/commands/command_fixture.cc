#include "tests/unit/commands/command_fixture.h"

namespace tandem {

class CommandFixture::ReplyLink final : public Link {
 public:
  OutputBuffer& output() override { return output_; }
  void schedule_flush() override {}
  void pause_input(bool) override {}
  void close_after_flush() override {}
  void close_now() override {}
  std::string peer_address() const override { return "127.0.0.1:50000"; }
  std::string local_address() const override { return "127.0.0.1:6379"; }
  bool peer_is_loopback() const override { return true; }
  bool is_unix() const override { return false; }
  int fd() const override { return 8; }
  size_t input_buffered() const override { return 0; }
  size_t input_capacity() const override { return 0; }

 private:
  OutputBuffer output_;
};

class CommandFixture::EffectRecorder final : public EffectSink {
 public:
  EffectTarget target() const override { return kEffectToAof; }
  bool wants_effects() const override { return true; }
  void on_effects(std::string_view bytes) override { bytes_.append(bytes); }
  std::string take() { return std::exchange(bytes_, {}); }

 private:
  std::string bytes_;
};

CommandFixture::CommandFixture()
    : recorder_(std::make_unique<EffectRecorder>()), link_(std::make_unique<ReplyLink>()) {
  services_.config = &config_;
  services_.clock = &clock_;
  services_.keyspace = &keyspace_;
  services_.executor = &executor_;
  register_all_commands(executor_.commands());
  executor_.effects().add_sink(recorder_.get());
  client_ = executor_.adopt_link(link_.get(), ClientKind::kNormal);
}

CommandFixture::~CommandFixture() { executor_.effects().remove_sink(recorder_.get()); }

std::string CommandFixture::run_words(const std::vector<std::string_view>& words) {
  executor_.execute(*client_, words);
  OutputBuffer& output = link_->output();
  ReplyReader reader;
  reader.feed(output.view());
  output.consume(output.size());
  const auto reply = reader.next();
  EXPECT_TRUE(reply.ok() && reply.value().has_value());
  if (!reply.ok() || !reply.value().has_value()) return "(no reply)";
  const auto more = reader.next();
  EXPECT_TRUE(more.ok() && !more.value().has_value()) << "more than one reply";
  return reply_text(*reply.value());
}

std::vector<std::string> CommandFixture::effects() {
  ReplyReader reader;
  reader.feed(recorder_->take());
  std::vector<std::string> texts;
  for (auto next = reader.next(); next.ok() && next.value().has_value(); next = reader.next()) {
    std::string text;
    for (const ReplyValue& word : next.value()->elements) {
      if (!text.empty()) text += ' ';
      text += word.text;
    }
    if (!text.starts_with("SELECT ")) texts.push_back(text);
  }
  return texts;
}

std::string CommandFixture::joined_effects() {
  std::string all;
  for (const std::string& effect : effects()) all += (all.empty() ? "" : "; ") + effect;
  return all;
}

void CommandFixture::watch_events() {
  if (event_link_ != nullptr) {
    take_events();
    return;
  }
  configure("notify-keyspace-events", event_classes_);
  event_link_ = std::make_unique<ReplyLink>();
  Client* subscriber = executor_.adopt_link(event_link_.get(), ClientKind::kNormal);
  const std::string_view words[] = {"PSUBSCRIBE", "__keyevent@*"};
  executor_.execute(*subscriber, words);
  OutputBuffer& output = event_link_->output();
  output.consume(output.size());
}

std::string CommandFixture::take_events() {
  ReplyReader reader;
  OutputBuffer& output = event_link_->output();
  reader.feed(output.view());
  output.consume(output.size());
  std::string all;
  for (auto next = reader.next(); next.ok() && next.value().has_value(); next = reader.next()) {
    // pmessage, the pattern, "__keyevent@0__:set", the key
    const std::string& channel = next.value()->elements[2].text;
    const std::string& key = next.value()->elements[3].text;
    const size_t database_at = channel.find('@') + 1, database_end = channel.find("__:");
    const std::string database = channel.substr(database_at, database_end - database_at);
    all += (all.empty() ? "" : ", ") + channel.substr(database_end + 3) + ' ' + key;
    if (database != "0") all += '@' + database;
  }
  return all;
}

void CommandFixture::configure(std::string_view name, std::string_view value) {
  const std::string_view words[] = {name, value};
  const Status status = config_.set(words, {});
  ASSERT_TRUE(status.ok()) << status.error().message;
}

}  // namespace tandem
