// Lab 5: what nodes say to each other about quorums. Given; quorum.h says what you write. From lab
// 3 there are also Update and Read (replication_messages.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/cluster_view.h"
#include "core/coordinator.h"
#include "replication_messages.h"

namespace dynamo {

struct CoordinateReply;
struct StoreHintsReply;

/// "Coordinate this client's write": from the node that took it. Sent and answered by given code.
struct Coordinate {
  static constexpr std::string_view type_name = "Coordinate";
  using Reply = CoordinateReply;
  Known known;
  RequestId id;
  std::string key;
  NewVersion version;
  std::uint32_t w = 0;  ///< 1 to N.
  FIELDS(known, id, key, version, w)
};
struct CoordinateReply {
  Known known;
  bool mine = false;     ///< False: I may not coordinate this key, and have done nothing.
  bool pending = false;  ///< If mine: not finished yet; ask again with the same id.
  WriteOutcome outcome;  ///< If mine and not pending.
  FIELDS(known, mine, pending, outcome)
};

/// A state that waits for the host that it belongs to.
struct Hint {
  NodeId owner;  ///< Who is to have it.
  Copy copy;     ///< With its state.
  FIELDS(owner, copy)
};
/// "Keep these for their owners, who do not answer" (P§4.6).
struct StoreHints {
  static constexpr std::string_view type_name = "StoreHints";
  using Reply = StoreHintsReply;
  Known known;
  std::vector<Hint> hints;
  FIELDS(known, hints)
};
struct StoreHintsReply {
  Known known;
  std::vector<Copy> kept;  ///< Without states: these keys, with exactly these hashes, are durable
                           ///< here, or what is here has them merged in.
  FIELDS(known, kept)
};

}  // namespace dynamo
