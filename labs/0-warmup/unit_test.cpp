// Lab 0, one node alone: counting.
#include <string>

#include "sim/check.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

NodeSetup only_warmup() {
  NodeSetup setup{"n2", 5, {}};
  setup.config.modules = {"warmup"};
  return setup;
}

/// Hands the node a ping; it must answer in the same handler with `count`, and have counted so
/// many.
void expect_count(Lone& lone, std::uint64_t number, std::uint64_t count, const std::string& why) {
  const std::optional<Pong> pong = lone.request("n1", Ping{number});
  const std::string expected = "a pong with count " + std::to_string(count) + ": " + why;
  if (!pong) violation(expected, "the node does not answer the ping in the handler that takes it");
  const std::string came = "a pong with count " + std::to_string(pong->count);
  if (pong->count != count) violation(expected, came);
  const std::uint64_t counted = lone.invoke<&Warmup::counted>();
  if (counted != count) {
    violation("counted() is " + std::to_string(count), "it is " + std::to_string(counted));
  }
}

TEST(warmup, a_ping_is_counted_and_answered) {
  Lone lone(only_warmup());
  lone.start();
  if (lone.invoke<&Warmup::counted>() != 0) {
    violation("a node with a new disk has counted nothing", "counted() is not 0");
  }
  expect_count(lone, 1, 1, "it is the first");
  expect_count(lone, 2, 2, "it is the second");
  expect_count(lone, 2, 3, "a copy of a ping counts again: nobody can tell it from a new one");
}

TEST(warmup, the_count_survives_a_restart) {
  Lone lone(only_warmup());
  lone.start();
  for (std::uint64_t number = 1; number <= 12; ++number) {
    expect_count(lone, number, number, "it is number " + std::to_string(number));
  }
  lone.restart();
  const std::uint64_t counted = lone.invoke<&Warmup::counted>();
  if (counted != 12) {
    violation("after a restart counted() is 12, as before", "it is " + std::to_string(counted));
  }
  expect_count(lone, 13, 13, "counting goes on where it was");
}

}  // namespace
