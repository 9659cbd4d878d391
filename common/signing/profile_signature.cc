#include "common/signing/profile_signature.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status.h"

namespace chartly {
namespace {

constexpr char kFirstLine[] = "chartly-profile-signature-v1";
constexpr char kNever[] = "never";

absl::Status Refused(absl::string_view reason, const std::string& profile_id, const std::string& message) {
  return Error(absl::StatusCode::kPermissionDenied, reason,
               absl::StrCat("profile '", profile_id, "' is not run: ", message), {{"profile", profile_id}});
}

ProfileStatement StatementOf(const std::string& profile_id, const std::string& revision,
                             const v1::ProfileSignature& signature) {
  ProfileStatement statement{profile_id, revision, signature.counter(), absl::InfiniteFuture()};
  if (signature.has_expire_time()) statement.expires = absl::FromUnixSeconds(signature.expire_time().seconds());
  return statement;
}

absl::Status FileFault(absl::string_view filename, int line, absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "SIGNATURE_FILE_INVALID",
               absl::StrCat(filename, ":", line, ": ", message, "; make it anew with: chartly profile sign"));
}

// The words of one block by their names.
using Block = std::map<std::string, std::string>;

absl::StatusOr<SignedStatement> ReadBlock(absl::string_view filename, int line, const Block& block) {
  auto word = [&](const char* name) {
    auto found = block.find(name);
    return found == block.end() ? std::string() : found->second;
  };
  SignedStatement result;
  ProfileStatement& statement = result.statement;
  statement.profile_id = word("profile");
  statement.revision = word("revision");
  if (statement.profile_id.empty() || statement.revision.empty() || word("key").empty() || block.size() != 6) {
    return FileFault(filename, line, "a signature has profile, revision, counter, expires, key and signature");
  }
  if (!absl::SimpleAtoi(word("counter"), &statement.counter) || statement.counter <= 0) {
    return FileFault(filename, line, "counter must be a number above 0");
  }
  int64_t expires = 0;
  if (word("expires") != kNever) {
    if (!absl::SimpleAtoi(word("expires"), &expires)) {
      return FileFault(filename, line, "expires must be seconds since 1970, or never");
    }
    statement.expires = absl::FromUnixSeconds(expires);
    result.signature.mutable_expire_time()->set_seconds(expires);
  }
  result.signature.set_counter(statement.counter);
  result.signature.set_key_id(word("key"));
  std::string bytes;
  if (!absl::Base64Unescape(word("signature"), &bytes) || bytes.size() != kSignatureBytes) {
    return FileFault(filename, line, "signature must be 64 bytes in base64");
  }
  result.signature.set_signature(bytes);
  return result;
}

}  // namespace

std::string StatementText(const ProfileStatement& statement) {
  return absl::StrCat(kFirstLine, "\nprofile ", statement.profile_id, "\nrevision ", statement.revision, "\ncounter ",
                      statement.counter, "\nexpires ",
                      statement.expires == absl::InfiniteFuture()
                          ? std::string(kNever)
                          : absl::StrCat(absl::ToUnixSeconds(statement.expires)),
                      "\n");
}

v1::ProfileSignature SignProfile(const PrivateKey& key, const ProfileStatement& statement) {
  v1::ProfileSignature signature;
  signature.set_key_id(key.public_key().id());
  signature.set_signature(key.Sign(StatementText(statement)));
  signature.set_counter(statement.counter);
  if (statement.expires != absl::InfiniteFuture()) {
    signature.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(statement.expires));
  }
  return signature;
}

absl::Status VerifyProfile(const std::vector<PublicKey>& trusted, const std::string& profile_id,
                           const std::string& revision, const std::vector<v1::ProfileSignature>& signatures,
                           absl::Time now, v1::ProfileSignature& found) {
  if (signatures.empty()) {
    return Refused("PROFILE_UNSIGNED", profile_id,
                   absl::StrCat("revision ", revision,
                                " has no signature, and this drone takes signed profiles only; "
                                "sign it with: chartly profile sign"));
  }
  absl::Status status = Refused("PROFILE_KEY_UNTRUSTED", profile_id,
                                absl::StrCat("none of its signatures is by a key that this drone trusts; the first is "
                                             "by key '",
                                             signatures[0].key_id().substr(0, 16), "'"));
  int64_t highest = 0;
  for (const v1::ProfileSignature& signature : signatures) {
    auto key =
        std::find_if(trusted.begin(), trusted.end(), [&](const PublicKey& k) { return k.id() == signature.key_id(); });
    if (key == trusted.end() || signature.counter() <= highest) continue;
    const ProfileStatement statement = StatementOf(profile_id, revision, signature);
    if (!key->Verify(StatementText(statement), signature.signature()).ok()) {
      if (highest == 0) {
        status = Refused("PROFILE_SIGNATURE_INVALID", profile_id,
                         absl::StrCat("the signature by key ", key->id(), " is not of revision ", revision,
                                      " of this profile: text or signature were altered"));
      }
    } else if (statement.expires <= now) {
      if (highest == 0) {
        status = Refused("PROFILE_SIGNATURE_EXPIRED", profile_id,
                         absl::StrCat("its signature by key ", key->id(), " was valid until ",
                                      absl::FormatTime(absl::RFC3339_sec, statement.expires, absl::UTCTimeZone()),
                                      "; sign it again"));
      }
    } else {
      highest = signature.counter();
      found = signature;
      status = absl::OkStatus();
    }
  }
  return status;
}

std::string SignatureFileText(const std::vector<SignedStatement>& all) {
  std::string text;
  for (const SignedStatement& one : all) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", StatementText(one.statement), "key ", one.signature.key_id(),
                    "\nsignature ", absl::Base64Escape(one.signature.signature()), "\n");
  }
  return text;
}

absl::StatusOr<std::vector<SignedStatement>> ParseSignatureFile(absl::string_view filename, absl::string_view text) {
  std::vector<SignedStatement> all;
  Block block;
  int line_number = 0;
  int first = 0;
  auto end_block = [&]() -> absl::Status {
    if (first == 0) return absl::OkStatus();
    ASSIGN_OR_RETURN(SignedStatement one, ReadBlock(filename, first, block));
    all.push_back(std::move(one));
    block.clear();
    first = 0;
    return absl::OkStatus();
  };
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line == kFirstLine) {
      RETURN_IF_ERROR(end_block());
      first = line_number;
    } else if (!line.empty()) {
      std::pair<std::string, std::string> word = absl::StrSplit(line, absl::MaxSplits(' ', 1));
      if (first == 0 || !block.insert(std::move(word)).second) {
        return FileFault(filename, line_number, absl::StrCat("a signature begins with the line ", kFirstLine));
      }
    }
  }
  RETURN_IF_ERROR(end_block());
  return all;
}

}  // namespace chartly
