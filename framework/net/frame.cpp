#include "net/frame.h"

#include <utility>

#include "core/codec.h"
#include "core/keys.h"

namespace dynamo::net {

namespace {

std::uint64_t read_number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

void append_number(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

}  // namespace

std::string to_frame(const Envelope& envelope) {
  const std::string body = codec::encode(envelope);
  std::string frame;
  frame.reserve(kFrameHeaderBytes + body.size());
  append_number(frame, body.size(), 4);
  append_number(frame, hash_of(body), 8);
  return frame += body;
}

std::optional<Envelope> envelope_of(std::string_view body) {
  std::optional<Envelope> envelope = codec::decode<Envelope>(body);
  if (envelope && envelope->kind > FrameKind::reply) envelope.reset();
  return envelope;
}

FrameReader::State FrameReader::next() {
  if (broken_) return State::broken;
  begin_ += std::exchange(size_, 0);
  // Moving the rest to the front only when half is used up keeps the cost linear.
  if (begin_ > buffer_.size() / 2) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  const std::string_view rest = std::string_view(buffer_).substr(begin_);
  if (rest.size() < kFrameHeaderBytes) return State::more;
  const std::uint64_t length = read_number(rest.substr(0, 4));
  if (length > longest_body_) {
    broken_ = true;
    return State::broken;
  }
  if (rest.size() < kFrameHeaderBytes + length) return State::more;
  size_ = kFrameHeaderBytes + length;
  const std::uint64_t checksum = read_number(rest.substr(4, 8));
  return hash_of(body()) == checksum ? State::frame : State::checksum;
}

std::string_view FrameReader::body() const { return whole().substr(kFrameHeaderBytes); }

std::string_view FrameReader::whole() const {
  return std::string_view(buffer_).substr(begin_, size_);
}

}  // namespace dynamo::net
