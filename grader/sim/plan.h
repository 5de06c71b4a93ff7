// A fault plan is data: what happens to a cluster, and when. The simulator and the real-process
// harness run the same plan; JSON comes from the field lists (core/json.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/coordinator.h"
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

/// What may be changed while a cluster lives; a node reads it at its start.
struct Settings {
  std::string mode;     ///< "strict" or "sloppy".
  std::uint32_t r = 0;  ///< 0: a majority, as in NodeConfig.
  std::uint32_t w = 0;
  FIELDS(mode, r, w)
};

// clang-format off
/// One thing that is done to the cluster.
///
/// act        | nodes                | peers             | more
/// -----------|----------------------|-------------------|------------------------------------
/// start      | who                  |                   | bootstrap: the operator's flag
/// add        | the one asked        | the subjects      | the console's `add`
/// remove     | the one asked        | the subjects      | the console's `remove`
/// put        | the one asked        |                   | a client's: key, value, context, request, hosts
/// delete     | the one asked        |                   | a client's: key, context, request, hosts
/// get        | the one asked        |                   | a client's: key, request.client, hosts
/// crash      | who (kill -9)        |                   | commit: when it dies
/// restart    | who                  |                   | with the disk as it was left
/// wipe       | who                  |                   | its disk is lost
/// pause      | who (SIGSTOP)        |                   |
/// resume     | who (SIGCONT)        |                   |
/// cut        | from                 | to                | one direction: nothing passes
/// heal       | from (none: all)     | to (none: all)    | undoes cut
/// link       | from (none: all)     | to (none: all)    | link: the new model
/// drop       | from                 | to                | loses the next `count` of `message`
/// skew       | who                  |                   | wall clock off by `skew_ms`
/// disk_full  | who                  |                   | room() says no, commits that grow fail
/// disk_freed | who                  |                   |
/// configure  | none: for all        |                   | settings: of every start from now on
///
/// A node that runs is killed (kill -9) before a restart or a wipe.
// clang-format on
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
  std::string skew;     ///< For skew: milliseconds, "-500" or "500".
  std::string key;      ///< For put, delete and get.
  std::string value;    ///< For put.
  std::string context;  ///< For put and delete: what the client had read, as hex; "read": what the
                        ///< request's client read last of this key; empty: nothing.
  RequestId request;    ///< For put and delete. No client: "client"; sequence 0: one not used yet.
  std::uint32_t hosts = 0;  ///< For put and delete: w; for get: r; 0: as configured (lab 5).
  Settings settings;        ///< For configure.
  FIELDS(at, act, nodes, peers, bootstrap, link, message, count, commit, skew, key, value, context,
         request, hosts, settings)
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
