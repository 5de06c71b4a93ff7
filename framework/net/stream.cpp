#include "net/stream.h"

#include <utility>

namespace dynamo::net {

using Error = boost::system::error_code;

namespace {

/// A buffer that grew beyond this in a rush is given back after it.
constexpr std::size_t kKeptBytes = 1u << 20;

}  // namespace

Stream::Stream(boost::asio::ip::tcp::socket socket, std::weak_ptr<StreamOwner> owner,
               std::uint64_t queue_bytes, std::size_t longest_body)
    : socket_(std::move(socket)), owner_(std::move(owner)), queue_bytes_(queue_bytes) {
  frames_.set_longest_body(longest_body);
}

void Stream::start() {
  Error ignored;  // slower without it, and no less right
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  started_ = true;
  read_next();
  if (!waiting_.empty()) write_soon();
}

bool Stream::write(std::string_view frame) {
  // The other end would take a longer frame for a broken stream.
  if (closed_ || frame.size() > kFrameHeaderBytes + kMaxFrameBodyBytes) return false;
  const std::size_t queued = leaving_.size() + waiting_.size();
  if (queued >= queue_bytes_) return false;
  // One that is longer than the whole queue must get through, too: a state grows by merges.
  if (frame.size() <= queue_bytes_ && frame.size() > queue_bytes_ - queued) return false;
  waiting_.append(frame);
  if (started_) write_soon();
  return true;
}

void Stream::write_soon() {
  if (std::exchange(write_posted_, true)) return;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!self->closed_) self->write_next();
  });
}

void Stream::close() {
  closed_ = true;
  owner_.reset();
  Error ignored;
  socket_.close(ignored);
}

void Stream::write_next() {
  leaving_.clear();  // keeps its memory for what waits next
  std::swap(leaving_, waiting_);
  boost::asio::async_write(socket_, boost::asio::buffer(leaving_),
                           [self = shared_from_this()](const Error& error, std::size_t) {
                             if (self->closed_) return;
                             if (error) return self->fail(error.message());
                             self->have_written();
                           });
}

void Stream::have_written() {
  if (leaving_.capacity() > kKeptBytes) leaving_ = {};
  leaving_.clear();
  write_posted_ = !waiting_.empty();
  if (write_posted_) write_next();
}

void Stream::read_next() {
  socket_.async_read_some(boost::asio::buffer(chunk_),
                          [self = shared_from_this()](const Error& error, std::size_t bytes) {
                            if (self->closed_) return;
                            if (error) return self->fail(error.message());
                            self->frames_.feed({self->chunk_.data(), bytes});
                            self->take_frames();
                          });
}

void Stream::take_frames() {
  while (const std::shared_ptr<StreamOwner> owner = owner_.lock()) {
    switch (frames_.next()) {
      case FrameReader::State::more:
        return read_next();
      case FrameReader::State::broken:
        return fail("a frame is longer than allowed");
      case FrameReader::State::checksum:
        owner->dropped("checksum");
        break;
      case FrameReader::State::frame:
        if (std::optional<Envelope> envelope = envelope_of(frames_.body())) {
          owner->took(std::move(*envelope), frames_.whole().size());
        } else {
          owner->dropped("malformed");
        }
    }
  }
}

void Stream::fail(const std::string& why) {
  const std::shared_ptr<StreamOwner> owner = owner_.lock();
  close();
  if (owner) owner->broke(why);
}

}  // namespace dynamo::net
