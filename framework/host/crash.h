// The last thing that a process does: say what it died of, and where.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dynamo::host {

/// Plain data that a crashing process fills in, in shared memory. Its reader believes none of it:
/// it is words for a person.
struct CrashReport {
  static constexpr std::size_t kFrames = 64;

  enum Kind : std::uint32_t { none = 0, by_signal = 1, by_exception = 2 };

  std::uint32_t kind = none;
  std::int32_t signal = 0;
  std::uint64_t fault_address = 0;   ///< For SIGSEGV and SIGBUS.
  std::uint32_t stack_overflow = 0;  ///< 1: the fault lies at the end of the stack.
  std::uint32_t frame_count = 0;
  std::uint64_t frames[kFrames] =
      {};                ///< Innermost first; addresses in the program's file, after the call.
  char type[128] = {};   ///< Of the exception, for example "std::out_of_range".
  char text[2048] = {};  ///< Its what().
};

/// From now on a fatal signal, or an exception that nobody catches, fills in `report`, which
/// outlives the process's threads, and ends the process. Null: it prints them to stderr instead, as
/// program(+0xoffset) lines that addr2line understands. With a sanitizer, signals are left to the
/// sanitizer. `afterwards`, if not null, runs when the report is complete; it must be safe in a
/// signal handler.
void install_crash_reports(CrashReport* report, void (*afterwards)() = nullptr);

/// Remembers where each exception was thrown; nothing where the system's linker cannot do it.
/// frames: `kFrames` places; returns how many were filled in for the last throw of this thread.
std::size_t last_throw(void** frames);

}  // namespace dynamo::host
