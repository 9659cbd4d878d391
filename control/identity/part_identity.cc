#include "control/identity/part_identity.h"

#include <algorithm>
#include <utility>

#include "common/rpc/drone_identity.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "common/x509/certificate.h"

namespace chartly::control {
namespace {

// How often it is seen whether it is time, at most.
constexpr absl::Duration kLook = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<PartIdentity>> PartIdentity::Create(PartIdentityOptions options, Clock& clock) {
  ASSIGN_OR_RETURN(x509::Authority authority, x509::Authority::LoadOrCreate(options.authority_dir, clock.Now()));
  std::unique_ptr<PartIdentity> made(new PartIdentity(std::move(options), std::move(authority), clock));
  RETURN_IF_ERROR(made->RenewIfDue());
  return made;
}

PartIdentity::PartIdentity(PartIdentityOptions options, x509::Authority authority, Clock& clock)
    : options_(std::move(options)),
      authority_(std::move(authority)),
      files_{options_.authority_dir + "/authority.pem", options_.file, options_.file},
      clock_(clock) {}

PartIdentity::~PartIdentity() { Shutdown(); }

void PartIdentity::Start() {
  // Short looks at the wall clock and not one long wait: a machine that slept, or whose clock was set, has a
  // certificate that is good again soon after.
  thread_ = std::thread([this] {
    while (!clock_.WaitFor(std::min(kLook, options_.life / 20), stop_)) {
      if (absl::Status renewed = RenewIfDue(); !renewed.ok()) {
        LogError("certificate not renewed", {{"error", std::string(renewed.message())}});
      }
    }
  });
}

void PartIdentity::Shutdown() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

absl::Status PartIdentity::health() const {
  absl::MutexLock lock(&mu_);
  return health_;
}

absl::Status PartIdentity::RenewIfDue() {
  absl::MutexLock lock(&mu_);
  const absl::Time now = clock_.Now();
  if (now >= not_before_ && now < not_before_ + options_.life * 2 / 3) return absl::OkStatus();
  health_ = Renew(now);
  Count("chartly_certificate_renewals_total", 1, health_.ok() ? "renewed" : "failed");
  if (!health_.ok()) return health_;
  not_before_ = now;
  SetGauge("chartly_certificate_expire_time_seconds", absl::ToDoubleSeconds(now + options_.life - absl::UnixEpoch()));
  return absl::OkStatus();
}

absl::Status PartIdentity::Renew(absl::Time now) {
  ASSIGN_OR_RETURN(const std::string key, x509::MakePrivateKey());
  ASSIGN_OR_RETURN(const std::string request, x509::MakeRequest(key));
  x509::CertificateTerms terms;
  terms.uri = rpc::kControlPlaneUri;
  terms.dns_names = {rpc::kControlPlaneName};
  terms.usage = x509::Usage::kServerAndClient;
  terms.not_before = now;
  terms.not_after = now + options_.life;
  ASSIGN_OR_RETURN(const std::string certificate, authority_.Sign(request, terms));
  return x509::WriteIdentity(options_.file, key, certificate);
}

}  // namespace chartly::control
