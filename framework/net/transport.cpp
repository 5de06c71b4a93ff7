#include "net/transport.h"

#include <algorithm>
#include <array>
#include <deque>
#include <iostream>
#include <vector>

#include "core/keys.h"

namespace dynamo::net {

using boost::asio::ip::tcp;
using Error = boost::system::error_code;
using namespace std::chrono_literals;

namespace {

constexpr auto kFirstPause = 20ms;       ///< Before a broken connection is tried again; doubles …
constexpr auto kLongestPause = 500ms;    ///< … up to this.
constexpr auto kConnectTimeout = 2s;
constexpr auto kSilence = 5s;            ///< After it, a connection that owes us answers is made anew.

std::string direction(const char* way, MessageType type) {
  return std::string("direction=\"") + way + "\",type=\"" + name_of_message(type) + "\"";
}

/// The half that both ends share: a socket, a bounded queue of frames to write, a reader.
class Stream {
 public:
  Stream(tcp::socket open, std::uint64_t limit) : socket(std::move(open)), limit_(limit) {}

  /// False if the queue is full. `self` keeps the owner alive while a write is under way.
  template <class Owner>
  bool write(std::shared_ptr<Owner> self, std::string frame) {
    if (queued_ + frame.size() > limit_) return false;
    queued_ += frame.size();
    queue_.push_back(std::move(frame));
    if (queue_.size() == 1) write_next(std::move(self));
    return true;
  }

  template <class Owner>
  void write_next(std::shared_ptr<Owner> self) {
    boost::asio::async_write(socket, boost::asio::buffer(queue_.front()),
                             [this, self](const Error& error, std::size_t) {
                               if (error) return self->broke(error.message());
                               queued_ -= queue_.front().size();
                               queue_.pop_front();
                               if (!queue_.empty()) write_next(self);
                             });
  }

  /// Calls self->took(envelope) for each whole message until the stream breaks.
  template <class Owner>
  void read(std::shared_ptr<Owner> self) {
    socket.async_read_some(boost::asio::buffer(chunk_), [this, self](const Error& error, std::size_t n) {
      if (error) return self->broke(error.message());
      frames_.feed(std::string_view(chunk_.data(), n));
      if (take_frames(*self)) read(self);
    });
  }

  void close() {
    Error ignored;
    socket.close(ignored);
  }

  tcp::socket socket;

 private:
  template <class Owner>
  bool take_frames(Owner& self) {
    while (socket.is_open()) {
      switch (frames_.next()) {
        case FrameReader::State::more:
          return true;
        case FrameReader::State::broken:
          self.broke("a frame is longer than allowed");
          return false;
        case FrameReader::State::checksum:
          self.dropped("checksum");
          break;
        case FrameReader::State::frame:
          if (auto envelope = envelope_of(frames_.body())) {
            self.took(std::move(*envelope));
          } else {
            self.dropped("malformed");
          }
      }
    }
    return false;
  }

  const std::uint64_t limit_;
  std::uint64_t queued_ = 0;
  std::deque<std::string> queue_;
  std::array<char, 65536> chunk_{};
  FrameReader frames_;
};

void log_line(const NodeId& self, const std::string& text) {
  std::cerr << self << ": " << text << '\n';
}

}  // namespace

/// Our connection to one peer.
class Transport::Link : public std::enable_shared_from_this<Link> {
 public:
  Link(Transport& transport, NodeId peer)
      : transport_(transport), peer_(std::move(peer)), timer_(transport.io_) {}

  void send(std::uint64_t call, MessageType type, std::string bytes) {
    const auto now = std::chrono::steady_clock::now();
    if (!stream_ && now < retry_at_) return refuse_later(call, "no connection yet; tried again soon");
    if (!stream_) connect();
    if (calls_.empty()) heard_at_ = now;
    calls_.insert(call);
    transport_.metrics_.count("dynamo_frames_total", direction("out", type));
    std::string frame =
        to_frame({FrameKind::request, call, transport_.options_.self, peer_, type, std::move(bytes)});
    if (!connected_) {
      waiting_bytes_ += frame.size();
      if (waiting_bytes_ > transport_.options_.queue_bytes) return full(call);
      waiting_.push_back(std::move(frame));
    } else if (!stream_->write(shared_from_this(), std::move(frame))) {
      full(call);
    }
  }

