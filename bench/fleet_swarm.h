// Drones without hosts: each registers, keeps a stream of its own to a real coordinator, beats, tells of the runs that
// it is ordered, and comes back when its stream ends, as a shipped drone does. Many share a connection, or each has
// one.
//
// Not thread-safe, but for what its own threads do.
#ifndef CHARTLY_BENCH_FLEET_SWARM_H_
#define CHARTLY_BENCH_FLEET_SWARM_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "chartly/v1/coordinator.grpc.pb.h"

namespace chartly::bench {

class LogicalDrone;

struct SwarmOptions {
  int port = 0;
  int drones = 0;
  int connections = 0;
  double beat_seconds = 30;
  double comeback_seconds = 5;  // a stream that ended is opened again within this time, at random
};

class FleetSwarm {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  explicit FleetSwarm(const SwarmOptions& options);
  // Ends all streams.
  ~FleetSwarm();
  FleetSwarm(const FleetSwarm&) = delete;
  FleetSwarm& operator=(const FleetSwarm&) = delete;

  // All drones at once: those of the range register, and those that did open their streams. Each returns once all are
  // answered, or the time is over; how many were not is the answer.
  int RegisterAll(double seconds);
  int AttendAll(double seconds);
  // The streams that were open when `ended` streams had ended have broken: once each is answered on another.
  int AwaitComeback(double seconds, int64_t ended);
  int64_t ended() const { return ended_; }
  // Every `each`-th drone is gone without a word from now on; how many they are.
  int Lose(int each);
  // Whether drones that will be lost keep what they are ordered to themselves.
  void MuteEach(int each) { mute_each_ = each; }

  // Forgets what was noted of orders.
  void ForgetOrders();
  // Seconds from `since` to the arrival of each order so far, in order.
  std::vector<double> OrdersSince(Instant since);
  size_t orders();
  // How many orders the mute drones have had, ever.
  size_t mute_orders() const { return mute_orders_; }
  int errors() const { return errors_; }
  int64_t answers() const { return answers_; }
  std::string first_error();

 private:
  friend class LogicalDrone;
  void Beats();
  void NoteOrder(bool mute);
  void NoteError(const std::string& what);
  // Puts the drone on the list of those that open a stream at a random time soon.
  void ComeBack(LogicalDrone* drone);

  const SwarmOptions options_;
  std::vector<std::unique_ptr<v1::CoordinatorService::Stub>> stubs_;
  std::vector<std::unique_ptr<LogicalDrone>> drones_;
  std::atomic<int> errors_ = 0;
  std::atomic<int> registered_ = 0;
  std::atomic<int> attending_ = 0;  // streams that were answered and are open
  std::atomic<int> open_ = 0;       // streams
  std::atomic<int64_t> ended_ = 0;  // streams, ever
  std::atomic<int64_t> answers_ = 0;
  std::atomic<int> mute_each_ = 0;
  std::atomic<size_t> mute_orders_ = 0;
  std::atomic<bool> closing_ = false;
  absl::Notification stop_;
  std::thread beats_;
  absl::Mutex mu_;
  std::vector<Instant> arrivals_ ABSL_GUARDED_BY(mu_);
  std::string first_error_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<Instant, LogicalDrone*>> coming_back_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::bench

#endif  // CHARTLY_BENCH_FLEET_SWARM_H_
