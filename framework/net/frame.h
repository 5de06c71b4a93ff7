// What travels on a TCP connection between nodes: frames, each with its length and its checksum.
//
//     u32 length of the body │ u64 XXH3-64 of the body │ body
//
// Both numbers are little-endian. The body is the canonical encoding of an Envelope. A frame whose
// checksum fails is dropped alone: its length still says where the next one begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/fields.h"
#include "core/ids.h"
#include "node/messages.h"

namespace dynamo::net {

inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::size_t kFrameHeaderBytes = 12;

/// Longest body. A longer one is a broken stream: the connection is closed.
inline constexpr std::size_t kMaxFrameBodyBytes = 16u << 20;

enum class FrameKind : std::uint8_t {
  hello,    ///< First on each connection, from who opened it: `call` is the protocol's version.
  request,  ///< `call` names it among the sender's requests.
  reply,    ///< Goes back on the connection that the request came on; `call` is the request's.
};

struct Envelope {
  FrameKind kind = FrameKind::hello;
  std::uint64_t call = 0;
  NodeId from;
  NodeId to;
  MessageType type = 0;  ///< Of the request, in a reply, too.
  std::string payload;   ///< The encoded struct; in a hello the digest of the cluster's secret.
  FIELDS(kind, call, from, to, type, payload)
  bool operator==(const Envelope&) const = default;
};

/// A whole frame, ready to be sent.
std::string to_frame(const Envelope& envelope);

/// The envelope in a body, or nothing if it is malformed.
std::optional<Envelope> envelope_of(std::string_view body);

/// Cuts a stream of bytes into frames.
class FrameReader {
 public:
  enum class State {
    more,      ///< No whole frame is there yet.
    frame,     ///< body() and whole() are the next frame.
    checksum,  ///< The next frame was damaged on its way: it is skipped.
    broken,    ///< A length past the limit: nothing after it can be trusted.
  };

  /// Bodies longer than this are State::broken; kMaxFrameBodyBytes unless said otherwise.
  void set_longest_body(std::size_t bytes) { longest_body_ = bytes; }

  void feed(std::string_view bytes) { buffer_.append(bytes); }

  /// Steps to the next frame. The views of the last one die.
  State next();

  std::string_view body() const;   ///< After State::frame.
  std::string_view whole() const;  ///< After State::frame or State::checksum: header and body.

 private:
  std::string buffer_;
  std::size_t begin_ = 0;  ///< Of the current frame in buffer_.
  std::size_t size_ = 0;   ///< Of the current frame, header included; 0 before the first.
  std::size_t longest_body_ = kMaxFrameBodyBytes;
  bool broken_ = false;
};

}  // namespace dynamo::net
