// The seam between the trusted side and a solution: nodes that live in a host, and what they do.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/codec.h"
#include "node/node.h"

namespace dynamo::sim {

/// A disk's true content: (space, key) → value. The trusted side keeps it.
using Disk = std::map<std::pair<std::string, std::string>, std::string>;

/// One write of a handler, in order; no value: an erase.
struct DiskWrite {
  std::string space;
  std::string key;
  std::optional<std::string> value;
};

/// One effect of a handler that leaves the node, in order.
struct Effect {
  enum class Kind : std::uint8_t { call, reply, set_timer, cancel_timer, note };
  Kind kind = Kind::note;
  std::uint64_t id = 0;  ///< Call, timer, or the token of the request that a reply answers.
  NodeId to;             ///< call
  MessageType type = 0;  ///< call
  Duration delay{0};     ///< set_timer: from now · call: its timeout
  std::string bytes;     ///< call, reply: the message · note: the text
};

/// All that one handler did.
struct Handled {
  bool taken = true;              ///< False: no module takes such a request, or it was malformed.
  std::vector<DiskWrite> writes;  ///< One transaction.
  std::vector<Effect> effects;
  std::optional<std::string> result;  ///< Of an invoke.
};

/// A node within a host. Slots are numbered by the caller and reused as it likes.
using Slot = std::uint32_t;

/// The solution did something that ends its host: crashed, threw, looped, exited, broke the
/// protocol. what() says so for a student: kind, where (file and line), and its last words.
class SolutionDied : public std::runtime_error {
 public:
  explicit SolutionDied(const std::string& what, std::vector<Slot> slots = {})
      : std::runtime_error(what), slots_(std::move(slots)) {}
  const std::vector<Slot>& slots() const {
    return slots_;
  }  ///< Asked last; one of them was at work.

 private:
  std::vector<Slot> slots_;
};

/// The grader's own trouble (no memory, no process to be had): never the student's fault.
class GraderTrouble : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Nodes of a solution, out of process or linked in. Queue any number of handlers, then exchange()
/// once: they cross together and run in the order in which they were queued.
class Host {
 public:
  virtual ~Host() = default;

  /// Makes a node in `slot`, in place of what was there. `room` is how many bytes its disk may grow
  /// by.
  virtual void make(Slot slot, const NodeSetup& setup, const Disk& disk, std::uint64_t room) = 0;
  /// The same, from an image of a disk that many nodes begin with; it crosses over once.
  virtual void make_from(const std::shared_ptr<const Disk>& image, Slot slot,
                         const NodeSetup& setup, std::uint64_t room) = 0;
  virtual void destroy(Slot slot) = 0;
  virtual void set_room(Slot slot, std::uint64_t room) = 0;

  virtual void start(Slot slot, const Moment& moment, bool bootstrap) = 0;
  virtual void request(Slot slot, const Moment& moment, RequestToken token, const NodeId& from,
                       MessageType type, std::string_view bytes) = 0;
  virtual void call_ended(Slot slot, const Moment& moment, CallId id,
                          const Result<std::string>& outcome) = 0;
  virtual void timer_fired(Slot slot, const Moment& moment, TimerId id) = 0;
  virtual void invoke(Slot slot, const Moment& moment, MethodId method, std::string_view args) = 0;

  /// Crosses over; one Handled for each of start … invoke queued since the last time, in order
  /// (make, make_from, destroy and set_room give none). Throws SolutionDied; the host then begins
  /// anew without any node.
  virtual std::vector<Handled> exchange() = 0;

  /// Heap allocations that the last exchange's handlers made; 0 where it cannot be counted.
  virtual std::uint64_t allocations() const = 0;
};

struct ProcessOptions {
  std::string node_binary;  ///< dynamo-node of the solution.
  int cpu = -1;             ///< Pins host and caller to this core; -1: leaves them alone.
  Duration cpu_limit =
      std::chrono::seconds(3);  ///< CPU time of one handler: past it, an endless loop.
  Duration wall_limit = std::chrono::seconds(60);  ///< Of one handler: for a host that sleeps.
  bool perturb = false;  ///< Another heap layout, to find what should not depend on it.
  /// Each node in a process of its own, equal pages of memory once: for thousands of nodes that
  /// know much alike. A node then takes no memory to speak of, but a turn of it twice the time.
  /// Where the system cannot do it, all nodes share one process as ever.
  bool apart = false;
  bool portable = false;  ///< Socketpair instead of the futex mailbox, as on macOS.
};

/// A host in a process of its own; it starts with the first exchange, and anew with the first one
/// after a death. Keep it to one thread: a host ends with the thread that started it. Throws
/// GraderTrouble if it cannot be started.
std::unique_ptr<Host> start_process_host(const ProcessOptions& options);

/// A host within this process, for gdb and for tests of ours: never for points.
std::unique_ptr<Host> make_linked_host();

/// Runs one method on a node: invoke<&Ring::owners>(host, slot, moment). Its writes and effects go
/// to `handled` if that is not null. Throws SolutionDied also when the answer is malformed.
template <auto M, class... A>
auto invoke(Host& host, Slot slot, const Moment& moment, Handled* handled, const A&... args) {
  using Traits = MethodTraits<decltype(M)>;
  using Value =
      std::conditional_t<std::is_void_v<typename Traits::Value>, Done, typename Traits::Value>;
  host.invoke(slot, moment, method_id<M>, codec::encode(typename Traits::Arguments(args...)));
  Handled done = std::move(host.exchange().at(0));
  std::optional<Value> value;
  if (done.result) value = codec::decode<Value>(*done.result);
  if (!value) throw SolutionDied("the module that was asked is not at work in this node");
  if (handled != nullptr) *handled = std::move(done);
  return std::move(*value);
}

}  // namespace dynamo::sim
