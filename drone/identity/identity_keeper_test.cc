// When a drone renews its certificate, as the clock of its host goes.
#include "drone/identity/identity_keeper.h"

#include <algorithm>

#include "common/rpc/peers.h"
#include "common/status/status.h"
#include "common/x509/authority.h"
#include "common/x509/certificate.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

// A host that sleeps: whatever is waited for, the wall clock has moved on by what the test says.
class SleepyClock final : public Clock {
 public:
  SleepyClock(absl::Time start, absl::Duration sleep) : now_(start), sleep_(sleep) {}
  absl::Time Now() const override {
    absl::MutexLock lock(&mu_);
    return now_;
  }
  bool WaitFor(absl::Duration duration, const absl::Notification& stop) override {
    {
      absl::MutexLock lock(&mu_);
      longest_ = std::max(longest_, duration);
      now_ += sleep_;
    }
    return stop.WaitForNotificationWithTimeout(absl::Milliseconds(1));
  }
  absl::Duration longest() const {
    absl::MutexLock lock(&mu_);
    return longest_;
  }

 private:
  mutable absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_);
  const absl::Duration sleep_;
  absl::Duration longest_ ABSL_GUARDED_BY(mu_);
};

constexpr absl::Duration kLife = absl::Hours(24 * 7);

// A certificate of a week, and nobody who would renew it: that it is tried shows in the health.
struct Joined {
  testing::TempDir dir;
  const absl::Time start = absl::UnixEpoch() + absl::Hours(24 * 365 * 50);
  rpc::TlsFiles files{dir.File("authority.pem"), dir.File("identity.pem"), dir.File("identity.pem")};

  Joined() {
    auto authority = x509::Authority::LoadOrCreate(dir.path(), start);
    REQUIRE_OK(authority);
    auto key = x509::MakePrivateKey();
    REQUIRE_OK(key);
    x509::CertificateTerms terms;
    terms.uri = "spiffe://chartly/drone/d1/e1";
    terms.not_before = start;
    terms.not_after = start + kLife;
    auto certificate = authority->Sign(*x509::MakeRequest(*key), terms);
    REQUIRE_OK(certificate);
    REQUIRE_OK(x509::WriteIdentity(files.certificate, *key, *certificate));
  }
};

}  // namespace

TEST_CASE("a drone whose host sleeps much renews by the wall clock, not after so many hours awake") {
  Joined joined;
  SleepyClock clock(joined.start, absl::Hours(16));
  IdentityKeeper keeper(joined.files, rpc::MakeChannel("127.0.0.1:1", "", joined.files), clock);
  keeper.Start();
  REQUIRE(testing::Eventually([&] { return !keeper.health().ok(); }));
  keeper.Shutdown();
  CHECK(clock.longest() <= absl::Minutes(1));
}

TEST_CASE("a certificate is not renewed before two thirds of its life") {
  Joined joined;
  SleepyClock clock(joined.start, absl::ZeroDuration());
  IdentityKeeper keeper(joined.files, rpc::MakeChannel("127.0.0.1:1", "", joined.files), clock);
  keeper.Start();
  REQUIRE(testing::Eventually([&] { return clock.longest() > absl::ZeroDuration(); }));
  keeper.Shutdown();
  CHECK_OK(keeper.health());
}

}  // namespace chartly::drone
