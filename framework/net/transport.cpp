#include "net/transport.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "core/keys.h"
#include "net/listener.h"
#include "net/stream.h"

namespace dynamo::net {

using boost::asio::ip::tcp;
using Error = boost::system::error_code;
using namespace std::chrono_literals;

namespace {

constexpr auto kFirstPause = 20ms;     ///< Before a broken connection is tried again; doubles …
constexpr auto kLongestPause = 500ms;  ///< … up to this.
constexpr auto kConnectTimeout = 2s;
constexpr auto kHelloTimeout = 5s;  ///< For whoever connects to us to say who it is.
constexpr auto kSilence = 5s;       ///< After it, a connection that owes us answers is made anew.

/// Longest body from somebody who has not said who it is; a hello has about a hundred bytes.
constexpr std::size_t kMaxHelloBytes = 1024;

void log_line(const NodeId& self, const std::string& text) {
  std::cerr << self << ": " << text << '\n';
}

/// The other end would take it for a broken stream.
bool too_long(const std::string& frame) {
  return frame.size() > kFrameHeaderBytes + kMaxFrameBodyBytes;
}

}  // namespace

/// Our connection to one peer.
class Transport::Link final : public StreamOwner, public std::enable_shared_from_this<Link> {
 public:
  Link(Transport& transport, NodeId peer)
      : transport_(transport), peer_(std::move(peer)), timer_(transport.io_) {}

  void send(std::uint64_t call, MessageType type, std::string bytes) {
    const auto now = std::chrono::steady_clock::now();
    if (!stream_ && now < retry_at_) {
      return refuse_later(call, "no connection yet; tried again soon");
    }
    if (!stream_) connect();
    const std::string frame = to_frame(
        {FrameKind::request, call, transport_.options_.self, peer_, type, std::move(bytes)});
    if (too_long(frame)) {
      dropped("too long");
      transport_.tell_of_too_long(type, frame.size(), peer_);
      return refuse_later(call, "a message of " + std::to_string(frame.size()) +
                                    " bytes does not fit into a frame");
    }
    if (!stream_->write(frame)) {
      transport_.metrics_.count("dynamo_queue_full_total", {{"peer", peer_}});
      return refuse_later(call, "the queue is full (config: peer_queue_bytes)");
    }
    if (calls_.empty()) heard_at_ = now;
    calls_.insert(call);
    transport_.count_frame(Transport::kOut, type, frame.size());
  }

  void forget(std::uint64_t call) {
    if (calls_.erase(call) == 0 || !connected_) return;
    if (std::chrono::steady_clock::now() - heard_at_ > kSilence) broke("silent for too long");
  }

  /// All calls that wait for this connection are refused.
  void broke(const std::string& why) override {
    close();
    pause_ = std::clamp<std::chrono::milliseconds>(pause_ * 2, kFirstPause, kLongestPause);
    retry_at_ = std::chrono::steady_clock::now() + pause_;
    for (const std::uint64_t call : std::exchange(calls_, {})) refuse_later(call, why);
  }

  void took(Envelope envelope, std::size_t frame_bytes) override {
    if (envelope.kind != FrameKind::reply || envelope.from != peer_) {
      return dropped("not for this link");
    }
    heard_at_ = std::chrono::steady_clock::now();
    pause_ = 0ms;
    if (calls_.erase(envelope.call) == 0) return;  // late, or twice
    transport_.count_frame(Transport::kIn, envelope.type, frame_bytes);
    transport_.on_reply_(envelope.call, std::move(envelope.payload));
  }

  void dropped(const std::string& why) override {
    transport_.metrics_.count("dynamo_frames_dropped_total", {{"reason", why}});
  }

  void close() {
    timer_.cancel();
    if (stream_) stream_->close();
    stream_.reset();
    connected_ = false;
  }

 private:
  void connect() {
    const TransportOptions& options = transport_.options_;
    const Address& address = options.peers.at(peer_).peer;
    stream_ = std::make_shared<Stream>(tcp::socket(transport_.io_), weak_from_this(),
                                       options.queue_bytes, kMaxFrameBodyBytes);
    stream_->write(to_frame(
        {FrameKind::hello, kProtocolVersion, options.self, peer_, 0, transport_.secret_digest()}));
    if (transport_.dialer_) {
      transport_.dialer_->dial(peer_, [self = shared_from_this(), stream = stream_](int fd) {
        self->dialled(stream, fd);
      });
    } else {
      const tcp::endpoint endpoint(boost::asio::ip::make_address(address.host), address.port);
      stream_->socket().async_connect(
          endpoint, [self = shared_from_this(), stream = stream_](const Error& error) {
            self->have_connected(stream, error);
          });
    }
    timer_.expires_after(kConnectTimeout);
    timer_.async_wait([self = shared_from_this(), stream = stream_](const Error& error) {
      if (error || self->stream_ != stream || self->connected_) return;
      self->broke("connecting took too long");
    });
  }

