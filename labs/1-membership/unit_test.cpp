// Lab 1, one node alone: events, merge, the console, suspicion. No network and no time.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "one_node.h"
#include "scenarios.h"
#include "sim/check.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

/// Events of a few nodes about a few subjects, with counters that often tie; no version twice.
History random_events(Random& random, std::size_t count) {
  std::set<Version> used;
  History events;
  while (events.size() < count) {
    const std::uint64_t counter = 1 + random.below(200) / (1 + random.below(40));
    const NodeId node = name(1 + random.below(5));
    const Version version{counter, node, 1 + random.below(3)};
    if (!used.insert(version).second) continue;
    const NodeId subject = name(1 + random.below(12));
    events.push_back({subject, random.below(2) == 0 ? Change::join : Change::leave, version});
  }
  return events;
}

template <class T>
void shuffle(Random& random, std::vector<T>& items) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

/// Hands `events` over in batches of random sizes, in random order, some of them more than once.
void merge_somehow(Lone& lone, Random& random, History events) {
  for (std::size_t again = random.below(events.size()); again > 0; --again) {
    events.push_back(events[random.below(events.size())]);
  }
  shuffle(random, events);
  std::vector<std::tuple<History>> batches;
  for (auto next = events.begin(); next != events.end();) {
    const auto left = static_cast<std::uint64_t>(events.end() - next);
    const auto size =
        static_cast<std::ptrdiff_t>(1 + random.below(std::min<std::uint64_t>(left, 9)));
    batches.emplace_back(History(next, next + size));
    next += size;
  }
  lone.map<&Membership::merge>(batches);
}

TEST(membership, the_first_node_is_bootstrapped) {
  Lone first(only_membership("n1", 7));
  first.start(true);
  const History expected{{"n1", Change::join, {1, "n1", 7}}};
  const History found = first.invoke<&Membership::history>();
  expect(found == expected, "a bootstrapped node's history is " + text(expected), text(found));
  const History view = first.invoke<&Membership::view>();
  expect(view == expected, "its view is " + text(expected), text(view));

  Lone other(only_membership("n2", 8));
  other.start(false);
  const History none = other.invoke<&Membership::history>();
  expect(none.empty(), "without the operator's flag a node with an empty disk has no history",
         text(none));
}

TEST(membership, versions_count_on_and_name_their_maker) {
  Lone lone(only_membership("n1", 7));
  lone.start(true);
  const auto newest_is = [&](const Event& event, const std::string& why) {
    const History history = lone.invoke<&Membership::history>();
    expect(!history.empty() && history.back() == event,
           "the newest event is " + text(event) + ": " + why, text(history));
  };
  const Status joined = lone.invoke<&Membership::add>(NodeId("n2"));
  expect(joined.ok(), "n1 is a member and takes \"add n2\": done", said(joined));
  newest_is({"n2", Change::join, {2, "n1", 7}},
            "one more than the largest counter seen, which was 1");
  const Status left = lone.invoke<&Membership::remove>(NodeId("n2"));
  expect(left.ok(), "\"remove n2\": done", said(left));
  newest_is({"n2", Change::leave, {3, "n1", 7}},
            "one more than the largest counter seen, which was 3 - 1");

  lone.invoke<&Membership::merge>(History{{"n5", Change::join, {41, "n3", 9}}});
  (void)lone.invoke<&Membership::add>(NodeId("n6"));
  newest_is({"n6", Change::join, {42, "n1", 7}}, "n1 had seen a change of n3 with counter 41");
  lone.invoke<&Membership::merge>(History{{"n8", Change::join, {5, "n3", 9}}});
  (void)lone.invoke<&Membership::add>(NodeId("n7"));
  newest_is({"n7", Change::join, {43, "n1", 7}},
            "an old event that arrives late does not set it back");
}

TEST(membership, history_keeps_every_event_in_version_order) {
  Random random(11);
  for (int round = 0; round < 12; ++round) {
    Lone lone(only_membership());
    lone.start();
    const History events = random_events(random, 40);
    merge_somehow(lone, random, events);
    const History history = lone.invoke<&Membership::history>();
    for (std::size_t i = 1; i < history.size(); ++i) {
      expect(history[i - 1].version < history[i].version,
             "history() ascends by version, and no version is in it twice",
             text(history[i - 1]) + " stands before " + text(history[i]));
    }
    expect(history == sorted(events),
           "all 40 events that were merged are there, leaves and overtaken ones too",
           std::to_string(history.size()) + " are: " + text(history));
  }
}

