#pragma once

#include <string>

#include "functions/function_set.h"
#include "server/base/settings.h"
#include "server/resp/reply.h"

namespace tandem {

// What INFO functionstats says of a function behind its name:
// "library=l,calls=2,usec=10,usec_per_call=5.00,rejected_calls=0,failed_calls=1,p50=…,last_call=…,
// last_error=…". Percentiles, in microseconds, are those that the configuration names for commands;
// there are none when it does not track latencies. `last_call` is Unix time in seconds. The error
// stands last, without what INFO's lines and their readers would trip over.
std::string function_stats_text(const Function& function, const Settings& settings);

// The same as a map, for FUNCTION LIST WITHSTATS; the error is as it was.
void reply_function_stats(Reply& reply, const FunctionStats& stats, const Settings& settings);

}  // namespace tandem
