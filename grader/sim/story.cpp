#include "sim/story.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "sim/events.h"
#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kLines = 24;

/// A line that may be told. Rank 1: what operators, faults and the check do; 2: what changes a disk
/// or brings news; 3: notes and silence. Rank 0 is counted only.
struct Line {
  Instant at{};
  int rank = 0;
  std::string text;  ///< For rank 0: the plural of what is counted.
  bool told = false;
  std::size_t more = 0;  ///< Lines like it that came right after, and are only counted.
  std::vector<std::pair<NodeId, NodeId>> links = {};  ///< Cut or healed at one moment.
  std::size_t in_turn = 1;  ///< They are like this and the lines before it, so many in turn.
};

/// "n2 starts" and "n3 starts" are alike: what differs are numbers.
std::string shape_of(const std::string& text) {
  std::string shape;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit || shape.empty() || shape.back() != '#') shape.push_back(digit ? '#' : c);
  }
  return shape;
}

/// Of many lines in a row that are alike, the first two and the last one stay.
void fold(std::vector<Line>& lines) {
  constexpr std::size_t kFewest = 5;
  std::vector<Line> folded;
  for (std::size_t begin = 0; begin < lines.size();) {
    std::size_t end = begin + 1;
    const std::string shape = shape_of(lines[begin].text);
    while (end < lines.size() && lines[begin].rank != 0 && lines[end].rank == lines[begin].rank &&
           shape_of(lines[end].text) == shape)
      ++end;
    const std::size_t count = end - begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (count >= kFewest && i > begin + 1 && i + 1 < end) continue;
      folded.push_back(std::move(lines[i]));
      if (count >= kFewest && i == begin + 1) folded.back().more = count - 3;
    }
    begin = end;
  }
  lines = std::move(folded);
}

/// How often the `length` lines from `begin` on come in a row, alike.
std::size_t turns(const std::vector<std::string>& shapes, std::size_t begin, std::size_t length) {
  std::size_t count = 1;
  const auto first = shapes.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto size = static_cast<std::ptrdiff_t>(length);
  for (std::size_t at = begin + length; at + length <= shapes.size(); at += length, ++count) {
    const auto next = shapes.begin() + static_cast<std::ptrdiff_t>(at);
    if (!std::equal(first, first + size, next, next + size)) break;
  }
  return count;
}

/// What goes round and round (time passes, a call ends, another one ends, time passes …) is told
/// once, and then counted.
void fold_turns(std::vector<Line>& lines) {
  constexpr std::size_t kLongest = 6;
  constexpr std::size_t kFewest = 3;
  std::vector<std::string> shapes;
  shapes.reserve(lines.size());
  for (const Line& line : lines) {
    const bool counts = line.more != 0;  // already, and so is like no other
    shapes.push_back(counts ? std::to_string(shapes.size()) : shape_of(line.text));
  }
  std::vector<Line> folded;
  for (std::size_t begin = 0; begin < lines.size();) {
    std::size_t length = 2;
    while (length <= kLongest && turns(shapes, begin, length) < kFewest) ++length;
    const std::size_t count = length <= kLongest ? turns(shapes, begin, length) : 1;
    const std::size_t told = length <= kLongest ? length : 1;
    for (std::size_t i = begin; i < begin + told; ++i) folded.push_back(std::move(lines[i]));
    if (count > 1) {
      folded.back().more = (count - 1) * length;
      folded.back().in_turn = length;
    }
    begin += told * count;
  }
  lines = std::move(folded);
}

std::string more_like_it(const Line& line) {
  if (line.more == 0) return "";
  if (line.in_turn == 1) return "     … " + std::to_string(line.more) + " more like this …\n";
  return "     … these " + std::to_string(line.in_turn) + " in turn, " +
         std::to_string(line.more / line.in_turn) + " times more …\n";
}

