#include "common/audit/audit_keys.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr char kKeyDomain[] = "chartly-audit-key-v1";

std::string AnnouncementText(absl::string_view origin, int64_t seq, absl::string_view verifier) {
  return absl::StrCat(kKeyDomain, "\n", origin, "\n", seq, "\n", verifier, "\n");
}

absl::Status Broken(size_t number, absl::string_view why) {
  return Error(absl::StatusCode::kDataLoss, "AUDIT_KEYS_BROKEN", absl::StrCat("key ", number, " of the log: ", why),
               {{"key", absl::StrCat(number)}});
}

}  // namespace

v1::AuditKey AnnounceAuditKey(const NoteSigner& current, const PublicKey& next, int64_t seq) {
  v1::AuditKey key;
  key.set_verifier(NoteKey(current.name, next).Text());
  key.set_seq(seq);
  key.set_announcement(SignNote(AnnouncementText(current.name, seq, key.verifier()), {current}));
  return key;
}

absl::StatusOr<std::vector<NoteKey>> ReadAuditKeys(absl::string_view origin, const std::vector<v1::AuditKey>& keys) {
  std::vector<NoteKey> read;
  for (const v1::AuditKey& key : keys) {
    const size_t number = read.size() + 1;
    absl::StatusOr<NoteKey> parsed = NoteKey::Parse(key.verifier());
    if (!parsed.ok()) return Broken(number, parsed.status().message());
    if (parsed->name() != origin) return Broken(number, "it is of another log");
    if (read.empty()) {
      if (key.seq() != 0 || !key.announcement().empty()) return Broken(number, "the first key follows none");
    } else {
      absl::StatusOr<std::string> text = OpenNote(key.announcement(), {read.back()});
      if (!text.ok())
        return Broken(number, absl::StrCat("the key before did not announce it: ", text.status().message()));
      if (*text != AnnouncementText(origin, key.seq(), key.verifier())) {
        return Broken(number, "the key before announced something else");
      }
    }
    read.push_back(*std::move(parsed));
  }
  if (read.empty()) return Broken(1, "there is none");
  return read;
}

absl::StatusOr<std::vector<NoteKey>> TrustedAuditKeys(const std::vector<NoteKey>& keys,
                                                      const std::vector<PublicKey>& trusted) {
  if (trusted.empty()) return keys;
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    if (std::find(trusted.begin(), trusted.end(), key->key()) != trusted.end())
      return std::vector<NoteKey>(key, keys.end());
  }
  return Error(absl::StatusCode::kUnauthenticated, "AUDIT_KEY_UNTRUSTED",
               absl::StrCat("none of the ", keys.size(), " keys of the log is one that you trust; its newest is ",
                            keys.back().Text()));
}

}  // namespace chartly
