// A real node in this process: output commit, group commit, and the HTTP routes.
#include "node/real_node.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "core/json.h"
#include "folder.h"
#include "node/admin_api.h"
#include "waiting.h"

namespace dynamo {
namespace {

using net::HttpRequest;
using net::HttpResponse;
using testing::run_until;

class RealNodeTest : public ::testing::Test {
 protected:
  RealNodeOptions options(const NodeId& id = "n1") {
    RealNodeOptions made;
    made.id = id;
    made.data = folder_.path() / id;
    made.config.q = 16;
    made.config.gossip_period = std::chrono::milliseconds(20);
    made.config.seeds = {"n1"};
    made.config.disk_limit_bytes = 4u << 20;
    made.config.modules = {"membership", "ring", "warmup"};
    if (peers_.empty()) {
      for (const char* name : {"n1", "n2", "n3"}) {
        peers_[name] = {{"127.0.0.1", testing::free_port()}, {"127.0.0.1", 0}};
      }
    }
    made.peers = peers_;
    made.bootstrap = id == "n1";
    return made;
  }

  RealNode& start(RealNodeOptions with) {
    nodes_.push_back(std::make_unique<RealNode>(*io_, std::move(with)));
    nodes_.back()->start();
    return *nodes_.back();
  }

  /// What the node answers to `method target`; waits for it.
  HttpResponse ask(RealNode& node, const std::string& method, const std::string& target,
                   net::HttpHeaders headers = {}) {
    HttpRequest request;
    request.method = method;
    request.headers = std::move(headers);
    EXPECT_TRUE(net::split_target(target, request));
    std::optional<HttpResponse> answer;
    serve_http(node, request, [&](HttpResponse response) { answer = std::move(response); });
    EXPECT_TRUE(run_until(*io_, [&] { return answer.has_value(); })) << method << " " << target;
    return answer.value_or(HttpResponse{});
  }

  Json get(RealNode& node, const std::string& target) {
    return json::parse_or_throw(ask(node, "GET", target).body);
  }

  /// "409 already_exists: message"
  std::string error(RealNode& node, const std::string& method, const std::string& target) {
    const HttpResponse response = ask(node, method, target);
    const Json body = json::parse_or_throw(response.body);
    if (!body.contains("error")) return std::to_string(response.status);
    return std::to_string(response.status) + " " + body["error"]["code"].get<std::string>() + ": " +
           body["error"]["message"].get<std::string>();
  }

  testing::Folder folder_;
  Peers peers_;
  std::optional<boost::asio::io_context> io_{std::in_place};
  std::vector<std::unique_ptr<RealNode>> nodes_;
};

TEST_F(RealNodeTest, handlers_that_wait_together_are_committed_together) {
  RealNode& node = start(options());
  ask(node, "GET", "/admin/view");  // the start is behind us
  const std::uint64_t commits = node.metrics().value("dynamo_commits_total");
  int answered = 0;
  for (int i = 0; i < 100; ++i) {
    node.run_handler(
        [i](Node& inner) { std::ignore = inner.membership()->add(i % 2 == 0 ? "n2" : "n3"); },
        [&] { ++answered; });
  }
  EXPECT_EQ(answered, 0);
  ASSERT_TRUE(run_until(*io_, [&] { return answered > 0; }));
  EXPECT_EQ(answered, 100) << "one turn";
  EXPECT_EQ(node.metrics().value("dynamo_commits_total"), commits + 1);
}

TEST_F(RealNodeTest, outputs_leave_after_the_commit) {
  RealNode& node = start(options());
  ask(node, "GET", "/admin/view");
  const std::uint64_t commits = node.metrics().value("dynamo_commits_total");
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 2; ++i) {
    node.run_handler(
        [&](Node& inner) {
          std::ignore = inner.membership()->add("n2");
          seen.push_back(node.metrics().value("dynamo_commits_total"));
        },
        [&] { seen.push_back(node.metrics().value("dynamo_commits_total")); });
  }
  ASSERT_TRUE(run_until(*io_, [&] { return seen.size() == 4; }));
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{commits, commits, commits + 1, commits + 1}));
}

TEST_F(RealNodeTest, exception_in_a_turn_lets_nothing_of_it_out) {
  RealNode& node = start(options());
  const Json before = get(node, "/admin/history");
  bool answered = false;
  node.run_handler([](Node& inner) { EXPECT_TRUE(inner.membership()->add("n2").ok()); },
                   [&] { answered = true; });
  node.run_handler([](Node&) { throw std::out_of_range("a student's mistake"); },
                   [&] { answered = true; });
  EXPECT_THROW(run_until(*io_, [&] { return answered; }), std::out_of_range);
  EXPECT_FALSE(answered);

  nodes_.clear();
  io_.emplace();
  EXPECT_EQ(get(start(options()), "/admin/history"), before) << "nor is anything of it on the disk";
}

