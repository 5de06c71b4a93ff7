#include "net/http_server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <utility>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/http_guard.h"
#include "net/listener.h"

namespace dynamo::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using Error = boost::system::error_code;

namespace {

constexpr std::uint32_t kMaxHeaderBytes = 64 << 10;
constexpr std::chrono::milliseconds kLinger(2000);
constexpr std::size_t kLingerBytes = 64u << 20;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// Anybody can send any method; a label's values must be few.
std::string_view label_of(http::verb method) {
  switch (method) {
    case http::verb::get:
      return "GET";
    case http::verb::head:
      return "HEAD";
    case http::verb::put:
      return "PUT";
    case http::verb::post:
      return "POST";
    case http::verb::delete_:
      return "DELETE";
    default:
      return "other";
  }
}

/// A line break in a value would begin a header of somebody else's choice.
void check_header(const std::string& name, const std::string& value) {
  for (const std::string& text : {name, value}) {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) continue;
      if (c == '\t') continue;
      throw std::logic_error("the response's header \"" + name + "\" has a control character");
    }
  }
}

}  // namespace

class HttpServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(HttpServer& server, tcp::socket socket)
      : server_(server), stream_(std::move(socket)) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(server_.options_.max_body_bytes);
    method_ = route_ = "none";
    head_ = false;
    stream_.expires_after(server_.options_.timeout);
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](const Error& error, std::size_t) { self->have_header(error); });
  }

  void close() { stream_.close(); }

 private:
  void have_header(const Error& error) {
    if (error) return failed(error);
    const auto& message = parser_->get();
    head_ = message.method() == http::verb::head;
    method_ = label_of(message.method());
    const auto expected = message.find(http::field::expect);
    if (expected == message.end() || message.version() < 11) return read_body();
    if (!beast::iequals(expected->value(), "100-continue")) {
      return refuse(417, "invalid_argument", "the only expectation that is met is 100-continue");
    }
    // The client waits for a word before it sends the body.
    boost::asio::async_write(stream_, boost::asio::buffer(kContinue),
                             [self = shared_from_this()](const Error& failure, std::size_t) {
                               if (failure) return self->end();
                               self->read_body();
                             });
  }

  void read_body() {
    if (parser_->is_done()) return run();
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const Error& error, std::size_t) {
                       if (error) return self->failed(error);
                       self->run();
                     });
  }

  void failed(const Error& error) {
    if (error == http::error::body_limit) {
      return refuse(413, "too_large",
                    "the body is larger than " + std::to_string(server_.options_.max_body_bytes) +
                        " bytes, the limit of this server (max_value_bytes)");
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return refuse(431, "too_large",
                    "the header is larger than " + std::to_string(kMaxHeaderBytes) + " bytes");
    }
    const bool malformed =
        error.category() == http::make_error_code(http::error::bad_method).category();
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        !malformed) {
      return end();
    }
    refuse(400, "invalid_argument", "this is no HTTP/1.1 request: " + error.message());
  }

  void run() {
    auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    HttpRequest request;
    request.method = head_ ? "GET" : std::string(message.method_string());
    const bool split = split_target(std::string(message.target()), request);
    if (split) route_ = server_.route_of_(request);
    for (const auto& field : message) {
      const auto [entry, first] = request.headers.try_emplace(
          std::string(field.name_string()), field.value().data(), field.value().size());
      if (!first) entry->second.append(", ").append(field.value().data(), field.value().size());
    }
    if (!split) {
      return respond(http_error(400, "invalid_argument",
                                "the target must be a path without a malformed % escape"));
    }
    if (message.version() == 11 && message.count(http::field::host) != 1) {
      return refuse(400, "invalid_argument", "a request must have one Host header");
    }
    if (auto refused = refuse_foreign(request, server_.options_.address.host)) {
      return respond(std::move(*refused));
    }
    request.body = std::move(message.body());
    stream_.expires_never();  // the handler's own deadline counts now
    server_.handler_(request, [self = shared_from_this()](HttpResponse response) {
      self->respond(std::move(response));
    });
  }

  /// A request that could not be read to its end: answer, then close.
  void refuse(int status, std::string_view code, const std::string& message) {
    keep_alive_ = false;
    respond(http_error(status, code, message));
  }

  void respond(HttpResponse response) {
    server_.count(method_, route_, response.status);
    const bool bodiless = response.status == 204 || response.status == 304;
    write_head(response, bodiless);
    body_ = bodiless || head_ ? std::string() : std::move(response.body);
    stream_.expires_after(server_.options_.timeout);
    const std::array<boost::asio::const_buffer, 2> parts = {boost::asio::buffer(head_text_),
                                                            boost::asio::buffer(body_)};
    boost::asio::async_write(stream_, parts,
                             [self = shared_from_this()](const Error& error, std::size_t) {
                               if (error || self->server_.stopped_) return self->end();
                               if (!self->keep_alive_) return self->linger();
                               self->read();
                             });
  }

  /// Beast's serializer walks over a list of small buffers for each response: a tenth of all time.
  void write_head(const HttpResponse& response, bool bodiless) {
    const bool old = parser_->is_header_done() && parser_->get().version() < 11;
    const auto add = [this](std::string_view name, std::string_view value) {
      head_text_.append(name).append(": ").append(value).append("\r\n");
    };
    const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
    head_text_ = old ? "HTTP/1.0 " : "HTTP/1.1 ";
    head_text_.append(std::to_string(response.status)).append(" ");
    head_text_.append(reason.data(), reason.size()).append("\r\n");
    if (!response.content_type.empty() && !bodiless) add("Content-Type", response.content_type);
    for (const auto& [name, value] : response.headers) {
      check_header(name, value);
      add(name, value);
    }
    if (keep_alive_ && old) add("Connection", "keep-alive");
    if (!keep_alive_ && !old) add("Connection", "close");
    if (!bodiless) add("Content-Length", std::to_string(response.body.size()));
    head_text_.append("\r\n");
  }

  void end() {
    stream_.close();
    server_.connections_.erase(shared_from_this());
  }

  /// Closing a socket with unread bytes resets the connection, and the client may lose our answer.
  /// So what it still sends is thrown away for a while: until it closes, too, or the bound is
  /// reached.
  void linger() {
    Error ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(std::min(server_.options_.timeout, kLinger));
    discard(kLingerBytes);
  }

  void discard(std::size_t bytes_left) {
    buffer_.clear();
    stream_.async_read_some(
        buffer_.prepare(kMaxHeaderBytes),
        [self = shared_from_this(), bytes_left](const Error& error, std::size_t bytes) {
          if (error || bytes >= bytes_left) return self->end();
          self->discard(bytes_left - bytes);
        });
  }

  HttpServer& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{kMaxHeaderBytes + (64 << 10)};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string head_text_;  ///< Of the response that is being written, as is body_.
  std::string body_;
  bool keep_alive_ = false;
  bool head_ = false;                 ///< The body stays here.
  std::string_view method_ = "none";  ///< For the metrics, as is the next one.
  std::string_view route_ = "none";
};

