// HTTP requests and responses, as the handlers of a server see them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo::net {

/// Orders names of header fields, in which case does not count.
struct CaselessLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

/// Names of header fields in any case; a field that came twice has its values joined by ", ".
using HttpHeaders = std::map<std::string, std::string, CaselessLess>;

struct HttpRequest {
  std::string method;  ///< "GET"; HEAD comes as GET, its body is left out on the way back.
  std::vector<std::string> path;  ///< Segments, percent-decoded: any bytes, "/" (%2F) among them.
  std::map<std::string, std::string> query;  ///< Percent-decoded; the first of equal names counts.
  HttpHeaders headers;
  std::string body;  ///< Any bytes.

  /// A header field's value, or nothing if it did not come (a value may be empty).
  const std::string* header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";  ///< Empty: the field is left out.
  std::string body;                               ///< Any bytes; none with 204 and 304.
  HttpHeaders headers;  ///< Without control characters: else std::logic_error as it is sent.
};

/// {"error": {"code": …, "message": …}} with a status.
HttpResponse http_error(int status, std::string_view code, const std::string& message);

/// Turns "/kv/a%20b?r=2" into path and query; false if it is no path or an escape is malformed.
bool split_target(std::string_view target, HttpRequest& request);

}  // namespace dynamo::net
