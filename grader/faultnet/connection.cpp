#include "faultnet/connection.h"

#include <boost/asio/buffer.hpp>
#include <iostream>
#include <optional>

namespace dynamo::faultnet {

using boost::asio::ip::tcp;
using boost::system::error_code;

Connection::Connection(Proxy& proxy, tcp::socket caller)
    : proxy_(proxy), caller_(proxy.io_, proxy.network_), callee_(proxy.io_, proxy.network_) {
  caller_.socket = std::move(caller);
}

bool Connection::parted() const {
  return proxy_.network_.is_parted(proxy_.caller_, proxy_.callee_);
}

void Connection::start() {
  for (End* end : {&caller_, &callee_}) {
    end->lane.bind(weak_from_this(), [this] { settle(); });
  }
  caller_.connected = true;
  error_code ignored;  // An end that is gone already shows at the first read.
  caller_.socket.set_option(tcp::no_delay(true), ignored);
  caller_.lane.open();
  if (proxy_.network_.is_cut(proxy_.caller_, proxy_.callee_)) {
    callee_.ended = true;  // Its first packet is lost, too: nobody ever hears of this connection.
  } else {
    connect();
  }
  read(caller_);
}

void Connection::connect() {
  callee_.socket.async_connect(proxy_.upstream_,
                               [this, self = shared_from_this()](const error_code& error) {
                                 if (closed_) return;
                                 if (error) return end(callee_);
                                 callee_.connected = true;
                                 error_code ignored;
                                 callee_.socket.set_option(tcp::no_delay(true), ignored);
                                 callee_.lane.open();
                                 read(callee_);
                                 settle();
                               });
}

void Connection::read(End& from) {
  if (closed_ || from.reading || from.ended || !from.connected) return;
  if (other(from).lane.full()) return;  // settle() reads on when there is room again
  from.reading = true;
  from.socket.async_read_some(
      boost::asio::buffer(from.buffer),
      [this, &from, self = shared_from_this()](const error_code& error, std::size_t count) {
        from.reading = false;
        if (closed_) return;
        if (error) return end(from);
        take(from, std::string_view(from.buffer.data(), count));
        read(from);
      });
}

void Connection::take(End& from, std::string_view bytes) {
  using State = net::FrameReader::State;
  from.frames.feed(bytes);
  State state = State::more;
  while ((state = from.frames.next()) == State::frame || state == State::checksum) {
    const std::string_view frame = from.frames.whole();
    std::optional<net::Envelope> envelope;
    if (state == State::frame) envelope = net::envelope_of(from.frames.body());
    if (envelope && envelope->kind != net::FrameKind::hello) {
      pass(from, frame, *envelope);
    } else {
      // A greeting, or what only the receiver is to judge: no fault touches it.
      other(from).lane.carry({std::string(frame), false, {}}, Duration::zero());
    }
  }
  if (state != State::broken) return;
  std::cerr << "faultnet: " << proxy_.network_.name(proxy_.caller_) << " → "
            << proxy_.network_.name(proxy_.callee_) << ": the "
            << (&from == &caller_ ? "caller" : "callee") << " sent bytes that are no frames\n";
  end(from);
}

void Connection::pass(End& from, std::string_view frame, const net::Envelope& envelope) {
  End& to = other(from);
  const bool onward = &from == &caller_;
  Message message;
  message.from = onward ? proxy_.caller_ : proxy_.callee_;
  message.to = onward ? proxy_.callee_ : proxy_.caller_;
  message.type = envelope.type;
  message.reply = envelope.kind == net::FrameKind::reply;
  message.call = envelope.call;
  message.bytes = envelope.payload;
  message.frame_bytes = frame.size();
  const sim::Fate fate = proxy_.network_.sent(message);
  message.bytes = {};
  if (fate.lost != nullptr) return;
  if (to.ended || to.lane.failed()) return proxy_.network_.lost(message, "nobody is there");
  for (std::size_t i = 0; i < static_cast<std::size_t>(fate.copies); ++i) {
    Parcel parcel{std::string(frame), true, message};
    // The last byte lies in the body: the checksum fails, and the length still holds.
    if (fate.copy.at(i).corrupt) parcel.frame.back() = static_cast<char>(~parcel.frame.back());
    to.lane.carry(std::move(parcel), fate.copy.at(i).delay);
  }
}

void Connection::end(End& which) {
  which.ended = true;
  which.lane.stop();
  settle();
}

void Connection::network_changed() { settle(); }

/// Looks at the whole again after anything has changed.
void Connection::settle() {
  if (closed_) return;
  for (End* end : {&caller_, &callee_}) {
    if (end->lane.failed()) end->ended = true;
    read(*end);
  }
  if (!caller_.ended && !callee_.ended) return;
  // What had left before still arrives. The caller's end is told to nobody but the callee, which
  // holds nothing for it; the callee's end must stay unknown while the network is cut.
  End& left = caller_.ended ? callee_ : caller_;
  if (!left.ended && !left.lane.empty() && left.connected) return;
  if (!left.ended && !left.connected && caller_.ended && !left.lane.empty()) return;  // it connects
  if (callee_.ended && !caller_.ended && parted()) return;
  close();
}

void Connection::close() {
  closed_ = true;
  error_code ignored;  // Closing is all that is wanted; there is nobody to tell of an error.
  for (End* end : {&caller_, &callee_}) {
    end->lane.stop();
    end->socket.close(ignored);
  }
  // The handlers that are still to come hold us alive; the proxy forgets us now.
  proxy_.connections_.erase(shared_from_this());
}

}  // namespace dynamo::faultnet
