#include "tools/cli/pair_view.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "tools/cli/connection.h"

namespace tandem::cli {
namespace {

constexpr double kPatienceSeconds = 3;
// Of chains and of replicas; more is a mistake in what servers say.
constexpr int kDeepest = 16;
constexpr size_t kMostServers = 256;

using Fields = std::map<std::string, std::string, std::less<>>;

std::string text_of(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

std::optional<int64_t> number_of(const Fields& fields, std::string_view name) {
  return parse_int64(text_of(fields, name));
}

// "name:value" lines, or "name=value" pieces of one line.
Fields split_fields(std::string_view text, char end, char separator) {
  Fields fields;
  while (!text.empty()) {
    const size_t length = std::min(text.find(end), text.size());
    std::string_view piece = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    if (piece.ends_with('\r')) piece.remove_suffix(1);
    const size_t at = piece.find(separator);
    if (at != piece.npos) fields.emplace(piece.substr(0, at), piece.substr(at + 1));
  }
  return fields;
}

// A server that is asked a few questions.
class Peer {
 public:
  static Result<Peer> connect(const Options& options, const Endpoint& endpoint) {
    const double patience =
        options.connect_timeout_seconds > 0 ? options.connect_timeout_seconds : kPatienceSeconds;
    auto connection = Connection::open(endpoint, patience);
    if (!connection) return connection.error();
    Peer peer(std::move(connection).value());
    peer.connection_->limit_waiting(patience);
    if (!options.password) return peer;
    std::vector<std::string> auth{"AUTH"};
    if (!options.user.empty()) auth.push_back(options.user);
    auth.push_back(*options.password);
    Result<ReplyValue> reply = peer.call(auth);
    if (!reply) return reply.error();
    return peer;
  }

  Result<ReplyValue> call(const std::vector<std::string>& command) {
    Result<ReplyValue> reply = connection_->call(command);
    if (!reply || !reply.value().is_error()) return reply;
    return make_error(ErrorKind::kInvalid, reply.value().text);
  }

  Result<Fields> info(const std::string& section) {
    Result<ReplyValue> reply = call({"INFO", section});
    if (!reply) return reply.error();
    return split_fields(reply.value().text, '\n', ':');
  }

  std::optional<std::map<std::string, std::string>> libraries() {
    Result<ReplyValue> reply = call({"FUNCTION", "LIST", "WITHCODE"});
    if (!reply || !reply.value().is_aggregate()) return std::nullopt;
    std::map<std::string, std::string> libraries;
    for (const ReplyValue& library : reply.value().elements) {
      std::string name, code;
      for (size_t i = 0; i + 1 < library.elements.size(); i += 2) {
        if (library.elements[i].is_text("library_name")) name = library.elements[i + 1].text;
        if (library.elements[i].is_text("library_code")) code = library.elements[i + 1].text;
      }
      libraries[name] = code;
    }
    return libraries;
  }

 private:
  explicit Peer(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

  std::unique_ptr<Connection> connection_;
};

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// The address that a server at `from` gives for another one: its own loopback is not ours.
Endpoint as_seen_from(const Endpoint& from, const std::string& host, int64_t port) {
  Endpoint endpoint;
  endpoint.host = is_loopback(host) && from.socket_path.empty() ? from.host : host;
  endpoint.port = static_cast<int>(std::clamp<int64_t>(port, 0, 65535));
  return endpoint;
}

// What a server says of replication and of itself.
struct Answer {
  Endpoint endpoint;
  Fields replication;
  std::string run_id;

  bool is_replica() const { return text_of(replication, "role") == "slave"; }
};

class Tour {
 public:
  Tour(const Options& options, bool with_libraries)
      : options_(options), with_libraries_(with_libraries) {}

  Result<PairView> run() {
    Result<Answer> top = find_primary();
    if (!top) return top.error();
    // Behind a primary that cannot be reached.
    visit(top.value().endpoint, view_.empty() ? 0 : 1, nullptr, {});
    // Those on the way up that the server above them does not list.
    for (size_t i = on_the_way_.size(); i-- > 0;) {
      if (!run_ids_.contains(on_the_way_[i].run_id)) visit(on_the_way_[i].endpoint, 1, nullptr, {});
    }
    return std::move(view_);
  }

 private:
  Result<Answer> ask(const Endpoint& endpoint, ServerView* view) {
    Result<Peer> peer = Peer::connect(options_, endpoint);
    if (!peer) return peer.error();
    Result<Fields> server = peer.value().info("server");
    if (!server) return server.error();
    Result<Fields> replication = peer.value().info("replication");
    if (!replication) return replication.error();
    if (view != nullptr && with_libraries_) view->libraries = peer.value().libraries();
    std::string run_id = text_of(server.value(), "run_id");
    if (run_id.empty()) run_id = endpoint.to_string();
    return Answer{endpoint, std::move(replication).value(), std::move(run_id)};
  }

  // The server from which on nobody above can be reached.
  Result<Answer> find_primary() {
    Result<Answer> at = ask(options_.endpoint, nullptr);
    if (!at) return at;
    std::set<std::string> seen{at.value().run_id};
    for (int i = 0; i < kDeepest && at.value().is_replica(); ++i) {
      const Fields& fields = at.value().replication;
      const Endpoint endpoint = as_seen_from(at.value().endpoint, text_of(fields, "master_host"),
                                             number_of(fields, "master_port").value_or(0));
      Result<Answer> above = ask(endpoint, nullptr);
      if (!above) {
        ServerView& unreachable = view_.emplace_back();
        unreachable.address = endpoint.to_string();
        unreachable.failure = above.error().message;
        unreachable.is_primary = true;
        return at;
      }
      if (!seen.insert(above.value().run_id).second) break;
      on_the_way_.push_back(at.value());
      at = std::move(above);
    }
    return at;
  }

  // `above` has answered and lists the server with the fields of `listed`.
  void visit(const Endpoint& endpoint, int depth, const Answer* above, const Fields& listed) {
    const size_t index = view_.size();
    ServerView view;
    Result<Answer> answer = ask(endpoint, &view);
    view.address = endpoint.to_string();
    view.depth = depth;
    view.state_above = text_of(listed, "state");
    view.silent_seconds = number_of(listed, "lag");
    if (!answer) {
      view.failure = answer.error().message;
      view_.push_back(std::move(view));
      return;
    }
    if (!run_ids_.insert(answer.value().run_id).second) return;
    describe(answer.value(), &view);
    if (above != nullptr) measure(*above, &view);
    view_.push_back(std::move(view));
    for (int i = 0; view_[index].depth < kDeepest && view_.size() < kMostServers; ++i) {
      const std::string line = text_of(answer.value().replication, "slave" + std::to_string(i));
      if (line.empty()) break;
      const Fields fields = split_fields(line, ',', '=');
      visit(as_seen_from(endpoint, text_of(fields, "ip"), number_of(fields, "port").value_or(0)),
            view_[index].depth + 1, &answer.value(), fields);
    }
  }

  static void describe(const Answer& answer, ServerView* view) {
    const Fields& fields = answer.replication;
    view->is_primary = !answer.is_replica();
    const char* offset = view->is_primary ? "master_repl_offset" : "slave_repl_offset";
    view->offset = number_of(fields, offset).value_or(0);
    if (view->is_primary) return;
    view->link = text_of(fields, "master_link_status");
    if (text_of(fields, "master_sync_in_progress") == "1") view->link = "syncing";
    const auto checked = number_of(fields, "digest_slices_checked");
    if (!checked) return;
    view->digests = {*checked, number_of(fields, "digest_slices_mismatched").value_or(0),
                     text_of(fields, "digest_first_bad_key"),
                     text_of(fields, "digest_size_mismatches"),
                     text_of(fields, "digest_libraries") == "different"};
  }

  static void measure(const Answer& above, ServerView* view) {
    const Fields& fields = above.replication;
    const auto reached = number_of(fields, "master_repl_offset");
    if (!reached || view->link != "up") return;
    view->lag_bytes = std::max<int64_t>(0, *reached - view->offset);
    const auto size = number_of(fields, "repl_backlog_size");
    const auto first = number_of(fields, "repl_backlog_first_byte_offset");
    if (!size || !first || text_of(fields, "repl_backlog_active") != "1") return;
    const bool kept = view->offset + 1 >= *first;
    view->backlog_left = kept ? std::max<int64_t>(0, *size - *view->lag_bytes) : 0;
  }

  const Options& options_;
  bool with_libraries_;
  PairView view_;
  std::set<std::string> run_ids_;
  std::vector<Answer> on_the_way_;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "'" : ", '") + word + "'";
  return text;
}

void add_replica_problems(const ServerView& replica, const ServerView& primary,
                          std::vector<std::string>* problems) {
  const auto add = [&](const std::string& text) {
    problems->push_back(replica.address + ": " + text);
  };
  if (replica.link != "up") {
    add("the link to its primary is " + (replica.link.empty() ? "not known" : replica.link));
  } else if (!replica.state_above.empty() && replica.state_above != "online") {
    add("its primary has it in the state " + replica.state_above);
  }
  if (replica.backlog_left == 0) add("a lost link would cost it a full sync");
  if (replica.libraries && primary.libraries) {
    const auto names = differing_libraries(replica, primary);
    if (!names.empty()) add("its libraries differ from the primary's: " + joined(names));
  }
  if (!replica.digests || replica.digests->all_same()) return;
  const auto& [checked, mismatched, key, sizes, libraries] = *replica.digests;
  if (!key.empty()) add("its data differ from the primary's, first at the key " + key);
  if (!sizes.empty()) add("it does not have as many keys as the primary: " + sizes);
  if (libraries) add("the digest of its libraries is not the primary's");
}

}  // namespace

Result<PairView> look_at_pair(const Options& options, bool with_libraries) {
  return Tour(options, with_libraries).run();
}

std::vector<std::string> differing_libraries(const ServerView& a, const ServerView& b) {
  std::set<std::string> names;
  for (const auto& [here, there] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
    for (const auto& [name, code] : *here->libraries) {
      const auto other = there->libraries->find(name);
      if (other == there->libraries->end() || other->second != code) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> problems_of(const PairView& view) {
  std::vector<std::string> problems;
  for (const ServerView& server : view) {
    if (!server.failure.empty()) {
      problems.push_back(server.address + ": " + server.failure);
    } else if (!server.is_primary) {
      add_replica_problems(server, view.front(), &problems);
    }
  }
  if (view.size() == 1) problems.push_back(view.front().address + ": it has no replica");
  return problems;
}

}  // namespace tandem::cli
