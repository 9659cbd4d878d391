// The identity of a drone: a key that never leaves its host, and a certificate that the control plane signs for a day
// and the drone renews before its end.
//
// Thread-safe. Start returns at once. Shutdown is safe twice and before Start.
#ifndef CHARTLY_DRONE_IDENTITY_IDENTITY_KEEPER_H_
#define CHARTLY_DRONE_IDENTITY_IDENTITY_KEEPER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "chartly/v1/auth.grpc.pb.h"
#include "common/clock/clock.h"
#include "common/rpc/tls.h"

namespace chartly::drone {

// What `chartly drone join` leaves in a folder.
struct JoinedIdentity {
  rpc::TlsFiles files;
  std::string tenant;  // that the drone works for
};

// FailedPrecondition (NOT_JOINED, IDENTITY_OF_OTHER_DRONE, IDENTITY_EXPIRED) says what is wrong and how to join.
absl::StatusOr<JoinedIdentity> FindIdentity(const std::string& folder, const std::string& drone_id, absl::Time now);

class IdentityKeeper {
 public:
  // `auth` is a channel that shows the identity. The clock must outlive the keeper.
  IdentityKeeper(rpc::TlsFiles files, std::shared_ptr<grpc::Channel> auth, Clock& clock);
  ~IdentityKeeper();
  void Start();
  void Shutdown();
  // OK, or why the last try to renew did not succeed.
  absl::Status health() const;

 private:
  void Run();
  // How long the certificate can wait to be renewed: two thirds of its life.
  absl::StatusOr<absl::Duration> UntilRenewal() const;
  absl::Status Renew();

  const rpc::TlsFiles files_;
  const std::unique_ptr<v1::AuthService::Stub> auth_;
  Clock& clock_;
  absl::Notification stop_;
  std::thread thread_;
  mutable absl::Mutex mu_;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_IDENTITY_IDENTITY_KEEPER_H_
