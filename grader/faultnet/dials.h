// Connections for nodes that may make none themselves: a node in a sandbox asks, and is handed one.
#pragma once

#include <utility>  // before Asio: Boost 1.74 with g++ 12 leaves it out

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <list>

#include "faultnet/relay.h"
#include "faultnet/spec.h"

namespace dynamo::faultnet {

/// The other end of framework/net/dialer.h, one for each node of spec.dial. A node gets connections
/// to its own proxies alone, whatever it asks for; descriptors that it sends are dropped unseen.
class Dials {
 public:
  /// Takes the descriptors over.
  Dials(boost::asio::io_context& io, const Relay& relay, const Spec& spec);

 private:
  struct Line {
    NodeId node;
    boost::asio::posix::stream_descriptor socket;
  };
  void wait(Line& line);
  /// False if the other end is gone.
  bool answer_one(Line& line);

  const Relay& relay_;
  std::list<Line> lines_;
};

}  // namespace dynamo::faultnet
