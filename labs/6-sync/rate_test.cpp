// Lab 6, part C: the bytes that the exchanges of one node take, against time.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "invented_peers.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

/// `message`: bytes of the largest message, which may overdraw the rate.
void expect_rate(const Peers& peers, const NodeConfig& config, std::size_t message) {
  const auto& said = peers.said();
  for (std::size_t begin = 0; begin < said.size(); ++begin) {
    std::size_t bytes = 0;
    for (std::size_t i = begin; i < said.size(); ++i) {
      bytes += said[i].bytes;
      const auto ms = static_cast<std::size_t>((said[i].at - said[begin].at) / 1ms);
      const std::size_t most = config.sync_bytes_per_second * ms / 1000 * 11 / 10;
      if (bytes <= most + 2 * config.batch_bytes + 2 * message) continue;
      violation("the requests of n1's exchanges and their replies have " +
                    std::to_string(config.sync_bytes_per_second) + " bytes a second, and " +
                    "bursts of about one batch of " + std::to_string(config.batch_bytes) + " bytes",
                "in " + std::to_string(ms) + " ms there are " + std::to_string(bytes) + " bytes");
    }
  }
}

std::size_t largest(const Peers& peers) {
  std::size_t bytes = 0;
  for (const Peers::Said& one : peers.said()) bytes = std::max(bytes, one.bytes);
  return bytes;
}

/// Looks each second, so that a story ends where it goes wrong.
void run_at_the_rate(Pair& pair, const NodeConfig& config) {
  for (int second = 0; second < 15; ++second) {
    pair.peers.run(1s, 50ms);
    expect_rate(pair.peers, config, largest(pair.peers));
  }
}

/// Of 64 trees one key each differs, so that far more bytes are hashes than are states.
void judge_rate_of_hashes() {
  NodeSetup setup = sync_setup(kPeriod);
  setup.config.q = 64;
  setup.config.sync_bytes_per_second = 2'000;
  setup.config.batch_bytes = 500;
  Pair pair(setup);
  const std::vector<std::string> keys = some_keys(1500);
  pair.both_hold(keys);
  std::set<VnodeId> done;
  for (const std::string& key : keys) {
    if (done.insert(vnode_of(setup.config.q, key)).second) {
      pair.peers.n2().hold(key, version("tea", 2));
    }
  }
  pair.node.lone.say("n2 has a newer version of one key in each of 64 vnodes");
  run_at_the_rate(pair, setup.config);
}

/// Ten exchanges a second begin, and each of them takes more than a tenth of a second's bytes.
void judge_rate_of_short_exchanges() {
  NodeSetup setup = sync_setup(kPeriod / 10);
  setup.config.q = 512;
  setup.config.sync_bytes_per_second = 2'000;
  setup.config.batch_bytes = 500;
  Pair pair(setup);
  run_at_the_rate(pair, setup.config);
}

/// 200 kB have to move, and the rate is 20 kB a second.
void judge_rate(bool push) {
  constexpr std::size_t kRate = 20'000;
  constexpr std::size_t kBatch = 4'000;
  constexpr std::size_t kMessage = 4'096;  // a batch's last state, a row of hashes for each path
  NodeSetup setup = sync_setup(kPeriod);
  setup.config.sync_bytes_per_second = kRate;
  setup.config.batch_bytes = kBatch;
  Pair pair(setup);
  pair.peers.run(10 * kPeriod);  // nothing to do: what is not used then is not saved up
  for (std::size_t i = 0; i < 200; ++i) {
    const std::string key = std::string("cart").append(std::to_string(i));
    const State state = version(std::string(1000, 'x'), 1);
    if (push) pair.node.hold(key, state);
    if (!push) pair.peers.n2().hold(key, state);
  }
  pair.node.lone.say(push ? "n2 lacks 200 keys, of 1000 bytes each"
                          : "n1 lacks 200 keys, of 1000 bytes each");
  pair.peers.run(30s, 50ms);
  expect_rate(pair.peers, setup.config, kMessage);
  const auto& said = pair.peers.said();
  std::size_t early = 0;
  for (const auto& one : said) {
    if (one.at <= 20s) early += one.bytes;
  }
  if (early < 10 * kRate / 4) {
    violation("there is enough to do, so in 10 s much of the 200000 bytes that are allowed is used",
              std::to_string(early) + " bytes are");
  }
  std::map<std::string, State> right;
  for (std::size_t i = 0; i < 200; ++i) {
    right[std::string("cart").append(std::to_string(i))] = version(std::string(1000, 'x'), 1);
  }
  pair.expect_merged(right, "after 30 s");
}

TEST(sync, an_exchange_keeps_to_the_rate) {
  judge_rate(false);
  judge_rate(true);
  judge_rate_of_hashes();
  judge_rate_of_short_exchanges();
}

}  // namespace
