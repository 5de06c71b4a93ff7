// Writes the trace of a run, in the simulator's format, so that one viewer reads both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "sim/trace.h"

namespace dynamo::faultnet {

/// One line a step. Past `kMostBytes` it stops, with a last line that says so: a run left alone
/// over night must not fill the disk.
class Recorder {
 public:
  static constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 20;

  /// Empty path: records nothing. Throws SpecError if the file cannot be written.
  explicit Recorder(const std::string& path);

  bool on() const { return file_.is_open() && written_ < kMostBytes; }
  /// `frame_bytes`, if there are any, stand in the line as "bytes": what travelled for it.
  void add(const sim::Step& step, std::size_t frame_bytes = 0);
  void flush() { file_.flush(); }

 private:
  std::ofstream file_;
  std::uint64_t written_ = 0;
};

}  // namespace dynamo::faultnet
