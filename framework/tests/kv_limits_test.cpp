// /kv at its limits: a key that very many nodes have written, and one whose siblings grew apart.
#include <string>
#include <vector>

#include "kv_fixture.h"
#include "net/frame.h"

namespace dynamo {
namespace {

using net::HttpResponse;
using testing::kContext;
using testing::KvTest;
using testing::run_until;

constexpr const char* kContextError = "X-Dynamo-Context-Error";

/// The `number`th of many nodes, with a name as long as names may be.
Actor writer(std::size_t number) {
  std::string name = "node-" + std::to_string(number) + "-";
  name.resize(32, 'x');
  return {name, (Incarnation{1} << 48) - 1, 100};
}

class KvLimits : public KvTest {
 protected:
  /// Hands `node` a state, as another owner of the key does. True if it confirms that it holds it.
  bool update(RealNode& node, const std::string& key, const KeyState& content) {
    const State state = state_of(content);
    const Update request{{}, {{key, hash_of(key, state), state}}};
    std::optional<UpdateReply> reply;
    node.ask(message_number<Update>, to_bytes(request),
             [&](const std::string& bytes) { reply = from_bytes<UpdateReply>(bytes); });
    EXPECT_TRUE(run_until(io_, [&] { return reply.has_value(); }));
    return reply && !reply->confirmed.empty();
  }

  /// One value, and a clock with `count` actors.
  static KeyState written_by(std::size_t count) {
    KeyState state;
    for (std::size_t i = 0; i < count; ++i) state.clock.entries.push_back({writer(i), 100});
    state.versions.push_back({state.clock.entries.front(), {}, "old", {}});
    return state;
  }

  /// A sibling of all others that are made here.
  static KeyState sibling(std::size_t number, std::size_t bytes) {
    const Dot dot{writer(number), 1};
    return {{{dot, {}, std::string(bytes, static_cast<char>('a' + number)), {}}}, {{dot}}};
  }

  std::optional<StateHash> held(RealNode& node, const std::string& key) {
    std::optional<StateHash> hash;
    bool answered = false;
    node.run_handler([&](Node& modules) { hash = modules.store()->hash(key); },
                     [&] { answered = true; });
    EXPECT_TRUE(run_until(io_, [&] { return answered; }));
    return hash;
  }
};

TEST_F(KvLimits, context_of_as_many_actors_as_a_put_may_leave_comes_back_in_a_header) {
  RealNode& node = start(options());
  ASSERT_TRUE(update(node, "k", written_by(kMaxActors - 1)));
  const std::string context = context_of(node, "k");
  EXPECT_GT(context.size(), 32'768u);
  const std::string answer =
      exchange(node, "PUT /kv/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                         (kContext + (": " + context)) + "\r\nContent-Length: 3\r\n\r\nnew");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 204 ")) << answer;
  EXPECT_EQ(seen(node, "k"), "200 new");
  EXPECT_EQ(put(node, "k", "newer", context_of(node, "k")), 204) << "no actor more";
}

TEST_F(KvLimits, one_actor_too_many_gets_413_with_a_cure_and_loses_nothing) {
  RealNode& node = start(options());
  ASSERT_TRUE(update(node, "k", written_by(kMaxActors)));
  const std::string context = context_of(node, "k");
  for (const std::string& with : {std::string(), context}) {
    net::HttpHeaders headers;
    if (!with.empty()) headers[kContext] = with;
    const HttpResponse refused = ask(node, "PUT", "/kv/k", "new", headers);
    EXPECT_EQ(refused.status, 413);
    EXPECT_EQ(error_of(refused)["code"], "too_large");
    EXPECT_EQ(
        error_of(refused)["message"],
        "the key would have 701 actors in its clock, of at most 700: put at a node that wrote "
        "it before, or put it under another key and delete this one");
    EXPECT_EQ(seen(node, "k"), "200 old");
  }
  KeyState twice = written_by(kMaxActors);
  twice.versions.push_back({twice.clock.entries.back(), {}, "its sibling", {}});
  ASSERT_TRUE(update(node, "siblings", twice));
  EXPECT_EQ(put(node, "siblings", "one", context_of(node, "siblings")), 204) << "it reconciles";
  EXPECT_EQ(ask(node, "DELETE", "/kv/k", "", {{kContext, context}}).status, 204);
  EXPECT_EQ(seen(node, "k"), "404");
}

TEST_F(KvLimits, context_that_no_header_could_bring_back_is_not_given_and_says_why) {
  RealNode& node = start(options());
  ASSERT_TRUE(update(node, "k", written_by(3 * kMaxActors))) << "merges have no such limit";
  const HttpResponse read = ask(node, "GET", "/kv/k");
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, "old") << "the value can be read";
  EXPECT_FALSE(read.headers.contains(kContext));
  ASSERT_TRUE(read.headers.contains(kContextError));
  EXPECT_TRUE(read.headers.at(kContextError).starts_with("too_large: the context of this key"));
  EXPECT_EQ(ask(node, "DELETE", "/kv/k").status, 204) << "and it can be deleted";
  EXPECT_EQ(seen(node, "k"), "404");
}

TEST_F(KvLimits, largest_merged_state_moves_to_another_node_and_a_larger_one_is_not_made) {
  constexpr std::size_t kValueBytes = 4'000'000;
  const auto patient = [this](const NodeId& id) {  // 12 MB take a busy machine more than 300 ms
    RealNodeOptions asked = options(id);
    asked.config.call_timeout = std::chrono::seconds(15);
    return asked;
  };
  RealNode& n1 = start(patient("n1"));
  KeyState all;
  for (std::size_t number = 0; number < 3; ++number) {
    const KeyState one = sibling(number, kValueBytes);
    EXPECT_TRUE(update(n1, "k", one)) << "three nodes may take as much, apart from each other";
    all.versions.push_back(one.versions.front());
    all.clock.entries.push_back(one.clock.entries.front());
  }
  const StateHash whole = hash_of("k", state_of(all));
  EXPECT_EQ(held(n1, "k"), whole);
  EXPECT_FALSE(update(n1, "k", sibling(3, kValueBytes)));
  EXPECT_EQ(held(n1, "k"), whole) << "what is refused changes nothing";
  EXPECT_GT(3 * kValueBytes, n1.options().config.peer_queue_bytes);
  EXPECT_LT(kMaxMergedStateBytes, net::kMaxFrameBodyBytes);
  RealNode& n2 = start(patient("n2"));
  EXPECT_EQ(ask(n1, "POST", "/admin/members/n2").status, 200);
  EXPECT_TRUE(run_until(io_, [&] { return held(n2, "k") == whole; }));
  EXPECT_EQ(put(n2, "k", "one again", context_of(n2, "k")), 204) << "and can be reconciled there";
  EXPECT_TRUE(run_until(io_, [&] { return seen(n1, "k") == "200 one again"; }));
}

}  // namespace
}  // namespace dynamo
