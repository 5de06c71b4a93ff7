#include "net/http_guard.h"

#include <string_view>

#include <boost/asio/ip/address.hpp>

namespace dynamo::net {

namespace {

bool same(std::string_view a, std::string_view b) {
  const CaselessLess less;
  return !less(a, b) && !less(b, a);
}

/// "localhost:8001" and "[::1]:8001" without their ports; empty if it is no host.
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end == host.npos ? "" : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

bool is_loopback(std::string_view host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(host), error);
  return !error && address.is_loopback();
}

HttpResponse forbidden(const std::string& message) { return http_error(403, "forbidden", message); }

}  // namespace

std::optional<HttpResponse> refuse_foreign(const HttpRequest& request,
                                           const std::string& bound_host) {
  const std::string* host = request.header("Host");
  if (host != nullptr && is_loopback(bound_host)) {
    const std::string_view name = without_port(*host);
    if (!same(name, "localhost") && !is_loopback(name)) {
      return forbidden("this node does not answer for \"" + *host +
                       "\": it listens on this machine alone; say localhost or " + bound_host);
    }
  }
  if (request.method == "GET") return std::nullopt;
  const std::string* origin = request.header("Origin");
  if (origin != nullptr && (host == nullptr || !same(*origin, "http://" + *host))) {
    return forbidden("a page of \"" + *origin +
                     "\" may not change anything here; use ./lab console, or curl");
  }
  const std::string* site = request.header("Sec-Fetch-Site");
  if (site != nullptr && !same(*site, "same-origin") && !same(*site, "none")) {
    return forbidden(
        "a page of another site may not change anything here; use ./lab console, or "
        "curl");
  }
  return std::nullopt;
}

}  // namespace dynamo::net
