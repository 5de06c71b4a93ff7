// Lab 0, two nodes: lost messages, a peer that is down, and crashes.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "sim/check.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

Plan two_nodes() {
  Plan plan = cluster_plan(2);
  plan.config.modules = {"warmup"};
  return plan;
}

std::uint64_t answered(World& world) { return world.invoke<&Warmup::answered>(NodeId("n1")); }
std::uint64_t counted(World& world) { return world.invoke<&Warmup::counted>(NodeId("n2")); }

void ping(World& world) { world.invoke<&Warmup::ping>(NodeId("n1"), NodeId("n2")); }

/// All `pings` of n1 get their answer, each counts once as answered, and then n1 is silent.
void all_are_answered(World& world, std::uint64_t pings) {
  converges(
      world, 60s,
      [&] {
        const std::uint64_t now = answered(world);
        return now == pings ? "" : "answered() is " + std::to_string(now);
      },
      "n1 has an answer to each of its " + std::to_string(pings) + " pings");
  world.run_for(3s);
  const MessageType type = *message_named(Ping::type_name);
  const std::uint64_t before = world.sent("n1", "n2", type, false).messages;
  world.run_for(5s);
  const std::uint64_t after = world.sent("n1", "n2", type, false).messages;
  world.expect(after == before, "a ping that was answered is not sent again", [&] {
    return "n1 sent " + std::to_string(after - before) + " more in the 5 s that followed";
  });
  world.expect(answered(world) == pings,
               "each ping counts once as answered, however often it was tried", [&] {
                 return "answered() is " + std::to_string(answered(world)) + " after " +
                        std::to_string(pings) + " pings";
               });
}

TEST(warmup, a_ping_is_tried_until_it_is_answered) {
  Plan plan = two_nodes();
  plan.links.loss_ppm = 500'000;
  for_each_seed(10, plan, [](World& world) {
    world.start("n1");
    world.start("n2");
    std::set<std::uint64_t> numbers;
    world.on_send([&](const Sent& sent) {
      if (sent.reply) return;
      if (const auto request = codec::decode<Ping>(sent.bytes)) numbers.insert(request->number);
    });
    world.phase("half of all messages are lost; n1 pings n2 three times");
    for (int i = 0; i < 3; ++i) ping(world);
    all_are_answered(world, 3);
    world.on_send(nullptr);
    world.expect(counted(world) >= 3, "n2 has counted each of the 3 pings at least once",
                 [&] { return "counted() is " + std::to_string(counted(world)); });
    world.expect(numbers.size() == 3, "3 pings carry 3 numbers, and a retry that of its first try",
                 std::to_string(numbers.size()) + " different numbers were sent");
  });
}

TEST(warmup, a_peer_that_is_down_is_asked_with_patience) {
  for_each_seed(4, two_nodes(), [](World& world) {
    world.start("n1");
    world.phase("n2 is down: each try is refused at once");
    ping(world);
    world.run_for(10s);
    const MessageType type = *message_named(Ping::type_name);
    const std::uint64_t tries = world.sent("n1", "n2", type, false).messages;
    world.expect(tries >= 4 && tries <= 101,
                 "between two tries n1 waits at least 100 ms, and at most 2 s",
                 std::to_string(tries) + " tries in 10 s");
    world.phase("n2 starts");
    world.start("n2");
    all_are_answered(world, 1);
  });
}

TEST(warmup, a_crash_loses_no_ping_that_was_answered) {
  for_each_seed(10, two_nodes(), [](World& world) {
    world.start("n1");
    world.start("n2");
    std::uint64_t promised = 0;  // the largest count that left n2 in a pong
    bool repeated = false;
    world.on_send([&](const Sent& sent) {
      if (!sent.reply) return;
      const auto pong = codec::decode<Pong>(sent.bytes);
      if (!pong) return;
      repeated = repeated || pong->count <= promised;
      promised = std::max(promised, pong->count);
    });
    std::uint64_t pings = 0;
    for (int turn = 0; turn < 6; ++turn) {
      world.phase(turn % 3 == 0   ? "n2 is killed after it answered"
                  : turn % 3 == 1 ? "n2 is killed when its count is on disk"
                                  : "n2 is killed before its count is on disk");
      if (turn % 3 == 1) world.crash_after_commit("n2");
      if (turn % 3 == 2) world.crash_before_commit("n2");
      ping(world);
      ++pings;
      world.run_for(50ms);
      world.crash("n2");
      world.restart("n2");
      world.expect(
          counted(world) >= promised,
          "n2 knows all the pings that it has answered: at least " + std::to_string(promised),
          [&] { return "after the restart counted() is " + std::to_string(counted(world)); });
    }
    all_are_answered(world, pings);
    world.on_send(nullptr);
    world.expect(!repeated, "each pong of n2 carries a larger count than the one before",
                 "a count was given out twice");
  });
}

}  // namespace
