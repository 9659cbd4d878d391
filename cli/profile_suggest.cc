// chartly profile suggest: a first profile for an address or a file, how sure each line is, and the first records it
// would give.
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/record_view.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/batch/batch.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/normalize/normalizer.h"
#include "common/normalize/validate.h"
#include "common/status/status.h"
#include "drone/decode/decoder.h"
#include "drone/fetch/source.h"
#include "drone/suggest/suggest.h"

namespace chartly::cli {
namespace {

constexpr uint32_t kSampleRecords = 5;
constexpr int64_t kMaxPayloadBytes = int64_t{64} << 20;

struct SuggestOptions {
  std::string address;
  std::string id;
  std::vector<std::string> egress_allow;
};

absl::StatusOr<drone::SuggestInput> Fetch(const SuggestOptions& options) {
  drone::SuggestInput input;
  input.id = options.id;
  SystemClock clock;
  ASSIGN_OR_RETURN(net::EgressPolicy policy, net::EgressPolicy::Create(options.egress_allow));
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(std::move(policy));
  if (absl::StartsWith(options.address, "http://") || absl::StartsWith(options.address, "https://")) {
    net::HttpRequest request;
    request.url = options.address;
    request.max_bytes = kMaxPayloadBytes;
    ASSIGN_OR_RETURN(net::HttpResponse response, http->Send(request));
    if (response.status < 200 || response.status >= 300) {
      return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_HTTP_STATUS",
                   absl::StrCat("the source answered with HTTP status ", response.status));
    }
    input.address = options.address;
    input.payload = std::move(response.body);
    input.content_type = response.headers["content-type"];
    input.headers = std::move(response.headers);
    return input;
  }
  std::error_code error;
  std::filesystem::path path = std::filesystem::canonical(options.address, error);
  if (error) {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_UNREADABLE",
                 absl::StrCat("cannot read ", options.address, ": ", error.message(),
                              "; give a file, or an address that begins with http:// or https://"));
  }
  Profile file;
  file.source.type = SourceType::kFile;
  file.source.path = path.filename().string();
  file.limits.max_bytes = kMaxPayloadBytes;
  ASSIGN_OR_RETURN(std::unique_ptr<drone::Source> source,
                   drone::OpenSource(file, {*http, clock, path.parent_path().string()}));
  ASSIGN_OR_RETURN(std::optional<drone::Page> page, source->Next(nullptr));
  if (page) {
    ASSIGN_OR_RETURN(input.payload, drone::ReadAll(*page->body, static_cast<size_t>(kMaxPayloadBytes)));
  }
  input.type = SourceType::kFile;
  input.address = file.source.path;
  return input;
}

// Takes the first records through the suggested profile, then stops the decoder.
class SampleSink final : public drone::RowSink {
 public:
  explicit SampleSink(Normalizer& normalizer) : normalizer_(normalizer) { normalizer_.Bind(builder_); }
  absl::Status OnRow(const Row& row, uint32_t number) override {
    normalizer_.Add(row, 1, number, builder_);
    return builder_.rows() >= kSampleRecords ? absl::OutOfRangeError("enough") : absl::OkStatus();
  }
  absl::Status OnBadRow(absl::string_view, absl::string_view, absl::string_view, uint32_t) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<Json>> Records() {
    std::vector<Json> records;
    if (builder_.empty()) return records;
    ASSIGN_OR_RETURN(std::string bytes, builder_.Finish());
    ASSIGN_OR_RETURN(Batch batch, Batch::Parse(bytes));
    for (uint32_t row = 0; row < batch.rows(); ++row) records.push_back(BatchRecordJson(batch, row, ""));
    return records;
  }

 private:
  Normalizer& normalizer_;
  BatchBuilder builder_;
};

absl::StatusOr<std::vector<Json>> Sample(const drone::SuggestInput& input, const std::string& yaml) {
  ASSIGN_OR_RETURN(Profile profile, ValidateProfileOrError("the suggestion", yaml));
  ASSIGN_OR_RETURN(std::unique_ptr<Normalizer> normalizer, Normalizer::Create(profile));
  ASSIGN_OR_RETURN(std::unique_ptr<drone::Decoder> decoder,
                   drone::Decoder::Create(profile.source, normalizer->paths()));
  SampleSink sink(*normalizer);
  drone::TextBody body(input.payload);
  absl::Status decoded = decoder->Decode(body, input.content_type, input.address, sink).status();
  if (!decoded.ok() && !absl::IsOutOfRange(decoded)) return decoded;
  return sink.Records();
}

std::string Target(const drone::SuggestedField& field) {
  return absl::StrCat(FieldRolePrefix(field.role), ".", field.to);
}

void PrintForPrograms(Session& session, const drone::Suggestion& suggestion, std::vector<Json> records) {
  Json fields = Json::Array();
  for (const drone::SuggestedField& field : suggestion.fields) {
    fields.Add(Json::Object()
                   .Set("from", Json::Text(field.from))
                   .Set("to", Json::Text(Target(field)))
                   .Set("confidence", Json::Scalar(absl::StrFormat("%.2f", field.confidence)))
                   .Set("why", Json::Text(field.why)));
  }
  Json key = Json::Array();
  for (const std::string& dim : suggestion.key) key.Add(Json::Text(absl::StrCat("dims.", dim)));
  Json notes = Json::Array();
  for (const std::string& note : suggestion.notes) notes.Add(Json::Text(note));
  Json sample = Json::Array();
  for (Json& record : records) sample.Add(std::move(record));
  session.PrintJson(Json::Object()
                        .Set("profile", Json::Text(suggestion.yaml))
                        .Set("confidence", Json::Scalar(absl::StrFormat("%.2f", suggestion.confidence)))
                        .Set("shape", Json::Text(suggestion.shape))
                        .Set("rows", Json::Integer(suggestion.rows))
                        .Set("fields", std::move(fields))
                        .Set("key", std::move(key))
                        .Set("notes", std::move(notes))
                        .Set("records", std::move(sample)));
}

absl::Status Suggest(Session& session, const SuggestOptions& options) {
  ASSIGN_OR_RETURN(drone::SuggestInput input, Fetch(options));
  ASSIGN_OR_RETURN(drone::Suggestion suggestion, drone::SuggestProfile(input));
  ASSIGN_OR_RETURN(std::vector<Json> records, Sample(input, suggestion.yaml));
  if (session.json()) {
    PrintForPrograms(session, suggestion, std::move(records));
    return absl::OkStatus();
  }
  // The profile alone goes to the output, so that it can be kept as a file; what is for eyes goes beside it.
  session.out << suggestion.yaml;
  session.err << "\n" << suggestion.rows << " rows; the first records this profile gives:\n";
  RecordTable(records).Print(session.err, "no records");
  session.err << "\nnext: keep it as a file, read it, then: chartly profile test FILE\n";
  return absl::OkStatus();
}

}  // namespace

void AddProfileSuggest(CLI::App& noun, Session& session) {
  auto options = std::make_shared<SuggestOptions>();
  CLI::App* verb = AddVerb(noun, session, "suggest", "Write a first profile for an address or a file",
                           [&session, options] { return Suggest(session, *options); });
  verb->add_option("SOURCE", options->address, "URL or file")->required();
  verb->add_option("--id", options->id, "Id of the profile; made of the address without it")->type_name("ID");
  verb->add_option("--egress-allow", options->egress_allow, "Private range that may be fetched from. Repeatable")
      ->type_name("CIDR")
      ->allow_extra_args(false);
}

}  // namespace chartly::cli
