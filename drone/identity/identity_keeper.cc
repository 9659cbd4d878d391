#include "drone/identity/identity_keeper.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/drone_identity.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/peers.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/x509/certificate.h"

namespace chartly::drone {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr absl::Duration kLongestRetry = absl::Minutes(1);
constexpr absl::Duration kShortestWait = absl::Milliseconds(100);
// Certificates end by the wall clock, and waits do not go on while a machine sleeps: so it is looked at now and then.
constexpr absl::Duration kLook = absl::Minutes(1);

absl::StatusOr<x509::CertificateFacts> ReadFacts(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return x509::ReadCertificate(std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
}

absl::Status NotUsable(absl::string_view reason, const std::string& folder, const std::string& drone_id,
                       absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, reason,
               absl::StrCat(why, "; run: chartly drone join ", drone_id, " --identity-dir ", folder, " --again"),
               {{"folder", folder}});
}

}  // namespace

absl::StatusOr<JoinedIdentity> FindIdentity(const std::string& folder, const std::string& drone_id, absl::Time now) {
  const std::string path = folder + "/identity.pem";
  const absl::StatusOr<x509::CertificateFacts> facts = ReadFacts(path);
  if (!facts.ok()) {
    return NotUsable("NOT_JOINED", folder, drone_id, absl::StrCat("there is no identity of this drone in ", folder));
  }
  const rpc::DroneIdentity identity = rpc::ParseDroneIdentity(facts->uri);
  const std::string& owner = identity.drone_id;
  if (owner != drone_id) {
    return NotUsable("IDENTITY_OF_OTHER_DRONE", folder, drone_id,
                     absl::StrCat("the identity in ", folder, " is that of '", owner, "', not of '", drone_id, "'"));
  }
  if (now >= facts->not_after) {
    return NotUsable("IDENTITY_EXPIRED", folder, drone_id,
                     absl::StrCat("the identity in ", folder, " has expired: the drone was away for too long"));
  }
  return JoinedIdentity{{folder + "/authority.pem", path, path}, identity.tenant};
}

IdentityKeeper::IdentityKeeper(rpc::TlsFiles files, std::shared_ptr<grpc::Channel> auth, Clock& clock)
    : files_(std::move(files)), auth_(v1::AuthService::NewStub(std::move(auth))), clock_(clock) {}

IdentityKeeper::~IdentityKeeper() { Shutdown(); }

void IdentityKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void IdentityKeeper::Shutdown() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

absl::Status IdentityKeeper::health() const {
  absl::MutexLock lock(&mu_);
  return health_;
}

absl::StatusOr<absl::Duration> IdentityKeeper::UntilRenewal() const {
  ASSIGN_OR_RETURN(const x509::CertificateFacts facts, ReadFacts(files_.certificate));
  const absl::Time due = facts.not_before + (facts.not_after - facts.not_before) * 2 / 3;
  return std::max(due - clock_.Now(), kShortestWait);
}

void IdentityKeeper::Run() {
  absl::Duration retry = absl::Seconds(1);
  for (;;) {
    absl::StatusOr<absl::Duration> wait = UntilRenewal();
    const bool failed = !health().ok() || !wait.ok();
    if (clock_.WaitFor(failed ? retry : std::min(*wait, kLook), stop_)) return;
    if (!failed && *wait > kLook) continue;
    absl::Status renewed = Renew();
    retry = renewed.ok() ? absl::Seconds(1) : std::min(retry * 2, kLongestRetry);
    if (!renewed.ok()) LogError("certificate not renewed", {{"error", std::string(renewed.message())}});
    absl::MutexLock lock(&mu_);
    health_ = std::move(renewed);
  }
}

absl::Status IdentityKeeper::Renew() {
  ASSIGN_OR_RETURN(const std::string key, x509::MakePrivateKey());
  v1::RenewDroneRequest request;
  ASSIGN_OR_RETURN(*request.mutable_certificate_request(), x509::MakeRequest(key));
  v1::DroneCertificate answer;
  grpc::ClientContext context;
  rpc::Prepare(context, kTimeout);
  RETURN_IF_ERROR(rpc::FromGrpcStatus(auth_->RenewDrone(&context, request, &answer)));
  RETURN_IF_ERROR(x509::WriteIdentity(files_.certificate, key, answer.certificate()));
  LogInfo("certificate renewed", {});
  return absl::OkStatus();
}

}  // namespace chartly::drone
