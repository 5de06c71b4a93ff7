// A fault plan is data: what happens to a cluster, and when. The simulator and the real-process
// harness run the same plan; JSON comes from the field lists (core/json.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fields.h"
#include "core/ids.h"
#include "core/time.h"
#include "node/config.h"

namespace dynamo::sim {

/// How one directed link treats messages. Shares are parts per million of the messages.
struct LinkModel {
  Duration delay_min = std::chrono::milliseconds(1);
  Duration delay_max =
      std::chrono::milliseconds(5);     ///< Uniform between the two; so messages overtake.
  std::uint32_t loss_ppm = 0;           ///< A request or a reply vanishes.
  std::uint32_t exchange_loss_ppm = 0;  ///< A request vanishes; a reply never does.
  std::uint32_t duplicate_ppm = 0;      ///< Arrives twice, each copy with a delay of its own.
  std::uint32_t corrupt_ppm = 0;        ///< Arrives with a broken checksum: the receiver drops it.
  FIELDS(delay_min, delay_max, loss_ppm, exchange_loss_ppm, duplicate_ppm, corrupt_ppm)
};

/// One thing that is done to the cluster.
///
/// act        | nodes                | peers             | more
/// -----------|----------------------|-------------------|------------------------------------------
/// start      | who                  |                   | bootstrap: the operator's flag
/// add        | the one asked        | the subjects      | the console's `add`
/// remove     | the one asked        | the subjects      | the console's `remove`
/// crash      | who (kill -9)        |                   | commit: when_crashing
/// restart    | who                  |                   | with the disk as it was left; one that
/// runs is killed first wipe       | who                  |                   | its disk is lost;
/// one that runs is killed first pause      | who (SIGSTOP)        |                   | resume |
/// who (SIGCONT)        |                   | cut        | from                 | to | one
/// direction: nothing passes heal       | from (none: all)     | to (none: all)    | undoes cut
/// link       | from (none: all)     | to (none: all)    | link: the new model
/// drop       | from                 | to                | the next `count` messages of type
/// `message` skew       | who                  |                   | wall clock off by `skew_ms`
/// disk_full  | who                  |                   | room() says no, commits that grow fail
/// disk_freed | who                  |                   |
struct Action {
  Duration at{0};  ///< Since the world began.
  std::string act;
  std::vector<NodeId> nodes;
  std::vector<NodeId> peers;
  bool bootstrap = false;
  LinkModel link;
  std::string message;      ///< For drop: "Gossip", "Gossip reply" for its answers; empty: any.
  std::uint32_t count = 1;  ///< For drop.
  std::string
      commit;  ///< For crash: "" now · "before" | "after" the commit of its next writing handler.
  std::string skew;  ///< For skew: milliseconds, "-500" or "500".
  FIELDS(at, act, nodes, peers, bootstrap, link, message, count, commit, skew)
};

/// A whole run. Everything in it, and the solution, decides what happens: nothing else does.
struct Plan {
  std::uint64_t seed = 1;
  std::vector<NodeId> nodes;  ///< Every name that may ever take part.
  NodeConfig config;
  LinkModel links;              ///< Of every link, until an action changes one.
  bool one_host_each = false;   ///< A host process a node, so that globals shared by nodes show.
  std::vector<Action> actions;  ///< In order of time; equal times in this order.
  FIELDS(seed, nodes, config, links, one_host_each, actions)
};

}  // namespace dynamo::sim
