#include "tools/cli/functions_manage.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "persistence/dump_payload.h"
#include "server/base/strings.h"
#include "tools/cli/function_extraction.h"
#include "tools/cli/function_fleet.h"
#include "tools/cli/rdb_fetch.h"
#include "tools/cli/snapshot_file.h"
#include "tools/cli/tool_arguments.h"

namespace tandem::cli {
namespace {

using Option = ToolArguments::Option;

constexpr uint64_t kMaxPayloadBytes = uint64_t{512} << 20;
constexpr Option kTo{"--to", true};

int fail(const Error& error, int code = 1) {
  std::fprintf(stderr, "%s\n", error.to_string().c_str());
  return code;
}

int fail(std::string message, int code = 1) {
  return fail(make_error(ErrorKind::kInvalid, std::move(message)), code);
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// Those that --to names, each once, or the one of the connection options.
Result<std::vector<FunctionServer>> servers_of(const Options& options,
                                               const ToolArguments& arguments) {
  std::vector<FunctionServer> servers;
  for (const std::string& name : arguments.values("--to")) {
    Result<Options> one = options_for(name, options);
    if (!one) return one.error();
    const std::string endpoint = one.value().endpoint.to_string();
    for (const FunctionServer& other : servers) {
      if (other.name() == endpoint) {
        return make_error(ErrorKind::kInvalid, "The server " + endpoint + " is named twice");
      }
    }
    servers.emplace_back(one.value());
  }
  if (servers.empty()) servers.emplace_back(options);
  return servers;
}

Error at_server(const FunctionServer& server, const Error& error) {
  return make_error(error.kind, server.name() + ": " + error.message);
}

Result<Libraries> libraries_of_server(FunctionServer& server) {
  Status connected = server.connect();
  Result<Libraries> libraries =
      connected ? server.libraries() : Result<Libraries>(connected.error());
  return libraries ? std::move(libraries) : at_server(server, libraries.error());
}

// A source of libraries, with the name that messages give it.
struct Source {
  std::string name;
  Libraries libraries;
};

Result<Source> source_of(const Options& options, const ToolArguments& arguments) {
  std::optional<std::string> from = arguments.value("--from");
  const std::vector<std::string>& paths = arguments.words();
  if (from.has_value() != paths.empty()) {
    return make_error(ErrorKind::kInvalid,
                      "Usage: functions diff PATH...|--from SERVER [--to SERVER]...");
  }
  if (!from) {
    std::unique_ptr<Env> env = make_tool_env();
    Result<Libraries> libraries = read_libraries(*env, paths);
    if (!libraries) return libraries.error();
    return Source{paths.size() == 1 ? paths[0] : "files", std::move(libraries).value()};
  }
  Result<Options> at = options_for(*from, options);
  if (!at) return at.error();
  FunctionServer server(at.value());
  Result<Libraries> libraries = libraries_of_server(server);
  if (!libraries) return libraries.error();
  return Source{server.name(), std::move(libraries).value()};
}

Result<LibraryChange> plan_load(const Libraries& wanted, bool replace, const Libraries& there) {
  LibraryChange change{.done = "loaded " + names_of(wanted)};
  for (const auto& [name, source] : wanted) {
    if (!replace && there.contains(name)) {
      return make_error(ErrorKind::kInvalid,
                        "Library '" + name + "' already exists (--replace replaces it)");
    }
    FunctionServer::Command command{"FUNCTION", "LOAD"};
    if (replace) command.push_back("REPLACE");
    command.push_back(source);
    change.commands.push_back(std::move(command));
  }
  return change;
}

Result<LibraryChange> plan_delete(const Libraries& unwanted, const Libraries& there) {
  LibraryChange change{.done = "deleted " + names_of(unwanted)};
  for (const auto& [name, unused] : unwanted) {
    if (!there.contains(name)) {
      return make_error(ErrorKind::kInvalid, "Library '" + name + "' not found");
    }
    change.commands.push_back({"FUNCTION", "DELETE", name});
  }
  return change;
}

Result<Libraries> libraries_of_payload(const std::string& path) {
  std::unique_ptr<Env> env = make_tool_env();
  Result<std::string> payload = read_file(*env, path, kMaxPayloadBytes);
  if (!payload) return payload.error();
  Result<std::vector<std::string>> sources = decode_libraries_payload(payload.value());
  Libraries libraries;
  Status status = sources ? Status() : Status(sources.error());
  for (size_t i = 0; status && i < sources.value().size(); ++i) {
    status = add_library(std::move(sources.value()[i]), &libraries);
  }
  if (status) return libraries;
  Error error = status.error();
  error.message = path + ": " + error.message;
  // What is wrong with a payload as a whole shows in its footer.
  const size_t size = payload.value().size();
  if (!error.offset) error.offset = size - std::min(size, rdb::kPayloadFooterBytes);
  return error;
}

int extract_from_server(const Options& options, const std::string& path) {
  FunctionServer server(options);
  if (!server.connect()) return 1;
  Status fetched = fetch_snapshot(server.session().connection(), path, true);
  return fetched ? 0 : fail(fetched.error());
}

}  // namespace

int run_functions_list(const Options& options, std::span<const std::string> arguments) {
  constexpr Option kKnown[] = {kTo, {"--json"}};
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, kKnown);
  if (!parsed) return fail(parsed.error());
  if (!parsed.value().words().empty())
    return fail("Usage: functions list [--json] [--to SERVER]...");
  Result<std::vector<FunctionServer>> servers = servers_of(options, parsed.value());
  if (!servers) return fail(servers.error());
  const bool json = parsed.value().has("--json") || options.style.mode == OutputMode::kJson;
  ReplyValue all{.type = ReplyValue::Type::kArray};
  std::string tables;
  for (FunctionServer& server : servers.value()) {
    if (!server.connect()) return 1;
    Result<std::vector<LibraryDescription>> libraries = server.list(false);
    if (!libraries) return fail(at_server(server, libraries.error()));
    all.elements.push_back(functions_json(server.name(), libraries.value()));
    if (servers.value().size() > 1) {
      tables += (tables.empty() ? "" : "\n") + server.name() + "\n";
    }
    tables += functions_table(libraries.value());
  }
  print(json ? format_reply(all, {.mode = OutputMode::kJson}) : tables);
  return 0;
}

int run_functions_load(const Options& options, std::span<const std::string> arguments) {
  constexpr Option kKnown[] = {kTo, {"--replace"}};
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, kKnown);
  if (!parsed) return fail(parsed.error());
  if (parsed.value().words().empty()) {
    return fail("Usage: functions load PATH... [--replace] [--to SERVER]...");
  }
  std::unique_ptr<Env> env = make_tool_env();
  Result<Libraries> libraries = read_libraries(*env, parsed.value().words());
  if (!libraries) return fail(libraries.error());
  if (libraries.value().empty()) return fail("There is no library in these files");
  Result<std::vector<FunctionServer>> servers = servers_of(options, parsed.value());
  if (!servers) return fail(servers.error());
  return change_all(servers.value(), [&](const Libraries& there) {
    return plan_load(libraries.value(), parsed.value().has("--replace"), there);
  });
}

