// A warm-up that does what students' do: it is at work in its constructor and destructor already,
// on n2 with the disk, too, and it dies; tests watch the one and read the last words of the other.
#include <stdexcept>

#include "warmup.h"

namespace dynamo {
namespace {

class ThrowingWarmup final : public Warmup {
 public:
  explicit ThrowingWarmup(Env& env) : env_(env) {
    if (env.self() == "n2") (void)env.storage().get("warmup", "too early");
    env_.after(std::chrono::milliseconds(1), [this] { ++fired_; });
    pending_ = env_.after(std::chrono::hours(1), [] {});
    env_.call("n2", Ping{}, std::chrono::milliseconds(1),
              [this](const Result<Pong>&) { ++ended_; });
  }
  ~ThrowingWarmup() override { env_.cancel(pending_); }
  ThrowingWarmup(const ThrowingWarmup&) = delete;
  ThrowingWarmup& operator=(const ThrowingWarmup&) = delete;

  void start() override {}
  void ping(const NodeId& peer) override {
    if (peer == "n1") throw std::out_of_range("the warm-up threw");
    static volatile int* nowhere = nullptr;
    *nowhere = 1;  // NOLINT(clang-analyzer-core.NullDereference): a crash is the point
  }
  void handle(const Ping&, Responder<Pong>) override {}
  std::uint64_t counted() const override { return fired_; }
  std::uint64_t answered() const override { return ended_; }

 private:
  Env& env_;
  TimerId pending_{};
  std::uint64_t fired_ = 0;
  std::uint64_t ended_ = 0;
};

}  // namespace

std::unique_ptr<Warmup> make_warmup(Env& env) { return std::make_unique<ThrowingWarmup>(env); }

}  // namespace dynamo
