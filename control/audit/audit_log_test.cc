#include "control/audit/audit_log.h"

#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::audit {

struct LogFixture {
  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<StateStore> store = OpenEmbeddedStateStore(dir.File("s"), clock).value();
  AuditLog log{*store, clock};

  absl::StatusOr<v1::AuditEvent> Append(const std::string& action, const std::string& subject = "profiles/x") {
    v1::AppendAuditEventRequest request;
    request.mutable_event()->set_actor("admin");
    request.mutable_event()->set_action(action);
    request.mutable_event()->set_subject(subject);
    request.mutable_event()->set_outcome("OK");
    request.mutable_event()->set_request_id("r-1");
    return log.Append(request);
  }
  void Overwrite(const std::string& key, const std::string& value) {
    StateTransaction transaction;
    transaction.puts = {{key, value}};
    REQUIRE_OK(store->Commit(transaction));
  }
};

TEST_CASE("events are numbered, chained and listed newest first") {
  LogFixture fixture;
  for (int i = 1; i <= 5; ++i) {
    fixture.clock.Advance(absl::Seconds(1));
    auto event = fixture.Append(absl::StrCat("profile.create.", i));
    REQUIRE_OK(event);
    CHECK(event->seq() == i);
    CHECK(event->hash().size() == 64);
    CHECK(event->prev_hash().size() == (i == 1 ? 0 : 64));
  }
  v1::ListAuditEventsRequest request;
  request.set_limit(2);  // the earlier API's word
  auto page = fixture.log.List(request);
  REQUIRE_OK(page);
  REQUIRE(page->events_size() == 2);
  CHECK(page->events(0).seq() == 5);
  CHECK(page->events(0).prev_hash() == page->events(1).hash());
  request.set_page_token(page->next_page_token());
  request.set_page_size(1000);
  page = fixture.log.List(request);
  REQUIRE(page->events_size() == 3);
  CHECK(page->events(2).seq() == 1);
  CHECK(page->next_page_token().empty());
  CHECK(fixture.log.Verify()->seq == 5);
}

TEST_CASE("the hash is the one that docs/formats/audit.md computes") {
  v1::AuditEvent event;
  event.set_seq(1);
  event.mutable_time()->set_seconds(1767225600);
  event.mutable_time()->set_nanos(500000000);
  event.set_actor("admin");
  event.set_action("RegistryService.CreateProfile");
  event.set_subject("profiles/gdp");
  event.set_outcome("OK");
  event.set_request_id("r-1");
  CHECK(HashOf(event) == "4dc772993cdb412166739519cfd079e7e6717e9f315aaa6539a7f285d33a1131");
}

TEST_CASE("the log takes its own number, time and hashes, whatever the request says") {
  LogFixture fixture;
  v1::AppendAuditEventRequest request;
  request.mutable_event()->set_action("a");
  request.mutable_event()->set_seq(77);
  request.mutable_event()->set_hash("mine");
  request.mutable_event()->mutable_time()->set_seconds(1);
  auto event = fixture.log.Append(request);
  REQUIRE_OK(event);
  CHECK(event->seq() == 1);
  CHECK(event->hash() == HashOf(*event));
  CHECK(event->time().seconds() == absl::ToUnixSeconds(fixture.clock.Now()));
  CHECK(Reason(fixture.log.Append({}).status()) == "AUDIT_EVENT_INVALID");
}

TEST_CASE("a flipped byte anywhere in the log is found") {
  LogFixture fixture;
  for (int i = 0; i < 3; ++i) REQUIRE_OK(fixture.Append("a"));
  const StateEntry entry = fixture.store->Get(EventKey(2)).value();
  int found = 0;
  for (size_t i = 0; i < entry.value.size(); ++i) {
    std::string damaged = entry.value;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    fixture.Overwrite(entry.key, damaged);
    auto verified = fixture.log.Verify();
    INFO("byte " << i);
    CHECK(Reason(verified.status()) == "AUDIT_CHAIN_BROKEN");
    found += absl::StrContains(verified.status().message(), "audit event 2") ? 1 : 0;
  }
  CHECK(found == static_cast<int>(entry.value.size()));
  fixture.Overwrite(entry.key, entry.value);
  CHECK_OK(fixture.log.Verify());
}

TEST_CASE("an event taken out, put in, exchanged or hashed anew is found") {
  LogFixture fixture;
  for (int i = 0; i < 4; ++i) REQUIRE_OK(fixture.Append(absl::StrCat("a", i)));
  SECTION("taken out") {
    StateTransaction transaction;
    transaction.deletes = {EventKey(2)};
    REQUIRE_OK(fixture.store->Commit(transaction));
  }
  SECTION("put in") { fixture.Overwrite(EventKey(0), fixture.store->Get(EventKey(1))->value); }
  SECTION("exchanged") {
    std::string second = fixture.store->Get(EventKey(2))->value;
    fixture.Overwrite(EventKey(2), fixture.store->Get(EventKey(3))->value);
    fixture.Overwrite(EventKey(3), second);
  }
  SECTION("changed and hashed anew") {
    v1::AuditEvent event = DecodeEvent(fixture.store->Get(EventKey(2)).value()).value();
    event.set_actor("nobody");
    event.set_hash(HashOf(event));
    fixture.Overwrite(EventKey(2), event.SerializeAsString());
  }
  SECTION("with content beside it") {
    fixture.Overwrite(EventKey(2), fixture.store->Get(EventKey(2))->value + std::string("\x78\x01", 2));
  }
  CHECK(Reason(fixture.log.Verify().status()) == "AUDIT_CHAIN_BROKEN");
}

TEST_CASE("racing appends make one chain, and it goes on after a restart") {
  LogFixture fixture;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) fixture.Append("a").IgnoreError();
    });
  }
  for (std::thread& thread : threads) thread.join();
  auto end = fixture.log.Verify();
  REQUIRE_OK(end);
  CHECK(end->seq == 40);
  fixture.store.reset();
  fixture.store = OpenEmbeddedStateStore(fixture.dir.File("s"), fixture.clock).value();
  AuditLog log(*fixture.store, fixture.clock);
  v1::AppendAuditEventRequest request;
  request.mutable_event()->set_action("a");
  CHECK(log.Append(request)->prev_hash() == end->hash);
  CHECK(log.Verify()->seq == 41);
}

TEST_CASE("a field that is too long is cut at a character and the event kept") {
  LogFixture fixture;
  std::string subject = "x";
  while (subject.size() < 5000) subject += "ü";
  auto event = fixture.Append("a", subject);
  REQUIRE_OK(event);
  CHECK(event->subject().size() <= AuditLog::kMaxFieldBytes);
  CHECK(absl::EndsWith(event->subject(), "ü..."));
  CHECK_OK(fixture.log.Verify());
}

}  // namespace chartly::audit
