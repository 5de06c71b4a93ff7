// One end of a connection between nodes: what both ends of it do alike.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/asio.h"
#include "net/frame.h"

namespace dynamo::net {

class Stream;

/// Who is told of what happens on a stream. Never called after Stream::close().
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  /// `frame_bytes` is what it took on the wire.
  virtual void took(Envelope envelope, std::size_t frame_bytes) = 0;
  /// One frame was damaged, and is lost; the stream goes on.
  virtual void dropped(const std::string& why) = 0;
  /// The stream is of no more use. Comes once.
  virtual void broke(const std::string& why) = 0;
};

/// A socket with a bounded queue of frames to write and a reader of frames. Its own handlers keep
/// it alive, so an owner may let go of it at any time: close() first.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  /// At most `queue_bytes` wait to be written, or one frame more, if that alone is longer.
  /// `longest_body` bounds what is read, see expect().
  Stream(boost::asio::ip::tcp::socket socket, std::weak_ptr<StreamOwner> owner,
         std::uint64_t queue_bytes, std::size_t longest_body);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  boost::asio::ip::tcp::socket& socket() { return socket_; }

  /// Begins to read, and to write what waits. The socket is connected now.
  void start();

  /// Queues a frame, also before start(). False, and nothing is queued, if it does not fit. All
  /// that is queued in one turn of the loop leaves together.
  bool write(std::string_view frame);

  /// From the next frame on, bodies may have so many bytes: little until the other end has said who
  /// it is, then more.
  void expect(std::size_t longest_body) { frames_.set_longest_body(longest_body); }

  /// Nothing more is read, written, or told. What waits to be written is lost.
  void close();

 private:
  void read_next();
  void write_soon();
  void write_next();
  void have_written();
  void take_frames();
  void fail(const std::string& why);

  boost::asio::ip::tcp::socket socket_;
  std::weak_ptr<StreamOwner> owner_;  ///< Empty after close().
  const std::uint64_t queue_bytes_;
  std::string waiting_;  ///< Frames, one after the other.
  std::string leaving_;  ///< Is being written. Counts with what waits.
  bool write_posted_ =
      false;  ///< write_next() comes of itself: it is posted, or a write is under way.
  bool started_ = false;
  bool closed_ = false;
  FrameReader frames_;
  std::array<char, 65536> chunk_;
};

}  // namespace dynamo::net
