#include "replication/digest_value.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "server/base/numbers.h"
#include "server/base/stable_hash.h"
#include "server/store/hash_value.h"
#include "server/store/list_value.h"
#include "server/store/set_value.h"
#include "server/store/sorted_set_value.h"
#include "server/store/stream_value.h"

namespace tandem {

namespace {

// Of a stream: groups, and consumers of one, that count.
constexpr size_t kWindowGroups = 16;
constexpr size_t kNamedMembers = 128;
constexpr size_t kLongestMemberName = 1024;

struct Window {
  size_t first;
  size_t count;
};

size_t windows_in(size_t size, size_t window) {
  return std::max<size_t>(1, (size + window - 1) / window);
}

Window choose_window(size_t size, size_t window, uint64_t salt) {
  const size_t first = salt % windows_in(size, window) * window;
  return {first, std::min(window, size - first)};
}

uint64_t text_digest(std::string_view text, uint64_t salt) {
  if (text.size() <= kWindowBytes) return stable_hash(text);
  const Window block = choose_window(text.size(), kWindowBytes, salt);
  return stable_hash(text.substr(block.first, block.count), text.size());
}

uint64_t id_digest(const StreamId& id) { return join_hashes(id.ms, id.seq); }

class ValueDigest {
 public:
  ValueDigest(uint64_t salt, std::span<const std::string_view> named)
      : salt_(salt), named_(named) {}

  uint64_t of(const Entry& entry) {
    switch (entry.type()) {
      case ValueType::kString: {
        char scratch[kMaxInt64Digits];
        return text_digest(entry.string(scratch), salt_);
      }
      case ValueType::kList:
        return of(static_cast<const ListValue&>(*entry.value()));
      case ValueType::kSet:
        return of(static_cast<const SetValue&>(*entry.value()));
      case ValueType::kSortedSet:
        return of(static_cast<const SortedSetValue&>(*entry.value()));
      case ValueType::kHash:
        return of(static_cast<const HashValue&>(*entry.value()));
      default:
        return of(static_cast<const StreamValue&>(*entry.value()));
    }
  }

 private:
  uint64_t of(const ListValue& list) {
    const Window window = choose_window(list.size(), kWindowElements, salt_);
    uint64_t digest = 0;
    Listpack::Scratch scratch;
    list.visit(window.first, window.count, [&](const ListValue::Element& element) {
      digest = join_hashes(digest, text_digest(element.text(scratch), salt_));
      return true;
    });
    return digest;
  }

  uint64_t of(const SetValue& set) {
    uint64_t digest = 0;
    if (!named_.empty()) {
      for (const std::string_view member : named_) digest += set.contains(member) ? 1 : 0;
    } else if (set.size() <= kWindowElements) {
      SetValue::Scratch scratch;
      set.for_each([&](const SetValue::Member& member) {
        digest += text_digest(member.text(scratch), salt_);
      });
    }
    return digest;
  }

  uint64_t field(const HashValue& hash, std::string_view field, std::string_view value) {
    const uint64_t pair = join_hashes(text_digest(field, salt_), text_digest(value, salt_));
    if (!hash.has_expiring_fields()) return pair;
    const int64_t at_ms = hash.expires_at_ms(field);
    return at_ms == Value::kNever ? pair : join_hashes(pair, static_cast<uint64_t>(at_ms));
  }

  uint64_t of(const HashValue& hash) {
    uint64_t digest = 0;
    if (!named_.empty()) {
      HashValue::Scratch scratch;
      for (const std::string_view name : named_) {
        if (const auto value = hash.get(name, scratch)) digest += field(hash, name, *value);
      }
    } else if (hash.size() <= kWindowElements) {
      hash.for_each([&](std::string_view name, std::string_view value) {
        digest += field(hash, name, value);
      });
    }
    return digest;
  }

  uint64_t of(const SortedSetValue& set) {
    const Window window = choose_window(set.size(), kWindowElements, salt_);
    uint64_t digest = 0;
    set.for_range({window.first, window.count}, [&](std::string_view member, double score) {
      // Zero has two signs, and packed sets keep one.
      const auto bits = std::bit_cast<uint64_t>(score + 0.0);
      digest = join_hashes(digest, join_hashes(text_digest(member, salt_), bits));
      return true;
    });
    return digest;
  }

