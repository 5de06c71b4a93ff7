// One direction of a connection: frames that come in here, wait for their time, and go out there.
#pragma once

#include <utility>  // before Asio: Boost 1.74 with g++ 12 leaves it out

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/time.h"
#include "faultnet/network.h"

namespace dynamo::faultnet {

/// A frame on its way.
struct Parcel {
  std::string frame;
  bool is_message = false;  ///< Else part of the transport's own talk, which no fault touches.
  Message message;          ///< Its `bytes` are not kept: empty.
};

/// Holds frames until they are due, then writes them in order of their time. Only on the loop's
/// thread. The owner keeps it alive while handlers run: `owner` is held by each of them.
class Lane {
 public:
  /// `on_written` gets each parcel that went out; `on_change` runs when the lane has become emptier
  /// or its socket has failed.
  Lane(boost::asio::ip::tcp::socket& out, Network& network);

  void bind(std::weak_ptr<void> owner, std::function<void()> on_change);

  /// Goes out after `delay`. Lanes without an open socket keep what is due until open().
  void carry(Parcel parcel, Duration delay);
  void open();

  bool full() const { return bytes_ > kMostBytes; }
  bool empty() const { return waiting_.empty() && due_.empty() && !writing_; }
  bool failed() const { return failed_; }
  void stop();

 private:
  void wait();
  void write();

  /// Read no more from the other end above that; a message larger than all of it still passes
  /// alone.
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20;

  boost::asio::ip::tcp::socket& out_;
  Network& network_;
  std::weak_ptr<void> owner_;
  std::function<void()> on_change_;
  boost::asio::steady_timer timer_;
  /// By due time, then by arrival.
  std::map<std::pair<std::chrono::steady_clock::time_point, std::uint64_t>, Parcel> waiting_;
  std::deque<Parcel> due_;
  std::uint64_t arrivals_ = 0;
  std::size_t bytes_ = 0;  ///< Of all parcels held.
  bool open_ = false;
  bool writing_ = false;
  bool failed_ = false;
};

}  // namespace dynamo::faultnet
