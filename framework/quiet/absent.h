// What a module answers that is not there: neither the student's nor the reference's.
#pragma once

#include <stdexcept>
#include <string>

namespace dynamo {

/// Thrown when a node is put together with a module that nobody has.
inline std::logic_error absent(const std::string& module) {
  return std::logic_error("this node has no " + module +
                          ": the file is not begun, and your course gives out no reference of it");
}

}  // namespace dynamo
