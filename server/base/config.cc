#include "server/base/config.h"

#include <algorithm>
#include <cassert>

#include "server/base/directive_table.h"
#include "server/base/log.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

Error refuse(std::string message) { return make_error(ErrorKind::kInvalid, std::move(message)); }

Error set_failed(std::string_view name, const std::string& reason) {
  return refuse("ERR CONFIG SET failed (possibly related to argument '" + std::string(name) +
                "') - " + reason);
}

bool has_wildcards(std::string_view pattern) {
  return pattern.find_first_of("[*?") != std::string_view::npos;
}

// The words of a value that came as one text: split when the directive takes several.
std::vector<std::string> value_words(const Directive& directive, std::string_view value) {
  if (!directive.has(kMultiWord)) return {std::string(value)};
  std::vector<std::string> words;
  while (!value.empty()) {
    const size_t length = std::min(value.find(' '), value.size());
    if (length > 0) words.emplace_back(value.substr(0, length));
    value.remove_prefix(std::min(value.size(), length + 1));
  }
  return words;
}

}  // namespace

Config::Config(std::string working_directory) : working_directory_(std::move(working_directory)) {
  settings_.dir = resolve_path(working_directory_, ".");
}

std::vector<std::pair<std::string, std::string>> Config::get(
    std::span<const std::string_view> patterns) const {
  // By the name in lower case; each is answered once, as it was asked for first.
  std::map<std::string, std::pair<std::string, const Directive*>> found;
  const auto add = [&](std::string_view name, const Directive* directive) {
    found.try_emplace(to_lower(name), name, directive);
  };
  for (std::string_view pattern : patterns) {
    if (!has_wildcards(pattern)) {
      const Directive* directive = find_directive(pattern);
      if (directive != nullptr && !directive->has(kFileOnly)) add(pattern, directive);
      continue;
    }
    for (const Directive* directive : all_directives()) {
      if (directive->has(kHidden) || directive->has(kFileOnly)) continue;
      for (std::string_view name : {directive->name, directive->alias}) {
        if (!name.empty() && glob_match(pattern, name, true)) add(name, directive);
      }
    }
  }
  std::vector<std::pair<std::string, std::string>> values;
  for (const auto& [key, named] : found) {
    values.emplace_back(named.first, directive_value(*named.second, settings_));
  }
  return values;
}

bool Config::is_sensitive(std::string_view name) {
  const Directive* directive = find_directive(name);
  return directive != nullptr && directive->has(kSensitive);
}

Status Config::set(std::span<const std::string_view> names_and_values, const SetContext& context) {
  assert(names_and_values.size() % 2 == 0);
  const Settings before = settings_;
  Status done = assign(names_and_values, context);
  if (!done.ok()) {
    settings_ = before;
    return done;
  }
  return apply_changes(before, names_and_values);
}

// Checks every name before any value is set, as the reply must name an unknown directive first.
Status Config::assign(std::span<const std::string_view> names_and_values,
                      const SetContext& context) {
  std::vector<const Directive*> directives;
  std::set<std::string> names;
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    const std::string_view name = names_and_values[i];
    const Directive* directive = find_directive(name);
    if (directive == nullptr || directive->has(kFileOnly)) {
      return refuse("ERR Unknown option or number of arguments for CONFIG SET - '" +
                    std::string(name) + "'");
    }
    const ProtectedAction allowed = settings_.enable_protected_configs;
    if (directive->has(kImmutable)) return set_failed(name, "can't set immutable config");
    if (directive->has(kProtected) && allowed != ProtectedAction::kYes &&
        !(allowed == ProtectedAction::kLocal && context.local)) {
      return set_failed(name, "can't set protected config");
    }
    if (directive->has(kDenyLoading) && context.loading) {
      return refuse("LOADING Redis is loading the dataset in memory");
    }
    if (!names.insert(to_lower(name)).second) return set_failed(name, "duplicate parameter");
    directives.push_back(directive);
  }
  for (size_t i = 0; i < directives.size(); ++i) {
    const std::string_view name = names_and_values[2 * i], value = names_and_values[2 * i + 1];
    Status set =
        set_directive(*directives[i], value_words(*directives[i], value), false, settings_);
    if (!set.ok()) return set_failed(name, set.error().message);
  }
  return {};
}

Status Config::apply_changes(const Settings& before,
                             std::span<const std::string_view> names_and_values) {
  std::map<const Directive*, std::string_view> changed;
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    const Directive* directive = find_directive(names_and_values[i]);
    if (directive_value(*directive, before) != directive_value(*directive, settings_)) {
      changed.emplace(directive, names_and_values[i]);
    }
  }
  for (size_t i = 0; i < hooks_.size(); ++i) {
    const auto& watched = hooks_[i].directives;
    const auto cause = std::find_if(watched.begin(), watched.end(),
                                    [&](const Directive* each) { return changed.contains(each); });
    if (cause == watched.end()) continue;
    Status applied = hooks_[i].apply();
    if (applied.ok()) continue;
    settings_ = before;
    for (size_t done = 0; done <= i; ++done) {
      const bool ran = std::any_of(hooks_[done].directives.begin(), hooks_[done].directives.end(),
                                   [&](const Directive* each) { return changed.contains(each); });
      if (!ran) continue;
      if (Status restored = hooks_[done].apply(); !restored.ok()) {
        log_warning("Failed applying restored configuration after CONFIG SET failed: " +
                    restored.error().message);
      }
    }
    return set_failed(changed[*cause], applied.error().message);
  }
  return {};
}

void Config::on_change(std::initializer_list<std::string_view> names, Apply apply) {
  Hook hook;
  for (std::string_view name : names) {
    const Directive* directive = find_directive(name);
    assert(directive != nullptr);
    hook.directives.push_back(directive);
  }
  hook.apply = std::move(apply);
  hooks_.push_back(std::move(hook));
}

std::vector<std::string_view> Config::unused_directives_given() const {
  std::vector<std::string_view> given;
  for (const Directive* directive : all_directives()) {
    if (directive->has(kUnused) && given_.contains(directive)) given.push_back(directive->name);
  }
  return given;
}

}  // namespace tandem
