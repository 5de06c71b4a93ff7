// HTTP/1.1 for people and clients, over Boost.Beast.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/asio.h"
#include "net/metrics.h"
#include "node/config_file.h"

namespace dynamo::net {

struct HttpRequest {
  std::string method;  ///< "GET"; HEAD comes as GET, its body is left out on the way back.
  std::vector<std::string> path;             ///< Percent-decoded segments of the path.
  std::map<std::string, std::string> query;  ///< Percent-decoded; the first of equal names counts.
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::map<std::string, std::string> headers;
};

/// {"error": {"code": …, "message": …}} with a status.
HttpResponse http_error(int status, std::string_view code, const std::string& message);

struct HttpOptions {
  Address address;
  std::chrono::milliseconds timeout{
      10'000};  ///< For a client to send a request, or to take an answer.
  std::size_t max_body_bytes = 4u << 20;
  std::size_t max_connections = 1024;  ///< One more is closed at once.
};

/// Requests of one connection are answered one after the other, so pipelining needs no care. One
/// thread.
class HttpServer {
 public:
  using Respond = std::function<void(HttpResponse)>;
  using Handler = std::function<void(const HttpRequest&, Respond)>;

  /// Binds at once; throws ConfigError if the port is taken. `metrics` outlives the server.
  HttpServer(boost::asio::io_context& io, HttpOptions options, Metrics& metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  Address address() const;

  /// Begins to serve. `handler` must answer each request exactly once, soon or later.
  void start(Handler handler);
  void stop();

 private:
  class Connection;
  friend class Connection;
  void accept();

  const HttpOptions options_;
  Metrics& metrics_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_pause_;
  Handler handler_;
  std::set<std::shared_ptr<Connection>> connections_;
  bool stopped_ = false;
};

/// Turns "/kv/a%20b?r=2" into path and query; nothing if an escape is malformed.
bool split_target(std::string_view target, HttpRequest& request);

}  // namespace dynamo::net
