// How a unit check shortens its story: what it asked is told step by step unless it says better.
#pragma once

#include <cstddef>
#include <string>

namespace dynamo::sim {

/// What the check has done so far was answered right, and what comes does not follow from it: a
/// story only counts it, but for the last `kept` steps.
void passed(std::size_t kept = 0);

/// The last `steps` steps are told as one, in these words; empty: not at all. For what a check
/// does to make ready or to look something up.
void retell(std::size_t steps, const std::string& words);
/// All steps so far, in the same way.
void retell_all(const std::string& words);

}  // namespace dynamo::sim
