// The codec and the JSON of every message there is: a message that is added is tested with them.
#include "core/codec.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/random.h"
#include "node/config.h"
#include "node/messages.h"

namespace dynamo {
namespace {

/// Fills in any value that the codec knows.
template <class T>
void fill(Random& random, T& value) {
  if constexpr (std::is_same_v<T, bool> || std::is_enum_v<T>) {
    value = static_cast<T>(random.below(2));
  } else if constexpr (std::unsigned_integral<T>) {
    value = static_cast<T>(random.next() >> random.below(64));
  } else if constexpr (std::is_same_v<T, Duration>) {
    value = Duration(static_cast<std::int64_t>(random.below(1'000'000'000)));
  } else if constexpr (std::is_same_v<T, std::string>) {
    value.clear();
    for (std::uint64_t left = random.below(20); left > 0; --left) {
      value.push_back(static_cast<char>(random.below(128)));
    }
  } else if constexpr (codec::is_vector<T>::value) {
    value.clear();
    for (std::uint64_t left = random.below(5); left > 0; --left) fill(random, value.emplace_back());
  } else if constexpr (codec::is_optional<T>::value) {
    value.reset();
    if (random.below(2) == 1) fill(random, value.emplace());
  } else if constexpr (codec::is_result<T>::value) {
    Error error;
    fill(random, error);
    value = std::move(error);
    if (random.below(2) == 1) {
      typename codec::is_result<T>::Value content{};
      fill(random, content);
      value = std::move(content);
    }
  } else {
    value.each_field([&](std::string_view, auto&... field) { (fill(random, field), ...); });
  }
}

/// decode(encode(x)) is x, no prefix decodes, and what decodes at all is canonical.
template <class T>
void expect_codec_holds(Random& random) {
  T value{};
  fill(random, value);
  const std::string bytes = codec::encode(value);
  const std::optional<T> back = codec::decode<T>(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(codec::encode(*back), bytes);
  for (std::size_t kept = 0; kept < bytes.size(); ++kept) {
    EXPECT_FALSE(codec::decode<T>(bytes.substr(0, kept))) << kept << " of " << bytes.size();
  }
  EXPECT_FALSE(codec::decode<T>(bytes + '\0'));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const std::optional<T> other = codec::decode<T>(damaged);
    if (other) {
      EXPECT_EQ(codec::encode(*other), damaged) << "two encodings of one value";
    }
  }
}

/// Calls f.operator()<T>() for each type of a message: requests and replies.
template <class F, class... Request>
void each_message(RequestList<Request...>, F f) {
  ((f.template operator()<Request>(), f.template operator()<typename Request::Reply>()), ...);
}

TEST(Codec, every_message_comes_back_and_nothing_else_does) {
  Random random(7);
  each_message(Requests{}, [&]<class T>() {
    for (int run = 0; run < 50; ++run) expect_codec_holds<T>(random);
  });
}

TEST(Codec, lengths_that_lie_allocate_nothing) {
  std::string huge;
  codec::Writer(huge).number(~std::uint64_t{0});
  EXPECT_FALSE(codec::decode<std::string>(huge));
  EXPECT_FALSE(codec::decode<std::vector<std::string>>(huge));
}

TEST(Codec, numbers_have_one_form) {
  EXPECT_FALSE(codec::decode<std::uint64_t>(std::string("\x80\x00", 2))) << "a longer zero";
  EXPECT_FALSE(codec::decode<std::uint64_t>(std::string(10, '\xff'))) << "more than 64 bits";
  EXPECT_FALSE(codec::decode<std::uint16_t>(codec::encode(std::uint64_t{65536})));
  EXPECT_FALSE(codec::decode<bool>(codec::encode(std::uint64_t{2})));
}

TEST(Messages, have_json_with_the_names_of_their_fields) {
  Random random(3);
  const auto check = [&]<class Message>(MessageType type, bool reply, Message message) {
    fill(random, message);
    const auto text = message_to_json(type, reply, codec::encode(message));
    ASSERT_TRUE(text);
    const Json parsed = json::parse_or_throw(*text);
    message.each_field([&](std::string_view names, const auto&...) {
      while (!names.empty()) {
        const std::string name(json::next_name(names));
        EXPECT_TRUE(parsed.contains(name) || parsed.contains(name + "_ms")) << name;
      }
    });
  };
  [&]<class... Request>(RequestList<Request...>) {
    (check(message_number<Request>, false, Request{}), ...);
    (check(message_number<Request>, true, typename Request::Reply{}), ...);
  }(Requests{});
  EXPECT_FALSE(message_to_json(0, false, "not a message at all"));
  EXPECT_FALSE(message_to_json(9999, false, ""));
}

TEST(Messages, have_numbers_that_their_names_lead_back_to) {
  for (MessageType type = 0; type < message_names().size(); ++type) {
    EXPECT_EQ(message_named(name_of_message(type)), type);
  }
  EXPECT_EQ(message_named("no such message"), std::nullopt);
}

TEST(Json, a_config_comes_back) {
  Random random(11);
  for (int run = 0; run < 100; ++run) {
    NodeConfig config;
    fill(random, config);
    NodeConfig back;
    json::from(json::parse_or_throw(json::text(json::to(config))), back, "config");
    EXPECT_EQ(codec::encode(back), codec::encode(config));
  }
}

}  // namespace
}  // namespace dynamo