TEST_F(RealNodeTest, nodes_gossip_and_answer_the_operator) {
  RealNode& n1 = start(options("n1"));
  RealNode& n2 = start(options("n2"));
  EXPECT_EQ(error(n2, "GET", "/admin/ring?key=cart"),
            "503 not_a_member: the ring is empty: n2 knows of no member yet");
  EXPECT_EQ(ask(n1, "POST", "/admin/members/n2").body, "{\"done\":true}\n");
  ASSERT_TRUE(run_until(*io_, [&] { return get(n2, "/admin/view")["member"] == true; }));

  const Json view = get(n2, "/admin/view");
  EXPECT_EQ(view["self"], "n2");
  EXPECT_EQ(view["members"], Json({"n1", "n2"}));
  EXPECT_EQ(view["suspects"], Json::array());
  EXPECT_EQ(view["view"].size(), 2u);
  EXPECT_LT(view["incarnation"].get<std::uint64_t>(), std::uint64_t{1} << 48);
  EXPECT_EQ(get(n1, "/admin/history"), get(n2, "/admin/history"));
  EXPECT_EQ(get(n1, "/admin/history")["digest"].get<std::string>().size(), 32u);
  EXPECT_EQ(get(n1, "/admin/ring"), get(n2, "/admin/ring"));
  EXPECT_EQ(get(n1, "/admin/ring")["owners"].size(), 16u);

  const Json place = get(n1, "/admin/ring?key=ca%72t");
  EXPECT_EQ(place["key"], "cart");
  EXPECT_EQ(place["hash"], "e0a5aa3bac58015d");
  EXPECT_EQ(place["vnode"], 14);
  EXPECT_EQ(place["preference_list"].size(), 2u);
  EXPECT_EQ(place["active_list"][0]["stands_in_for"], "");
}

TEST_F(RealNodeTest, errors_have_a_status_a_code_and_a_cure) {
  RealNode& node = start(options());
  EXPECT_EQ(error(node, "POST", "/admin/members/n7"),
            "400 invalid_argument: \"n7\" is not in the peers file, which names: n1, n2, n3");
  EXPECT_EQ(error(node, "POST", "/admin/ping/n7"),
            "400 invalid_argument: \"n7\" is not in the peers file, which names: n1, n2, n3");
  EXPECT_TRUE(error(node, "POST", "/admin/members/n1").starts_with("400 invalid_argument: "));
  EXPECT_TRUE(error(node, "DELETE", "/admin/members/n2").starts_with("404 not_found: "));
  EXPECT_EQ(error(node, "POST", "/admin/members/n2"), "200");
  EXPECT_TRUE(error(node, "POST", "/admin/members/n2").starts_with("409 already_exists: "));
  EXPECT_EQ(error(node, "DELETE", "/admin/members/n2"), "200");
  EXPECT_EQ(error(node, "GET", "/admin/ring?kez=1"),
            "400 invalid_argument: unknown parameter \"kez\"; known is: key");
  EXPECT_TRUE(error(node, "GET", "/kv/cart").starts_with("501 not_at_work: "));
  for (const char* path : {"/", "/admin", "/admin/", "/admin/views", "/admin/view/x", "/health/x",
                           "/admin/members", "/kv", "/x"}) {
    EXPECT_TRUE(error(node, "GET", path).starts_with("404 not_found: no such path")) << path;
  }
}

TEST_F(RealNodeTest, another_method_gets_405_and_what_is_allowed) {
  RealNode& node = start(options());
  const std::array<std::array<std::string, 3>, 7> cases = {
      {{"POST", "/admin/view", "GET, HEAD"},
       {"PUT", "/admin/history", "GET, HEAD"},
       {"DELETE", "/admin/ring", "GET, HEAD"},
       {"GET", "/admin/members/n2", "POST, DELETE"},
       {"GET", "/admin/ping/n2", "POST"},
       {"POST", "/kv/cart", "GET, HEAD, PUT, DELETE"},
       {"POST", "/health", "GET, HEAD"}}};
  for (const auto& [method, target, allowed] : cases) {
    const HttpResponse response = ask(node, method, target);
    EXPECT_EQ(response.status, 405) << target;
    EXPECT_EQ(response.headers.at("Allow"), allowed) << target;
  }
}

