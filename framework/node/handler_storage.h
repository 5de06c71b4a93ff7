// The disk as modules see it: theirs only while a handler runs.
#pragma once

#include <stdexcept>

#include "core/storage.h"

namespace dynamo {

/// Storage that throws std::logic_error outside of a handler, whatever engine lies behind it: what
/// a constructor or destructor did there would be in no transaction, and in a real node it fails.
/// So it fails in a simulated one, too, where students see it first. Keeping the reference is no
/// use.
class HandlerStorage final : public Storage {
 public:
  /// `storage` outlives this one.
  explicit HandlerStorage(Storage& storage) : storage_(storage) {}

  void enter() { in_handler_ = true; }
  void leave() { in_handler_ = false; }

  std::optional<std::string> get(std::string_view space, std::string_view key) const override {
    return here().get(space, key);
  }
  void put(std::string_view space, std::string_view key, std::string_view value) override {
    here().put(space, key, value);
  }
  void erase(std::string_view space, std::string_view key) override { here().erase(space, key); }
  void scan(std::string_view space, std::string_view from, const Visitor& visit) const override {
    here().scan(space, from, visit);
  }
  bool room(std::size_t bytes) const override { return here().room(bytes); }

 private:
  Storage& here() const {
    if (!in_handler_) {
      throw std::logic_error(
          "env.storage() was used in a constructor or destructor of a module; wait for start()");
    }
    return storage_;
  }

  Storage& storage_;
  bool in_handler_ = false;
};

}  // namespace dynamo
