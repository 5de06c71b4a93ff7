// Connections for a node that may make none itself: somebody it trusts makes them, and hands them
// in.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "core/ids.h"
#include "net/asio.h"

namespace dynamo::net {

/// The node's end of a socket (AF_UNIX, SOCK_SEQPACKET) to faultnet. A question is a number of 8
/// bytes and a peer's name; the answer is the number, and with it a descriptor: a TCP connection to
/// that peer, perhaps still in the making. Without one: it cannot be had. One thread: that of `io`.
class Dialer {
 public:
  /// `fd` is -1 where there is none. Questions are asked at most once; after `stop()` nobody is
  /// told.
  using Take = std::function<void(int fd)>;

  /// Takes `socket` over.
  Dialer(boost::asio::io_context& io, int socket);

  /// `take` is never called from within.
  void dial(const NodeId& peer, Take take);
  void stop();

 private:
  void wait();
  void receive();

  boost::asio::ip::tcp::socket socket_;  ///< Only waited on: Asio's own calls know no descriptors.
  std::uint64_t last_;  ///< Random at first: an answer to a former self is no answer.
  std::map<std::uint64_t, Take> asked_;
  bool stopped_ = false;
};

}  // namespace dynamo::net
