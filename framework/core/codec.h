// The binary codec. Only the framework's and the grader's .cpp files include this; a student's file
// sees to_bytes and from_bytes as declarations (core/fields.h), and node/messages.cpp instantiates
// them for what a solution may send or store.
//
// Canonical: one value has exactly one encoding, so bytes can be hashed and compared. Unsigned
// numbers are LEB128, signed ones zigzag, strings and lists carry their length first, a struct is
// its fields in order. A reader never trusts a length: see Reader::take.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/fields.h"
#include "core/result.h"
#include "core/time.h"

namespace dynamo::codec {

template <class T>
concept HasFields = requires(T value) {
  value.each_field([](auto&&...) {});
};

/// Appends to a buffer that the caller owns.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void number(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  void fixed64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) out_.push_back(static_cast<char>(value >> shift));
  }
  void bytes(std::string_view value) {
    number(value.size());
    out_.append(value);
  }

 private:
  std::string& out_;
};

/// Reads from bytes that somebody else owns. After the first fault ok() is false for good, and
/// every further read gives zeros.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && in_.empty(); }
  std::size_t left() const { return in_.size(); }
  void fail() {
    ok_ = false;
    in_ = {};
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) break;
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;  // more than 64 bits
      if (shift > 0 && byte == 0) break;   // not the shortest form
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  std::uint64_t fixed64() {
    const std::string_view raw = take(8);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
    }
    return value;
  }
  std::string_view bytes() { return take(number()); }

 private:
  std::string_view take(std::uint64_t count) {
    if (!ok_ || count > in_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = in_.substr(0, count);
    in_.remove_prefix(count);
    return taken;
  }

  std::string_view in_;
  bool ok_ = true;
};

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_tuple : std::false_type {};
template <class... T>
struct is_tuple<std::tuple<T...>> : std::true_type {};
template <class T>
struct is_result : std::false_type {};
template <class T>
struct is_result<Result<T>> : std::true_type {
  using Value = T;
};

template <class T>
void write(Writer& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out.number(value ? 1 : 0);
  } else if constexpr (std::is_enum_v<T>) {
    out.number(static_cast<std::uint64_t>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    out.number(value);
  } else if constexpr (std::is_same_v<T, Duration>) {
    const std::int64_t n = value.count();
    out.number((static_cast<std::uint64_t>(n) << 1) ^ static_cast<std::uint64_t>(n >> 63));
  } else if constexpr (std::is_same_v<T, Instant>) {
    write(out, value.time_since_epoch());
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    out.bytes(value);
  } else if constexpr (is_vector<T>::value) {
    out.number(value.size());
    for (const auto& item : value) write(out, item);
  } else if constexpr (is_optional<T>::value) {
    out.number(value ? 1 : 0);
    if (value) write(out, *value);
  } else if constexpr (is_tuple<T>::value) {
    std::apply([&](const auto&... item) { (write(out, item), ...); }, value);
  } else if constexpr (is_result<T>::value) {
    out.number(value.ok() ? 1 : 0);
    if (value.ok()) {
      write(out, value.value());
    } else {
      write(out, value.error());
    }
  } else {
    static_assert(HasFields<T>, "give the struct a FIELDS(...) line");
    value.each_field([&](std::string_view, const auto&... field) { (write(out, field), ...); });
  }
}

template <class T>
void read(Reader& in, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    const std::uint64_t n = in.number();
    if (n > 1) in.fail();
    value = n == 1;
  } else if constexpr (std::is_enum_v<T>) {
    const std::uint64_t n = in.number();
    value = static_cast<T>(n);
    if (static_cast<std::uint64_t>(value) != n) in.fail();
  } else if constexpr (std::unsigned_integral<T>) {
    const std::uint64_t n = in.number();
    value = static_cast<T>(n);
    if (value != n) in.fail();
  } else if constexpr (std::is_same_v<T, Duration>) {
    const std::uint64_t n = in.number();
    value = Duration(static_cast<std::int64_t>(n >> 1) ^ -static_cast<std::int64_t>(n & 1));
  } else if constexpr (std::is_same_v<T, Instant>) {
    Duration since{};
    read(in, since);
    value = Instant(since);
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = std::string(in.bytes());
  } else if constexpr (is_vector<T>::value) {
    const std::uint64_t count = in.number();
    value.clear();
    // Every item takes at least a byte (an empty struct in a list would not; none is sent).
    if (count > in.left()) return in.fail();
    // Not all of `count` at once: an item in memory is far larger than the byte it may take here.
    value.reserve(std::min<std::uint64_t>(count, 1024));
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) read(in, value.emplace_back());
  } else if constexpr (is_optional<T>::value) {
    bool present = false;
    read(in, present);
    value.reset();
    if (present) read(in, value.emplace());
  } else if constexpr (is_tuple<T>::value) {
    std::apply([&](auto&... item) { (read(in, item), ...); }, value);
  } else if constexpr (is_result<T>::value) {
    bool good = false;
    read(in, good);
    if (good) {
      typename is_result<T>::Value content{};
      read(in, content);
      value = std::move(content);
    } else {
      Error error;
      read(in, error);
      value = std::move(error);
    }
  } else {
    static_assert(HasFields<T>, "give the struct a FIELDS(...) line");
    value.each_field([&](std::string_view, auto&... field) { (read(in, field), ...); });
  }
}

template <class T>
std::string encode(const T& value) {
  std::string bytes;
  Writer out(bytes);
  write(out, value);
  return bytes;
}

/// Nothing unless `bytes` are exactly one well-formed T.
template <class T>
std::optional<T> decode(std::string_view bytes) {
  Reader in(bytes);
  T value{};  // Not in the optional: GCC 12 takes that for uninitialized.
  read(in, value);
  if (!in.at_end()) return std::nullopt;
  return value;
}

}  // namespace dynamo::codec

namespace dynamo {

// Instantiated for each given struct in node/messages.cpp.
template <class T>
std::string to_bytes(const T& value) {
  return codec::encode(value);
}
template <class T>
std::optional<T> from_bytes(std::string_view bytes) {
  return codec::decode<T>(bytes);
}

}  // namespace dynamo
