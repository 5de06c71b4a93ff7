#include "net/http_server.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <iostream>
#include <utility>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "core/json.h"

namespace dynamo::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using Error = boost::system::error_code;

namespace {

constexpr std::uint32_t kMaxHeaderBytes = 16 << 10;
constexpr std::chrono::milliseconds kLinger(2000);
constexpr std::size_t kLingerBytes = 64u << 20;

/// The value of a hexadecimal digit, or -1.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

bool split_query(std::string_view query, HttpRequest& request) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return false;
    request.query.try_emplace(*name, *value);
  }
  return true;
}

}  // namespace

bool split_target(std::string_view target, HttpRequest& request) {
  if (target.empty() || target[0] != '/') return false;
  const std::size_t mark = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(1, mark - 1);
  while (true) {
    const std::string_view segment = path.substr(0, path.find('/'));
    const auto decoded = percent_decode(segment, false);
    if (!decoded) return false;
    request.path.push_back(*decoded);
    if (segment.size() == path.size()) break;
    path.remove_prefix(segment.size() + 1);
  }
  return mark == target.size() || split_query(target.substr(mark + 1), request);
}

HttpResponse http_error(int status, std::string_view code, const std::string& message) {
  const Json body = {{"error", {{"code", code}, {"message", message}}}};
  return {status,
          "application/json",
          body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n",
          {}};
}

class HttpServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(HttpServer& server, tcp::socket socket)
      : server_(server), stream_(std::move(socket)) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(server_.options_.max_body_bytes);
    stream_.expires_after(server_.options_.timeout);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](const Error& error, std::size_t) { self->have_read(error); });
  }

  void close() { stream_.close(); }

 private:
  void have_read(const Error& error) {
    if (error == http::error::body_limit) {
      return refuse(
          413, "too_large",
          "the body is larger than " + std::to_string(server_.options_.max_body_bytes) + " bytes");
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return refuse(431, "too_large",
                    "the header is larger than " + std::to_string(kMaxHeaderBytes) + " bytes");
    }
    const bool malformed =
        error.category() == http::make_error_code(http::error::bad_method).category();
    if (error == http::error::end_of_stream || (error && !malformed)) return end();
    if (error) {
      return refuse(400, "invalid_argument", "this is no HTTP/1.1 request: " + error.message());
    }
    run();
  }

  void run() {
    auto& message = parser_->get();
    HttpRequest request;
    head_ = message.method() == http::verb::head;
    request.method = head_ ? "GET" : std::string(message.method_string());
    keep_alive_ = message.keep_alive();
    if (!split_target(std::string(message.target()), request)) {
      return respond(http_error(400, "invalid_argument",
                                "the target must be a path without a malformed % escape"));
    }
    for (const auto& field : message) {
      std::string name(field.name_string());
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return std::tolower(c); });
      request.headers.try_emplace(std::move(name), std::string(field.value()));
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
    server_.metrics_.count("dynamo_http_responses_total",
                           "status=\"" + std::to_string(response.status) + "\"");
    response_.emplace(static_cast<http::status>(response.status), 11);
    response_->set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) response_->set(name, value);
    response_->keep_alive(keep_alive_);
    response_->content_length(response.body.size());
    if (!head_) response_->body() = std::move(response.body);
    stream_.expires_after(server_.options_.timeout);
    http::async_write(stream_, *response_,
                      [self = shared_from_this()](const Error& error, std::size_t) {
                        self->head_ = false;
                        if (error || self->server_.stopped_) return self->end();
                        if (!self->keep_alive_) return self->linger();
                        self->read();
                      });
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
  std::optional<http::response<http::string_body>> response_;
  bool keep_alive_ = false;
  bool head_ = false;
};

HttpServer::HttpServer(boost::asio::io_context& io, HttpOptions options, Metrics& metrics)
    : options_(std::move(options)), metrics_(metrics), acceptor_(io), accept_pause_(io) {
  Error error;
  const auto host = boost::asio::ip::make_address(options_.address.host, error);
  const tcp::endpoint endpoint(host, options_.address.port);
  if (!error) acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) {
    throw ConfigError("cannot listen for HTTP on " + options_.address.text() + ": " +
                      error.message() +
                      "; is another node running, or is the address not this machine's?");
  }
}

HttpServer::~HttpServer() { stop(); }

Address HttpServer::address() const {
  const tcp::endpoint endpoint = acceptor_.local_endpoint();
  return {endpoint.address().to_string(), endpoint.port()};
}

void HttpServer::start(Handler handler) {
  handler_ = std::move(handler);
  accept();
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
