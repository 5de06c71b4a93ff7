// The proxies: a listening port for each directed pair of nodes, and the connections through it.
#pragma once

#include <utility>  // before Asio: Boost 1.74 with g++ 12 leaves it out

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "core/json_fwd.h"
#include "faultnet/network.h"

namespace dynamo::faultnet {

class Connection;

/// What `caller` takes for the peer port of `callee`. Nothing is copied blindly: frames are read,
/// each message gets its fate, and what survives goes on when its delay is over.
class Proxy {
 public:
  /// Listens at once, on a free port of the loopback interface. Throws boost::system::system_error.
  Proxy(boost::asio::io_context& io, Network& network, NodeIndex caller, NodeIndex callee,
        const boost::asio::ip::tcp::endpoint& upstream);
  ~Proxy();

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  /// The network has changed: connections whose ends have missed each other's end meanwhile are
  /// closed.
  void network_changed();

 private:
  friend class Connection;
  void accept();

  static constexpr std::size_t kMostConnections = 64;  ///< A node needs one; more are refused.

  boost::asio::io_context& io_;
  Network& network_;
  const NodeIndex caller_;
  const NodeIndex callee_;
  const boost::asio::ip::tcp::endpoint upstream_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;  ///< Before the next try when a connection cannot be accepted.
  std::set<std::shared_ptr<Connection>> connections_;
};

/// All proxies of a cluster.
class Relay {
 public:
  Relay(boost::asio::io_context& io, Network& network, const Spec& spec);

  /// {"n1": {"n2": port, …}, …}: what n1 is to be told as the port of n2.
  Json ports() const;
  /// Of the proxy between these two; 0 if there is none.
  std::uint16_t port(const NodeId& caller, const NodeId& callee) const;
  void network_changed();

 private:
  struct Pair {
    NodeIndex caller;
    NodeIndex callee;
    std::unique_ptr<Proxy> proxy;
  };
  const Network& network_;
  std::vector<Pair> pairs_;
};

}  // namespace dynamo::faultnet
