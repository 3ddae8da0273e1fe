#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <utility>

namespace tandem {

std::string parent_directory(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

void SimDisk::File::truncate(size_t size) {
  bytes.resize(size);
  same_bytes = std::min(same_bytes, size);
  if (given_up_from >= size) given_up_from = std::string::npos;
}

void SimDisk::File::sync() {
  durable.resize(same_bytes);
  durable.append(bytes, same_bytes);
  same_bytes = bytes.size();
}

void SimDisk::File::fail_to_sync() {
  if (same_bytes == bytes.size()) return;
  given_up_from = std::min(given_up_from, same_bytes);
  ++times_given_up;
}

SimDisk::FilePtr SimDisk::find(const std::string& path) const {
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : found->second;
}

std::vector<std::string> SimDisk::list(const std::string& directory) const {
  std::vector<std::string> names;
  for (const auto& [path, file] : files_) {
    if (parent_directory(path) == directory) names.push_back(path.substr(path.rfind('/') + 1));
  }
  return names;
}

void SimDisk::apply(const Change& change, std::map<std::string, FilePtr>* files,
                    std::set<std::string>* directories) {
  if (change.file == nullptr && !change.to.empty()) {
    directories->insert(change.to);
    return;
  }
  if (change.to != change.from) files->erase(change.from);
  if (!change.to.empty()) (*files)[change.to] = change.file;
}

void SimDisk::change(Change change) {
  apply(change, &files_, &directories_);
  pending_.push_back(std::move(change));
}

void SimDisk::sync_directory(const std::string& directory) {
  std::erase_if(pending_, [&](const Change& change) {
    if (parent_directory(change.to.empty() ? change.from : change.to) != directory) return false;
    apply(change, &durable_files_, &durable_directories_);
    return true;
  });
}

void SimDisk::lose_power() {
  for (const Change& change : pending_) {
    if (random_.below(2) == 0) apply(change, &durable_files_, &durable_directories_);
  }
  pending_.clear();
  // What a lost directory held is lost with it.
  std::erase_if(durable_files_, [this](const auto& entry) {
    return !durable_directories_.contains(parent_directory(entry.first));
  });
  files_ = durable_files_;
  directories_ = durable_directories_;
  forget_given_up();
  for (const auto& [path, file] : files_) {
    const bool truncated = file->same_bytes < file->durable.size();
    const size_t unsynced = file->bytes.size() - file->same_bytes;
    if (truncated && random_.below(2) == 0) {
      file->bytes = file->durable;
    } else {
      const bool nothing_more = random_.below(2) == 0;
      file->bytes.resize(file->same_bytes + (nothing_more ? 0 : random_.below(unsynced + 1)));
    }
    file->durable = file->bytes;
    file->same_bytes = file->bytes.size();
  }
}

void SimDisk::forget_given_up() {
  for (const auto& [path, file] : files_) {
    if (file->given_up_from == std::string::npos) continue;
    file->durable.resize(std::min(file->durable.size(), file->given_up_from));
    file->truncate(file->given_up_from);
  }
}

void SimDisk::wipe() {
  files_.clear();
  durable_files_.clear();
  directories_ = durable_directories_ = {"/", kDataDirectory};
  pending_.clear();
}

}  // namespace tandem
