// From addresses in a program to places in its sources.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dynamo::sim {

/// A place in the sources, as far as it is known: file is empty where it is not.
struct Place {
  std::string function;  ///< Shortened for people: "GossipMembership::merge".
  std::string file;      ///< As the compiler was given it.
  int line = 0;
};

/// Where each address lies, the functions that were inlined there first; in the order of
/// `addresses`. Empty if there is no addr2line, or it takes too long. `addresses` are those of
/// instructions. `launcher`: words that stand before the command, since a hostile program is read.
std::vector<Place> places_of(const std::string& program,
                             const std::vector<std::uint64_t>& addresses,
                             const std::vector<std::string>& launcher = {});

/// The first place that is in a solution's own sources: not the framework's, not a library's.
std::optional<Place> first_in_solution(const std::vector<Place>& places);
bool is_solution_file(const std::string& file);

/// "membership.cpp:57".
std::string file_and_line(const Place& place);

/// Runs a program without a shell and returns its output; nothing if it cannot be run, fails, or
/// takes longer than `limit`. Keeps at most 1 MiB.
std::optional<std::string> output_of(const std::vector<std::string>& command,
                                     std::chrono::milliseconds limit);

}  // namespace dynamo::sim
