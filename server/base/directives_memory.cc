#include "server/base/directive.h"

namespace tandem {

namespace {

constexpr EnumName kPolicies[] = {
    {"volatile-lru", static_cast<int>(MaxmemoryPolicy::kVolatileLru)},
    {"volatile-lfu", static_cast<int>(MaxmemoryPolicy::kVolatileLfu)},
    {"volatile-random", static_cast<int>(MaxmemoryPolicy::kVolatileRandom)},
    {"volatile-ttl", static_cast<int>(MaxmemoryPolicy::kVolatileTtl)},
    {"allkeys-lru", static_cast<int>(MaxmemoryPolicy::kAllkeysLru)},
    {"allkeys-lfu", static_cast<int>(MaxmemoryPolicy::kAllkeysLfu)},
    {"allkeys-random", static_cast<int>(MaxmemoryPolicy::kAllkeysRandom)},
    {"noeviction", static_cast<int>(MaxmemoryPolicy::kNoEviction)}};

constexpr int64_t kMaxInt = INT32_MAX;
constexpr int64_t kMinInt = INT32_MIN;
constexpr int64_t kMax = INT64_MAX;
constexpr auto kMemory = IntegerUnit::kMemory;
using S = Settings;

const Directive kRows[] = {
    {"maxmemory", "", IntegerField{&S::maxmemory, 0, kMax, kMemory}},
    {"function-memory-limit", "", IntegerField{&S::function_memory_limit, 0, kMax, kMemory}},
    {"maxmemory-clients", "",
     IntegerField{&S::maxmemory_clients, -100, kMax, IntegerUnit::kMemoryOrPercent}},
    {"maxmemory-policy", "", enum_field<&S::maxmemory_policy>(kPolicies)},
    {"maxmemory-samples", "", IntegerField{&S::maxmemory_samples, 1, kMaxInt}},
    {"maxmemory-eviction-tenacity", "", IntegerField{&S::maxmemory_eviction_tenacity, 0, 100}},
    {"lfu-log-factor", "", IntegerField{&S::lfu_log_factor, 0, kMaxInt}},
    {"lfu-decay-time", "", IntegerField{&S::lfu_decay_time, 0, kMaxInt}},
    {"active-expire-effort", "", IntegerField{&S::active_expire_effort, 1, 10}},
    {"activerehashing", "", BoolField{&S::activerehashing}},
    {"lazyfree-lazy-eviction", "", BoolField{&S::lazyfree_lazy_eviction}},
    {"lazyfree-lazy-expire", "", BoolField{&S::lazyfree_lazy_expire}},
    {"lazyfree-lazy-server-del", "", BoolField{&S::lazyfree_lazy_server_del}},
    {"lazyfree-lazy-user-del", "", BoolField{&S::lazyfree_lazy_user_del}},
    {"lazyfree-lazy-user-flush", "", BoolField{&S::lazyfree_lazy_user_flush}},
    {"jemalloc-bg-thread", "", BoolField{&S::jemalloc_bg_thread}},
    {"hash-max-listpack-entries", "hash-max-ziplist-entries",
     IntegerField{&S::hash_max_listpack_entries, 0, kMax}},
    {"hash-max-listpack-value", "hash-max-ziplist-value",
     IntegerField{&S::hash_max_listpack_value, 0, kMax, kMemory}},
    {"list-max-listpack-size", "list-max-ziplist-size",
     IntegerField{&S::list_max_listpack_size, kMinInt, kMaxInt}},
    {"set-max-intset-entries", "", IntegerField{&S::set_max_intset_entries, 0, kMax}},
    {"set-max-listpack-entries", "", IntegerField{&S::set_max_listpack_entries, 0, kMax}},
    {"set-max-listpack-value", "", IntegerField{&S::set_max_listpack_value, 0, kMax, kMemory}},
    {"zset-max-listpack-entries", "zset-max-ziplist-entries",
     IntegerField{&S::zset_max_listpack_entries, 0, kMax}},
    {"zset-max-listpack-value", "zset-max-ziplist-value",
     IntegerField{&S::zset_max_listpack_value, 0, kMax, kMemory}},
    {"stream-node-max-bytes", "", IntegerField{&S::stream_node_max_bytes, 0, kMax, kMemory}},
    {"stream-node-max-entries", "", IntegerField{&S::stream_node_max_entries, 0, kMax}},
    {"hll-sparse-max-bytes", "", IntegerField{&S::hll_sparse_max_bytes, 0, kMax, kMemory}},
    {"tracking-table-max-keys", "", IntegerField{&S::tracking_table_max_keys, 0, kMax}},
};

}  // namespace

std::span<const Directive> memory_directives() { return kRows; }

}  // namespace tandem
