// /kv before quorums: r and w, what a client hears when they are not met, and where hints lie.
#include <algorithm>
#include <string>
#include <vector>

#include "kv_fixture.h"
#include "tree.h"

namespace dynamo {
namespace {

using net::HttpResponse;
using testing::KvTest;
using testing::run_until;

class KvQuorumTest : public KvTest {
 protected:
  RealNodeOptions quorum(const NodeId& id, const std::string& mode, std::uint32_t n) {
    RealNodeOptions with = options(id);
    with.config.modules = {"membership", "ring", "transfer", "versioning", "quorum"};
    with.config.mode = mode;
    with.config.n = n;
    with.config.call_timeout = std::chrono::milliseconds(100);
    with.config.request_deadline = std::chrono::seconds(10);
    return with;
  }

  /// n1 and n2 run; n3 is a member, and has not been started yet.
  void start_two(const std::string& mode, std::uint32_t n) {
    RealNode& n1 = start(quorum("n1", mode, n));
    RealNode& n2 = start(quorum("n2", mode, n));
    for (const char* name : {"n2", "n3"}) {
      ASSERT_EQ(ask(n1, "POST", std::string("/admin/members/") + name).status, 200);
    }
    ASSERT_TRUE(run_until(
        io_, [&] { return answered(n2, "/admin/history") == answered(n1, "/admin/history"); }));
  }

  Json answered(RealNode& node, const std::string& path) {
    return json::parse_or_throw(ask(node, "GET", path).body);
  }

  std::size_t hints(RealNode& node) { return answered(node, "/admin/hints")["count"]; }
};

TEST_F(KvQuorumTest, strict_says_how_many_owners_were_needed_and_got) {
  start_two("strict", 3);
  RealNode& node = *nodes_[1];
  for (const char* two : {"/kv/cart", "/kv/cart?w=2", "/kv/cart?w=1"}) {
    const HttpResponse done = ask(node, "PUT", two, "milk");
    EXPECT_EQ(done.status, 204) << two << " " << done.body;
  }
  for (const char* two : {"/kv/cart", "/kv/cart?r=2", "/kv/cart?r=1"}) {
    EXPECT_EQ(ask(node, "GET", two).body, "milk") << two;
  }
  for (const auto& [method, target] :
       {std::pair("PUT", "/kv/cart?w=3"), {"DELETE", "/kv/tea?w=3"}, {"GET", "/kv/cart?r=3"}}) {
    const HttpResponse unmet = ask(node, method, target, "milk");
    EXPECT_EQ(unmet.status, 503) << method;
    const Json body = json::parse_or_throw(unmet.body);
    EXPECT_EQ(body["error"]["code"], "unavailable");
    EXPECT_EQ(body["needed"], 3) << unmet.body;
    EXPECT_EQ(body["acked"], 2) << unmet.body;
  }
  EXPECT_EQ(hints(*nodes_[0]) + hints(*nodes_[1]), 0u) << "strict: nobody stands in";
}

TEST_F(KvQuorumTest, r_and_w_are_1_to_n) {
  RealNode& node = start(quorum("n1", "strict", 3));
  for (const char* wrong : {"0", "4", "-1", "x", "", "99999999999999999999"}) {
    const HttpResponse put_answer = ask(node, "PUT", std::string("/kv/k?w=") + wrong, "v");
    EXPECT_EQ(put_answer.status, 400) << wrong;
    EXPECT_TRUE(error_of(put_answer)["message"].get<std::string>().starts_with("w must be"));
    EXPECT_EQ(ask(node, "GET", std::string("/kv/k?r=") + wrong).status, 400) << wrong;
  }
}

TEST_F(KvQuorumTest, a_hint_waits_for_its_owner_and_reaches_it) {
  start_two("sloppy", 2);
  std::string key;
  for (int i = 0; key.empty(); ++i) {
    const std::string candidate = "k" + std::to_string(i);
    const Json place = answered(*nodes_[0], "/admin/ring?key=" + candidate);
    const auto owners = place["preference_list"].get<std::vector<NodeId>>();
    if (std::find(owners.begin(), owners.end(), "n3") != owners.end()) key = candidate;
  }
  const HttpResponse done = ask(*nodes_[0], "PUT", "/kv/" + key + "?w=2", "milk");
  ASSERT_EQ(done.status, 204) << done.body;
  const std::size_t keeper = hints(*nodes_[0]) == 1 ? 0 : 1;
  EXPECT_EQ(answered(*nodes_[keeper], "/admin/hints"), Json({{"count", 1}, {"keys", {key}}}));
  EXPECT_EQ(hints(*nodes_[1 - keeper]), 0u) << "the other one is an owner";
  const Json kept = answered(*nodes_[keeper], "/admin/held/" + key);
  EXPECT_EQ(kept["hint"]["versions"][0]["value"], "milk") << kept;
  EXPECT_TRUE(kept["state"].is_null()) << "apart from its own keys";
  const Json own = answered(*nodes_[1 - keeper], "/admin/held/" + key);
  EXPECT_EQ(own["state"]["hash"], kept["hint"]["hash"]) << "the same versions and clock";
  EXPECT_TRUE(own["hint"].is_null());

  start(quorum("n3", "sloppy", 2));
  ASSERT_TRUE(run_until(io_, [&] { return hints(*nodes_[keeper]) == 0; }));
  EXPECT_EQ(ask(*nodes_[2], "GET", "/kv/" + key + "?r=1").body, "milk");
}

TEST_F(KvQuorumTest, a_tree_tells_the_keys_of_its_vnode_and_where_they_lie) {
  RealNodeOptions with = quorum("n1", "strict", 1);
  with.config.modules.push_back("sync");
  RealNode& node = start(with);
  ASSERT_EQ(put(node, "cart", "milk"), 204);
  const Json place = answered(node, "/admin/ring?key=cart");
  const auto vnode = place["vnode"].get<VnodeId>();
  const Json tree = answered(node, "/admin/tree/" + std::to_string(vnode));
  ASSERT_EQ(tree["keys"].size(), 1u) << tree;
  EXPECT_EQ(tree["keys"][0]["key"], "cart");
  EXPECT_EQ(tree["keys"][0]["path"], path_of("cart", with.config.q));
  EXPECT_EQ(tree["keys"][0]["hash"], answered(node, "/admin/held/cart")["state"]["hash"]);
  const Json other = answered(node, "/admin/tree/" + std::to_string((vnode + 1) % with.config.q));
  EXPECT_TRUE(other["keys"].empty());
  EXPECT_NE(other["root"], tree["root"]);
  for (const char* wrong : {"16", "-1", "x", "1x"}) {
    EXPECT_EQ(ask(node, "GET", std::string("/admin/tree/") + wrong).status, 400) << wrong;
  }
}

TEST_F(KvQuorumTest, a_skewed_wall_clock_leaves_the_other_one_alone) {
  RealNode& node = start(quorum("n1", "strict", 1));
  const auto lag = [&] { return node.moment().wall - node.moment().now; };
  const Duration before = lag();
  EXPECT_EQ(ask(node, "POST", "/admin/skew/-7200000").status, 200);
  EXPECT_LT(lag(), before - std::chrono::hours(1));
  for (const char* wrong : {"x", "", "1.5", "999999999999"}) {
    EXPECT_EQ(ask(node, "POST", std::string("/admin/skew/") + wrong).status, 400) << wrong;
  }
}

}  // namespace
}  // namespace dynamo
