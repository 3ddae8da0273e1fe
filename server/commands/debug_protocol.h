#pragma once

namespace tandem {

class Call;

// DEBUG PROTOCOL type: replies a value of each type of RESP, for the tests of clients.
void debug_protocol(Call& call);

}  // namespace tandem
