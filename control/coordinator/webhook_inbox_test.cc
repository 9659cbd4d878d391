#include "control/coordinator/webhook_inbox.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

using testing::TempDir;

v1::WebhookDelivery DeliveryOf(const std::string& id, const std::string& body) {
  v1::WebhookDelivery delivery;
  delivery.set_delivery_id(id);
  delivery.set_body(body);
  return delivery;
}

class Fixture {
 public:
  explicit Fixture(WebhookInboxOptions options = {}) : options_(options) { Open(); }
  // As after a crash: what is not on disk is gone.
  void Open() {
    inbox.reset();
    store.reset();
    absl::StatusOr<std::unique_ptr<StateStore>> opened = OpenEmbeddedStateStore(dir_.File("state"), clock);
    REQUIRE_OK(opened);
    store = *std::move(opened);
    inbox = std::make_unique<WebhookInbox>(options_, *store, clock);
    REQUIRE_OK(inbox->Load());
  }
  absl::StatusOr<bool> Take(const std::string& id, const std::string& body, const std::string& profile = "p") {
    return inbox->Take(profile, DeliveryOf(id, body), absl::Minutes(10));
  }
  std::string Refusal(const std::string& id, const std::string& body) {
    absl::StatusOr<bool> taken = Take(id, body);
    return taken.ok() ? "taken" : Reason(taken.status());
  }
  // The bodies of the next batch, with blanks between.
  std::string Next(const std::string& revision = "r1", WebhookInbox::BatchLimits limits = {}) {
    std::string bodies;
    for (int64_t sequence : Batch(revision, limits)) {
      absl::StrAppend(&bodies, bodies.empty() ? "" : " ", inbox->Read("p", sequence)->body());
    }
    return bodies;
  }
  std::vector<int64_t> Batch(const std::string& revision = "r1", WebhookInbox::BatchLimits limits = {}) {
    return inbox->Batch("p", revision, limits, {});
  }
  void Commit(const StateTransaction& transaction) { REQUIRE_OK(store->Commit(transaction)); }

  FakeClock clock;
  std::unique_ptr<StateStore> store;
  std::unique_ptr<WebhookInbox> inbox;

 private:
  TempDir dir_;
  const WebhookInboxOptions options_;
};

}  // namespace

TEST_CASE("deliveries wait in order, each profile's apart, and survive a restart") {
  Fixture fixture;
  CHECK(fixture.Take("1", "a").value());
  CHECK(fixture.Take("2", "b").value());
  CHECK(fixture.Take("1", "other", "q").value());
  fixture.Open();
  CHECK(fixture.Next() == "a b");
  CHECK(fixture.Take("3", "c").value());
  CHECK(fixture.Next() == "a b c");
  CHECK(fixture.inbox->totals().waiting == 4);
}

TEST_CASE("the same id is taken once while it is held, and never with another body") {
  Fixture fixture;
  CHECK(fixture.Take("1", "a").value());
  CHECK_FALSE(fixture.Take("1", "a").value());
  fixture.Open();
  CHECK_FALSE(fixture.Take("1", "a").value());
  CHECK(fixture.Refusal("1", "b") == "WEBHOOK_ID_REUSED");
  CHECK(fixture.Next() == "a");
  fixture.clock.Advance(absl::Minutes(11));
  REQUIRE_OK(fixture.inbox->ForgetOldIds());
  CHECK(fixture.store->Range("webhook/seen/")->empty());
  CHECK(fixture.Take("1", "b").value());
}

TEST_CASE("a batch keeps within its limits, but is never empty while something waits") {
  Fixture fixture;
  for (const char* id : {"1", "2", "3", "4"}) REQUIRE_OK(fixture.Take(id, std::string(1000, *id)));
  CHECK(fixture.Batch("r1", {.count = 3}).size() == 3);
  CHECK(fixture.Batch("r1", {.bytes = 3100}).size() == 2);
  CHECK(fixture.Batch("r1", {.bytes = 10}).size() == 1);
  std::vector<int64_t> first = fixture.Batch("r1", {.count = 2});
  std::vector<int64_t> rest = fixture.inbox->Batch("p", "r1", {}, {first.begin(), first.end()});
  CHECK(rest.size() == 2);
  CHECK(rest[0] > first[1]);
}

