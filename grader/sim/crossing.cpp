#include "sim/crossing.h"

#include <algorithm>
#include <exception>
#include <map>

namespace dynamo::sim {

std::vector<Handled> SoloCrossing::exchange(const std::vector<Host*>& queued) {
  if (hosts_.size() == 1) return hosts_.front()->exchange();
  struct Answers {
    std::vector<Handled> all;
    std::size_t next = 0;
  };
  std::map<Host*, Answers> answers;
  std::exception_ptr death;
  for (Host* host : hosts_) {  // in the plan's order, never in that of addresses
    if (std::find(queued.begin(), queued.end(), host) == queued.end()) continue;
    try {
      answers[host].all = host->exchange();
    } catch (const SolutionDied&) {
      if (!death) death = std::current_exception();  // the others must not keep what is queued
    }
  }
  if (death) std::rethrow_exception(death);
  std::vector<Handled> in_order;
  in_order.reserve(queued.size());
  for (Host* host : queued) {
    Answers& from = answers.at(host);
    in_order.push_back(std::move(from.all.at(from.next++)));
  }
  return in_order;
}

}  // namespace dynamo::sim
