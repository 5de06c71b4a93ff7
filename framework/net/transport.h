// Requests and replies between nodes over TCP.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "net/asio.h"
#include "net/dialer.h"
#include "net/frame.h"
#include "net/metrics.h"
#include "node/config_file.h"

namespace dynamo::net {

/// One way to answer one request; dead connections swallow it.
using Answer = std::function<void(std::string reply_bytes)>;

struct TransportOptions {
  NodeId self;
  Peers peers;
  std::uint64_t queue_bytes = 8u << 20;  ///< Waiting to be sent, a connection.
  std::string secret;                    ///< Both ends must have the same.
  std::size_t max_inbound = 512;         ///< Connections that others hold open to us.
  int listener = -1;  ///< A descriptor that listens on our address already; taken over.
  int dialer = -1;    ///< Of a Dialer, which makes our connections; -1: we make them ourselves.
};

/// One connection to each peer for our requests and its replies, opened at the first request and
/// again, after a pause that grows to half a second, when it breaks. One thread: that of `io`.
class Transport {
 public:
  /// `call`: the sender's number of it; each start of a sender counts anew.
  using OnRequest = std::function<void(const NodeId& from, std::uint64_t call, MessageType,
                                       std::string bytes, Answer)>;
  using OnReply = std::function<void(std::uint64_t call, std::string bytes)>;
  using OnRefused = std::function<void(std::uint64_t call, std::string why)>;

  /// Binds the peer port at once; throws ConfigError if it is taken. `metrics` outlives the
  /// transport; `io` must not run any more once it is destroyed.
  Transport(boost::asio::io_context& io, TransportOptions options, Metrics& metrics);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Where it listens: the port that was chosen, if the peers file says 0.
  Address address() const;

  /// Begins to accept. The callbacks are never called from within send().
  void start(OnRequest on_request, OnReply on_reply, OnRefused on_refused);

  /// Sends a request. At most one of on_reply and on_refused follows for `call`: refused when
  /// nothing listens, the link breaks, its queue is full, or no frame can be so long. Who waits
  /// sets the timeout.
  void send(const NodeId& to, std::uint64_t call, MessageType type, std::string bytes);

  /// A call was given up: a late reply to it is dropped. A peer that has said nothing at all for
  /// seconds may be gone without a word: then the connection is made anew.
  void forget(const NodeId& to, std::uint64_t call);

  /// Closes everything.
  void stop();

 private:
  class Link;
  class Session;
  friend class Link;
  friend class Session;

  enum Direction { kIn, kOut };
  struct Traffic {
    std::uint64_t& frames;
    std::uint64_t& bytes;
  };

  void accept();
  void count_frame(Direction direction, MessageType type, std::size_t bytes);
  /// Logs it, once for each type.
  void tell_of_too_long(MessageType type, std::size_t bytes, const NodeId& peer);
  std::string secret_digest() const;

  boost::asio::io_context& io_;
  const TransportOptions options_;
  Metrics& metrics_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_pause_;
  std::unique_ptr<Dialer> dialer_;  ///< Null: we make connections ourselves.
  OnRequest on_request_;
  OnReply on_reply_;
  OnRefused on_refused_;
  std::set<MessageType> told_of_too_long_;
  std::array<std::vector<Traffic>, 2> traffic_;  ///< By direction and type, unknown types last.
  std::map<NodeId, std::shared_ptr<Link>> links_;
  std::set<std::shared_ptr<Session>> sessions_;
  bool stopped_ = false;
};

}  // namespace dynamo::net