  void have_connected(const std::shared_ptr<Stream>& stream, const Error& error) {
    if (stream_ != stream) return;  // given up meanwhile
    if (error) return broke(error.message());
    connected_ = true;
    timer_.cancel();
    stream->start();
  }

  void dialled(const std::shared_ptr<Stream>& stream, int fd) {
    if (fd < 0) {
      return have_connected(
          stream, boost::asio::error::make_error_code(boost::asio::error::connection_refused));
    }
    Error error;
    stream->socket().assign(tcp::v4(), fd, error);
    have_connected(stream, error);
  }

  void refuse_later(std::uint64_t call, const std::string& why) {
    boost::asio::post(transport_.io_, [self = shared_from_this(), call, why] {
      if (self->transport_.stopped_) return;
      self->transport_.on_refused_(call, self->peer_ + ": " + why);
    });
  }

  Transport& transport_;
  const NodeId peer_;
  boost::asio::steady_timer timer_;  ///< Ends an attempt to connect.
  std::shared_ptr<Stream> stream_;   ///< Null while there is no connection, nor one in the making.
  bool connected_ = false;
  std::set<std::uint64_t> calls_;  ///< Sent, and not answered or given up.
  std::chrono::milliseconds pause_{0};
  std::chrono::steady_clock::time_point retry_at_{};
  std::chrono::steady_clock::time_point heard_at_{};  ///< Or when it began to owe us an answer.
};

/// A connection that a peer opened to us.
class Transport::Session final : public StreamOwner, public std::enable_shared_from_this<Session> {
 public:
  explicit Session(Transport& transport) : transport_(transport), timer_(transport.io_) {}

  void start(tcp::socket socket) {
    stream_ = std::make_shared<Stream>(std::move(socket), weak_from_this(),
                                       transport_.options_.queue_bytes, kMaxHelloBytes);
    timer_.expires_after(kHelloTimeout);
    timer_.async_wait([weak = weak_from_this()](const Error& cancelled) {
      const auto self = weak.lock();
      if (!cancelled && self && self->peer_.empty()) self->end();
    });
    stream_->start();
  }

  void broke(const std::string& /*why*/) override { end(); }

  void dropped(const std::string& why) override {
    transport_.metrics_.count("dynamo_frames_dropped_total", {{"reason", why}});
  }

  void took(Envelope envelope, std::size_t frame_bytes) override {
    if (peer_.empty()) return hello(envelope);
    if (envelope.kind != FrameKind::request || envelope.from != peer_ ||
        envelope.to != transport_.options_.self) {
      return dropped("not for this link");
    }
    transport_.count_frame(Transport::kIn, envelope.type, frame_bytes);
    transport_.on_request_(
        peer_, envelope.call, envelope.type, std::move(envelope.payload),
        [weak = weak_from_this(), call = envelope.call, type = envelope.type](std::string bytes) {
          const auto self = weak.lock();
          if (self) self->answer(call, type, std::move(bytes));
        });
  }

  void close() {
    timer_.cancel();
    stream_->close();
  }

 private:
  void hello(const Envelope& envelope) {
    const auto refuse = [&](const std::string& why) {
      log_line(transport_.options_.self,
               "a connection from \"" + envelope.from + "\" is refused: " + why);
      transport_.metrics_.count("dynamo_connections_refused_total");
      end();
    };
    if (envelope.kind != FrameKind::hello) return refuse("it does not begin with a hello");
    if (envelope.call != kProtocolVersion) {
      return refuse("it speaks version " + std::to_string(envelope.call) + ", we speak " +
                    std::to_string(kProtocolVersion));
    }
    if (!transport_.options_.peers.contains(envelope.from)) {
      return refuse("the peers file does not name it");
    }
    if (envelope.to != transport_.options_.self) return refuse("it looks for " + envelope.to);
    if (envelope.payload != transport_.secret_digest()) {
      return refuse("its cluster_secret is another one");
    }
    peer_ = envelope.from;
    timer_.cancel();
    stream_->expect(kMaxFrameBodyBytes);
  }

