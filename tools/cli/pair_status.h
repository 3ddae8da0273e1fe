#pragma once

#include <string>

#include "tools/cli/options.h"
#include "tools/cli/pair_view.h"

namespace tandem::cli {

// `tandem-cli [OPTIONS] pair status [SERVER] [--once] [--interval SECONDS] [--json]`;
// `options.command` begins with "pair". Shows a primary and its replicas, found from any of them,
// again and again until it is interrupted; with --once it returns 1 when something is wrong.
int run_pair(const Options& options);

// `rate`: bytes a second that the primary's stream grows by, when that is known.
std::string pair_table(const PairView& view, std::optional<double> rate);
std::string pair_json(const PairView& view, std::optional<double> rate);

}  // namespace tandem::cli
