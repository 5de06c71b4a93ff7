// What a transaction changed on a disk, for traces: in full where given code laid it out.
#pragma once

#include <string>
#include <vector>

#include "sim/host.h"

namespace dynamo::sim {

/// As JSON text: {"state": {"cart": {"hash": "…", "versions": […], "clock": …} or null}, "history":
/// {"4": {"subject": …}}, …}: space → key → what stands there now, null if nothing does. States of
/// keys (spaces "state" and "hints") and events of the history are told in full, other text as it
/// is, and of what only the solution can read, the number of bytes. At most `kMostStates` keys'
/// states and `kMostTold` others; "…" says how many more there were: {"and": "5 more", "states":
/// 7}.
std::string changes_text(const std::vector<DiskWrite>& writes);
/// A whole disk, in the same way.
std::string disk_text(const Disk& disk);
inline constexpr std::size_t kMostTold = 64;
inline constexpr std::size_t kMostStates = 1024;  ///< The viewer's trees need all of them.

}  // namespace dynamo::sim
