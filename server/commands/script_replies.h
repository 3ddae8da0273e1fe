#pragma once

#include "functions/script_run.h"
#include "server/resp/reply.h"

namespace tandem {

// What FUNCTION KILL and SCRIPT KILL answer.
inline void reply_kill_outcome(Reply& reply, KillOutcome outcome) {
  switch (outcome) {
    case KillOutcome::kKilled:
      reply.ok();
      break;
    case KillOutcome::kNotBusy:
      reply.error("NOTBUSY No scripts in execution right now.");
      break;
    case KillOutcome::kUnkillable:
      reply.error(
          "UNKILLABLE Sorry the script already executed write commands against the dataset. You "
          "can either wait the script termination or kill the server in a hard way using the "
          "SHUTDOWN NOSAVE command.");
      break;
    case KillOutcome::kFromPrimary:
      reply.error(
          "UNKILLABLE The busy script was sent by a primary instance in the context of replication "
          "and cannot be killed.");
      break;
  }
}

}  // namespace tandem
