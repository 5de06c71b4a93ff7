#include "net/http_message.h"

#include <algorithm>
#include <optional>

#include "core/json.h"

namespace dynamo::net {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

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

bool CaselessLess::operator()(std::string_view a, std::string_view b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return lower(x) < lower(y); });
}

const std::string* HttpRequest::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? nullptr : &found->second;
}

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
  return {status, "application/json", json::text(body) + "\n", {}};
}

}  // namespace dynamo::net
