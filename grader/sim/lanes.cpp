#include "sim/lanes.h"

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <exception>
#include <map>
#include <utility>

namespace dynamo::sim {

namespace {

constexpr std::size_t kStackBytes = std::size_t{1}
                                    << 20;  // reserved, not used: a scenario is shallow

}  // namespace

bool worlds_run_side_by_side() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

/// One job at a time, with a range of slots of its own.
class Lanes::Lane final : public Crossing {
 public:
  Lane(const std::vector<Host*>& hosts, Slot first_slot) : hosts_(hosts), first_slot_(first_slot) {}

  Place place(std::size_t node) override {
    return {hosts_[node % hosts_.size()], first_slot_ + static_cast<Slot>(node)};
  }

  std::vector<Handled> exchange(const std::vector<Host*>& queued) override {
    queued_ = queued;
    results_.clear();
    scheduler_ = std::move(scheduler_).resume();
    if (abandoned_) throw Abandoned{};
    return std::move(results_);
  }

  void begin(std::size_t job, const Job& work) {
    job_ = job;
    queued_.clear();
    abandoned_ = false;
    fiber_ = boost::context::fiber(std::allocator_arg,
                                   boost::context::protected_fixedsize_stack(kStackBytes),
                                   [this, &work](boost::context::fiber&& scheduler) {
                                     scheduler_ = std::move(scheduler);
                                     work(job_, *this);
                                     return std::move(scheduler_);
                                   });
  }
  /// Goes on until the job sleeps in exchange() or has ended.
  void resume() { fiber_ = std::move(fiber_).resume(); }
  bool busy() const { return static_cast<bool>(fiber_); }
  std::size_t job() const { return job_; }
  void abandon() {
    abandoned_ = true;
    resume();
  }

  const std::vector<Host*>& queued() const { return queued_; }
  std::vector<Handled>& results() { return results_; }

 private:
  const std::vector<Host*>& hosts_;
  const Slot first_slot_;
  boost::context::fiber fiber_;      ///< The job, while it sleeps.
  boost::context::fiber scheduler_;  ///< Whoever resumed the job, while it runs.
  std::size_t job_ = 0;
  bool abandoned_ = false;
  std::vector<Host*> queued_;
  std::vector<Handled> results_;
};

Lanes::Lanes(std::vector<Host*> hosts, std::size_t lanes, std::size_t nodes)
    : hosts_(std::move(hosts)) {
  for (std::size_t i = 0; i < lanes; ++i) {
    lanes_.push_back(std::make_unique<Lane>(hosts_, static_cast<Slot>(i * nodes)));
  }
}

Lanes::~Lanes() = default;

void Lanes::run(std::size_t count, const Job& job,
                const std::function<void(std::size_t job)>& paused,
                const std::function<bool()>& stop) {
  std::size_t next = 0;
  std::size_t busy = 0;
  do {
    busy = 0;
    for (const auto& lane : lanes_) {
      if (lane->busy()) lane->resume();
      if (lane->job() < count) paused(lane->job());
      // A job that needs no host ends at once: go on with the next one.
      while (!lane->busy() && next < count && !stop()) {
        lane->begin(next++, job);
        lane->resume();
        paused(lane->job());
      }
      busy += lane->busy() ? 1 : 0;
    }
    if (busy == 0) return;
    try {
      cross();
    } catch (...) {
      const std::exception_ptr death = std::current_exception();
      for (const auto& lane : lanes_) {
        if (lane->busy()) lane->abandon();
      }
      std::rethrow_exception(death);
    }
  } while (busy != 0);
}

/// Lets everything cross that the sleeping lanes have queued.
void Lanes::cross() {
  std::map<const Host*, std::vector<Lane*>> waiting;  // looked up, never walked
  for (const auto& lane : lanes_) {
    if (!lane->busy()) continue;
    for (Host* host : lane->queued()) waiting[host].push_back(lane.get());
  }
  std::map<const Host*, std::vector<Handled>> answers;
  std::exception_ptr death;
  for (Host* host : hosts_) {
    if (waiting.count(host) == 0) continue;
    try {
      answers[host] = host->exchange();
    } catch (const SolutionDied&) {
      if (!death) death = std::current_exception();  // the others must not keep what is queued
    }
  }
  if (death) std::rethrow_exception(death);
  std::map<const Host*, std::size_t> taken;
  for (const auto& lane : lanes_) {
    if (!lane->busy()) continue;
    for (Host* host : lane->queued()) {
      lane->results().push_back(std::move(answers.at(host).at(taken[host]++)));
    }
  }
}

}  // namespace dynamo::sim
