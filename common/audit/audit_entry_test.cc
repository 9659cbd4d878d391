#include "common/audit/audit_entry.h"

#include <set>
#include <string>

#include "absl/strings/str_replace.h"
#include "common/audit/audit_lines.h"
#include "common/audit/audit_verifier.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

v1::AuditEvent Sample() {
  v1::AuditEvent event;
  event.set_form(kAuditForm);
  event.set_seq(7);
  event.mutable_time()->set_seconds(1767225600);
  event.mutable_time()->set_nanos(500000000);
  event.set_tenant("default");
  event.set_actor("admin");
  event.set_actor_salt("00112233445566778899aabbccddeeff");
  event.set_actor_digest(PersonDigest(event.actor_salt(), event.actor()));
  event.set_action("RegistryService.CreateProfile");
  event.set_subject("profiles/gdp");
  event.set_outcome("OK");
  event.set_request_id("r-1");
  event.set_prev_hash(std::string(64, 'a'));
  event.set_hash(AuditHash(event));
  return event;
}

}  // namespace

TEST_CASE("the hash of an event is the one that the document of the format states") {
  v1::AuditEvent first;
  first.set_seq(1);
  first.mutable_time()->set_seconds(1767225600);
  first.mutable_time()->set_nanos(500000000);
  first.set_actor("admin");
  first.set_action("RegistryService.CreateProfile");
  first.set_subject("profiles/gdp");
  first.set_outcome("OK");
  first.set_request_id("r-1");
  CHECK(AuditHash(first) == "4dc772993cdb412166739519cfd079e7e6717e9f315aaa6539a7f285d33a1131");
  CHECK(AuditHash(Sample()) == "1a85ae7da2296589b37b5676736e7dc05560d1cc5ba2ab6ab52c26c7e86f5f87");
}

TEST_CASE("every field changes the hash, and moving bytes from one to the next does, too") {
  std::set<std::string> hashes = {AuditHash(Sample())};
  for (const char* field : {"tenant", "actor_digest", "address_digest", "action", "subject", "outcome", "request_id",
                            "detail", "prev_hash"}) {
    v1::AuditEvent event = Sample();
    const auto* descriptor = event.GetDescriptor()->FindFieldByName(field);
    event.GetReflection()->SetString(&event, descriptor, "other");
    CHECK(hashes.insert(AuditHash(event)).second);
  }
  v1::AuditEvent event = Sample();
  event.set_action("RegistryService.CreateProfilep");
  event.set_subject("rofiles/gdp");
  CHECK(hashes.insert(AuditHash(event)).second);
}

TEST_CASE("an event whose person, hash or form does not fit is changed") {
  CHECK_OK(CheckAuditEvent(Sample()));
  v1::AuditEvent event = Sample();
  event.set_actor("other");
  CHECK(testing::Says(CheckAuditEvent(event), "actor"));
  event = Sample();
  event.set_subject("other");
  CHECK(testing::Says(CheckAuditEvent(event), "content"));
  event = Sample();
  event.clear_actor();
  CHECK_FALSE(CheckAuditEvent(event).ok());
  event.clear_actor_salt();
  CHECK_OK(CheckAuditEvent(event));
  CHECK(IsErased(event));
}

TEST_CASE("a line is read only as it is written") {
  const std::string line = AuditEventLine(Sample());
  auto event = ParseAuditEventLine(line);
  REQUIRE_OK(event);
  CHECK(AuditEventLine(*event) == line);
  CHECK(line.substr(0, 20) == "{\"form\":2,\"seq\":7,\"t");
  for (const std::string& other :
       {line + " ", absl::StrReplaceAll(line, {{"\"form\":2", "\"form\": 2"}}),
        absl::StrReplaceAll(line, {{"\"seq\":7", "\"seq\":\"7\""}}),
        absl::StrReplaceAll(line, {{"{\"form\"", "{\"seq\":7,\"form\""}}),
        absl::StrReplaceAll(line, {{"{\"form\"", "{\"more\":7,\"form\""}}), std::string("{}x"), std::string()}) {
    CHECK(Reason(ParseAuditEventLine(other).status()) == "AUDIT_LINE_INVALID");
  }
  CHECK(Reason(ParseAuditHeaderLine("{\"format\":\"other\"}").status()) == "AUDIT_LINE_INVALID");
}

TEST_CASE("lists of entries are short and read back") {
  for (const std::vector<int64_t>& seqs :
       {std::vector<int64_t>{5}, std::vector<int64_t>{1, 2, 3, 7}, std::vector<int64_t>{1, 3, 4, 9, 10, 11}}) {
    CHECK(ReadSeqList(WriteSeqList(seqs)).value() == seqs);
  }
  CHECK(WriteSeqList({1, 2, 3, 7}) == "1-3,7");
  for (const char* text : {"", "x", "3-1", "1,1", "2,1", "1-2-3", "1-99999999999", "0"}) {
    CHECK(Reason(ReadSeqList(text).status()) == "SEQ_LIST_INVALID");
  }
}

}  // namespace chartly
