#include "server/store/intset.h"

#include <cassert>
#include <limits>
#include <string>

namespace tandem {

namespace {

size_t width_for(int64_t value) {
  if (value == static_cast<int16_t>(value)) return 2;
  return value == static_cast<int32_t>(value) ? 4 : 8;
}

int64_t load_member(const uint8_t* members, size_t index, size_t width) {
  const uint8_t* from = members + index * width;
  if (width == 2) return load_unaligned<int16_t>(from);
  if (width == 4) return load_unaligned<int32_t>(from);
  return load_unaligned<int64_t>(from);
}

Error corrupt(std::string message, size_t offset) {
  return make_error(ErrorKind::kCorrupt, "intset: " + std::move(message), offset);
}

}  // namespace

Intset::Intset() : blob_(kHeaderBytes) { set_header(2, 0); }

Intset Intset::clone() const {
  Blob copy(bytes().size());
  std::memcpy(copy.data(), blob_.data(), bytes().size());
  return Intset(std::move(copy));
}

Status Intset::check(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return corrupt("shorter than its header", bytes.size());
  const size_t width = load_unaligned<uint32_t>(bytes.data());
  const size_t count = load_unaligned<uint32_t>(bytes.data() + 4);
  if (width != 2 && width != 4 && width != 8) {
    return corrupt("member width " + std::to_string(width) + " is not 2, 4 or 8", 0);
  }
  if (count == 0) return corrupt("no members", 4);
  if (bytes.size() != kHeaderBytes + count * width) {
    return corrupt(
        std::to_string(count) + " members do not take " + std::to_string(bytes.size()) + " bytes",
        4);
  }
  const auto* members = reinterpret_cast<const uint8_t*>(bytes.data()) + kHeaderBytes;
  for (size_t i = 1; i < count; ++i) {
    if (load_member(members, i - 1, width) >= load_member(members, i, width)) {
      return corrupt("members are not ascending", kHeaderBytes + i * width);
    }
  }
  return {};
}

Result<Intset> Intset::validate(std::string_view bytes) {
  if (Status status = check(bytes); !status) return status.error();
  Blob blob(bytes.size());
  std::memcpy(blob.data(), bytes.data(), bytes.size());
  return Intset(std::move(blob));
}

void Intset::set_header(size_t width, size_t size) {
  store_unaligned(blob_.data(), static_cast<uint32_t>(width));
  store_unaligned(blob_.data() + 4, static_cast<uint32_t>(size));
}

int64_t Intset::load(size_t index, size_t width) const {
  return load_member(blob_.data() + kHeaderBytes, index, width);
}

void Intset::store(size_t index, int64_t value) {
  const size_t member_width = width();
  std::memcpy(blob_.data() + kHeaderBytes + index * member_width, &value, member_width);
}

size_t Intset::lower_bound(int64_t value) const {
  const size_t member_width = width();
  size_t low = 0;
  size_t high = size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (load(middle, member_width) < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool Intset::contains(int64_t value) const {
  if (width_for(value) > width()) return false;
  const size_t index = lower_bound(value);
  return index < size() && at(index) == value;
}

bool Intset::add(int64_t value) {
  const size_t needed = width_for(value);
  const size_t member_width = width();
  if (needed > member_width) {
    widen_and_add(value, needed);
    return true;
  }
  const size_t count = size();
  // Members mostly arrive in order; the last one answers without a search.
  const size_t index = count > 0 && at(count - 1) < value ? count : lower_bound(value);
  if (index < count && at(index) == value) return false;
  assert(count < std::numeric_limits<uint32_t>::max());
  blob_.reserve(kHeaderBytes + (count + 1) * member_width);
  uint8_t* place = blob_.data() + kHeaderBytes + index * member_width;
  std::memmove(place + member_width, place, (count - index) * member_width);
  set_header(member_width, count + 1);
  store(index, value);
  return true;
}

// A value that needs wider members lies beyond all of the present ones, at one end or the other.
void Intset::widen_and_add(int64_t value, size_t new_width) {
  const size_t count = size();
  const size_t old_width = width();
  const size_t shift = value < 0 ? 1 : 0;
  blob_.reserve(kHeaderBytes + (count + 1) * new_width);
  set_header(new_width, count + 1);
  for (size_t i = count; i-- > 0;) store(i + shift, load(i, old_width));
  store(value < 0 ? 0 : count, value);
}

bool Intset::erase(int64_t value) {
  if (width_for(value) > width()) return false;
  const size_t count = size();
  const size_t member_width = width();
  const size_t index = lower_bound(value);
  if (index == count || at(index) != value) return false;
  uint8_t* place = blob_.data() + kHeaderBytes + index * member_width;
  std::memmove(place, place + member_width, (count - index - 1) * member_width);
  set_header(member_width, count - 1);
  blob_.trim(bytes().size());
  return true;
}

}  // namespace tandem
