#include "net/metrics.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace dynamo::net {
namespace {

TEST(Metrics, text_is_prometheus_exposition_format_in_order) {
  Metrics metrics;
  EXPECT_EQ(metrics.text(), "");
  metrics.gauge("dynamo_members", 4);
  metrics.count("dynamo_frames_total", {{"direction", "out"}, {"type", "Ping"}});
  metrics.count("dynamo_frames_total", {{"direction", "in"}, {"type", "Ping"}}, 3);
  metrics.count("dynamo_frames_total", {{"direction", "out"}, {"type", "Ping"}});
  metrics.count("dynamo_commits_total");
  metrics.gauge("dynamo_members", 3);
  EXPECT_EQ(metrics.text(),
            "# HELP dynamo_commits_total Commits that had something to write.\n"
            "# TYPE dynamo_commits_total counter\n"
            "dynamo_commits_total 1\n"
            "# HELP dynamo_frames_total Messages to and from peers, replies included.\n"
            "# TYPE dynamo_frames_total counter\n"
            "dynamo_frames_total{direction=\"in\",type=\"Ping\"} 3\n"
            "dynamo_frames_total{direction=\"out\",type=\"Ping\"} 2\n"
            "# HELP dynamo_members Members in this node's view.\n"
            "# TYPE dynamo_members gauge\n"
            "dynamo_members 3\n");
}

TEST(Metrics, labels_are_escaped) {
  Metrics metrics;
  metrics.count("dynamo_frames_dropped_total", {{"reason", "a\"b\\c\nd"}});
  EXPECT_NE(metrics.text().find("{reason=\"a\\\"b\\\\c\\nd\"} 1\n"), std::string::npos)
      << metrics.text();
}

TEST(Metrics, histogram_has_cumulative_buckets_sum_and_count) {
  Metrics metrics;
  metrics.observe_seconds("dynamo_commit_seconds", 0.001);
  metrics.observe_seconds("dynamo_commit_seconds", 0.25);
  metrics.observe_seconds("dynamo_commit_seconds", 60);
  const std::string text = metrics.text();
  for (const char* line :
       {"# TYPE dynamo_commit_seconds histogram\n", "_bucket{le=\"0.0003\"} 0\n",
        "_bucket{le=\"0.001\"} 1\n", "_bucket{le=\"0.1\"} 1\n", "_bucket{le=\"0.3\"} 2\n",
        "_bucket{le=\"3\"} 2\n", "_bucket{le=\"+Inf\"} 3\n", "dynamo_commit_seconds_sum 60.251\n",
        "dynamo_commit_seconds_count 3\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(Metrics, value_of_what_was_never_counted_is_0) {
  Metrics metrics;
  std::uint64_t& counter = metrics.counter("dynamo_frames_total", {{"type", "1"}});
  metrics.count("dynamo_frames_total", {{"type", "0"}});
  counter += 2;
  EXPECT_EQ(metrics.value("dynamo_frames_total", {{"type", "1"}}), 2u);
  EXPECT_EQ(metrics.value("dynamo_frames_total"), 0u);
  EXPECT_EQ(metrics.value("dynamo_commits_total"), 0u);
}

TEST(Metrics, name_that_nobody_explained_is_a_mistake) {
  Metrics metrics;
  EXPECT_THROW(metrics.count("dynamo_surprises_total"), std::logic_error);
  EXPECT_THROW(metrics.count("dynamo_members"), std::logic_error);
}

}  // namespace
}  // namespace dynamo::net
