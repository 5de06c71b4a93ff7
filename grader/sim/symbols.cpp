#include "sim/symbols.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>
#include <string_view>

extern char** environ;  // NOLINT(readability-redundant-declaration): not declared on macOS

namespace dynamo::sim {

namespace {

/// Reads until the end, the bound, or the deadline; true if the end was reached.
bool read_all(int fd, std::string& text, std::chrono::steady_clock::time_point deadline) {
  constexpr std::size_t most = 1 << 20;
  std::array<char, 4096> piece{};
  while (text.size() < most) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd ready{fd, POLLIN, 0};
    if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) <= 0) return false;
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got <= 0) return got == 0;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return true;
}

void erase_all(std::string& text, std::string_view part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at)) {
    text.erase(at, part.size());
  }
}

/// "GossipMembership::merge" out of a demangled name with namespaces and arguments.
std::string shortened(std::string name) {
  const bool lambda = name.find("{lambda") != std::string::npos;
  erase_all(name, "dynamo::");
  erase_all(name, "(anonymous namespace)::");
  name = name.substr(0, name.find('('));
  return lambda ? name + ", in a lambda" : name;
}

}  // namespace

std::optional<std::string> output_of(const std::vector<std::string>& command,
                                     std::chrono::milliseconds limit) {
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);

  std::string text;
  bool good = false;
  if (error == 0) {
    good = read_all(ends[0], text, std::chrono::steady_clock::now() + limit);
    if (!good) kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  close(ends[0]);
  if (!good) return std::nullopt;
  return text;
}

std::vector<Place> places_of(const std::string& program,
                             const std::vector<std::uint64_t>& addresses,
                             const std::vector<std::string>& launcher) {
  std::vector<std::string> command = launcher;
  command.insert(command.end(), {launcher.empty() ? "addr2line" : "/usr/bin/addr2line", "-e",
                                 program, "-f", "-C", "-i"});
  for (const std::uint64_t address : addresses) {
    std::ostringstream hex;
    hex << "0x" << std::hex << address;
    command.push_back(hex.str());
  }
  std::vector<Place> places;
  const std::optional<std::string> text = output_of(command, std::chrono::seconds(10));
  if (!text) return places;
  // Two lines a place: the function, then file:line, perhaps with " (discriminator 3)" behind it.
  std::istringstream lines(*text);
  std::string function, where;
  while (std::getline(lines, function) && std::getline(lines, where)) {
    const std::size_t colon = where.rfind(':');
    Place place{shortened(function), "", 0};
    if (colon != std::string::npos && where[0] != '?') {
      place.file = where.substr(0, colon);
      place.line = std::atoi(where.c_str() + colon + 1);
    }
    places.push_back(std::move(place));
  }
  return places;
}

bool is_solution_file(const std::string& file) {
  if (file.empty() || file.rfind("/usr/", 0) == 0) return false;
  static constexpr std::array<std::string_view, 9> ours = {
      "framework/core/", "framework/node/", "framework/host/", "framework/storage/",
      "framework/net/",  "grader/sim/",     "/bits/",          "sysdeps/",
      "include/c++/"};
  return std::none_of(ours.begin(), ours.end(),
                      [&](std::string_view part) { return file.find(part) != std::string::npos; });
}

std::optional<Place> first_in_solution(const std::vector<Place>& places) {
  const auto found = std::find_if(places.begin(), places.end(),
                                  [](const Place& p) { return is_solution_file(p.file); });
  if (found == places.end()) return std::nullopt;
  return *found;
}

std::string file_and_line(const Place& place) {
  const std::string name = place.file.substr(place.file.rfind('/') + 1);
  return place.line > 0 ? name + ":" + std::to_string(place.line) : name;
}

}  // namespace dynamo::sim
