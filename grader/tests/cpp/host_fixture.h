// What the tests of hosts share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "sim/host.h"

namespace dynamo::sim {

inline NodeSetup setup_of(const NodeId& name, std::vector<std::string> modules = {"warmup"}) {
  NodeSetup setup{name, 7, {}};
  setup.config.modules = std::move(modules);
  return setup;
}

inline Moment at_ms(int milliseconds) {
  return {Instant(std::chrono::milliseconds(milliseconds)), Instant(std::chrono::seconds(1)), 42};
}

inline constexpr MessageType kPing = 0;
inline constexpr std::uint64_t kPlenty = 1 << 20;

inline std::string ping_bytes(std::uint64_t number) { return codec::encode(Ping{number}); }

/// How a host's process is reached; `apart`: and each node has one of its own.
enum class Transport { futex, portable, apart };

inline ProcessOptions options_for(const char* binary, Transport transport = Transport::futex) {
  ProcessOptions options;
  options.node_binary = binary;
  options.portable = transport == Transport::portable;
  options.apart = transport == Transport::apart;
  return options;
}

inline std::string transport_name(const testing::TestParamInfo<Transport>& transport) {
  constexpr const char* names[] = {"futex", "portable", "apart"};
  return names[static_cast<std::size_t>(transport.param)];
}

inline auto every_transport() {
  return testing::Values(Transport::futex, Transport::portable, Transport::apart);
}

/// The notes among a handler's effects.
inline std::vector<std::string> notes_of(const Handled& handled) {
  std::vector<std::string> notes;
  for (const Effect& effect : handled.effects) {
    if (effect.kind == Effect::Kind::note) notes.push_back(effect.bytes);
  }
  return notes;
}

}  // namespace dynamo::sim