/// Several cuts (or heals) of one moment, side by side, are one line.
bool merge_links(std::vector<Line>& lines, const Step& step, const Step* before) {
  if (lines.empty() || before == nullptr || before->kind != step.kind || before->at != step.at)
    return false;
  if (step.kind != Step::Kind::cut && step.kind != Step::Kind::heal) return false;
  if (step.node.empty() || before->node.empty()) return false;
  lines.back().links.emplace_back(step.node, step.peer);
  return true;
}

/// The answer that the console hears in the same moment.
const Step* answer_to(const std::vector<Step>& steps, std::size_t console) {
  for (std::size_t i = console + 1; i < steps.size() && steps[i].at == steps[console].at; ++i) {
    if (steps[i].kind == Step::Kind::console) return nullptr;
    if (steps[i].kind == Step::Kind::answer && steps[i].node == steps[console].node)
      return &steps[i];
  }
  return nullptr;
}

/// What a client hears in the moment in which it asks.
const Step* told_at_once(const std::vector<Step>& steps, std::size_t client) {
  for (std::size_t i = client + 1; i < steps.size() && steps[i].at == steps[client].at; ++i) {
    if (steps[i].kind == Step::Kind::told && steps[i].id == steps[client].id) return &steps[i];
  }
  return nullptr;
}

/// A node that is killed in order to be started again, in the same moment.
bool killed_to_restart(const std::vector<Step>& steps, std::size_t i) {
  return i + 1 < steps.size() && steps[i].kind == Step::Kind::crash && steps[i].text == "kill -9" &&
         steps[i + 1].kind == Step::Kind::restart && steps[i + 1].node == steps[i].node &&
         steps[i + 1].at == steps[i].at;
}

Line line_of(const std::vector<Step>& steps, std::size_t i, Mark mark) {
  using Kind = Step::Kind;
  const Step& step = steps[i];
  Line line{step.at, 0, step_words(step)};
  const auto counted = [&](const std::string& plural) { line.text = plural; };
  switch (step.kind) {
    case Kind::send:
    case Kind::commit:
      line.text.clear();
      break;
    case Kind::receive:
      line.rank = mark == Mark::event ? 2 : has_news(step) ? 3 : 0;
      if (line.rank == 0) counted(step.reply ? "" : step.message + " exchanges without news");
      break;
    case Kind::timer:
      line.rank = step.writes != 0 ? 2 : 0;
      if (line.rank == 0) counted("");
      break;
    case Kind::drop:
      if (step.text == "the plan drops it") {
        line.rank = 2;
      } else {
        counted("messages lost");
      }
      break;
    case Kind::timeout:
      counted("calls without an answer");
      break;
    case Kind::refused:
      counted("calls refused");
      break;
    case Kind::check:
      line.rank = step.writes != 0 ? 1 : step.at == steps.back().at ? 2 : 0;
      if (line.rank == 0) counted("");
      break;
    case Kind::console:
      line.rank = 1;
      if (const Step* answer = answer_to(steps, i)) {
        line.text += "; " + (answer->text.rfind("nothing", 0) == 0
                                 ? "he hears " + answer->text
                                 : step.node + " answers: " + answer->text);
      }
      break;
    case Kind::answer: {
      line.rank = 1;
      for (std::size_t k = i; k-- > 0 && steps[k].at == step.at;) {
        if (steps[k].kind == Kind::console && steps[k].node == step.node) line.rank = 0;
      }
      if (line.rank == 0) counted("");  // told with its question
      break;
    }
    case Kind::client:
      line.rank = 1;
      if (const Step* told = told_at_once(steps, i)) line.text += "; it is told: " + told->text;
      break;
    case Kind::told: {
      line.rank = 1;
      for (std::size_t k = i; k-- > 0 && steps[k].at == step.at;) {
        if (steps[k].kind == Kind::client && steps[k].id == step.id) line.rank = 0;
      }
      if (line.rank == 0) counted("");  // told with its question
      break;
    }
    case Kind::note:
      line.rank = 3;
      break;
    case Kind::crash:
      line.rank = killed_to_restart(steps, i) ? 0 : 1;
      if (line.rank == 0) counted("");  // told with the restart
      break;
    case Kind::restart:
      line.rank = 1;
      if (i > 0 && killed_to_restart(steps, i - 1)) {
        line.text = step.node + " is killed (kill -9) and started again, with the disk as it is";
      }
      break;
    default:
      line.rank = 1;
  }
  return line;
}

