#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "server/store/keyspace.h"

namespace tandem {

// Puts many new keys into a database, as the loading of a file does. The bucket of each key is
// somewhere in a large table, and finding it costs more than all the rest of an insertion; here
// keys are gathered and go in in the order of their buckets, so that a page of the table is visited
// once for several of them.
class BulkInsert {
 public:
  // The most that may be gathered. More would take more of the cache than they save.
  static constexpr size_t kMost = 16 * 1024;

  struct Arrival {
    EntryOwner entry;
    uint64_t tag = 0;
  };

  BulkInsert() = default;
  BulkInsert(const BulkInsert&) = delete;
  BulkInsert& operator=(const BulkInsert&) = delete;
  // Frees what was not inserted.
  ~BulkInsert();

  bool empty() const { return waiting_.empty(); }
  bool full() const { return waiting_.size() == kMost; }
  size_t size() const { return waiting_.size(); }
  // While it is not full(). `tag` is the caller's, to recognise the entry by.
  void add(EntryOwner entry, uint64_t tag);

  // Inserts all that was added; as they are new keys, the observer is not told. Stops at one that
  // the database has already or that was added twice, of two the later, and hands it back: then the
  // dataset is of no use.
  std::optional<Arrival> insert_into(Database* db);

 private:
  struct Waiting {
    uint64_t hash;
    Entry* entry;  // owned
    uint64_t tag;
  };

  void sort_by_bucket(const Database& db);

  std::vector<Entry*> with_expiring_fields_;  // of waiting_
  std::vector<Waiting> waiting_;
  std::vector<Waiting> sorted_;
};

}  // namespace tandem
