#include "server/exec/call.h"

#include <cassert>
#include <string>

#include "server/exec/blocked_clients.h"
#include "server/exec/executor.h"

namespace tandem {

Call::Call(Executor& executor_in, Client& client_in, const Command& command_in, Args args_in,
           Reply& reply_in, uint64_t started_ticks)
    : args(args_in),
      reply(reply_in),
      client(client_in),
      executor(executor_in),
      keyspace(executor_in.keyspace()),
      services(executor_in.services()),
      command(command_in),
      started_ticks_(started_ticks) {}

void Call::emit(std::span<const std::string_view> effect) {
  custom_effect_ = true;
  if (changes_ == 0) changes_ = 1;
  executor.effects().add(client.db, effect);
}

void Call::emit_to_replicas() {
  EffectStream& effects = executor.effects();
  const uint8_t targets = effects.targets();
  effects.set_targets(targets & kEffectToReplicas);
  effects.add(client.db, args);
  effects.set_targets(targets);
}

void Call::notify(KeyspaceEvent event_class, std::string_view event, std::string_view key) {
  executor.notify(client.db, event_class, event, key);
}

bool Call::can_block() const { return executor.can_block(client); }

void Call::block_on_keys(std::span<const std::string_view> keys, ValueType type,
                         int64_t deadline_ms, const BlockOptions& options) {
  assert(can_block());
  executor.blocked().add(*this, keys, type, deadline_ms, options);
}

void Call::wrong_arg_count() {
  reply.error("ERR wrong number of arguments for '" + command.name + "' command");
}

}  // namespace tandem
