#include "tools/cli/options.h"

#include <cerrno>
#include <cstdlib>

#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem::cli {
namespace {

constexpr const char* kPasswordVariables[] = {"TANDEMCLI_AUTH", "VALKEYCLI_AUTH", "REDISCLI_AUTH"};

// What remains to be decided once all options are read.
struct Given {
  Options options;
  std::optional<OutputMode> mode;
  bool no_raw = false;
  bool hide_warning = false;
  bool quoted_input = false;
  std::optional<bool> show_pushes;
};

Error invalid(std::string message) { return make_error(ErrorKind::kInvalid, std::move(message)); }

Error unrecognized(std::string_view option) {
  return invalid("Unrecognized option or bad number of args for: '" + std::string(option) + "'");
}

std::optional<int> parse_port(std::string_view text) {
  std::optional<int64_t> port = parse_int64(text);
  if (!port || *port < 0 || *port > 65535) return std::nullopt;
  return static_cast<int>(*port);
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    char digits[3] = {};
    if (text.substr(i + 1, 2).copy(digits, 2) != 2 ||
        std::string_view(digits).find_first_not_of("0123456789abcdefABCDEF") !=
            std::string_view::npos) {
      return invalid("Incomplete URI encoding");
    }
    out += static_cast<char>(std::strtol(digits, nullptr, 16));
    i += 2;
  }
  return out;
}

// redis://[user[:password]@]host[:port][/database]; a lone word before the @ is the password.
Status parse_uri(std::string_view uri, Options* options) {
  size_t scheme_end = uri.find("://");
  std::string scheme = to_lower(uri.substr(0, scheme_end));
  if (scheme_end == std::string_view::npos || (scheme != "redis" && scheme != "valkey")) {
    return invalid("Invalid URI scheme");
  }
  std::string_view rest = uri.substr(scheme_end + 3);
  std::string_view path;
  if (size_t slash = rest.find('/'); slash != std::string_view::npos) {
    path = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
  }
  if (size_t at = rest.rfind('@'); at != std::string_view::npos) {
    std::string_view account = rest.substr(0, at);
    rest = rest.substr(at + 1);
    size_t colon = account.find(':');
    if (colon != std::string_view::npos) {
      Result<std::string> user = percent_decode(account.substr(0, colon));
      if (!user) return user.error();
      options->user = user.value();
      account.remove_prefix(colon + 1);
    }
    Result<std::string> password = percent_decode(account);
    if (!password) return password.error();
    options->password = password.value();
    options->warn_of_password = true;
  }
  size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos) {
    std::optional<int> port = parse_port(rest.substr(colon + 1));
    if (!port) return invalid("Invalid server port.");
    options->endpoint.port = *port;
    rest = rest.substr(0, colon);
  }
  if (rest.size() >= 2 && rest.front() == '[' && rest.back() == ']') {
    rest = rest.substr(1, rest.size() - 2);
  }
  if (!rest.empty()) options->endpoint.host = rest;
  if (path.empty()) return {};
  std::optional<int64_t> database = parse_int64(path);
  if (!database || *database < 0 || *database > INT32_MAX) return invalid("Invalid database");
  options->database = static_cast<int>(*database);
  return {};
}

bool apply_switch(std::string_view name, Given* given) {
  Options& options = given->options;
  if (name == "-x") {
    options.last_argument_from_stdin = true;
  } else if (name == "-e") {
    options.fail_on_error = true;
  } else if (name == "-2") {
    options.protocol = ProtocolChoice::kResp2;
  } else if (name == "-3") {
    options.protocol = ProtocolChoice::kResp3;
  } else if (name == "--raw") {
    given->mode = OutputMode::kRaw;
  } else if (name == "--no-raw") {
    given->mode = OutputMode::kTyped;
  } else if (name == "--csv") {
    given->mode = OutputMode::kCsv;
  } else if (name == "--json") {
    given->mode = OutputMode::kJson;
  } else if (name == "--quoted-json") {
    given->mode = OutputMode::kQuotedJson;
  } else if (name == "--ldb") {
    options.program.debug = DebugChoice::kForked;
  } else if (name == "--ldb-sync-mode") {
    options.program.debug = DebugChoice::kSync;
  } else if (name == "--quoted-input") {
    given->quoted_input = true;
  } else if (name == "--no-auth-warning") {
    given->hide_warning = true;
  } else if (name == "--verbose") {
    // Accepted as redis-cli accepts it; there is nothing more to say.
  } else {
    return false;
  }
  return true;
}

