#include "sim/checks.h"

#include "sim/check.h"

#include <stdexcept>

namespace dynamo::sim {

namespace {

Checks* the_one = nullptr;  // of this program; tests are free functions and have no other way to it

}  // namespace

std::vector<Host*> HostPool::take(std::size_t count, bool perturb) {
  std::vector<std::unique_ptr<Host>>& hosts = perturb ? perturbed_ : plain_;
  while (hosts.size() < count) hosts.push_back(factory_(perturb));
  std::vector<Host*> taken;
  for (std::size_t i = 0; i < count; ++i) taken.push_back(hosts[i].get());
  return taken;
}

void UnitSteps::add(Words words) {
  if (last_.size() == kMost) {
    last_.pop_front();
    ++dropped_;
  }
  last_.push_back({std::move(words), nullptr});
}

void UnitSteps::add_result(Words words) {
  if (!last_.empty()) last_.back().result = std::move(words);
}

void UnitSteps::clear() {
  last_.clear();
  dropped_ = 0;
}

std::vector<std::string> UnitSteps::told() const {
  std::vector<std::string> all;
  if (dropped_ != 0) all.push_back("… after " + std::to_string(dropped_) + " earlier steps:");
  for (const UnitStep& step : last_)
    all.push_back(step.words() + (step.result ? step.result() : ""));
  return all;
}

Checks::Checks(Options options, HostPool::Factory factory)
    : options_(std::move(options)), hosts_(std::move(factory)) {
  if (the_one != nullptr) throw std::logic_error("there is one Checks in a program");
  the_one = this;
}

Checks::~Checks() { the_one = nullptr; }

Checks& Checks::here() {
  if (the_one == nullptr) throw std::logic_error("checks run under grader/sim/check_main.cpp");
  return *the_one;
}

const std::filesystem::path& submission() {
  const std::filesystem::path& file = Checks::here().options().submission;
  if (file.empty()) throw GraderTrouble("--submission FILE is missing: this check is about a file");
  return file;
}

void Checks::begin(const std::string& id) {
  id_ = id;
  runs_ = 0;
  exchanges_ = 0;
  explored_.clear();
  explored_all_ = true;
  verdict_ = Verdict::none;
  message_.clear();
  replay_file_.clear();
  steps_.clear();
  shortened.reset();
}

void Checks::explored(const std::string& text, bool finished) {
  explored_ += (explored_.empty() ? "" : "\n") + text;
  explored_all_ = explored_all_ && finished;
}

void Checks::fail(const std::string& message, const std::string& replay_file) {
  if (verdict_ != Verdict::none) return;
  verdict_ = Verdict::fail;
  message_ = message;
  replay_file_ = replay_file;
}

void Checks::trouble(const std::string& message) {
  if (verdict_ == Verdict::inconclusive) return;
  verdict_ = Verdict::inconclusive;
  message_ = message;
  replay_file_.clear();
}

std::string Checks::leave(Replay replay, const std::vector<Step>& steps,
                          const std::vector<Step>& afterwards) {
  if (options_.artifacts.empty() || options_.replay) return "";
  replay.check = id_;
  replay.solution = options_.solution;
  replay.solution_hash = hash_of_file(options_.solution);
  replay.grader = grader_version();
  const std::filesystem::path file = options_.artifacts / (id_ + ".replay.json");
  write_replay(file, replay);
  if (!steps.empty()) write_trace(options_.artifacts / (id_ + ".trace.jsonl"), steps, afterwards);
  return file.string();
}

}  // namespace dynamo::sim
