// Errors are values: what a call or an operation came to.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "core/fields.h"

namespace dynamo {

/// Why something was not done. Numbers travel in messages: append, never renumber.
enum class ErrorCode : std::uint8_t {
  timed_out,         ///< No answer in time. Unknown: it may have happened, or happen later.
  refused,           ///< The peer cannot be reached at all (nothing listens, or the link broke).
  invalid_argument,  ///< The request makes no sense; the message says which part.
  already_exists,    ///< For example: adding a node that is a member.
  not_found,         ///< For example: removing a node that is not a member.
  not_a_member,      ///< This node is not in the cluster, so it takes no such request.
  no_room,           ///< The disk has no room for it; nothing was changed.
  unavailable,       ///< Too few of the hosts that were needed could be reached. Unknown, too.
  too_large,         ///< It would be larger than a limit allows; nothing was changed.
};

/// The code's name as it stands in JSON: "timed_out", "refused", …
std::string name_of(ErrorCode code);

/// A code for programs and a message for people.
struct Error {
  ErrorCode code = ErrorCode::invalid_argument;
  std::string message;
  FIELDS(code, message)
  bool operator==(const Error&) const = default;
};

/// Either a T or an Error. Look before you take: value() on an error throws
/// std::bad_variant_access.
template <class T>
class [[nodiscard]] Result {
 public:
  Result() = default;
  Result(T value) : content_(std::move(value)) {}
  Result(Error error) : content_(std::move(error)) {}

  bool ok() const { return content_.index() == 0; }
  explicit operator bool() const { return ok(); }
  const T& value() const { return std::get<0>(content_); }
  T& value() { return std::get<0>(content_); }
  const T& operator*() const { return value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { return std::get<1>(content_); }
  bool operator==(const Result&) const = default;

 private:
  std::variant<T, Error> content_;
};

/// "Done", where there is nothing more to say.
struct Done {
  FIELDS()
  bool operator==(const Done&) const = default;
};

/// Done, or why not.
using Status = Result<Done>;

}  // namespace dynamo
