// What stands between a client's request and the quorums: who is asked to coordinate, what comes of
// it, and that nobody executes a request twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "node/forwarding.h"
#include "node/last_write_wins.h"
#include "node/local_store.h"
#include "scripted_env.h"

namespace dynamo {
namespace {

using namespace std::chrono_literals;
using testing::ScriptedEnv;

/// All keys have the same owners; everybody has heard of all events.
class ScriptedView final : public ClusterView {
 public:
  const History& history() const override { return history_; }
  Known known(bool events) const override { return {{digest, 0}, events ? History(1) : History()}; }
  bool learn(const Known& peer) override {
    heard.push_back(peer);
    return peer.digest.high == digest;
  }
  bool member(const NodeId& node) const override {
    return std::find(all.begin(), all.end(), node) != all.end();
  }
  std::vector<NodeId> members() const override { return all; }
  std::vector<NodeId> removed() const override { return {}; }
  std::vector<NodeId> suspects() const override { return silent; }
  VnodeId vnode_of(std::string_view /*key*/) const override { return 0; }
  std::vector<NodeId> preference_list(VnodeId /*vnode*/) const override { return owners; }
  std::vector<Placement> active_list(VnodeId /*vnode*/) const override {
    std::vector<Placement> active;
    for (const NodeId& node : all) {
      const bool healthy = std::find(silent.begin(), silent.end(), node) == silent.end();
      if (healthy && active.size() < owners.size()) active.push_back({node, {}});
    }
    return active;
  }
  std::vector<NodeId> preference_list_after(std::size_t /*events*/,
                                            VnodeId /*vnode*/) const override {
    return owners;
  }

  std::uint64_t digest = 1;
  std::vector<NodeId> all{"n1", "n2", "n3", "n4", "n5"};
  std::vector<NodeId> owners;
  std::vector<NodeId> silent;
  std::vector<Known> heard;

 private:
  History history_;
};

/// Writes here, and answers when the test says so.
class ScriptedQuorum final : public QuorumCoordinator {
 public:
  explicit ScriptedQuorum(LocalStore& store) : store_(store) {}
  void start() override {}
  void put(const QuorumWrite& write, Responder<WriteOutcome> responder) override {
    puts.push_back(write);
    if (refusal) return responder.reply({*refusal, write.w, 0});
    if (!write.again) {
      ASSERT_TRUE(store_.write(write.key, write.version).ok());
    }
    waiting.push_back(std::move(responder));
  }
  void get(const QuorumRead& read, Responder<ReadOutcome> responder) override {
    gets.push_back(read);
    responder.reply({std::optional<State>{}, read.r, read.r, {}});
  }
  void handle(const Update& /*request*/, Responder<UpdateReply> /*responder*/) override {}
  void handle(const Read& /*request*/, Responder<ReadReply> /*responder*/) override {}
  void handle(const StoreHints& /*request*/, Responder<StoreHintsReply> /*responder*/) override {}
  void history_grew(const History& /*before*/) override {}

  void answer(const WriteOutcome& outcome) {
    const Responder<WriteOutcome> first = waiting.at(0);
    waiting.erase(waiting.begin());
    first.reply(outcome);
  }

  std::vector<QuorumWrite> puts;
  std::vector<QuorumRead> gets;
  std::vector<Responder<WriteOutcome>> waiting;
  std::optional<Error> refusal;

 private:
  LocalStore& store_;
};

const WriteOutcome kDone{Done{}, 2, 2};

class ForwardingTest : public ::testing::Test {
 protected:
  void begin(QuorumMode mode, std::vector<NodeId> owners) {
    view_.owners = std::move(owners);
    mode_ = mode;
    restart();
  }

  void restart() {
    env_.restart();
    quorum_.waiting.clear();
    const ForwardingConfig config{mode_, 3, 0, 0, 300ms, 2700ms, 10min};
    forwarding_.emplace(env_, config, view_, store_, hints_, quorum_);
    forwarding_->start();
  }

  /// The client's request number `number`; what it is told goes to `told_`.
  void write(std::uint64_t number, std::uint32_t w = 0) {
    told_.reset();
    forwarding_->handle(ClientWrite{{"amy", 1, number}, "cart", "milk", {}, w},
                        Responder<WriteOutcome>([this](const std::string& bytes) {
                          ASSERT_FALSE(told_.has_value()) << "answered twice";
                          told_ = from_bytes<WriteOutcome>(bytes).value();
                        }));
  }

