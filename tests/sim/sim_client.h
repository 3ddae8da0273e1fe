#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/link.h"
#include "server/resp/reply_reader.h"
#include "tests/sim/sim_link.h"
#include "tests/sim/sim_model.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_world.h"

namespace tandem {

// A connection to a server that sends requests and collects whole replies.
class SimConnection {
 public:
  SimConnection(SimNetwork* network, const std::string& host, std::string server);
  ~SimConnection();

  std::function<void()> on_connected = [] {};
  std::function<void(const ReplyValue& reply)> on_reply = [](const ReplyValue&) {};
  // The connection was cut or could not be made. What was sent and not answered will not be
  // answered any more, but may yet be run while peer_lives().
  std::function<void()> on_lost = [] {};

  SimLoop& loop() { return loop_; }
  const std::string& host() const { return loop_.host(); }
  bool connected() const { return link_ != nullptr; }
  // Whom connect() connects to. What is under way to another one counts as refused.
  void set_server(std::string host) { server_ = std::move(host); }
  const std::string& server() const { return server_; }
  void connect();
  void send(const std::vector<Words>& requests);
  // Gives the connection up, if there is one; on_lost is not called.
  void abandon();
  // The same, and what the last connection has not delivered yet is lost: should its server become
  // the primary again, it does not run requests of another time.
  void forsake();
  // Whether the server's end of the last connection is still there.
  bool peer_lives() const { return network_.peer_lives(link_id_); }

 private:
  // Takes the events of one link, which may end after this object has lost interest in it.
  class Handler;

  void begin(std::unique_ptr<Link> link);

  SimNetwork& network_;
  SimLoop loop_;
  std::string server_;
  SimLink* link_ = nullptr;
  uint64_t link_id_ = 0;
  std::vector<std::unique_ptr<Handler>> handlers_;  // the last one is the present link's
};

// One of the clients that write: sends operations at random, several at a time, and keeps the model
// of what they must have done.
class SimClient {
 public:
  SimClient(SimWorld* world, SimNetwork* network, int number, std::string server,
            PositionLedger* ledger);

  ClientModel& model() { return model_; }
  // The dataset of the primary, when it is up, to find out what has become of operations that were
  // not answered.
  std::function<std::optional<Inspection>()> inspect_primary;
  // A SAVE that was sent then has been answered with OK.
  std::function<void(int64_t sent_us)> on_saved = [](int64_t) {};

  // Milliseconds between operations, about.
  void start(int64_t pace_ms);
  // No new operations from now on, until resume().
  void stop() { stopped_ = true; }
  void resume();
  bool idle() const { return model_.outstanding() == 0; }
  // The primary has crashed or is another one, and the model has been told of the outcome.
  void connect_anew(const std::string& server);
  uint64_t operations_sent() const { return model_.next_number() - 1; }

 private:
  void think();
  void send_some();
  void on_reply(const ReplyValue& reply);
  void find_out();
  Operation next_operation();
  Operation function();
  Operation plain_command();
  Operation transaction();
  Operation housekeeping();
  Operation list_command();
  Operation database_command();
  std::string key(const std::string& name) const { return client_prefix(number_) + name; }
  std::string own_number() const { return std::to_string(model_.next_number()); }

  SimWorld& world_;
  const int number_;
  SimConnection connection_;
  ClientModel model_;
  int64_t pace_ms_ = 20;
  bool stopped_ = false;
  int selected_db_ = 0;
  size_t replies_ = 0;  // to the oldest outstanding operation
  bool finding_out_ = false;
};

}  // namespace tandem
