// Between the two halves of the story teller.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"
#include "sim/story.h"
#include "sim/trace.h"

namespace dynamo::sim {

/// The last lines, with words that are too long for one broken into several.
std::string ending(const StoryEnd& end);

/// " between n2 and [n1, n3]", " from n1 to n2", or ": " and the links one by one. There is at
/// least one.
std::string links_words(const std::vector<std::pair<NodeId, NodeId>>& links);

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
