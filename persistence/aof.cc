#include "persistence/aof.h"

#include <utility>

#include "persistence/aof_rewrite.h"
#include "persistence/rdb_file.h"
#include "server/base/log.h"

namespace tandem {

namespace {

constexpr uint64_t kMaxManifestBytes = 16 * 1024 * 1024;

}  // namespace

Aof::Aof(Config& config, Env& env, Clock& clock, Executor& executor, AofHost& host)
    : config_(config),
      env_(env),
      clock_(clock),
      executor_(executor),
      host_(host),
      writer_(config, env, clock, executor) {
  executor_.effects().add_sink(this);
}

Aof::~Aof() { executor_.effects().remove_sink(this); }

std::string Aof::path(const std::string& name) const { return join_path(directory_, name); }

std::string Aof::manifest_path() const {
  return path(config_.settings().appendfilename + ".manifest");
}

std::string Aof::single_file_path() const {
  return join_path(config_.settings().dir, config_.settings().appendfilename);
}

std::string Aof::parent_directory() const {
  const std::string& dir = config_.settings().dir;
  return dir.empty() ? "." : dir;
}

bool Aof::exists() const {
  const Settings& settings = config_.settings();
  const std::string directory = join_path(settings.dir, settings.appenddirname);
  return env_.exists(join_path(directory, settings.appendfilename + ".manifest")) ||
         env_.exists(single_file_path());
}

// The first use of the directory decides where it is and reads what it holds.
Status Aof::read_manifest() {
  if (lock_ == nullptr) {
    directory_ = join_path(config_.settings().dir, config_.settings().appenddirname);
    if (env_.exists(directory_)) {
      if (Status status = lock_directory(); !status.ok()) return status;
    }
  }
  manifest_ = {};
  if (!env_.exists(manifest_path())) return {};
  Result<std::string> text = read_file(env_, manifest_path(), kMaxManifestBytes);
  if (!text.ok()) return text.error();
  Result<AofManifest> manifest = AofManifest::parse(text.value());
  if (!manifest.ok()) {
    return make_error(manifest.error().kind,
                      "Bad AOF manifest " + manifest_path() + ": " + manifest.error().message);
  }
  manifest_ = std::move(manifest).value();
  return {};
}

// Two servers must not write one AOF. A directory without one needs no lock. One that is made here
// is durable once its parent is synced.
Status Aof::lock_directory() {
  if (lock_ != nullptr) return {};
  if (!env_.exists(directory_)) {
    if (Status status = env_.create_directory(directory_); !status.ok()) return status;
  }
  Result<std::unique_ptr<FileLock>> lock =
      env_.lock(path(config_.settings().appendfilename + ".lock"));
  if (!lock.ok()) {
    return make_error(
        lock.error().kind,
        "The AOF in " + directory_ + " is in use by another server: " + lock.error().message);
  }
  lock_ = std::move(lock).value();
  return {};
}

// An AOF that is off belongs to nobody.
void Aof::release_lock() {
  if (!enabled() && !rewrite_running() && deletion_ == nullptr) lock_.reset();
}

// Where the base is: an old single file that is being taken over may still be outside.
std::string Aof::base_path() const {
  const std::string inside = path(manifest_.base->name);
  const bool moved = manifest_.base->name != config_.settings().appendfilename ||
                     env_.exists(inside) || !env_.exists(single_file_path());
  return moved ? inside : single_file_path();
}

std::vector<std::string> Aof::data_paths() const {
  std::vector<std::string> paths;
  if (manifest_.base) paths.push_back(base_path());
  for (const AofFile& file : manifest_.incremental) paths.push_back(path(file.name));
  return paths;
}

Status Aof::load_files(AofLoader& loader) {
  const std::vector<std::string> paths = data_paths();
  uint64_t bytes = 0;
  for (const std::string& file : paths) {
    if (!env_.exists(file)) {
      return make_error(ErrorKind::kNotFound, "The AOF file " + file +
                                                  " does not exist, but the manifest " +
                                                  manifest_path() + " names it");
    }
    if (Result<uint64_t> size = env_.file_size(file); size.ok()) bytes += size.value();
  }
  loader.expect(bytes);
  const size_t last = last_used(env_, paths);
  for (size_t i = 0; i < paths.size(); ++i) {
    if (Status status = loader.load_file(paths[i], i >= last); !status.ok()) return status;
  }
  return {};
}

Status Aof::load_and_open() {
  if (Status status = read_manifest(); !status.ok()) return status;
  const bool take_over = manifest_.empty() && env_.exists(single_file_path());
  const bool fresh = manifest_.empty() && !take_over;
  if (take_over) {
    manifest_.base_sequence = 1;
    manifest_.base = AofFile{config_.settings().appendfilename, 1};
  }
  AofLoader loader(env_, executor_, host_.aof_loader_options());
  if (Status status = load_files(loader); !status.ok()) return status;
  loaded_ = loader.counts();
  if (Status status = lock_directory(); !status.ok()) return status;
  // The process before may have died with names that are not durable yet, the manifest's too.
  for (const std::string& names : {parent_directory(), directory_}) {
    if (Status status = env_.sync_directory(names); !status.ok()) return status;
  }
  Status status = fresh ? create_first_base() : settle_base(take_over);
  if (status.ok()) status = cut_last_file(loader);
  if (status.ok()) status = sync_last_file();
  if (status.ok()) status = open_for_appending();
  if (!status.ok()) return status;
  state_ = State::kOn;
  delete_history();
  return {};
}

Status Aof::reload() {
  if (Status status = writer_.flush(); !status.ok()) return status;
  AofLoader loader(env_, executor_, host_.aof_loader_options());
  Status status = load_files(loader);
  loaded_ = loader.counts();
  return status;
}

Status Aof::write_base(const std::string& name, bool as_rdb) {
  SnapshotSource source = host_.snapshot_source();
  source.aof_base = true;
  const SnapshotOptions options = host_.snapshot_options();
  const auto write = [&](ByteSink* sink) {
    return as_rdb ? write_snapshot(sink, source, options) : write_dataset_as_commands(sink, source);
  };
  return replace_file(env_, directory_, "temp-" + name, name, options.sync_every, write);
}

Status Aof::create_first_base() {
  const Settings& settings = config_.settings();
  const bool as_rdb = settings.aof_use_rdb_preamble;
  const std::string name = manifest_.next_base_name(settings.appendfilename, as_rdb);
  log_notice("Creating AOF base file " + name + " on server start");
  if (Status status = write_base(name, as_rdb); !status.ok()) return status;
  manifest_.replace_base(name, 0);
  return {};
}

// Moves an old single file into the directory. The manifest goes first: should the move not happen
// any more, the next start finds the file by the name it has there.
Status Aof::settle_base(bool take_over) {
  if (!manifest_.base) return {};
  const std::string outside = base_path();
  const std::string inside = path(manifest_.base->name);
  if (outside == inside) return {};
  if (take_over) {
    if (Status status = place().write(env_, manifest_); !status.ok()) return status;
  }
  if (Status status = env_.rename(outside, inside); !status.ok()) return status;
  if (Status status = env_.sync_directory(directory_); !status.ok()) return status;
  log_notice("Took over the AOF file " + outside + " as the base of a multi-part AOF");
  return {};
}

Status Aof::cut_last_file(const AofLoader& loader) {
  if (!loader.cut()) return {};
  // A single file may have moved since it was loaded.
  const bool moved = loader.cut()->path == single_file_path();
  const std::string file_path = moved ? path(manifest_.base->name) : loader.cut()->path;
  Result<std::unique_ptr<WritableFile>> file = env_.open_append(file_path);
  if (!file.ok()) return file.error();
  log_warning("The AOF file " + file_path + " ends inside a command: cutting it from " +
              std::to_string(file.value()->size()) + " to " + std::to_string(loader.cut()->size) +
              " bytes and going on");
  if (Status status = file.value()->truncate(loader.cut()->size); !status.ok()) return status;
  return file.value()->sync();
}

// The process before this one may have been killed before its sync, and clients are about to see
// what it wrote. What this one writes may go to another file.
Status Aof::sync_last_file() {
  const std::vector<std::string> paths = data_paths();
  Result<std::unique_ptr<WritableFile>> file = env_.open_append(paths[last_used(env_, paths)]);
  return file.ok() ? file.value()->sync() : file.error();
}

Status Aof::open_for_appending() {
  if (manifest_.incremental.empty()) {
    const std::string name = manifest_.add_incremental(config_.settings().appendfilename).name;
    log_notice("Creating AOF incr file " + name + " on server start");
    Result<std::shared_ptr<AofTail>> file = AofTail::create(env_, path(name));
    if (!file.ok()) return file.error();
    if (Status status = place().write(env_, manifest_); !status.ok()) return status;
    switch_to(std::move(file).value());
  } else {
    Result<std::shared_ptr<AofTail>> file =
        AofTail::open_append(env_, path(manifest_.incremental.back().name));
    if (!file.ok()) return file.error();
    switch_to(std::move(file).value());
  }
  stats_.base_size = size();
  return {};
}

void Aof::switch_to(std::shared_ptr<AofTail> file) {
  writer_.switch_to(std::move(file));
  settled_size_ = 0;
  std::vector<std::string> settled;
  if (manifest_.base) settled.push_back(manifest_.base->name);
  for (const AofFile& incremental : manifest_.incremental) settled.push_back(incremental.name);
  if (!manifest_.incremental.empty() && state_ != State::kStarting) settled.pop_back();
  for (const std::string& name : settled) {
    const Result<uint64_t> bytes = env_.file_size(path(name));
    if (bytes.ok()) settled_size_ += bytes.value();
  }
  // The new file does not say yet which database its first command is for.
  needs_select_ = true;
  executor_.effects().forget_selected_db();
}

void Aof::on_effects(std::string_view bytes) {
  append_timestamp();
  writer_.append(bytes);
  needs_select_ = true;
}

void Aof::on_forwarded_stream(int db, std::string_view bytes) {
  if (!wants_effects()) return;
  append_timestamp();
  if (needs_select_) {
    const std::string number = std::to_string(db);
    writer_.append("*2\r\n$6\r\nSELECT\r\n$" + std::to_string(number.size()) + "\r\n" + number +
                   "\r\n");
    needs_select_ = false;
  }
  writer_.append(bytes);
  // This server's own effects, if there are any, do not know what the stream has selected.
  executor_.effects().forget_selected_db();
}

void Aof::append_timestamp() {
  if (!config_.settings().aof_timestamp_enabled) return;
  const int64_t now_s = clock_.wall_ms() / 1000;
  if (now_s <= last_timestamp_s_) return;
  last_timestamp_s_ = now_s;
  writer_.append("#TS:" + std::to_string(now_s) + "\r\n");
}

Status Aof::start() {
  if (enabled()) return {};
  state_ = State::kStarting;
  // One that runs would be without what is written from now on.
  cancel_rewrite();
  if (host_.child_active()) {
    rewrite_scheduled_ = true;
    return {};
  }
  Status status = begin_rewrite();
  if (!status.ok()) stop();
  return status;
}

void Aof::stop() {
  if (!enabled()) return;
  cancel_rewrite();
  (void)writer_.sync_now();
  writer_.close();
  state_ = State::kOff;
  rewrite_scheduled_ = false;
  release_lock();
}

void Aof::restart() {
  if (!enabled()) return;
  cancel_rewrite();
  writer_.close();
  state_ = State::kStarting;
  // A failure is logged and tried again by cron().
  if (host_.child_active()) {
    rewrite_scheduled_ = true;
  } else if (Status status = begin_rewrite(); !status.ok()) {
    count_failure(status.error().message);
  }
}

}  // namespace tandem