HttpServer::HttpServer(boost::asio::io_context& io, HttpOptions options, Metrics& metrics)
    : options_(std::move(options)), metrics_(metrics), acceptor_(io), accept_pause_(io) {
  listen_at(acceptor_, options_.address, options_.listener, "for HTTP");
}

HttpServer::~HttpServer() { stop(); }

Address HttpServer::address() const {
  const tcp::endpoint endpoint = acceptor_.local_endpoint();
  return {endpoint.address().to_string(), endpoint.port()};
}

void HttpServer::start(Handler handler, RouteOf route_of) {
  handler_ = std::move(handler);
  route_of_ = route_of;
  accept();
}

void HttpServer::count(std::string_view method, std::string_view route, int status) {
  std::uint64_t*& counter = counters_[{method, route, status}];
  if (counter == nullptr) {
    counter = &metrics_.counter(
        "dynamo_http_requests_total",
        {{"method", method}, {"route", route}, {"status", std::to_string(status)}});
  }
  ++*counter;
}

void HttpServer::accept() {
  acceptor_.async_accept([this](const Error& error, tcp::socket socket) {
    if (stopped_) return;
    if (error) {
      std::cerr << "http: cannot accept a connection: " << error.message() << '\n';
      accept_pause_.expires_after(std::chrono::milliseconds(100));
      accept_pause_.async_wait([this](const Error& cancelled) {
        if (!cancelled && !stopped_) accept();
      });
      return;
    }
    if (connections_.size() < options_.max_connections) {
      Error ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      auto connection = std::make_shared<Connection>(*this, std::move(socket));
      connections_.insert(connection);
      connection->read();
    }
    accept();
  });
}

void HttpServer::stop() {
  if (std::exchange(stopped_, true)) return;
  Error ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  for (const auto& connection : std::exchange(connections_, {})) connection->close();
}

}  // namespace dynamo::net
