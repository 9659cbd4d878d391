// An audit log in a temporary folder, as tests of its pieces need it.
#ifndef CHARTLY_CONTROL_AUDIT_AUDIT_FIXTURE_TEST_H_
#define CHARTLY_CONTROL_AUDIT_AUDIT_FIXTURE_TEST_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/audit/audit_verifier.h"
#include "common/status/status.h"
#include "control/audit/audit_export.h"
#include "control/audit/audit_log.h"
#include "control/audit/audit_store.h"
#include "control/audit/audit_upkeep.h"
#include "control/audit/checkpoint_keeper.h"
#include "test/support/test.h"

namespace chartly::audit {

inline v1::AuditEvent EventOf(const std::string& action, const std::string& actor = "admin") {
  v1::AuditEvent event;
  event.set_actor(actor);
  event.set_address("192.0.2.7");
  event.set_action(action);
  event.set_subject("profiles/x");
  event.set_outcome("OK");
  event.set_request_id("r-1");
  event.set_tenant("default");
  return event;
}

struct AuditFixture {
  testing::TempDir dir;
  FakeClock clock;
  std::unique_ptr<StateStore> store;
  std::unique_ptr<AuditLog> log;
  std::unique_ptr<CheckpointKeeper> keeper;

  AuditFixture() { Open(); }
  ~AuditFixture() { Close(); }

  void Open(std::vector<std::unique_ptr<CheckpointExport>> exports = {}) {
    store = OpenEmbeddedStateStore(dir.File("store"), clock).value();
    auto opened = AuditLog::Open(*store, clock);
    REQUIRE_OK(opened);
    log = *std::move(opened);
    CheckpointOptions options;
    options.key_dir = dir.File("keys");
    options.origin = "log.test/audit";
    auto keeping = CheckpointKeeper::Open(*store, *log, options, std::move(exports));
    REQUIRE_OK(keeping);
    keeper = *std::move(keeping);
  }
  void Close() {
    keeper.reset();
    log.reset();
    store.reset();
  }
  v1::AuditEvent Append(const std::string& action, const std::string& actor = "admin") {
    auto event = log->Append(EventOf(action, actor));
    REQUIRE_OK(event);
    return *event;
  }
  void Fill(int events) {
    for (int i = 0; i < events; ++i) Append(absl::StrCat("Service.Do", i % 7), absl::StrCat("person-", i % 5));
  }
  // The exported file, line by line.
  std::vector<std::string> Export() {
    std::string file;
    REQUIRE_OK(WriteAuditLog(*store, *log, *keeper, [&](const v1::ExportAuditLogResponse& piece) {
      file += piece.data();
      return true;
    }));
    std::vector<std::string> lines = absl::StrSplit(file, '\n');
    REQUIRE(lines.back().empty());
    lines.pop_back();
    return lines;
  }
  PublicKey Key() { return NoteKey::Parse(keeper->keys().back().verifier())->key(); }
};

inline absl::StatusOr<AuditVerdict> Verify(const std::vector<std::string>& lines, AuditTrust trust = {}) {
  AuditVerifier verifier(std::move(trust));
  for (const std::string& line : lines) RETURN_IF_ERROR(verifier.TakeLine(line));
  return verifier.Finish();
}

}  // namespace chartly::audit

#endif  // CHARTLY_CONTROL_AUDIT_AUDIT_FIXTURE_TEST_H_
