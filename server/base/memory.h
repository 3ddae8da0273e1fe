#pragma once

#include <cstddef>
#include <string>

namespace tandem {

// Bytes the program holds from the allocator: everything that registered threads allocated and no
// registered thread freed. A few loads, so it may be asked before every command. What unregistered
// threads allocate is not seen.
size_t memory_used();

// Counts the calling thread from now until it ends, with all it allocated so far. The thread that
// first asks for memory_used() counts by itself; others that allocate or free the server's data
// call this. At most 32 at a time are counted.
void register_memory_thread();

// The most that memory_used() was when update_memory_peak() was called.
size_t memory_peak();
void update_memory_peak();

// Bytes the allocator really uses for a block: at least what was asked for. 0 for null.
size_t allocation_size(const void* block);

// "jemalloc-5.3.0" or "libc", as INFO shows it.
const std::string& memory_allocator_name();

// Bytes of physical memory the process occupies; 0 when the system does not say.
size_t process_resident_bytes();

// What the allocator holds, from the program's view outwards. Costs too much to ask per command.
struct AllocatorStats {
  size_t allocated = 0;  // handed out
  size_t active = 0;     // in pages with something handed out
  size_t resident = 0;   // in physical memory
};
AllocatorStats read_allocator_stats();

// What the allocator says of itself, for people; a sentence when it says nothing.
std::string allocator_report();

// Gives unused pages back to the system (MEMORY PURGE).
void release_unused_memory();
// Lets the allocator return unused pages from a thread of its own.
void set_allocator_background_thread(bool enabled);

}  // namespace tandem