  /// A reply that does not fit is lost; its asker learns from its timeout.
  void answer(std::uint64_t call, MessageType type, std::string bytes) {
    const std::string frame =
        to_frame({FrameKind::reply, call, transport_.options_.self, peer_, type, std::move(bytes)});
    if (too_long(frame)) {
      dropped("too long");
      transport_.tell_of_too_long(type, frame.size(), peer_);
    } else if (stream_->write(frame)) {
      transport_.count_frame(Transport::kOut, type, frame.size());
    } else {
      transport_.metrics_.count("dynamo_queue_full_total", {{"peer", peer_}});
    }
  }

  void end() {
    close();
    transport_.sessions_.erase(shared_from_this());
  }

  Transport& transport_;
  boost::asio::steady_timer timer_;  ///< Ends a connection on which no hello comes.
  std::shared_ptr<Stream> stream_;
  NodeId peer_;  ///< Empty until its hello.
};

Transport::Transport(boost::asio::io_context& io, TransportOptions options, Metrics& metrics)
    : io_(io), options_(std::move(options)), metrics_(metrics), acceptor_(io), accept_pause_(io) {
  listen_at(acceptor_, options_.peers.at(options_.self).peer, options_.listener, "for peers");
  if (options_.dialer >= 0) dialer_ = std::make_unique<Dialer>(io, options_.dialer);
}

Transport::~Transport() { stop(); }

void Transport::count_frame(Direction direction, MessageType type, std::size_t bytes) {
  std::vector<Traffic>& types = traffic_[direction];
  if (types.empty()) {
    const std::string_view way = direction == kIn ? "in" : "out";
    std::vector<std::string> names = message_names();
    names.emplace_back("unknown");  // any number can come from outside
    for (const std::string& name : names) {
      types.push_back(
          {metrics_.counter("dynamo_frames_total", {{"direction", way}, {"type", name}}),
           metrics_.counter("dynamo_frame_bytes_total", {{"direction", way}, {"type", name}})});
    }
  }
  const Traffic& traffic = types[std::min<std::size_t>(type, types.size() - 1)];
  ++traffic.frames;
  traffic.bytes += bytes;
}

void Transport::tell_of_too_long(MessageType type, std::size_t bytes, const NodeId& peer) {
  if (!told_of_too_long_.insert(type).second) return;  // it is tried again and again
  const std::vector<std::string>& names = message_names();
  log_line(options_.self, "a message with " + std::to_string(bytes) + " bytes for " + peer +
                              " is not sent, since a frame has at most " +
                              std::to_string(kMaxFrameBodyBytes) + ": " +
                              (type < names.size() ? names[type] : "of an unknown type") +
                              "; which key is that large? read it and put it with the context");
}

Address Transport::address() const {
  const tcp::endpoint endpoint = acceptor_.local_endpoint();
  return {endpoint.address().to_string(), endpoint.port()};
}

std::string Transport::secret_digest() const {
  // Guards against mistakes (two clusters on one network), not against attackers.
  return std::to_string(hash_of("dynamo-labs " + options_.secret));
}

void Transport::start(OnRequest on_request, OnReply on_reply, OnRefused on_refused) {
  on_request_ = std::move(on_request);
  on_reply_ = std::move(on_reply);
  on_refused_ = std::move(on_refused);
  accept();
}

void Transport::accept() {
  acceptor_.async_accept([this](const Error& error, tcp::socket socket) {
    if (stopped_) return;
    if (error) {  // out of descriptors, most likely: wait until some are back
      log_line(options_.self, "cannot accept a connection: " + error.message());
      accept_pause_.expires_after(100ms);
      accept_pause_.async_wait([this](const Error& cancelled) {
        if (!cancelled && !stopped_) accept();
      });
      return;
    }
    if (sessions_.size() < options_.max_inbound) {
      auto session = std::make_shared<Session>(*this);
      sessions_.insert(session);
      session->start(std::move(socket));
    } else {
      metrics_.count("dynamo_connections_refused_total");
    }
    accept();
  });
}

void Transport::send(const NodeId& to, std::uint64_t call, MessageType type, std::string bytes) {
  if (!options_.peers.contains(to)) {
    boost::asio::post(io_, [this, to, call] {
      if (!stopped_) on_refused_(call, "the peers file does not name \"" + to + "\"");
    });
    return;
  }
  std::shared_ptr<Link>& link = links_[to];
  if (!link) link = std::make_shared<Link>(*this, to);
  link->send(call, type, std::move(bytes));
}

void Transport::forget(const NodeId& to, std::uint64_t call) {
  if (const auto found = links_.find(to); found != links_.end()) found->second->forget(call);
}

void Transport::stop() {
  if (std::exchange(stopped_, true)) return;
  Error ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  if (dialer_) dialer_->stop();
  for (const auto& [peer, link] : links_) link->close();
  for (const auto& session : std::exchange(sessions_, {})) session->close();
}

}  // namespace dynamo::net
