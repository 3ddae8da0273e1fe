#include "tools/cli/function_server.h"

#include <algorithm>
#include <array>

#include "server/base/numbers.h"

namespace tandem::cli {
namespace {

Error not_understood() {
  return make_error(ErrorKind::kCorrupt, "the server's reply is not what FUNCTION LIST answers");
}

// The value of a field in a map, or in a flat array of names and values; null without it.
const ReplyValue* field(const ReplyValue& fields, std::string_view name) {
  for (size_t i = 0; i + 1 < fields.elements.size(); i += 2) {
    if (fields.elements[i].is_text(name)) return &fields.elements[i + 1];
  }
  return nullptr;
}

std::string text_field(const ReplyValue& fields, std::string_view name) {
  const ReplyValue* value = field(fields, name);
  return value == nullptr ? "" : value->text;
}

FunctionDescription function_of(const ReplyValue& reply) {
  FunctionDescription function{text_field(reply, "name"), text_field(reply, "description"), {}};
  if (const ReplyValue* flags = field(reply, "flags")) {
    for (const ReplyValue& flag : flags->elements) function.flags.push_back(flag.text);
  }
  return function;
}

LibraryDescription library_of(const ReplyValue& reply) {
  LibraryDescription library{text_field(reply, "library_name"),
                             text_field(reply, "engine"),
                             {},
                             text_field(reply, "library_code")};
  if (const ReplyValue* functions = field(reply, "functions")) {
    for (const ReplyValue& function : functions->elements) {
      library.functions.push_back(function_of(function));
    }
    std::ranges::sort(library.functions, {}, &FunctionDescription::name);
  }
  return library;
}

}  // namespace

FunctionServer::FunctionServer(const Options& options) {
  Options own = options;
  own.protocol = ProtocolChoice::kServerDefault;
  own.database = 0;
  session_ = std::make_unique<Session>(std::move(own));
}

Status FunctionServer::connect() {
  if (session_->connect()) return {};
  return make_error(ErrorKind::kIo, "no connection");
}

Result<ReplyValue> FunctionServer::call(const Command& command) {
  Result<ReplyValue> reply = session_->connection().call(command);
  if (!reply || !reply.value().is_error()) return reply;
  return make_error(ErrorKind::kInvalid, reply.value().text);
}

Result<std::vector<LibraryDescription>> FunctionServer::list(bool with_code) {
  Command command{"FUNCTION", "LIST"};
  if (with_code) command.push_back("WITHCODE");
  Result<ReplyValue> reply = call(command);
  if (!reply) return reply.error();
  if (!reply.value().is_aggregate()) return not_understood();
  std::vector<LibraryDescription> libraries;
  for (const ReplyValue& element : reply.value().elements) {
    libraries.push_back(library_of(element));
    if (libraries.back().name.empty()) return not_understood();
  }
  // Servers list them in the order of their hash tables.
  std::ranges::sort(libraries, {}, &LibraryDescription::name);
  return libraries;
}

Result<Libraries> FunctionServer::libraries() {
  Result<std::vector<LibraryDescription>> list = this->list(true);
  if (!list) return list.error();
  Libraries libraries;
  for (LibraryDescription& library : list.value()) {
    libraries[library.name] = std::move(library.code);
  }
  return libraries;
}

Result<std::string> FunctionServer::dump() {
  Result<ReplyValue> reply = call({"FUNCTION", "DUMP"});
  if (!reply) return reply.error();
  return std::move(reply.value().text);
}

Status FunctionServer::run(const std::vector<Command>& commands) {
  if (commands.size() > 1) return run_transaction(commands);
  for (const Command& command : commands) {
    if (Result<ReplyValue> reply = call(command); !reply) return reply.error();
  }
  return {};
}

Status FunctionServer::run_transaction(const std::vector<Command>& commands) {
  if (Result<ReplyValue> reply = call({"MULTI"}); !reply) return reply.error();
  for (const Command& command : commands) {
    Result<ReplyValue> queued = call(command);
    if (queued) continue;
    (void)call({"DISCARD"});
    return queued.error();
  }
  Result<ReplyValue> replies = call({"EXEC"});
  if (!replies) return replies.error();
  for (const ReplyValue& reply : replies.value().elements) {
    if (reply.is_error()) return make_error(ErrorKind::kInvalid, reply.text);
  }
  return {};
}

Result<Options> options_for(const std::string& server, const Options& base) {
  Options options = base;
  if (server.find("://") != std::string::npos) {
    const std::array<const char*, 2> arguments{"-u", server.c_str()};
    const Surroundings nothing{false, [](const char*) -> const char* { return nullptr; }};
    Result<Options> parsed = parse_options(arguments, nothing);
    if (!parsed) return parsed.error();
    options.endpoint = parsed.value().endpoint;
    if (parsed.value().password) {
      options.user = parsed.value().user;
      options.password = parsed.value().password;
    }
    return options;
  }
  options.endpoint = {};
  if (server.find('/') != std::string::npos) {
    options.endpoint.socket_path = server;
    return options;
  }
  const size_t colon = server.rfind(':');
  std::optional<int64_t> port;
  if (colon != std::string::npos) port = parse_int64(std::string_view(server).substr(colon + 1));
  std::string host = server.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (!port || *port <= 0 || *port > 65535 || host.empty()) {
    return make_error(ErrorKind::kInvalid,
                      "'" + server + "' is no server: expected host:port, a socket or a URI");
  }
  options.endpoint.host = host;
  options.endpoint.port = static_cast<int>(*port);
  return options;
}

}  // namespace tandem::cli
