// Seccomp: which system calls a process may still make.
#pragma once

#include <string>

namespace dynamo::sandbox {

/// What a process is for; see filter.cpp for what each may do.
enum class Profile : char {
  host,   ///< Nodes of a simulated world: computes, and speaks through memory that it was given.
  node,   ///< A real node: a disk, threads, sockets that it was given; none of its own.
  build,  ///< A compiler with all that it starts, or another tool that reads a hostile file.
};

/// In force from here on; of host and node only execveat() with this very pointer as the name goes
/// on. Needs no_new_privs. Throws std::runtime_error.
void restrict_calls(Profile profile, const char* name);

}  // namespace dynamo::sandbox
