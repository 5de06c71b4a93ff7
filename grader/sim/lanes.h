// Many worlds side by side, so that their handlers cross to the hosts together.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "sim/crossing.h"

namespace dynamo::sim {

/// What a job throws out of its crossing when the hosts died under all jobs: let it pass.
struct Abandoned {};

/// Runs jobs, each in a lane of its own. A lane is a fiber: it sleeps in Crossing::exchange until
/// every other lane is there, too; then all that was queued crosses at once. Everything runs on the
/// calling thread, in an order that depends on nothing but the jobs.
class Lanes {
 public:
  /// The work of one job; its worlds cross through `crossing`. It lets no exception out.
  using Job = std::function<void(std::size_t job, Crossing& crossing)>;

  /// `hosts`: where worlds live, node i on host i mod hosts.size(). `nodes`: most nodes of a world.
  Lanes(std::vector<Host*> hosts, std::size_t lanes, std::size_t nodes);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Runs the jobs 0 … count-1, begun in that order. `paused(job)` runs whenever a lane has gone to
  /// sleep or ended; after `stop()` says so, no more jobs are begun. Throws what the hosts throw,
  /// when all jobs that had begun have been abandoned.
  void run(std::size_t count, const Job& job, const std::function<void(std::size_t job)>& paused,
           const std::function<bool()>& stop);

 private:
  class Lane;
  void cross();

  std::vector<Host*> hosts_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

/// False under sanitizers that do not understand fibers: jobs then run one after another.
bool worlds_run_side_by_side();

}  // namespace dynamo::sim
