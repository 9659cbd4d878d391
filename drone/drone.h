// The composition of chartly-drone: builds spool, uplink, executor, session and the admin port, connects them, and
// takes them down again in the order that loses nothing.
//
// Start and Shutdown are called from one thread; Shutdown is safe twice.
#ifndef CHARTLY_DRONE_DRONE_H_
#define CHARTLY_DRONE_DRONE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/crypto/signing_key.h"
#include "common/profile/consent.h"

namespace chartly::drone {

struct DroneConfig {
  std::string id;
  std::string data_dir = ".chartly/drone";
  std::string coordinator;  // host:port
  std::string aggregator;   // host:port
  std::string auth;         // host:port; of the part that renews the identity
  std::string audit;        // host:port
  bool witness = false;     // keeps watch over the audit log
  std::string witness_key;  // PEM file of a key of the audit log; empty: the first one seen
  std::string api_key;
  std::string identity_dir;      // what `chartly drone join` left; empty: the key, in plaintext
  std::string source_dir = ".";  // root of file sources
  std::string secrets_dir;       // empty: only the environment
  std::string ca_file;           // PEM of further certificate authorities that sources may have; none if empty
  std::vector<std::string> egress_allow;
  Consent consent;                      // to what profiles may do
  std::vector<PublicKey> profile_keys;  // a profile must be signed by one of them; none: any profile runs
  std::map<std::string, std::string> labels;
  int capacity = 4;
  int64_t spool_bytes = int64_t{1} << 30;
  int64_t capture_bytes = int64_t{256} << 20;  // of payloads that profiles want kept; 0: none are
  std::string admin_listen;                    // host:port; empty: none
};

class Drone {
 public:
  virtual ~Drone() = default;
  // Opens the spool, binds the admin port and begins. An error names the folder, address or flag and what to do.
  static absl::StatusOr<std::unique_ptr<Drone>> Start(const DroneConfig& config);
  // Takes no more orders, ends the runs (DRONE_STOPPED), sends what is in the spool as far as time allows, within 10 s.
  // What could not be sent stays on disk for the next start.
  virtual void Shutdown() = 0;
  // OK, or why the spool stopped: then SIGTERM was raised, and the process should end with a failure and start anew.
  virtual absl::Status health() const = 0;
  // The port of the admin server; 0 if there is none.
  virtual int admin_port() const = 0;
};

// Reads the flags, runs until SIGTERM or SIGINT, and gives the exit code: 0, 1 for a failure, 2 for wrong flags.
int RunDrone(int argc, char** argv);

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DRONE_H_
