// Real nodes in this process, with the reference's modules, asked as clients of the store do.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "folder.h"
#include "node/admin_api.h"
#include "node/real_node.h"
#include "waiting.h"

namespace dynamo::testing {

inline constexpr const char* kContext = "X-Dynamo-Context";
inline constexpr const char* kRequestId = "X-Request-Id";

class KvTest : public ::testing::Test {
 protected:
  RealNodeOptions options(const NodeId& id = "n1") {
    RealNodeOptions made;
    made.id = id;
    made.data = folder_.path() / id;
    made.config.q = 16;
    made.config.modules = {"membership", "ring", "replication", "transfer", "versioning"};
    made.config.gossip_period = std::chrono::milliseconds(20);
    made.config.retry_period = std::chrono::milliseconds(20);
    made.config.seeds = {"n1"};
    made.config.disk_limit_bytes = 64u << 20;
    made.config.cluster_secret = "a secret of this test";
    if (peers_.empty()) {
      for (const char* name : {"n1", "n2", "n3"}) {
        peers_[name] = {{"127.0.0.1", free_port()}, {"127.0.0.1", 0}};
      }
    }
    made.peers = peers_;
    made.bootstrap = id == "n1";
    return made;
  }

  RealNode& start(RealNodeOptions with) {
    nodes_.push_back(std::make_unique<RealNode>(io_, std::move(with)));
    nodes_.back()->start();
    return *nodes_.back();
  }

  net::HttpResponse ask(RealNode& node, const std::string& method, const std::string& target,
                        const std::string& body = "", net::HttpHeaders headers = {}) {
    net::HttpRequest request;
    request.method = method;
    request.body = body;
    request.headers = std::move(headers);
    EXPECT_TRUE(net::split_target(target, request)) << target;
    std::optional<net::HttpResponse> answer;
    serve_http(node, request, [&](net::HttpResponse response) { answer = std::move(response); });
    EXPECT_TRUE(run_until(io_, [&] { return answer.has_value(); })) << method << " " << target;
    return answer.value_or(net::HttpResponse{0, "", "", {}});
  }

  /// The context that comes with what is under `key` now.
  std::string context_of(RealNode& node, const std::string& key) {
    net::HttpResponse response = ask(node, "GET", "/kv/" + key);
    EXPECT_TRUE(response.headers.contains(kContext)) << response.status << response.body;
    return response.headers[kContext];
  }

  /// What a put answers; "with" a context unless that is empty.
  int put(RealNode& node, const std::string& key, const std::string& value,
          const std::string& with = "") {
    net::HttpHeaders headers;
    if (!with.empty()) headers[kContext] = with;
    return ask(node, "PUT", "/kv/" + key, value, headers).status;
  }

  /// The status and the siblings' texts, sorted: "300 a b".
  std::string seen(RealNode& node, const std::string& key) {
    const net::HttpResponse response = ask(node, "GET", "/kv/" + key);
    std::string text = std::to_string(response.status);
    if (response.status == 200) return text + " " + response.body;
    if (response.status != 300) return text;
    std::set<std::string> values;
    const Json body = json::parse_or_throw(response.body);
    for (const Json& one : body.at("siblings")) {
      values.insert(one.contains("text") ? one["text"] : one.at("base64"));
    }
    for (const std::string& value : values) text += " " + value;
    return text;
  }

  static Json error_of(const net::HttpResponse& response) {
    return json::parse_or_throw(response.body).at("error");
  }

  /// Sends raw bytes to the node's HTTP port; what comes back until `done` or the end.
  std::string exchange(RealNode& node, const std::string& bytes,
                       const std::function<bool(const std::string&)>& done = nullptr) {
    boost::asio::ip::tcp::socket socket(io_);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), node.http_address().port});
    boost::asio::async_write(socket, boost::asio::buffer(bytes), [](auto, auto) {});
    std::string answer;
    std::array<char, 4096> chunk{};
    bool closed = false;
    std::function<void()> read = [&] {
      socket.async_read_some(boost::asio::buffer(chunk),
                             [&](const boost::system::error_code& error, std::size_t count) {
                               answer.append(chunk.data(), count);
                               closed = static_cast<bool>(error);
                               if (!closed) read();
                             });
    };
    read();
    EXPECT_TRUE(run_until(io_, [&] { return closed || (done && done(answer)); })) << answer;
    if (!closed) {
      socket.close();
      run_until(io_, [&] { return closed; });
    }
    return answer;
  }

  /// A key that `host` keeps and no other node (n = 1).
  std::string key_of(RealNode& node, const NodeId& host) {
    for (int i = 0; i < 1000; ++i) {
      std::string key = "k";
      key += std::to_string(i);
      const Json place = json::parse_or_throw(ask(node, "GET", "/admin/ring?key=" + key).body);
      if (place["preference_list"] == Json{host}) return key;
    }
    ADD_FAILURE() << "no key of " << host;
    return "";
  }

  Folder folder_;
  Peers peers_;
  boost::asio::io_context io_;
  std::vector<std::unique_ptr<RealNode>> nodes_;
};

}  // namespace dynamo::testing
