#pragma once

#include <span>

#include "server/exec/command.h"

namespace tandem {

// The rows of each family of commands; a family's file defines its handlers and ends with its rows.
std::span<const CommandRow> string_commands();
std::span<const CommandRow> string_edit_commands();
std::span<const CommandRow> bitmap_commands();
std::span<const CommandRow> hyperloglog_commands();
std::span<const CommandRow> hash_commands();
std::span<const CommandRow> hash_expiry_commands();
std::span<const CommandRow> set_commands();
std::span<const CommandRow> stream_commands();
std::span<const CommandRow> stream_group_commands();
std::span<const CommandRow> stream_claim_commands();
std::span<const CommandRow> stream_read_commands();
std::span<const CommandRow> stream_info_commands();
std::span<const CommandRow> list_commands();
std::span<const CommandRow> list_move_commands();
std::span<const CommandRow> sort_commands();
std::span<const CommandRow> sorted_set_commands();
std::span<const CommandRow> sorted_set_range_commands();
std::span<const CommandRow> sorted_set_pop_commands();
std::span<const CommandRow> sorted_set_algebra_commands();
std::span<const CommandRow> geo_commands();
std::span<const CommandRow> geo_search_commands();
std::span<const CommandRow> key_commands();
std::span<const CommandRow> object_commands();
std::span<const CommandRow> expiry_commands();
std::span<const CommandRow> migrate_commands();
std::span<const CommandRow> transaction_commands();
std::span<const CommandRow> connection_commands();
std::span<const CommandRow> client_commands();
std::span<const CommandRow> config_commands();
std::span<const CommandRow> introspection_commands();
std::span<const CommandRow> debug_commands();
std::span<const CommandRow> server_commands();
std::span<const CommandRow> slowlog_commands();
std::span<const CommandRow> latency_commands();
std::span<const CommandRow> memory_commands();
std::span<const CommandRow> persistence_commands();
std::span<const CommandRow> replication_commands();
std::span<const CommandRow> function_commands();
std::span<const CommandRow> function_copy_commands();
std::span<const CommandRow> pubsub_commands();
std::span<const CommandRow> scripting_commands();
std::span<const CommandRow> client_tracking_commands();
std::span<const CommandRow> lolwut_commands();

// Adds every family to the table.
void register_all_commands(CommandTable& table);

}  // namespace tandem
