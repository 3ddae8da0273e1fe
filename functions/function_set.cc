#include "functions/function_set.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "functions/lua_host.h"
#include "functions/name_hash.h"

namespace tandem {

namespace {

constexpr std::array<FunctionFlagName, 5> kFlagNames = {{
    {kNoWrites, "no-writes"},
    {kAllowOom, "allow-oom"},
    {kAllowStale, "allow-stale"},
    {kNoCluster, "no-cluster"},
    {kAllowCrossSlotKeys, "allow-cross-slot-keys"},
}};

}  // namespace

std::span<const FunctionFlagName> function_flag_names() { return kFlagNames; }

bool is_function_name(std::string_view name) {
  if (name.empty()) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

FunctionLibrary::FunctionLibrary(std::shared_ptr<LuaHost> host_in)
    : host(std::move(host_in)), memory(LuaAllocator::make_owner()) {}

FunctionLibrary::~FunctionLibrary() { host->release(*this); }

size_t FunctionLibrary::memory_bytes() const {
  size_t bytes = sizeof(FunctionLibrary) + name.capacity() + source.capacity();
  for (const auto& function : functions) {
    bytes += sizeof(Function) + function->name.capacity() + function->description.capacity();
  }
  return bytes;
}

struct FunctionSet::Index {
  std::unordered_map<std::string, const Function*, NameHash, NameEqual> functions;
};

FunctionSet::FunctionSet() : index_(std::make_unique<Index>()) {}
FunctionSet::~FunctionSet() = default;
FunctionSet::FunctionSet(FunctionSet&& other) noexcept = default;
FunctionSet& FunctionSet::operator=(FunctionSet&& other) noexcept = default;

size_t FunctionSet::function_count() const { return index_->functions.size(); }

const Function* FunctionSet::find_function(std::string_view name) const {
  const auto found = index_->functions.find(name);
  return found == index_->functions.end() ? nullptr : found->second;
}

Status FunctionSet::add(std::shared_ptr<const FunctionLibrary> library, bool replace) {
  const auto same_name = libraries_.find(library->name);
  const FunctionLibrary* old = same_name == libraries_.end() ? nullptr : same_name->second.get();
  if (old != nullptr && !replace) {
    return make_error(ErrorKind::kInvalid, "Library '" + library->name + "' already exists");
  }
  for (const auto& function : library->functions) {
    const Function* taken = find_function(function->name);
    if (taken != nullptr && taken->library != old) {
      return make_error(ErrorKind::kInvalid, "Function " + function->name + " already exists");
    }
  }
  if (old != nullptr) {
    for (const auto& function : library->functions) {
      const Function* same = find_function(function->name);
      if (same != nullptr) std::swap(*function->stats, *same->stats);
    }
    drop_functions_of(*old);
    memory_bytes_ -= old->memory_bytes();
  }
  memory_bytes_ += library->memory_bytes();
  for (const auto& function : library->functions) {
    index_->functions.emplace(function->name, function.get());
  }
  std::string name = library->name;
  libraries_.insert_or_assign(std::move(name), std::move(library));
  return {};
}

bool FunctionSet::remove(std::string_view library) {
  const auto found = libraries_.find(library);
  if (found == libraries_.end()) return false;
  drop_functions_of(*found->second);
  memory_bytes_ -= found->second->memory_bytes();
  libraries_.erase(found);
  return true;
}

void FunctionSet::inherit_stats(FunctionSet& before) {
  for (const auto& [name, library] : libraries_) {
    for (const auto& function : library->functions) {
      const Function* same = before.find_function(function->name);
      // The set may have taken over the library itself.
      if (same == nullptr || same == function.get() || same->library->name != name) continue;
      std::swap(*function->stats, *same->stats);
    }
  }
}

void FunctionSet::drop_functions_of(const FunctionLibrary& library) {
  for (const auto& function : library.functions) {
    const auto found = index_->functions.find(function->name);
    // Two names of one library may differ in case only; then the second has no entry of its own.
    if (found != index_->functions.end() && found->second->library == &library) {
      index_->functions.erase(found);
    }
  }
}

}  // namespace tandem
