// What becomes of messages.
#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

/// Between sending and receiving, of every message with an id that arrived.
std::vector<Duration> delays(const PingWorld& pings, bool reply) {
  std::vector<Duration> all;
  for (const Step& sent : pings.steps(Step::Kind::send)) {
    if (sent.reply != reply) continue;
    for (const Step& got : pings.steps(Step::Kind::receive)) {
      if (got.reply == reply && got.id == sent.id && got.node == sent.peer &&
          got.peer == sent.node) {
        all.push_back(got.at - sent.at);
      }
    }
  }
  return all;
}

TEST(sim_network, delays_lie_between_the_bounds_and_messages_overtake) {
  Plan plan = ping_plan({"a", "b"});
  plan.links.delay_min = 3ms;
  plan.links.delay_max = 9ms;
  PingWorld pings(plan);
  for (int i = 0; i < 200; ++i) pings.ping("a", "b");
  pings.world.run_for(1s);
  const auto all = delays(pings, false);
  ASSERT_EQ(all.size(), 200u);
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  EXPECT_GE(*least, 3ms);
  EXPECT_LE(*least, 4ms);
  EXPECT_LE(*most, 9ms);
  EXPECT_GE(*most, 8ms);
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end())) << "so some overtook others";
  EXPECT_EQ(pings.answered("a"), 200u);
}

TEST(sim_network, losses_are_as_frequent_as_asked_for) {
  Plan plan = ping_plan({"a", "b"});
  plan.links.loss_ppm = 200'000;
  PingWorld pings(plan);
  for (int i = 0; i < 2000; ++i) pings.ping("a", "b");
  pings.world.run_for(1s);
  const std::uint64_t arrived = pings.counted("b");
  EXPECT_NEAR(static_cast<double>(arrived), 1600, 80);
  EXPECT_NEAR(static_cast<double>(pings.answered("a")), 0.8 * static_cast<double>(arrived), 70);
  EXPECT_EQ(pings.notes("a", "timed_out") + pings.notes("a", "answered"), 2000u);
}

TEST(sim_network, exchange_loss_takes_requests_and_never_replies) {
  Plan plan = ping_plan({"a", "b"});
  plan.links.exchange_loss_ppm = 200'000;
  PingWorld pings(plan);
  for (int i = 0; i < 2000; ++i) pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_NEAR(static_cast<double>(pings.counted("b")), 1600, 80);
  EXPECT_EQ(pings.counted("b"), pings.answered("a"));
}

TEST(sim_network, a_cut_has_one_direction_and_is_silent) {
  PingWorld pings;
  pings.world.cut({"a"}, {"b"});
  pings.ping("a", "b");
  pings.ping("b", "a");  // arrives; its reply does not
  pings.ping("a", "c");
  const Instant begin = pings.world.now();
  pings.world.run_for(200ms);
  EXPECT_EQ(pings.counted("b"), 0u);
  EXPECT_EQ(pings.counted("a"), 1u);
  EXPECT_EQ(pings.counted("c"), 1u);
  ASSERT_EQ(pings.notes("a", "timed_out"), 1u);
  ASSERT_EQ(pings.notes("b", "timed_out"), 1u);
  EXPECT_EQ(pings.steps(Step::Kind::note, "a", "timed_out")[0].at - begin, 50ms);
  pings.world.heal();
  pings.ping("a", "b");
  pings.world.run_for(200ms);
  EXPECT_EQ(pings.counted("b"), 1u);
}

TEST(sim_network, a_cut_takes_what_is_on_its_way) {
  Plan plan = ping_plan({"a", "b"});
  plan.links.delay_min = plan.links.delay_max = 10ms;
  PingWorld pings(plan);
  pings.ping("a", "b");
  pings.world.run_for(5ms);
  pings.world.cut({"a"}, {"b"});
  pings.world.run_for(100ms);
  EXPECT_EQ(pings.counted("b"), 0u);
  EXPECT_EQ(pings.notes("a", "timed_out"), 1u);
}

TEST(sim_network, a_node_that_is_down_refuses_and_an_unknown_one_too) {
  PingWorld pings;
  pings.world.crash("b");
  const Instant begin = pings.world.now();
  pings.ping("a", "b");
  pings.ping("a", "nobody");
  pings.world.run_for(1s);
  const auto refused = pings.steps(Step::Kind::note, "a", "refused");
  ASSERT_EQ(refused.size(), 2u);
  for (const Step& step : refused) {
    EXPECT_GE(step.at - begin, 1ms);
    EXPECT_LE(step.at - begin, 10ms);
  }
  EXPECT_EQ(pings.notes("a", "timed_out"), 0u) << "a call ends once";
}

