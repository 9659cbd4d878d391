#include "control/aggregator/redriver.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "control/aggregator/record_fixture_test.h"
#include "control/aggregator/record_query.h"

namespace chartly::aggregator {
namespace {

constexpr char kProfile[] = R"(id: p
name: P
version: $0
source: {type: http_rest, url: "https://example.test/data", format: json, records: "rows[*]"}
mapping:
  place: {to: dims.place, type: integer}
  "in.value": {to: measures.value, type: decimal$1}
filter: place < 1000
key: [dims.place]
)";

struct Redriven : RecordFixture {
  RecordQuery query{*store};
  std::string profile = absl::StrCat(kProfile);
  Redriver redriver{*store, *committer, clock, [this](const std::string&) -> absl::StatusOr<ProfileRevision> {
                      return ProfileRevision{profile, "profiles/p@sha256:2"};
                    }};

  // Files rows in quarantine as a drone does.
  void Quarantine(const std::vector<std::string>& raws, const std::string& run_id = "r1",
                  int64_t observed_us = 5000000) {
    BatchHeader origin;
    origin.set_tenant("default");
    origin.set_profile_id("p");
    origin.set_run_id(run_id);
    origin.set_drone_id("d1");
    origin.set_source_uri("https://example.test/data");
    origin.set_payload_sha256("0f");
    origin.set_observed_us(observed_us);
    BatchBuilder builder;
    builder.SetOrigin(origin);
    uint32_t row = 0;
    for (const std::string& raw : raws) {
      builder.Quarantine("mapping.type_coercion_failed", "measures.value", "no number", raw, 3, ++row);
    }
    auto bytes = builder.Finish();
    REQUIRE_OK(bytes);
    auto prepared = PrepareBatch(*std::move(bytes));
    REQUIRE_OK(prepared);
    CommitRequest request;
    request.batches.push_back(*std::move(prepared));
    REQUIRE_OK(committer->Commit(std::move(request)).status);
  }
  void UseProfile(const std::string& functions) {
    profile = absl::StrCat(kProfile);
    profile.replace(profile.find("$0"), 2, "1.0.0");
    profile.replace(profile.find("$1"), 2, functions);
  }
  v1::RedriveQuarantineResponse Redrive(bool dry_run = false) {
    v1::RedriveQuarantineRequest request;
    request.set_profile_id("p");
    request.set_dry_run(dry_run);
    auto answer = redriver.Redrive(request);
    REQUIRE_OK(answer);
    return *answer;
  }
  v1::ListQuarantineResponse Waiting(bool include_redriven = false) {
    v1::ListQuarantineRequest request;
    request.set_profile_id("p");
    request.set_include_redriven(include_redriven);
    auto rows = query.ListQuarantine(request);
    REQUIRE_OK(rows);
    return *rows;
  }
  std::vector<v1::Record> Records() {
    v1::ListRecordsRequest request;
    request.set_profile_id("p");
    auto page = query.ListRecords(request, NeverGone);
    REQUIRE_OK(page);
    return {page->records().begin(), page->records().end()};
  }
};

TEST_CASE("rows that keep the contract of the mended profile become records with their old origin") {
  Redriven store;
  store.Quarantine({R"({"place":1,"in":{"value":"1,234.50"}})", R"({"place":2,"in":{"value":"none"}})",
                    R"({"place":5000,"in":{"value":"7,0"}})", R"({"place":3,"in":{"value":9007199254740993.25}})",
                    R"({"place":4,"in":{"val)"});
  store.UseProfile(", using: [\"replace , ''\"]");
  auto dry = store.Redrive(true);
  CHECK(dry.tried() == 5);
  CHECK(dry.kept_back() == 2);
  CHECK(dry.run_id().empty());
  CHECK(store.Records().empty());
  CHECK(store.Waiting().rows_size() == 5);

  auto answer = store.Redrive();
  CHECK(answer.tried() == 5);
  CHECK(answer.kept_back() == 2);
  CHECK(answer.revision() == "profiles/p@sha256:2");
  CHECK(answer.balance().fetched() == 3);
  CHECK(answer.balance().stored() == 2);
  CHECK(answer.balance().filtered() == 1);
  CHECK(answer.balance().closed());
  REQUIRE(answer.failures_size() == 2);
  CHECK(answer.failures(0).reason_code() == "mapping.type_coercion_failed");
  CHECK(answer.failures(1).reason_code() == "redrive.unreadable");

  auto records = store.Records();
  REQUIRE(records.size() == 2);
  CHECK(records[0].measures().at("value").decimal() == "1234.50");
  CHECK(records[1].measures().at("value").decimal() == "9007199254740993.25");
  const v1::Provenance& origin = records[0].provenance();
  CHECK(origin.source_uri() == "https://example.test/data");
  CHECK(origin.payload_sha256() == "0f");
  CHECK(origin.page() == 3);
  CHECK(origin.row() == 1);
  CHECK(origin.drone_id() == "d1");
  CHECK(origin.observed_at().seconds() == 5);
  CHECK(origin.revision() == "profiles/p@sha256:2");
  CHECK(origin.run_id() == answer.run_id());

  auto ledger = store.query.Ledger("runs/" + answer.run_id());
  REQUIRE_OK(ledger);
  CHECK(ledger->balance().closed());
  CHECK(ledger->balance().fetched() == 3);
  CHECK(ledger->has_end());
  CHECK(store.Waiting().rows_size() == 2);
  auto all = store.Waiting(true);
  CHECK(all.rows_size() == 5);
  CHECK(all.rows(0).redriven_run_id() == answer.run_id());
  auto summary = store.query.Summary();
  REQUIRE_OK(summary);
  CHECK(summary->quarantined() == 2);
  auto again = store.Redrive();
  CHECK(again.tried() == 2);
  CHECK(again.kept_back() == 2);
  CHECK(again.run_id().empty());
  CHECK(store.Records().size() == 2);
}

TEST_CASE("a redriven row is an older version of what was fetched after it, and one that is there is a duplicate") {
  Redriven store;
  store.UseProfile("");
  store.Quarantine({R"({"place":1,"in":{"value":5}})"}, "r1", 5000000);
  store.Quarantine({R"({"place":1,"in":{"value":6}})"}, "r2", 9000000);
  v1::RedriveQuarantineRequest newer;
  newer.set_profile_id("p");
  newer.set_run_id("r2");
  REQUIRE_OK(store.redriver.Redrive(newer));
  CHECK(store.Redrive().balance().stored() == 1);
  auto records = store.Records();
  REQUIRE(records.size() == 1);
  CHECK(records[0].measures().at("value").decimal() == "6");
  store.Quarantine({R"({"place":1,"in":{"value":6.0}})"}, "r3", 9500000);
  auto answer = store.Redrive();
  CHECK(answer.balance().duplicate() == 1);
  CHECK(answer.balance().closed());
}

TEST_CASE("many rows go call by call, and chosen rows alone") {
  Redriven store;
  store.UseProfile("");
  std::vector<std::string> raws;
  const std::string filler(9000, 'x');
  for (int i = 0; i < 2000; ++i)
    raws.push_back(absl::StrCat(R"({"place":)", i % 900, R"(,"in":{"value":)", i, R"(},"f":")", filler, "\"}"));
  for (size_t begin = 0; begin < raws.size(); begin += 100) {
    store.Quarantine({raws.begin() + begin, raws.begin() + begin + 100}, "r1", 1000000 + static_cast<int64_t>(begin));
  }
  v1::RedriveQuarantineRequest one;
  one.set_profile_id("p");
  one.add_ids(store.Waiting().rows(7).id());
  auto chosen = store.redriver.Redrive(one);
  REQUIRE_OK(chosen);
  CHECK(chosen->tried() == 1);
  int64_t tried = 0;
  int calls = 0;
  v1::RedriveQuarantineRequest request;
  request.set_profile_id("p");
  do {
    auto answer = store.redriver.Redrive(request);
    REQUIRE_OK(answer);
    CHECK(answer->balance().closed());
    tried += answer->tried();
    ++calls;
    request.set_page_token(answer->next_page_token());
  } while (!request.page_token().empty());
  CHECK(tried == 1999);
  CHECK(calls >= 2);
  CHECK(store.Waiting().rows().empty());
}

TEST_CASE("what cannot be redriven says why") {
  Redriven store;
  v1::RedriveQuarantineRequest request;
  auto reason = [&] { return Reason(store.redriver.Redrive(request).status()); };
  CHECK(reason() == "PROFILE_REQUIRED");
  request.set_profile_id("p");
  CHECK(reason() == "PROFILE_INVALID");
  store.UseProfile("");
  request.set_page_token("zz");
  CHECK(reason() == "PAGE_TOKEN_INVALID");
  request.clear_page_token();
  std::string json = store.profile;
  store.profile.replace(store.profile.find("format: json, records: \"rows[*]\""), 32, "format: csv");
  CHECK(reason() == "REDRIVE_UNSUPPORTED");
  store.profile = json;
  store.profile.replace(store.profile.find("place: {to"), 10, "\"^.place\": {to");
  store.profile.replace(store.profile.find("filter: place"), 13, "filter: dims.place");
  CHECK(reason() == "REDRIVE_UNSUPPORTED");
}

}  // namespace
}  // namespace chartly::aggregator
