#include "replication/snapshot_load.h"

#include <utility>

#include "persistence/rdb_file.h"

namespace tandem {

void SnapshotLoad::start(Env& env, std::shared_ptr<WritableFile> file, std::string path,
                         const RdbReadOptions& options, std::function<void(Status)> done) {
  done_ = std::move(done);
  // Both jobs hold the object: nobody else may be left when an abandoned load ends.
  auto self = shared_from_this();
  auto work = [self, env = &env, file = std::move(file), path = std::move(path), options] {
    self->result_ = file->sync();
    if (!self->result_.ok()) return;
    const Result<RdbEnd> end = load_rdb_file(*env, path, options, &self->loader_);
    if (end.ok()) {
      self->raw_bytes_ = end.value().unpacked;
    } else {
      self->result_ = end.error();
    }
  };
  env.run_in_background(std::move(work), [self] {
    if (self->done_) std::exchange(self->done_, nullptr)(self->result_);
  });
}

}  // namespace tandem
