#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/base/env.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_world.h"

namespace tandem {

// The machine as one process sees it: its disk, its children and its background threads. Ends with
// the process.
class SimEnv final : public Env {
 public:
  // `run_on_loop` runs its argument as a turn of the process's loop.
  SimEnv(SimWorld* world, SimDisk* disk, std::string host,
         std::function<void(std::function<void()>)> run_on_loop)
      : world_(*world),
        disk_(*disk),
        host_(std::move(host)),
        run_on_loop_(std::move(run_on_loop)) {}
  ~SimEnv() override;

  // The process dies at the `operations`-th change of the disk from now, which is done in part;
  // changes at paths without `only_in` do not count.
  // From then on nothing that it does reaches the disk; whoever runs it sees dead() and must let
  // nothing else out either.
  void die_after(int64_t operations, std::string only_in = "") {
    operations_left_ = operations;
    dies_only_in_ = std::move(only_in);
  }
  // The same for the next child: it is killed there, or as it ends.
  void kill_child_after(int64_t operations) { child_operations_left_ = operations; }
  bool dead() const { return dead_; }
  // The process is gone, at whatever it did.
  void die() { dead_ = true; }

  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override;
  Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<uint64_t> file_size(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status create_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status sync_directory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

  // The child runs to its end here and now, and seems to run on for a while.
  Result<ChildId> fork_child(std::function<int()> body) override;
  std::unique_ptr<ChildExit> poll_child(ChildId child) override;
  void kill_child(ChildId child) override;

  void run_in_background(std::function<void()> work, std::function<void()> done) override {
    add_job(&background_, 0, std::move(work), std::move(done));
  }
  void run_in_lane(size_t lane, int64_t delay_us, std::function<void()> work,
                   std::function<void()> done) override {
    add_job(&lanes_[lane], delay_us, std::move(work), std::move(done));
  }

 private:
  class Writer;
  class Reader;
  struct Job {
    int64_t delay_us;
    std::function<void()> work, done;
  };
  using Jobs = std::deque<Job>;  // of one thread; the first one runs
  struct Child {
    ChildExit exit;
    int64_t ends_us = 0;
  };

  // Whether the operation that begins now is done; when not, *status is what it answers.
  bool proceeds(const std::string& path, const char* action, bool fails, Status* status);
  bool dies_now(const std::string& path);
  // Whether what the process, or its child that runs now, does is lost.
  bool gone() const { return dead_ || child_gone_; }
  Status can_link(const std::string& path, const char* action, bool* proceed);
  Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path, bool truncate);
  void add_job(Jobs* jobs, int64_t delay_us, std::function<void()> work,
               std::function<void()> done);
  void start_job(Jobs* jobs);
  void trace(const char* action, const std::string& path, uint64_t number = 0);

  SimWorld& world_;
  SimDisk& disk_;
  const std::string host_;
  std::function<void(std::function<void()>)> run_on_loop_;
  int64_t operations_left_ = -1;
  std::string dies_only_in_;
  int64_t child_operations_left_ = -1;
  bool in_child_ = false;
  bool child_gone_ = false;
  bool dead_ = false;
  std::shared_ptr<std::map<std::string, bool>> locks_ =
      std::make_shared<std::map<std::string, bool>>();
  std::map<ChildId, Child> children_;
  ChildId last_child_ = 0;
  Jobs background_;
  std::map<size_t, Jobs> lanes_;
};

}  // namespace tandem