/// Tells only the events in which the two differ.
void expect_view(const History& view, const History& right) {
  const auto lacking = [](const History& events, const History& others) {
    History rest;
    for (const Event& event : events) {
      if (std::find(others.begin(), others.end(), event) == others.end()) rest.push_back(event);
    }
    return rest;
  };
  const auto told = [](const History& events, const std::string& nothing) {
    return events.empty() ? nothing : text(events);
  };
  expect(view == right,
         "the view holds the newest event of each subject, sorted by subject: " +
             told(lacking(right, view), "nothing but those"),
         "in its place there is " + told(lacking(view, right), "nothing, or another order"));
}

TEST(membership, merge_gives_the_same_whatever_the_order) {
  Random random(12);
  for (int round = 0; round < 8; ++round) {
    const History events = random_events(random, 24);
    History first;
    History first_view;
    for (int order = 0; order < 4; ++order) {
      Lone lone(only_membership());
      lone.start();
      merge_somehow(lone, random, events);
      const History history = lone.invoke<&Membership::history>();
      const History view = lone.invoke<&Membership::view>();
      if (order == 0) {
        first = history;
        first_view = view;
      }
      expect(
          history == first,
          "the same events in another order, and repeated, give the same history: " + text(first),
          text(history));
      expect(view == first_view, "... and the same view: " + text(first_view), text(view));
      expect(history == sorted(events), "the history holds the 24 events", text(history));
      expect_view(view, view_of(events));
    }
  }
}

TEST(membership, view_holds_the_newest_event_of_each_subject) {
  Lone lone(only_membership("n1", 7));
  lone.start();
  // Equal counters: the node decides; equal nodes, too: the incarnation. Then the counter wins over
  // both.
  const History events{{"n4", Change::leave, {5, "n3", 1}}, {"n4", Change::join, {5, "n2", 9}},
                       {"n5", Change::join, {5, "n2", 3}},  {"n5", Change::leave, {5, "n2", 2}},
                       {"n6", Change::join, {6, "n1", 1}},  {"n6", Change::leave, {4, "n9", 9}},
                       {"n3", Change::leave, {1, "n1", 7}}};
  lone.invoke<&Membership::merge>(events);
  const History view = lone.invoke<&Membership::view>();
  expect(view == view_of(events),
         "one event for each subject, the one of highest version (counter, then node, then "
         "incarnation), by subject: " +
             text(view_of(events)),
         text(view));

  Random random(13);
  for (int round = 0; round < 12; ++round) {
    Lone other(only_membership());
    other.start();
    const History many = random_events(random, 60);
    merge_somehow(other, random, many);
    const History seen = other.invoke<&Membership::view>();
    expect_view(seen, view_of(many));
  }
}

bool is_member(Lone& lone, const NodeId& node) {
  const std::vector<NodeId> members = members_of(lone.invoke<&Membership::view>());
  return std::find(members.begin(), members.end(), node) != members.end();
}

TEST(membership, an_old_join_never_resurrects) {
  const Event old_join{"n2", Change::join, {3, "n3", 1}};
  const Event join{"n2", Change::join, {5, "n1", 7}};
  const Event leave{"n2", Change::leave, {6, "n1", 7}};
  std::vector<Event> events{old_join, join, leave};
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return text(a) < text(b); });
  do {
    Lone lone(only_membership());
    lone.start();
    std::string order;
    for (const Event& event : events) {
      lone.invoke<&Membership::merge>(History{event});
      order += "; " + text(event);
    }
    expect(!is_member(lone, "n2"),
           "n2 is no member: its leave has a higher version than both joins",
           "after the events came in this order, n2 is a member" + order);
  } while (std::next_permutation(events.begin(), events.end(),
                                 [](const Event& a, const Event& b) { return text(a) < text(b); }));

  Lone console(only_membership("n1", 7));
  console.start(true);
  (void)console.invoke<&Membership::add>(NodeId("n2"));
  const History before = console.invoke<&Membership::history>();
  (void)console.invoke<&Membership::remove>(NodeId("n2"));
  console.invoke<&Membership::merge>(before);
  expect(!is_member(console, "n2"), "n2 stays removed when a peer sends again that it joined",
         "n2 is a member; the history is " + text(console.invoke<&Membership::history>()));
}

