// What /metrics says of exchanges follows from the module's own calls.
#include "node/sync_env.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "core/codec.h"
#include "stub_env.h"
#include "sync_messages.h"

namespace dynamo {
namespace {

/// Keeps the calls that come out of a SyncEnv, to be answered by the test.
class SyncEnvTest : public ::testing::Test {
 protected:
  struct Call {
    NodeId to;
    std::string type;
    std::string request;
    std::function<void(Result<std::string>)> done;
  };

  template <class Request>
  void ask(const Request& request) {
    sync_.call(NodeId("n2"), request, std::chrono::seconds(1),
               [this](const Result<typename Request::Reply>& reply) { answered_ = reply.ok(); });
  }
  /// Ends the last call; returns how many bytes went there and back.
  template <class Reply>
  std::size_t answer(const Reply& reply) {
    const std::string bytes = to_bytes(reply);
    calls_.back().done(bytes);
    EXPECT_EQ(answered_, true);
    return calls_.back().request.size() + bytes.size();
  }

  testing::StubEnv env_;
  std::vector<Call> calls_;
  std::optional<bool> answered_;
  SyncEnv sync_{env_, [this](const NodeId& to, std::string_view type, std::string request, Duration,
                             auto done) {
                  calls_.push_back({to, std::string(type), std::move(request), std::move(done)});
                }};
};

TEST_F(SyncEnvTest, counts_what_exchanges_cost_and_move) {
  std::size_t bytes = 0;
  ask(CompareRoots{{}, {{3, {1, 2}}}});
  EXPECT_EQ(calls_.back().to, "n2");
  EXPECT_EQ(calls_.back().type, "CompareRoots");
  bytes += answer(CompareRootsReply{{}, {3}});
  ask(AskNodes{{}, 3, {""}});
  bytes += answer(AskNodesReply{{}, {{"", true, {}, {{"a", {1, 2}, {}}}}}});
  ask(AskCopies{{}, {"a", "b", "c"}});
  bytes += answer(AskCopiesReply{{}, 3, {{"a", {1, 2}, State{"x"}}, {"c", {1, 2}, State{"x"}}}});
  ask(Update{{}, {{"a", {1, 2}, State{"x"}}, {"b", {1, 2}, State{"x"}}}});
  bytes += answer(UpdateReply{{}, {{"a", {1, 2}, {}}}});
  EXPECT_EQ(sync_.counts().comparisons, 1u);
  EXPECT_EQ(sync_.counts().keys_received, 2u);
  EXPECT_EQ(sync_.counts().keys_sent, 1u) << "the other one was not confirmed";
  EXPECT_EQ(sync_.counts().bytes, bytes);
}

TEST_F(SyncEnvTest, a_call_without_an_answer_costs_its_request) {
  ask(CompareRoots{{}, {{3, {1, 2}}}});
  const std::size_t bytes = calls_.back().request.size();
  calls_.back().done(Error{ErrorCode::timed_out, "no answer"});
  EXPECT_EQ(answered_, false);
  EXPECT_EQ(sync_.counts().comparisons, 1u);
  EXPECT_EQ(sync_.counts().bytes, bytes);
}

}  // namespace
}  // namespace dynamo
