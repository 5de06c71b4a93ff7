#include "sim/launcher.h"

#include <fstream>
#include <stdexcept>
#include <utility>

#include "core/json.h"

namespace dynamo::sim {

namespace {

/// For json::from, which wants one field list a struct.
struct LauncherFile {
  std::vector<std::string> host;
  std::vector<std::string> tool;
  std::uint32_t parent_inside = 0;
  FIELDS(host, tool, parent_inside)
};

Launcher& of_this_program() {
  static Launcher one;
  return one;
}

}  // namespace

const Launcher& launcher() { return of_this_program(); }
void set_launcher(Launcher launcher) { of_this_program() = std::move(launcher); }

Launcher read_launcher(const std::string& path) {
  std::ifstream file(path);
  const Json document = json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
  if (!document.is_object()) throw std::runtime_error(path + ": this is no sandbox of ./lab's");
  LauncherFile read;
  try {
    json::from(document, read, path);
  } catch (const JsonError& error) {
    throw std::runtime_error(error.what());
  }
  return {read.host, read.tool, static_cast<pid_t>(read.parent_inside)};
}

}  // namespace dynamo::sim
