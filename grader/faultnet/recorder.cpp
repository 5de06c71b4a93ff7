#include "faultnet/recorder.h"

#include "faultnet/spec.h"

namespace dynamo::faultnet {

Recorder::Recorder(const std::string& path) {
  if (path.empty()) return;
  file_.open(path, std::ios::trunc);
  if (!file_) throw SpecError("record: " + path + " cannot be written");
}

void Recorder::add(const sim::Step& step, std::size_t frame_bytes) {
  if (!on()) return;
  std::string line = to_jsonl(step);
  if (frame_bytes != 0) {
    line.pop_back();  // the brace
    line += ",\"bytes\":" + std::to_string(frame_bytes) + "}";
  }
  written_ += line.size() + 1;
  file_ << line << '\n';
  if (on()) return;
  sim::Step last;
  last.at = step.at;
  last.text = "the trace is full: it ends here, the network goes on";
  file_ << to_jsonl(last) << '\n';
}

}  // namespace dynamo::faultnet
