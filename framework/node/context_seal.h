// Contexts as clients carry them: a clock, sealed, so that nobody can make one up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dynamo {

/// As `base64 -d` reads it: for people and programs that take a value out of JSON.
std::string padded_base64(std::string_view bytes);

/// Seals clocks with the cluster's secret. A sealed context is good for one key only.
class ContextSeal {
 public:
  explicit ContextSeal(std::string_view cluster_secret);

  /// Printable text for an HTTP header: the encoded clock and a keyed hash of it and of `key`.
  std::string seal(std::string_view key, std::string_view clock_bytes) const;

  /// The encoded clock; nothing if the text is forged, cut, or another key's.
  std::optional<std::string> open(std::string_view key, const std::string& sealed) const;

 private:
  std::string tag(std::string_view key, std::string_view clock_bytes) const;
  std::string hash_key_;
};

}  // namespace dynamo