TEST(membership, a_newer_join_brings_a_removed_node_back) {
  Lone lone(only_membership("n1", 7));
  lone.start(true);
  (void)lone.invoke<&Membership::add>(NodeId("n2"));
  (void)lone.invoke<&Membership::remove>(NodeId("n2"));
  expect(!is_member(lone, "n2"), "n2 was removed: it is no member", "it is a member");
  const Status again = lone.invoke<&Membership::add>(NodeId("n2"));
  expect(again.ok() && is_member(lone, "n2"), "n2 is added again: done, and it is a member",
         said(again) + "; the view is " + text(lone.invoke<&Membership::view>()));

  lone.invoke<&Membership::merge>(History{{"n3", Change::leave, {20, "n4", 1}}});
  expect(!is_member(lone, "n3"), "n3 left: it is no member", "it is a member");
  lone.invoke<&Membership::merge>(History{{"n3", Change::join, {21, "n2", 1}}});
  expect(is_member(lone, "n3"), "a join with a higher version makes n3 a member again",
         "it is none; the view is " + text(lone.invoke<&Membership::view>()));
}

/// The console's answer must be this error, and nothing may have changed.
template <auto Method>
void expect_error(Lone& lone, const NodeId& subject, ErrorCode code, const std::string& why) {
  const History before = lone.invoke<&Membership::history>();
  const Status status = lone.invoke<Method>(subject);
  expect(!status.ok() && status.error().code == code, name_of(code) + ": " + why, said(status));
  expect(!status.error().message.empty(), "an error has a message that a person can act on",
         "the message is empty");
  const History after = lone.invoke<&Membership::history>();
  expect(after == before, "an error changes nothing",
         "the history was " + text(before) + " and is " + text(after));
}

TEST(membership, console_mistakes_get_clear_errors) {
  Lone lone(only_membership("n1", 7));
  lone.start(true);
  expect_error<&Membership::add>(lone, "n1", ErrorCode::invalid_argument,
                                 "a node cannot add itself");
  (void)lone.invoke<&Membership::add>(NodeId("n2"));
  expect_error<&Membership::add>(lone, "n2", ErrorCode::already_exists, "n2 is a member already");
  expect_error<&Membership::remove>(lone, "n9", ErrorCode::not_found, "nobody ever added n9");
  (void)lone.invoke<&Membership::remove>(NodeId("n2"));
  expect_error<&Membership::remove>(lone, "n2", ErrorCode::not_found, "n2 was removed before");

  const Status self = lone.invoke<&Membership::remove>(NodeId("n1"));
  expect(self.ok(), "a node may remove itself: done", said(self));
  expect_error<&Membership::add>(lone, "n3", ErrorCode::not_a_member,
                                 "n1 was removed, so it takes no changes");
  expect_error<&Membership::remove>(lone, "n3", ErrorCode::not_a_member,
                                    "n1 was removed, so it takes no changes");

  Lone stranger(only_membership("n2", 8));
  stranger.start();
  expect_error<&Membership::add>(stranger, "n3", ErrorCode::not_a_member,
                                 "n2 was never added to a cluster");
  expect_error<&Membership::remove>(stranger, "n1", ErrorCode::not_a_member,
                                    "n2 was never added to a cluster");
}

/// Keys take room, too: a node that asks for too little puts more than the disk has room for.
void a_nearly_full_disk_takes_only_what_fits() {
  bool fits = false;
  for (std::uint64_t room = 0; !fits; room += 2) {
    Lone lone(only_membership());
    lone.start(true);
    const std::uint64_t before = bytes_on(lone.disk());
    lone.set_room(room);
    const Status add = lone.invoke<&Membership::add>(NodeId("n2"));
    const std::uint64_t grown = bytes_on(lone.disk()) - before;
    expect(grown <= room,
           "n1 puts no more keys and values than the " + std::to_string(room) +
               " bytes that the disk has room for",
           said(add) + ", and the disk has grown by " + std::to_string(grown) + " bytes");
    fits = add.ok();
    expect(fits || room < 4096, "4 KiB are enough for one event", said(add));
    passed();
  }
}

