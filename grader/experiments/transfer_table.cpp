// For ./lab experiment transfer: the bytes that a join and a leave move, beside those that must.
//
//     transfer-table NODE MEMBERS KEYS VALUE_BYTES
//         →    {"members": 5, "held": 9, "join": {"must": 1, "states": 1, "all": 2}, "leave": {…}}
//
// A store of MEMBERS nodes holds KEYS keys, each on its owners; one more node joins, and later the
// second one leaves. "held": bytes of all copies, with their states, before that. "must": of a copy
// of each key for each owner that did not have it before. "states": of the copies with a state that
// were sent. "all": of every message of a transfer, requests and replies.
#include <algorithm>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/host.h"
#include "sim/store_checks.h"
#include "sim/world.h"
#include "table.h"

namespace dynamo::sim {
namespace {

constexpr Duration kLongest = 120s;  // a change may take, of the cluster's own time

struct Shape {
  std::uint32_t members = 0;
  std::uint32_t keys = 0;
  std::uint32_t value_bytes = 0;
};

/// What one join or leave came to.
struct Moved {
  std::uint64_t must = 0;
  std::uint64_t states = 0;
  std::uint64_t all = 0;
};

class Store {
 public:
  Store(World& world, const Shape& shape) : world_(world), shape_(shape) {
    const std::vector<NodeId> members(world.nodes().begin(), world.nodes().end() - 1);
    form_cluster(world, members);
    world.run_for(3s);
    for (std::uint32_t i = 0; i < shape.keys; ++i) {
      const std::string value = std::to_string(i) + std::string(shape.value_bytes, '.');
      const ClientOperation& put = world.put(members[i % members.size()], key(i), value);
      if (!put.done()) throw SolutionDied("a put failed: " + to_string(put));
    }
    rest("after the puts");
    world.on_send([this](const Sent& sent) { count(sent); });
  }

  /// Bytes of all copies.
  std::uint64_t held() {
    std::uint64_t bytes = 0;
    for (const auto& [key, now] : owners()) bytes += now.size() * copy_bytes(key);
    return bytes;
  }

  /// `change` adds or removes a member.
  template <class Change>
  Moved measure(Change change) {
    const auto before = owners();
    now_ = {};
    change();
    world_.run_for(100ms);  // until then nobody else knows of it
    rest("after the change");
    world_.run_for(10s);  // what comes late counts, too
    Moved moved = now_;
    for (const auto& [key, now] : owners()) {
      const std::vector<NodeId>& then = before.at(key);
      for (const NodeId& owner : now) {
        if (std::find(then.begin(), then.end(), owner) == then.end()) moved.must += copy_bytes(key);
      }
    }
    return moved;
  }

 private:
  static std::string key(std::uint32_t i) { return std::string("cart").append(std::to_string(i)); }

  std::map<std::string, std::vector<NodeId>> owners() {
    std::map<std::string, std::vector<NodeId>> owners;
    for (std::uint32_t i = 0; i < shape_.keys; ++i) {
      owners[key(i)] = preference_list(world_, key(i));
    }
    return owners;
  }

  std::uint64_t copy_bytes(const std::string& key) {
    const auto held = held_for(world_, preference_list(world_, key).front(), key);
    return to_bytes(Copy{key, held->hash, held->state}).size();
  }

  void count(const Sent& sent) {
    const bool update = sent.type == message_number<Update>;
    if (!update && sent.type != message_number<AskTransfer> &&
        sent.type != message_number<SentAll>) {
      return;
    }
    now_.all += sent.bytes.size();
    if (!update || sent.reply) return;
    const auto decoded = from_bytes<Update>(sent.bytes);
    for (const Copy& copy : decoded ? decoded->copies : std::vector<Copy>{}) {
      if (copy.state) now_.states += to_bytes(copy).size();
    }
  }

  /// All nodes know the same members, all owners hold each key, and nobody else does.
  void rest(const std::string& when) {
    std::string wrong;
    const auto at_rest = [&] {
      wrong = histories_differ(world_);
      if (wrong.empty()) wrong = replicas_differ(world_);
      for (std::uint32_t i = 0; wrong.empty() && i < shape_.keys; ++i) {
        wrong = replicas_differ_in(world_, key(i));
      }
      return wrong.empty();
    };
    if (world_.run_until(at_rest, kLongest)) return;
    throw SolutionDied(when + ", " + std::to_string(kLongest / 1s) + " s later: " + wrong);
  }

  World& world_;
  const Shape shape_;
  Moved now_;  ///< Since the change that is measured.
};

std::string in_json(const Moved& moved) {
  return "{\"must\": " + std::to_string(moved.must) +
         ", \"states\": " + std::to_string(moved.states) +
         ", \"all\": " + std::to_string(moved.all) + "}";
}

void print_row(Host& host, const Shape& shape) {
  Plan plan = cluster_plan(shape.members + 1);
  plan.config.modules = {"membership", "ring", "replication", "transfer"};
  plan.config.q = 128;
  plan.config.seeds = {"n1", "n2"};
  SoloCrossing crossing({&host});
  World world(plan, crossing);
  Store store(world, shape);
  const std::uint64_t held = store.held();
  const NodeId joiner = world.nodes().back();
  const Moved join = store.measure([&] {
    world.start(joiner);
    (void)world.add("n1", joiner);
  });
  const Moved leave = store.measure([&] { (void)world.remove("n1", "n2"); });
  std::printf("{\"members\": %u, \"held\": %llu, \"join\": %s, \"leave\": %s}\n", shape.members,
              static_cast<unsigned long long>(held), in_json(join).c_str(), in_json(leave).c_str());
}

}  // namespace
}  // namespace dynamo::sim

int main(int argc, char** argv) {
  using namespace dynamo::sim;
  const std::vector<NumberArgument> arguments{
      {"MEMBERS", 2, 64}, {"KEYS", 1, 10'000}, {"VALUE_BYTES", 0, 100'000}};
  return run_table(argc, argv, arguments, [](Host& host, std::span<const std::uint32_t> numbers) {
    print_row(host, {numbers[0], numbers[1], numbers[2]});
  });
}