int run_functions_diff(const Options& options, std::span<const std::string> arguments) {
  constexpr int kTrouble = 2;
  constexpr Option kKnown[] = {kTo, {"--from", true}};
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, kKnown);
  if (!parsed) return fail(parsed.error(), kTrouble);
  Result<Source> source = source_of(options, parsed.value());
  if (!source) return fail(source.error(), kTrouble);
  Result<std::vector<FunctionServer>> servers = servers_of(options, parsed.value());
  if (!servers) return fail(servers.error(), kTrouble);
  bool differ = false;
  for (FunctionServer& server : servers.value()) {
    Result<Libraries> libraries = libraries_of_server(server);
    if (!libraries) return fail(libraries.error(), kTrouble);
    const std::string diff = libraries_diff(server.name(), libraries.value(), source.value().name,
                                            source.value().libraries);
    if (diff.empty()) continue;
    differ = true;
    if (servers.value().size() > 1) print(server.name() + "\n");
    print(diff);
  }
  return differ ? 1 : 0;
}

int run_functions_delete(const Options& options, std::span<const std::string> arguments) {
  constexpr Option kKnown[] = {kTo};
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, kKnown);
  if (!parsed) return fail(parsed.error());
  if (parsed.value().words().empty())
    return fail("Usage: functions delete NAME... [--to SERVER]...");
  Libraries unwanted;
  for (const std::string& name : parsed.value().words()) unwanted.try_emplace(name);
  Result<std::vector<FunctionServer>> servers = servers_of(options, parsed.value());
  if (!servers) return fail(servers.error());
  return change_all(servers.value(),
                    [&](const Libraries& there) { return plan_delete(unwanted, there); });
}

int run_functions_dump(const Options& options, std::span<const std::string> arguments) {
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, {});
  if (!parsed) return fail(parsed.error());
  if (parsed.value().words().size() != 1) return fail("Usage: functions dump FILE");
  FunctionServer server(options);
  if (!server.connect()) return 1;
  Result<std::string> payload = server.dump();
  if (!payload) return fail(at_server(server, payload.error()));
  SnapshotFile file;
  Status status = file.open(parsed.value().words()[0]);
  if (status) status = file.write(payload.value());
  if (status) status = file.commit();
  return status ? 0 : fail(status.error());
}

int run_functions_restore(const Options& options, std::span<const std::string> arguments) {
  constexpr Option kKnown[] = {kTo, {"--policy", true}};
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, kKnown);
  if (!parsed) return fail(parsed.error());
  const std::string policy = to_upper(parsed.value().value("--policy").value_or("append"));
  if (parsed.value().words().size() != 1 ||
      (policy != "FLUSH" && policy != "APPEND" && policy != "REPLACE")) {
    return fail("Usage: functions restore FILE [--policy flush|append|replace] [--to SERVER]...");
  }
  Result<Libraries> libraries = libraries_of_payload(parsed.value().words()[0]);
  if (!libraries) return fail(libraries.error());
  Result<std::vector<FunctionServer>> servers = servers_of(options, parsed.value());
  if (!servers) return fail(servers.error());
  const LibraryChange change{
      {{"FUNCTION", "RESTORE", dump_payload_of(libraries.value()), policy}},
      libraries.value().empty() ? "restored nothing" : "restored " + names_of(libraries.value())};
  return change_all(servers.value(),
                    [&](const Libraries&) { return Result<LibraryChange>(change); });
}

int run_functions_extract(const Options& options, std::span<const std::string> arguments) {
  Result<ToolArguments> parsed = ToolArguments::parse(arguments, {});
  if (!parsed) return fail(parsed.error());
  const std::vector<std::string>& words = parsed.value().words();
  if (words.size() == 1) return extract_from_server(options, words[0]);
  if (words.size() != 2) return fail("Usage: functions extract [SOURCE] FILE");
  std::unique_ptr<Env> env = make_tool_env();
  Result<Libraries> libraries = libraries_of_file(*env, words[0]);
  if (!libraries) return fail(libraries.error());
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  Status written = write_functions_file(words[1], libraries.value(), now_ms);
  if (!written) return fail(written.error());
  const size_t count = libraries.value().size();
  std::fprintf(stderr, "%zu %s written to '%s'\n", count, count == 1 ? "library" : "libraries",
               words[1].c_str());
  return 0;
}

}  // namespace tandem::cli
