// Redis' protocol (RESP 2), and the choice of a dialect.
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "load/http_dialect.h"

namespace dynamo::load {

namespace {

constexpr std::string_view kEnd = "\r\n";
constexpr std::string_view kWaitMs = "2000";  // a put that the replicas do not have by then failed

class RedisDialect final : public Dialect {
 public:
  explicit RedisDialect(const Workload& workload) : workload_(workload) {}

  std::string_view request(std::string_view key, std::string_view value) override {
    text_.clear();
    error_.clear();
    if (workload_.put) {
      command({"SET", key, value});
      // In one write with the put: it waits for what this connection has put before.
      if (workload_.wait_for > 0) command({"WAIT", std::to_string(workload_.wait_for), kWaitMs});
    } else {
      command({"GET", key});
    }
    open_ = workload_.put && workload_.wait_for > 0 ? 2 : 1;
    return text_;
  }

  std::size_t take(std::string_view bytes) override {
    std::size_t taken = 0;
    while (open_ > 0) {
      const std::size_t length = reply_bytes(bytes.substr(taken));
      if (length == 0) break;
      judge(bytes.substr(taken, length));
      taken += length;
      --open_;
    }
    return taken;
  }

  bool done() const override { return open_ == 0; }
  std::string error() const override { return error_; }

 private:
  void command(std::initializer_list<std::string_view> words) {
    text_.append("*").append(std::to_string(words.size())).append(kEnd);
    for (const std::string_view word : words) {
      text_.append("$").append(std::to_string(word.size())).append(kEnd).append(word).append(kEnd);
    }
  }

  static std::int64_t number_in(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw std::runtime_error("the answer is no RESP: \"" + std::string(text) + "\"");
    }
    return number;
  }

  /// Of the first reply; 0 if it is not there in full.
  static std::size_t reply_bytes(std::string_view bytes) {
    const std::size_t line = bytes.find(kEnd);
    if (line == bytes.npos) return 0;
    std::size_t whole = line + kEnd.size();
    if (bytes.front() == '$') {
      const std::int64_t length = number_in(bytes.substr(1, line - 1));
      if (length >= 0) whole += static_cast<std::size_t>(length) + kEnd.size();
    }
    return bytes.size() >= whole ? whole : 0;
  }

  /// Replies come in the order of the commands: to SET, then to WAIT; or to GET.
  void judge(std::string_view reply) {
    const std::size_t line = reply.find(kEnd);
    const std::string_view text = reply.substr(1, line - 1);
    switch (reply.front()) {
      case '+':
        return;
      case ':':
        if (static_cast<std::uint64_t>(number_in(text)) >= workload_.wait_for) return;
        break;
      case '$':
        if (number_in(text) == static_cast<std::int64_t>(workload_.value_bytes)) return;
        break;
      case '-':
        break;
      default:
        throw std::runtime_error("the answer is no RESP: \"" + std::string(reply) + "\"");
    }
    error_ = std::string(reply.substr(0, line));
  }

  const Workload workload_;
  std::string text_;
  std::string error_;
  int open_ = 0;  ///< Replies that have not come yet.
};

}  // namespace

std::unique_ptr<Dialect> make_dialect(const std::string& system, const Workload& workload,
                                      const std::string& host) {
  if (system == "redis") return std::make_unique<RedisDialect>(workload);
  return make_http_dialect(system, workload, host);
}

}  // namespace dynamo::load
