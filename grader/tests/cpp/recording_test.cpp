// A flight recorder's file, read back, told as a trace, and run again.
#include "sim/recording.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "host/flight_recorder.h"
#include "storage/memory_store.h"

namespace dynamo::sim {
namespace {

using host::Command;
using host::CommandWriter;
using host::FlightRecorder;
using namespace std::chrono_literals;

/// Takes what a node does, and forgets it.
struct NoEffects final : Effects {
  void call(CallId /*id*/, const NodeId& /*to*/, MessageType /*type*/, std::string /*bytes*/,
            Duration /*timeout*/) override {
    ++calls;
  }
  void reply(RequestToken /*token*/, std::string /*bytes*/) override {}
  void set_timer(TimerId /*id*/, Duration /*delay*/) override {}
  void cancel_timer(TimerId /*id*/) override {}
  void note(std::string_view /*text*/) override {}
  std::uint64_t calls = 0;
};

class RecordingTest : public testing::Test {
 public:
  ~RecordingTest() override { std::filesystem::remove(file_); }

 protected:
  RecordingTest() {
    setup_.self = "n1";
    setup_.incarnation = 7;
    setup_.config.modules = {"membership", "ring"};
    setup_.config.q = 8;
    setup_.config.seeds = {"n1"};
    std::filesystem::remove(file_);
  }

  Moment at(std::chrono::milliseconds now) const { return {Instant(now), Instant(now), 42}; }

  /// A node starts, its operator adds n2, it gossips, and n2's answer does not come.
  void record() {
    FlightRecorder recorder(file_, disk_, effects_);
    const auto born = std::chrono::steady_clock::time_point(10s);
    recorder.born(born, setup_, [](const FlightRecorder::Entry& visit) { visit("s", "k", "v"); });
    Node node(setup_, recorder, recorder);
    recorder.begin([&](CommandWriter& out) { out.start(0, at(0ms), true); });
    node.start(at(0ms), true);
    recorder.end(true);
    const std::string n2 = codec::encode(std::tuple<NodeId>("n2"));
    const MethodId add = method_id<&Membership::add>;
    recorder.begin([&](CommandWriter& out) { out.invoke(0, at(5ms), add, n2); });
    recorder.result(node.invoke(at(5ms), add, n2).value());
    recorder.end(true);
    for (TimerId timer : {TimerId(1), TimerId(2)}) {  // gossip is one of its first timers
      recorder.begin([&](CommandWriter& out) { out.timer_fired(0, at(1s), timer); });
      node.timer_fired(at(1s), timer);
      recorder.end(true);
    }
  }

  std::string bytes() const {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void rewrite(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << bytes;
  }

  const std::filesystem::path file_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("recording-") + testing::UnitTest::GetInstance()->current_test_info()->name());
  MemoryStore disk_{1 << 20};
  NoEffects effects_;
  NodeSetup setup_;
  std::unique_ptr<Host> host_ = make_linked_host();
};

TEST_F(RecordingTest, same_events_make_the_node_do_the_same) {
  record();
  const Recording recording = read_recording(file_);
  ASSERT_EQ(recording.starts.size(), 1u);
  EXPECT_EQ(recording.starts[0].disk.at({"s", "k"}), "v");
  ASSERT_EQ(recording.starts[0].handlers.size(), 4u);
  EXPECT_GT(effects_.calls, 0u) << "what the node sends goes on to its driver";
  const std::vector<Rerun> again = rerun(recording, *host_);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].node, "n1");
  EXPECT_EQ(again[0].handlers, 4u);
  EXPECT_EQ(again[0].difference, "");
  EXPECT_EQ(again[0].death, "");
}

TEST_F(RecordingTest, first_difference_is_told_with_its_handler) {
  record();
  Recording recording = read_recording(file_);
  const auto sends = [](const RecordedHandler& handler) {
    const auto& effects = handler.done->effects;
    return std::any_of(effects.begin(), effects.end(),
                       [](const Effect& effect) { return effect.kind == Effect::Kind::call; });
  };
  auto& handlers = recording.starts[0].handlers;
  const auto sender = std::find_if(handlers.begin(), handlers.end(), sends);
  ASSERT_NE(sender, handlers.end());
  for (Effect& effect : sender->done->effects) {
    if (effect.kind == Effect::Kind::call) effect.to = "n3";
  }
  const Rerun again = rerun(recording, *host_).at(0);
  EXPECT_EQ(again.handlers, static_cast<std::size_t>(sender - handlers.begin()));
  EXPECT_NE(again.difference.find("then: a Gossip to n3"), std::string::npos) << again.difference;
  EXPECT_NE(again.difference.find("now:  a Gossip to n2"), std::string::npos) << again.difference;
}

