// How an untrusted program is started: as it stands, or behind a sandbox.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace dynamo::sim {

/// What stands before a command: a program that gives up what a solution must not have and becomes
/// it (grader/sandbox), perhaps in namespaces of its own. Empty: nothing does.
struct Launcher {
  /// Its descriptor for the word "--tell-pid": a socket that it says its process number on, then
  /// what goes wrong, if anything does; it closes when the program itself begins.
  static constexpr int kTellFd = 6;
  /// The word that stands for the process that starts it.
  static constexpr const char* kParentWord = "{parent}";

  std::vector<std::string> host;  ///< Before dynamo-node --host.
  /// Before a tool that reads the solution's program, such as addr2line; it tells nothing.
  std::vector<std::string> tool;
  /// Whom the host sees as its parent, where it sees other process numbers than we do: 0 if it does
  /// not. There the process that we wait for is another one than the host.
  pid_t parent_inside = 0;
};

/// What the hosts of this program are started behind: nothing, unless its main() says otherwise
/// before the first of them. Apart from ProcessOptions, since it is the machine's matter and no
/// check's.
const Launcher& launcher();
void set_launcher(Launcher launcher);

/// From JSON, as `./lab` writes it: {"host": [words], "tool": [words], "parent_inside": 1}. Throws
/// std::runtime_error that names the file.
Launcher read_launcher(const std::string& path);

}  // namespace dynamo::sim
