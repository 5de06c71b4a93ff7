// Commands on standard input, an answer each on standard output; both are lines of JSON.
#pragma once

#include <utility>  // before Asio: Boost 1.74 with g++ 12 leaves it out

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/streambuf.hpp>
#include <string>

#include "faultnet/network.h"
#include "faultnet/recorder.h"
#include "faultnet/relay.h"

namespace dynamo::faultnet {

/// Ends the loop when standard input ends: whoever started us is gone then.
class Control {
 public:
  Control(boost::asio::io_context& io, Network& network, Relay& relay, Recorder& recorder);

 private:
  static constexpr std::size_t kLongestLine = std::size_t{1} << 20;

  void read();
  /// {"done": true}, {"counts": […]}, {"steps": […], "missed": 0}, or {"error": "…"}.
  Json answer(const std::string& line);

  boost::asio::io_context& io_;
  Network& network_;
  Relay& relay_;
  Recorder& recorder_;
  boost::asio::posix::stream_descriptor in_;
  boost::asio::streambuf buffer_{kLongestLine};
};

/// Writes a line to standard output. False if nobody reads it any more.
bool say(const Json& line);

}  // namespace dynamo::faultnet
