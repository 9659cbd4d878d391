// The tests that every StateStore must pass. Call RunStateStoreBattery from one TEST_CASE of each implementation.
#ifndef CHARTLY_COMMON_STATE_STATE_STORE_BATTERY_H_
#define CHARTLY_COMMON_STATE_STATE_STORE_BATTERY_H_

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/state/state_store.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::testing {

// Opens the store of a path anew; the one before it is gone by then.
using StateStoreFactory =
    std::function<absl::StatusOr<std::unique_ptr<StateStore>>(const std::string& path, Clock& clock)>;

// Keeps what a watch delivered.
class ChangeLog {
 public:
  void Watch(StateStore& store, const std::string& prefix) {
    subscription_ = store.Watch(prefix, [this](const StateChange& change) {
      absl::MutexLock lock(&mu_);
      changes_.push_back(change);
    });
  }
  void Stop() { subscription_.reset(); }
  std::vector<StateChange> Changes() const {
    absl::MutexLock lock(&mu_);
    return changes_;
  }
  // Waits for `count` changes; "key=value" or "-key" for each.
  std::vector<std::string> Wait(size_t count) const {
    Eventually([&] { return Changes().size() >= count; });
    std::vector<std::string> texts;
    for (const StateChange& change : Changes()) {
      texts.push_back(change.deleted ? "-" + change.entry.key : change.entry.key + "=" + change.entry.value);
    }
    return texts;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<StateChange> changes_;
  std::unique_ptr<StateStore::Subscription> subscription_;
};

inline std::vector<std::string> Keys(const absl::StatusOr<std::vector<StateEntry>>& entries) {
  REQUIRE_OK(entries);
  std::vector<std::string> keys;
  for (const StateEntry& entry : *entries) keys.push_back(entry.key);
  return keys;
}

inline int64_t PutOne(StateStore& store, const std::string& key, const std::string& value, int64_t lease = 0) {
  StateTransaction transaction;
  transaction.puts.push_back({key, value, lease});
  auto revision = store.Commit(transaction);
  REQUIRE_OK(revision);
  return *revision;
}

inline void DeleteOne(StateStore& store, const std::string& key) {
  StateTransaction transaction;
  transaction.deletes.push_back(key);
  REQUIRE_OK(store.Commit(transaction));
}

inline void CheckTransactions(StateStore& store) {
  int64_t first = PutOne(store, "a", "1");
  StateTransaction both;
  both.conditions = {{"a", first}, {"b", 0}};
  both.puts = {{"b", "2"}, {"c", "3"}};
  both.deletes = {"a"};
  auto second = store.Commit(both);
  REQUIRE_OK(second);
  CHECK(*second == first + 1);
  CHECK(absl::IsNotFound(store.Get("a").status()));
  CHECK(store.Get("b")->revision == *second);
  CHECK(store.Get("c")->value == "3");

  both.puts = {{"b", "9"}};
  both.deletes = {"c"};
  auto refused = store.Commit(both);  // b is there now
  CHECK(refused.status().code() == absl::StatusCode::kAborted);
  CHECK(Reason(refused.status()) == "STATE_CONFLICT");
  CHECK(store.Get("b")->value == "2");
  CHECK(store.Get("c")->revision == *second);

  StateTransaction twice;
  twice.puts = {{"d", "1"}, {"d", "2"}};
  CHECK(absl::IsInvalidArgument(store.Commit(twice).status()));
  StateTransaction nothing;
  nothing.deletes = {"absent"};
  CHECK(store.Commit(nothing).value() == *second);
  CHECK(PutOne(store, "d", "") == *second + 1);
  CHECK(store.Get("d")->value.empty());
}

inline void CheckRanges(StateStore& store) {
  for (const char* key : {"p/a", "p/b", "p/c", "p0", "o", "p/"}) PutOne(store, key, key);
  PutOne(store, std::string("p/\xff\xff"), "high");
  using List = std::vector<std::string>;
  CHECK(Keys(store.Range("p/")) == List{"p/", "p/a", "p/b", "p/c", "p/\xff\xff"});
  CHECK(Keys(store.Range("p/", "p/b")) == List{"p/b", "p/c", "p/\xff\xff"});
  CHECK(Keys(store.Range("p/", "p/aa", 1)) == List{"p/b"});
  CHECK(Keys(store.Range("p/", "a")).size() == 5);
  CHECK(Keys(store.Range("p/", "q")).empty());
  CHECK(Keys(store.Range("p/", "", 2, true)) == List{"p/\xff\xff", "p/c"});
  CHECK(Keys(store.Range("p/", "p/b", 0, true)) == List{"p/a", "p/"});
  CHECK(Keys(store.Range("p/", "z", 1, true)) == List{"p/\xff\xff"});
  CHECK(Keys(store.Range("p/", "o", 0, true)).empty());
  CHECK(Keys(store.Range("")).size() == 7);
  CHECK(Keys(store.Range("x")).empty());
}

inline void CheckWatch(StateStore& store) {
  PutOne(store, "w/before", "1");
  ChangeLog log;
  log.Watch(store, "w/");
  ChangeLog other;
  other.Watch(store, "x/");
  for (int i = 0; i < 200; ++i) PutOne(store, absl::StrCat("w/", i % 7), absl::StrCat(i));
  PutOne(store, "v/unwatched", "1");
  DeleteOne(store, "w/3");
  auto texts = log.Wait(201);
  REQUIRE(texts.size() == 201);
  for (int i = 0; i < 200; ++i) CHECK(texts[i] == absl::StrCat("w/", i % 7, "=", i));
  CHECK(texts[200] == "-w/3");
  auto changes = log.Changes();
  for (size_t i = 1; i < changes.size(); ++i) CHECK(changes[i].entry.revision > changes[i - 1].entry.revision);
  log.Stop();
  PutOne(store, "w/after", "1");
  PutOne(store, "x/last", "1");
  CHECK(other.Wait(1) == std::vector<std::string>{"x/last=1"});
  CHECK(log.Changes().size() == 201);
}

inline void CheckLeases(StateStore& store, FakeClock& clock) {
  ChangeLog log;
  log.Watch(store, "l/");
  int64_t lease = store.GrantLease(absl::Seconds(10)).value();
  int64_t other = store.GrantLease(absl::Seconds(1000)).value();
  CHECK(lease != other);
  PutOne(store, "l/a", "1", lease);
  PutOne(store, "l/b", "1", lease);
  PutOne(store, "l/c", "1", lease);
  PutOne(store, "l/b", "2");         // no longer goes with the lease
  PutOne(store, "l/c", "2", other);  // goes with another
  clock.Advance(absl::Seconds(9));
  REQUIRE_OK(store.RenewLease(lease));
  clock.Advance(absl::Seconds(9));
  REQUIRE_OK(store.RenewLease(lease));
  CHECK_OK(store.Get("l/a"));
  clock.Advance(absl::Seconds(10));
  CHECK(Reason(store.RenewLease(lease)) == "LEASE_NOT_FOUND");
  StateTransaction late;
  late.puts = {{"l/late", "1", lease}};
  CHECK(absl::IsNotFound(store.Commit(late).status()));
  CHECK(Eventually([&] { return absl::IsNotFound(store.Get("l/a").status()); }));
  CHECK(Keys(store.Range("l/")) == std::vector<std::string>{"l/b", "l/c"});
  REQUIRE_OK(store.RevokeLease(other));
  CHECK(Keys(store.Range("l/")) == std::vector<std::string>{"l/b"});
  CHECK(absl::IsNotFound(store.RevokeLease(other)));
  CHECK(log.Wait(7) == std::vector<std::string>{"l/a=1", "l/b=1", "l/c=1", "l/b=2", "l/c=2", "-l/a", "-l/c"});
  CHECK(absl::IsInvalidArgument(store.GrantLease(absl::ZeroDuration()).status()));
}

inline void CheckReopen(const StateStoreFactory& open, FakeClock& clock) {
  TempDir dir;
  const std::string large(1 << 20, 'x');
  int64_t revision = 0;
  int64_t lease = 0;
  {
    auto store = open(dir.File("s"), clock);
    REQUIRE_OK(store);
    PutOne(**store, "large", large);
    lease = (*store)->GrantLease(absl::Seconds(10)).value();
    revision = PutOne(**store, "leased", "1", lease);
  }
  clock.Advance(absl::Minutes(5));
  auto store = open(dir.File("s"), clock);
  REQUIRE_OK(store);
  CHECK((*store)->Get("large")->value == large);
  CHECK((*store)->Get("leased")->revision == revision);
  CHECK_OK((*store)->RenewLease(lease));
  CHECK((*store)->GrantLease(absl::Seconds(1)).value() > lease);
  CHECK(PutOne(**store, "next", "1") == revision + 1);
  clock.Advance(absl::Seconds(11));
  CHECK(Eventually([&] { return absl::IsNotFound((*store)->Get("leased").status()); }));
}

// Random transactions against a map; the watch alone must rebuild the same map.
inline void CheckAgainstModel(StateStore& store) {
  std::mt19937 random(20240229);
  std::map<std::string, StateEntry> model;
  ChangeLog log;
  log.Watch(store, "");
  size_t expected_changes = 0;
  for (int step = 0; step < 300; ++step) {
    StateTransaction transaction;
    bool holds = true;
    for (int key = 0; key < 8; ++key) {
      std::string name = absl::StrCat("k", key);
      auto found = model.find(name);
      int64_t current = found == model.end() ? 0 : found->second.revision;
      if (random() % 10 == 0) {
        bool right = random() % 3 != 0;
        transaction.conditions.push_back({name, right ? current : current + 1});
        holds = holds && right;
      }
      if (random() % 4 == 0)
        transaction.puts.push_back({name, absl::StrCat(step)});
      else if (random() % 4 == 0)
        transaction.deletes.push_back(name);
    }
    auto revision = store.Commit(transaction);
    CHECK(revision.ok() == holds);
    if (!revision.ok()) continue;
    for (const auto& put : transaction.puts) model[put.key] = {put.key, put.value, *revision};
    for (const auto& key : transaction.deletes) expected_changes += model.erase(key);
    expected_changes += transaction.puts.size();
  }
  std::map<std::string, std::string> replayed;
  log.Wait(expected_changes);
  for (const StateChange& change : log.Changes()) {
    if (change.deleted)
      replayed.erase(change.entry.key);
    else
      replayed[change.entry.key] = change.entry.value;
  }
  auto entries = store.Range("");
  REQUIRE_OK(entries);
  REQUIRE(entries->size() == model.size());
  CHECK(replayed.size() == model.size());
  for (const StateEntry& entry : *entries) {
    CHECK(model[entry.key].value == entry.value);
    CHECK(model[entry.key].revision == entry.revision);
    CHECK(replayed[entry.key] == entry.value);
  }
}

inline void CheckRacingWriters(StateStore& store) {
  PutOne(store, "counter", "0");
  auto add = [&] {
    for (int added = 0; added < 20;) {
      StateEntry entry = store.Get("counter").value();
      StateTransaction transaction;
      transaction.conditions = {{"counter", entry.revision}};
      transaction.puts = {{"counter", absl::StrCat(std::stoi(entry.value) + 1)}};
      if (store.Commit(transaction).ok()) ++added;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(add);
  for (std::thread& thread : threads) thread.join();
  CHECK(store.Get("counter")->value == "80");
}

inline void RunStateStoreBattery(const StateStoreFactory& open) {
  TempDir dir;
  FakeClock clock;
  auto opened = open(dir.File("store"), clock);
  REQUIRE_OK(opened);
  StateStore& store = **opened;
  SECTION("a transaction is done as a whole, only if its conditions hold") { CheckTransactions(store); }
  SECTION("ranges are in byte order, forwards and backwards") { CheckRanges(store); }
  SECTION("a watcher hears every later change in order, and nothing once it is gone") { CheckWatch(store); }
  SECTION("keys go with their lease") { CheckLeases(store, clock); }
  SECTION("everything is there again after a reopen") { CheckReopen(open, clock); }
  SECTION("random transactions behave as a map") { CheckAgainstModel(store); }
  SECTION("of racing writers with a condition, one wins each round") { CheckRacingWriters(store); }
}

}  // namespace chartly::testing

#endif  // CHARTLY_COMMON_STATE_STATE_STORE_BATTERY_H_
