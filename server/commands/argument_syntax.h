#pragma once

#include <string_view>

namespace tandem {

// How the arguments of a command are written, by its name ("client|kill"); empty for a command
// without arguments. Arguments stand between spaces:
//
//   value  seconds:i  ratio:d  match:p  when:u   a string, integer, double, pattern, Unix time
//   key:k0                                       a key, and the key spec that finds it
//   EX=seconds:i                                 behind the word EX
//   !NX  change!CH                               the word NX itself; the word CH, named `change`
//   condition:<!NX|!XX>                          one of these
//   range:(start:i end:i)                        these one after the other
//
// and each may end with ? (may be left out), * (may be repeated), + (may be repeated with its
// word), and @6.2.0 (since that version), in this order.
std::string_view argument_syntax(std::string_view command);

}  // namespace tandem
