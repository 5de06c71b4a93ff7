#include "net/metrics.h"

#include <gtest/gtest.h>

namespace dynamo::net {
namespace {

TEST(Metrics, text_is_prometheus_exposition_format_in_order) {
  Metrics metrics;
  EXPECT_EQ(metrics.text(), "");
  metrics.gauge("members", 4);
  metrics.count("frames_total", "direction=\"out\"");
  metrics.count("frames_total", "direction=\"in\"", 3);
  metrics.count("frames_total", "direction=\"out\"");
  metrics.count("commits_total");
  metrics.gauge("members", 3);
  EXPECT_EQ(metrics.text(),
            "# TYPE commits_total counter\n"
            "commits_total 1\n"
            "# TYPE frames_total counter\n"
            "frames_total{direction=\"in\"} 3\n"
            "frames_total{direction=\"out\"} 2\n"
            "# TYPE members gauge\n"
            "members 3\n");
}

TEST(Metrics, value_of_what_was_never_counted_is_0) {
  Metrics metrics;
  metrics.count("a", "x=\"1\"", 2);
  EXPECT_EQ(metrics.value("a", "x=\"1\""), 2u);
  EXPECT_EQ(metrics.value("a"), 0u);
  EXPECT_EQ(metrics.value("b"), 0u);
}

}  // namespace
}  // namespace dynamo::net
