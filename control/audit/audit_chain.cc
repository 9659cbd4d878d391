#include "control/audit/audit_chain.h"

#include "absl/strings/str_cat.h"
#include "common/state/state_page.h"
#include "common/status/status.h"
#include "common/text/sha256.h"

namespace chartly::audit {
namespace {

constexpr char kDomain[] = "chartly-audit-v1";

// Eight bytes of length before each field: no two events give the same bytes.
void AppendField(std::string& out, absl::string_view field) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(field.size() >> shift));
  absl::StrAppend(&out, field);
}

std::string CanonicalForm(const v1::AuditEvent& event) {
  std::string out;
  AppendField(out, kDomain);
  AppendField(out, event.prev_hash());
  AppendField(out, absl::StrCat(event.seq()));
  AppendField(out, absl::StrCat(event.time().seconds()));
  AppendField(out, absl::StrCat(event.time().nanos()));
  AppendField(out, event.actor());
  AppendField(out, event.action());
  AppendField(out, event.subject());
  AppendField(out, event.outcome());
  AppendField(out, event.request_id());
  return out;
}

absl::Status Broken(int64_t seq, absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "AUDIT_CHAIN_BROKEN",
               absl::StrCat("audit event ", seq, ": ", what, "; the log was changed from there on"),
               {{"seq", absl::StrCat(seq)}});
}

absl::Status CheckNext(const StateEntry& entry, ChainEnd& end) {
  const int64_t seq = end.seq + 1;
  if (entry.key != EventKey(seq)) return Broken(seq, "it is missing");
  auto event = DecodeEvent(entry);
  if (!event.ok()) return Broken(seq, "it cannot be read");
  if (event->seq() != seq) return Broken(seq, "its number is wrong");
  if (event->prev_hash() != end.hash) return Broken(seq, "it does not follow the event before");
  if (event->hash() != HashOf(*event)) return Broken(seq, "its content does not match its hash");
  // What the hash does not cover must not be there: the stored bytes are exactly those of the event.
  if (event->SerializeAsString() != entry.value) return Broken(seq, "it has content that its hash does not cover");
  end = {seq, event->hash()};
  return absl::OkStatus();
}

}  // namespace

std::string EventKey(int64_t seq) { return absl::StrCat(kEventPrefix, absl::Hex(seq, absl::kZeroPad16)); }

absl::StatusOr<v1::AuditEvent> DecodeEvent(const StateEntry& entry) {
  v1::AuditEvent event;
  if (event.ParseFromString(entry.value)) {
    event.DiscardUnknownFields();
    return event;
  }
  return Error(absl::StatusCode::kDataLoss, "AUDIT_DAMAGED",
               absl::StrCat("entry '", entry.key, "' of the audit log is damaged; restore it from a backup"),
               {{"key", entry.key}});
}

std::string HashOf(const v1::AuditEvent& event) { return Sha256Hex(CanonicalForm(event)); }

absl::StatusOr<ChainEnd> VerifyChain(const StateStore& store) {
  ChainEnd end;
  StatePage page;
  do {
    ASSIGN_OR_RETURN(page, ReadPage(store, {kEventPrefix, kMaxPageSize, page.next_page_token}));
    for (const StateEntry& entry : page.entries) RETURN_IF_ERROR(CheckNext(entry, end));
  } while (!page.next_page_token.empty());
  return end;
}

}  // namespace chartly::audit
