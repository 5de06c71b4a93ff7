// One node: the modules of a solution put together, and the Env they see. Without any I/O of its
// own: events come in, effects go out. dynamo-node carries the effects out on sockets and a disk,
// the simulator in virtual time; the object code of a solution is the same.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "core/random.h"
#include "node/cluster_view.h"
#include "node/config.h"
#include "node/forwarding.h"
#include "node/handler_storage.h"
#include "node/local_store.h"
#include "node/messages.h"
#include "node/methods.h"
#include "node/sync_env.h"

namespace dynamo {

/// Names one outgoing call of one start of a node.
using CallId = std::uint64_t;

/// Names one incoming request until it is answered. The driver chooses it and takes it once.
using RequestToken = std::uint64_t;

/// When a handler runs, and the seed of what it draws.
struct Moment {
  Instant now;
  Instant wall;
  std::uint64_t seed = 0;
};

/// What a handler does to the world, in order. The driver holds all of it back until the handler's
/// writes are durable (output commit). The views are dead after the call.
class Effects {
 public:
  virtual ~Effects() = default;
  virtual void call(CallId id, const NodeId& to, MessageType type, std::string bytes,
                    Duration timeout) = 0;
  virtual void reply(RequestToken token, std::string bytes) = 0;
  virtual void set_timer(TimerId id, Duration delay) = 0;
  virtual void cancel_timer(TimerId id) = 0;
  virtual void note(std::string_view text) = 0;
};

/// A node's name, its disk's incarnation, and the config that it starts with.
struct NodeSetup {
  NodeId self;
  Incarnation incarnation = 0;
  NodeConfig config;
  FIELDS(self, incarnation, config)
};

/// Each public method but the accessors is one handler; call them from one thread, one at a time.
/// A solution's exception passes through: the driver must not go on with this node after one.
class Node final : private Env {
 public:
  /// `storage` and `effects` outlive the node. Builds the modules that the config names.
  Node(NodeSetup setup, Storage& storage, Effects& effects);
  ~Node() override;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Comes first and once.
  void start(const Moment& moment, bool bootstrap);

  /// False if no module takes such a request, or the bytes are malformed: then nothing was run.
  bool request(const Moment& moment, RequestToken token, const NodeId& from, MessageType type,
               std::string_view bytes);

  /// The end of a call: its reply, or why there is none. An unknown id is ignored.
  void call_ended(const Moment& moment, CallId id, Result<std::string> outcome);

  /// An unknown or cancelled timer is ignored.
  void timer_fired(const Moment& moment, TimerId id);

  /// Runs a method by number. Nothing if the number is unknown, the module is not at work, or the
  /// arguments are malformed; else the encoded result.
  std::optional<std::string> invoke(const Moment& moment, MethodId method, std::string_view args);

  /// Runs `f` as a handler: what the HTTP API does. `f` may use the modules below.
  template <class F>
  auto handler(const Moment& moment, F&& f);

  // The modules at work; null if the config does not name them. Only inside handler().
  Membership* membership() { return membership_.get(); }
  Ring* ring() { return ring_.get(); }
  Warmup* warmup() { return warmup_.get(); }
  /// Lab 3's, or the given one that stands before lab 5's.
  Coordinator* coordinator();
  Transfer* transfer() { return transfer_.get(); }
  Sync* sync() { return sync_.get(); }
  /// What its exchanges have cost and moved; null without a sync.
  const SyncCounts* sync_counts() const { return sync_env_ ? &sync_env_->counts() : nullptr; }
  /// Null without a coordinator.
  LocalStore* store() { return store_.get(); }
  /// What waits here for its owners; null without quorums.
  const LocalStore* hints() const { return hints_.get(); }
  /// The versioning at work: the solution's, or last write wins.
  const Versioning* versioning() { return versioning_.get(); }

  /// A client's request, within limits and with a deadline, as if it had come in a message. A
  /// second answer of the coordinator is a bug and throws; one after the deadline is not heard.
  /// Only inside handler(), and only with a coordinator at work.
  template <class Request>
  void serve(const Request& request, Responder<typename Request::Reply> responder);
  /// The largest r and w: lab 3's coordinator is lazy, one host decides there.
  std::uint32_t most_hosts() const { return forwarding_ ? setup_.config.n : 1; }
  const NodeSetup& setup() const { return setup_; }

 private:
  struct PendingCall {
    NodeId to;
    RawDone done;
  };

  void begin(const Moment& moment);
  void end();
  void make_store();
  void make_quorums();
  void history_grew(const History& before);
  bool at_work(std::string_view module) const;
  /// Runs `f` on the module that takes such requests; false if it is not at work.
  template <class Request, class F>
  bool with_module_for(F&& f) const;
  Status admit(const ClientWrite& request) const;
  Status admit(const ClientRead& request) const;
  /// Hands a request to the module that takes such; false if that is not at work, or it is
  /// malformed.
  template <class Request>
  bool dispatch(RequestToken token, std::string_view bytes);
  template <class Module, class Request>
  void answer(Module& module, const Request& request, RequestToken token);

  // Env, as the modules see it.
  const NodeId& self() const override { return setup_.self; }
  Incarnation incarnation() const override { return setup_.incarnation; }
  Instant now() const override { return moment_.now; }
  Instant wall_clock() const override { return moment_.wall; }
  std::uint64_t random(std::uint64_t bound) override;
  TimerId after(Duration delay, Callback callback) override;
  void cancel(TimerId timer) override;
  Storage& storage() override { return storage_; }
  void note(std::string_view text) override { effects_.note(text); }
  void call_raw(const NodeId& to, std::string_view type, std::string request_bytes,
                Duration timeout, RawDone done) override;

  const NodeSetup setup_;
  HandlerStorage storage_;
  Effects& effects_;
  Moment moment_;              ///< Of the handler that runs now.
  Random random_;              ///< Seeded anew by each handler's moment.
  std::uint64_t last_id_ = 0;  ///< Calls and timers are numbered from 1.
  std::map<CallId, PendingCall> calls_;
  std::map<TimerId, Callback> timers_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<Warmup> warmup_;
  // From lab 3 on; each needs those above it.
  std::unique_ptr<ModulesView> view_;
  std::unique_ptr<Versioning> versioning_;
  std::unique_ptr<VersionedStore> store_;
  std::unique_ptr<Transfer> transfer_;
  std::unique_ptr<LazyCoordinator> lazy_;
  // One of them at most is at work: lab 3's coordinator, or lab 5's with what it needs.
  std::unique_ptr<VersionedStore> hints_;
  std::unique_ptr<QuorumCoordinator> quorum_;
  std::unique_ptr<Forwarding> forwarding_;
  std::unique_ptr<SyncEnv> sync_env_;
  std::unique_ptr<Sync> sync_;
};

template <class F>
auto Node::handler(const Moment& moment, F&& f) {
  begin(moment);
  if constexpr (std::is_void_v<decltype(f())>) {
    f();
    end();
  } else {
    auto value = f();
    end();
    return value;
  }
}

}  // namespace dynamo
