// The checks of chartly doctor that concern profiles: consent, secrets, hosts, and the first page through the drone's
// own pipeline.
#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "cli/doctor.h"
#include "cli/profile_files.h"
#include "common/batch/batch.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/net/resolve.h"
#include "common/normalize/validate.h"
#include "common/profile/consent.h"
#include "common/profile/source_url.h"
#include "common/secrets/secrets.h"
#include "common/status/status.h"
#include "drone/pipeline/pipeline.h"

namespace chartly::cli {
namespace {

constexpr int64_t kRowsTried = 1000;

// Of the drone; the keys of webhooks lie with the control plane.
std::vector<SecretRef> SecretsOf(const SourceConfig& source) {
  std::vector<SecretRef> refs;
  for (const SecretRef& ref :
       {source.auth.secret, source.auth.certificate, source.auth.private_key, source.postgres.password}) {
    if (!ref.empty()) refs.push_back(ref);
  }
  return refs;
}

// Whether all are there.
bool ExamineSecrets(const std::string& file, const SourceConfig& source, const Secrets& secrets, Diagnosis& diagnosis) {
  bool good = true;
  for (const SecretRef& ref : SecretsOf(source)) {
    std::string subject = absl::StrCat(ref.name, "/", ref.key, " of ", file);
    absl::Status status = secrets.Get(ref).status();
    good = good && status.ok();
    if (status.ok()) {
      diagnosis.Good("credentials", subject, "the secret is there");
    } else {
      bool exposed = Reason(status) == "SECRET_EXPOSED";
      diagnosis.Found(exposed ? "DOCTOR_SECRET_EXPOSED" : "DOCTOR_SECRET_MISSING", subject, status.message());
    }
  }
  return good;
}

class CountingSink final : public drone::BatchSink {
 public:
  absl::Status Append(std::string bytes, int64_t /*fetched*/, const drone::Cursor* /*cursor*/) override {
    ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
    records += batch.rows();
    quarantined += batch.header().quarantined_size();
    if (quarantined > 0 && first_reason.empty()) {
      const storage::v1::Quarantined& first = batch.header().quarantined(0);
      first_reason = absl::StrCat(first.reason_code(), ": ", first.message());
    }
    return absl::OkStatus();
  }

