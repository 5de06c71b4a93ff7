// Between the two halves of the story teller.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"
#include "sim/story.h"
#include "sim/trace.h"

namespace dynamo::sim {

/// A line that may be told. Rank 1: what operators, clients, faults and the check do; 2: what
/// changes a disk or brings news; 3: notes and silence. Rank 0 is counted only.
struct Line {
  Instant at{};
  int rank = 0;
  std::string text;  ///< For rank 0: the plural of what is counted.
  bool told = false;
  std::size_t more = 0;  ///< Lines like it that came right after, and are only counted.
  // The same done to several links at one moment: what, to which, and in which way.
  std::string done = {};
  std::vector<std::pair<NodeId, NodeId>> links = {};
  std::string in_which_way = {};
  std::size_t in_turn = 1;  ///< They are like this and the lines before it, so many in turn.
  bool of_client = false;   ///< What a client asks or hears.
  bool of_key = false;      ///< It names a key that the story's end is about.
  bool writes = false;      ///< Of a client: no get.
};

Line plain_line(Instant at, int rank, std::string text);

/// "  7. "
std::string numbered(std::size_t number);

/// What a story takes at most.
inline constexpr std::size_t kLines = 24;

/// Of many lines in a row that are alike, the first two and the last one stay.
void fold(std::vector<Line>& lines);

/// What goes round and round (time passes, a call ends, another one ends, time passes …) is told
/// once, and then counted.
void fold_turns(std::vector<Line>& lines);

/// What follows a line that stands for more; empty if it does not.
std::string more_like_it(const Line& line);

/// Counts what lies between two told lines: "14 Gossip exchanges without news, 2 messages lost".
class Gap {
 public:
  void add(const Line& line);
  bool empty() const { return counts_.empty() && steps_ == 0; }
  std::string text() const;

 private:
  std::map<std::string, std::size_t> counts_;
  std::size_t steps_ = 0;
};

/// Decides which lines are told, as many as there is room for: what was done to the key that the
/// end is about (if it is about one), with the faults right before each write of it, then by rank;
/// and of equal lines the latest first.
void choose(std::vector<Line>& lines);

/// The last lines, with words that are too long for one broken into several.
std::string ending(const StoryEnd& end);

/// " between n2 and [n1, n3]", " from n1 to n2", " around [n1, n2], …", or ": " and the links one
/// by one. There is at least one.
std::string links_words(const std::vector<std::pair<NodeId, NodeId>>& links);

/// "t=1.000 s"
std::string moment_words(Instant at);

/// "delay 1 to 5 ms · loss 20 %", of a link's model as JSON.
std::string link_model_words(const std::string& text);

/// One step as a clause, without the moment. What it says of the keys in `about` is not left out.
std::string step_words(const Step& step, const KeySet& about = {});

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
