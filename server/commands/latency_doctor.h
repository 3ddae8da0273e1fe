#pragma once

#include <cstdint>
#include <string>

#include "server/base/settings.h"
#include "server/exec/latency_monitor.h"

namespace tandem {

// What LATENCY DOCTOR says: each event in numbers, and what may help.
std::string diagnose_latency(const LatencyMonitor& monitor, const Settings& settings,
                             int64_t now_s);

}  // namespace tandem
