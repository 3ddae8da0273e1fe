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
}

void SimDisk::File::sync() {
  durable.resize(same_bytes);
  durable.append(bytes, same_bytes);
  same_bytes = bytes.size();
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
  for (const auto& [path, file] : files_) {
    const bool truncated = file->same_bytes < file->durable.size();
    if (truncated && random_.below(2) == 0) {
      file->bytes = file->durable;
    } else {
      file->bytes.resize(file->same_bytes +
                         random_.below(file->bytes.size() - file->same_bytes + 1));
    }
    file->durable = file->bytes;
    file->same_bytes = file->bytes.size();
  }
}

}  // namespace tandem
