#include "faultnet/lane.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace dynamo::faultnet {

using boost::system::error_code;

Lane::Lane(boost::asio::ip::tcp::socket& out, Network& network)
    : out_(out), network_(network), timer_(out.get_executor()) {}

void Lane::bind(std::weak_ptr<void> owner, std::function<void()> on_change) {
  owner_ = std::move(owner);
  on_change_ = std::move(on_change);
}

void Lane::carry(Parcel parcel, Duration delay) {
  bytes_ += parcel.frame.size();
  const auto due = std::chrono::steady_clock::now() + delay;
  waiting_.emplace(std::pair(due, ++arrivals_), std::move(parcel));
  wait();
}

void Lane::open() {
  open_ = true;
  write();
}

void Lane::stop() {
  failed_ = true;
  timer_.cancel();
}

void Lane::wait() {
  if (failed_ || waiting_.empty()) return;
  timer_.expires_at(waiting_.begin()->first.first);
  timer_.async_wait([this, alive = owner_.lock()](const error_code& cancelled) {
    if (cancelled || failed_) return;
    const auto now = std::chrono::steady_clock::now();
    while (!waiting_.empty() && waiting_.begin()->first.first <= now) {
      due_.push_back(std::move(waiting_.begin()->second));
      waiting_.erase(waiting_.begin());
    }
    write();
    wait();
  });
}

void Lane::write() {
  if (!open_ || writing_ || failed_ || due_.empty()) return;
  writing_ = true;
  boost::asio::async_write(out_, boost::asio::buffer(due_.front().frame),
                           [this, alive = owner_.lock()](const error_code& error, std::size_t) {
                             writing_ = false;
                             if (error) {
                               stop();
                             } else {
                               Parcel parcel = std::move(due_.front());
                               due_.pop_front();
                               bytes_ -= parcel.frame.size();
                               if (parcel.is_message) network_.received(parcel.message);
                               write();
                             }
                             on_change_();
                           });
}

}  // namespace dynamo::faultnet