TEST_CASE("what is dropped is gone only with the transaction of its run") {
  Fixture fixture;
  REQUIRE_OK(fixture.Take("1", "a"));
  REQUIRE_OK(fixture.Take("2", "b"));
  StateTransaction transaction;
  fixture.inbox->Drop("p", {fixture.Batch()[0]}, transaction);
  CHECK(fixture.Next() == "b");
  fixture.Open();
  CHECK(fixture.Next() == "a b");
  transaction = {};
  fixture.inbox->Drop("p", {fixture.Batch()[0]}, transaction);
  fixture.Commit(transaction);
  fixture.Open();
  CHECK(fixture.Next() == "b");
  CHECK(fixture.store->Range("webhook/body/")->size() == 1);
  CHECK_FALSE(fixture.Take("1", "a").value());
}

TEST_CASE("a delivery that no run can take is found by halves, set aside, and tried with another revision") {
  Fixture fixture;
  for (const char* body : {"a", "bad", "c", "d"}) REQUIRE_OK(fixture.Take(body, body));
  StateTransaction transaction;
  int runs = 0;
  std::string stored;
  while (!fixture.Batch().empty() && ++runs < 20) {
    std::string bodies = fixture.Next();
    if (bodies.find("bad") != std::string::npos) {
      fixture.inbox->Narrow("p", fixture.Batch(), "r1", transaction);
    } else {
      absl::StrAppend(&stored, bodies, " ");
      fixture.inbox->Drop("p", fixture.Batch(), transaction);
    }
  }
  CHECK(stored == "a c d ");
  CHECK(fixture.inbox->totals().aside == 1);
  fixture.Commit(transaction);
  fixture.Open();
  CHECK(fixture.inbox->totals().aside == 1);
  CHECK(fixture.Next("r1").empty());
  CHECK(fixture.Next("r2") == "bad");
  transaction = {};
  fixture.inbox->Narrow("p", fixture.Batch("r2"), "r2", transaction);
  fixture.inbox->Forget("p", transaction);
  fixture.Commit(transaction);
  CHECK(fixture.inbox->totals().aside == 0);
  fixture.Open();
  CHECK(fixture.inbox->totals().waiting == 0);
}

TEST_CASE("more bytes than a profile may have waiting are refused with a time to come back") {
  Fixture fixture({.bytes_max = 3000});
  CHECK(fixture.Take("1", std::string(1000, 'x')).value());
  absl::Status full = fixture.Take("2", std::string(2000, 'x')).status();
  CHECK(Reason(full) == "WEBHOOK_BACKLOG_FULL");
  CHECK(Details(full)["retry_after_seconds"] == "60");
  StateTransaction transaction;
  fixture.inbox->Drop("p", fixture.Batch(), transaction);
  CHECK(fixture.Take("2", std::string(2000, 'x')).value());
}

TEST_CASE("more deliveries than a profile may have a minute are refused until time has passed") {
  Fixture fixture({.per_minute = 60});
  for (int i = 0; i < 60; ++i) REQUIRE_OK(fixture.Take(absl::StrCat(i), "x"));
  absl::Status limited = fixture.Take("60", "x").status();
  CHECK(Reason(limited) == "WEBHOOK_RATE_LIMITED");
  CHECK(Details(limited)["retry_after_seconds"] == "1");
  CHECK_FALSE(fixture.Take("59", "x").value());
  fixture.clock.Advance(absl::Seconds(1));
  CHECK(fixture.Take("60", "x").value());
  CHECK(fixture.Refusal("61", "x") == "WEBHOOK_RATE_LIMITED");
}

}  // namespace chartly::coordinator
