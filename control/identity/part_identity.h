// The certificate with which a process of the control plane shows itself to other parts and to drones. It is signed in
// the process, by the authority that all processes of a control plane have at hand, and again with a new key at two
// thirds of its life, or when the clock was set to before its beginning. gRPC takes the new file for the next
// connection; those that are open stay.
//
// Thread-safe. Start returns at once. Shutdown is safe twice and before Start. The clock must outlive the identity.
#ifndef CHARTLY_CONTROL_IDENTITY_PART_IDENTITY_H_
#define CHARTLY_CONTROL_IDENTITY_PART_IDENTITY_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/rpc/tls.h"
#include "common/x509/authority.h"

namespace chartly::control {

struct PartIdentityOptions {
  std::string authority_dir;              // may be there to be read only
  std::string file;                       // key and certificate of this process
  absl::Duration life = absl::Hours(24);  // of a certificate
};

class PartIdentity {
 public:
  // Makes the authority if there is none, and the first certificate. Fails as x509::Authority::LoadOrCreate does, and
  // with Unavailable (IDENTITY_FILE_FAILED) if the file cannot be written.
  static absl::StatusOr<std::unique_ptr<PartIdentity>> Create(PartIdentityOptions options, Clock& clock);
  ~PartIdentity();

  const rpc::TlsFiles& files() const { return files_; }
  void Start();
  void Shutdown();
  // Makes another certificate if it is time. After a failure the one before stays, and the next call tries again.
  absl::Status RenewIfDue();
  // OK, or why the last try to renew did not succeed.
  absl::Status health() const;

 private:
  PartIdentity(PartIdentityOptions options, x509::Authority authority, Clock& clock);
  absl::Status Renew(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const PartIdentityOptions options_;
  // Kept from the start on: an authority that is missed later must not be made anew, which would shut all drones out.
  const x509::Authority authority_;
  const rpc::TlsFiles files_;
  Clock& clock_;
  absl::Notification stop_;
  std::thread thread_;
  mutable absl::Mutex mu_;
  absl::Time not_before_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  absl::Status health_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::control

#endif  // CHARTLY_CONTROL_IDENTITY_PART_IDENTITY_H_
