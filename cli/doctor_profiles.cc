// The checks of chartly doctor that concern profiles: secrets, and the first page through the drone's own pipeline.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/doctor.h"
#include "cli/profile_files.h"
#include "common/batch/batch.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/normalize/validate.h"
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
  std::unique_ptr<net::HttpClient> http;  // null if --egress-allow or --ca-file is no good
};

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

void ExamineProfile(const std::string& file, const Equipment& equipment, Diagnosis& diagnosis) {
  absl::StatusOr<std::string> text = ReadTextFile(file);
  if (!text.ok()) return diagnosis.Found("DOCTOR_PROFILE_INVALID", file, text.status().message());
  ProfileParseResult parsed = ValidateProfile(*text);
  if (!parsed.ok()) {
    return diagnosis.Found("DOCTOR_PROFILE_INVALID", file, FormatFaults(file, {parsed.faults.front()}));
  }
  bool secrets_good = ExamineSecrets(file, parsed.profile.source, equipment.secrets, diagnosis);
  bool fetched = parsed.profile.source.type != SourceType::kWebhook;
  if (secrets_good && fetched && equipment.http != nullptr) {
    TryFirstPage(file, std::move(parsed.profile), equipment, diagnosis);
  }
}

}  // namespace

void ExamineProfiles(const DoctorOptions& options, Diagnosis& diagnosis) {
  Equipment equipment{options.source_dir, Secrets(options.secrets_dir), nullptr};
  absl::StatusOr<net::EgressPolicy> policy = net::EgressPolicy::Create(options.egress_allow);
  if (!policy.ok()) diagnosis.Found("DOCTOR_EGRESS_INVALID", "--egress-allow", policy.status().message());
  absl::StatusOr<std::string> authorities = net::ReadAuthorities(options.ca_file);
  if (!authorities.ok()) diagnosis.Found("DOCTOR_CA_FILE_INVALID", "--ca-file", authorities.status().message());
  if (policy.ok() && authorities.ok()) {
    equipment.http = net::MakeHttpClient(*std::move(policy), *std::move(authorities));
  }
  for (const std::string& file : options.profiles) ExamineProfile(file, equipment, diagnosis);
}

}  // namespace chartly::cli
