// Writing a check of a lab. A whole one (labs/1-membership/sim_test.cpp):
//
//   #include "sim/check.h"
//   using namespace dynamo;
//   using namespace dynamo::sim;
//
//   TEST(membership, acknowledged_change_survives_a_kill) {
//     for_each_seed(40, cluster_plan(4), [](World& world) {
//       form_cluster(world, {"n1", "n2", "n3"});
//       world.crash_after_commit("n2");
//       const Operation add = world.add("n2", "n4");     // n2 dies on the way
//       world.run_for(500ms);
//       world.restart("n2");
//       world.heal();
//       converges(world, 20s, [&] { return histories_differ(world); }, "all nodes know the same
//       events"); const bool member = world.invoke<&Membership::view>("n2").size() == 4;
//       world.expect(!add.done() || member, "n4 is a member: the console heard that it was done",
//                    "the members that n2 knows are " + list(members(world, "n2")));
//     });
//   }
//
//   TEST(membership, merge_is_idempotent) {               // one node, no network, no time
//     Lone lone;
//     lone.start(true);
//     const History once = lone.invoke<&Membership::history>();
//     lone.invoke<&Membership::merge>(once);
//     EXPECT_EQ(lone.invoke<&Membership::history>(), once);
//   }
//
// A scenario must depend on nothing but its world: it runs again, with the trace on, when it fails,
// and side by side with the scenarios of other seeds. So no static state, no SCOPED_TRACE, no
// clock; what it collects for a statistic goes to an object of its own seed (world.seed()). EXPECT_
// and ASSERT_ work inside and outside of scenarios; their text becomes `actual`.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/codec.h"
#include "sim/cluster.h"
#include "sim/host.h"
#include "sim/world.h"

namespace dynamo::sim {

using Scenario = std::function<void(World& world)>;

/// Runs `scenario` in a world of its own for each of `count` seeds (--seed says which is
/// the first, --seeds may raise how many), many at once. Every fourth world has a host process for
/// each node; the first one runs twice, the second time in a host with another heap layout, and
/// both must do the same, step by step. The first failing seed is run again with the trace on,
/// becomes a story, and ends the test.
void for_each_seed(std::size_t count, const Plan& plan, const Scenario& scenario);
/// The same, with a plan that depends on the seed; plan.seed is set by for_each_seed.
void for_each_seed(std::size_t count, const std::function<Plan(std::uint64_t seed)>& plan,
                   const Scenario& scenario);

/// What the student hands in beside code (the capstone's fault plans): the file that --submission
/// named. Throws GraderTrouble if it named none.
const std::filesystem::path& submission();

/// Ends the test as failed: for what is judged over all seeds (a statistic). With the seeds' story
/// missing, `actual` must say enough.
[[noreturn]] void violation(const std::string& expected, const std::string& actual);

/// A node of labs 1 and 2 alone: "n1", modules membership and ring.
NodeSetup lone_setup();

/// One node in a host, without a world: for the unit checks. What it is asked is remembered in
/// words, and a failure of the test tells it as a story. The clock stands still unless advance()
/// moves it; what the node sends goes nowhere, but can be looked at.
class Lone {
 public:
  explicit Lone(NodeSetup setup = lone_setup());
  ~Lone();
  Lone(const Lone&) = delete;
  Lone& operator=(const Lone&) = delete;

  void start(bool bootstrap = false);
  void restart();                            ///< A new start on the same disk, as after kill -9.
  void configure(const NodeConfig& config);  ///< From the next restart on: another config.
  void advance(Duration time);               ///< Fires the timers that become due, in order.
  const Disk& disk() const;
  void set_room(std::uint64_t bytes);  ///< How much the disk may grow by.

  /// Runs a method as a handler and returns what it returned (a copy; Done for void).
  template <auto M, class... A>
  auto invoke(const A&... args) {
    using Traits = MethodTraits<decltype(M)>;
    auto values =
        map<M>(std::vector<typename Traits::Arguments>{typename Traits::Arguments(args...)});
    using Value = typename decltype(values)::value_type;  // a vector<bool> holds no bool to return
    return Value(std::move(values.front()));
  }

  /// Many calls of one method in one crossing: for more than a few hundred of them.
  template <auto M>
  auto map(const std::vector<typename MethodTraits<decltype(M)>::Arguments>& calls);

  /// Hands it a request and returns its reply, if it has answered in the same handler.
  template <class Request>
  std::optional<typename Request::Reply> request(const NodeId& from, const Request& request) {
    return answered<Request>(ask(from, request));
  }

  /// The same in two steps, for a request that is answered in a later handler: nothing as long as
  /// it is not.
  template <class Request>
  RequestToken ask(const NodeId& from, const Request& request) {
    return ask_raw(from, *message_named(Request::type_name), codec::encode(request));
  }
  template <class Request>
  std::optional<typename Request::Reply> answered(RequestToken token) {
    const auto raw = answered_raw(token, *message_named(Request::type_name));
    return raw ? codec::decode<typename Request::Reply>(*raw) : std::nullopt;
  }

  /// A call that the node made and that nobody has answered yet.
  struct Call {
    CallId id = 0;
    NodeId to;
    MessageType type = 0;
    std::string bytes;
    Duration timeout{0};
  };
  const std::vector<Call>& calls() const;
  void end_call(CallId id, const Result<std::string>& outcome);  ///< Encoded reply, or an error.
  template <class Request>
  void answer(CallId id, const typename Request::Reply& reply) {
    end_call(id, codec::encode(reply));
  }

  std::uint64_t allocations()
      const;  ///< Heap allocations of the last crossing's handlers; 0: unknown.
  void say(const std::string& step);  ///< A line in the story.

 private:
  struct State;
  std::vector<std::string> map_raw(MethodId method, const std::vector<std::string>& args);
  RequestToken ask_raw(const NodeId& from, MessageType type, const std::string& bytes);
  std::optional<std::string> answered_raw(RequestToken token, MessageType type);
  std::unique_ptr<State> state_;
};

template <auto M>
auto Lone::map(const std::vector<typename MethodTraits<decltype(M)>::Arguments>& calls) {
  using Traits = MethodTraits<decltype(M)>;
  using Value =
      std::conditional_t<std::is_void_v<typename Traits::Value>, Done, typename Traits::Value>;
  std::vector<std::string> encoded;
  encoded.reserve(calls.size());
  for (const auto& args : calls) encoded.push_back(codec::encode(args));
  std::vector<Value> values;
  values.reserve(calls.size());
  for (const std::string& raw : map_raw(method_id<M>, encoded)) {
    auto value = codec::decode<Value>(raw);
    if (!value) throw SolutionDied("a method's answer is malformed: the process was tampered with");
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace dynamo::sim
