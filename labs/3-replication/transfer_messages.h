// Lab 3, part C: what nodes say to each other about whole vnodes. Given; replication.h says what
// you write.
#pragma once

#include <string_view>
#include <vector>

#include "core/cluster_view.h"
#include "core/keys.h"

namespace dynamo {

struct AskTransferReply;
struct SentAllReply;

/// "I am receiving these vnodes: send me what you hold of them", and its end. (Part C.)
struct AskTransfer {
  static constexpr std::string_view type_name = "AskTransfer";
  using Reply = AskTransferReply;
  Known known;
  NodeId from;                  ///< Who asks,
  Incarnation incarnation = 0;  ///< with which disk.
  std::vector<VnodeId> vnodes;
  FIELDS(known, from, incarnation, vnodes)
};
struct AskTransferReply {
  Known known;
  FIELDS(known)
};
struct SentAll {
  static constexpr std::string_view type_name = "SentAll";
  using Reply = SentAllReply;
  Known known;
  NodeId from;                    ///< Who says so.
  Incarnation incarnation = 0;    ///< As in the AskTransfer: what another disk confirmed is lost.
  std::vector<VnodeId> complete;  ///< I own these, was complete for them before I sent the first
                                  ///< key, and you have confirmed all of it.
  std::vector<VnodeId> partial;   ///< You have confirmed what I hold of these; there may be more
                                  ///< elsewhere.
  FIELDS(known, from, incarnation, complete, partial)
};
struct SentAllReply {
  Known known;
  FIELDS(known)
};

}  // namespace dynamo
