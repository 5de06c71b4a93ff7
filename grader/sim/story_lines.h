// Between the two halves of the story teller.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/time.h"
#include "sim/trace.h"

namespace dynamo::sim {

/// "t=1.000 s"
std::string moment_words(Instant at);

/// One step as a clause, without the moment.
std::string step_words(const Step& step);

/// Whether a scenario's beginning that came to its end, and takes one line, begins at step `i`;
/// which then becomes its last one.
bool ends_beginning(const std::vector<Step>& steps, std::size_t& i);

/// Whether a message told its receiver something, or the handler wrote: else (gossip with digests
/// and empty lists) the step can be left out.
bool has_news(const Step& step);

/// Whether a reader who looks for what went wrong can do without it: a message, a timer or a look
/// that changed nothing.
bool is_quiet(const Step& step);

}  // namespace dynamo::sim
