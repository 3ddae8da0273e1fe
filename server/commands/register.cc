#include "server/commands/families.h"

namespace tandem {

void register_all_commands(CommandTable& table) {
  table.add(string_commands());
  table.add(string_edit_commands());
  table.add(bitmap_commands());
  table.add(hyperloglog_commands());
  table.add(hash_commands());
  table.add(hash_expiry_commands());
  table.add(set_commands());
  table.add(stream_commands());
  table.add(stream_group_commands());
  table.add(stream_claim_commands());
  table.add(stream_read_commands());
  table.add(stream_info_commands());
  table.add(list_commands());
  table.add(list_move_commands());
  table.add(sort_commands());
  table.add(sorted_set_commands());
  table.add(sorted_set_range_commands());
  table.add(sorted_set_pop_commands());
  table.add(sorted_set_algebra_commands());
  table.add(geo_commands());
  table.add(geo_search_commands());
  table.add(key_commands());
  table.add(object_commands());
  table.add(expiry_commands());
  table.add(migrate_commands());
  table.add(transaction_commands());
  table.add(connection_commands());
  table.add(client_commands());
  table.add(client_tracking_commands());
  table.add(config_commands());
  table.add(introspection_commands());
  table.add(debug_commands());
  table.add(server_commands());
  table.add(slowlog_commands());
  table.add(latency_commands());
  table.add(memory_commands());
  table.add(persistence_commands());
  table.add(replication_commands());
  table.add(function_commands());
  table.add(function_copy_commands());
  table.add(pubsub_commands());
  table.add(lolwut_commands());
  table.add(scripting_commands());
}

}  // namespace tandem