// False when `name` is no option that takes a value.
Result<bool> apply_valued(std::string_view name, const char* value, Given* given) {
  Options& options = given->options;
  if (name == "-h") {
    options.endpoint.host = value;
  } else if (name == "-p") {
    std::optional<int> port = parse_port(value);
    if (!port) return invalid("Invalid server port.");
    options.endpoint.port = *port;
  } else if (name == "-s") {
    options.endpoint.socket_path = value;
  } else if (name == "-t") {
    std::optional<double> seconds = parse_double(value);
    if (!seconds || *seconds < 0) return invalid("Invalid connection timeout for -t.");
    options.connect_timeout_seconds = *seconds;
  } else if (name == "-a" || name == "--pass") {
    options.password = value;
    options.warn_of_password = true;
  } else if (name == "--user") {
    options.user = value;
  } else if (name == "-u") {
    Status parsed = parse_uri(value, &options);
    if (!parsed) return parsed.error();
  } else if (name == "-n") {
    options.database = std::atoi(value);
  } else if (name == "-r") {
    options.repeat = std::strtoll(value, nullptr, 10);
  } else if (name == "-i") {
    options.interval_seconds = std::max(0.0, std::atof(value));
  } else if (name == "-X") {
    options.stdin_tag = value;
  } else if (name == "-d") {
    options.style.element_delimiter = value;
  } else if (name == "-D") {
    options.style.reply_delimiter = value;
  } else if (name == "--show-pushes") {
    given->show_pushes = equals_ignore_case(std::string_view(value).substr(0, 1), "y");
  } else if (name == "--eval") {
    options.program.script_path = value;
  } else if (name == "--fcall") {
    options.program.function = value;
  } else if (name == "--rdb" || name == "--functions-rdb") {
    options.snapshot_path = value;
    options.functions_only = name == "--functions-rdb";
  } else {
    return false;
  }
  return true;
}

Status unquote_command(std::vector<std::string>* command) {
  for (std::string& argument : *command) {
    if (argument.size() < 2 || (argument.front() != '"' && argument.front() != '\'')) continue;
    std::vector<std::string> words;
    if (!split_words(argument, &words) || words.size() != 1) {
      return invalid("Invalid quoted string");
    }
    argument = words[0];
  }
  return {};
}

Result<Options> settle(Given given, const Surroundings& surroundings) {
  Options& options = given.options;
  bool terminal = surroundings.stdout_is_terminal || surroundings.environment("FAKETTY") != nullptr;
  options.style.mode = given.mode.value_or(terminal ? OutputMode::kTyped : OutputMode::kRaw);
  options.show_pushes = given.show_pushes.value_or(surroundings.stdout_is_terminal);
  bool json =
      options.style.mode == OutputMode::kJson || options.style.mode == OutputMode::kQuotedJson;
  if (json && options.protocol == ProtocolChoice::kServerDefault) {
    options.protocol = ProtocolChoice::kPreferResp3;
  }
  if (given.hide_warning) options.warn_of_password = false;
  for (const char* variable : kPasswordVariables) {
    const char* value = surroundings.environment(variable);
    if (!options.password && value != nullptr && *value != '\0') options.password = value;
  }
  if (options.program.debug != DebugChoice::kNone && !options.program.given()) {
    return invalid("Options --ldb and --ldb-sync-mode require --eval or --fcall.");
  }
  if (given.quoted_input) {
    Status unquoted = unquote_command(&options.command);
    if (!unquoted) return unquoted.error();
  }
  return options;
}

}  // namespace