TEST_F(RealNodeTest, token_is_demanded_for_admin_alone) {
  RealNodeOptions with = options();
  with.admin_token = "0123456789abcdef";
  RealNode& node = start(with);
  for (const char* wrong : {"", "0123456789abcdef", "Bearer 0123456789abcdeF", "Bearer ",
                            "Bearer 0123456789abcdef0", "Basic 0123456789abcdef"}) {
    const HttpResponse response =
        ask(node, "POST", "/admin/members/n2", {{"authorization", wrong}});
    EXPECT_EQ(response.status, 401) << wrong;
    EXPECT_EQ(response.headers.at("WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(ask(node, "GET", "/admin/view").status, 401);
  EXPECT_EQ(ask(node, "GET", "/health").status, 200);
  EXPECT_EQ(ask(node, "GET", "/metrics").status, 200);
  EXPECT_EQ(
      ask(node, "POST", "/admin/members/n2", {{"authorization", "Bearer 0123456789abcdef"}}).status,
      200);
}

TEST_F(RealNodeTest, health_metrics_and_warm_up) {
  RealNode& n1 = start(options("n1"));
  RealNode& n2 = start(options("n2"));
  EXPECT_EQ(ask(n1, "GET", "/health").body, "{\"id\":\"n1\",\"ready\":true}\n");
  EXPECT_EQ(ask(n1, "POST", "/admin/ping/n2").status, 200);
  ASSERT_TRUE(run_until(*io_, [&] { return get(n1, "/admin/warmup")["answered"] == 1; }));
  EXPECT_EQ(get(n2, "/admin/warmup")["counted"], 1);
  const HttpResponse metrics = ask(n1, "GET", "/metrics");
  EXPECT_EQ(metrics.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metrics.body.find("\ndynamo_members 1\n"), std::string::npos) << metrics.body;
  EXPECT_NE(metrics.body.find("dynamo_frames_total{direction=\"out\",type=\"Ping\"} 1\n"),
            std::string::npos)
      << metrics.body;
}

TEST_F(RealNodeTest, metrics_tell_of_frames_and_commits) {
  RealNode& n1 = start(options("n1"));
  start(options("n2"));
  EXPECT_EQ(ask(n1, "POST", "/admin/members/n2").status, 200);
  EXPECT_EQ(ask(n1, "POST", "/admin/ping/n2").status, 200);
  ASSERT_TRUE(run_until(*io_, [&] { return get(n1, "/admin/warmup")["answered"] == 1; }));
  const net::Metrics& metrics = n1.metrics();
  for (const std::string_view direction : {"in", "out"}) {
    EXPECT_EQ(metrics.value("dynamo_frames_total", {{"direction", direction}, {"type", "Ping"}}),
              1u);
    const auto bytes =
        metrics.value("dynamo_frame_bytes_total", {{"direction", direction}, {"type", "Ping"}});
    EXPECT_GT(bytes, net::kFrameHeaderBytes);
    EXPECT_LT(bytes, 100u);
  }
  EXPECT_EQ(metrics.value("dynamo_frames_total", {{"direction", "in"}, {"type", "unknown"}}), 0u);
  const std::uint64_t commits = metrics.value("dynamo_commits_total");
  EXPECT_GE(commits, 1u);
  EXPECT_GE(metrics.value("dynamo_commit_writes_total"), commits);
  EXPECT_GE(metrics.value("dynamo_commit_bytes_total"), 10 * commits);
  const std::string text = ask(n1, "GET", "/metrics").body;
  EXPECT_NE(text.find("# TYPE dynamo_commit_seconds histogram\n"), text.npos) << text;
  EXPECT_NE(text.find("dynamo_commit_seconds_count "), text.npos) << text;
}

TEST_F(RealNodeTest, route_is_a_pattern_never_a_path) {
  const std::array<std::array<std::string_view, 2>, 6> cases = {
      {{"/kv/cart", "/kv/KEY"},
       {"/kv/a%2Fb", "/kv/KEY"},
       {"/admin/members/n2", "/admin/members/ID"},
       {"/admin/ring?key=a", "/admin/ring"},
       {"/kv/a/b", "other"},
       {"/", "other"}}};
  for (const auto& [target, route] : cases) {
    HttpRequest request;
    ASSERT_TRUE(net::split_target(target, request));
    EXPECT_EQ(route_of(request), route) << target;
  }
}

TEST_F(RealNodeTest, module_that_is_not_at_work_gets_501) {
  RealNodeOptions with = options();
  with.config.modules = {};
  RealNode& node = start(with);
  for (const char* path : {"/admin/view", "/admin/history", "/admin/ring", "/admin/ring?key=a",
                           "/admin/warmup", "/admin/hints", "/admin/held/a", "/admin/tree/0"}) {
    EXPECT_TRUE(error(node, "GET", path).starts_with("501 not_at_work: the module")) << path;
  }
  EXPECT_TRUE(error(node, "POST", "/admin/members/n2").starts_with("501 not_at_work"));
  EXPECT_TRUE(error(node, "POST", "/admin/ping/n2").starts_with("501 not_at_work"));
  EXPECT_TRUE(error(node, "GET", "/kv/a").starts_with("501 not_at_work: no coordinator"));
}

TEST_F(RealNodeTest, restart_keeps_identity_and_history) {
  Json before;
  {
    RealNode& node = start(options());
    ask(node, "POST", "/admin/members/n2");
    before = get(node, "/admin/history");
    node.stop();
  }
  nodes_.clear();
  io_.emplace();  // what the old node's handlers still waited for is gone with it
  RealNodeOptions again = options();
  again.bootstrap = false;
  RealNode& node = start(again);
  EXPECT_EQ(get(node, "/admin/history"), before);
}

}  // namespace
}  // namespace dynamo
