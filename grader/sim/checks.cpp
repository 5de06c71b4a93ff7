#include "sim/checks.h"

#include "sim/check.h"
#include "sim/retell.h"

#include <set>
#include <stdexcept>

#include "core/json.h"

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

void HostPool::clear() {
  plain_.clear();
  perturbed_.clear();
}

void UnitSteps::forget_oldest() {
  if (dropped_ == 0 && first_.size() < kFirst) {
    first_.push_back(std::move(last_.front()));
  } else {
    ++dropped_;
  }
  last_.pop_front();
}

void UnitSteps::add(Words words, const StepBy& who, Data data) {
  if (last_.size() == kMost) forget_oldest();
  last_.push_back({std::move(words), nullptr, std::move(data), Duration(0), who});
}

void UnitSteps::add_time(const StepBy& who, Duration time) {
  if (time <= Duration(0)) return;
  const bool goes_on = !last_.empty() && last_.back().time > Duration(0) && !last_.back().result &&
                       last_.back().who.number == who.number;
  if (!goes_on) add([](const KeySet&) { return std::string(); }, who);
  last_.back().time += time;
}

void UnitSteps::retell(std::size_t count, Words words) {
  for (; count > 0 && !last_.empty(); --count) last_.pop_back();
  if (words) add(std::move(words));
}

void UnitSteps::add_result(Words words) {
  if (!last_.empty()) last_.back().result = std::move(words);
}

void UnitSteps::clear() {
  first_.clear();
  last_.clear();
  dropped_ = 0;
}

void UnitSteps::passed(std::size_t kept) {
  dropped_ += first_.size();
  first_.clear();
  for (; last_.size() > kept; ++dropped_) last_.pop_front();
}

std::string UnitSteps::told(const UnitStep& step, bool several, const KeySet& about) {
  constexpr std::size_t kColumns = 100;  // what came of a longer step has a line of its own
  std::string words = step.who.name;
  if (words.empty() && several && step.who.number > 1) {
    words = "node no. " + std::to_string(step.who.number);
  }
  words += (words.empty() ? "" : ": ") + step.words(about);
  if (step.time > Duration(0)) words += json::text(json::to(step.time)) + " ms pass";
  const std::string result = step.result ? step.result(about) : "";
  if (!result.empty() && words.size() + result.size() > kColumns) words += "\n    ";
  return words + result;
}

UnitStory UnitSteps::told(const StoryEnd& end) const {
  constexpr std::size_t kFewKeys = 3;  // an end that names more is about none of them
  std::set<std::size_t> nodes;
  for (const auto* steps : {&first_, &last_}) {
    for (const UnitStep& step : *steps) nodes.insert(step.who.number);
  }
  nodes.erase(0);
  std::vector<std::string> data;
  data.reserve(last_.size());
  for (const UnitStep& step : last_) data.push_back(step.data ? step.data() : "");
  KeySet keys = keys_named(data, end);
  if (keys.size() > kFewKeys) keys.clear();
  UnitStory story;
  story.before = dropped_;
  for (const UnitStep& step : first_) story.first.push_back(told(step, nodes.size() > 1, {}));
  for (std::size_t i = 0; i < last_.size(); ++i) {
    const bool of_key = names_key(data[i], keys);
    if (of_key) story.of_key.insert(i);
    story.steps.push_back(told(last_[i], nodes.size() > 1, of_key ? keys : KeySet()));
  }
  return story;
}

void passed(std::size_t kept) { Checks::here().steps().passed(kept); }

void retell(std::size_t steps, const std::string& words) {
  UnitSteps::Words told;
  if (!words.empty()) told = [words](const KeySet&) { return words; };
  Checks::here().steps().retell(steps, std::move(told));
}

void retell_all(const std::string& words) {
  Checks::here().steps().clear();
  retell(0, words);
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

void Checks::begin_grade(std::uint64_t seed) {
  options_.seed = seed;
  hosts_.clear();
}

void Checks::begin(const std::string& id) {
  id_ = id;
  runs_ = 0;
  exchanges_ = 0;
  explored_.clear();
  explored_all_ = true;
  verdict_ = Verdict::none;
  message_.clear();
  told_.clear();
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