TEST_F(RecordingTest, write_that_did_not_happen_then_is_a_difference) {
  record();
  Recording recording = read_recording(file_);
  auto& writes = recording.starts[0].handlers[1].done->writes;
  ASSERT_FALSE(writes.empty()) << "an acknowledged change is on the disk";
  writes.pop_back();
  EXPECT_NE(rerun(recording, *host_).at(0).difference.find("then: nothing more"),
            std::string::npos);
}

TEST_F(RecordingTest, disk_that_was_full_is_full_again) {
  {
    FlightRecorder recorder(file_, disk_, effects_);
    recorder.born({}, setup_, [](const FlightRecorder::Entry&) {});
    Node node(setup_, recorder, recorder);
    recorder.begin([&](CommandWriter& out) { out.start(0, at(0ms), true); });
    node.start(at(0ms), true);
    recorder.end(true);
    disk_.set_room(0);
    const std::string n2 = codec::encode(std::tuple<NodeId>("n2"));
    const MethodId add = method_id<&Membership::add>;
    recorder.begin([&](CommandWriter& out) { out.invoke(0, at(5ms), add, n2); });
    const std::string result = node.invoke(at(5ms), add, n2).value();
    EXPECT_EQ(codec::decode<Status>(result)->error().code, ErrorCode::no_room);
    recorder.end(true);
  }
  Recording recording = read_recording(file_);
  ASSERT_TRUE(recording.starts[0].handlers[1].no_room);
  EXPECT_EQ(rerun(recording, *host_).at(0).difference, "");
  recording.starts[0].handlers[1].no_room.reset();
  EXPECT_NE(rerun(recording, *host_).at(0).difference, "") << "with room it takes the change";
}

TEST_F(RecordingTest, torn_end_is_left_out_and_a_handler_without_end_is_kept) {
  record();
  const std::string whole = bytes();
  for (std::size_t length = whole.size() - 1; length > whole.size() - 40; --length) {
    rewrite(whole.substr(0, length));
    const Recording recording = read_recording(file_);
    ASSERT_EQ(recording.starts.size(), 1u);
    const auto& handlers = recording.starts[0].handlers;
    ASSERT_TRUE(handlers.size() == 3 || handlers.size() == 4);
    EXPECT_TRUE(handlers.size() == 3 || !handlers.back().done);
    const Rerun again = rerun(recording, *host_).at(0);
    EXPECT_EQ(again.handlers, 3u);
    EXPECT_EQ(again.difference, "");
  }
}

TEST_F(RecordingTest, damage_is_told_with_file_and_place) {
  record();
  std::string damaged = bytes();
  damaged[0] = 9;  // no such part
  rewrite(damaged);
  try {
    read_recording(file_);
    FAIL() << "a damaged recording was read";
  } catch (const GraderTrouble& trouble) {
    EXPECT_NE(std::string(trouble.what()).find(file_.string() + ": is damaged at byte 0"),
              std::string::npos)
        << trouble.what();
  }
  EXPECT_THROW(read_recording(file_.string() + ".absent"), GraderTrouble);
}

TEST_F(RecordingTest, trace_is_in_order_and_tells_what_was_done_to_the_cluster) {
  record();
  Action crash;
  crash.at = 600ms;
  crash.act = "crash";
  crash.nodes = {"n1"};
  const std::vector<Step> steps = steps_of({read_recording(file_)}, {crash}, 9500ms);
  std::vector<std::string> told;
  told.reserve(steps.size());
  for (const Step& step : steps) told.emplace_back(name_of(step.kind));
  ASSERT_GE(told.size(), 5u);
  EXPECT_EQ(told[0], "start");
  EXPECT_EQ(steps[0].at, Instant(500ms)) << "it was born half a second after the plan began";
  EXPECT_EQ(std::count(told.begin(), told.end(), "crash"), 1);
  const auto answer = std::find(told.begin(), told.end(), "answer") - told.begin();
  EXPECT_EQ(steps.at(static_cast<std::size_t>(answer)).text, "done");
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end(),
                             [](const Step& a, const Step& b) { return a.at < b.at; }));
}

}  // namespace
}  // namespace dynamo::sim
