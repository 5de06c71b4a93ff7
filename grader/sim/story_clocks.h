// Clocks, versions and states of keys in words.
#pragma once

#include <optional>
#include <string>

#include "core/json_fwd.h"

namespace dynamo::sim {

/// A value or a key as it is, or, if it is long, how it begins and its size.
std::string short_text(const std::string& text);

/// "([Sx,2],[Sy,1])" for a clock; a dot, an actor, a version, a stamp or the state of a key in the
/// same way. Nothing for other values. A disk is named by four digits, so that two disks of one
/// node are told apart: [n2/3fa1,1].
std::optional<std::string> clock_words(const Json& value);

}  // namespace dynamo::sim
