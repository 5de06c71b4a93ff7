// How long a run is for a person who reads it. The story, the bench and the docs count so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/trace.h"

namespace dynamo::sim {

/// The events of a recorded run. An event is
///   - an operation: of the console, or of a client; but a get that hears the same as the last one
///     of this key at this node is none (a check that waits asks again and again). Also a method
///     with which the check itself changed a disk;
///   - a fault or its end: a node starts, dies, restarts, is paused or goes on, gets a new disk, a
///     full one, one with room again, or another wall clock; links are cut, healed or changed. What
///     is done at one moment to several links is one event, a kill with its restart is one, and so
///     is a message that is lost or broken on its way through a link that is not cut. What changes
///     nothing is none: a heal when nothing is cut.
///   - a delivery that changed something: its handler wrote to the disk of its node (of a message
///     that came twice, each time that it did). Or that was answered with something new: a reply
///     that brings states, nodes of a tree or vnodes that differ to who asked for them, and not the
///     same as the last one.
///   - a timer's handler that wrote to the disk.
/// Deliveries without news (gossip between equals, acknowledgements, refusals, calls without an
/// answer), timers, looks of the check, what clients and the console hear, and the solution's notes
/// are none. A scenario's beginning that went well and that a story tells in one line (nodes start
/// and know each other; a cluster forms) is one event.
enum class Mark : std::uint8_t {
  none,
  event,
  again,  ///< It changes nothing, and says nothing new: a get and its answer as before, a heal when
          ///< nothing is cut.
};

/// One for each step.
std::vector<Mark> mark_events(const std::vector<Step>& steps);
std::size_t count_events(const std::vector<Step>& steps);

}  // namespace dynamo::sim