  // Where a window begins: anywhere between the first and the last entry.
  StreamId window_start(const StreamValue& stream) const {
    const StreamId first = stream.first_id();
    const StreamId last = stream.last_entry_id();
    if (stream.size() <= kWindowElements || last <= first) return first;
    if (first.ms == last.ms) return {first.ms, first.seq + salt_ % (last.seq - first.seq)};
    return {first.ms + salt_ % (last.ms - first.ms), 0};
  }

  uint64_t of(const StreamValue& stream) {
    uint64_t digest = join_hashes(id_digest(stream.last_id()), stream.entries_added());
    digest = join_hashes(digest, id_digest(stream.max_deleted_id()));
    StreamReader reader(stream, window_start(stream));
    for (size_t i = 0; i < kWindowElements && reader.next(); ++i) {
      digest = join_hashes(digest, id_digest(reader.id()));
      reader.for_each_field([&](std::string_view name, std::string_view value) {
        digest = join_hashes(digest, text_digest(name, salt_));
        digest = join_hashes(digest, text_digest(value, salt_));
      });
    }
    return join_hashes(digest, groups_of(stream));
  }

  uint64_t groups_of(const StreamValue& stream) {
    const size_t count = stream.group_count();
    const Window window = choose_window(count, kWindowGroups, salt_);
    uint64_t digest = count;
    size_t at = 0;
    stream.for_each_group([&](const std::string& name, const StreamGroup& group) {
      const size_t index = at++;
      if (index < window.first || index >= window.first + window.count) return;
      digest = join_hashes(digest, stable_hash(name));
      digest = join_hashes(digest, of(group));
    });
    return digest;
  }

  uint64_t of(const StreamGroup& group) {
    uint64_t digest = join_hashes(id_digest(group.last_delivered), group.pending().size());
    digest = join_hashes(digest, group.consumers().size());
    size_t consumers = 0;
    for (const auto& [name, consumer] : group.consumers()) {
      if (++consumers > kWindowGroups) break;
      digest = join_hashes(digest, join_hashes(stable_hash(name), consumer.pending().size()));
    }
    size_t left = kWindowElements;
    for (auto at = group.pending().begin(); !at.at_end() && left > 0; ++at, --left) {
      const StreamPending& pending = at->value;
      digest = join_hashes(digest, id_digest(at->id));
      digest = join_hashes(digest, stable_hash(pending.consumer->name()));
      digest = join_hashes(digest, pending.deliveries);
    }
    return digest;
  }

  uint64_t salt_;
  std::span<const std::string_view> named_;
};

size_t size_of(const Entry& entry) {
  return entry.type() == ValueType::kString ? entry.string_length() : entry.value()->size();
}

}  // namespace

uint64_t key_digest(const Entry& entry, uint64_t salt, std::span<const std::string_view> named) {
  uint64_t digest = join_hashes(static_cast<uint64_t>(entry.type()), size_of(entry));
  digest = join_hashes(digest, static_cast<uint64_t>(entry.expires_at_ms()));
  // Zero stands for a key that is not there.
  return std::max<uint64_t>(1, join_hashes(digest, ValueDigest(salt, named).of(entry)));
}

size_t digest_windows(const Entry& entry) {
  const size_t window = entry.type() == ValueType::kString ? kWindowBytes : kWindowElements;
  return windows_in(size_of(entry), window);
}

std::vector<std::string> name_members(const Entry& entry, Random& random) {
  std::vector<std::string> names;
  if (digest_windows(entry) == 1) return names;
  const auto add = [&names](std::string_view name) {
    if (name.size() <= kLongestMemberName) names.emplace_back(name);
  };
  if (entry.type() == ValueType::kSet) {
    SetValue::Scratch scratch;
    static_cast<const SetValue&>(*entry.value())
        .random_distinct(random, kNamedMembers,
                         [&](const SetValue::Member& member) { add(member.text(scratch)); });
  } else if (entry.type() == ValueType::kHash) {
    static_cast<const HashValue&>(*entry.value())
        .random_distinct(random, kNamedMembers,
                         [&](std::string_view field, std::string_view) { add(field); });
  }
  return names;
}

}  // namespace tandem
