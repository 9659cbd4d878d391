#include "common/audit/audit_entry.h"

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/text/sha256.h"

namespace chartly {
namespace {

constexpr char kFirstDomain[] = "chartly-audit-v1";
constexpr char kEntryDomain[] = "chartly-audit-v2";

void AppendField(std::string& out, absl::string_view field) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(field.size() >> shift));
  absl::StrAppend(&out, field);
}

std::string FirstForm(const v1::AuditEvent& event) {
  std::string out;
  AppendField(out, kFirstDomain);
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

absl::Status Changed(const v1::AuditEvent& event, absl::string_view what) {
  return Error(absl::StatusCode::kDataLoss, "AUDIT_EVENT_CHANGED", absl::StrCat("event ", event.seq(), ": ", what),
               {{"seq", absl::StrCat(event.seq())}});
}

// An erased text leaves only its digest.
bool DigestFits(const std::string& salt, const std::string& text, const std::string& digest) {
  if (text.empty()) return salt.empty();
  return digest == PersonDigest(salt, text);
}

}  // namespace

std::string PersonDigest(absl::string_view salt, absl::string_view text) {
  return text.empty() ? "" : Sha256Hex(absl::StrCat(salt, ":", text));
}

std::string CanonicalForm(const v1::AuditEvent& event) {
  if (event.form() == 0) return FirstForm(event);
  std::string out;
  AppendField(out, kEntryDomain);
  AppendField(out, absl::StrCat(event.form()));
  AppendField(out, event.prev_hash());
  AppendField(out, absl::StrCat(event.seq()));
  AppendField(out, absl::StrCat(event.time().seconds()));
  AppendField(out, absl::StrCat(event.time().nanos()));
  AppendField(out, event.tenant());
  AppendField(out, event.actor_digest());
  AppendField(out, event.address_digest());
  AppendField(out, event.action());
  AppendField(out, event.subject());
  AppendField(out, event.outcome());
  AppendField(out, event.request_id());
  AppendField(out, event.detail());
  return out;
}

MerkleHash AuditLeaf(const v1::AuditEvent& event) { return MerkleLeafHash(CanonicalForm(event)); }

std::string AuditHash(const v1::AuditEvent& event) {
  return event.form() == 0 ? Sha256Hex(CanonicalForm(event)) : HexOf(AuditLeaf(event));
}

bool IsErased(const v1::AuditEvent& event) {
  return (event.actor().empty() && !event.actor_digest().empty()) ||
         (event.address().empty() && !event.address_digest().empty());
}

absl::Status CheckAuditEvent(const v1::AuditEvent& event) {
  if (event.hash() != AuditHash(event)) return Changed(event, "its content does not match its hash");
  if (event.form() == 0) {
    const bool more = !event.tenant().empty() || !event.address().empty() || !event.detail().empty() ||
                      !event.actor_salt().empty() || !event.address_salt().empty() || !event.actor_digest().empty() ||
                      !event.address_digest().empty();
    return more ? Changed(event, "it has content that its hash does not cover") : absl::OkStatus();
  }
  if (event.form() != kAuditForm) return Changed(event, "its form is not known; verify with a newer version");
  if (!DigestFits(event.actor_salt(), event.actor(), event.actor_digest())) {
    return Changed(event, "its actor does not match the digest");
  }
  if (!DigestFits(event.address_salt(), event.address(), event.address_digest())) {
    return Changed(event, "its address does not match the digest");
  }
  return absl::OkStatus();
}

}  // namespace chartly
