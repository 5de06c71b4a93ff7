// The network between nodes: what becomes of each message. Every link has one direction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "node/messages.h"
#include "sim/draws.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace dynamo::sim {

/// Nodes are numbers here: their places in the plan's list.
using NodeIndex = std::uint32_t;

/// What becomes of one message.
struct Fate {
  struct Copy {
    Duration delay{0};
    bool corrupt = false;
  };
  const char* lost = nullptr;  ///< Why it does not arrive at all; else null.
  bool by_chance = false;      ///< It is lost by a draw, which might have been another one.
  bool lossy = false;          ///< It arrives, and might have been lost by a draw.
  Duration least{0};           ///< No delay that the link allows is shorter.
  int copies = 1;
  std::array<Copy, 2> copy{};
};

class Links {
 public:
  Links(std::uint64_t seed, const std::vector<NodeId>& nodes, const LinkModel& model);

  /// Counts the message, draws its fate.
  Fate send(NodeIndex from, NodeIndex to, MessageType type, bool reply, std::size_t bytes);
  /// Delay of the news that nobody listens at `from`, or nothing if the link is cut.
  std::optional<Duration> refusal(NodeIndex from, NodeIndex to, std::uint64_t number) const;
  bool is_cut(NodeIndex from, NodeIndex to) const;

  void cut(NodeIndex from, NodeIndex to) { link(from, to).cut = true; }
  void heal(NodeIndex from, NodeIndex to) { link(from, to).cut = false; }
  void heal_all();
  void set_model(NodeIndex from, NodeIndex to, const LinkModel& model);
  void set_all(const LinkModel& model);
  bool all_have(const LinkModel& model) const;
  /// The next `count` messages of `type` (nothing: of any) vanish.
  void drop_next(NodeIndex from, NodeIndex to, std::optional<MessageType> type, bool reply,
                 std::uint32_t count);

  /// No message of any link is faster than that.
  Duration fastest() const { return fastest_; }

  Traffic traffic(NodeIndex from, NodeIndex to, MessageType type, bool reply) const;
  Traffic traffic_of_type(MessageType type) const;
  Traffic traffic_of_sender(NodeIndex from) const;

 private:
  struct DropOrder {
    std::optional<MessageType> type;  ///< Nothing: any type, and replies too.
    bool reply = false;
    std::uint32_t left = 0;
  };
  struct Link {
    std::uint64_t key = 0;  ///< Hash of both names: part of each draw.
    bool cut = false;
    std::uint32_t model = 0;  ///< Index in models_; 0: that of all links.
    std::vector<DropOrder> drops;
    std::vector<Traffic> counts;  ///< By type and reply: index 2 · type + reply.
  };

  Link& link(NodeIndex from, NodeIndex to);
  const Link* find(NodeIndex from, NodeIndex to) const;
  bool ordered_to_drop(Link& link, MessageType type, bool reply);
  void find_fastest();

  std::uint64_t seed_;
  std::vector<std::uint64_t> name_keys_;  ///< By node: a link's draws do not depend on places.
  std::vector<LinkModel> models_;         ///< 0: of every link without one of its own.
  std::vector<Link> dense_;               ///< Small worlds: from · nodes + to.
  std::unordered_map<std::uint64_t, Link> sparse_;  ///< Large ones. Never walked where order shows.
  std::vector<Traffic> by_type_;
  std::vector<Traffic> by_sender_;
  Duration fastest_{0};
};

}  // namespace dynamo::sim
