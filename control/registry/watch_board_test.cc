#include "control/registry/watch_board.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "control/registry/registry_fixture_test.h"

namespace chartly::registry {

using testing::Eventually;

// One watcher on a thread of its own.
class Watcher {
 public:
  explicit Watcher(WatchBoard& board)
      : thread_([this, &board] {
          status_ = board.Run(
              [this](const v1::WatchProfilesResponse& message) {
                absl::MutexLock lock(&mu_);
                seen_.push_back(message.in_sync() ? "sync"
                                                  : absl::StrCat(message.deleted() ? "-" : "", message.profile().id(),
                                                                 "@", message.profile().generation()));
                return true;
              },
              [this] { return cancelled_.load(); });
          ended_ = true;
        }) {}
  ~Watcher() { Join().IgnoreError(); }
  std::vector<std::string> Seen() {
    absl::MutexLock lock(&mu_);
    return seen_;
  }
  bool Saw(const std::vector<std::string>& expected) {
    return Eventually([&] { return Seen() == expected; }, std::chrono::seconds(5));
  }
  bool EndsWithin(std::chrono::milliseconds limit) {
    return Eventually([&] { return ended_.load(); }, limit);
  }
  void Cancel() { cancelled_ = true; }
  absl::Status Join() {
    cancelled_ = true;
    if (thread_.joinable()) thread_.join();
    return status_;
  }

 private:
  absl::Mutex mu_;
  std::vector<std::string> seen_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> ended_{false};
  absl::Status status_;
  std::thread thread_;
};

TEST_CASE("a watcher gets what is there, then in_sync, then each change") {
  RegistryFixture fixture;
  WatchBoard board(fixture.registry.store());
  REQUIRE_OK(fixture.Create(ProfileText("a")));
  REQUIRE_OK(fixture.Create(ProfileText("b")));
  Watcher watcher(board);
  REQUIRE(watcher.Saw({"a@1", "b@1", "sync"}));
  REQUIRE_OK(fixture.Update("a", ProfileText("a", "1.1.0")));
  CHECK(watcher.Saw({"a@1", "b@1", "sync", "a@2"}));
  REQUIRE_OK(fixture.Delete("b"));
  CHECK(watcher.Saw({"a@1", "b@1", "sync", "a@2", "-b@2"}));
  REQUIRE_OK(fixture.Create(ProfileText("b")));
  CHECK(watcher.Saw({"a@1", "b@1", "sync", "a@2", "-b@2", "b@3"}));
}

TEST_CASE("a watch ends promptly when its caller goes and when the registry shuts down") {
  RegistryFixture fixture;
  WatchBoard board(fixture.registry.store());
  Watcher leaving(board);
  Watcher staying(board);
  REQUIRE(leaving.Saw({"sync"}));
  REQUIRE(staying.Saw({"sync"}));
  leaving.Cancel();
  CHECK(leaving.EndsWithin(std::chrono::seconds(1)));
  CHECK(absl::IsCancelled(leaving.Join()));
  board.Shutdown();
  board.Shutdown();
  CHECK(staying.EndsWithin(std::chrono::seconds(1)));
  CHECK(Reason(staying.Join()) == "SHUTTING_DOWN");
}

TEST_CASE("a watcher that does not read is told of the newest state and costs only ids") {
  RegistryFixture fixture;
  WatchBoard board(fixture.registry.store());
  REQUIRE_OK(fixture.Create(ProfileText("a")));
  absl::Notification go_on;
  std::atomic<bool> stop{false};
  absl::Mutex mu;
  std::vector<int64_t> generations;
  std::thread slow([&] {
    board
        .Run(
            [&](const v1::WatchProfilesResponse& message) {
              if (message.in_sync()) go_on.WaitForNotification();
              absl::MutexLock lock(&mu);
              generations.push_back(message.profile().generation());
              return true;
            },
            [&] { return stop.load(); })
        .IgnoreError();
  });
  for (int i = 0; i < 20; ++i) REQUIRE_OK(fixture.SetSchedule("a", absl::StrCat(i + 2, "s")));
  go_on.Notify();
  CHECK(Eventually([&] {
    absl::MutexLock lock(&mu);
    return std::find(generations.begin(), generations.end(), 21) != generations.end();
  }));
  stop = true;
  slow.join();
  CHECK(generations.size() <= 4);
}

TEST_CASE("more watches than allowed are refused") {
  RegistryFixture fixture;
  WatchBoard board(fixture.registry.store());
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < WatchBoard::kMaxWatches; ++i) watchers.push_back(std::make_unique<Watcher>(board));
  for (auto& watcher : watchers) REQUIRE(watcher->Saw({"sync"}));
  auto one_more = board.Run([](const v1::WatchProfilesResponse&) { return true; }, [] { return true; });
  CHECK(Reason(one_more) == "WATCHES_EXHAUSTED");
  board.Shutdown();
}

}  // namespace chartly::registry
