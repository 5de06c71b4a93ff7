// What a solution died of, told to a student.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "host/crash.h"

namespace dynamo::sim {

/// All that is known of a dead host. Everything but `cause`, `status` and the limits comes from the
/// solution's own process, and is words only.
struct Death {
  enum class Cause : std::uint8_t {
    ended,           ///< By itself: see status.
    endless_loop,    ///< Used more than `limit` of CPU; we ended it.
    asleep,          ///< Did not answer within `limit`; we ended it.
    broke_protocol,  ///< See detail; we ended it.
  };
  Cause cause = Cause::ended;
  int status = 0;  ///< As waitpid gave it.
  Duration limit{0};
  std::string detail;
  bool was_serving = false;  ///< False: it died before main() was ready.
  std::string at_work;       ///< "n2 was handling a Gossip", or empty.
  host::CrashReport crash;
  std::string words;              ///< What it printed to stdout and stderr, the end of it.
  std::string program;            ///< For file and line.
  std::vector<std::string> tool;  ///< What a program that reads `program` is started behind.
};

/// Several lines: what happened, where, while what, and the solution's last words.
std::string tell(const Death& death);

/// "exception std::out_of_range: …", or for a stub of the skeleton, whose exception begins with
/// "TODO(": "not written yet: TODO(lab1 A): merge: …".
std::string tell_exception(const std::string& type, const std::string& text);

}  // namespace dynamo::sim
