// Lab 0, two nodes: lost messages, a peer that is down, and crashes.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

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
      world, 120s,
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
  const std::uint64_t total = answered(world);
  world.expect(
      total == pings, "each ping counts once as answered, however often it was tried",
      "answered() is " + std::to_string(total) + " after " + std::to_string(pings) + " pings");
}

/// When each ping was tried, by its number: every try is to be seen, also one that is refused.
using Tries = std::map<std::uint64_t, std::vector<Instant>>;

void record_tries(World& world, Tries& tries) {
  world.on_send([&tries](const Sent& sent) {
    if (sent.reply) return;
    if (const auto request = codec::decode<Ping>(sent.bytes)) {
      tries[request->number].push_back(sent.at);
    }
  });
}

std::string in_ms(Duration time) { return std::to_string(time.count() / 1000) + " ms"; }

/// Rule 6, while every try is refused at once: from one try to the next, and from the last to now.
void expect_patience(World& world, const Tries& tries) {
  for (const auto& [number, at] : tries) {
    const std::string ping = "ping " + std::to_string(number) + ": try ";
    for (std::size_t i = 1; i < at.size(); ++i) {
      const Duration pause = at[i] - at[i - 1];
      world.expect(
          pause >= 100ms && pause <= 2s,
          "from one try to the next of the same ping at least 100 ms pass, and at most 2 s", [&] {
            return ping + std::to_string(i + 1) + " came " + in_ms(pause) + " after the last";
          });
    }
    world.expect(world.now() - at.back() <= 2s,
                 "a ping without an answer is tried again within 2 s", [&] {
                   return ping + std::to_string(at.size()) + " was " +
                          in_ms(world.now() - at.back()) + " ago, and no other followed";
                 });
  }
}

TEST(warmup, a_ping_is_tried_until_it_is_answered) {
  Plan plan = two_nodes();
  plan.links.loss_ppm = 500'000;
  plan.links.delay_max = 80ms;  // So that an answer may come later than a hasty second try.
  for_each_seed(10, plan, [](World& world) {
    world.start("n1");
    world.start("n2");
    Tries tries;
    record_tries(world, tries);
    world.phase("half of all messages are lost; n1 pings n2 three times");
    for (int i = 0; i < 3; ++i) ping(world);
    all_are_answered(world, 3);
    world.on_send(nullptr);
    const std::uint64_t known = counted(world);
    world.expect(known >= 3, "n2 has counted each of the 3 pings at least once",
                 "counted() is " + std::to_string(known));
    world.expect(tries.size() == 3, "3 pings carry 3 numbers, and a retry that of its first try",
                 std::to_string(tries.size()) + " different numbers were sent");
  });
}

TEST(warmup, a_peer_that_is_down_is_asked_with_patience) {
  for_each_seed(4, two_nodes(), [](World& world) {
    world.start("n1");
    world.phase("n2 is down: each try is refused at once; n1 pings it twice");
    Tries tries;
    record_tries(world, tries);
    ping(world);
    ping(world);
    for (int second = 0; second < 10; ++second) {
      world.run_for(1s);
      world.expect(tries.size() == 2, "2 pings carry 2 numbers, and a retry that of its first try",
                   std::to_string(tries.size()) + " different numbers were sent");
      expect_patience(world, tries);
    }
    world.on_send(nullptr);
    world.phase("n2 starts");
    world.start("n2");
    all_are_answered(world, 2);
  });
  Plan slow = two_nodes();
  slow.links.delay_min = slow.links.delay_max = 79ms;
  for_each_seed(2, slow, [](World& world) {
    world.start("n1");
    world.start("n2");
    world.phase("each message is under way for 79 ms; n1 pings n2");
    ping(world);
    world.run_for(1s);
    const std::uint64_t tries =
        world.sent("n1", "n2", *message_named(Ping::type_name), false).messages;
    world.expect(tries <= 1, "n1 waits for an answer that takes 158 ms, there and back",
                 "n1 asked " + std::to_string(tries) + " times in a second");
    all_are_answered(world, 1);
  });
}

/// The counts in the pongs that have left n2: whoever got one relies on it.
struct Promises {
  std::uint64_t largest = 0;
  std::string repeated;  ///< The first that was not larger than the one before.
};

void record_pongs(World& world, Promises& promises) {
  world.on_send([&promises](const Sent& sent) {
    if (!sent.reply) return;
    const auto pong = codec::decode<Pong>(sent.bytes);
    if (!pong) return;
    if (pong->count <= promises.largest && promises.repeated.empty()) {
      promises.repeated = "a pong with count " + std::to_string(pong->count) +
                          " left n2 after one with " + std::to_string(promises.largest);
    }
    promises.largest = std::max(promises.largest, pong->count);
  });
}

/// Kills n2, unless it is down already, and starts it again: rule 3.
void n2_keeps_its_promises(World& world, const Promises& promises) {
  world.crash("n2");
  world.restart("n2");
  world.expect(promises.repeated.empty(),
               "each pong of n2 carries a larger count than the one before", promises.repeated);
  const std::uint64_t known = counted(world);
  world.expect(
      known >= promises.largest,
      "n2 knows all the pings that it has answered: at least " + std::to_string(promises.largest),
      "after the restart counted() is " + std::to_string(known));
}

TEST(warmup, a_crash_loses_no_ping_that_was_answered) {
  for_each_seed(10, two_nodes(), [](World& world) {
    world.start("n1");
    world.start("n2");
    Promises promises;
    record_pongs(world, promises);
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
      n2_keeps_its_promises(world, promises);
    }
    all_are_answered(world, pings);
    world.on_send(nullptr);
    world.phase("n1 is killed and started again: its own pings are forgotten");
    world.crash("n1");
    world.restart("n1");
    const std::uint64_t forgotten = answered(world);
    world.expect(forgotten == 0, "answered() begins with 0 at each start",
                 "answered() is " + std::to_string(forgotten));
  });
  for_each_seed(4, two_nodes(), [](World& world) {
    world.start("n1");
    world.start("n2");
    Promises promises;
    record_pongs(world, promises);
    world.phase("a pong is lost, n1 asks again; n2 is killed after it answered the copy, too");
    world.drop_next("n2", "n1", "Ping reply");
    ping(world);
    all_are_answered(world, 1);
    n2_keeps_its_promises(world, promises);
    world.on_send(nullptr);
  });
}

}  // namespace
