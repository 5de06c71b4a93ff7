// Lab 4: which version is newer, and what if none is. labs/4-versioning/README.md says what is
// asked for.
#include "versioning.h"

#include <stdexcept>

namespace dynamo {
namespace {

// Yours to fill in; keep the names of the methods as they are.
class DottedVersioning final : public Versioning {
 public:
  explicit DottedVersioning(Reconciliation reconciliation) : reconciliation_(reconciliation) {}

  // Part A: clocks.
  Order compare(const VectorClock& /*a*/, const VectorClock& /*b*/) const override {
    throw std::logic_error("TODO(lab4 A): compare: how clock a lies to clock b");
  }

  VectorClock join(const VectorClock& /*a*/, const VectorClock& /*b*/) const override {
    throw std::logic_error("TODO(lab4 A): join: the least clock that covers both");
  }

  // Part B: versions. Part C asks more of the same three.
  KeyState write(const KeyState& /*held*/, const VectorClock& /*context*/, const Actor& /*by*/,
                 const std::optional<std::string>& /*value*/,
                 const Stamp& /*stamp*/) const override {
    throw std::logic_error("TODO(lab4 B): write: a new version in the place of those seen");
  }

  KeyState merge(const KeyState& /*a*/, const KeyState& /*b*/) const override {
    throw std::logic_error("TODO(lab4 B): merge: what two replicas know together");
  }

  VectorClock context(const KeyState& /*state*/) const override {
    throw std::logic_error("TODO(lab4 B): context: a clock that covers all of the state");
  }

 private:
  [[maybe_unused]] const Reconciliation reconciliation_;
};

}  // namespace

std::unique_ptr<Versioning> make_versioning(Reconciliation reconciliation) {
  return std::make_unique<DottedVersioning>(reconciliation);
}

}  // namespace dynamo