/// What takes many steps and one line, unless it did not come to its end.
struct Beginning {
  std::string first;  ///< Text of the phase that it begins with.
  std::string last;   ///< What the text of the last one begins with, before the nodes' names.
  std::string words;  ///< After the names.
};

const std::vector<Beginning>& beginnings() {
  static const std::vector<Beginning> all = {
      {"form", "formed: ",
       " form a cluster: the first was bootstrapped, and the operator added the others at its "
       "console; all know the same history"},
      {"settle", "settled: ", " start, and know each other: they are the members"},
      {"start", "started: ", ""}};
  return all;
}

/// The beginning at step `i`, which becomes its last step; null if there is none.
const Beginning* beginning_at(const std::vector<Step>& steps, std::size_t& i) {
  for (const Beginning& one : beginnings()) {
    if (steps[i].kind != Step::Kind::phase || steps[i].text != one.first) continue;
    for (std::size_t end = i; end < steps.size(); ++end) {
      const Step& step = steps[end];
      if (step.kind != Step::Kind::phase || step.text.rfind(one.last, 0) != 0) continue;
      i = end;
      return &one;
    }
  }
  return nullptr;
}

bool begins_something(const Step& step) {
  const auto begins = [&](const Beginning& one) { return step.text == one.first; };
  return step.kind == Step::Kind::phase &&
         std::any_of(beginnings().begin(), beginnings().end(), begins);
}

/// What changed nothing: counted, or not even that.
Line again(const Step& step) {
  const bool get = step.kind == Step::Kind::client;
  return {step.at, 0, get ? "gets that hear the same as the last one" : ""};
}

std::vector<Line> lines_of(const std::vector<Step>& steps) {
  const std::vector<Mark> marks = mark_events(steps);
  std::vector<Line> lines;
  const Step* before = nullptr;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (const Beginning* beginning = beginning_at(steps, i)) {
      const Step& last = steps[i];  // moved on
      lines.push_back({last.at, 1, last.text.substr(beginning->last.size()) + beginning->words});
      before = nullptr;
      continue;
    }
    const Step& step = steps[i];
    if (begins_something(step)) continue;
    if (marks[i] == Mark::again) {
      lines.push_back(again(step));
      before = nullptr;
      continue;
    }
    if (merge_links(lines, step, before)) {
      before = &step;
      continue;
    }
    lines.push_back(line_of(steps, i, marks[i]));
    const bool link = step.kind == Step::Kind::cut || step.kind == Step::Kind::heal;
    if (link && !step.node.empty()) lines.back().links = {{step.node, step.peer}};
    before = &step;
  }
  for (Line& line : lines) {
    if (line.links.size() < 2) continue;
    line.text = line.text.substr(0, line.text.find(':')) + links_words(line.links);
  }
  return lines;
}

/// Counts what lies between two told lines: "14 Gossip exchanges without news, 2 messages lost".
struct Gap {
  std::map<std::string, std::size_t> counts;
  std::size_t steps = 0;

  void add(const Line& line) {
    if (line.rank != 0) {
      steps += 1 + line.more;
    } else if (!line.text.empty()) {
      ++counts[line.text];
    }
  }
  bool empty() const { return counts.empty() && steps == 0; }
  std::string text() const {
    std::string words;
    if (steps != 0) words = std::to_string(steps) + (steps == 1 ? " more step" : " more steps");
    for (const auto& [what, count] : counts) {
      std::string noun = what;
      if (count == 1) {  // "1 call without an answer", "1 Gossip exchange without news"
        for (const char* plural : {"exchanges", "messages", "calls", "gets"}) {
          const std::size_t at = noun.find(plural);
          if (at != noun.npos) noun.erase(at + std::string(plural).size() - 1, 1);
        }
      }
      words += (words.empty() ? "" : ", ") + std::to_string(count) + " " + noun;
    }
    return words;
  }
};

