// A host does the same whether it is linked in, behind futexes, or behind a pair of sockets.
#include "host_fixture.h"

namespace dynamo::sim {
namespace {

enum class Kind { linked, futex, portable, perturbed, apart };

class EveryHost : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::linked) {
      host_ = make_linked_host();
      return;
    }
    ProcessOptions options;
    options.node_binary = PLAIN_HOST;
    options.portable = GetParam() == Kind::portable;
    options.perturb = GetParam() == Kind::perturbed;
    options.apart = GetParam() == Kind::apart;
    host_ = start_process_host(options);
  }

  Handled only() {
    std::vector<Handled> all = host_->exchange();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? Handled{} : std::move(all.front());
  }

  std::unique_ptr<Host> host_;
};

TEST_P(EveryHost, nothing_queued_crosses_as_nothing) { EXPECT_TRUE(host_->exchange().empty()); }

TEST_P(EveryHost, start_reads_the_disk_that_was_handed_over) {
  const Disk disk = {{{"count", "pings"}, codec::encode(std::uint64_t{41})}};
  host_->make(3, setup_of("n1"), disk, kPlenty);
  host_->start(3, at_ms(0), false);
  EXPECT_EQ(notes_of(only()), std::vector<std::string>{"started with 41"});
}

TEST_P(EveryHost, nodes_begin_with_one_image_and_keep_what_they_write_for_themselves) {
  const auto image =
      std::make_shared<const Disk>(Disk{{{"count", "pings"}, codec::encode(std::uint64_t{41})}});
  for (const Slot slot : {0, 1}) host_->make_from(image, slot, setup_of("n"), kPlenty);
  host_->request(0, at_ms(1), 99, "n2", kPing, ping_bytes(1));
  EXPECT_EQ(host_->exchange().at(0).writes.at(0).value, codec::encode(std::uint64_t{1}))
      << "the module reads its disk at the start only";
  host_->make_from(image, 2, setup_of("n"), kPlenty);
  host_->make(3, setup_of("n"), {}, kPlenty);
  for (const Slot slot : {1, 2, 3}) host_->start(slot, at_ms(0), false);
  const std::vector<Handled> started = host_->exchange();
  ASSERT_EQ(started.size(), 3U);
  EXPECT_EQ(notes_of(started[0]), std::vector<std::string>{"started with 41"});
  EXPECT_EQ(notes_of(started[1]), std::vector<std::string>{"started with 41"});
  EXPECT_EQ(notes_of(started[2]), std::vector<std::string>{"started with 0"});
}

TEST_P(EveryHost, request_is_answered_and_written) {
  host_->make(0, setup_of("n1"), {}, kPlenty);
  host_->request(0, at_ms(1), 99, "n2", kPing, ping_bytes(1));
  const Handled handled = only();
  EXPECT_TRUE(handled.taken);
  ASSERT_EQ(handled.writes.size(), 1U);
  EXPECT_EQ(handled.writes[0].space, "count");
  EXPECT_EQ(handled.writes[0].key, "pings");
  EXPECT_EQ(handled.writes[0].value, codec::encode(std::uint64_t{1}));
  ASSERT_EQ(handled.effects.size(), 1U);
  EXPECT_EQ(handled.effects[0].kind, Effect::Kind::reply);
  EXPECT_EQ(handled.effects[0].id, 99U);
  EXPECT_EQ(handled.effects[0].bytes, codec::encode(Pong{1}));
}

TEST_P(EveryHost, erase_is_a_write_without_a_value) {
  host_->make(0, setup_of("n1"), {}, kPlenty);
  host_->request(0, at_ms(1), 1, "n2", kPing, ping_bytes(9));
  const Handled handled = only();
  ASSERT_EQ(handled.writes.size(), 2U);
  EXPECT_TRUE(handled.writes[0].value.has_value());
  EXPECT_FALSE(handled.writes[1].value.has_value());
}

TEST_P(EveryHost, malformed_request_is_not_taken) {
  host_->make(0, setup_of("n1"), {}, kPlenty);
  host_->request(0, at_ms(1), 1, "n2", kPing, "\xff\xff\xff");
  host_->request(0, at_ms(1), 1, "n2", 77, "");
  for (const Handled& handled : host_->exchange()) {
    EXPECT_FALSE(handled.taken);
    EXPECT_TRUE(handled.effects.empty());
  }
}

TEST_P(EveryHost, call_and_timer_come_back_to_their_callbacks) {
  host_->make(0, setup_of("n1"), {}, kPlenty);
  Handled handled;
  invoke<&Warmup::ping>(*host_, 0, at_ms(1), &handled, std::string("n2"));
  ASSERT_EQ(handled.effects.size(), 2U);
  const Effect call = handled.effects[0];
  const Effect timer = handled.effects[1];
  EXPECT_EQ(call.kind, Effect::Kind::call);
  EXPECT_EQ(call.to, "n2");
  EXPECT_EQ(call.type, kPing);
  EXPECT_EQ(call.delay, std::chrono::milliseconds(50));
  EXPECT_EQ(timer.kind, Effect::Kind::set_timer);
  EXPECT_EQ(timer.delay, std::chrono::milliseconds(100));

  host_->call_ended(0, at_ms(2), call.id, Result<std::string>(codec::encode(Pong{5})));
  host_->timer_fired(0, at_ms(3), TimerId(timer.id));
  host_->call_ended(0, at_ms(4), call.id, Result<std::string>(codec::encode(Pong{5})));
  const std::vector<Handled> all = host_->exchange();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(notes_of(all[0]), std::vector<std::string>{"answered 5"});
  EXPECT_EQ(notes_of(all[1]), std::vector<std::string>{"timer"});
  EXPECT_TRUE(notes_of(all[2]).empty()) << "a call ends once";
  EXPECT_EQ(invoke<&Warmup::answered>(*host_, 0, at_ms(5), nullptr), 1U);
}