  int64_t records = 0;
  int64_t quarantined = 0;
  std::string first_reason;
};

void ReportRun(const std::string& file, const v1::RunEnd& end, const CountingSink& sink, Diagnosis& diagnosis) {
  if (!end.error_reason().empty()) {
    return diagnosis.Found("DOCTOR_MAPPING_FAILED", file, absl::StrCat(end.error_reason(), ": ", end.error()));
  }
  std::string seen = absl::StrCat(sink.records, " records of ", end.fetched(), " rows");
  if (sink.quarantined > 0) {
    diagnosis.Found("DOCTOR_ROWS_QUARANTINED", file,
                    absl::StrCat(seen, ", ", sink.quarantined, " quarantined, first ", sink.first_reason));
  } else if (sink.records == 0) {
    diagnosis.Found("DOCTOR_NO_RECORDS", file, seen);
  } else {
    diagnosis.Good("mapping", file, seen);
  }
}

// What a drone here has for its runs.
struct Equipment {
  std::string source_dir;
  Secrets secrets;
  std::optional<Consent> consent;           // none if --consent is no good
  std::optional<net::EgressPolicy> policy;  // none if --egress-allow or --consent is no good
  std::unique_ptr<net::HttpClient> http;    // null without policy, or if --ca-file is no good
};

absl::StatusOr<Consent> ReadConsent(const std::string& file) {
  if (file.empty()) return Consent{};
  ASSIGN_OR_RETURN(std::string text, ReadTextFile(file));
  ASSIGN_OR_RETURN(Consent consent, ParseConsent(file, text));
  RETURN_IF_ERROR(Annotate(net::EgressPolicy::Create({}, consent.egress).status(), absl::StrCat(file, ": egress")));
  return consent;
}

Equipment Equip(const DoctorOptions& options, Diagnosis& diagnosis) {
  Equipment equipment{options.source_dir, Secrets(options.secrets_dir), {}, {}, nullptr};
  absl::StatusOr<Consent> consent = ReadConsent(options.consent_file);
  if (!consent.ok()) {
    diagnosis.Found("DOCTOR_CONSENT_INVALID", options.consent_file, consent.status().message());
  } else {
    equipment.consent = *std::move(consent);
  }
  absl::Status ranges = net::EgressPolicy::Create(options.egress_allow).status();
  if (!ranges.ok()) diagnosis.Found("DOCTOR_EGRESS_INVALID", "--egress-allow", ranges.message());
  absl::StatusOr<std::string> authorities = net::ReadAuthorities(options.ca_file);
  if (!authorities.ok()) diagnosis.Found("DOCTOR_CA_FILE_INVALID", "--ca-file", authorities.status().message());
  if (!ranges.ok() || !equipment.consent) return equipment;
  equipment.policy = *net::EgressPolicy::Create(options.egress_allow, equipment.consent->egress);
  if (authorities.ok()) equipment.http = net::MakeHttpClient(*equipment.policy, *std::move(authorities));
  return equipment;
}

bool ExamineConsent(const std::string& subject, const Profile& profile, const Equipment& equipment,
                    Diagnosis& diagnosis) {
  if (!equipment.consent) return false;
  absl::Status status = CheckConsent(*equipment.consent, profile);
  if (!status.ok()) diagnosis.Found("DOCTOR_CONSENT_DENIED", subject, status.message());
  return status.ok();
}

// Empty if the source needs none, or if its url is no good, which the parser tells.
std::string HostOf(const SourceConfig& source) {
  std::string host;
  if (source.type == SourceType::kPostgres) host = source.postgres.host;
  if (source.type == SourceType::kHttpRest) CheckUrl(source.url, host);
  return host;
}

void ExamineHost(const std::string& subject, const SourceConfig& source, const Equipment& equipment,
                 Diagnosis& diagnosis) {
  const std::string host = HostOf(source);
  if (host.empty() || !equipment.policy) return;
  const std::string of = absl::StrCat(host, " of ", subject);
  absl::StatusOr<std::vector<std::string>> addresses = net::Resolve(host);
  if (!addresses.ok()) return diagnosis.Found("DOCTOR_DNS_FAILED", of, addresses.status().message());
  for (const std::string& address : *addresses) {
    if (equipment.policy->Allows(address)) continue;
    return diagnosis.Found("DOCTOR_EGRESS_DENIED", of,
                           absl::StrCat("it has the address ", address, ", ", equipment.policy->Refusal(address)));
  }
  diagnosis.Good("egress", of, "the drone may connect it");
}

// What the profile says, once faults, consent and secrets are in order.
std::optional<Profile> ExamineProfile(const std::string& subject, const std::string& text, const Equipment& equipment,
                                      Diagnosis& diagnosis) {
  ProfileParseResult parsed = ValidateProfile(text);
  if (!parsed.ok()) {
    diagnosis.Found("DOCTOR_PROFILE_INVALID", subject, FormatFaults(subject, {parsed.faults.front()}));
    return std::nullopt;
  }
  bool consented = ExamineConsent(subject, parsed.profile, equipment, diagnosis);
  bool secrets_good = ExamineSecrets(subject, parsed.profile.source, equipment.secrets, diagnosis);
  if (!consented || !secrets_good) return std::nullopt;
  return std::move(parsed.profile);
}

void TryFirstPage(const std::string& file, Profile profile, const Equipment& equipment, Diagnosis& diagnosis) {
  SystemClock clock;
  CountingSink sink;
  profile.limits.max_pages = 1;
  profile.limits.max_records = std::min(profile.limits.max_records, kRowsTried);
  profile.retry.max_attempts = 1;
  drone::Pipeline pipeline({std::move(profile), "doctor", "doctor"},
                           {*equipment.http, clock, equipment.source_dir, sink, nullptr, &equipment.secrets});
  ReportRun(file, pipeline.Run(), sink, diagnosis);
}

void ExamineFile(const std::string& file, const Equipment& equipment, Diagnosis& diagnosis) {
  absl::StatusOr<std::string> text = ReadTextFile(file);
  if (!text.ok()) return diagnosis.Found("DOCTOR_PROFILE_INVALID", file, text.status().message());
  std::optional<Profile> profile = ExamineProfile(file, *text, equipment, diagnosis);
  bool fetched = profile && profile->source.type != SourceType::kWebhook;
  if (fetched && equipment.http != nullptr) TryFirstPage(file, *std::move(profile), equipment, diagnosis);
}

void ExamineAssigned(ApiClient& api, const Json& assignment, const Equipment& equipment, Diagnosis& diagnosis) {
  const std::string subject = absl::StrCat("profiles/", assignment["profile_id"].text());
  absl::StatusOr<Json> profile = api.Get(absl::StrCat("/api/", assignment["revision"].text()));
  if (!profile.ok()) return diagnosis.Found("DOCTOR_PROFILE_INVALID", subject, profile.status().message());
  std::optional<Profile> read = ExamineProfile(subject, (*profile)["content"].text(), equipment, diagnosis);
  if (read) ExamineHost(subject, read->source, equipment, diagnosis);
}

// A control plane that does not answer was told before.
void ExamineWork(Session& session, const std::string& drone, const Equipment& equipment, Diagnosis& diagnosis) {
  const std::string subject = absl::StrCat("drone ", drone);
  absl::StatusOr<ApiClient*> api = session.Api();
  if (!api.ok()) return;
  absl::StatusOr<Json> work = (*api)->Get(absl::StrCat("/api/drones/", PercentEncode(drone), "/work"));
  if (absl::IsNotFound(work.status())) return diagnosis.Good("work", subject, "has not registered yet");
  if (!work.ok()) return;
  const std::vector<Json>& assignments = (*work)["assignments"].items();
  diagnosis.Good("work", subject, absl::StrCat(assignments.size(), " profiles are assigned to it"));
  for (const Json& assignment : assignments) ExamineAssigned(**api, assignment, equipment, diagnosis);
}

}  // namespace

void ExamineProfiles(Session& session, const DoctorOptions& options, Diagnosis& diagnosis) {
  const Equipment equipment = Equip(options, diagnosis);
  ExamineWork(session, options.id, equipment, diagnosis);
  for (const std::string& file : options.profiles) ExamineFile(file, equipment, diagnosis);
}

}  // namespace chartly::cli