TEST(membership, a_full_disk_refuses_a_change_whole) {
  Lone lone(only_membership("n1", 7));
  lone.start(true);
  (void)lone.invoke<&Membership::add>(NodeId("n2"));
  lone.set_room(0);
  expect_error<&Membership::add>(lone, "n3", ErrorCode::no_room, "the disk is full");
  expect_error<&Membership::remove>(lone, "n2", ErrorCode::no_room, "the disk is full");
  expect_error<&Membership::add>(lone, "n1", ErrorCode::invalid_argument,
                                 "a node cannot add itself; no_room comes after all other errors");
  expect_error<&Membership::add>(lone, "n2", ErrorCode::already_exists,
                                 "n2 is a member; no_room comes after all other errors");
  expect_error<&Membership::remove>(lone, "n9", ErrorCode::not_found,
                                    "n9 is no member; no_room comes after all other errors");
  const History before = lone.invoke<&Membership::history>();
  const History news{{"n4", Change::join, {9, "n2", 1}}};
  lone.invoke<&Membership::merge>(news);
  const History after = lone.invoke<&Membership::history>();
  expect(after == before,
         "a merge leaves out what the disk has no room for; gossip brings it again",
         "the history was " + text(before) + " and is " + text(after));
  lone.set_room(1 << 20);
  const Status add = lone.invoke<&Membership::add>(NodeId("n3"));
  expect(add.ok(), "there is room again: add n3 is done", said(add));
  lone.invoke<&Membership::merge>(news);
  const History both = lone.invoke<&Membership::history>();
  expect(both.size() == before.size() + 2,
         "n3, and n4 of which gossip brings the news again, are in the history", text(both));
  passed();
  a_nearly_full_disk_takes_only_what_fits();
}

/// Seeds are peers whether they are members or not, so they may be suspects all the time.
void news_end_no_suspicion() {
  Lone lone(only_membership("n1", 7, {"n2", "n9"}));
  lone.start(true);
  (void)lone.invoke<&Membership::add>(NodeId("n2"));
  const auto both_are = [&](const std::string& why) {
    const std::vector<NodeId> found = lone.invoke<&Membership::suspects>();
    const std::vector<NodeId> right{"n2", "n9"};
    expect(found == right, "the suspects are " + list(right) + ": " + why, list(found));
  };
  lone.invoke<&Membership::peer_silent>(NodeId("n2"));
  lone.invoke<&Membership::peer_silent>(NodeId("n9"));
  both_are("both seeds were silent, the member n2 and n9, which is none");
  lone.invoke<&Membership::merge>(History{{"n2", Change::leave, {8, "n3", 1}}});
  both_are("that n2 was removed is no answer of it, and as a seed it is a peer still");
  lone.invoke<&Membership::merge>(History{{"n2", Change::join, {9, "n3", 1}}});
  both_are("that n2 was added again is no answer of it");
  (void)lone.invoke<&Membership::add>(NodeId("n9"));
  both_are("that n9 is a member now is no answer of it");
}

TEST(membership, suspicion_follows_own_requests_only) {
  Lone lone(only_membership("n1", 7));
  lone.start(true);
  for (const char* name : {"n2", "n3", "n4", "n10"})
    (void)lone.invoke<&Membership::add>(NodeId(name));
  const History history = lone.invoke<&Membership::history>();
  const History view = lone.invoke<&Membership::view>();
  const auto suspects_are = [&](const std::vector<NodeId>& names, const std::string& why) {
    const std::vector<NodeId> found = lone.invoke<&Membership::suspects>();
    expect(found == names, "the suspects are " + list(names) + ": " + why, list(found));
    expect(
        lone.invoke<&Membership::history>() == history && lone.invoke<&Membership::view>() == view,
        "suspicion changes neither the history nor the view",
        "the history is " + text(lone.invoke<&Membership::history>()) + "; the view is " +
            text(lone.invoke<&Membership::view>()));
  };
  suspects_are({}, "nobody has failed to answer yet");
  lone.invoke<&Membership::peer_silent>(NodeId("n4"));
  lone.invoke<&Membership::peer_silent>(NodeId("n2"));
  lone.invoke<&Membership::peer_silent>(NodeId("n10"));
  lone.invoke<&Membership::peer_silent>(NodeId("n2"));
  suspects_are({"n10", "n2", "n4"}, "they were silent; sorted, each once");

  // n2 speaks, and is spoken of. Neither is an answer to a request of n1.
  (void)lone.request("n2", Gossip{digest_of(history), {}});
  (void)lone.request("n2", Gossip{digest_of(history), history});
  suspects_are({"n10", "n2", "n4"}, "a request that comes in from n2 is no answer to one of ours");
  lone.invoke<&Membership::merge>(history);
  suspects_are({"n10", "n2", "n4"}, "what others tell about a node is no answer of it");

  lone.invoke<&Membership::peer_answered>(NodeId("n2"));
  suspects_are({"n10", "n4"}, "n2 answered");
  lone.invoke<&Membership::peer_answered>(NodeId("n3"));
  suspects_are({"n10", "n4"}, "n3 was no suspect before it answered");
  lone.invoke<&Membership::peer_answered>(NodeId("n10"));
  lone.invoke<&Membership::peer_answered>(NodeId("n4"));
  suspects_are({}, "all have answered since");
  passed();
  news_end_no_suspicion();
}

}  // namespace
