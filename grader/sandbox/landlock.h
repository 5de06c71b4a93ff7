// Landlock, by system calls: what a process may still reach of the file system and the network.
#pragma once

#include <string>
#include <vector>

namespace dynamo::sandbox {

/// A file or a folder with all below it, and what may be done there. Nothing else can be opened.
struct Reach {
  enum class Right : char { read, run, write };  ///< run: read, too · write: read, make, remove.
  Right right = Right::read;
  std::string path;
};

/// 0 where the kernel has no Landlock (before 5.13, or switched off).
int landlock_version();

/// A ruleset made and not yet in force; TCP, abstract sockets and signals to others are shut as far
/// as the kernel can (6.7, 6.12). Its descriptor. Throws std::system_error; a path that does not
/// exist is one.
int make_ruleset(const std::vector<Reach>& reaches);

/// For this thread and whatever it starts, for ever. Needs no_new_privs. Throws std::system_error.
void enforce(int ruleset);

}  // namespace dynamo::sandbox
