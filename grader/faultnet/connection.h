// One connection from a node to another, with faultnet in its middle.
#pragma once

#include <utility>  // before Asio: Boost 1.74 with g++ 12 leaves it out

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string_view>

#include "faultnet/lane.h"
#include "faultnet/relay.h"
#include "net/frame.h"

namespace dynamo::faultnet {

/// Two sockets and two lanes. Ends when both ends may know that it has: as long as the network
/// between them is cut, neither learns that the other closed, or was never there.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Proxy& proxy, boost::asio::ip::tcp::socket caller);

  void start();
  void network_changed();

 private:
  /// One end: its socket, what it sends, and the lane that leads to it.
  struct End {
    End(boost::asio::io_context& io, Network& network) : socket(io), lane(socket, network) {}
    boost::asio::ip::tcp::socket socket;
    Lane lane;
    net::FrameReader frames;
    std::array<char, 16384> buffer{};
    bool connected = false;
    bool reading = false;
    bool ended = false;  ///< It closed, or broke: nothing more comes from it.
  };

  void connect();
  void read(End& from);
  void take(End& from, std::string_view bytes);
  void pass(End& from, std::string_view frame, const net::Envelope& envelope);
  void end(End& which);
  void settle();
  void close();

  End& other(const End& end) { return &end == &caller_ ? callee_ : caller_; }
  bool parted() const;

  Proxy& proxy_;
  End caller_;
  End callee_;
  bool closed_ = false;
};

}  // namespace dynamo::faultnet
