#include "sim/links.h"

#include <algorithm>
#include <tuple>

#include "core/keys.h"

namespace dynamo::sim {

namespace {

constexpr std::uint32_t kAll = 1'000'000;  // parts per million
constexpr std::size_t kDenseNodes = 64;    // 4,096 links at most; beyond, only those that are used

std::size_t count_index(MessageType type, bool reply) {
  return 2 * std::size_t{type} + (reply ? 1 : 0);
}

void count(std::vector<Traffic>& counts, std::size_t index, std::size_t bytes) {
  if (index >= counts.size()) counts.resize(index + 1);
  counts[index].messages += 1;
  counts[index].bytes += bytes;
}

}  // namespace

Links::Links(std::uint64_t seed, const std::vector<NodeId>& nodes, const LinkModel& model)
    : seed_(seed), models_{model}, by_sender_(nodes.size()), fastest_(model.delay_min) {
  for (const NodeId& node : nodes) name_keys_.push_back(hash_of(node));
  if (nodes.size() > kDenseNodes) return;
  dense_.resize(nodes.size() * nodes.size());
  for (std::size_t i = 0; i < dense_.size(); ++i) {
    dense_[i].key = mix(name_keys_[i / nodes.size()] ^ mix(name_keys_[i % nodes.size()]));
  }
}

Links::Link& Links::link(NodeIndex from, NodeIndex to) {
  if (!dense_.empty()) return dense_[std::size_t{from} * name_keys_.size() + to];
  Link& link = sparse_[std::uint64_t{from} << 32 | to];
  if (link.key == 0) link.key = mix(name_keys_[from] ^ mix(name_keys_[to]));
  return link;
}

const Links::Link* Links::find(NodeIndex from, NodeIndex to) const {
  if (!dense_.empty()) return &dense_[std::size_t{from} * name_keys_.size() + to];
  const auto found = sparse_.find(std::uint64_t{from} << 32 | to);
  return found == sparse_.end() ? nullptr : &found->second;
}

Fate Links::send(NodeIndex from, NodeIndex to, MessageType type, bool reply, std::size_t bytes) {
  Link& link = this->link(from, to);
  const std::size_t index = count_index(type, reply);
  count(link.counts, index, bytes);
  count(by_type_, type, bytes);
  count(by_sender_, from, bytes);

  const LinkModel& model = models_[link.model];
  const std::uint64_t k = link.counts[index].messages;
  const auto key = [&](Draw what) { return Key(seed_, what).with(link.key).with(k << 17 | index); };
  Fate fate;
  if (link.cut) {
    fate.lost = "the link is cut";
  } else if (ordered_to_drop(link, type, reply)) {
    fate.lost = "the plan drops it";
  } else if (key(Draw::loss).chance(model.loss_ppm) ||
             (!reply && key(Draw::exchange_loss).chance(model.exchange_loss_ppm))) {
    fate.lost = "lost";
    // Where all are lost, no message might have arrived.
    fate.by_chance = model.loss_ppm < kAll && (reply || model.exchange_loss_ppm < kAll);
  }
  if (fate.lost != nullptr && !fate.by_chance) return fate;
  fate.lossy = model.loss_ppm != 0 || (!reply && model.exchange_loss_ppm != 0);
  fate.least = std::min(model.delay_min, model.delay_max);
  fate.copy[0] = {key(Draw::delay).between(model.delay_min, model.delay_max),
                  key(Draw::corrupt).chance(model.corrupt_ppm)};
  if (key(Draw::duplicate).chance(model.duplicate_ppm)) {
    fate.copies = 2;
    fate.copy[1] = {key(Draw::second_delay).between(model.delay_min, model.delay_max),
                    key(Draw::second_corrupt).chance(model.corrupt_ppm)};
  }
  return fate;
}

std::optional<Duration> Links::refusal(NodeIndex from, NodeIndex to, std::uint64_t number) const {
  const Link* link = find(from, to);
  if (link != nullptr && link->cut) return std::nullopt;
  const LinkModel& model = models_[link == nullptr ? 0 : link->model];
  const std::uint64_t names = mix(name_keys_[from] ^ mix(name_keys_[to]));
  return Key(seed_, Draw::refusal_delay)
      .with(names)
      .with(number)
      .between(model.delay_min, model.delay_max);
}

bool Links::is_cut(NodeIndex from, NodeIndex to) const {
  const Link* link = find(from, to);
  return link != nullptr && link->cut;
}

void Links::heal_all() {
  for (Link& link : dense_) link.cut = false;
  for (auto& [key, link] : sparse_) link.cut = false;
}

void Links::set_model(NodeIndex from, NodeIndex to, const LinkModel& model) {
  link(from, to).model = static_cast<std::uint32_t>(models_.size());
  models_.push_back(model);
  find_fastest();
}

void Links::set_all(const LinkModel& model) {
  models_.assign(1, model);
  for (Link& link : dense_) link.model = 0;
  for (auto& [key, link] : sparse_) link.model = 0;
  find_fastest();
}

bool Links::all_have(const LinkModel& model) const {
  const auto fields = [](const LinkModel& one) {
    return std::tie(one.delay_min, one.delay_max, one.loss_ppm, one.exchange_loss_ppm,
                    one.duplicate_ppm, one.corrupt_ppm);
  };
  return models_.size() == 1 && fields(models_.front()) == fields(model);
}

void Links::find_fastest() {
  fastest_ = models_.front().delay_min;
  for (const LinkModel& model : models_) fastest_ = std::min(fastest_, model.delay_min);
}

void Links::drop_next(NodeIndex from, NodeIndex to, std::optional<MessageType> type, bool reply,
                      std::uint32_t count) {
  link(from, to).drops.push_back({type, reply, count});
}

bool Links::ordered_to_drop(Link& link, MessageType type, bool reply) {
  const auto order = std::find_if(link.drops.begin(), link.drops.end(), [&](const DropOrder& drop) {
    return !drop.type || (*drop.type == type && drop.reply == reply);
  });
  if (order == link.drops.end()) return false;
  if (--order->left == 0) link.drops.erase(order);
  return true;
}

Traffic Links::traffic(NodeIndex from, NodeIndex to, MessageType type, bool reply) const {
  const Link* link = find(from, to);
  const std::size_t index = count_index(type, reply);
  if (link == nullptr || index >= link->counts.size()) return {};
  return link->counts[index];
}

Traffic Links::traffic_of_type(MessageType type) const {
  return type < by_type_.size() ? by_type_[type] : Traffic{};
}

Traffic Links::traffic_of_sender(NodeIndex from) const { return by_sender_[from]; }

}  // namespace dynamo::sim
