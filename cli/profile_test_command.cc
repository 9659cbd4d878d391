// chartly profile test: the drone's own pipeline from fetch to batch, with a sink that keeps batches in memory.
#include <algorithm>
#include <filesystem>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "cli/profile_files.h"
#include "cli/record_view.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/batch/batch.h"
#include "common/batch/record_id.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/secrets/secrets.h"
#include "common/status/status.h"
#include "drone/pipeline/pipeline.h"

namespace chartly::cli {
namespace {

constexpr size_t kTableRows = 20;
constexpr size_t kTableQuarantine = 20;

struct TestOptions {
  std::string file;
  std::string input;
  std::string source_dir = ".";
  std::string secrets_dir;
  std::string ca_file;
  int64_t limit = 0;
  std::vector<std::string> egress_allow;
};

Json QuarantinedJson(const storage::v1::Quarantined& row) {
  return Json::Object()
      .Set("reason_code", Json::Text(row.reason_code()))
      .Set("field", Json::Text(row.field()))
      .Set("message", Json::Text(row.message()))
      .Set("raw", Json::Text(row.raw()))
      .Set("page", Json::Integer(row.page()))
      .Set("row", Json::Integer(row.row()));
}

// Takes the batches of the run and shows what is in them. Keeps ids and the first rows, nothing else.
class ShowingSink final : public drone::BatchSink {
 public:
  explicit ShowingSink(Session& session) : session_(session) {}

  absl::Status Append(std::string bytes, int64_t /*fetched*/, const drone::Cursor* /*cursor*/) override {
    ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
    RecordIds ids = ComputeRecordIds(batch);
    for (uint32_t row = 0; row < batch.rows(); ++row) {
      bool is_new = seen_.insert(ids.ids[row]).second;
      (is_new ? stored_ : duplicate_) += 1;
      Show(batch, row, ids.ids[row]);
    }
    filtered_ += batch.header().filtered();
    for (const storage::v1::Quarantined& row : batch.header().quarantined()) ShowQuarantined(row);
    return absl::OkStatus();
  }

  Json Balance(int64_t fetched) const {
    bool closed = fetched == stored_ + duplicate_ + filtered_ + quarantined_;
    return Json::Object()
        .Set("fetched", Json::Integer(fetched))
        .Set("stored", Json::Integer(stored_))
        .Set("duplicate", Json::Integer(duplicate_))
        .Set("filtered", Json::Integer(filtered_))
        .Set("quarantined", Json::Integer(quarantined_))
        .Set("in_spool", Json::Integer(0))
        .Set("closed", Json::Boolean(closed));
  }

  // The tables for people; with JSON everything was printed as it came.
  void PrintTables() const {
    RecordTable(first_rows_).Print(session_.out, "no records");
    if (stored_ + duplicate_ > static_cast<int64_t>(first_rows_.size())) {
      session_.out << "... " << stored_ + duplicate_ - static_cast<int64_t>(first_rows_.size())
                   << " more; --output json prints them all\n";
    }
    if (quarantined_ == 0) return;
    session_.out << "\nquarantined:\n";
    quarantine_.Print(session_.out, "");
    if (quarantined_ > static_cast<int64_t>(kTableQuarantine)) {
      session_.out << "... " << quarantined_ - static_cast<int64_t>(kTableQuarantine) << " more\n";
    }
  }

 private:
  void Show(const Batch& batch, uint32_t row, const Hash128& id) {
    if (session_.json()) {
      session_.PrintJson(BatchRecordJson(batch, row, id.ToHex()));
    } else if (first_rows_.size() < kTableRows) {
      first_rows_.push_back(BatchRecordJson(batch, row, id.ToHex()));
    }
  }

  void ShowQuarantined(const storage::v1::Quarantined& row) {
    ++quarantined_;
    if (session_.json()) {
      session_.PrintJson(Json::Object().Set("quarantined", QuarantinedJson(row)));
    } else if (quarantined_ <= static_cast<int64_t>(kTableQuarantine)) {
      quarantine_.Add({absl::StrCat(row.page()), absl::StrCat(row.row()), row.reason_code(), row.field(),
                       Shorten(row.message(), 60), Shorten(row.raw(), 60)});
    }
  }

