// What clients ask of a store, and who answers: lab 3's lazy coordinator, lab 5's quorums.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/env.h"
#include "core/history.h"
#include "core/state.h"

namespace dynamo {

/// Longest `X-Request-Id`; longer names are refused before a coordinator sees them.
inline constexpr std::size_t kMaxRequestIdBytes = 128;

/// Names one request of one client, whatever the number of its attempts (`X-Request-Id`).
struct RequestId {
  std::string client;  ///< Up to kMaxRequestIdBytes.
  std::uint64_t incarnation = 0;
  std::uint64_t sequence = 0;
  FIELDS(client, incarnation, sequence)
  auto operator<=>(const RequestId&) const = default;
};

/// How a request ended: done, or why not, and how many hosts took part. A status of
/// `unavailable` or `timed_out` means *unknown*: the write may appear later.
struct WriteOutcome {
  Status status;
  std::uint32_t needed = 1;  ///< Hosts that had to hold it durably.
  std::uint32_t got = 0;     ///< Hosts that are known to.
  FIELDS(status, needed, got)
  bool operator==(const WriteOutcome&) const = default;
};

/// The merged state that was read (nothing: surely absent), or why there is none.
struct ReadOutcome {
  Result<std::optional<State>> state;
  std::uint32_t needed = 1;
  std::uint32_t got = 0;
  std::string context{};  ///< Of that state; given code fills it in: leave it out.
  FIELDS(state, needed, got, context)
  bool operator==(const ReadOutcome&) const = default;
};

/// A client's put or delete, at the node that the client happened to ask.
struct ClientWrite {
  static constexpr std::string_view type_name = "ClientWrite";
  using Reply = WriteOutcome;
  RequestId id;
  std::string key;
  std::optional<std::string> value;  ///< Nothing: delete the key.
  std::string context;               ///< What the client had read before; empty: nothing.
  std::uint32_t w = 0;               ///< Lab 5; 0: as configured.
  FIELDS(id, key, value, context, w)
};

/// A client's get.
struct ClientRead {
  static constexpr std::string_view type_name = "ClientRead";
  using Reply = ReadOutcome;
  std::string key;
  std::uint32_t r = 0;  ///< Lab 5; 0: as configured.
  FIELDS(key, r)
};

/// Every method runs inside a handler. The framework has seen to it that this node is a member, and
/// that keys, values and parameters are within their limits. It gives up on a request, with
/// timed_out, when the configured deadline has passed; an answer after that is not heard. Answer
/// each request once: a second answer stops the node.
class Coordinator {
 public:
  virtual ~Coordinator() = default;

  /// Runs once, at each start of the process: read the disk, go on with what is still owed.
  virtual void start() = 0;

  virtual void handle(const ClientWrite& request, Responder<WriteOutcome> responder) = 0;
  virtual void handle(const ClientRead& request, Responder<ReadOutcome> responder) = 0;

  /// The history has grown; `before` is what it was. Preference lists may be others now. Comes at
  /// the end of a handler, or in the middle of one: from within ClusterView::learn().
  virtual void history_grew(const History& before) = 0;
};

}  // namespace dynamo