Result<Options> parse_options(std::span<const char* const> arguments,
                              const Surroundings& surroundings) {
  Given given;
  size_t at = 0;
  for (; at < arguments.size(); ++at) {
    std::string_view name = arguments[at];
    bool last = at + 1 == arguments.size();
    if (name == "--help" || (name == "-h" && last)) {
      given.options.action = Action::kShowHelp;
      return given.options;
    }
    if (name == "--version" || name == "-v") {
      given.options.action = Action::kShowVersion;
      return given.options;
    }
    if (apply_switch(name, &given)) continue;
    if (!name.starts_with('-')) break;
    if (last) return unrecognized(name);
    Result<bool> applied = apply_valued(name, arguments[at + 1], &given);
    if (!applied) return applied.error();
    if (!applied.value()) return unrecognized(name);
    ++at;
  }
  for (; at < arguments.size(); ++at) given.options.command.emplace_back(arguments[at]);
  return settle(std::move(given), surroundings);
}

std::string version_text() { return "tandem-cli " TANDEM_VERSION "\n"; }

std::string usage_text() {
  return version_text() + R"(
Usage: tandem-cli [OPTIONS] [command [argument ...]]
       tandem-cli [OPTIONS] functions SUBCOMMAND [argument ...]   ("functions help" lists them)
       tandem-cli rdb check|inspect|convert FILE ...    and    tandem-cli aof check PATH
       tandem-cli [OPTIONS] pair status [SERVER] [--once] [--interval SECONDS] [--json]

Where to connect
  -h <host>            Host name or address (default: 127.0.0.1)
  -p <port>            Port (default: 6379)
  -s <socket>          Unix socket, instead of host and port
  -u <uri>             redis://user:password@host:port/database
  -t <seconds>         Give up connecting after this long (default: the system's limit)
  -n <database>        Database number (default: 0)
  -a, --pass <password>  Password. The environment variable TANDEMCLI_AUTH (or VALKEYCLI_AUTH,
                       REDISCLI_AUTH) passes it without showing it to other users.
  --user <name>        User name, with a password
  --no-auth-warning    No warning about a password on the command line
  -2, -3               Speak RESP2 or RESP3

What to run
  -r <count>           Run the command this many times (negative: for ever)
  -i <seconds>         Wait this long between the runs, such as 0.1
  -x                   The last argument is read from standard input
  -X <tag>             The argument that equals the tag is read from standard input
  --quoted-input       Arguments in quotes are unquoted as at the prompt: '"a\x00b"'
  -e                   An error reply goes to standard error and ends with exit code 1

Scripts and functions
  --eval <file>        Run a script with EVAL: the words up to a lone comma are its keys, those
                       after it its arguments
  --fcall <function>   Call a function, with keys and arguments given in the same way
  --ldb                Debug what --eval or --fcall runs, in a copy of the server: nothing changes
  --ldb-sync-mode      The same in the server itself, which serves nobody else meanwhile and keeps
                       the changes

How to print
  --raw, --no-raw      Plain values, or values with their types (default: by whether the output is
                       a terminal)
  -d, -D <delimiter>   Between the elements of a reply, and after a reply, with --raw
  --json, --quoted-json, --csv  One line of JSON, of ASCII-only JSON, of CSV
  --show-pushes <yes|no>  Print RESP3 push messages (default: yes at a terminal)

Copying from a server
  --rdb <file>         Save the server's snapshot to the file ("-": standard output)
  --functions-rdb <file>  The same with only the functions, no keys
                       The file appears whole or not at all.

  --help, --version

Without a command tandem-cli reads commands from standard input: at a terminal with a prompt,
history (~/.tandemcli_history, or what TANDEMCLI_HISTFILE names) and completion with the Tab key.

Examples
  tandem-cli -p 6380 FCALL_RO my_function 1 key
  tandem-cli --ldb --fcall my_function key , argument
  cat mylib.lua | tandem-cli -x FUNCTION LOAD REPLACE
  tandem-cli --functions-rdb functions.rdb && tandem-server --dbfilename functions.rdb
)";
}

}  // namespace tandem::cli
