// A coordinator in a process of its own, with the registry and the ledger that it needs, for the fleet benchmark: its
// processor time and memory are its own, and it can be killed.
//
// Not thread-safe.
#ifndef CHARTLY_BENCH_FLEET_SERVER_H_
#define CHARTLY_BENCH_FLEET_SERVER_H_

#include <sys/types.h>

#include <string>

namespace chartly::bench {

// What its callers show.
inline constexpr char kFleetKey[] = "a-key-for-this-benchmark";

struct FleetServerOptions {
  std::string dir;  // of its state
  int port = 0;     // 0: any
  int interval_ms = 30'000;
  int lease_min_ms = 6'000;
};

// If the program was started to be such a server, is it until its input ends and sets the exit code. Call it first in
// main.
bool ServeFleet(int argc, char** argv, int* exit_code);

class FleetServer {
 public:
  // Ends the program if it does not start.
  explicit FleetServer(const FleetServerOptions& options);
  ~FleetServer();
  FleetServer(const FleetServer&) = delete;
  FleetServer& operator=(const FleetServer&) = delete;
  int port() const { return port_; }
  // Publishes profiles, so many of that redundancy, all due at once.
  void Publish(int profiles, int redundancy);
  // The runs that drones told of have ended, as the ledger says from now on.
  void EndRuns();
  // Without a word.
  void Kill();
  double CpuSeconds() const;
  double ResidentMiB() const;

 private:
  void Say(const std::string& line);
  void Stop(int signal);

  pid_t pid_ = -1;
  int input_ = -1;
  int port_ = 0;
};

// Memory of a process ("self", or its id) that is not swapped out.
double ResidentMiBOf(const std::string& process);

}  // namespace chartly::bench

#endif  // CHARTLY_BENCH_FLEET_SERVER_H_
