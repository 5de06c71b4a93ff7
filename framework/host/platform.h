// The few calls that differ between systems; each has a portable fallback.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace dynamo::host::platform {

/// True where one process can sleep on a word of memory that it shares with another.
bool has_futex();

/// Sleeps until somebody wakes `word`, at most `slice`; at once if it is no longer `seen`. May wake
/// for no reason. Only where has_futex().
void sleep_on(std::atomic<std::uint32_t>& word, std::uint32_t seen,
              std::chrono::milliseconds slice);
void wake(std::atomic<std::uint32_t>& word);

/// Anonymous memory that a child can map, too; pages that nobody touches cost nothing. Returns a
/// descriptor with close-on-exec, or -1 and errno.
int make_shared_memory(std::size_t bytes);

/// An anonymous file for what a child prints: close-on-exec, writes append. -1 and errno.
int make_scratch_file();

/// From now on this process is killed when its parent dies, where the system can do that.
void die_with_parent();

/// Pins the calling thread, and what it starts, to one core. False where it cannot be done.
bool pin_to(int cpu);

/// CPU time that another process has used, all its threads together. Nothing if it cannot be told.
std::optional<std::chrono::nanoseconds> cpu_time(pid_t process);

/// True in a program that AddressSanitizer or ThreadSanitizer is linked into.
bool has_sanitizer();

/// Where the program's own code was loaded: a code address minus this is an address in its file.
std::uintptr_t program_base();

/// Program counter and stack pointer in a signal handler's context; 0 where we cannot tell.
struct Registers {
  std::uintptr_t program_counter = 0;
  std::uintptr_t stack_pointer = 0;
};
Registers registers_of(const void* signal_context);

/// Closes all descriptors from `first` on. Safe between fork and exec.
void close_from(int first);

}  // namespace dynamo::host::platform