  void forget(std::uint64_t call) {
    if (calls_.erase(call) == 0 || !connected_) return;
    if (std::chrono::steady_clock::now() - heard_at_ > kSilence) broke("silent for too long");
  }

  /// Also for Stream. All calls that wait for this connection are refused.
  void broke(const std::string& why) {
    if (!stream_) return;
    close();
    pause_ = std::clamp<std::chrono::milliseconds>(pause_ * 2, kFirstPause, kLongestPause);
    retry_at_ = std::chrono::steady_clock::now() + pause_;
    const std::set<std::uint64_t> calls = std::exchange(calls_, {});
    for (const std::uint64_t call : calls) refuse_later(call, why);
  }

  void took(Envelope envelope) {
    heard_at_ = std::chrono::steady_clock::now();
    pause_ = 0ms;
    if (envelope.kind != FrameKind::reply || envelope.from != peer_) return dropped("not for this link");
    if (calls_.erase(envelope.call) == 0) return;  // late, or twice
    transport_.metrics_.count("dynamo_frames_total", direction("in", envelope.type));
    transport_.on_reply_(envelope.call, std::move(envelope.payload));
  }

  void dropped(const std::string& why) {
    transport_.metrics_.count("dynamo_frames_dropped_total", "reason=\"" + why + "\"");
  }

  void close() {
    timer_.cancel();
    if (stream_) stream_->close();
    stream_.reset();
    connected_ = false;
    waiting_.clear();
    waiting_bytes_ = 0;
  }

 private:
  void connect() {
    const Address& address = transport_.options_.peers.at(peer_).peer;
    stream_ = std::make_shared<Stream>(tcp::socket(transport_.io_), transport_.options_.queue_bytes);
    const tcp::endpoint endpoint(boost::asio::ip::make_address(address.host), address.port);
    const auto done = [self = shared_from_this(), stream = stream_](const Error& error) {
      if (self->stream_ != stream) return;  // given up meanwhile
      if (error) return self->broke(error.message());
      self->open();
    };
    stream_->socket.async_connect(endpoint, done);
    timer_.expires_after(kConnectTimeout);
    timer_.async_wait([self = shared_from_this(), stream = stream_](const Error& error) {
      if (!error && self->stream_ == stream && !self->connected_) self->broke("connecting took too long");
    });
  }

  void open() {
    connected_ = true;
    timer_.cancel();
    Error ignored;
    stream_->socket.set_option(tcp::no_delay(true), ignored);
    // The handlers hold the stream through `keep`: a link may replace its stream while they run.
    auto keep = std::make_shared<Keep>(Keep{shared_from_this(), stream_});
    const std::shared_ptr<Stream> stream = stream_;
    stream->read(keep);
    stream->write(keep, to_frame({FrameKind::hello, kProtocolVersion, transport_.options_.self, peer_, 0,
                                  transport_.secret_digest()}));
    for (std::string& frame : std::exchange(waiting_, {})) {
      if (stream_ != stream || !stream->write(keep, std::move(frame))) break;
    }
    waiting_bytes_ = 0;
  }

  /// Owner of the running handlers of one stream; speaks for the link only while the stream is its own.
  struct Keep {
    std::shared_ptr<Link> link;
    std::shared_ptr<Stream> stream;
    bool current() const { return link->stream_ == stream; }
    void broke(const std::string& why) const {
      if (current()) link->broke(why);
    }
    void took(Envelope envelope) const {
      if (current()) link->took(std::move(envelope));
    }
    void dropped(const std::string& why) const { link->dropped(why); }
  };

  void full(std::uint64_t call) {
    transport_.metrics_.count("dynamo_queue_full_total", "peer=\"" + peer_ + "\"");
    calls_.erase(call);
    refuse_later(call, "the queue to " + peer_ + " is full");
  }

  void refuse_later(std::uint64_t call, const std::string& why) {
    boost::asio::post(transport_.io_, [self = shared_from_this(), call, why] {
      if (!self->transport_.stopped_) self->transport_.on_refused_(call, self->peer_ + ": " + why);
    });
  }

