// What the runner of checks and the tests in it share: hosts, seeds, and what became of a test.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/host.h"
#include "sim/replay_file.h"
#include "sim/story.h"

namespace dynamo::sim {

/// Hosts that last as long as the program, made when they are first wanted.
class HostPool {
 public:
  /// `perturb`: with another heap layout. Throws GraderTrouble.
  using Factory = std::function<std::unique_ptr<Host>(bool perturb)>;
  explicit HostPool(Factory factory) : factory_(std::move(factory)) {}

  /// The same `count` hosts each time.
  std::vector<Host*> take(std::size_t count, bool perturb = false);
  /// Ends them all; the next ones are fresh.
  void clear();

 private:
  Factory factory_;
  std::vector<std::unique_ptr<Host>> plain_;
  std::vector<std::unique_ptr<Host>> perturbed_;
};

/// Who did a step of a unit check.
struct StepBy {
  std::size_t number = 0;  ///< Of nodes, from 1 on; 0: the check itself.
  std::string name = {};   ///< "n2"; empty: a number will do, where others play a part, too.
};

/// What unit checks did, to be told if the test fails; put in words only then.
class UnitSteps {
 public:
  using Words = std::function<std::string(const KeySet& about)>;
  using Data = std::function<std::string()>;
  /// `data`: what it says, as JSON; so it is found if the story's end is about a key in it.
  void add(Words words, const StepBy& who = {}, Data data = nullptr);
  /// More words for the last step: what came of it.
  void add_result(Words words);
  /// Time that passes there; together with what has just passed.
  void add_time(const StepBy& who, Duration time);
  /// The last `count` steps, in other words; without words they are forgotten.
  void retell(std::size_t count, Words words);
  /// All but the last `kept` were right, and have no part in what comes: they are only counted.
  void passed(std::size_t kept);
  void clear();
  UnitStory told(const StoryEnd& end) const;

 private:
  static constexpr std::size_t kMost = 1000;  ///< What a key went through may lie far back.
  static constexpr std::size_t kFirst = 3;    ///< Kept beside the last ones.
  struct UnitStep {
    Words words;
    Words result;
    Data data;
    Duration time{0};  ///< Of a step that is nothing but time.
    StepBy who;
  };
  void forget_oldest();
  static std::string told(const UnitStep& step, bool several, const KeySet& about);

  std::deque<UnitStep> first_;  ///< Only while none is dropped before them.
  std::deque<UnitStep> last_;
  std::size_t dropped_ = 0;
};

/// Thrown out of a test whose verdict is already written down.
struct TestEnded {};

class Checks {
 public:
  struct Options {
    std::uint64_t seed = 1;            ///< Of the first world of each for_each_seed.
    std::optional<std::size_t> seeds;  ///< At least so many worlds, if the check asks for fewer.
    std::filesystem::path artifacts;   ///< Empty: leave nothing behind.
    std::string solution;              ///< For the replay file.
    std::filesystem::path submission;  ///< What the student hands in beside code; see check.h.
    std::string scope;                 ///< What a hidden check widens an exploration by; explore.h.
    std::optional<Replay> replay;      ///< Only this run, told in full on stdout.
    bool original = false;             ///< Of a replay: without its schedule.
    bool shrink = true;                ///< Look for a short run that fails as the first one does.
  };
  enum class Verdict : std::uint8_t { none, pass, fail, inconclusive };

  Checks(Options options, HostPool::Factory factory);
  ~Checks();
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;

  /// The one of this program; throws std::logic_error before main has made it.
  static Checks& here();

  const Options& options() const { return options_; }
  HostPool& hosts() { return hosts_; }

  /// All checks begin once more, with this seed, and hosts of their own.
  void begin_grade(std::uint64_t seed);

  // One test after the other.
  void begin(const std::string& id);
  const std::string& id() const { return id_; }
  std::uint32_t next_run() { return runs_++; }
  void count_exchanges(std::uint64_t count) { exchanges_ += count; }
  std::uint64_t exchanges() const { return exchanges_; }

  /// The verdict; the first one stays, but the grader's trouble outweighs a failure.
  void fail(const std::string& message, const std::string& replay_file);
  void trouble(const std::string& message);
  /// Before the test's own end, of a replay.
  void pass() { verdict_ = Verdict::pass; }
  /// What a check that passes has to say; none if it fails after all.
  void tell_passed(const std::string& told) { told_ = told; }
  const std::string& told() const { return verdict_ == Verdict::none ? told_ : message_; }
  /// How far an exploration got; a check may have several. `finished`: to the end of its scope.
  void explored(const std::string& text, bool finished);
  const std::string& explored() const { return explored_; }
  bool explored_all() const { return explored_all_; }
  Verdict verdict() const { return verdict_; }
  const std::string& message() const { return message_; }
  const std::string& replay_file() const { return replay_file_; }

  UnitSteps& steps() { return steps_; }

  /// How a simulated failure was shrunk: for the bench.
  struct Shrinking {
    std::size_t events = 0;
    std::size_t original_events = 0;
    std::size_t runs = 0;  ///< Candidates.
    double seconds = 0;
  };
  std::optional<Shrinking> shortened;

  /// Writes <artifacts>/<id>.replay.json and, if there are steps, <id>.trace.jsonl; the first one's
  /// path, or "" without artifacts.
  std::string leave(Replay replay, const std::vector<Step>& steps,
                    const std::vector<Step>& afterwards = {});

 private:
  Options options_;
  HostPool hosts_;
  std::string id_;
  std::uint32_t runs_ = 0;
  std::uint64_t exchanges_ = 0;
  std::string explored_;
  bool explored_all_ = true;
  Verdict verdict_ = Verdict::none;
  std::string message_;
  std::string told_;
  std::string replay_file_;
  UnitSteps steps_;
};

}  // namespace dynamo::sim
