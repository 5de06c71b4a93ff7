// A real node: Node's effects carried out on sockets, timers and a disk. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/random.h"
#include "host/flight_recorder.h"
#include "net/asio.h"
#include "net/http_server.h"
#include "net/metrics.h"
#include "net/transport.h"
#include "node/context_seal.h"
#include "node/node.h"
#include "storage/lmdb_store.h"

namespace dynamo {

struct RealNodeOptions {
  NodeId id;
  std::filesystem::path data;  ///< Folder of the disk.
  NodeConfig config;
  Peers peers;
  std::string bind;  ///< Instead of the loopback addresses of the peers file; empty: as there.
  std::string admin_token;  ///< Demanded by /admin unless it is empty.
  bool bootstrap = false;
  std::filesystem::path record;  ///< Each handler is noted down here; empty: nowhere.
  /// Sockets that were handed in, for a node that may make none: they listen for peers and for
  /// HTTP, and lead to who makes its connections (net/dialer.h). -1: there is none.
  struct Sockets {
    int peers = -1;
    int http = -1;
    int dialer = -1;
  };
  Sockets sockets = {};
  /// See LmdbOptions.
  std::function<int(int file)> sync_for_test = {};
};

/// The io_context must not run any more once this is destroyed. Output commit with group commit:
/// all handlers that wait in one turn of the loop run, their writes are made durable together, and
/// only then their messages, answers and timers take effect. Meanwhile the next turns run; what
/// they have seen may not be durable yet, so their outputs wait, too, and leave in the turns'
/// order.
class RealNode final : private Effects {
 public:
  /// Opens disk and ports. Throws ConfigError or StorageError.
  RealNode(boost::asio::io_context& io, RealNodeOptions options);
  ~RealNode() override;
  RealNode(const RealNode&) = delete;
  RealNode& operator=(const RealNode&) = delete;

  /// Starts the modules and serves. Exceptions of a handler come out of io.run(): the node must
  /// stop.
  void start();
  void stop();

  net::Metrics& metrics() { return metrics_; }
  Address peer_address() const { return transport_.address(); }
  Address http_address() const { return http_.address(); }

  /// Queues `work`, which only looks, as a handler of the node. `answer` is what it gives out after
  /// the commit.
  void run_handler(std::function<void(Node&)> work, std::function<void()> answer);

  /// Runs a method of a module as a handler. `answer` gets the encoded result after the commit, or
  /// nothing if the module is not at work.
  void invoke(MethodId method, std::string args,
              std::function<void(const std::optional<std::string>&)> answer);

  /// A client's request, handed to the module that takes such. `answer` gets the encoded reply,
  /// after the commit; nothing ever comes if no module takes it.
  void ask(MessageType type, std::string bytes, net::Answer answer);

  /// For a client that gave none: never given out before, by any start of any node.
  std::string new_request_id();

  /// Is a coordinator at work? Without one, nobody takes a client's request.
  bool keeps_keys() { return node_.coordinator() != nullptr; }

  /// The largest r and w that a client may ask for.
  std::uint32_t most_hosts() const { return node_.most_hosts(); }

  const ContextSeal& seal() const { return seal_; }
  const RealNodeOptions& options() const { return options_; }
  Moment moment();

  /// The wall clock that handlers see is off by `by` from now on: a fault, as the simulator's.
  void skew_for_test(std::chrono::milliseconds by) { skew_ = by; }

 private:
  /// The outputs of a turn, or of its first handlers, and what must be durable before they leave.
  struct HeldBack {
    Commit commit;
    std::chrono::steady_clock::time_point ended;
    std::vector<std::function<void()>> outputs;
  };

  LmdbOptions store_options();
  void enqueue(std::function<void()> handler);
  void turn();
  template <class Tell, class Run>
  void handle(Tell&& tell, Run&& run);
  void hold_back(const Commit& commit, std::vector<std::function<void()>> outputs);
  void release();
  void count(const Commit& commit, std::chrono::steady_clock::time_point ended);
  void warn_of_bootstrap();
  void end_call(CallId id, Result<std::string> outcome);
  void take_request(const NodeId& from, CallId call, MessageType type, std::string bytes,
                    net::Answer answer);

  // Effects: kept back in outbox_ until the turn's end, and then in held_back_.
  void call(CallId id, const NodeId& to, MessageType type, std::string bytes,
            Duration timeout) override;
  void reply(RequestToken token, std::string bytes) override;
  void set_timer(TimerId id, Duration delay) override;
  void cancel_timer(TimerId id) override;
  void note(std::string_view text) override;

  void send_call(CallId id, const NodeId& to, MessageType type, std::string bytes,
                 Duration timeout);
  void arm_timer(TimerId id, Duration delay);

  boost::asio::io_context& io_;
  const RealNodeOptions options_;
  const ContextSeal seal_;
  net::Metrics metrics_;
  std::uint64_t& handlers_ = metrics_.counter("dynamo_handlers_total");
  Random random_;
  std::chrono::milliseconds skew_{0};
  const std::chrono::steady_clock::time_point born_ = std::chrono::steady_clock::now();
  LmdbStore store_;
  std::unique_ptr<host::FlightRecorder> recorder_;  ///< Null: nothing is recorded.
  net::Transport transport_;
  net::HttpServer http_;
  std::vector<std::function<void()>> inbox_;   ///< Handlers that wait for the next turn.
  std::vector<std::function<void()>> outbox_;  ///< What this turn's handlers did, in order.
  std::deque<HeldBack> held_back_;
  bool turn_posted_ = false;
  std::map<CallId, boost::asio::steady_timer> calls_;  ///< Their timeouts.
  std::map<TimerId, boost::asio::steady_timer> timers_;
  std::map<RequestToken, net::Answer> requests_;
  RequestToken last_token_ = 0;
  bool stopped_ = false;
  Node node_;  ///< Last: its modules have effects from their constructors to their destructors.
};

}  // namespace dynamo
