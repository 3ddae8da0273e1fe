#pragma once

#include "persistence/rdb_writer.h"
#include "server/base/byte_stream.h"
#include "server/base/result.h"

namespace tandem {

// Writes the dataset as the shortest sequence of commands that brings it back: the base of an AOF
// without RDB preamble. Finishes the sink.
Status write_dataset_as_commands(ByteSink* sink, const SnapshotSource& source);

}  // namespace tandem
