#include "load/run.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <memory>
#include <stdexcept>
#include <utility>

#include "core/random.h"
#include "net/asio.h"

namespace dynamo::load {

namespace {

using boost::asio::ip::tcp;
using Error = boost::system::error_code;

tcp::endpoint endpoint_of(const std::string& target) {
  const std::size_t colon = target.rfind(':');
  Error error;
  const auto host = boost::asio::ip::make_address(target.substr(0, colon), error);
  const int port = colon == target.npos ? 0 : std::atoi(target.c_str() + colon + 1);
  if (error || port < 1 || port > 65535) {
    throw std::runtime_error("\"" + target + "\" is no address and port");
  }
  return {host, static_cast<std::uint16_t>(port)};
}

class Run;

/// One connection. Asks one thing at a time.
class Client {
 public:
  Client(Run& run, boost::asio::io_context& io, const std::string& target,
         std::unique_ptr<Dialect> dialect)
      : run_(run), target_(target), dialect_(std::move(dialect)), socket_(io) {
    socket_.connect(endpoint_of(target));
    socket_.set_option(tcp::no_delay(true));
    socket_.non_blocking(true);
  }

  void ask(std::string_view key, std::string_view value, Clock::time_point begin);

 private:
  void receive();
  void received(std::size_t bytes);
  void check(const Error& error) const {
    if (error) throw std::runtime_error(target_ + " broke the connection: " + error.message());
  }

  Run& run_;
  const std::string target_;
  std::unique_ptr<Dialect> dialect_;
  tcp::socket socket_;
  Clock::time_point begin_;
  std::string rest_;  ///< Received, and not understood without what is still to come.
  std::array<char, 64 << 10> chunk_{};
};

class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        random_(options.seed),
        value_(options.workload.value_bytes, 'v'),
        deadline_(io_),
        due_(io_) {
    for (std::size_t i = 0; i < options.connections; ++i) {
      const std::string& target = options.targets.at(i % options.targets.size());
      auto dialect = make_dialect(options.system, options.workload, target);
      if (!dialect) throw std::runtime_error("no system is called \"" + options.system + "\"");
      clients_.push_back(std::make_unique<Client>(*this, io_, target, std::move(dialect)));
    }
  }

  std::string go() {
    deadline_.expires_after(options_.deadline);
    deadline_.async_wait([](const Error& error) {
      if (!error) throw std::runtime_error("the run was not done by its deadline");
    });
    begin_ = Clock::now() + options_.warm_up;
    end_ = begin_ + options_.measured;
    if (options_.per_second > 0) {
      begin_open_loop();
    } else {
      for (const auto& client : clients_) next(*client);
    }
    io_.run();
    const std::chrono::duration<double> took = last_ - begin_;
    const std::chrono::duration<double> planned = options_.measured;
    const bool timed = options_.measured.count() > 0 && options_.per_second == 0;
    return samples_.json(timed ? planned.count() : took.count());
  }

  void answered(Client& client, Clock::time_point begin, const std::string& error) {
    const Clock::time_point now = Clock::now();
    last_ = now;
    --open_;
    if (counts(begin, now)) {
      if (error.empty()) {
        samples_.add(now - begin);
      } else {
        samples_.fail(error);
      }
    }
    next(client);
  }

 private:
  bool counts(Clock::time_point begin, Clock::time_point now) const {
    if (options_.measured.count() == 0) return true;
    return options_.per_second > 0 ? begin >= begin_ : now >= begin_ && now < end_;
  }

  void begin_open_loop() {
    const std::chrono::duration<double> all = options_.warm_up + options_.measured;
    const auto total = static_cast<std::uint64_t>(all.count() * options_.per_second);
    pace_ = std::make_unique<Pace>(begin_ - options_.warm_up, options_.per_second, total);
    for (const auto& client : clients_) idle_.push_back(client.get());
    wait_for_next();
  }

  /// Those that are due begin, as far as there are idle connections; the others wait in `pace_`.
  void wait_for_next() {
    while (!idle_.empty()) {
      const auto at = pace_->take(Clock::now());
      if (!at) break;
      Client& client = *idle_.front();
      idle_.pop_front();
      ask(client, *at);
    }
    if (idle_.empty()) return;
    const auto at = pace_->next();
    if (!at) return finish_if_done();
    due_.expires_at(*at);
    due_.async_wait([this](const Error& error) {
      if (!error) wait_for_next();
    });
  }

  void next(Client& client) {
    if (pace_) {
      const bool none_was_idle = idle_.empty();
      idle_.push_back(&client);
      // Otherwise the timer runs.
      if (none_was_idle) return wait_for_next();
      return pace_->next() ? void() : finish_if_done();
    }
    const bool timed = options_.measured.count() > 0;
    const Clock::time_point now = Clock::now();
    const bool more = timed ? now < end_ : asked_ < options_.keys;
    if (more) return ask(client, now);
    finish_if_done();
  }

  void finish_if_done() {
    if (open_ == 0) deadline_.cancel();
  }

  void ask(Client& client, Clock::time_point begin) {
    const std::uint64_t number =
        options_.workload.put ? asked_ : random_.below(std::max<std::uint64_t>(options_.keys, 1));
    ++asked_;
    ++open_;
    key_.assign(options_.prefix).append(std::to_string(number));
    client.ask(key_, value_, begin);
  }

  const Options options_;
  boost::asio::io_context io_{1};
  Random random_;
  const std::string value_;
  std::string key_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer due_;  ///< When the next request of an open loop begins.
  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<Pace> pace_;  ///< Null: a closed loop.
  std::deque<Client*> idle_;
  Clock::time_point begin_;  ///< Of what is measured.
  Clock::time_point end_;
  Clock::time_point last_;  ///< Answer.
  std::uint64_t asked_ = 0;
  std::uint64_t open_ = 0;  ///< Asked and not answered.
  Samples samples_;
};

void Client::ask(std::string_view key, std::string_view value, Clock::time_point begin) {
  begin_ = begin;
  const std::string_view request = dialect_->request(key, value);
  boost::asio::async_write(socket_, boost::asio::buffer(request.data(), request.size()),
                           [this](const Error& error, std::size_t) {
                             check(error);
                             receive();
                           });
}

void Client::receive() {
  socket_.async_read_some(boost::asio::buffer(chunk_), [this](const Error& error, std::size_t n) {
    check(error);
    received(n);
  });
}

void Client::received(std::size_t bytes) {
  std::string_view come(chunk_.data(), bytes);
  if (!rest_.empty()) come = rest_.append(come);
  come.remove_prefix(dialect_->take(come));
  rest_ = std::string(come);
  if (!dialect_->done()) return receive();
  run_.answered(*this, begin_, dialect_->error());
}

}  // namespace

std::string run(const Options& options) { return Run(options).go(); }

}  // namespace dynamo::load
