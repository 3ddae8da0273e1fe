#include "server/base/directive.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

// Lines of a file add up, after the first has replaced the defaults; an empty value clears.
Status set_save(Settings& settings, std::span<const std::string> words, bool more) {
  const auto invalid = make_error(ErrorKind::kInvalid, "Invalid save parameters");
  if (words.size() == 1 && words[0].empty()) words = {};
  if (words.size() % 2 != 0) return invalid;
  std::vector<SavePoint> points;
  if (more && !words.empty()) points = settings.save;
  for (size_t i = 0; i < words.size(); i += 2) {
    const auto seconds = parse_int64(words[i]), changes = parse_int64(words[i + 1]);
    if (!seconds || *seconds < 1 || !changes || *changes < 0) return invalid;
    points.push_back({*seconds, *changes});
  }
  settings.save = std::move(points);
  return {};
}

std::vector<std::string> save_lines(const Settings& settings) {
  std::vector<std::string> lines;
  for (const SavePoint& point : settings.save) {
    lines.push_back(std::to_string(point.seconds) + " " + std::to_string(point.changes));
  }
  if (lines.empty()) lines.push_back("\"\"");
  return lines;
}

std::string get_save(const Settings& settings) {
  std::string text;
  if (settings.save.empty()) return text;
  for (const std::string& line : save_lines(settings)) text += (text.empty() ? "" : " ") + line;
  return text;
}

bool is_path(std::string_view name) { return name.find('/') != std::string_view::npos; }

const char* check_dbfilename(std::string_view name) {
  return is_path(name) ? "dbfilename can't be a path, just a filename" : nullptr;
}
const char* check_appendfilename(std::string_view name) {
  if (name.empty()) return "appendfilename can't be empty";
  return is_path(name) ? "appendfilename can't be a path, just a filename" : nullptr;
}
const char* check_appenddirname(std::string_view name) {
  if (name.empty()) return "appenddirname can't be empty";
  return is_path(name) ? "appenddirname can't be a path, just a dirname" : nullptr;
}

constexpr EnumName kFsync[] = {{"everysec", static_cast<int>(AppendFsync::kEverySecond)},
                               {"always", static_cast<int>(AppendFsync::kAlways)},
                               {"no", static_cast<int>(AppendFsync::kNo)}};
constexpr EnumName kSanitize[] = {{"no", static_cast<int>(SanitizeDumpPayload::kNo)},
                                  {"yes", static_cast<int>(SanitizeDumpPayload::kYes)},
                                  {"clients", static_cast<int>(SanitizeDumpPayload::kClients)}};
constexpr EnumName kCompression[] = {{"yes", static_cast<int>(RdbCompression::kLzf)},
                                     {"no", static_cast<int>(RdbCompression::kNone)},
                                     {"lz4", static_cast<int>(RdbCompression::kLz4)}};
constexpr EnumName kVersions[] = {{"10", 10}, {"11", 11}, {"80", 80}};
constexpr EnumName kVersionCheck[] = {{"strict", static_cast<int>(RdbVersionCheck::kStrict)},
                                      {"relaxed", static_cast<int>(RdbVersionCheck::kRelaxed)}};

constexpr int64_t kMaxInt = INT32_MAX;
constexpr int64_t kMinInt = INT32_MIN;
constexpr auto kMemory = IntegerUnit::kMemory;
using S = Settings;

const Directive kRows[] = {
    {"save", "", CustomField{set_save, get_save, save_lines}, kMultiWord},
    {"dbfilename", "", StringField{&S::dbfilename, check_dbfilename}, kProtected},
    {"rdbcompression", "", enum_field<&S::rdbcompression>(kCompression)},
    {"rdb-version", "", enum_field<&S::rdb_version>(kVersions)},
    {"rdbchecksum", "", BoolField{&S::rdbchecksum}, kImmutable},
    {"rdb-del-sync-files", "", BoolField{&S::rdb_del_sync_files}},
    {"rdb-save-incremental-fsync", "", BoolField{&S::rdb_save_incremental_fsync}},
    {"rdb-version-check", "", enum_field<&S::rdb_version_check>(kVersionCheck)},
    {"stop-writes-on-bgsave-error", "", BoolField{&S::stop_writes_on_bgsave_error}},
    {"sanitize-dump-payload", "", enum_field<&S::sanitize_dump_payload>(kSanitize)},
    {"rdb-key-save-delay", "", IntegerField{&S::rdb_key_save_delay, kMinInt, kMaxInt}, kHidden},
    {"key-load-delay", "", IntegerField{&S::key_load_delay, kMinInt, kMaxInt}, kHidden},
    {"loading-process-events-interval-bytes", "",
     IntegerField{&S::loading_process_events_interval_bytes, 1024, kMaxInt}, kHidden},
    {"appendonly", "", BoolField{&S::appendonly}, kDenyLoading},
    {"appendfilename", "", StringField{&S::appendfilename, check_appendfilename}, kImmutable},
    {"appenddirname", "", StringField{&S::appenddirname, check_appenddirname}, kImmutable},
    {"appendfsync", "", enum_field<&S::appendfsync>(kFsync)},
    {"no-appendfsync-on-rewrite", "", BoolField{&S::no_appendfsync_on_rewrite}},
    {"auto-aof-rewrite-percentage", "", IntegerField{&S::auto_aof_rewrite_percentage, 0, kMaxInt}},
    {"auto-aof-rewrite-min-size", "",
     IntegerField{&S::auto_aof_rewrite_min_size, 0, INT64_MAX, kMemory}},
    {"aof-load-truncated", "", BoolField{&S::aof_load_truncated}},
    {"aof-use-rdb-preamble", "", BoolField{&S::aof_use_rdb_preamble}},
    {"aof-timestamp-enabled", "", BoolField{&S::aof_timestamp_enabled}},
    {"aof-rewrite-incremental-fsync", "", BoolField{&S::aof_rewrite_incremental_fsync}},
    {"aof-disable-auto-gc", "", BoolField{&S::aof_disable_auto_gc}, kHidden},
};

}  // namespace

std::span<const Directive> persistence_directives() { return kRows; }

}  // namespace tandem
