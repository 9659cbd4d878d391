// The tenants that a service answers, each with what is its own. A service finds what a call is about only through the
// tenant of its caller, so that it cannot even name what belongs to another one.
//
// Tenants come with the keys and join tokens that are made for them. A part opens one when it is first called in it.
#ifndef CHARTLY_COMMON_RPC_TENANTS_H_
#define CHARTLY_COMMON_RPC_TENANTS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/caller.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"

namespace chartly::rpc {

// Beside the default one, in each part: each has threads and memory of its own.
inline constexpr size_t kMaxTenants = 32;

// ^[a-z0-9][a-z0-9-]{0,38}$
bool IsTenant(absl::string_view name);
// ResourceExhausted (TENANTS_TOO_MANY).
absl::Status TooManyTenants();

// What a guard asks before a call goes on.
class TenantDoor {
 public:
  virtual ~TenantDoor() = default;
  // Makes everything ready for calls in `tenant`, or says why not.
  virtual absl::Status Admit(const std::string& tenant) = 0;
};

// For services that tell tenants apart themselves.
class EveryTenant final : public TenantDoor {
 public:
  absl::Status Admit(const std::string&) override { return absl::OkStatus(); }
};

// `Core` is what answers for one tenant: Start() begins its work, Shutdown() ends it, if it has these. Thread-safe. A
// core lives as long as this.
template <typename Core>
class Tenants final : public TenantDoor {
 public:
  using Make = std::function<absl::StatusOr<std::unique_ptr<Core>>(const std::string& tenant)>;

  explicit Tenants(Make make) : make_(std::move(make)) {}
  ~Tenants() override { Shutdown(); }

  // Opens these at once, the default one first.
  absl::Status Open(const std::vector<std::string>& tenants) {
    RETURN_IF_ERROR(Admit(kDefaultTenant));
    for (const std::string& tenant : tenants) RETURN_IF_ERROR(Annotate(Admit(tenant), "tenant " + tenant));
    return absl::OkStatus();
  }

  // What making it gives; ResourceExhausted (TENANTS_TOO_MANY); Unavailable (SHUTTING_DOWN).
  absl::Status Admit(const std::string& tenant) override {
    if (Find(tenant) != nullptr) return absl::OkStatus();
    absl::MutexLock making(&making_mu_);
    if (Find(tenant) != nullptr) return absl::OkStatus();
    if (stopped_) {
      return Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the part is stopping; try again soon");
    }
    if (All().size() > kMaxTenants) return TooManyTenants();
    const MetricTenant metrics(tenant);  // its threads count for it
    ASSIGN_OR_RETURN(std::unique_ptr<Core> core, make_(tenant));
    if (started_) RETURN_IF_ERROR(StartOne(*core));
    absl::MutexLock lock(&mu_);
    cores_.emplace(tenant, std::move(core));
    return absl::OkStatus();
  }

  // Requires: admitted.
  Core& Of(const Caller& caller) const { return *Find(caller.tenant); }
  // Null if nobody called in it yet.
  Core* Find(absl::string_view tenant) const {
    absl::ReaderMutexLock lock(&mu_);
    auto found = cores_.find(tenant);
    return found == cores_.end() ? nullptr : found->second.get();
  }
  // Requires: opened.
  Core& own() const { return *Find(kDefaultTenant); }
  std::vector<Core*> All() const {
    absl::ReaderMutexLock lock(&mu_);
    std::vector<Core*> all;
    for (const auto& [tenant, core] : cores_) all.push_back(core.get());
    return all;
  }

  // Starts what is open, and from now on each that is opened.
  absl::Status Start() {
    absl::MutexLock making(&making_mu_);
    started_ = true;
    absl::ReaderMutexLock lock(&mu_);
    for (const auto& [tenant, core] : cores_) {
      const MetricTenant metrics(tenant);
      RETURN_IF_ERROR(StartOne(*core));
    }
    return absl::OkStatus();
  }
  // No more are opened. Safe twice.
  void Shutdown() {
    {
      absl::MutexLock making(&making_mu_);
      stopped_ = true;
    }
    if constexpr (requires(Core & core) { core.Shutdown(); }) {
      for (Core* core : All()) core->Shutdown();
    }
  }

  // Empty if all are well; else what is wrong with the first that is not.
  std::string Health() const {
    return FirstTold([](Core& core) { return core.Health(); });
  }
  // The same of what no restart mends.
  std::string Amiss() const {
    return FirstTold([](Core& core) { return core.Amiss(); });
  }

 private:
  template <typename Tell>
  std::string FirstTold(Tell tell) const {
    absl::ReaderMutexLock lock(&mu_);
    for (const auto& [tenant, core] : cores_) {
      std::string told = tell(*core);
      if (!told.empty()) return tenant == kDefaultTenant ? told : "tenant " + tenant + ": " + told;
    }
    return "";
  }

  static absl::Status StartOne(Core& core) {
    if constexpr (requires { core.Start(); }) return core.Start();
    return absl::OkStatus();
  }

  const Make make_;
  absl::Mutex making_mu_;  // held while one is made
  bool started_ ABSL_GUARDED_BY(making_mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(making_mu_) = false;
  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(making_mu_);
  std::map<std::string, std::unique_ptr<Core>, std::less<>> cores_ ABSL_GUARDED_BY(mu_);
};

}  // namespace chartly::rpc

#endif  // CHARTLY_COMMON_RPC_TENANTS_H_