std::size_t height(const std::vector<Line>& lines) {
  std::size_t height = 0;
  Gap gap;
  for (const Line& line : lines) {
    if (!line.told) {
      gap.add(line);
      continue;
    }
    height += (gap.empty() ? 1 : 2) + (line.more == 0 ? 0 : 1);
    gap = {};
  }
  return height + (gap.empty() ? 0 : 1);
}

/// Chooses what is told: by rank, and of one rank the latest first, as many as there is room for.
void choose(std::vector<Line>& lines) {
  for (int rank = 1; rank <= 3; ++rank) {
    for (std::size_t i = lines.size(); i-- > 0;) {
      if (lines[i].rank != rank) continue;
      lines[i].told = true;
      if (height(lines) <= kLines) continue;
      lines[i].told = false;
      return;
    }
  }
}

std::string numbered(std::size_t number) {
  std::string text = std::to_string(number);
  text.insert(0, text.size() < 3 ? 3 - text.size() : 0, ' ');
  return text.append(". ");
}

}  // namespace

bool ends_beginning(const std::vector<Step>& steps, std::size_t& i) {
  return beginning_at(steps, i) != nullptr;
}

std::string tell(const std::vector<Step>& steps, const StoryEnd& end) {
  std::vector<Line> lines = lines_of(steps);
  // Millions of steps: only the last ones can be told, and choosing looks at all of them often.
  constexpr std::size_t kMostLines = 4000;
  std::size_t dropped = 0;
  std::vector<Line> few;
  for (std::size_t i = lines.size(); i-- > 0;) {
    if (lines[i].rank == 0 && lines[i].text.empty()) continue;
    if (few.size() == kMostLines) {
      ++dropped;
    } else {
      few.push_back(std::move(lines[i]));
    }
  }
  std::reverse(few.begin(), few.end());
  fold(few);
  choose(few);
  std::string text;
  if (dropped != 0) text += "     … " + std::to_string(dropped) + " earlier steps …\n";
  std::size_t number = 0;
  Gap gap;
  const auto close = [&] {
    if (!gap.empty()) text += "     … " + gap.text() + " …\n";
    gap = {};
  };
  for (const Line& line : few) {
    if (!line.told) {
      gap.add(line);
      continue;
    }
    close();
    text +=
        numbered(++number) + moment_words(line.at) + "  " + line.text + "\n" + more_like_it(line);
  }
  close();
  return text + ending(end);
}

std::string tell(const UnitStory& story, const StoryEnd& end) {
  std::vector<Line> lines;
  lines.reserve(story.steps.size());
  for (const std::string& step : story.steps) lines.push_back({{}, 1, step});
  fold(lines);
  fold_turns(lines);
  std::size_t from = lines.size();
  for (std::size_t height = 0; from > 0; --from) {
    const Line& line = lines[from - 1];
    height += 1 + static_cast<std::size_t>(std::count(line.text.begin(), line.text.end(), '\n'));
    height += line.more == 0 ? 0 : 1;
    if (height > kLines) break;
  }
  std::string text;
  std::size_t number = story.before + 1;
  for (std::size_t i = 0; i < from; ++i) number += 1 + lines[i].more;
  if (number == 2) text += "     … 1 earlier step …\n";
  if (number > 2) text += "     … " + std::to_string(number - 1) + " earlier steps …\n";
  for (std::size_t i = from; i < lines.size(); ++i) {
    text += numbered(number) + lines[i].text + "\n" + more_like_it(lines[i]);
    number += 1 + lines[i].more;
  }
  return text + ending(end);
}

}  // namespace dynamo::sim
