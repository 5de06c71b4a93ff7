#include "sim/story.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/json.h"
#include "sim/events.h"
#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

/// Fills in what is done to a link, if that is what the step does.
void name_link(Line& line, const Step& step) {
  using Kind = Step::Kind;
  if (step.node.empty()) return;  // to all of them
  if (step.kind == Kind::cut) line.done = "the network is cut";
  if (step.kind == Kind::heal) line.done = "the network heals";
  if (step.kind == Kind::link) {
    line.done = "links change";
    line.in_which_way = ": " + link_model_words(step.text);
  }
  if (!line.done.empty()) line.links = {{step.node, step.peer}};
}

/// The same done to several links at one moment, with nothing to be told in between, is one line.
bool merge_links(std::vector<Line>& lines, const Line& line) {
  if (line.links.empty()) return false;
  for (std::size_t i = lines.size(); i-- > 0 && lines[i].at == line.at;) {
    if (lines[i].done == line.done && lines[i].in_which_way == line.in_which_way) {
      lines[i].links.push_back(line.links.front());
      return true;
    }
    if (lines[i].rank != 0) return false;
  }
  return false;
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

/// Whether the step after `i` is this one, at the same node in the same moment.
bool followed_by(const std::vector<Step>& steps, std::size_t i, Step::Kind next) {
  return i + 1 < steps.size() && steps[i + 1].kind == next && steps[i + 1].node == steps[i].node &&
         steps[i + 1].at == steps[i].at;
}

/// A node that is killed in order to be started again, or to lose its disk, in the same moment.
bool killed_to_restart(const std::vector<Step>& steps, std::size_t i) {
  return steps[i].kind == Step::Kind::crash && steps[i].text == "kill -9" &&
         followed_by(steps, i, Step::Kind::restart);
}
bool killed_to_wipe(const std::vector<Step>& steps, std::size_t i) {
  return steps[i].kind == Step::Kind::crash && steps[i].text.rfind("kill -9", 0) == 0 &&
         followed_by(steps, i, Step::Kind::wipe);
}
/// A new disk on which the node starts in the same moment.
bool wiped_to_restart(const std::vector<Step>& steps, std::size_t i) {
  return steps[i].kind == Step::Kind::wipe && followed_by(steps, i, Step::Kind::restart);
}

/// What the check looks up in order to know whose disks it has to look at: of a store, no news.
bool looks_up(const Step& step) {
  return step.message == "view" || step.message == "history" || step.message == "preference_list";
}

/// The same look as before, in one moment, with the same answer.
bool looked_before(const std::vector<Step>& steps, std::size_t i) {
  const Step& step = steps[i];
  for (std::size_t k = i; k-- > 0 && steps[k].at == step.at;) {
    if (steps[k].kind != Step::Kind::check) return false;
    if (steps[k].node == step.node && steps[k].message == step.message &&
        steps[k].data == step.data && steps[k].text == step.text) {
      return true;
    }
  }
  return false;
}

/// What the story's end is about.
struct Topic {
  bool store = false;  ///< Clients ask for keys.
  KeySet keys;         ///< Those that the end names.
};

Topic topic_of(const std::vector<Step>& steps, const StoryEnd& end) {
  std::vector<std::string> asked;
  for (const Step& step : steps) {
    if (step.kind == Step::Kind::client) asked.push_back(step.data);
  }
  return {!asked.empty(), keys_named(asked, end)};
}

Line line_of(const std::vector<Step>& steps, std::size_t i, Mark mark, const Topic& topic) {
  using Kind = Step::Kind;
  const Step& step = steps[i];
  Line line;
  line.at = step.at;
  line.of_key = names_key(step.data, topic.keys);
  line.text = step_words(step, line.of_key ? topic.keys : KeySet());
  line.of_client = step.kind == Kind::client || step.kind == Kind::told;
  line.writes = line.of_client && step.message != "get";
  name_link(line, step);
  const auto counted = [&](const std::string& plural) { line.text = plural; };
  switch (step.kind) {
    case Kind::send:
    case Kind::commit:
      line.text.clear();
      break;
    case Kind::receive:
      line.rank = mark == Mark::event ? 2 : has_news(step) ? 3 : 0;
      if (step.writes == 0 && in_words(step.data).empty()) line.rank = 0;  // "I have it"
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
      if ((topic.store && looks_up(step)) || (step.writes == 0 && looked_before(steps, i))) {
        line.rank = 0;
      }
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
      line.rank = killed_to_restart(steps, i) || killed_to_wipe(steps, i) ? 0 : 1;
      if (line.rank == 0) counted("");  // told with the restart, or the new disk
      break;
    case Kind::wipe: {
      line.rank = 1;
      const bool killed = i > 0 && killed_to_wipe(steps, i - 1);
      const bool starts = wiped_to_restart(steps, i);
      if (killed) line.text = step.node + " is killed (kill -9), and its disk is lost";
      if (starts) line.text += killed ? "; it starts" : ", and starts";
      if (killed)
        line.text += starts ? " again with a new, empty one" : ": it gets a new, empty one";
      break;
    }
    case Kind::restart:
      line.rank = i > 0 && wiped_to_restart(steps, i - 1) ? 0 : 1;
      if (line.rank == 0) counted("");  // told with its disk
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
  return plain_line(step.at, 0, get ? "gets that hear the same again" : "");
}

std::vector<Line> lines_of(const std::vector<Step>& steps, const StoryEnd& end) {
  const std::vector<Mark> marks = mark_events(steps);
  const Topic topic = topic_of(steps, end);
  std::vector<Line> lines;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (const Beginning* beginning = beginning_at(steps, i)) {
      const Step& last = steps[i];  // moved on
      lines.push_back(
          plain_line(last.at, 1, last.text.substr(beginning->last.size()) + beginning->words));
      continue;
    }
    const Step& step = steps[i];
    if (begins_something(step)) continue;
    if (marks[i] == Mark::again) {
      lines.push_back(again(step));
      continue;
    }
    Line line = line_of(steps, i, marks[i], topic);
    if (!merge_links(lines, line)) lines.push_back(std::move(line));
  }
  for (Line& line : lines) {
    if (line.links.size() < 2) continue;
    line.text = line.done + links_words(line.links) + line.in_which_way;
  }
  return lines;
}

}  // namespace

Line plain_line(Instant at, int rank, std::string text) {
  Line line;
  line.at = at;
  line.rank = rank;
  line.text = std::move(text);
  return line;
}

std::string numbered(std::size_t number) {
  std::string text = std::to_string(number);
  text.insert(0, text.size() < 3 ? 3 - text.size() : 0, ' ');
  return text.append(". ");
}

bool ends_beginning(const std::vector<Step>& steps, std::size_t& i) {
  return beginning_at(steps, i) != nullptr;
}

std::string tell(const std::vector<Step>& steps, const StoryEnd& end) {
  std::vector<Line> lines = lines_of(steps, end);
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

}  // namespace dynamo::sim
