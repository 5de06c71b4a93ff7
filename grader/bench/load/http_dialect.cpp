// dynamo-node's and etcd's ways of speaking HTTP/1.1.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "load/http_dialect.h"

namespace dynamo::load {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t kLongestBody = 64u << 20;
constexpr std::size_t kShownBytes = 200;  // of an answer that is no success

/// As etcd's gateway wants keys and values (RFC 4648, 4).
std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t given = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < given ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text.push_back(i <= given ? kDigits[bits >> (18 - 6 * i) & 63] : '=');
    }
  }
  return text;
}

class HttpDialect : public Dialect {
 public:
  HttpDialect(const Workload& workload, std::string host)
      : workload_(workload), host_(std::move(host)) {}

  std::size_t take(std::string_view bytes) override {
    boost::system::error_code error;
    const std::size_t taken = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    if (error && error != http::error::need_more) {
      throw std::runtime_error("the answer is no HTTP/1.1: " + error.message());
    }
    return taken;
  }

  bool done() const override { return parser_->is_done(); }

  std::string error() const override {
    const auto& answer = parser_->get();
    if (is_success(answer.result_int(), answer.body())) return "";
    return "status " + std::to_string(answer.result_int()) + ", " +
           std::to_string(answer.body().size()) + " bytes: " + answer.body().substr(0, kShownBytes);
  }

 protected:
  std::string_view send(std::string_view line, std::string_view type, std::string_view body) {
    text_.assign(line).append(" HTTP/1.1\r\nHost: ").append(host_).append("\r\n");
    if (!type.empty()) {
      text_.append("Content-Type: ").append(type).append("\r\nContent-Length: ");
      text_.append(std::to_string(body.size())).append("\r\n");
    }
    text_.append("\r\n").append(body);
    parser_.emplace();
    parser_->eager(true);
    parser_->body_limit(kLongestBody);
    return text_;
  }

  virtual bool is_success(unsigned status, const std::string& body) const = 0;

  const Workload workload_;

 private:
  const std::string host_;
  std::string text_;
  std::optional<http::response_parser<http::string_body>> parser_;
};

class DynamoDialect final : public HttpDialect {
 public:
  using HttpDialect::HttpDialect;

  std::string_view request(std::string_view key, std::string_view value) override {
    line_.assign(workload_.put ? "PUT /kv/" : "GET /kv/").append(key);
    if (!workload_.put) return send(line_, "", "");
    return send(line_, "application/octet-stream", value);
  }

 private:
  bool is_success(unsigned status, const std::string& body) const override {
    return workload_.put ? status == 204 : status == 200 && body.size() == workload_.value_bytes;
  }

  std::string line_;
};

class EtcdDialect final : public HttpDialect {
 public:
  using HttpDialect::HttpDialect;

  std::string_view request(std::string_view key, std::string_view value) override {
    body_.assign(R"({"key":")").append(base64(key));
    if (workload_.put) body_.append(R"(","value":")").append(base64(value));
    body_.append("\"}");
    return send(workload_.put ? "POST /v3/kv/put" : "POST /v3/kv/range", "application/json", body_);
  }

 private:
  /// A range that found nothing is a 200, too; the count of what was found is text in its JSON.
  bool is_success(unsigned status, const std::string& body) const override {
    if (status != 200) return false;
    return workload_.put || (body.find(R"("count":"1")") != body.npos &&
                             body.size() > 4 * ((workload_.value_bytes + 2) / 3));
  }

  std::string body_;
};

}  // namespace

std::unique_ptr<Dialect> make_http_dialect(const std::string& system, const Workload& workload,
                                           const std::string& host) {
  if (system == "dynamo") return std::make_unique<DynamoDialect>(workload, host);
  if (system == "etcd") return std::make_unique<EtcdDialect>(workload, host);
  return nullptr;
}

}  // namespace dynamo::load
