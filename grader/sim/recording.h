// What the flight recorders of real nodes wrote (host/flight_recorder.h), read back: as one trace
// in the simulator's format, and run again in a host to see whether the solution does the same.
//
// A recording comes from the solution's own process. It explains a failure; it decides none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/protocol.h"
#include "sim/host.h"
#include "sim/plan.h"
#include "sim/trace.h"

namespace dynamo::sim {

/// One handler of a real node.
struct RecordedHandler {
  host::Command kind = host::Command::start;
  Moment moment;
  bool bootstrap = false;       ///< start
  std::uint64_t id = 0;         ///< request: its token · call_ended: the call · timer_fired
  NodeId from;                  ///< request; empty: a client
  CallId call = 0;              ///< request: what its sender calls it
  MessageType type = 0;         ///< request
  MethodId method = 0;          ///< invoke: by the console
  std::string bytes;            ///< request · invoke: its arguments
  Result<std::string> outcome;  ///< call_ended
  std::optional<std::uint64_t> no_room;  ///< The disk said that so many bytes do not fit.
  std::optional<Handled> done;           ///< Nothing: the node ended in it.
};

/// One start of a node, and what it did until its end.
struct RecordedStart {
  Duration born{0};  ///< On the machine's steady clock, when the node's clock was 0.
  NodeSetup setup;
  Disk disk;
  std::vector<RecordedHandler> handlers;
};

/// One node's file.
struct Recording {
  std::vector<RecordedStart> starts;
  bool full = false;  ///< It was cut at the recorder's bound.
};

/// A torn end, as kill -9 leaves it, is left out. Throws GraderTrouble, naming the file and the
/// byte, if it cannot be read or is damaged.
Recording read_recording(const std::filesystem::path& file);

/// All that the nodes did, and what was done to them, in order of time; 0 is `began`, on the
/// machine's steady clock. `faults`: with times since `began`; starts and the console's questions
/// in it are left out, since the nodes recorded them. A message has the number of its call, so it
/// has one at both ends; a request that its receiver did not record keeps its sender's.
std::vector<Step> steps_of(const std::vector<Recording>& recordings,
                           const std::vector<Action>& faults, Duration began);

/// What came of feeding one start's events to a node in a host.
struct Rerun {
  NodeId node;
  std::size_t start = 1;     ///< The first is 1.
  std::size_t handlers = 0;  ///< That ran again and did the same.
  std::string difference;    ///< Empty: all did the same. Else what differs first, in words.
  std::string death;         ///< Empty: it lives. Else how the solution died, in words.
  bool died_then = false;    ///< The recording ends inside of a handler, too.
  /// What its ring answers at the end; empty if it did not come there, or has no ring.
  std::vector<NodeId> owners;
};

/// Runs each start of a recording again, the same events with the same clock and seeds, and
/// compares what the handlers sent, wrote and asked for. `host` serves the solution that was
/// recorded.
std::vector<Rerun> rerun(const Recording& recording, Host& host);

/// The rings that the nodes had on the way (rings.h), as the solution in `host` answers. Nothing if
/// it has none, or dies of the question.
std::vector<Step> rings_on_the_way(const NodeSetup& setup, const std::vector<Step>& steps,
                                   Host& host);

}  // namespace dynamo::sim
