#include "net/frame.h"

#include <gtest/gtest.h>

#include "core/codec.h"
#include "core/random.h"

namespace dynamo::net {
namespace {

using State = FrameReader::State;

Envelope sample(std::size_t payload_bytes) {
  return {FrameKind::request, 300, "n1", "n2", 1, std::string(payload_bytes, 'x')};
}

TEST(Frame, comes_back_as_it_was_sent_also_byte_by_byte) {
  FrameReader reader;
  for (const char byte : to_frame(sample(40))) {
    EXPECT_EQ(reader.next(), State::more);
    reader.feed({&byte, 1});
  }
  ASSERT_EQ(reader.next(), State::frame);
  EXPECT_EQ(envelope_of(reader.body()), sample(40));
  EXPECT_EQ(reader.whole(), to_frame(sample(40)));
  EXPECT_EQ(reader.next(), State::more);
}

TEST(Frame, many_in_one_chunk_come_in_order) {
  std::string stream;
  for (std::size_t i = 0; i < 100; ++i) stream += to_frame(sample(i));
  FrameReader reader;
  reader.feed(stream);
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_EQ(reader.next(), State::frame);
    EXPECT_EQ(envelope_of(reader.body()), sample(i));
  }
  EXPECT_EQ(reader.next(), State::more);
}

TEST(Frame, no_truncation_is_taken_for_a_frame) {
  const std::string frame = to_frame(sample(20));
  for (std::size_t kept = 0; kept < frame.size(); ++kept) {
    FrameReader reader;
    reader.feed(frame.substr(0, kept));
    EXPECT_EQ(reader.next(), State::more) << kept << " bytes";
  }
}

TEST(Frame, no_flipped_bit_is_taken_for_a_frame) {
  const std::string frame = to_frame(sample(20));
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string damaged = frame;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    FrameReader reader;
    reader.feed(damaged);
    EXPECT_NE(reader.next(), State::frame) << "bit " << bit;
  }
}

TEST(Frame, a_damaged_one_is_lost_alone) {
  std::string damaged = to_frame(sample(20));
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  FrameReader reader;
  reader.feed(damaged + to_frame(sample(3)));
  EXPECT_EQ(reader.next(), State::checksum);
  ASSERT_EQ(reader.next(), State::frame);
  EXPECT_EQ(envelope_of(reader.body()), sample(3));
}

TEST(Frame, a_length_past_the_limit_breaks_the_stream_for_good) {
  FrameReader reader;
  reader.set_longest_body(100);
  reader.feed(to_frame(sample(100)));
  EXPECT_EQ(reader.next(), State::broken);
  reader.feed(to_frame(sample(1)));
  EXPECT_EQ(reader.next(), State::broken);
}

TEST(Frame, random_bytes_never_make_a_frame) {
  Random random(1);
  for (int run = 0; run < 2000; ++run) {
    std::string noise;
    for (std::uint64_t left = random.below(200); left > 0; --left) {
      noise.push_back(static_cast<char>(random.below(256)));
    }
    FrameReader reader;
    reader.set_longest_body(100);
    reader.feed(noise);
    for (int step = 0; step < 20; ++step) ASSERT_NE(reader.next(), State::frame);
  }
}

TEST(Envelope, malformed_bodies_are_no_envelopes) {
  const std::string body = codec::encode(sample(5));
  for (std::size_t kept = 0; kept < body.size(); ++kept) {
    EXPECT_FALSE(envelope_of(body.substr(0, kept))) << kept << " bytes";
  }
  EXPECT_FALSE(envelope_of(body + "x")) << "something follows";
  std::string unknown_kind = body;
  unknown_kind[0] = 3;
  EXPECT_FALSE(envelope_of(unknown_kind));
}

}  // namespace
}  // namespace dynamo::net
