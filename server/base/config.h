#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/directive.h"
#include "server/base/env.h"
#include "server/base/result.h"
#include "server/base/settings.h"

namespace tandem {

// What a server was started with, as redis-server takes its arguments:
//   [FILE] [-] [--name value... | "--name value..."]...
struct StartArguments {
  std::string config_file;         // empty: none
  bool from_stdin = false;         // a "-", first or last: more comes on standard input
  std::vector<std::string> lines;  // the options, each as a line of a configuration file
};
// `arguments` without the program's name.
Result<StartArguments> parse_start_arguments(std::span<const std::string> arguments);

// The configuration: the values of all directives, where they come from, and how they change.
// Directives themselves are in directives_*.cc, their values in Settings.
class Config {
 public:
  // `working_directory` is absolute: relative paths of `dir` and of the file itself start there.
  explicit Config(std::string working_directory);
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  // The reference stays valid and shows every change; the strings and lists in it do not stay.
  const Settings& settings() const { return settings_; }
  // For what a command other than CONFIG SET changes and CONFIG REWRITE writes (REPLICAOF).
  // Runs no on_change callback.
  Settings& mutable_settings() { return settings_; }

  // Loading, in the order file, standard input, options. Lines of one directive that takes several
  // (save) add up over all of it. An error's message begins with where it is ("valkey.conf:12: ")
  // and is meant for the operator; the settings are then half set and the start must stop.
  Status load_file(Env& env, const std::string& path);
  Status load_text(Env& env, std::string_view text, std::string_view source);
  Status load_options(Env& env, const StartArguments& arguments);
  // Absolute path of the file of load_file(), empty without one.
  const std::string& file() const { return file_; }
  // The directives that were given and have no effect in Tandem, in the order of the table.
  std::vector<std::string_view> unused_directives_given() const;

  // CONFIG GET: names and values that match at least one pattern. A pattern without wildcards is
  // answered under the name asked for, be it an alias.
  std::vector<std::pair<std::string, std::string>> get(
      std::span<const std::string_view> patterns) const;

  struct SetContext {
    bool loading = false;  // the server is loading its data
    bool local = false;    // the client is on a loopback or unix socket
  };
  // CONFIG SET name value...: all or nothing. The error's message is the error reply, code and all.
  Status set(std::span<const std::string_view> names_and_values, const SetContext& context);

  // `apply` runs once after a set() that changed any of the directives, when all values are in
  // place. If it fails, its message becomes the reply, the old values come back, and the callbacks
  // that had run by then run again.
  using Apply = std::function<Status()>;
  void on_change(std::initializer_list<std::string_view> names, Apply apply);

  // CONFIG REWRITE: changes the file where its lines do not give the values in force, keeps every
  // other line as it is, and appends what has no line. The error's message is the error reply.
  Status rewrite(Env& env) const;

  // Whether arguments of CONFIG SET `name` must not appear in logs. False for unknown names.
  static bool is_sensitive(std::string_view name);

 private:
  struct Hook {
    std::vector<const Directive*> directives;
    Apply apply;
  };

  Status load_lines(Env& env, std::string_view text, const std::string& source, int depth);
  Status load_line(Env& env, std::string_view line, int depth);
  Status include(Env& env, const std::string& pattern, int depth);
  Status assign(std::span<const std::string_view> names_and_values, const SetContext& context);
  Status apply_changes(const Settings& before, std::span<const std::string_view> names_and_values);

  const std::string working_directory_;
  Settings settings_;
  std::string file_;
  std::set<const Directive*> given_;
  std::vector<Hook> hooks_;
};

}  // namespace tandem
