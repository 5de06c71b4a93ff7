// Lab 3: what nodes say to each other about keys. Given; replication.h says what you write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/cluster_view.h"
#include "core/coordinator.h"

namespace dynamo {

struct WriteReply;
struct ReadReply;
struct UpdateReply;

/// "Execute this client's write": from the node that took it, to one of the preference list.
struct Write {
  static constexpr std::string_view type_name = "Write";
  using Reply = WriteReply;
  Known known;
  RequestId id;
  std::string key;
  NewVersion version;
  FIELDS(known, id, key, version)
};
struct WriteReply {
  Known known;
  bool mine = false;  ///< False: I am not on the key's preference list, and have done nothing.
  Status status;      ///< If mine: done, or why not (no_room, too_large, …).
  FIELDS(known, mine, status)
};

/// "What do you hold for this key?"
struct Read {
  static constexpr std::string_view type_name = "Read";
  using Reply = ReadReply;
  Known known;
  std::string key;
  FIELDS(known, key)
};
enum class Holding : std::uint8_t {
  found,
  absent,    ///< Surely: the answering node is on the list, and complete for the key's vnode.
  not_mine,  ///< "I hold nothing, and that says nothing": ask on.
};
std::string name_of(Holding holding);
struct ReadReply {
  Known known;
  Holding holding = Holding::not_mine;
  std::optional<State> state;  ///< If found.
  bool empty = false;          ///< I am no member in my own view, and hold no key at all.
  FIELDS(known, holding, state, empty)
};

/// One key that the sender holds, with or without its state.
struct Copy {
  std::string key;
  StateHash hash;              ///< Of the sender's state.
  std::optional<State> state;  ///< Nothing: "or do you hold this already?"
  FIELDS(key, hash, state)
};
/// "You keep these keys, too": propagation and transfer alike.
struct Update {
  static constexpr std::string_view type_name = "Update";
  using Reply = UpdateReply;
  Known known;
  std::vector<Copy> copies;
  FIELDS(known, copies)
};
struct UpdateReply {
  Known known;
  std::vector<Copy> confirmed;  ///< Without states: these keys, with exactly these hashes, are
                                ///< durable here, or what is here has them merged in.
  FIELDS(known, confirmed)
};

}  // namespace dynamo