  Session& session_;
  absl::flat_hash_set<Hash128> seen_;
  std::vector<Json> first_rows_;
  Table quarantine_{{"PAGE", "ROW", "REASON", "FIELD", "MESSAGE", "RAW"}};
  int64_t stored_ = 0;
  int64_t duplicate_ = 0;
  int64_t filtered_ = 0;
  int64_t quarantined_ = 0;
};

// Makes the sample the whole source: one file, one page, read the way the profile says.
absl::Status UseSample(const std::string& sample, Profile& profile, std::string& source_dir) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::canonical(sample, error);
  if (error || !std::filesystem::is_regular_file(path)) {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE",
                 absl::StrCat("cannot read the sample ", sample, ": ", error ? error.message() : "not a file"));
  }
  profile.source.type = SourceType::kFile;
  profile.source.path = path.filename().string();
  profile.source.pagination = PaginationConfig();
  source_dir = path.parent_path().string();
  return absl::OkStatus();
}

// Only a reason makes a failure: a limit that cut the source off is told in `error` alone.
absl::Status OutcomeOfTest(const v1::RunEnd& end) {
  if (end.error_reason().empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, end.error_reason(), end.error());
}

absl::Status Test(Session& session, const TestOptions& options) {
  ASSIGN_OR_RETURN(std::vector<ProfileFile> files, ReadProfileFiles(session, {options.file}));
  drone::RunSpec spec{std::move(files[0].profile), "test", "test"};
  std::string source_dir = options.source_dir;
  if (options.input.empty() && spec.profile.source.type == SourceType::kWebhook) {
    return Error(absl::StatusCode::kInvalidArgument, "SAMPLE_REQUIRED",
                 "a webhook is not fetched; give a payload with --input SAMPLE");
  }
  if (!options.input.empty()) RETURN_IF_ERROR(UseSample(options.input, spec.profile, source_dir));
  if (options.limit > 0) spec.profile.limits.max_records = std::min(spec.profile.limits.max_records, options.limit);
  ASSIGN_OR_RETURN(net::EgressPolicy policy, net::EgressPolicy::Create(options.egress_allow));
  ASSIGN_OR_RETURN(std::string authorities, net::ReadAuthorities(options.ca_file));
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(std::move(policy), std::move(authorities));
  SystemClock clock;
  ShowingSink sink(session);
  Secrets secrets(options.secrets_dir);
  drone::Pipeline pipeline(std::move(spec), {*http, clock, source_dir, sink, nullptr, &secrets});
  v1::RunEnd end = pipeline.Run();
  Json balance = sink.Balance(end.fetched());
  if (session.json()) {
    session.PrintJson(Json::Object().Set("balance", balance));
  } else {
    sink.PrintTables();
    session.out << "\n" << BalanceText(balance) << "\n";
  }
  if (end.truncated()) session.err << "chartly: " << end.error() << "\n";
  return OutcomeOfTest(end);
}

}  // namespace

void AddProfileTest(CLI::App& noun, Session& session) {
  auto options = std::make_shared<TestOptions>();
  CLI::App* verb = AddVerb(noun, session, "test", "Fetch and normalize here as a drone would, and store nothing",
                           [&session, options] { return Test(session, *options); });
  verb->add_option("FILE", options->file, "Profile file")->required();
  verb->add_option("--input", options->input, "Take this file as the payload instead of fetching")->type_name("SAMPLE");
  AddLimit(*verb, options->limit, "Rows taken from the source");
  verb->add_option("--egress-allow", options->egress_allow, "Private range that may be fetched from. Repeatable")
      ->type_name("CIDR")
      ->allow_extra_args(false);
  verb->add_option("--secrets-dir", options->secrets_dir, "Folder of the secrets that the profile names")
      ->type_name("DIR");
  verb->add_option("--ca-file", options->ca_file, "PEM file of certificate authorities to trust beside this machine's")
      ->type_name("FILE");
  verb->add_option("--source-dir", options->source_dir, "Folder that file sources are read from")
      ->type_name("DIR")
      ->capture_default_str();
}

}  // namespace chartly::cli
