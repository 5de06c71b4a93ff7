// HTTP/1.1 for people and clients, over Boost.Beast.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "net/asio.h"
#include "net/http_message.h"
#include "net/metrics.h"
#include "node/config_file.h"

namespace dynamo::net {

struct HttpOptions {
  Address address;
  std::chrono::milliseconds timeout{
      10'000};                            ///< For a client to send a request, or to take an answer.
  std::size_t max_body_bytes = 1u << 20;  ///< A longer body gets 413.
  std::size_t max_connections = 1024;     ///< One more is closed at once.
  int listener = -1;  ///< A descriptor that listens on the address already; taken over.
};

/// Requests of one connection are answered one after the other, so pipelining needs no care. One
/// thread. Foreign web pages are kept away (http_guard.h).
class HttpServer {
 public:
  using Respond = std::function<void(HttpResponse)>;
  using Handler = std::function<void(const HttpRequest&, Respond)>;
  /// The pattern that a path fits, such as "/kv/KEY": a label in the metrics, so one of a few, that
  /// live as long as the program.
  using RouteOf = std::string_view (*)(const HttpRequest&);

  /// Binds at once; throws ConfigError if the port is taken. `metrics` outlives the server.
  HttpServer(boost::asio::io_context& io, HttpOptions options, Metrics& metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  Address address() const;

  /// Begins to serve. `handler` must answer each request exactly once, soon or later.
  void start(Handler handler, RouteOf route_of);
  void stop();

 private:
  class Connection;
  friend class Connection;
  void accept();
  void count(std::string_view method, std::string_view route, int status);

  const HttpOptions options_;
  Metrics& metrics_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_pause_;
  Handler handler_;
  RouteOf route_of_ = nullptr;
  /// By method, route and status.
  std::map<std::tuple<std::string_view, std::string_view, int>, std::uint64_t*> counters_;
  std::set<std::shared_ptr<Connection>> connections_;
  bool stopped_ = false;
};

}  // namespace dynamo::net