TEST(sim_network, a_node_that_is_down_behind_a_cut_is_silent) {
  PingWorld pings;
  pings.world.crash("b");
  pings.world.cut({"b"}, {"a"});
  pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.notes("a", "timed_out"), 1u);
  EXPECT_EQ(pings.notes("a", "refused"), 0u);
}

TEST(sim_network, a_crash_breaks_the_connections_of_those_who_wait) {
  Plan plan = ping_plan({"a", "b"});
  PingWorld pings(plan);
  pings.world.pause("b");
  pings.ping("a", "b");
  pings.world.run_for(20ms);
  EXPECT_EQ(pings.notes("a", "refused"), 0u);
  pings.world.crash("b");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.notes("a", "refused"), 1u);
  EXPECT_EQ(pings.notes("a", "timed_out"), 0u);
}

TEST(sim_network, a_duplicate_is_handled_twice_and_answers_once) {
  Plan plan = ping_plan({"a", "b"});
  plan.links.duplicate_ppm = 1'000'000;
  PingWorld pings(plan);
  for (int i = 0; i < 20; ++i) pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.counted("b"), 40u);
  EXPECT_EQ(pings.answered("a"), 20u);
  EXPECT_EQ(pings.notes("a", "answered"), 20u);
}

TEST(sim_network, what_is_corrupt_is_dropped_by_its_receiver) {
  Plan plan = ping_plan({"a", "b"});
  plan.links.corrupt_ppm = 1'000'000;
  PingWorld pings(plan);
  pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.counted("b"), 0u);
  EXPECT_EQ(pings.steps(Step::Kind::drop, "b", "its checksum is wrong").size(), 1u);
}

TEST(sim_network, drop_takes_the_next_messages_of_a_type_and_no_more) {
  PingWorld pings;
  pings.world.drop_next("a", "b", "Ping", 2);
  pings.world.drop_next("c", "a", "Ping reply", 1);
  for (int i = 0; i < 3; ++i) pings.ping("a", "b");
  for (int i = 0; i < 2; ++i) pings.ping("a", "c");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.counted("b"), 1u);
  EXPECT_EQ(pings.counted("c"), 2u);
  EXPECT_EQ(pings.answered("a"), 2u);
}

TEST(sim_network, a_node_may_call_itself) {
  PingWorld pings;
  pings.ping("a", "a");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.counted("a"), 1u);
  EXPECT_EQ(pings.answered("a"), 1u);
}

TEST(sim_network, every_call_ends_exactly_once_in_any_weather) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Plan plan = ping_plan({"a", "b", "c"}, seed);
    plan.links = {1ms, 80ms, 100'000, 0, 300'000, 50'000};
    PingWorld pings(plan);
    for (int i = 0; i < 100; ++i) {
      pings.ping("a", i % 2 == 0 ? "b" : "c");
      pings.world.run_for(3ms);
      if (i == 30) pings.world.pause("b");
      if (i == 50) pings.world.crash("c");
      if (i == 60) pings.world.resume("b");
      if (i == 80) pings.world.restart("c");
    }
    pings.world.run_for(1s);
    EXPECT_EQ(
        pings.notes("a", "answered") + pings.notes("a", "timed_out") + pings.notes("a", "refused"),
        100u);
    EXPECT_GT(pings.notes("a", "timed_out"), 0u);
    EXPECT_GT(pings.notes("a", "refused"), 0u);
  }
}

TEST(sim_network, traffic_is_counted) {
  PingWorld pings;
  std::vector<std::string> seen;
  pings.world.on_send([&](const Sent& sent) {
    if (!sent.reply) {
      EXPECT_TRUE(codec::decode<Ping>(sent.bytes).has_value());
    }
    seen.push_back(sent.from + sent.to + (sent.reply ? " reply" : ""));
  });
  pings.ping("a", "b");
  pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_EQ(seen, (std::vector<std::string>{"ab", "ab", "ba reply", "ba reply"}));
  EXPECT_EQ(pings.world.sent("a", "b", kPing, false).messages, 2u);
  EXPECT_EQ(pings.world.sent("b", "a", kPing, true).messages, 2u);
  EXPECT_EQ(pings.world.sent(kPing).messages, 4u);
  EXPECT_EQ(pings.world.sent_by("a").bytes, 2u);
}

}  // namespace
}  // namespace dynamo::sim
