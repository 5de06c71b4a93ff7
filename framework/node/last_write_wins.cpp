#include "node/last_write_wins.h"

#include <utility>

namespace dynamo {

namespace {

class LastWriteWins final : public Versioning {
 public:
  Order compare(const VectorClock&, const VectorClock&) const override { return Order::equal; }
  VectorClock join(const VectorClock&, const VectorClock&) const override { return {}; }

  KeyState write(const KeyState& held, const VectorClock& /*context*/, const Actor& /*actor*/,
                 const std::optional<std::string>& value, const Stamp& stamp) const override {
    // Without a dot: executed twice, at two nodes, one write makes one version.
    KeyState made;
    ObjectVersion& version = made.versions.emplace_back();
    version.value = value;
    version.stamp = stamp;
    return merge(held, made);
  }

  KeyState merge(const KeyState& a, const KeyState& b) const override {
    if (a.versions.empty()) return b;
    if (b.versions.empty()) return a;
    return a.versions.front().stamp < b.versions.front().stamp ? b : a;
  }

  VectorClock context(const KeyState& /*state*/) const override { return {}; }
};

}  // namespace

std::unique_ptr<Versioning> make_last_write_wins() { return std::make_unique<LastWriteWins>(); }

}  // namespace dynamo