  /// Another node hands a request on; what it hears goes to `heard_`.
  void coordinate(std::uint64_t number, std::uint64_t digest = 1) {
    heard_.reset();
    const NewVersion version{"milk", {}, {number, "n2", 1, number}};
    forwarding_->handle(Coordinate{{{digest, 0}, {}}, {"amy", 1, number}, "cart", version, 2},
                        Responder<CoordinateReply>([this](const std::string& bytes) {
                          ASSERT_FALSE(heard_.has_value()) << "answered twice";
                          heard_ = from_bytes<CoordinateReply>(bytes).value();
                        }));
  }

  Coordinate asked() { return from_bytes<Coordinate>(env_.calls.at(0).request).value(); }
  CoordinateReply not_mine(std::uint64_t digest = 1) {
    return {{{digest, 0}, {}}, false, false, {}};
  }
  CoordinateReply mine(const WriteOutcome& outcome) { return {{{1, 0}, {}}, true, false, outcome}; }
  CoordinateReply pending() { return {{{1, 0}, {}}, true, true, {}}; }

  bool failed_with(ErrorCode code) const {
    return told_ && !told_->status.ok() && told_->status.error().code == code;
  }

  ScriptedEnv env_;
  ScriptedView view_;
  std::unique_ptr<Versioning> versioning_ = make_last_write_wins();
  VersionedStore store_{env_, *versioning_, {1, 64, 1 << 20}, kStateSpace};
  VersionedStore hints_{env_, *versioning_, {1, 64, 1 << 20}, kHintSpace};
  ScriptedQuorum quorum_{store_};
  QuorumMode mode_ = QuorumMode::strict;
  std::optional<Forwarding> forwarding_;
  std::optional<WriteOutcome> told_;
  std::optional<CoordinateReply> heard_;
};

TEST_F(ForwardingTest, an_owner_coordinates_what_it_is_asked) {
  begin(QuorumMode::strict, {"n2", "n1", "n3"});
  write(1);
  ASSERT_EQ(quorum_.puts.size(), 1u);
  EXPECT_EQ(quorum_.puts[0].w, 2u) << "a majority of three";
  EXPECT_FALSE(quorum_.puts[0].again);
  EXPECT_TRUE(env_.calls.empty());
  EXPECT_FALSE(told_.has_value()) << "the quorum has not answered";
  quorum_.answer({Error{ErrorCode::unavailable, "quorum not met"}, 2, 1});
  EXPECT_TRUE(failed_with(ErrorCode::unavailable));
  EXPECT_EQ(told_->got, 1u) << "the outcome as it was";
}

TEST_F(ForwardingTest, more_hosts_than_there_are_replicas_make_no_sense) {
  begin(QuorumMode::strict, {"n1", "n2", "n3"});
  write(1, 4);
  EXPECT_TRUE(failed_with(ErrorCode::invalid_argument));
  EXPECT_TRUE(quorum_.puts.empty());
  for (const std::uint32_t r : {0u, 1u, 3u, 4u}) {
    std::optional<ReadOutcome> outcome;
    forwarding_->handle(ClientRead{"cart", r},
                        Responder<ReadOutcome>([&](const std::string& bytes) {
                          outcome = from_bytes<ReadOutcome>(bytes).value();
                        }));
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->state.ok(), r <= 3) << r;
  }
  ASSERT_EQ(quorum_.gets.size(), 3u);
  EXPECT_EQ(quorum_.gets[0].r, 2u);
  EXPECT_EQ(quorum_.gets[1].r, 1u);
}

TEST_F(ForwardingTest, strict_goes_round_the_owners_suspects_last) {
  begin(QuorumMode::strict, {"n2", "n3", "n4"});
  view_.silent = {"n2"};
  write(1, 1);
  std::vector<NodeId> order;
  while (!env_.calls.empty()) {
    order.push_back(env_.calls[0].to);
    EXPECT_EQ(asked().id, (RequestId{"amy", 1, 1}));
    EXPECT_EQ(asked().version.stamp.node, "n1") << "stamped once, by the node that took it";
    EXPECT_EQ(asked().version.stamp.sequence, 1u);
    env_.time_out();
  }
  EXPECT_EQ(order, (std::vector<NodeId>{"n3", "n4", "n2"}));
  EXPECT_TRUE(failed_with(ErrorCode::unavailable));
  EXPECT_TRUE(quorum_.puts.empty()) << "this node is no owner";
}

TEST_F(ForwardingTest, sloppy_asks_healthy_owners_and_then_itself) {
  begin(QuorumMode::sloppy, {"n2", "n3", "n4"});
  view_.silent = {"n3"};
  write(1);
  std::vector<NodeId> order;
  while (!env_.calls.empty()) {
    order.push_back(env_.calls[0].to);
    env_.time_out();
  }
  EXPECT_EQ(order, (std::vector<NodeId>{"n2", "n4"}));
  ASSERT_EQ(quorum_.puts.size(), 1u) << "none of them answered: what it keeps is a hint";
  quorum_.answer(kDone);
  EXPECT_TRUE(told_ && told_->status.ok());
}

TEST_F(ForwardingTest, an_owner_with_a_full_disk_is_passed_over) {
  begin(QuorumMode::strict, {"n2", "n3", "n4"});
  write(1);
  env_.answer(mine({Error{ErrorCode::no_room, "full"}, 2, 0}));
  ASSERT_EQ(env_.calls.size(), 1u);
  EXPECT_EQ(env_.calls[0].to, "n3");
  env_.answer(mine(kDone));
  EXPECT_TRUE(told_ && told_->status.ok());

  write(2);
  for (int i = 0; i < 3; ++i) env_.answer(mine({Error{ErrorCode::no_room, "full"}, 2, 0}));
  EXPECT_TRUE(failed_with(ErrorCode::no_room)) << "all are full: surely not done";

  write(3);
  env_.time_out();
  for (int i = 0; i < 2; ++i) env_.answer(mine({Error{ErrorCode::no_room, "full"}, 2, 0}));
  EXPECT_TRUE(failed_with(ErrorCode::unavailable)) << "who was silent may have done it";
}

TEST_F(ForwardingTest, other_errors_of_a_coordinator_are_the_answer) {
  begin(QuorumMode::strict, {"n2", "n3", "n4"});
  for (const ErrorCode code : {ErrorCode::too_large, ErrorCode::unavailable}) {
    write(1);
    env_.answer(mine({Error{code, "no"}, 2, 1}));
    EXPECT_TRUE(failed_with(code));
    EXPECT_TRUE(env_.calls.empty());
  }
}

TEST_F(ForwardingTest, a_slow_coordinator_is_asked_again_until_the_deadline) {
  begin(QuorumMode::strict, {"n2", "n3", "n4"});
  write(1);
  for (int i = 0; i < 5; ++i) {
    env_.advance(150ms);
    ASSERT_EQ(env_.calls.size(), 1u);
    EXPECT_EQ(env_.calls[0].to, "n2");
    env_.answer(pending());
  }
  env_.answer(mine(kDone));
  EXPECT_TRUE(told_ && told_->status.ok());

  write(2);
  for (int i = 0; i < 20 && !told_; ++i) {
    env_.advance(150ms);
    env_.answer(pending());
  }
  EXPECT_TRUE(failed_with(ErrorCode::unavailable));
  EXPECT_TRUE(env_.calls.empty());
}

TEST_F(ForwardingTest, who_does_not_know_that_it_is_an_owner_is_told_and_asked_once_more) {
  begin(QuorumMode::strict, {"n2", "n3", "n4"});
  write(1);
  EXPECT_TRUE(asked().known.events.empty());
  env_.answer(not_mine(2));
  ASSERT_EQ(env_.calls.size(), 1u);
  EXPECT_EQ(env_.calls[0].to, "n2");
  EXPECT_FALSE(asked().known.events.empty()) << "its digest was another one";
  env_.answer(not_mine(2));
  ASSERT_EQ(env_.calls.size(), 1u);
  EXPECT_EQ(env_.calls[0].to, "n3");
  env_.answer(not_mine(1));
  ASSERT_EQ(env_.calls.size(), 1u);
  EXPECT_EQ(env_.calls[0].to, "n4") << "equal histories: it would say the same again";
}

TEST_F(ForwardingTest, a_node_that_may_not_coordinate_says_so_and_does_nothing) {
  begin(QuorumMode::strict, {"n2", "n3", "n4"});
  coordinate(1, 2);
  ASSERT_TRUE(heard_.has_value());
  EXPECT_FALSE(heard_->mine);
  EXPECT_FALSE(heard_->known.events.empty()) << "perhaps it only lacks events";
  EXPECT_TRUE(quorum_.puts.empty());
  EXPECT_EQ(env_.timers(), 1u) << "that of the table";

  begin(QuorumMode::sloppy, {"n2", "n3", "n4"});
  coordinate(1);
  EXPECT_EQ(quorum_.puts.size(), 1u) << "any member may";
  view_.all = {"n2", "n3", "n4"};
  coordinate(2);
  EXPECT_FALSE(heard_->mine) << "this node was removed";
}

TEST_F(ForwardingTest, an_asker_hears_soon_that_a_write_is_pending) {
  begin(QuorumMode::strict, {"n1", "n2", "n3"});
  coordinate(1);
  EXPECT_FALSE(heard_.has_value());
  env_.advance(160ms);
  ASSERT_TRUE(heard_.has_value());
  EXPECT_TRUE(heard_->mine && heard_->pending);
  coordinate(1);
  EXPECT_EQ(quorum_.puts.size(), 1u) << "it is under way: nobody executes it again";
  quorum_.answer(kDone);
  ASSERT_TRUE(heard_.has_value());
  EXPECT_FALSE(heard_->pending);
  EXPECT_EQ(heard_->outcome, kDone);
  env_.advance(10s);
}

TEST_F(ForwardingTest, an_id_is_executed_once_also_over_a_restart) {
  begin(QuorumMode::strict, {"n1", "n2", "n3"});
  coordinate(1);
  quorum_.answer(kDone);
  const auto held = store_.hash("cart");
  for (int i = 0; i < 3; ++i) {
    coordinate(1);
    ASSERT_EQ(quorum_.puts.size(), 2u + static_cast<std::size_t>(i));
    EXPECT_TRUE(quorum_.puts.back().again);
    quorum_.answer(kDone);
    EXPECT_EQ(store_.hash("cart"), held);
    restart();
  }
  coordinate(2);
  EXPECT_FALSE(quorum_.puts.back().again) << "another request";
}

TEST_F(ForwardingTest, what_was_refused_may_be_tried_again) {
  begin(QuorumMode::strict, {"n1", "n2", "n3"});
  quorum_.refusal = Error{ErrorCode::too_large, "too many siblings"};
  coordinate(1);
  ASSERT_TRUE(heard_.has_value());
  EXPECT_EQ(heard_->outcome.status.error().code, ErrorCode::too_large);
  quorum_.refusal.reset();
  coordinate(1);
  EXPECT_FALSE(quorum_.puts.back().again) << "nothing was done the first time";
  quorum_.answer({Error{ErrorCode::unavailable, "quorum not met"}, 2, 1});
  coordinate(1);
  EXPECT_TRUE(quorum_.puts.back().again) << "\"quorum not met\" is no refusal: it was written";
}

TEST_F(ForwardingTest, what_has_left_this_node_is_with_all_its_owners) {
  begin(QuorumMode::sloppy, {"n2", "n3", "n4"});
  coordinate(1);
  quorum_.answer(kDone);
  ASSERT_TRUE(store_.drop("cart", *store_.hash("cart")));
  coordinate(1);
  EXPECT_EQ(quorum_.puts.size(), 1u);
  ASSERT_TRUE(heard_.has_value());
  EXPECT_TRUE(heard_->outcome.status.ok());
}

TEST_F(ForwardingTest, a_second_answer_of_a_quorum_is_a_bug_that_stops_the_node) {
  begin(QuorumMode::strict, {"n1", "n2", "n3"});
  write(1);
  const Responder<WriteOutcome> twice = quorum_.waiting.at(0);
  twice.reply(kDone);
  EXPECT_THROW(twice.reply(kDone), std::logic_error);
}

TEST_F(ForwardingTest, a_disk_with_no_room_for_the_id_executes_nothing) {
  begin(QuorumMode::strict, {"n1", "n2", "n3"});
  coordinate(1);
  quorum_.answer(kDone);
  env_.storage().set_room(10);
  coordinate(2);
  ASSERT_TRUE(heard_.has_value());
  EXPECT_EQ(heard_->outcome.status.error().code, ErrorCode::no_room);
  EXPECT_EQ(quorum_.puts.size(), 1u);
  EXPECT_FALSE(env_.storage().overdrawn());
}

}  // namespace
}  // namespace dynamo
