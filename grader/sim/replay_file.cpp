#include "sim/replay_file.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/json.h"
#include "core/keys.h"
#include "sim/host.h"
#include "sim/plan_json.h"
#include "sim/story_lines.h"

namespace dynamo::sim {

namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw JsonError(file.string() + ": it cannot be read; is the path right?");
  std::ostringstream content;
  content << in.rdbuf();
  return std::move(content).str();
}

void write(const std::filesystem::path& file, const std::string& content) {
  std::error_code error;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), error);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << content;
  out.close();
  if (!out) throw GraderTrouble(file.string() + " cannot be written; is there room on the disk?");
}

}  // namespace

Replay read_replay(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  const Json document = json::parse(content_of(file));
  if (document.is_discarded())
    throw JsonError(name + ": this is no JSON; give a file that a failed check named");
  Replay replay;
  replay.format = 0;
  json::from(document, replay, name);
  if (replay.format == 0 || replay.format > Replay::kFormat) {
    throw JsonError(name + ".format: expected 1 or 2, found " + std::to_string(replay.format) +
                    "; it was written by another version of the grader: grade again");
  }
  if (replay.check.empty())
    throw JsonError(name + ".check: expected the id of a check, found none");
  if (replay.kind == "sim" || replay.kind == "explore") {
    validate(replay.plan, name + ".plan");
    std::sort(replay.schedule.left_out.begin(), replay.schedule.left_out.end());
  } else if (replay.kind != "unit") {
    throw JsonError(name + ".kind: expected \"sim\", \"explore\" or \"unit\", found \"" +
                    replay.kind + "\"");
  }
  return replay;
}

void write_replay(const std::filesystem::path& file, const Replay& replay) {
  write(file, json::text(json::to(replay), 2) + "\n");
}

void write_trace(const std::filesystem::path& file, const std::vector<Step>& steps,
                 const std::vector<Step>& afterwards) {
  std::string content;
  for (const Step& step : steps) {
    std::string line = to_jsonl(step);
    line.pop_back();  // the brace
    Json told = {{"moment", moment_words(step.at)}, {"words", step_words(step)}};
    if (is_quiet(step)) told["quiet"] = true;
    content += line + "," + json::text(told).substr(1) + "\n";
  }
  for (const Step& step : afterwards) content += to_jsonl(step) + "\n";
  write(file, content);
}

std::string hash_of_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return "";
  std::ostringstream content;
  content << in.rdbuf();
  return hex_of(hash_of(content.view()));
}

std::string hex_of(std::uint64_t value) { return json::hex(0, value).substr(16); }

std::string grader_version() {
#if defined(__clang__)
  return std::string("clang ") + __clang_version__;
#else
  return std::string("g++ ") + __VERSION__;
#endif
}

}  // namespace dynamo::sim
