#include "persistence/aof_tail.h"

#include <utility>

namespace tandem {

Result<std::shared_ptr<AofTail>> AofTail::create(Env& env, const std::string& path) {
  return opened(env, path, env.create(path));
}

Result<std::shared_ptr<AofTail>> AofTail::open_append(Env& env, const std::string& path) {
  return opened(env, path, env.open_append(path));
}

Result<std::shared_ptr<AofTail>> AofTail::opened(Env& env, const std::string& path,
                                                 Result<std::unique_ptr<WritableFile>> writer) {
  if (!writer.ok()) return writer.error();
  auto file = std::make_shared<AofTail>();
  file->writer_ = std::move(writer).value();
  for (std::unique_ptr<WritableFile>& description : file->to_sync_) {
    Result<std::unique_ptr<WritableFile>> another = env.open_append(path);
    if (!another.ok()) return another.error();
    description = std::move(another).value();
  }
  return file;
}

void AofTail::set_written(AofPosition position) {
  // In this order: who sees the bytes sees their mark, or a later one.
  written_mark_ = position.mark;
  written_bytes_ = position.bytes;
}

AofTail::Synced AofTail::sync(size_t number) {
  // In this order: whoever sees that no sync is expected any more asks for another one, and what
  // was written while one still was is in the position.
  sync_expected_ = false;
  const AofPosition position{written_bytes_, written_mark_};
  return {to_sync_[number]->sync(), position};
}

}  // namespace tandem
