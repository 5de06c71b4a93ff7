// What happened in a world, step by step: one format for the simulator and for real processes.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/random.h"
#include "core/time.h"

namespace dynamo::sim {

/// One step. As JSON, a line each: {"t_us", "node", "event", …}; fields that say nothing are left
/// out.
struct Step {
  enum class Kind : std::uint8_t {
    start,    ///< A node begins. text: the operator's flag, if set; data: what is on its disk.
    send,     ///< peer, message, id: the call that it belongs to, data
    receive,  ///< As send; writes: what the handler that took it wrote.
    drop,     ///< text: why nobody got it.
    refused,  ///< A call of `node` to `peer` ended so; text: why.
    timeout,  ///< A call of `node` to `peer` ended so.
    timer,    ///< id, writes
    commit,   ///< writes, text: to which spaces, data: what stands there now (state_words.h)
    console,  ///< The operator asks `node`; message: "add" or "remove", text: the subject
    answer,   ///< What the console hears; text: "done", or the error, or "nothing"
    client,   ///< A client asks `node`; message: "put", "get" or "delete", id: which operation of
              ///< all, data: key, value and request id
    told,   ///< What that client hears; message, id and data (the key) as before, text: the answer
    check,  ///< The check looks: message: the method, data: its arguments, text: what it returned
    crash,  ///< text: how
    restart,
    wipe,
    pause,
    resume,
    cut,  ///< From node to peer, one direction; so are heal, link.
    heal,
    link,    ///< text: the new model
    forget,  ///< A `drop` order is given: text
    skew,    ///< text: milliseconds
    disk_full,
    disk_freed,
    configure,  ///< text: the settings of every start from now on
    note,       ///< The solution's own words.
    phase,      ///< Of the scenario; text: what begins. Steps up to the next phase belong to it.
    running,    ///< The last step of a host that died: this handler was at work.
    ring,       ///< After all others; data: who owns what, as `node` answers then (rings.h)
    ring_then,  ///< After all others, at its moment: the ring that `node` has from then on
                ///< (rings.h)
    places,     ///< After all others; data: where keys lie in the Merkle trees (places.h)
  };

  Instant at{};
  NodeId node;
  Kind kind = Kind::note;
  NodeId peer;
  std::string message;  ///< Name of the message type, or of what was asked.
  bool reply = false;
  std::uint64_t id = 0;
  std::size_t writes = 0;
  std::string data;  ///< JSON text.
  std::string text;
};

std::string_view name_of(Step::Kind kind);

/// One line of JSON, without the newline.
std::string to_jsonl(const Step& step);

/// A running hash over all steps, always on; the steps themselves only if somebody wants them.
class Trace {
 public:
  explicit Trace(bool recording) : recording_(recording) {}

  void mix_in(std::uint64_t value) { hash_ = mix(hash_ ^ value); }
  std::uint64_t hash() const { return hash_; }

  bool recording() const { return recording_; }
  void add(Step step);

  /// In order of time; at most kMost, then recording ends (the hash goes on).
  const std::vector<Step>& steps() const { return steps_; }
  static constexpr std::size_t kMost = 2'000'000;

 private:
  bool recording_;
  std::uint64_t hash_ = 0x64796e616d6fULL;
  std::vector<Step> steps_;
};

}  // namespace dynamo::sim
