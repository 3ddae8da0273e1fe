#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/random.h"
#include "server/base/result.h"

namespace tandem {

// What goes wrong with a disk while it is set.
struct DiskFaults {
  bool no_space = false;        // writes take a part and fail; new files cannot be made
  bool write_error = false;     // the same, and names cannot be changed
  bool name_error = false;      // files cannot be made, renamed or removed
  bool sync_error = false;      // files and directories cannot be made durable
  bool one_sync_error = false;  // the next sync of a file fails, those after it succeed
  int64_t slowest_sync_us = 20'000;
  bool forgetful = false;  // what a failed sync was to write is lost, whatever later ones say

  bool failing() const {
    return no_space || write_error || name_error || sync_error || one_sync_error;
  }
};

// A machine's disk: it outlives the processes that use it. A file's bytes are durable once it was
// synced, a name (made, moved, removed) once its directory was; a power loss keeps any part of
// what was not: of a file's bytes a prefix, of the changes of names any subset, as POSIX allows. A
// sync that fails on a forgetful disk takes its bytes with it: the system forgets that they were to
// be written, later syncs succeed without them, and the file ends there once the process is gone.
class SimDisk {
 public:
  struct File {
    std::string bytes;
    std::string durable;    // as of the last sync
    size_t same_bytes = 0;  // at the front of both
    // Where the bytes begin that a failed sync has given up.
    size_t given_up_from = std::string::npos;
    uint64_t times_given_up = 0;
    void truncate(size_t size);
    void sync();
    void fail_to_sync();
  };
  using FilePtr = std::shared_ptr<File>;

  // What exists from the start.
  static constexpr const char* kDataDirectory = "/data";

  explicit SimDisk(uint64_t seed) : random_(seed) {}

  DiskFaults& faults() { return faults_; }

  // Null: there is no such file.
  FilePtr find(const std::string& path) const;
  bool is_directory(const std::string& path) const { return directories_.contains(path); }
  void link(const std::string& path, FilePtr file) { change({path, path, std::move(file)}); }
  void rename(const std::string& from, const std::string& to) { change({from, to, find(from)}); }
  void remove(const std::string& path) { change({path, "", nullptr}); }
  void make_directory(const std::string& path) { change({path, path, nullptr}); }
  std::vector<std::string> list(const std::string& directory) const;
  // Makes the names in the directory durable.
  void sync_directory(const std::string& directory);

  void lose_power();
  // The process is gone, and what it had in memory with it.
  void forget_given_up();
  // As if it were new.
  void wipe();

 private:
  // A name is made, moved, or removed (`to` is empty). Without a file: a directory is made.
  struct Change {
    std::string from, to;
    FilePtr file;
  };

  void change(Change change);
  static void apply(const Change& change, std::map<std::string, FilePtr>* files,
                    std::set<std::string>* directories);

  Random random_;
  DiskFaults faults_;
  std::map<std::string, FilePtr> files_;
  std::map<std::string, FilePtr> durable_files_;
  std::set<std::string> directories_{"/", kDataDirectory};
  std::set<std::string> durable_directories_ = directories_;
  std::vector<Change> pending_;  // changes of names that are not durable, in their order
};

// "/a" for "/a/b", "/" for "/a".
std::string parent_directory(const std::string& path);

}  // namespace tandem
