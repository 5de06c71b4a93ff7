// Random values of every struct that has a field list, for tests of the codec and the JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/codec.h"
#include "core/random.h"
#include "net/frame.h"
#include "node/node.h"

namespace dynamo::testing {

/// Fills in a value at random: small and huge numbers, empty and long strings, any bytes.
class Sampler {
 public:
  explicit Sampler(std::uint64_t seed) : random_(seed) {}

  template <class T>
  T value() {
    T made{};
    fill(made);
    return made;
  }

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

 private:
  template <class T>
  void fill(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = below(2) == 1;
    } else if constexpr (std::is_same_v<T, Change>) {
      value = static_cast<Change>(below(2));
    } else if constexpr (std::is_same_v<T, ErrorCode>) {
      value = static_cast<ErrorCode>(below(7));
    } else if constexpr (std::is_same_v<T, net::FrameKind>) {
      value = static_cast<net::FrameKind>(below(3));
    } else if constexpr (std::unsigned_integral<T>) {
      const std::uint64_t bits = below(64);
      value = static_cast<T>(random_.next() >> bits);
    } else if constexpr (std::is_same_v<T, Duration>) {
      const std::uint64_t shift = below(64);
      value = Duration(static_cast<std::int64_t>(random_.next()) >> shift);
    } else if constexpr (std::is_same_v<T, Instant>) {
      value = Instant(this->value<Duration>());
    } else if constexpr (std::is_same_v<T, std::string>) {
      value.resize(below(below(8) == 0 ? 300 : 12));
      for (char& c : value) c = static_cast<char>(random_.next());
    } else if constexpr (codec::is_vector<T>::value) {
      value.resize(below(5));
      for (auto& item : value) fill(item);
    } else if constexpr (codec::is_optional<T>::value) {
      if (below(2) == 1) fill(value.emplace());
    } else if constexpr (codec::is_result<T>::value) {
      if (below(2) == 1) {
        value = this->value<typename codec::is_result<T>::Value>();
      } else {
        value = this->value<Error>();
      }
    } else {
      value.each_field([&](std::string_view, auto&... field) { (fill(field), ...); });
    }
  }

  Random random_;
};

}  // namespace dynamo::testing
