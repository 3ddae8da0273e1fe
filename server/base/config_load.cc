#include <algorithm>

#include "server/base/config.h"
#include "server/base/directive_table.h"
#include "server/base/strings.h"

// Loading: files, included files and the options of the command line.

namespace tandem {

namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{16} << 20;
constexpr int kMaxIncludeDepth = 16;
constexpr std::string_view kSpace = " \t\r\n";

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

Error refuse(std::string message) { return make_error(ErrorKind::kInvalid, std::move(message)); }

Error unknown_directive(const std::string& name) {
  const std::string nearest = nearest_directive(name);
  std::string message = "unknown directive '" + name + "'";
  if (!nearest.empty()) message += "; did you mean '" + nearest + "'?";
  return refuse(message);
}

bool has_wildcards(std::string_view text) {
  return text.find_first_of("*?[") != std::string_view::npos;
}

// The existing paths that `pattern` matches, each of its components a glob, in order of name.
std::vector<std::string> expand_path(Env& env, const std::string& pattern) {
  std::vector<std::string> paths = {pattern.starts_with('/') ? "/" : ""};
  size_t begin = 0;
  while (begin < pattern.size()) {
    const size_t end = std::min(pattern.find('/', begin), pattern.size());
    const std::string component = pattern.substr(begin, end - begin);
    begin = end + 1;
    if (component.empty()) continue;
    std::vector<std::string> longer;
    for (const std::string& path : paths) {
      const std::string prefix = path.empty() || path.ends_with('/') ? path : path + "/";
      if (!has_wildcards(component)) {
        if (env.exists(prefix + component)) longer.push_back(prefix + component);
        continue;
      }
      auto names = env.list(prefix.empty() ? "." : prefix);
      if (!names.ok()) continue;
      std::sort(names.value().begin(), names.value().end());
      for (const std::string& name : names.value()) {
        const bool hidden = name.starts_with('.') && !component.starts_with('.');
        if (!hidden && glob_match(component, name)) longer.push_back(prefix + name);
      }
    }
    paths = std::move(longer);
  }
  return paths;
}

// As redis-server has it: a following "--word" is a value while the option has none yet.
bool is_option(std::string_view argument) { return argument.starts_with("--"); }

}  // namespace

Result<StartArguments> parse_start_arguments(std::span<const std::string> arguments) {
  StartArguments parsed;
  size_t i = 0;
  if (i < arguments.size() && !arguments[i].starts_with('-')) parsed.config_file = arguments[i++];
  bool has_value = true;
  for (; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-" && (parsed.lines.empty() || i + 1 == arguments.size())) {
      parsed.from_stdin = true;
    } else if (has_value && is_option(argument)) {
      parsed.lines.push_back(argument.substr(2));
      // "--port 6380" in one argument has its value already.
      has_value = argument.find_first_of(kSpace) != std::string::npos;
      const bool alone = i + 1 == arguments.size() || is_option(arguments[i + 1]);
      if (!has_value && alone && equals_ignore_case(argument, "--save")) {
        parsed.lines.back() += " \"\"";
        has_value = true;
      }
    } else if (parsed.lines.empty()) {
      return refuse("command line: '" + argument +
                    "' is neither an option nor, in first place, a configuration file");
    } else {
      parsed.lines.back() += " " + quote(argument);
      has_value = true;
    }
  }
  return parsed;
}

Status Config::load_file(Env& env, const std::string& path) {
  auto text = read_file(env, path, kMaxFileBytes);
  if (!text.ok()) return refuse("Can't read the configuration file: " + text.error().message);
  file_ = resolve_path(working_directory_, path);
  return load_lines(env, text.value(), path, 0);
}

Status Config::load_text(Env& env, std::string_view text, std::string_view source) {
  return load_lines(env, text, std::string(source), 0);
}

Status Config::load_options(Env& env, const StartArguments& arguments) {
  for (const std::string& line : arguments.lines) {
    if (Status loaded = load_line(env, trim(line), 0); !loaded.ok()) {
      return refuse("command line: --" + std::string(trim(line)) + ": " + loaded.error().message);
    }
  }
  return {};
}

Status Config::load_lines(Env& env, std::string_view text, const std::string& source, int depth) {
  size_t number = 0;
  while (!text.empty()) {
    const size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, length));
    text.remove_prefix(std::min(text.size(), length + 1));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (Status loaded = load_line(env, line, depth); !loaded.ok()) {
      return refuse(source + ":" + std::to_string(number) + ": " + loaded.error().message);
    }
  }
  return {};
}

Status Config::load_line(Env& env, std::string_view line, int depth) {
  std::vector<std::string> words;
  if (!split_words(line, &words)) return refuse("unbalanced quotes");
  if (words.empty()) return {};
  if (equals_ignore_case(words[0], "include")) {
    if (words.size() != 2) return refuse("include: wrong number of arguments");
    return include(env, words[1], depth);
  }
  const Directive* directive = find_directive(words[0]);
  if (directive == nullptr) return unknown_directive(words[0]);

  const std::vector<std::string> value = value_of_line(*directive, words);
  if (value.empty()) return refuse(words[0] + ": wrong number of arguments");
  const bool more = !given_.insert(directive).second;
  Status set = set_directive(*directive, value, more, settings_);
  if (!set.ok()) return refuse(words[0] + ": " + set.error().message);
  return {};
}

Status Config::include(Env& env, const std::string& pattern, int depth) {
  if (depth >= kMaxIncludeDepth) {
    return refuse("include: more than " + std::to_string(kMaxIncludeDepth) +
                  " files deep; does a file include itself?");
  }
  // A pattern may match nothing; a plain name must be there.
  const std::vector<std::string> paths =
      has_wildcards(pattern) ? expand_path(env, pattern) : std::vector<std::string>{pattern};
  for (const std::string& path : paths) {
    auto text = read_file(env, path, kMaxFileBytes);
    if (!text.ok()) return refuse("include: " + text.error().message);
    if (Status loaded = load_lines(env, text.value(), path, depth + 1); !loaded.ok()) return loaded;
  }
  return {};
}

}  // namespace tandem
