// Values that must be the same on every platform, compiler and library, for ever: saved seeds,
// disks and traces hang on them.
#include <gtest/gtest.h>

#include "core/history.h"
#include "core/keys.h"
#include "core/random.h"
#include "core/state.h"

namespace dynamo {
namespace {

TEST(Golden, key_hash_is_xxh3_64_with_seed_0) {
  EXPECT_EQ(hash_of(""), 0x2d06800538d394c2u);
  EXPECT_EQ(hash_of("cart"), 0xe0a5aa3bac58015du);
  EXPECT_EQ(hash_of(std::string(1000, 'k')), 0x308ce2f421066779u);
}

TEST(Golden, first_hash_rounds_up) {
  EXPECT_EQ(first_hash(0, 1), 0u);
  EXPECT_EQ(first_hash(0, 1024), 0u);
  EXPECT_EQ(first_hash(1, 1024), std::uint64_t{1} << 54);
  EXPECT_EQ(first_hash(1023, 1024), std::uint64_t{1023} << 54);
  EXPECT_EQ(first_hash(1, 3), 0x5555555555555556u);
  EXPECT_EQ(first_hash(2, 3), 0xaaaaaaaaaaaaaaabu);
  EXPECT_EQ(first_hash(65535, 65536), 0xffff000000000000u);
  EXPECT_EQ(first_hash(0xfffffffe, 0xffffffff), 0xfffffffeffffffffu);
}

TEST(Golden, random_stream_is_splitmix64) {
  Random random(0);
  EXPECT_EQ(random.next(), 0xe220a8397b1dcdafu);  // Vigna's splitmix64.c gives these for seed 0
  EXPECT_EQ(random.next(), 0x6e789e6aa1b965f4u);
  EXPECT_EQ(random.next(), 0x06c45d188009454fu);
  Random other(42);
  const std::uint64_t draws[] = {other.below(6), other.below(6), other.below(1'000'000),
                                 other.below(std::uint64_t{1} << 63)};
  const std::uint64_t expected[] = {4, 0, 278601, 3174599030129127882};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(draws[i], expected[i]) << "draw " << i;
}

TEST(Golden, draws_stay_in_their_bounds_and_reach_them) {
  Random random(7);
  std::uint64_t seen = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t draw = random.below(10);
    ASSERT_LT(draw, 10u);
    seen |= std::uint64_t{1} << draw;
  }
  EXPECT_EQ(seen, 0x3ffu);
  EXPECT_EQ(random.below(1), 0u);
  EXPECT_FALSE(random.chance(0));
  EXPECT_TRUE(random.chance(1'000'000));
}

TEST(Golden, history_digest) {
  EXPECT_EQ(digest_of({}), (HistoryDigest{0xa6cd5e9392000f6au, 0xc44bdff4074eecdbu}));
  const History history = {{"n1", Change::join, {1, "n1", 77}},
                           {"n2", Change::join, {2, "n1", 77}},
                           {"n2", Change::leave, {3, "n2", 1ULL << 40}}};
  EXPECT_EQ(digest_of(history), (HistoryDigest{0x3b06790c3b9aaf4au, 0x323ef75423eedffbu}));
}

TEST(Golden, history_digest_sees_every_field) {
  const Event event = {"n1", Change::join, {1, "n1", 77}};
  const History variants[] = {
      {{"n2", Change::join, {1, "n1", 77}}}, {{"n1", Change::leave, {1, "n1", 77}}},
      {{"n1", Change::join, {2, "n1", 77}}}, {{"n1", Change::join, {1, "n2", 77}}},
      {{"n1", Change::join, {1, "n1", 78}}}, {event, event}};
  for (const History& variant : variants) EXPECT_NE(digest_of(variant), digest_of({event}));
}

TEST(Golden, state_hash_covers_key_and_state) {
  EXPECT_EQ(hash_of("cart", State{"milk"}), hash_of("cart", State{"milk"}));
  EXPECT_NE(hash_of("cart", State{"milk"}), hash_of("cartm", State{"ilk"}));
  // Two keys that swap their values must not look equal.
  EXPECT_NE(hash_of("a", State{"1"}).low ^ hash_of("b", State{"2"}).low,
            hash_of("a", State{"2"}).low ^ hash_of("b", State{"1"}).low);
}

}  // namespace
}  // namespace dynamo
