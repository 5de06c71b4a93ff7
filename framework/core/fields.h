// One field list per struct: the binary codec, the JSON and the printer are all made from it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Names the fields of a struct, in the order in which they travel.
///     struct Ping { std::uint64_t number; FIELDS(number) };
/// Costs a student's translation unit nothing: the codec is instantiated in the framework.
#define FIELDS(...)                                 \
  template <class Visitor>                          \
  void each_field(Visitor&& visit) {                \
    visit(#__VA_ARGS__ __VA_OPT__(, ) __VA_ARGS__); \
  }                                                 \
  template <class Visitor>                          \
  void each_field(Visitor&& visit) const {          \
    visit(#__VA_ARGS__ __VA_OPT__(, ) __VA_ARGS__); \
  }

namespace dynamo {

/// The canonical bytes of a given struct, for Storage and for the wire. The same on every platform.
/// For messages and replies, what they are made of (Copy, State, VnodeRoot, TreeNode …) and lists
/// of hashes and strings; not for structs and lists of your own.
template <class T>
std::string to_bytes(const T& value);

/// The inverse of to_bytes; nothing if the bytes are not exactly one well-formed T.
template <class T>
std::optional<T> from_bytes(std::string_view bytes);

}  // namespace dynamo
