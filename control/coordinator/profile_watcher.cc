#include "control/coordinator/profile_watcher.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "chartly/v1/registry.grpc.pb.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::coordinator {
namespace {

constexpr absl::Duration kFirstWait = absl::Milliseconds(50);
constexpr absl::Duration kLongestWait = absl::Seconds(2);
constexpr absl::Duration kRefreshTimeout = absl::Seconds(5);
// What a registry that has just come back needs to be found again; one that is away holds a call up for so long.
constexpr absl::Duration kReconnectTimeout = absl::Seconds(1);

}  // namespace

void ProfileWatcher::Start() {
  thread_ = std::thread([this, tenant = MetricTenant::Current()] {
    const MetricTenant metrics(tenant);
    Loop();
  });
}

void ProfileWatcher::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    if (!stop_.HasBeenNotified()) stop_.Notify();
    if (current_ != nullptr) current_->TryCancel();
  }
  if (thread_.joinable()) thread_.join();
}

void ProfileWatcher::Loop() {
  absl::Duration wait = kFirstWait;
  bool told = false;
  while (!stop_.HasBeenNotified()) {
    absl::Status status = Follow();
    // A stream that worked begins the waits anew; only the first failure in a row is worth a line.
    if (in_sync_.exchange(false)) {
      wait = kFirstWait;
      told = false;
    }
    if (stop_.HasBeenNotified()) return;
    if (!told) {
      LogWarn("profile watch broke", {{"registry", peers_.Address(Part::kRegistry)}, {"status", status.ToString()}});
      told = true;
    }
    if (clock_.WaitFor(wait, stop_)) return;
    wait = std::min(2 * wait, kLongestWait);
  }
}

absl::Status ProfileWatcher::Follow() {
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mu_);
    if (stop_.HasBeenNotified()) return absl::OkStatus();
    current_ = &context;
  }
  auto stub = v1::RegistryService::NewStub(peers_.Channel(Part::kRegistry));
  auto reader = stub->WatchProfiles(&context, v1::WatchProfilesRequest());
  std::set<std::string> seen;
  v1::WatchProfilesResponse change;
  while (reader->Read(&change)) {
    const std::string& id = change.profile().id();
    if (change.deleted()) {
      coordinator_.RemoveProfile(id);
      seen.erase(id);
    } else if (!id.empty()) {
      coordinator_.SetProfile(change.profile());
      if (!in_sync_) seen.insert(id);
    }
    if (change.in_sync() && !in_sync_) {
      // What was not sent is gone since the stream before.
      coordinator_.RetainProfiles(seen);
      in_sync_ = true;
    }
  }
  absl::Status status = rpc::FromGrpcStatus(reader->Finish());
  absl::MutexLock lock(&mu_);
  current_ = nullptr;
  return status;
}

absl::StatusOr<v1::Profile> ProfileWatcher::Ask(const std::string& profile_id, absl::Duration timeout,
                                                bool wait_for_ready) const {
  grpc::ClientContext context;
  rpc::Prepare(context, timeout);
  context.set_wait_for_ready(wait_for_ready);
  v1::GetProfileRequest request;
  request.set_name(absl::StrCat("profiles/", profile_id, "@prod"));  // what runs
  v1::Profile profile;
  auto stub = v1::RegistryService::NewStub(peers_.Channel(Part::kRegistry));
  RETURN_IF_ERROR(rpc::FromGrpcStatus(stub->GetProfile(&context, request, &profile)));
  return profile;
}

absl::Status ProfileWatcher::Refresh(const std::string& profile_id, bool wait) {
  absl::StatusOr<v1::Profile> profile = Ask(profile_id, kRefreshTimeout, false);
  if (wait && absl::IsUnavailable(profile.status())) {
    // The channel says so for up to two seconds after the registry is back, without another look.
    grpc::experimental::ChannelResetConnectionBackoff(peers_.Channel(Part::kRegistry).get());
    absl::StatusOr<v1::Profile> again = Ask(profile_id, kReconnectTimeout, true);
    if (!absl::IsDeadlineExceeded(again.status())) profile = std::move(again);
  }
  if (profile.ok()) coordinator_.SetProfile(*profile);
  if (absl::IsNotFound(profile.status())) coordinator_.RemoveProfile(profile_id);
  return Annotate(profile.status(), absl::StrCat("ask the registry at ", peers_.Address(Part::kRegistry)));
}

}  // namespace chartly::coordinator
