// Waiting for a condition while an io_context runs: with a deadline, and without sleeping.
#pragma once

#include <chrono>
#include <functional>

#include "net/asio.h"

namespace dynamo::testing {

/// Runs `io` until `done()`; false if that takes longer than a busy machine ever should.
inline bool run_until(boost::asio::io_context& io, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    if (io.stopped()) io.restart();
    io.run_one_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// A port on loopback that nothing listens on (at this moment).
inline std::uint16_t free_port() {
  boost::asio::io_context io;
  using boost::asio::ip::tcp;
  tcp::acceptor acceptor(io, {boost::asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

}  // namespace dynamo::testing