  Transport& transport_;
  const NodeId peer_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<Stream> stream_;            ///< Null while there is no connection, nor one in the making.
  bool connected_ = false;
  std::vector<std::string> waiting_;          ///< Frames until the connection is there.
  std::uint64_t waiting_bytes_ = 0;
  std::set<std::uint64_t> calls_;             ///< Sent, and not answered or given up.
  std::chrono::milliseconds pause_{0};
  std::chrono::steady_clock::time_point retry_at_{};
  std::chrono::steady_clock::time_point heard_at_{};  ///< Or when it began to owe us an answer.
};

/// A connection that a peer opened to us.
class Transport::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Transport& transport, tcp::socket socket)
      : transport_(transport), stream_(std::move(socket), transport.options_.queue_bytes) {}

  void start() { stream_.read(shared_from_this()); }

  void broke(const std::string& /*why*/) { end(); }

  void dropped(const std::string& why) {
    transport_.metrics_.count("dynamo_frames_dropped_total", "reason=\"" + why + "\"");
    log_line(transport_.options_.self,
             "a frame from " + (peer_.empty() ? "an unknown node" : peer_) + " was dropped: " + why);
  }

  void took(Envelope envelope) {
    if (peer_.empty()) return hello(envelope);
    if (envelope.kind != FrameKind::request || envelope.from != peer_ ||
        envelope.to != transport_.options_.self) {
      return dropped("not a request from " + peer_ + " to " + transport_.options_.self);
    }
    transport_.metrics_.count("dynamo_frames_total", direction("in", envelope.type));
    transport_.on_request_(
        peer_, envelope.type, std::move(envelope.payload),
        [weak = weak_from_this(), call = envelope.call, type = envelope.type](std::string bytes) {
          if (const auto self = weak.lock()) self->answer(call, type, std::move(bytes));
        });
  }

  void close() { stream_.close(); }

 private:
  void hello(const Envelope& envelope) {
    const auto refuse = [&](const std::string& why) {
      log_line(transport_.options_.self, "a connection from \"" + envelope.from + "\" is refused: " + why);
      transport_.metrics_.count("dynamo_connections_refused_total");
      end();
    };
    if (envelope.kind != FrameKind::hello) return refuse("it does not begin with a hello");
    if (envelope.call != kProtocolVersion) {
      return refuse("it speaks version " + std::to_string(envelope.call) + ", we speak " +
                    std::to_string(kProtocolVersion));
    }
    if (!transport_.options_.peers.contains(envelope.from)) return refuse("the peers file does not name it");
    if (envelope.to != transport_.options_.self) return refuse("it looks for " + envelope.to);
    if (envelope.payload != transport_.secret_digest()) return refuse("its cluster_secret is another one");
    peer_ = envelope.from;
  }

  void answer(std::uint64_t call, MessageType type, std::string bytes) {
    if (!stream_.socket.is_open()) return;
    transport_.metrics_.count("dynamo_frames_total", direction("out", type));
    std::string frame =
        to_frame({FrameKind::reply, call, transport_.options_.self, peer_, type, std::move(bytes)});
    if (!stream_.write(shared_from_this(), std::move(frame))) {
      log_line(transport_.options_.self, peer_ + " takes no answers; the connection is closed");
      end();
    }
  }

  void end() {
    stream_.close();
    transport_.sessions_.erase(shared_from_this());
  }

  Transport& transport_;
  Stream stream_;
  NodeId peer_;   ///< Empty until its hello.
};

Transport::Transport(boost::asio::io_context& io, TransportOptions options, Metrics& metrics)
    : io_(io), options_(std::move(options)), metrics_(metrics), acceptor_(io), accept_pause_(io) {
  const Address& address = options_.peers.at(options_.self).peer;
  Error error;
  const auto host = boost::asio::ip::make_address(address.host, error);
  const tcp::endpoint endpoint(host, address.port);
  if (!error) acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) {
    throw ConfigError("cannot listen for peers on " + address.text() + ": " + error.message() +
                      "; is another node running, or is the address not this machine's?");
  }
}

Transport::~Transport() { stop(); }

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
      Error ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      auto session = std::make_shared<Session>(*this, std::move(socket));
      sessions_.insert(session);
      session->start();
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
  for (const auto& [peer, link] : links_) link->close();
  for (const auto& session : std::exchange(sessions_, {})) session->close();
}

}  // namespace dynamo::net
