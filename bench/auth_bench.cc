// Headline figure: what it costs to find out who calls and whether they may, per call.
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/bench_report.h"
#include "common/clock/clock.h"
#include "common/rpc/access.h"
#include "common/rpc/authenticator.h"
#include "control/auth/auth_component.h"

namespace chartly::bench {
namespace {

constexpr int kKeys = 1000;
constexpr double kGoalMicroseconds = 5;

// Microseconds a check, the median of five rounds.
double Measure(int checks, const std::function<bool(int)>& check) {
  std::vector<double> rounds;
  for (int round = 0; round < 5; ++round) {
    Stopwatch watch;
    int good = 0;
    for (int i = 0; i < checks; ++i) good += check(i) ? 1 : 0;
    if (good != checks) RequireOk(absl::InternalError("a check was refused"), "checks");
    rounds.push_back(watch.Wall() * 1e6 / checks);
  }
  return Median(rounds);
}

void Report(const std::string& name, double microseconds) {
  std::printf("  %-28s %8.3f us\n", name.c_str(), microseconds);
  RecordFigure({"check of a caller, one core", "ours", name, microseconds, "us", true, kGoalMicroseconds});
}

std::vector<std::string> MakeKeys(auth::KeyBook& book) {
  std::vector<std::string> secrets;
  for (int i = 0; i < kKeys; ++i) {
    v1::CreateKeyRequest request;
    request.set_key_id(absl::StrCat("k", i));
    request.set_role("operator");
    auto issued = book.Create(request, {});
    RequireOk(issued.status(), "a key");
    secrets.push_back(issued->secret());
  }
  return secrets;
}

int Run(const BenchFlags& flags) {
  const int checks = flags.quick ? 200'000 : 2'000'000;
  BenchDir dir(flags.dir);
  SystemClock clock;
  rpc::KeyAuthenticator authenticator{{{"admin", "chk_admin"}, {"registry-key", "another"}}};
  auto component = auth::AuthComponent::Open({dir.path()}, authenticator, nullptr, clock);
  RequireOk(component.status(), "auth");
  authenticator.SetDirectory(**component);
  const std::vector<std::string> secrets = MakeKeys((*component)->keys());
  auto may = [&](const rpc::Credentials& credentials, v1::Access access) {
    auto caller = authenticator.Authenticate(credentials);
    return caller.ok() && rpc::CheckAccess(access, *caller, "Method").ok();
  };
  std::printf("Who calls, and may they, with %d keys\n", kKeys);
  Report("without a key", Measure(checks, [&](int) { return may({}, v1::ACCESS_VIEWER); }));
  Report("key of the deployment",
         Measure(checks, [&](int) { return may({.api_key = "chk_admin", .identity = ""}, v1::ACCESS_ADMIN); }));
  Report("key that was made", Measure(checks, [&](int i) {
           return may({.api_key = secrets[i % kKeys], .identity = ""}, v1::ACCESS_OPERATOR);
         }));
  std::printf("  %-28s %8.3f us\n", "goal", kGoalMicroseconds);
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(chartly::bench::ParseFlags(argc, argv)); }