TEST_P(EveryHost, failed_call_carries_its_error) {
  host_->make(0, setup_of("n1"), {}, kPlenty);
  Handled handled;
  invoke<&Warmup::ping>(*host_, 0, at_ms(1), &handled, std::string("n2"));
  host_->call_ended(0, at_ms(2), handled.effects[0].id, Error{ErrorCode::timed_out, "no answer"});
  EXPECT_EQ(notes_of(only()), std::vector<std::string>{"no answer"});
}

TEST_P(EveryHost, cancelled_timer_is_reported_and_stays_silent) {
  host_->make(0, setup_of("n1"), {}, kPlenty);
  Handled handled;
  invoke<&Warmup::ping>(*host_, 0, at_ms(1), &handled, std::string("n2"));
  const Effect timer = handled.effects[1];
  host_->request(0, at_ms(2), 1, "n2", kPing, ping_bytes(0));
  host_->timer_fired(0, at_ms(3), TimerId(timer.id));
  const std::vector<Handled> all = host_->exchange();
  EXPECT_EQ(all[0].effects[0].kind, Effect::Kind::cancel_timer);
  EXPECT_EQ(all[0].effects[0].id, timer.id);
  EXPECT_TRUE(all[1].effects.empty());
}

TEST_P(EveryHost, room_is_what_the_trusted_side_says) {
  host_->make(0, setup_of("n1"), {}, 4);
  host_->request(0, at_ms(1), 1, "n2", kPing, ping_bytes(1));
  EXPECT_EQ(notes_of(only()), std::vector<std::string>{"no room"});
  host_->set_room(0, kPlenty);
  host_->request(0, at_ms(1), 1, "n2", kPing, ping_bytes(1));
  EXPECT_EQ(only().writes.size(), 1U);
}

TEST_P(EveryHost, batch_is_answered_in_the_order_of_asking) {
  constexpr std::uint64_t count = 10'000;
  for (Slot slot = 0; slot < 5; ++slot) host_->make(slot, setup_of("n"), {}, kPlenty);
  for (std::uint64_t i = 0; i < count; ++i) {
    host_->request(static_cast<Slot>(i % 5), at_ms(1), i, "n2", kPing, ping_bytes(1));
  }
  const std::vector<Handled> all = host_->exchange();
  ASSERT_EQ(all.size(), count);
  for (std::uint64_t i = 0; i < count; ++i) {
    ASSERT_EQ(all[i].effects.at(0).id, i);
    ASSERT_EQ(all[i].effects[0].bytes, codec::encode(Pong{i / 5 + 1}));
  }
}

TEST_P(EveryHost, answer_larger_than_a_crossing_comes_in_parts) {
  // 100 answers of 1 MiB: more than the mailbox holds at once.
  History large;
  for (int i = 0; i < 1000; ++i) large.push_back({std::string(1000, 's'), Change::join, {}});
  const std::string bytes = codec::encode(Gossip{{1, 2}, large});
  host_->make(0, setup_of("n1", {"membership"}), {}, kPlenty);
  for (std::uint64_t i = 0; i < 100; ++i) host_->request(0, at_ms(1), i, "n2", 1, bytes);
  const std::vector<Handled> all = host_->exchange();
  ASSERT_EQ(all.size(), 100U);
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(all[i].effects.at(0).id, i);
    ASSERT_EQ(all[i].effects[0].bytes.size(), bytes.size());
  }
}

TEST_P(EveryHost, slots_are_made_anew_and_destroyed) {
  host_->make(0, setup_of("n1"), {}, kPlenty);
  host_->request(0, at_ms(1), 1, "n2", kPing, ping_bytes(1));
  host_->make(0, setup_of("n1"), {}, kPlenty);
  host_->request(0, at_ms(1), 2, "n2", kPing, ping_bytes(1));
  host_->destroy(0);
  const std::vector<Handled> all = host_->exchange();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].effects.at(0).bytes, codec::encode(Pong{1})) << "a new node begins at 0";
  EXPECT_THROW(host_->start(0, at_ms(1), false), std::logic_error);
}

TEST_P(EveryHost, results_of_methods_come_back) {
  host_->make(0, setup_of("n1", {"membership"}), {}, kPlenty);
  const auto added = invoke<&Membership::add>(*host_, 0, at_ms(1), nullptr, std::string("n2"));
  EXPECT_TRUE(added.ok());
  const auto removed = invoke<&Membership::remove>(*host_, 0, at_ms(1), nullptr, std::string("n2"));
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error(), (Error{ErrorCode::not_found, "n2"}));
  EXPECT_THROW(invoke<&Warmup::counted>(*host_, 0, at_ms(1), nullptr), SolutionDied)
      << "a module that is not at work";
}

std::string kind_name(const testing::TestParamInfo<Kind>& kind) {
  switch (kind.param) {
    case Kind::linked:
      return "linked";
    case Kind::futex:
      return "futex";
    case Kind::portable:
      return "portable";
    case Kind::perturbed:
      return "perturbed";
    case Kind::apart:
      return "apart";
  }
  return "";
}
INSTANTIATE_TEST_SUITE_P(, EveryHost,
                         testing::Values(Kind::linked, Kind::futex, Kind::portable, Kind::perturbed,
                                         Kind::apart),
                         kind_name);

}  // namespace
}  // namespace dynamo::sim
